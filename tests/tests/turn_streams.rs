//! TURN over streams that end, at every point where they can: what becomes of the
//! candidate, what is told, and that the rest goes on. The server is our own.

use picortc::crypto::rust_crypto::PROVIDER;
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use picortc::stun::{Deframer, long_term_key};
use picortc::turn_server::{Config, Event as ServerEvent, Limits, Output, PeerFilter, TurnServer, UserKey};
use picortc::wire::turn::Framing;
use std::net::SocketAddr;
use std::time::Duration;

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn tcp(local: SocketAddr, peer: SocketAddr) -> TransportContext {
    TransportContext { transport_protocol: TransportProtocol::Tcp, ..TransportContext::udp(local, peer) }
}

/// What becomes of a stream.
#[derive(Debug, Clone, PartialEq)]
enum Fate {
    Lives,
    /// It cannot be opened.
    Refused,
    /// It ends after so many answers, and so many octets of the next.
    Ends(usize, usize),
    /// These octets come in place of the first answer.
    Says(Vec<u8>),
}

type Server = TurnServer<fn(&[u8], &str) -> Option<UserKey>>;

struct Rig {
    pc: RTCPeerConnection,
    server: Server,
    now: Instant,
    /// What becomes of the streams that are opened next.
    fates: Vec<Fate>,
    /// Their paths as the client has them, what was answered on them, and what
    /// takes them apart at the server.
    open: Vec<(TransportContext, Fate, usize, Deframer)>,
    opened: u16,
    relays: u16,
    failed_at: Option<Instant>,
    told: Vec<String>,
}

impl Rig {
    fn new(urls: &[&str], fates: &[Fate]) -> Self {
        let now = Instant::from_millis(1);
        let servers = [RTCIceServer { urls, username: "user", credential: "pass" }];
        let configuration = RTCConfiguration { ice_servers: &servers, ..Default::default() };
        let mut pc =
            RTCPeerConnectionBuilder::new().with_configuration(configuration).build(now, [3; 32]).unwrap();
        let keys: fn(&[u8], &str) -> Option<UserKey> =
            |name, realm| Some(long_term_key(name, realm.as_bytes(), b"pass"));
        let filter = PeerFilter::new(0).unwrap();
        let server =
            TurnServer::new(&Config::default(), &Limits::DEFAULT, keys, filter, PROVIDER.hashes, [4; 32]);
        let host =
            RTCEvent::LocalAddressAdded { addr: addr("192.0.2.1:1000"), protocol: TransportProtocol::Udp };
        pc.handle_event(now, host);
        pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        pc.create_data_channel(now, "x", Default::default()).unwrap();
        let offer = pc.create_offer(None).unwrap().sdp;
        pc.set_local_description(now, RTCSdpType::Offer, &offer).unwrap();
        let fates = fates.iter().rev().cloned().collect();
        Self {
            pc,
            server: server.unwrap(),
            now,
            fates,
            open: Vec::new(),
            opened: 0,
            relays: 0,
            failed_at: None,
            told: Vec::new(),
        }
    }

    fn tell(&mut self, event: RTCEvent) {
        self.pc.handle_event(self.now, event);
    }

    fn open(&mut self, id: RTCStreamId) {
        let Some(request) = self.pc.stream_request(id) else { return };
        assert_eq!(request.protocol, TransportProtocol::Tcp);
        let fate = self.fates.pop().unwrap_or(Fate::Lives);
        if fate == Fate::Refused {
            return self.tell(RTCEvent::StreamFailed { id });
        }
        self.opened += 1;
        let RTCStreamPeer::Addr(peer) = request.peer else { panic!("{request:?}") };
        let transport = tcp(SocketAddr::new(addr("192.0.2.1:0").ip(), 40_000 + self.opened), peer);
        self.open.push((transport, fate.clone(), 0, Deframer::new(Framing::Stun, 2048).unwrap()));
        self.tell(RTCEvent::StreamOpened { id: Some(id), transport });
        match fate {
            Fate::Ends(0, 0) => self.end(transport),
            Fate::Says(mut octets) => {
                for piece in octets.chunks_mut(1000) {
                    self.pc.handle_read(self.now, transport, piece);
                }
            }
            _ => {}
        }
    }

    /// The server ends a stream.
    fn end(&mut self, transport: TransportContext) {
        self.open.retain(|s| !s.0.same_path(&transport));
        self.server.handle_disconnect(self.now, &tcp(transport.peer_addr, transport.local_addr));
        self.tell(RTCEvent::StreamClosed { transport });
    }

    /// Octets that the client has written.
    fn serve(&mut self, transport: TransportContext, octets: &mut [u8]) {
        let Some(at) = self.open.iter().position(|s| s.0.same_path(&transport)) else { return };
        let (_, fate, mut answered, mut deframer) = self.open.swap_remove(at);
        let (mut piece, mut answers) = (octets, Vec::new());
        let client = tcp(transport.peer_addr, transport.local_addr);
        while let Some(datagram) = deframer.read(&mut piece).unwrap() {
            let mut out = [0; 1500];
            let len = match self.server.handle_read(self.now, client, datagram, &mut out) {
                Some(Output::Client(t)) => Some(t.len),
                None => self.relay(&mut out),
                Some(output) => panic!("{output:?}"),
            };
            answers.extend(len.map(|len| out[..len].to_vec()));
        }
        let (mut ends, mut said) = (false, Vec::new());
        for answer in answers {
            match fate {
                Fate::Says(_) => {}
                Fate::Ends(after, of_next) if answered == after => {
                    said.push(answer[..of_next].to_vec());
                    ends = true;
                }
                _ => said.push(answer),
            }
            answered += 1;
            ends |= fate == Fate::Ends(answered, 0);
        }
        self.open.push((transport, fate, answered, deframer));
        for mut octets in said {
            self.pc.handle_read(self.now, transport, &mut octets);
        }
        if ends {
            self.end(transport);
        }
    }

    /// What a client is answered that waits for the socket of its relay.
    fn relay(&mut self, out: &mut [u8]) -> Option<usize> {
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::OpenRelay(id, _) = event {
                self.relays += 1;
                let relay = SocketAddr::new(addr("198.51.100.1:0").ip(), 50_000 + self.relays);
                return self.server.handle_relay_opened(self.now, id, Some(relay), out).map(|t| t.len);
            }
        }
        None
    }

    fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        let mut buf = [0; 1200];
        loop {
            while let Some(event) = self.pc.poll_event() {
                self.note(event);
            }
            while let Some(t) = self.pc.poll_write(self.now, &mut buf) {
                if t.transport.transport_protocol == TransportProtocol::Tcp {
                    self.serve(t.transport, &mut buf[..t.len]);
                }
            }
            // What was just said may have led to events.
            if let Some(event) = self.pc.poll_event() {
                self.note(event);
                continue;
            }
            match self.pc.poll_timeout() {
                Some(at) if at <= end => {
                    self.now = self.now.max(at);
                    self.pc.handle_timeout(self.now);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    fn note(&mut self, event: RTCPeerConnectionEvent) {
        use RTCPeerConnectionEvent as Event;
        let words = match event {
            Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate: Some(index) }) => {
                let text = self.pc.local_candidate(index).unwrap().to_string();
                text.split(" typ ").nth(1).unwrap().split(' ').next().unwrap().to_string()
            }
            Event::OnIceCandidateEvent(_) => "end".into(),
            Event::OnIceCandidateErrorEvent(e) => {
                self.failed_at = Some(self.now);
                e.error_code.to_string()
            }
            Event::OnStreamRequest(id) => {
                self.open(id);
                "stream".into()
            }
            Event::OnStreamClose(path) => {
                self.open.retain(|s| !s.0.same_path(&path));
                "close".into()
            }
            _ => return,
        };
        self.told.push(words);
    }
}

const URL: &str = "turn:198.51.100.1?transport=tcp";
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_stream_that_lives_gives_a_relay() {
    let mut rig = Rig::new(&[URL], &[]);
    rig.run(SECOND);
    assert_eq!(rig.told, ["stream", "host", "relay", "end"]);
    assert_eq!(rig.server.len(), 1);
}

/// Before there is an allocation: told once, and no reason to wait or to try for
/// ever.
#[test]
fn a_stream_that_ends_before_there_is_a_relay_is_an_error_and_gathering_ends() {
    for fate in [
        Fate::Refused,
        Fate::Ends(0, 0),
        // The 401, whole and in part, and the allocation in part.
        Fate::Ends(1, 0),
        Fate::Ends(0, 7),
        Fate::Ends(0, 21),
        Fate::Ends(1, 3),
        Fate::Ends(1, 40),
    ] {
        let mut rig = Rig::new(&[URL], std::slice::from_ref(&fate));
        rig.run(SECOND);
        rig.told.sort();
        assert_eq!(rig.told, ["701", "end", "host", "stream"], "{fate:?}");
        assert!(rig.server.is_empty(), "{fate:?}");
        // A restart asks again.
        let offer = rig.pc.create_offer(Some(RTCOfferOptions { ice_restart: true })).unwrap().sdp;
        rig.pc.set_local_description(rig.now, RTCSdpType::Offer, &offer).unwrap();
        rig.told.clear();
        rig.run(SECOND);
        assert_eq!(rig.told, ["stream", "host", "relay", "end"], "{fate:?}");
    }
}

#[test]
fn other_servers_give_their_candidates_all_the_same() {
    let other = "turn:198.51.100.2?transport=tcp";
    for fate in [Fate::Refused, Fate::Ends(0, 0), Fate::Ends(1, 9), Fate::Says(vec![0xff; 9])] {
        let mut rig = Rig::new(&[URL, other], std::slice::from_ref(&fate));
        rig.run(SECOND);
        let told = |word: &str| rig.told.iter().filter(|t| *t == word).count();
        assert_eq!((told("relay"), told("701"), told("end")), (1, 1, 1), "{fate:?}: {:?}", rig.told);
    }
}

/// An allocation ends with its stream. It is had anew on another, after a wait
/// that doubles while that does not go well.
#[test]
fn a_relay_whose_stream_ends_is_had_anew() {
    let mut rig = Rig::new(&[URL], &[]);
    rig.run(SECOND);
    assert_eq!(rig.told, ["stream", "host", "relay", "end"]);
    rig.end(rig.open[0].0);
    assert!(rig.open.is_empty() && rig.server.is_empty());
    rig.told.clear();
    rig.run(Duration::from_millis(499));
    assert!(rig.told.is_empty(), "{:?}", rig.told);
    rig.run(Duration::from_millis(1));
    assert_eq!(rig.told, ["stream", "relay"]);
    let sdp = rig.pc.local_description().unwrap().sdp;
    assert_eq!(sdp.matches("typ relay").count(), 1, "the one that is gone is not told: {sdp}");

    let mut rig = Rig::new(&[URL], &vec![Fate::Ends(2, 0); 100]);
    rig.run(Duration::from_secs(60));
    // After 0.5, 1, 2, … 32 s.
    assert_eq!(rig.told.iter().filter(|t| *t == "stream").count(), 7);
}

/// The lengths of a stream are the server's word.
#[test]
fn a_stream_with_absurd_lengths_is_passed_over_or_closed_and_bounded() {
    // A message of 65,532 octets, of which 60,000 come: it is passed over, and
    // the answer that never comes is waited for as long as any.
    let mut long = vec![0x01, 0x13, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42];
    long.resize(60_000, 7);
    // ChannelData of a channel that nobody has, as long as it can be, and over
    // again.
    let mut channel = vec![0x40, 0x00, 0xff, 0xff];
    channel.resize(4 + 65_536, 7);
    for (octets, closed) in [
        (long, false),
        (channel.repeat(3), false),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false),
        (vec![0x16, 3, 1, 0, 5, 2, 0, 0], true),
        (vec![0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42], true),
        (vec![0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x43], true),
        (vec![0xff; 100], true),
    ] {
        let head = octets[..4].to_vec();
        let mut rig = Rig::new(&[URL], &[Fate::Says(octets)]);
        rig.run(Duration::from_secs(20));
        let count = |word: &str| rig.told.iter().filter(|t| *t == word).count();
        assert_eq!((count("701"), count("end"), count("close")), (1, 1, 1), "{head:x?}: {:?}", rig.told);
        let waited = rig.failed_at.unwrap() - Instant::from_millis(1);
        assert_eq!(waited > Duration::from_secs(11), !closed, "{head:x?}: {waited:?}");
    }
}

/// There is room for four streams; whoever comes after is not waited for.
#[test]
fn servers_beyond_the_limits_are_told() {
    let urls: Vec<String> = (1..=6).map(|n| format!("turn:198.51.100.{n}?transport=tcp")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let mut rig = Rig::new(&urls, &[]);
    rig.run(SECOND);
    let count = |word: &str| rig.told.iter().filter(|t| *t == word).count();
    assert_eq!((count("relay"), count("701"), count("end")), (4, 2, 1), "{:?}", rig.told);
}
