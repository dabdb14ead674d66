//! Two connections with `Limits::TINY`, one after the other in the same
//! program and on the same heap: they negotiate, connect, send each other
//! messages, and close. What each of them takes is measured apart. At last
//! they shake hands once more, without DTLS 1.3.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;
use core::future::Future;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
#[cfg(not(feature = "post-quantum"))]
use picortc::crypto::rust_crypto::CHIP;
#[cfg(feature = "post-quantum")]
use picortc::crypto::rust_crypto::CHIP_HYBRID as CHIP;
use picortc::dtls::{Operation, Outcome, ProtocolVersion};
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::{
    Limits, RTCDataChannelEvent, RTCDataChannelId, RTCEvent, RTCMessage, RTCMilestoneStep, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCSdpType, SettingEngine,
};
use picortc_size::{board, fail, in_use, peak, print, report, reset_peak, stack, start};

/// What a message costs is measured over so many.
const MESSAGES: u32 = 8;
const MESSAGE_LEN: usize = 1000;

/// `Limits::TINY`, with as much room for flights as the hybrid group wants.
const LIMITS: Limits = {
    let mut limits = Limits::TINY;
    if cfg!(feature = "post-quantum") {
        limits.dtls.flight = 2048;
    }
    limits
};

/// Instructions, or cycles, of one kind of work.
#[derive(Default, Clone, Copy)]
struct Meter {
    total: u64,
    /// The longest uninterrupted stretch.
    longest: u64,
}

impl Meter {
    fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = board::count();
        let result = work();
        let took = board::count() - before;
        self.total += took;
        self.longest = self.longest.max(took);
        result
    }
}

/// How deep the stack went, by what was done.
#[derive(Default)]
struct Depth {
    calls: usize,
    operations: usize,
}

/// One of the two.
struct End {
    name: &'static str,
    pc: Box<RTCPeerConnection>,
    addr: SocketAddr,
    heap: usize,
    build: Meter,
    negotiation: Meter,
    /// All calls of the handshake but the public-key operations.
    calls: Meter,
    /// Public-key operations before the offer.
    ahead: Meter,
    /// Those of the handshake.
    operations: Meter,
    channel: Option<RTCDataChannelId>,
    received: u32,
    closed: bool,
}

#[inline(never)]
fn build(now: Instant, name: &'static str, version: ProtocolVersion, seed: u8) -> End {
    let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, seed)), 1000 * u16::from(seed));
    let before = in_use();
    let mut meter = Meter::default();
    let settings = SettingEngine {
        defer_public_key_operations: true,
        dtls_max_version: version,
        ..SettingEngine::default()
    };
    let pc = meter.run(|| {
        RTCPeerConnectionBuilder::new()
            .with_setting_engine(settings)
            .with_limits(LIMITS)
            .with_crypto_provider(&CHIP)
            .build(now, [seed; 32])
            .map(Box::new)
    });
    let Ok(mut pc) = pc else { fail("to build") };
    pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
    pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
    End {
        name,
        pc,
        addr,
        heap: in_use() - before,
        build: meter,
        negotiation: Meter::default(),
        calls: Meter::default(),
        ahead: Meter::default(),
        operations: Meter::default(),
        channel: None,
        received: 0,
        closed: false,
    }
}

#[inline(never)]
fn negotiate(now: Instant, offerer: &mut End, answerer: &mut End) {
    let pc = &mut offerer.pc;
    if pc.create_data_channel(now, "data", Default::default()).is_err() {
        fail("to create a channel");
    }
    let offer = offerer.negotiation.run(|| -> Result<String, ()> {
        let offer = pc.create_offer(None).map_err(drop)?;
        pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).map_err(drop)?;
        Ok(offer.sdp)
    });
    let Ok(offer) = offer else { fail("to offer") };
    let pc = &mut answerer.pc;
    let answer = answerer.negotiation.run(|| -> Result<String, ()> {
        pc.set_remote_description(now, RTCSdpType::Offer, &offer).map_err(drop)?;
        let answer = pc.create_answer(None).map_err(drop)?;
        pc.set_local_description(now, RTCSdpType::Answer, &answer.sdp).map_err(drop)?;
        Ok(answer.sdp)
    });
    let Ok(answer) = answer else { fail("to answer") };
    let pc = &mut offerer.pc;
    let set = offerer.negotiation.run(|| pc.set_remote_description(now, RTCSdpType::Answer, &answer));
    if set.is_err() {
        fail("to take the answer");
    }
}

/// What is done before there is a peer.
#[inline(never)]
fn prepare(now: Instant, end: &mut End) {
    if let Some(operation) = end.pc.pending_operation() {
        let outcome = work(end.name, &mut end.ahead, operation);
        end.pc.handle_operation(now, outcome);
    }
}

/// The public-key work of one end, on its own.
#[inline(never)]
fn work(name: &str, sum: &mut Meter, operation: Operation) -> Outcome {
    let what = operation.name();
    let mut meter = Meter::default();
    let mut context = Context::from_waker(Waker::noop());
    let mut future = pin!(operation.run_in_slices());
    let outcome = loop {
        if let Poll::Ready(outcome) = meter.run(|| future.as_mut().poll(&mut context)) {
            break outcome;
        }
    };
    print(name);
    print("-");
    report(what, meter.total as u32);
    sum.total += meter.total;
    sum.longest = sum.longest.max(meter.longest);
    outcome
}

/// Everything that is to be done at `now`; says whether there was anything.
fn turn(now: Instant, ends: [&mut End; 2], depth: &mut Depth) -> bool {
    static mut DATAGRAM: [u8; 1500] = [0; 1500];
    // SAFETY: this program has one thread, and does not call itself.
    let buf = unsafe { &mut *(&raw mut DATAGRAM) };
    let [from, to] = ends;
    let mut busy = false;
    let top = stack::paint();
    if let Some(operation) = from.calls.run(|| from.pc.pending_operation()) {
        depth.calls = depth.calls.max(stack::used(top));
        let top = stack::paint();
        let outcome = work(from.name, &mut from.operations, operation);
        depth.operations = depth.operations.max(stack::used(top));
        let (calls, pc) = (&mut from.calls, &mut from.pc);
        calls.run(|| pc.handle_operation(now, outcome));
        busy = true;
    }
    let top = stack::paint();
    while let Some(event) = from.calls.run(|| from.pc.poll_event()) {
        match event {
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => from.channel = Some(id),
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(_)) => from.closed = true,
            RTCPeerConnectionEvent::OnMilestone(m) if m.step == RTCMilestoneStep::DtlsConnected => {
                print(from.name);
                report("-dtls-connected-ms", now.as_millis() as u32);
            }
            _ => {}
        }
    }
    while let Some(RTCMessage::DataChannelMessage(_, message)) = from.calls.run(|| from.pc.poll_read()) {
        if message.data.len() != MESSAGE_LEN {
            fail("with a message of another length");
        }
        from.received += 1;
        busy = true;
    }
    while let Some(transmit) = from.calls.run(|| from.pc.poll_write(now, buf)) {
        busy = true;
        let path = TransportContext::udp(to.addr, from.addr);
        if transmit.transport.peer_addr == to.addr {
            let (calls, pc) = (&mut to.calls, &mut to.pc);
            calls.run(|| pc.handle_read(now, path, &mut buf[..transmit.len]));
        }
    }
    depth.calls = depth.calls.max(stack::used(top));
    busy
}

/// Runs both until `done`; the clock jumps.
#[inline(never)]
fn run(
    now: &mut Instant,
    a: &mut End,
    b: &mut End,
    depth: &mut Depth,
    mut done: impl FnMut(&End, &End) -> bool,
) {
    let limit = *now + Duration::from_secs(60);
    while !done(a, b) {
        let busy = turn(*now, [a, b], depth) | turn(*now, [b, a], depth);
        if busy {
            continue;
        }
        let Some(next) = [a.pc.poll_timeout(), b.pc.poll_timeout()].into_iter().flatten().min() else {
            fail("without anything to wait for")
        };
        *now = next.max(*now + Duration::from_micros(1));
        if *now > limit {
            fail("after a minute");
        }
        for end in [&mut *a, &mut *b] {
            let (calls, pc, now) = (&mut end.calls, &mut end.pc, *now);
            calls.run(|| pc.handle_timeout(now));
        }
    }
}

fn tell(end: &End) {
    let values = [
        ("heap", end.heap as u64),
        ("build", end.build.total),
        ("negotiation", end.negotiation.total),
        ("negotiation-longest", end.negotiation.longest),
        ("ahead", end.ahead.total),
        ("calls", end.calls.total),
        ("calls-longest", end.calls.longest),
        ("operations", end.operations.total),
        ("operations-longest", end.operations.longest),
    ];
    for (key, value) in values {
        print(end.name);
        print("-");
        report(key, value as u32);
    }
}

#[board::entry]
fn main() -> ! {
    start();
    report("limits-heap", LIMITS.heap_bytes() as u32);
    report("struct", size_of::<RTCPeerConnection>() as u32);
    report("operation", size_of::<Operation>() as u32);
    let mut now = Instant::from_millis(1);
    whole_life(&mut now);
    handshake_12(&mut now);
    board::exit(0)
}

/// From construction to the end, with DTLS 1.3.
#[inline(never)]
fn whole_life(now: &mut Instant) {
    let empty = in_use();
    let top = stack::paint();
    let mut a = build(*now, "offerer", ProtocolVersion::DTLS_1_3, 1);
    let mut b = build(*now, "answerer", ProtocolVersion::DTLS_1_3, 2);
    report("stack-build", stack::used(top) as u32);

    prepare(*now, &mut a);
    prepare(*now, &mut b);
    reset_peak();
    let before = in_use();
    let top = stack::paint();
    negotiate(*now, &mut a, &mut b);
    report("stack-negotiation", stack::used(top) as u32);
    report("heap-negotiation", (peak() - before) as u32);
    report("heap-negotiation-left", (in_use() - before) as u32);

    reset_peak();
    let before = in_use();
    let mut depth = Depth::default();
    run(now, &mut a, &mut b, &mut depth, opened);
    report("stack-calls", depth.calls as u32);
    report("stack-operations", depth.operations as u32);
    expect_version(&a, *now, "FEFC");
    tell(&a);
    tell(&b);
    messages(now, &mut a, &mut b, &mut depth);
    // The ends are alike.
    report("heap-settled", (in_use() - empty).div_ceil(2) as u32);

    if let Some(mut channel) = a.channel.and_then(|id| a.pc.data_channel(id)) {
        channel.close(*now);
    }
    run(now, &mut a, &mut b, &mut depth, |a, b| a.closed && b.closed);
    a.pc.close(*now);
    b.pc.close(*now);
    report("heap-connected", (peak() - before) as u32);
}

/// The handshake alone, with DTLS 1.2.
#[inline(never)]
fn handshake_12(now: &mut Instant) {
    let mut a = build(*now, "v12-offerer", ProtocolVersion::DTLS_1_2, 1);
    let mut b = build(*now, "v12-answerer", ProtocolVersion::DTLS_1_2, 2);
    prepare(*now, &mut a);
    prepare(*now, &mut b);
    negotiate(*now, &mut a, &mut b);
    let mut depth = Depth::default();
    run(now, &mut a, &mut b, &mut depth, opened);
    expect_version(&a, *now, "FEFD");
    report("v12-stack-calls", depth.calls as u32);
    report("v12-stack-operations", depth.operations as u32);
    tell(&a);
    tell(&b);
}

fn opened(a: &End, b: &End) -> bool {
    a.channel.is_some() && b.channel.is_some()
}

/// That what was measured is what was meant.
fn expect_version(end: &End, now: Instant, version: &str) {
    let stats = end.pc.get_stats(now).transport();
    let group = if cfg!(feature = "post-quantum") && version == "FEFC" { "X25519MLKEM768" } else { "x25519" };
    if stats.tls_version != Some(version) || stats.tls_group != Some(group) {
        fail("with another version or group");
    }
}

/// Messages one way, each after the one before.
#[inline(never)]
fn messages(now: &mut Instant, a: &mut End, b: &mut End, depth: &mut Depth) {
    for end in [&mut *a, &mut *b] {
        end.calls = Meter::default();
    }
    let mut sending = Meter::default();
    for i in 0..MESSAGES {
        let message = [i as u8; MESSAGE_LEN];
        let sent = sending.run(|| {
            let channel = a.channel.and_then(|id| a.pc.data_channel(id));
            channel.is_some_and(|mut c| c.send(*now, &message).is_ok())
        });
        if !sent {
            fail("to send");
        }
        // Until it is acknowledged: there is no room for two.
        run(now, a, b, depth, |_, b| b.received > i);
        while a.pc.get_stats(*now).transport().sctp.buffered > 0 {
            let mut more = true;
            run(now, a, b, depth, |_, _| !core::mem::take(&mut more));
        }
    }
    report("message-sender", ((sending.total + a.calls.total) / u64::from(MESSAGES)) as u32);
    report("message-receiver", (b.calls.total / u64::from(MESSAGES)) as u32);
}
