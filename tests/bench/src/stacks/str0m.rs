//! str0m, with its default crypto (aws-lc-rs).

use super::{End, Ends, Got, Micros, Options, Stack};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use str0m::channel::ChannelId;
use str0m::config::DtlsVersion;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

pub const STACK: Stack = Stack { name: "str0m", about: "str0m, aws-lc-rs", pair, sctp_only: false };
pub const STACK_SMALL: Stack = Stack {
    name: "str0m-128k",
    about: "str0m, aws-lc-rs, its default buffer of 128 KiB",
    pair: small_pair,
    sctp_only: false,
};
pub const STACK_SNAP: Stack = Stack {
    name: "str0m-snap",
    about: "str0m, aws-lc-rs, DTLS 1.3 and SNAP",
    pair: snap_pair,
    sctp_only: false,
};

/// What virtual time counts from.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

fn at(now: Micros) -> Instant {
    epoch() + Duration::from_micros(now)
}

struct Peer {
    rtc: Rtc,
    local: SocketAddr,
    peer: SocketAddr,
    channel: Option<ChannelId>,
    open: bool,
    got: Got,
    out: VecDeque<Vec<u8>>,
    timeout: Instant,
}

fn pair(options: &Options) -> Ends {
    make(options.buffer, false)
}

fn small_pair(_: &Options) -> Ends {
    make(128 * 1024, false)
}

fn snap_pair(options: &Options) -> Ends {
    make(options.buffer, true)
}

fn make(buffer: usize, snap: bool) -> Ends {
    let addrs: [SocketAddr; 2] = [([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 2000).into()];
    let build = |from: usize| {
        let mut config = Rtc::builder().set_sctp_max_buffered_amount(buffer);
        if snap {
            config = config.set_snap_enabled(true).set_dtls_version(DtlsVersion::Dtls13);
        }
        let mut rtc = config.build(at(0));
        rtc.add_local_candidate(Candidate::host(addrs[from], "udp").expect("a candidate"));
        rtc
    };
    let (mut a, mut b) = (build(0), build(1));
    let mut change = a.sdp_api();
    let channel = change.add_channel("data".into());
    let (offer, pending) = change.apply().expect("an offer");
    // Through text and back, as it travels.
    let offer = str0m::change::SdpOffer::from_sdp_string(&offer.to_sdp_string()).expect("the offer");
    let answer = b.sdp_api().accept_offer(offer).expect("an answer");
    let answer = str0m::change::SdpAnswer::from_sdp_string(&answer.to_sdp_string()).expect("the answer");
    a.sdp_api().accept_answer(pending, answer).expect("the answer");
    let end = |rtc, from: usize, channel| {
        let (local, peer) = (addrs[from], addrs[1 - from]);
        let mut peer = Peer {
            rtc,
            local,
            peer,
            channel,
            open: false,
            got: Got::default(),
            out: VecDeque::new(),
            timeout: at(0),
        };
        peer.handle_timeout(0);
        Box::new(peer) as Box<dyn End>
    };
    [end(a, 0, Some(channel)), end(b, 1, None)]
}

impl Peer {
    /// str0m wants to be drained after every input.
    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output().expect("str0m") {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
                Output::Transmit(transmit) => self.out.push_back(transmit.contents.into()),
                Output::Event(Event::ChannelOpen(id, _)) => {
                    self.channel = Some(id);
                    self.open = true;
                }
                Output::Event(Event::ChannelData(data)) => {
                    self.got.messages += 1;
                    self.got.octets += data.data.len() as u64;
                }
                Output::Event(_) => {}
            }
        }
    }
}

impl End for Peer {
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]) {
        let receive = Receive {
            proto: Protocol::Udp,
            source: self.peer,
            destination: self.local,
            contents: (&*datagram).try_into().expect("a datagram"),
        };
        self.rtc.handle_input(Input::Receive(at(now), receive)).expect("str0m");
        self.drain();
    }

    fn poll_write(&mut self, _: Micros, buf: &mut [u8]) -> Option<usize> {
        let datagram = self.out.pop_front()?;
        buf[..datagram.len()].copy_from_slice(&datagram);
        Some(datagram.len())
    }

    fn poll_timeout(&mut self) -> Option<Micros> {
        let micros = self.timeout.saturating_duration_since(epoch()).as_nanos().div_ceil(1000);
        u64::try_from(micros).ok()
    }

    fn handle_timeout(&mut self, now: Micros) {
        self.rtc.handle_input(Input::Timeout(at(now))).expect("str0m");
        self.drain();
    }

    fn read(&mut self, _: Micros) -> Got {
        std::mem::take(&mut self.got)
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn write(&mut self, _: Micros, message: &[u8]) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return false };
        let written = channel.write(true, message).expect("str0m");
        // What was written leaves when it is polled; a run of writes is one
        // poll, as with the others.
        if !written {
            self.drain();
        }
        written
    }
}
