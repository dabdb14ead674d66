//! All memory is taken at construction, from `Limits`: what a connection then
//! does allocates nothing. Descriptions are the exception that the API names.
//!
//! The network here holds its datagrams in place, so that every allocation
//! counted is one of the connections' own.

use allocation_counter::measure;
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use picortc_tests::Dice;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

const SLOTS: usize = 4096;

/// A place for a datagram on its way.
struct Slot {
    to: usize,
    len: usize,
    octets: [u8; 1500],
}

/// Two connections and the datagrams between them.
struct Rig {
    now: Instant,
    pcs: [RTCPeerConnection; 2],
    addrs: [SocketAddr; 2],
    slots: Vec<Slot>,
    free: Vec<usize>,
    flying: BinaryHeap<Reverse<(Instant, usize)>>,
    dice: Dice,
    loss: u32,
    opened: [Option<RTCDataChannelId>; 2],
    closed: [u32; 2],
    octets: [usize; 2],
}

fn build(limits: Limits, seed: u8) -> RTCPeerConnection {
    RTCPeerConnectionBuilder::new()
        .with_limits(limits)
        .build(Instant::from_millis(1000), [seed; 32])
        .expect("a connection")
}

impl Rig {
    fn new(limits: Limits, loss: u32) -> Self {
        let now = Instant::from_millis(1000);
        let addrs = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|a| a.parse().expect("an address"));
        let mut pcs = [build(limits, 1), build(limits, 2)];
        for (pc, addr) in pcs.iter_mut().zip(addrs) {
            pc.handle_event(now, RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
            pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        }
        Self {
            now,
            pcs,
            addrs,
            slots: (0..SLOTS).map(|_| Slot { to: 0, len: 0, octets: [0; 1500] }).collect(),
            free: (0..SLOTS).collect(),
            flying: BinaryHeap::with_capacity(SLOTS),
            dice: Dice(7),
            loss,
            opened: [None; 2],
            closed: [0; 2],
            octets: [0; 2],
        }
    }

    fn negotiate(&mut self, from: usize, ice_restart: bool) {
        let now = self.now;
        let [a, b] = &mut self.pcs;
        let (a, b) = if from == 0 { (a, b) } else { (b, a) };
        let offer = a.create_offer(Some(RTCOfferOptions { ice_restart })).expect("an offer");
        a.set_local_description(now, RTCSdpType::Offer, &offer.sdp).expect("our offer");
        b.set_remote_description(now, RTCSdpType::Offer, &offer.sdp).expect("the offer");
        let answer = b.create_answer(None).expect("an answer");
        b.set_local_description(now, RTCSdpType::Answer, &answer.sdp).expect("our answer");
        a.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).expect("the answer");
    }

    fn poll(&mut self) {
        for i in 0..2 {
            let pc = &mut self.pcs[i];
            while let Some(message) = pc.poll_read() {
                let RTCMessage::DataChannelMessage(_, message) = message else { continue };
                self.octets[i] += message.data.len();
            }
            while let Some(event) = pc.poll_event() {
                match event {
                    RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => {
                        self.opened[i] = Some(id);
                    }
                    RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(_)) => {
                        self.closed[i] += 1
                    }
                    _ => {}
                }
            }
            while let Some(&index) = self.free.last() {
                let slot = &mut self.slots[index];
                let Some(transmit) = pc.poll_write(self.now, &mut slot.octets) else { break };
                if self.dice.per_mille(self.loss) {
                    continue;
                }
                slot.len = transmit.len;
                slot.to = 1 - i;
                self.free.pop();
                let delay = Duration::from_millis(5 + self.dice.roll() % 3);
                self.flying.push(Reverse((self.now + delay, index)));
            }
            assert!(!self.free.is_empty(), "more than {SLOTS} datagrams on their way");
        }
    }

    fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        while self.now < end {
            self.poll();
            if done(self) {
                return true;
            }
            self.poll();
            let flying = self.flying.peek().map(|f| f.0.0);
            let timers = self.pcs.iter().filter_map(RTCPeerConnection::poll_timeout).min();
            let Some(next) = [flying, timers].into_iter().flatten().min() else { return false };
            self.now = self.now.max(next);
            while let Some(&Reverse((at, index))) = self.flying.peek()
                && at <= self.now
            {
                self.flying.pop();
                let slot = &mut self.slots[index];
                let path = TransportContext::udp(self.addrs[slot.to], self.addrs[1 - slot.to]);
                self.pcs[slot.to].handle_read(self.now, path, &mut slot.octets[..slot.len]);
                self.free.push(index);
            }
            for pc in &mut self.pcs {
                if pc.poll_timeout().is_some_and(|at| at <= self.now) {
                    pc.handle_timeout(self.now);
                }
            }
        }
        false
    }
}

/// Runs a part of a scenario and counts what it allocates.
fn count(rig: &mut Rig, what: &str, part: impl FnOnce(&mut Rig)) {
    let info = measure(|| part(rig));
    assert_eq!(
        info.count_total, 0,
        "{what}: {} allocations, {} octets in all",
        info.count_total, info.bytes_total
    );
}

#[test]
fn nothing_allocates_from_the_first_check_to_the_close() {
    for (limits, size, total) in [
        (Limits::TINY, 1000, 200_000),
        (Limits::DEFAULT, 200_000, 4_000_000),
        (Limits::SERVER, 16_384, 2_000_000),
    ] {
        for loss in [0, 100] {
            let mut rig = Rig::new(limits, loss);
            let message = vec![9; size];
            let options = RTCDataChannelInit::default();
            rig.pcs[0].create_data_channel(rig.now, "data", options).expect("a channel");
            rig.negotiate(0, false);
            count(&mut rig, "connecting", |rig| {
                assert!(rig.run(Duration::from_secs(60), |r| r.opened.iter().all(Option::is_some)));
            });
            count(&mut rig, "transferring", |rig| {
                let done = rig.run(Duration::from_secs(600), |r| {
                    for i in 0..2 {
                        let now = r.now;
                        let id = r.opened[i].expect("open");
                        let mut channel = r.pcs[i].data_channel(id).expect("the channel");
                        while channel.send(now, &message).is_ok() {}
                    }
                    r.octets.iter().all(|n| *n >= total)
                });
                assert!(
                    done,
                    "of {total} octets {:?}, messages of {size}, {loss} per mille lost",
                    rig.octets
                );
            });
            count(&mut rig, "statistics", |rig| {
                let stats = rig.pcs[0].get_stats(rig.now);
                assert!(stats.candidate_pairs().any(|p| p.counts.bytes_sent > 0));
                assert_eq!(stats.data_channels().count(), 1);
            });
            for restarter in 0..2 {
                rig.negotiate(restarter, true);
                count(&mut rig, "restarting ICE", |rig| {
                    rig.run(Duration::from_secs(10), |_| false);
                });
            }
            count(&mut rig, "opening and closing channels", |rig| {
                for round in 0..10 {
                    let now = rig.now;
                    rig.opened = [None; 2];
                    let id = rig.pcs[0].create_data_channel(now, "again", options).expect("a channel");
                    assert!(rig.run(Duration::from_secs(60), |r| r.opened.iter().all(Option::is_some)));
                    let now = rig.now;
                    rig.pcs[0].data_channel(id).expect("the channel").close(now);
                    assert!(rig.run(Duration::from_secs(60), |r| r.closed == [round + 1; 2]));
                }
            });
            count(&mut rig, "closing", |rig| {
                let now = rig.now;
                rig.pcs[0].close(now);
                // Where the goodbye was lost, silence says it.
                let gone = |r: &mut Rig| {
                    r.pcs[1].dtls_transport_state() == RTCDtlsTransportState::Closed
                        || loss > 0 && r.pcs[1].ice_connection_state() == RTCIceConnectionState::Failed
                };
                assert!(
                    rig.run(Duration::from_secs(60), gone),
                    "{loss} per mille lost: {:?}",
                    rig.pcs[1].connection_state()
                );
            });
        }
    }
}

#[test]
fn construction_takes_what_the_limits_say() {
    // Beside what `Limits` names there are the contexts of the crypto provider
    // and the certificate, as large for every connection.
    let mut contexts = None;
    for (name, limits) in [("TINY", Limits::TINY), ("DEFAULT", Limits::DEFAULT), ("SERVER", Limits::SERVER)] {
        let mut pc = None;
        let info = measure(|| pc = Some(build(limits, 1)));
        let beside = info.bytes_current - limits.heap_bytes() as i64;
        println!(
            "{name}: {} octets, of which {beside} for crypto contexts and the certificate",
            info.bytes_current
        );
        assert_eq!(beside, *contexts.get_or_insert(beside), "{name}");
        assert!((0..4608).contains(&beside), "{name}: {beside}");
        // Room for an arena may be asked for and given back before it is taken
        // (`mem::zeroed_slice`), which is no more memory at any time.
        assert_eq!(info.bytes_max, info.bytes_current as u64, "{name}: never more than what stays");
        drop(pc);
    }
}

#[test]
fn what_is_dropped_gives_all_memory_back() {
    let info = measure(|| {
        let mut rig = Rig::new(Limits::DEFAULT, 0);
        rig.pcs[0].create_data_channel(rig.now, "data", Default::default()).expect("a channel");
        rig.negotiate(0, false);
        assert!(rig.run(Duration::from_secs(60), |r| r.opened.iter().all(Option::is_some)));
    });
    assert_eq!((info.count_current, info.bytes_current), (0, 0));
}
