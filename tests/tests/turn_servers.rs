//! TURN over UDP, as a connection's owner sees it: a server that sends to another
//! one, one that is gone for a while, and peers that change more often than there
//! is room for them. The servers are our own.

use picortc::crypto::rust_crypto::PROVIDER;
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use picortc::stun::long_term_key;
use picortc::turn_server::{Config, Event as ServerEvent, Output, PeerFilter, TurnServer, UserKey};
use picortc::turn_server::{Limits as ServerLimits, RelayId};
use picortc::wire::stun::{AttributeType, Builder, Class, Message, Method, error_code};
use std::net::SocketAddr;
use std::time::Duration;

const HOME: &str = "192.0.2.1:1000";
const FIRST: &str = "198.51.100.1:3478";
const SECOND: &str = "198.51.100.2:3478";

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

type Server = TurnServer<fn(&[u8], &str) -> Option<UserKey>>;

fn server(seed: u8) -> Server {
    let keys: fn(&[u8], &str) -> Option<UserKey> =
        |name, realm| Some(long_term_key(name, realm.as_bytes(), b"pass"));
    let filter = PeerFilter::new(0).unwrap();
    TurnServer::new(&Config::default(), &ServerLimits::DEFAULT, keys, filter, PROVIDER.hashes, [seed; 32])
        .unwrap()
}

struct Rig {
    pc: RTCPeerConnection,
    now: Instant,
    /// At [`FIRST`] and at [`SECOND`].
    servers: [Server; 2],
    /// Whether the first one sends everybody to the second.
    redirects: bool,
    /// Whether anybody answers.
    up: bool,
    relays: u16,
    /// The relay that was opened last.
    relay: Option<RelayId>,
    told: Vec<String>,
}

impl Rig {
    fn new(limits: Limits) -> Self {
        let now = Instant::from_millis(1);
        let servers = [RTCIceServer { urls: &["turn:198.51.100.1"], username: "user", credential: "pass" }];
        let configuration = RTCConfiguration { ice_servers: &servers, ..Default::default() };
        let builder = RTCPeerConnectionBuilder::new().with_configuration(configuration);
        let mut pc = builder.with_limits(limits).build(now, [3; 32]).unwrap();
        let host = RTCEvent::LocalAddressAdded { addr: addr(HOME), protocol: TransportProtocol::Udp };
        pc.handle_event(now, host);
        pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        pc.create_data_channel(now, "x", Default::default()).unwrap();
        let servers = [server(1), server(2)];
        Self { pc, now, servers, redirects: false, up: true, relays: 0, relay: None, told: Vec::new() }
    }

    fn offer(&mut self, ice_restart: bool) -> String {
        let offer = self.pc.create_offer(Some(RTCOfferOptions { ice_restart })).unwrap().sdp;
        self.pc.set_local_description(self.now, RTCSdpType::Offer, &offer).unwrap();
        offer
    }

    /// What a server answers, if anybody does.
    fn answer(&mut self, to: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let at = [FIRST, SECOND].iter().position(|s| addr(s) == to).filter(|_| self.up)?;
        let mut out = [0; 1500];
        if at == 0 && self.redirects {
            let m = Message::parse(datagram).unwrap();
            let mut b = Builder::new(&mut out, Class::Error, m.method, m.transaction_id).unwrap();
            b.error_code(error_code::TRY_ALTERNATE).unwrap();
            b.attribute(AttributeType::ALTERNATE_SERVER, &[&[0, 1, 0x0d, 0x96, 198, 51, 100, 2]]).unwrap();
            let len = b.finish();
            return Some(out[..len].to_vec());
        }
        let (client, server) = (TransportContext::udp(to, addr(HOME)), &mut self.servers[at]);
        let mut len = match server.handle_read(self.now, client, datagram, &mut out) {
            Some(Output::Client(t)) => Some(t.len),
            _ => None,
        };
        while let Some(event) = server.poll_event() {
            if let ServerEvent::OpenRelay(id, _) = event {
                self.relays += 1;
                self.relay = Some(id);
                let relay = SocketAddr::new(to.ip(), 50_000 + self.relays);
                len = server.handle_relay_opened(self.now, id, Some(relay), &mut out).map(|t| t.len);
            }
        }
        len.map(|len| out[..len].to_vec())
    }

    fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        let mut buf = [0; 1200];
        loop {
            while let Some(event) = self.pc.poll_event() {
                self.note(event);
            }
            while let Some(t) = self.pc.poll_write(self.now, &mut buf) {
                if let Some(mut answer) = self.answer(t.transport.peer_addr, &buf[..t.len]) {
                    self.pc.handle_read(self.now, t.transport, &mut answer);
                }
            }
            match self.pc.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.pc.handle_timeout(self.now);
                    self.servers.iter_mut().for_each(|s| s.handle_timeout(self.now));
                }
                _ => break,
            }
        }
        self.now = end;
        while let Some(event) = self.pc.poll_event() {
            self.note(event);
        }
    }

    fn note(&mut self, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnIceCandidateEvent(RTCPeerConnectionIceEvent {
                candidate: Some(index),
            }) => {
                let text = self.pc.local_candidate(index).unwrap().to_string();
                if text.contains("typ relay") {
                    self.told.push(text.split(' ').nth(4).unwrap().to_string());
                }
            }
            RTCPeerConnectionEvent::OnIceCandidateErrorEvent(e) => self.told.push(e.error_code.to_string()),
            _ => {}
        }
    }

    /// Whether a peer is let through the relay that was opened last.
    fn is_permitted(&mut self, peer: &str) -> bool {
        let mut out = [0; 200];
        let relay = self.relay.unwrap();
        self.servers[0].handle_relay_read(self.now, relay, addr(peer), b"x", &mut out).is_some()
    }
}

/// The answers of the server that was gone to come from another address than the
/// one that was asked first.
#[test]
fn a_server_that_sends_to_another_is_followed_and_asked_first_again() {
    let mut rig = Rig::new(Limits::DEFAULT);
    rig.redirects = true;
    rig.offer(false);
    rig.run(Duration::from_secs(20));
    assert_eq!(rig.told, ["198.51.100.2"]);
    assert_eq!((rig.servers[0].len(), rig.servers[1].len()), (0, 1));
    // It forgets us; the first one takes us itself now.
    rig.servers[1] = server(3);
    rig.redirects = false;
    rig.run(Duration::from_secs(600));
    assert_eq!(rig.told, ["198.51.100.2", "198.51.100.1"]);
    assert_eq!((rig.servers[0].len(), rig.servers[1].len()), (1, 0));
}

#[test]
fn a_server_that_sends_to_itself_is_not_followed_for_ever() {
    let mut rig = Rig::new(Limits::DEFAULT);
    rig.redirects = true;
    rig.servers[1] = server(3);
    let mut asked = 0;
    rig.offer(false);
    let mut buf = [0; 1200];
    while let Some(t) = rig.pc.poll_write(rig.now, &mut buf) {
        if let Ok(m) = Message::parse(&buf[..t.len])
            && m.method == Method::ALLOCATE
        {
            asked += 1;
            // Whoever is asked says the same.
            let mut answer = rig.answer(addr(FIRST), &buf[..t.len]).unwrap();
            rig.pc.handle_read(rig.now, t.transport, &mut answer);
        }
    }
    rig.run(Duration::from_millis(1));
    assert_eq!((asked, rig.told), (6, vec!["300".to_string()]));
}

/// An outage of a few minutes costs the relay, and is told once; when the server is
/// back there is a relay again without anybody asking for it.
#[test]
fn a_relay_that_was_there_is_had_again_when_its_server_is_back() {
    let mut rig = Rig::new(Limits::DEFAULT);
    rig.offer(false);
    rig.run(Duration::from_secs(400));
    assert_eq!(rig.told, ["198.51.100.1"]);
    rig.up = false;
    rig.run(Duration::from_secs(600));
    assert_eq!(rig.told, ["198.51.100.1", "701"]);
    let sdp = rig.pc.local_description().unwrap().sdp;
    assert!(!sdp.contains("typ relay"), "the one that is gone is not told: {sdp}");
    rig.up = true;
    rig.run(Duration::from_secs(45));
    assert_eq!(rig.told, ["198.51.100.1", "701", "198.51.100.1"]);

    // One that is shorter than what was granted costs nothing.
    rig.told.clear();
    rig.run(Duration::from_secs(470));
    rig.up = false;
    rig.run(Duration::from_secs(40));
    rig.up = true;
    rig.run(Duration::from_secs(400));
    assert_eq!((rig.told.len(), rig.servers[0].len()), (0, 1), "{:?}", rig.told);
}

/// A server that was never there is not asked for ever.
#[test]
fn a_relay_that_never_was_is_given_up() {
    let mut rig = Rig::new(Limits::DEFAULT);
    rig.up = false;
    rig.offer(false);
    rig.run(Duration::from_secs(60));
    assert_eq!(rig.told, ["701"]);
    rig.up = true;
    rig.run(Duration::from_secs(600));
    assert_eq!((rig.told.len(), rig.servers[0].len()), (1, 0));
}

/// Each restart brings a peer with other addresses. The table of those that were
/// let through filled with those of before, and no later peer was reached through
/// the relay.
#[test]
fn peers_of_before_make_room_for_those_of_now() {
    let limits =
        Limits { turn: picortc::turn::Limits { peers: 3, ..Limits::DEFAULT.turn }, ..Limits::DEFAULT };
    let mut rig = Rig::new(limits);
    let mut peer = RTCPeerConnectionBuilder::new().build(rig.now, [4; 32]).unwrap();
    for round in 1..=6 {
        let addresses = [1, 2].map(|n| format!("203.0.113.{}:9", 10 * round + n));
        let hosts = addresses.each_ref().map(|a| addr(a));
        for addr in hosts {
            peer.handle_event(
                rig.now,
                RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp },
            );
        }
        let offer = rig.offer(round > 1);
        rig.run(Duration::from_secs(2));
        peer.set_remote_description(rig.now, RTCSdpType::Offer, &offer).unwrap();
        let answer = peer.create_answer(None).unwrap().sdp;
        peer.set_local_description(rig.now, RTCSdpType::Answer, &answer).unwrap();
        let answer = peer.local_description().unwrap().sdp;
        rig.pc.set_remote_description(rig.now, RTCSdpType::Answer, &answer).unwrap();
        rig.run(Duration::from_secs(2));
        for address in &addresses {
            assert!(rig.is_permitted(address), "{address} in round {round}");
        }
        for addr in hosts {
            peer.handle_event(
                rig.now,
                RTCEvent::LocalAddressRemoved { addr, protocol: TransportProtocol::Udp },
            );
        }
    }
}
