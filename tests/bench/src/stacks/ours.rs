//! picortc: whole, and its SCTP alone.

use super::{End, Ends, Got, Micros, Options, Stack};
use picortc::crypto::{CryptoProvider, rust_crypto};
use picortc::dtls::ProtocolVersion;
use picortc::env::{Env, Instant, Rng, TransportContext, TransportProtocol};
use picortc::peer::{
    Limits, RTCDataChannelEvent, RTCDataChannelId, RTCDataChannelMessage, RTCEvent, RTCMessage,
    RTCPeerConnection, RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCSdpType, SettingEngine,
};
use picortc::sctp;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

pub const STACK: Stack =
    Stack { name: "picortc", about: "picortc, RustCrypto, DTLS 1.3", pair, sctp_only: false };
pub const STACK_12: Stack =
    Stack { name: "picortc-12", about: "picortc, RustCrypto, DTLS 1.2", pair: pair_12, sctp_only: false };
pub const STACK_SNAP: Stack = Stack {
    name: "picortc-snap",
    about: "picortc, RustCrypto, DTLS 1.3 and SNAP",
    pair: snap_pair,
    sctp_only: false,
};
#[cfg(feature = "aws-lc")]
pub const STACK_AWS_LC: Stack = Stack {
    name: "picortc-aws-lc",
    about: "picortc, aws-lc-rs, DTLS 1.3",
    pair: aws_lc_pair,
    sctp_only: false,
};
#[cfg(feature = "aws-lc")]
pub const STACK_AWS_LC_12: Stack = Stack {
    name: "picortc-aws-lc-12",
    about: "picortc, aws-lc-rs, DTLS 1.2",
    pair: aws_lc_pair_12,
    sctp_only: false,
};
pub const STACK_SCTP: Stack =
    Stack { name: "picortc-sctp", about: "picortc, SCTP alone", pair: sctp_pair, sctp_only: true };

/// Every connection has its own seed, and every run the same ones.
static SEED: AtomicU64 = AtomicU64::new(1);

fn seed() -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&SEED.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    seed
}

pub fn limits(options: &Options) -> Limits {
    match options.limits {
        super::Limits::Tiny => Limits::TINY,
        super::Limits::Default => Limits::DEFAULT,
        super::Limits::Server => Limits::SERVER,
        super::Limits::Crowd => {
            let mut limits = Limits::DEFAULT;
            limits.sctp.block = 64;
            limits.sctp.send_messages = 16 * 1024;
            limits.sctp.in_flight = 16 * 1024;
            limits
        }
    }
}

/// What a connection takes, by layer.
pub fn sizes() {
    for (name, l) in [("TINY", Limits::TINY), ("SERVER", Limits::SERVER), ("DEFAULT", Limits::DEFAULT)] {
        println!(
            "{name}: ice {} dtls {} sctp {} channel {} jsep {} together {}, and {} in place",
            l.ice.heap_bytes(),
            l.dtls.heap_bytes(),
            l.sctp.heap_bytes(),
            l.channel.heap_bytes(),
            l.jsep.heap_bytes(),
            l.heap_bytes(),
            size_of::<RTCPeerConnection>()
        );
    }
}

fn at(now: Micros) -> Instant {
    Instant::from_micros(now)
}

struct Whole {
    pc: RTCPeerConnection,
    path: TransportContext,
    channel: Option<RTCDataChannelId>,
    open: bool,
    buffer: usize,
}

/// How one of our stacks differs from another.
#[derive(Clone, Copy)]
pub struct Variant {
    pub provider: &'static CryptoProvider,
    pub version: ProtocolVersion,
    pub snap: bool,
}

const PLAIN: Variant =
    Variant { provider: &rust_crypto::PROVIDER, version: ProtocolVersion::DTLS_1_3, snap: false };

/// The fastest provider there is.
pub fn best() -> Variant {
    Variant { provider: best_provider(), ..PLAIN }
}

fn build(options: &Options, variant: Variant, addr: SocketAddr) -> RTCPeerConnection {
    let settings = SettingEngine {
        include_loopback_candidate: addr.ip().is_loopback(),
        dtls_max_version: variant.version,
        sctp_snap: variant.snap,
        ..SettingEngine::default()
    };
    let mut pc = RTCPeerConnectionBuilder::new()
        .with_setting_engine(settings)
        .with_limits(limits(options))
        .with_crypto_provider(variant.provider)
        .build(at(0), seed())
        .expect("a connection");
    pc.handle_event(at(0), RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
    pc.handle_event(at(0), RTCEvent::EndOfLocalAddresses);
    pc
}

/// Two connections that have negotiated, and the channel of the first.
pub fn negotiated(
    options: &Options,
    variant: Variant,
    addrs: [SocketAddr; 2],
) -> ([RTCPeerConnection; 2], RTCDataChannelId) {
    let mut a = build(options, variant, addrs[0]);
    let mut b = build(options, variant, addrs[1]);
    let channel = a.create_data_channel(at(0), "data", Default::default()).expect("a channel");
    let offer = a.create_offer(None).expect("an offer");
    a.set_local_description(at(0), RTCSdpType::Offer, &offer.sdp).expect("our offer");
    b.set_remote_description(at(0), RTCSdpType::Offer, &offer.sdp).expect("the offer");
    let answer = b.create_answer(None).expect("an answer");
    b.set_local_description(at(0), RTCSdpType::Answer, &answer.sdp).expect("our answer");
    a.set_remote_description(at(0), RTCSdpType::Answer, &answer.sdp).expect("the answer");
    ([a, b], channel)
}

fn make(options: &Options, variant: Variant) -> Ends {
    let addrs: [SocketAddr; 2] = [([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 2000).into()];
    let ([a, b], channel) = negotiated(options, variant, addrs);
    let end = |pc, from: usize, channel| {
        let path = TransportContext::udp(addrs[from], addrs[1 - from]);
        Box::new(Whole { pc, path, channel, open: false, buffer: options.buffer }) as Box<dyn End>
    };
    [end(a, 0, Some(channel)), end(b, 1, None)]
}

fn pair(options: &Options) -> Ends {
    make(options, PLAIN)
}

fn pair_12(options: &Options) -> Ends {
    make(options, Variant { version: ProtocolVersion::DTLS_1_2, ..PLAIN })
}

fn snap_pair(options: &Options) -> Ends {
    make(options, Variant { snap: true, ..PLAIN })
}

#[cfg(feature = "aws-lc")]
fn aws_lc_pair(options: &Options) -> Ends {
    make(options, best())
}

#[cfg(feature = "aws-lc")]
fn aws_lc_pair_12(options: &Options) -> Ends {
    make(options, Variant { version: ProtocolVersion::DTLS_1_2, ..best() })
}

/// What programs for hosts should take.
pub fn best_provider() -> &'static CryptoProvider {
    #[cfg(feature = "aws-lc")]
    return &picortc::crypto::aws_lc::PROVIDER;
    #[cfg(not(feature = "aws-lc"))]
    return &rust_crypto::PROVIDER;
}

impl End for Whole {
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]) {
        self.pc.handle_read(at(now), self.path, datagram);
    }

    fn poll_write(&mut self, now: Micros, buf: &mut [u8]) -> Option<usize> {
        self.pc.poll_write(at(now), buf).map(|t| t.len)
    }

    fn poll_timeout(&mut self) -> Option<Micros> {
        self.pc.poll_timeout().map(Instant::as_micros)
    }

    fn handle_timeout(&mut self, now: Micros) {
        self.pc.handle_timeout(at(now));
    }

    fn read(&mut self, _: Micros) -> Got {
        while let Some(event) = self.pc.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) = event {
                self.channel = Some(id);
                self.open = true;
            }
        }
        let mut got = Got::default();
        while let Some(RTCMessage::DataChannelMessage(_, message)) = self.pc.poll_read() {
            got.messages += 1;
            got.octets += std::hint::black_box(message.data).len() as u64;
        }
        got
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn write(&mut self, now: Micros, message: &[u8]) -> bool {
        let Some(id) = self.channel else { return false };
        let buffered = self.pc.data_channel(id).map_or(0, |c| c.buffered_amount());
        if buffered > 0 && buffered + message.len() > self.buffer {
            return false;
        }
        let message = RTCDataChannelMessage { is_string: false, data: message };
        self.pc.handle_write(at(now), RTCMessage::DataChannelMessage(id, message)).is_ok()
    }
}

// ------------------------------------------------------------- SCTP alone

struct Sctp {
    association: sctp::Association,
    rng: Rng,
    open: bool,
    buffer: usize,
}

fn sctp_pair(options: &Options) -> Ends {
    let end = |connect: bool| {
        let mut rng = Rng::new(seed());
        let config = sctp::Config::new(rust_crypto::PROVIDER.hashes);
        let mut association =
            sctp::Association::new(config, &limits(options).sctp, &mut rng).expect("an association");
        let remote = sctp::Remote { port: 5000, max_message_size: 256 * 1024 };
        // What dcSCTP takes by default, so that both cut messages alike.
        association.set_max_packet(1191);
        if connect {
            association.connect(&mut Env::new(at(0), &mut rng), &remote);
        }
        Box::new(Sctp { association, rng, open: false, buffer: options.buffer }) as Box<dyn End>
    };
    [end(true), end(false)]
}

impl End for Sctp {
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]) {
        self.association.handle_read(&mut Env::new(at(now), &mut self.rng), datagram);
    }

    fn poll_write(&mut self, now: Micros, buf: &mut [u8]) -> Option<usize> {
        self.association.poll_write(&mut Env::new(at(now), &mut self.rng), buf)
    }

    fn poll_timeout(&mut self) -> Option<Micros> {
        self.association.poll_timeout().map(Instant::as_micros)
    }

    fn handle_timeout(&mut self, now: Micros) {
        self.association.handle_timeout(&mut Env::new(at(now), &mut self.rng));
    }

    fn read(&mut self, _: Micros) -> Got {
        while let Some(event) = self.association.poll_event() {
            self.open |= event == sctp::Event::Connected;
        }
        let mut got = Got::default();
        while let Some(message) = self.association.poll_read() {
            got.messages += 1;
            got.octets += std::hint::black_box(message.data).len() as u64;
        }
        got
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn write(&mut self, now: Micros, data: &[u8]) -> bool {
        let buffered = self.association.buffered_amount(1);
        if buffered > 0 && buffered + data.len() > self.buffer {
            return false;
        }
        let reliability = sctp::Reliability::Reliable;
        let message = sctp::Message { stream: 1, ppid: 53, data, unordered: false, reliability };
        self.association.handle_write(at(now), message).is_ok()
    }
}
