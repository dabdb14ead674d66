//! Two connections with nothing but TCP between them, through a relay that speaks
//! TCP to the peer (RFC 6062). The relay here does what a test wants of it; what a
//! real one does, the rig of `tests/connectivity` shows with coturn.

use picortc::crypto::rust_crypto::PROVIDER;
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use picortc::stun::long_term_key;
use picortc::wire::stun::{AttributeType, Builder, Class, Message, Method, error_code};
use picortc::wire::turn::{RequestedTransport, requested_transport};
use std::net::SocketAddr;
use std::time::Duration;

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

fn tcp(local: SocketAddr, peer: SocketAddr) -> TransportContext {
    TransportContext { transport_protocol: TransportProtocol::Tcp, ..TransportContext::udp(local, peer) }
}

const SERVER: &str = "198.51.100.1:3478";
const RELAY: &str = "198.51.100.1:50000";
const LISTENER: &str = "192.0.2.2:7000";

/// A stream of the client's to the server.
#[derive(Debug)]
struct Stream {
    path: TransportContext,
    allocated: bool,
    /// The path of the peer whose octets it carries, as the peer has it.
    carries: Option<TransportContext>,
}

/// One end of a stream between the relay and the peer, which no stream of the
/// client's carries yet.
#[derive(Debug)]
struct Waiting {
    id: u32,
    path: TransportContext,
    octets: Vec<u8>,
}

struct Net {
    now: Instant,
    client: RTCPeerConnection,
    peer: RTCPeerConnection,
    /// What a Connect is refused with.
    refuses: Option<u16>,
    streams: Vec<Stream>,
    waiting: Vec<Waiting>,
    next: u16,
    /// What the client has asked the server for.
    asked: Vec<Method>,
    permitted: bool,
    received: Vec<usize>,
    failed: bool,
    /// Octets in a piece.
    piece: usize,
}

impl Net {
    fn new(peer_listens: bool, piece: usize) -> Self {
        let now = Instant::from_millis(5);
        let urls = ["turn:198.51.100.1?transport=tcp"];
        let servers = [RTCIceServer { urls: &urls, username: "user", credential: "pass" }];
        let configuration = RTCConfiguration {
            ice_servers: &servers,
            ice_transport_policy: RTCIceTransportPolicy::Relay,
            ..Default::default()
        };
        let settings = SettingEngine { turn_tcp_allocations: true, ..Default::default() };
        let builder = RTCPeerConnectionBuilder::new().with_configuration(configuration);
        let mut client = builder.with_setting_engine(settings).build(now, [1; 32]).unwrap();
        let mut peer = RTCPeerConnectionBuilder::new().build(now, [2; 32]).unwrap();
        let listener = if peer_listens { addr(LISTENER) } else { addr("192.0.2.2:0") };
        let protocol = TransportProtocol::Tcp;
        peer.handle_event(now, RTCEvent::LocalAddressAdded { addr: listener, protocol });
        for pc in [&mut client, &mut peer] {
            pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        }
        Self {
            now,
            client,
            peer,
            refuses: None,
            streams: Vec::new(),
            waiting: Vec::new(),
            next: 0,
            asked: Vec::new(),
            permitted: false,
            received: Vec::new(),
            failed: false,
            piece,
        }
    }

    /// The client offers once it has its relay, the peer answers.
    fn negotiate(&mut self) -> RTCDataChannelId {
        let id = self.client.create_data_channel(self.now, "data", Default::default()).unwrap();
        let offer = self.client.create_offer(None).unwrap().sdp;
        self.client.set_local_description(self.now, RTCSdpType::Offer, &offer).unwrap();
        let gathered = |n: &mut Self| n.client.ice_gathering_state() == RTCIceGatheringState::Complete;
        assert!(self.run(Duration::from_secs(5), gathered));
        let offer = self.client.local_description().unwrap().sdp.to_string();
        assert!(
            offer.contains("198.51.100.1 50000 typ relay") && offer.contains("tcptype passive"),
            "{offer}"
        );
        assert!(offer.contains("198.51.100.1 9 typ relay") && offer.contains("tcptype active"), "{offer}");
        self.peer.set_remote_description(self.now, RTCSdpType::Offer, &offer).unwrap();
        let answer = self.peer.create_answer(None).unwrap().sdp;
        self.peer.set_local_description(self.now, RTCSdpType::Answer, &answer).unwrap();
        let answer = self.peer.local_description().unwrap().sdp.to_string();
        self.client.set_remote_description(self.now, RTCSdpType::Answer, &answer).unwrap();
        id
    }

    /// The server ends a stream of the client's, and what it carries.
    fn end(&mut self, at: usize) {
        let stream = self.streams.remove(at);
        self.client.handle_event(self.now, RTCEvent::StreamClosed { transport: stream.path });
        if let Some(transport) = stream.carries {
            self.peer.handle_event(self.now, RTCEvent::StreamClosed { transport });
        }
    }

    fn carrying(&self) -> Option<usize> {
        self.streams.iter().position(|s| s.carries.is_some())
    }

    /// A message to the server on a stream: its answer, and the id of a stream to
    /// the peer that it leads to.
    fn answer(&mut self, at: usize, octets: &[u8]) -> Vec<u8> {
        let m = Message::parse(octets).unwrap();
        assert_eq!(m.class, Class::Request);
        self.asked.push(m.method);
        let key = long_term_key(b"user", b"realm", b"pass");
        let mut buf = [0; 300];
        let tcp_wanted = requested_transport(&m) == Some(RequestedTransport::TCP);
        let code = match m.method {
            _ if m.username().is_none() => error_code::UNAUTHENTICATED,
            Method::ALLOCATE if !tcp_wanted => error_code::UNSUPPORTED_TRANSPORT,
            Method::CONNECT => self.refuses.unwrap_or(0),
            _ => 0,
        };
        let class = if code == 0 { Class::Success } else { Class::Error };
        let mut b = Builder::new(&mut buf, class, m.method, m.transaction_id).unwrap();
        if code != 0 {
            b.error_code(code).unwrap();
            b.attribute(AttributeType::REALM, &[b"realm"]).unwrap();
            b.attribute(AttributeType::NONCE, &[b"nonce"]).unwrap();
        }
        let mut pipe = Vec::new();
        match m.method {
            Method::ALLOCATE if code == 0 => {
                self.streams[at].allocated = true;
                b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr(RELAY)).unwrap();
            }
            Method::CREATE_PERMISSION => self.permitted = true,
            Method::CONNECT if code == 0 => {
                let to = m.xor_address(AttributeType::XOR_PEER_ADDRESS).unwrap();
                assert_eq!(to, addr(LISTENER));
                let path = tcp(to, addr(RELAY));
                self.waiting.push(Waiting { id: 7, path, octets: Vec::new() });
                b.attribute(AttributeType::CONNECTION_ID, &[&7u32.to_be_bytes()]).unwrap();
                self.peer.handle_event(self.now, RTCEvent::StreamOpened { id: None, transport: path });
            }
            Method::CONNECTION_BIND => {
                let id = m.u32(AttributeType::CONNECTION_ID).unwrap();
                let waiting = self.waiting.iter().position(|w| w.id == id).unwrap();
                let waiting = self.waiting.remove(waiting);
                self.streams[at].carries = Some(waiting.path);
                pipe = waiting.octets;
            }
            _ => {}
        }
        b.integrity(PROVIDER.hashes, &key).unwrap();
        let n = b.finish();
        // What the peer has said meanwhile follows without a pause.
        [&buf[..n], &pipe].concat()
    }

    /// The peer opens a stream to the relay's port: the client is told on the
    /// stream of its allocation.
    fn attempt(&mut self, id: RTCStreamId) {
        let Some(request) = self.peer.stream_request(id) else { return };
        let control = self.streams.iter().position(|s| s.allocated);
        let (RTCStreamPeer::Addr(to), Some(control)) = (request.peer, control) else {
            return self.peer.handle_event(self.now, RTCEvent::StreamFailed { id });
        };
        assert_eq!(to, addr(RELAY));
        self.next += 1;
        let from = SocketAddr::new(addr(LISTENER).ip(), 60_000 + self.next);
        let path = tcp(from, to);
        self.peer.handle_event(self.now, RTCEvent::StreamOpened { id: Some(id), transport: path });
        if !self.permitted || self.refuses.is_some() {
            // "the server MUST close the connection with the peer immediately
            // after it has been accepted".
            return self.peer.handle_event(self.now, RTCEvent::StreamClosed { transport: path });
        }
        self.waiting.push(Waiting { id: 9, path, octets: Vec::new() });
        let mut buf = [0; 100];
        let id = picortc::wire::stun::TransactionId([9; 12]);
        let mut b = Builder::new(&mut buf, Class::Indication, Method::CONNECTION_ATTEMPT, id).unwrap();
        b.attribute(AttributeType::CONNECTION_ID, &[&9u32.to_be_bytes()]).unwrap();
        b.xor_address(AttributeType::XOR_PEER_ADDRESS, from).unwrap();
        let n = b.finish();
        let path = self.streams[control].path;
        self.client.handle_read(self.now, path, &mut buf[..n]);
    }

    fn deliver(&mut self, path: TransportContext, octets: &mut [u8]) {
        for piece in octets.chunks_mut(self.piece) {
            self.client.handle_read(self.now, path, piece);
        }
    }

    fn poll(&mut self) -> bool {
        let mut buf = [0; 1200];
        let mut moved = false;
        while let Some(event) = self.client.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnStreamRequest(id) => {
                    let Some(request) = self.client.stream_request(id) else { continue };
                    assert_eq!(request.peer, RTCStreamPeer::Addr(addr(SERVER)));
                    self.next += 1;
                    let path =
                        tcp(SocketAddr::new(addr("192.0.2.1:0").ip(), 40_000 + self.next), addr(SERVER));
                    self.streams.push(Stream { path, allocated: false, carries: None });
                    self.client
                        .handle_event(self.now, RTCEvent::StreamOpened { id: Some(id), transport: path });
                }
                RTCPeerConnectionEvent::OnStreamClose(path) => {
                    let Some(at) = self.streams.iter().position(|s| s.path.same_path(&path)) else {
                        continue;
                    };
                    if let Some(transport) = self.streams.remove(at).carries {
                        self.peer.handle_event(self.now, RTCEvent::StreamClosed { transport });
                    }
                }
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(RTCPeerConnectionState::Failed) => {
                    self.failed = true;
                }
                _ => {}
            }
        }
        while let Some(event) = self.peer.poll_event() {
            if let RTCPeerConnectionEvent::OnStreamRequest(id) = event {
                self.attempt(id);
            }
        }
        while let Some(RTCMessage::DataChannelMessage(_, message)) = self.peer.poll_read() {
            self.received.push(message.data.len());
        }
        while let Some(t) = self.client.poll_write(self.now, &mut buf) {
            moved = true;
            let Some(at) = self.streams.iter().position(|s| s.path.same_path(&t.transport)) else { continue };
            if let Some(path) = self.streams[at].carries {
                self.peer.handle_read(self.now, path, &mut buf[..t.len]);
            } else {
                let mut answer = self.answer(at, &buf[..t.len]);
                self.deliver(t.transport, &mut answer);
            }
        }
        while let Some(t) = self.peer.poll_write(self.now, &mut buf) {
            moved = true;
            let carried = |s: &&Stream| s.carries.is_some_and(|p| p.same_path(&t.transport));
            if let Some(path) = self.streams.iter().find(carried).map(|s| s.path) {
                self.deliver(path, &mut buf[..t.len]);
            } else if let Some(w) = self.waiting.iter_mut().find(|w| w.path.same_path(&t.transport)) {
                w.octets.extend_from_slice(&buf[..t.len]);
            }
        }
        moved
    }

    fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            while self.poll() {}
            if done(self) {
                return true;
            }
            let ends = [&self.client, &self.peer];
            match ends.iter().filter_map(|pc| pc.poll_timeout()).min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => return false,
            }
            self.client.handle_timeout(self.now);
            self.peer.handle_timeout(self.now);
        }
    }

    fn open(&mut self, id: RTCDataChannelId) -> bool {
        self.client.data_channel(id).is_some_and(|c| c.ready_state() == RTCDataChannelState::Open)
    }

    fn send(&mut self, id: RTCDataChannelId, octets: &[u8]) {
        self.client.data_channel(id).unwrap().send(self.now, octets).unwrap();
    }

    fn count(&self, method: Method) -> usize {
        self.asked.iter().filter(|m| **m == method).count()
    }
}

#[test]
fn a_channel_opens_through_the_relay_whichever_side_of_it_opens_the_stream() {
    for peer_listens in [true, false] {
        for piece in [1, 7, 100_000] {
            let mut net = Net::new(peer_listens, piece);
            let id = net.negotiate();
            assert!(net.run(Duration::from_secs(30), |n| n.open(id)), "{:?}", net.asked);
            net.send(id, &[9; 100_000]);
            assert!(net.run(Duration::from_secs(30), |n| n.received == [100_000]));
            let path = net.client.selected_path().unwrap();
            assert_eq!((path.local_addr, path.transport_protocol), (addr(RELAY), TransportProtocol::Tcp));
            assert_eq!(net.count(Method::CONNECT), usize::from(peer_listens));
            assert_eq!(net.count(Method::CONNECTION_BIND), 1);
            // A closed connection has all its streams closed.
            let now = net.now;
            net.client.close(now);
            net.run(Duration::from_secs(1), |_| false);
            assert!(net.streams.is_empty(), "{:?}", net.streams);
        }
    }
}

#[test]
fn a_stream_that_ends_is_had_anew_and_nothing_is_lost() {
    let mut net = Net::new(true, 1000);
    let id = net.negotiate();
    assert!(net.run(Duration::from_secs(30), |n| n.open(id)));
    for round in 1..=3 {
        net.send(id, &[round; 200_000]);
        net.poll();
        let at = net.carrying().unwrap();
        net.end(at);
        let all = |n: &mut Net| n.received.len() == usize::from(round);
        assert!(net.run(Duration::from_secs(60), all), "round {round}: {:?}", net.asked);
    }
    assert!(net.received.iter().all(|n| *n == 200_000) && !net.failed);
    assert_eq!((net.count(Method::CONNECT), net.count(Method::ALLOCATE)), (4, 4));
}

/// "If the allocation associated with a data connection expires, the data
/// connection MUST be closed": and so it is where the allocation ends with its
/// stream. Another one is had, and the peer reached by that.
#[test]
fn an_allocation_that_ends_takes_its_streams_with_it_and_another_follows() {
    let mut net = Net::new(true, 1000);
    let id = net.negotiate();
    assert!(net.run(Duration::from_secs(30), |n| n.open(id)));
    let at = net.streams.iter().position(|s| s.allocated).unwrap();
    net.end(at);
    net.poll();
    assert_eq!(net.carrying(), None, "closed by the client");
    net.send(id, &[1; 50_000]);
    assert!(net.run(Duration::from_secs(60), |n| n.received == [50_000]), "{:?}", net.asked);
    assert!(!net.failed);
}

#[test]
fn a_relay_that_refuses_is_asked_once_and_the_connection_fails() {
    for code in [error_code::FORBIDDEN, error_code::CONNECTION_ALREADY_EXISTS, error_code::CONNECTION_TIMEOUT]
    {
        let mut net = Net::new(true, 1000);
        net.refuses = Some(code);
        net.negotiate();
        assert!(net.run(Duration::from_secs(120), |n| n.failed), "{code}");
        assert_eq!(net.count(Method::CONNECT), 1, "{code}");
        assert_eq!(net.carrying(), None);
    }
}
