#[cfg(feature = "turn")]
mod passwords;

use super::*;
use crate::crypto::rust_crypto::PROVIDER;
use crate::env::{EcnCodepoint, TransportProtocol};
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, TransactionId};
use crate::wire::turn::{ChannelNumber, RequestedTransport, channel_data, channel_header};
use std::string::String;
use std::vec::Vec;

const KEY: UserKey = [9; 16];
const OTHER: UserKey = [8; 16];

fn users(name: &[u8], _: &str) -> Option<UserKey> {
    match name {
        b"user" => Some(KEY),
        b"other" => Some(OTHER),
        _ => None,
    }
}

type Server = TurnServer<fn(&[u8], &str) -> Option<UserKey>>;

/// A server, and its clients' view of it.
struct Bench {
    server: Server,
    now: Instant,
    next: u8,
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn client(n: u16) -> TransportContext {
    TransportContext::udp(addr("192.0.2.1:3478"), SocketAddr::new([198, 51, 100, 1].into(), n))
}

const RELAY: &str = "192.0.2.1:50000";

impl Bench {
    fn new(limits: Limits) -> Self {
        let filter = PeerFilter::new(4).unwrap();
        let users: fn(&[u8], &str) -> Option<UserKey> = users;
        let config = Config::default();
        let server = TurnServer::new(&config, &limits, users, filter, PROVIDER.hashes, [1; 32]).unwrap();
        Self { server, now: Instant::from_millis(5_000_000), next: 0 }
    }

    /// A datagram to the server, and the answer.
    fn send(&mut self, client: TransportContext, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut out = [0xee; 1600];
        match self.server.handle_read(self.now, client, datagram, &mut out)? {
            Output::Client(transmit) => Some(out[..transmit.len].to_vec()),
            Output::Peer { peer, range, .. } => panic!("{peer} was sent {:?}", &datagram[range]),
        }
    }

    fn unsigned(&mut self, method: Method, write: impl Fn(&mut Builder<'_>)) -> Vec<u8> {
        self.next += 1;
        let mut buf = [0; 1500];
        let mut b = Builder::new(&mut buf, Class::Request, method, TransactionId([self.next; 12])).unwrap();
        write(&mut b);
        let n = b.finish();
        buf[..n].to_vec()
    }

    fn nonce(&mut self, client: TransportContext) -> Vec<u8> {
        let request = self.unsigned(Method::ALLOCATE, |_| {});
        let answer = self.send(client, &request).unwrap();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.error_code(), Some(401));
        assert_eq!(message.get(AttributeType::REALM), Some(&b"picortc"[..]));
        message.get(AttributeType::NONCE).unwrap().to_vec()
    }

    fn signed(
        &mut self,
        client: TransportContext,
        user: &str,
        method: Method,
        write: impl Fn(&mut Builder<'_>),
    ) -> Vec<u8> {
        let nonce = self.nonce(client);
        self.signed_with(&nonce, user, method, write)
    }

    fn signed_with(
        &mut self,
        nonce: &[u8],
        user: &str,
        method: Method,
        write: impl Fn(&mut Builder<'_>),
    ) -> Vec<u8> {
        self.next += 1;
        let mut buf = [0; 1500];
        let mut b = Builder::new(&mut buf, Class::Request, method, TransactionId([self.next; 12])).unwrap();
        write(&mut b);
        b.attribute(AttributeType::USERNAME, &[user.as_bytes()]).unwrap();
        b.attribute(AttributeType::REALM, &[b"picortc"]).unwrap();
        b.attribute(AttributeType::NONCE, &[nonce]).unwrap();
        let key = users(user.as_bytes(), "").unwrap_or_default();
        b.integrity(PROVIDER.hashes, &key).unwrap();
        let n = b.finish();
        buf[..n].to_vec()
    }

    /// A signed request, and the number of the error, or 0.
    fn ask(&mut self, n: u16, method: Method, write: impl Fn(&mut Builder<'_>)) -> u16 {
        let request = self.signed(client(n), "user", method, write);
        let answer = self.send(client(n), &request).expect("an answer");
        let message = Message::parse(&answer).unwrap();
        assert!(message.is_authentic(PROVIDER.hashes, &KEY), "answers to users are signed");
        message.error_code().unwrap_or(0)
    }

    /// An allocation whose relay is at `relay`.
    fn allocate(&mut self, n: u16, relay: &str) -> RelayId {
        let request = self.signed(client(n), "user", Method::ALLOCATE, udp);
        assert_eq!(self.send(client(n), &request), None, "waits for the socket");
        assert_eq!(self.send(client(n), &request), None, "the same once more");
        let Some(Event::OpenRelay(id, socket)) = self.server.poll_event() else { panic!("no socket wanted") };
        assert_eq!(socket, Socket { family: AddressFamily::IPV4, even_port: false });
        assert_eq!(self.server.poll_event(), None);
        let mut out = [0; 200];
        let transmit = self.server.handle_relay_opened(self.now, id, Some(addr(relay)), &mut out).unwrap();
        assert_eq!(transmit.transport, client(n));
        let message = Message::parse(&out[..transmit.len]).unwrap();
        assert_eq!(message.xor_address(AttributeType::XOR_RELAYED_ADDRESS), Some(addr(relay)));
        assert_eq!(message.xor_address(AttributeType::XOR_MAPPED_ADDRESS), Some(client(n).peer_addr));
        assert_eq!(message.u32(AttributeType::LIFETIME), Some(600));
        let again = self.send(client(n), &request).expect("the same answer");
        assert_eq!(again, &out[..transmit.len]);
        id
    }

    /// What a peer's datagram becomes for the client.
    fn peer_sends(&mut self, id: RelayId, from: &str, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut out = [0xee; 1600];
        let transmit = self.server.handle_relay_read(self.now, id, addr(from), datagram, &mut out)?;
        Some(out[..transmit.len].to_vec())
    }

    fn client_sends(&mut self, n: u16, datagram: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        let mut out = [0; 1600];
        match self.server.handle_read(self.now, client(n), datagram, &mut out)? {
            Output::Peer { peer, range, .. } => Some((peer, datagram[range].to_vec())),
            Output::Client(_) => panic!("answered"),
        }
    }
}

fn udp(b: &mut Builder<'_>) {
    b.attribute(AttributeType::REQUESTED_TRANSPORT, &[&RequestedTransport::UDP.to_attribute()]).unwrap();
}

fn peers(list: &'static [&'static str]) -> impl Fn(&mut Builder<'_>) {
    move |b| list.iter().for_each(|p| b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr(p)).unwrap())
}

fn channel(number: u16, peer: &'static str) -> impl Fn(&mut Builder<'_>) {
    move |b| {
        b.attribute(AttributeType::CHANNEL_NUMBER, &[&number.to_be_bytes(), &[0, 0]]).unwrap();
        b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr(peer)).unwrap();
    }
}

fn lifetime(seconds: u32) -> impl Fn(&mut Builder<'_>) {
    move |b| b.attribute(AttributeType::LIFETIME, &[&seconds.to_be_bytes()]).unwrap()
}

fn indication(peer: &str, data: &[u8]) -> Vec<u8> {
    let mut buf = [0; 1500];
    let mut b = Builder::new(&mut buf, Class::Indication, Method::SEND, TransactionId([1; 12])).unwrap();
    b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr(peer)).unwrap();
    b.attribute(AttributeType::DATA, &[data]).unwrap();
    let n = b.finish();
    buf[..n].to_vec()
}

#[test]
fn a_binding_request_is_told_its_address() {
    let mut bench = Bench::new(Limits::TINY);
    let request = bench.unsigned(Method::BINDING, |_| {});
    let answer = bench.send(client(7), &request).unwrap();
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.class, Class::Success);
    assert_eq!(message.xor_address(AttributeType::XOR_MAPPED_ADDRESS), Some(client(7).peer_addr));
    assert_eq!(answer.len(), 32);
    // What the network marked on the way here is not marked on the way back.
    let marked = TransportContext { ecn: EcnCodepoint::Ce, dscp: 46, ..client(7) };
    let output = bench.server.handle_read(bench.now, marked, &request, &mut [0; 1600]).unwrap();
    assert!(matches!(output, Output::Client(transmit) if transmit.transport == client(7)));
}

#[test]
fn data_goes_both_ways_by_indications_and_by_channels() {
    let mut bench = Bench::new(Limits::TINY);
    let id = bench.allocate(1, RELAY);
    assert_eq!(bench.server.relay_addr(id), Some(addr(RELAY)));
    // Without permission nothing.
    assert_eq!(bench.client_sends(1, &indication("203.0.113.5:9", b"x")), None);
    assert_eq!(bench.peer_sends(id, "203.0.113.5:9", b"y"), None);
    assert_eq!(bench.server.counters().not_permitted, 2);
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(&["203.0.113.5:0", "203.0.113.6:1"])), 0);
    assert_eq!(
        bench.client_sends(1, &indication("203.0.113.5:9", b"hello")),
        Some((addr("203.0.113.5:9"), b"hello".to_vec()))
    );
    let data = bench.peer_sends(id, "203.0.113.6:77", b"there").unwrap();
    let message = Message::parse(&data).unwrap();
    assert_eq!((message.class, message.method), (Class::Indication, Method::DATA));
    assert_eq!(message.get(AttributeType::DATA), Some(&b"there"[..]));
    assert_eq!(message.xor_address(AttributeType::XOR_PEER_ADDRESS), Some(addr("203.0.113.6:77")));
    // A channel is bound with its permission.
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x4001, "203.0.113.7:80")), 0);
    let number = ChannelNumber::new(0x4001).unwrap();
    let framed = [&channel_header(number, 3).unwrap()[..], b"abc"].concat();
    assert_eq!(bench.client_sends(1, &framed), Some((addr("203.0.113.7:80"), b"abc".to_vec())));
    let data = bench.peer_sends(id, "203.0.113.7:80", b"back").unwrap();
    assert_eq!(channel_data(&data), Ok((number, 4..8)));
    let other_port = bench.peer_sends(id, "203.0.113.7:81", b"back").unwrap();
    assert!(Message::parse(&other_port).is_ok(), "another port is another peer");
    // "a different transport address", "a different channel number", no number.
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x4001, "203.0.113.7:81")), 400);
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x4002, "203.0.113.7:80")), 400);
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x8000, "203.0.113.7:82")), 400);
    assert_eq!(bench.client_sends(1, &[0x4f, 0xff, 0, 1, 9]), None, "a channel that is not bound");
    assert_eq!(bench.server.counters().to_peers, (2, 8));
    // Permissions last five minutes, channels ten.
    bench.now += Duration::from_secs(301);
    assert_eq!(bench.peer_sends(id, "203.0.113.6:77", b"late"), None);
    assert_eq!(bench.client_sends(1, &framed), None, "a channel without permission");
}

#[test]
fn who_is_not_a_user_gets_nothing() {
    let mut bench = Bench::new(Limits::TINY);
    let c = client(1);
    // Signed by nobody, by the wrong key, with a nonce of somebody else or of
    // long ago, with parts missing.
    let nobody = bench.signed(c, "nobody", Method::ALLOCATE, udp);
    assert_eq!(Message::parse(&bench.send(c, &nobody).unwrap()).unwrap().error_code(), Some(401));
    let mut forged = bench.signed(c, "user", Method::ALLOCATE, udp);
    forged[24] ^= 1;
    assert_eq!(Message::parse(&bench.send(c, &forged).unwrap()).unwrap().error_code(), Some(401));
    let theirs = bench.signed(client(2), "user", Method::ALLOCATE, udp);
    assert_eq!(Message::parse(&bench.send(c, &theirs).unwrap()).unwrap().error_code(), Some(438));
    let nonce = bench.nonce(c);
    bench.now += Duration::from_secs(601);
    let stale = bench.signed_with(&nonce, "user", Method::ALLOCATE, udp);
    let answer = bench.send(c, &stale).unwrap();
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.error_code(), Some(438));
    assert!(message.get(AttributeType::NONCE).is_some_and(|n| n != nonce), "with a new nonce");
    let bare = bench.unsigned(Method::ALLOCATE, |b| b.integrity(PROVIDER.hashes, &KEY).unwrap());
    assert_eq!(Message::parse(&bench.send(c, &bare).unwrap()).unwrap().error_code(), Some(400));
    assert_eq!(bench.server.poll_event(), None);
    // Somebody else's allocation, over the same path.
    bench.allocate(1, RELAY);
    let other = bench.signed(c, "other", Method::REFRESH, lifetime(0));
    assert_eq!(Message::parse(&bench.send(c, &other).unwrap()).unwrap().error_code(), Some(441));
    assert_eq!(bench.server.len(), 1);
}

#[test]
fn requests_that_cannot_be_met_are_refused_by_number() {
    let mut bench = Bench::new(Limits::TINY);
    assert_eq!(bench.ask(1, Method::ALLOCATE, |_| {}), 400);
    let tcp = |b: &mut Builder<'_>| {
        b.attribute(AttributeType::REQUESTED_TRANSPORT, &[&RequestedTransport::TCP.to_attribute()]).unwrap();
    };
    assert_eq!(bench.ask(1, Method::ALLOCATE, tcp), 442);
    let family = |family: u8| {
        move |b: &mut Builder<'_>| {
            udp(b);
            b.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[&[family, 0, 0, 0]]).unwrap();
        }
    };
    assert_eq!(bench.ask(1, Method::ALLOCATE, family(3)), 440);
    let even = |b: &mut Builder<'_>| {
        udp(b);
        b.attribute(AttributeType::EVEN_PORT, &[&[0x80]]).unwrap();
    };
    assert_eq!(bench.ask(1, Method::ALLOCATE, even), 508);
    let unknown = |b: &mut Builder<'_>| b.attribute(AttributeType(0x7123), &[]).unwrap();
    assert_eq!(bench.ask(1, Method::ALLOCATE, unknown), 420);
    for method in [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND] {
        assert_eq!(bench.ask(1, method, |_| {}), 437);
    }
    bench.allocate(1, RELAY);
    assert_eq!(bench.ask(1, Method::ALLOCATE, udp), 437, "another one");
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, |_| {}), 400);
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(&["[2001:db8::1]:1"])), 443);
    for inside in [&["127.0.0.1:1"][..], &["[::ffff:127.0.0.1]:1"], &["203.0.113.1:1", "169.254.169.254:80"]]
    {
        assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(inside)), 403, "{inside:?}");
    }
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x4000, "0.0.0.0:1")), 403);
    assert_eq!(bench.client_sends(1, &indication("203.0.113.1:1", b"x")), None, "all or none");
    // As many as fit, and not one more.
    let four = &["203.0.113.1:1", "203.0.113.2:1", "203.0.113.3:1", "203.0.113.4:1"];
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(four)), 0);
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(four)), 0);
    assert_eq!(bench.ask(1, Method::CREATE_PERMISSION, peers(&["203.0.113.5:1"])), 508);
    assert_eq!(bench.ask(1, Method::CHANNEL_BIND, channel(0x4000, "203.0.113.5:1")), 508);
}

#[test]
fn allocations_end_and_their_places_are_used_again() {
    let mut bench = Bench::new(Limits { allocations: 3, allocations_per_user: 2, ..Limits::TINY });
    let a = bench.allocate(1, RELAY);
    let b = bench.allocate(2, "192.0.2.1:50002");
    assert_eq!(bench.ask(3, Method::ALLOCATE, udp), 486);
    assert_eq!(bench.ask(1, Method::REFRESH, lifetime(0)), 0);
    assert_eq!(bench.server.poll_event(), Some(Event::CloseRelay(a)));
    assert_eq!(bench.peer_sends(a, "203.0.113.1:1", b"x"), None);
    // One that is not refreshed ends by itself; one that is lives on.
    let c = bench.allocate(3, RELAY);
    bench.now += Duration::from_secs(500);
    assert_eq!(bench.ask(2, Method::REFRESH, lifetime(100_000)), 0);
    bench.now += Duration::from_secs(100);
    assert_eq!(bench.server.poll_timeout(), Some(bench.now));
    bench.server.handle_timeout(bench.now);
    assert_eq!(bench.server.poll_event(), Some(Event::CloseRelay(c)));
    assert_eq!((bench.server.len(), bench.server.relay_addr(b).is_some()), (1, true));
    bench.now += Duration::from_secs(3500);
    bench.server.handle_timeout(bench.now);
    assert_eq!(bench.server.poll_event(), Some(Event::CloseRelay(b)));
    assert!(bench.server.is_empty() && bench.server.poll_timeout().is_none());
    // A socket that cannot be opened, and one that never is.
    let request = bench.signed(client(9), "user", Method::ALLOCATE, udp);
    assert_eq!(bench.send(client(9), &request), None);
    let Some(Event::OpenRelay(id, _)) = bench.server.poll_event() else { panic!() };
    let mut out = [0; 200];
    let transmit = bench.server.handle_relay_opened(bench.now, id, None, &mut out).unwrap();
    assert_eq!(Message::parse(&out[..transmit.len]).unwrap().error_code(), Some(508));
    assert!(bench.server.is_empty() && bench.server.poll_event().is_none());
    let request = bench.signed(client(9), "user", Method::ALLOCATE, udp);
    assert_eq!(bench.send(client(9), &request), None);
    bench.now += Duration::from_secs(10);
    bench.server.handle_timeout(bench.now);
    assert!(bench.server.is_empty() && bench.server.poll_event().is_none());
    // A stream that ends takes its allocation with it.
    let id = bench.allocate(9, RELAY);
    bench.server.handle_disconnect(bench.now, &client(9));
    assert_eq!(bench.server.poll_event(), Some(Event::CloseRelay(id)));
}

#[test]
fn strangers_are_answered_a_little_and_streams_are_padded() {
    let mut bench = Bench::new(Limits::TINY);
    let request = bench.unsigned(Method::ALLOCATE, udp);
    let answers: Vec<_> = (0..1000).filter_map(|n| bench.send(client(n), &request)).collect();
    assert_eq!(answers.len(), 20);
    assert!(answers.iter().all(|a| a.len() <= 60), "{}", answers[0].len());
    assert_eq!(bench.server.counters().unanswered, 980);
    // Answers that are no longer than their questions are of no use to who asks
    // in another's name: users with a stale nonce go on while that lasts.
    let stale = bench.signed_with(&[b'A'; 16], "user", Method::REFRESH, lifetime(600));
    let answer = bench.send(client(2000), &stale).unwrap();
    assert_eq!(Message::parse(&answer).unwrap().error_code(), Some(438));
    assert!(answer.len() <= stale.len(), "{} for {}", answer.len(), stale.len());
    let ice = bench.unsigned(Method::BINDING, |b| b.attribute(AttributeType::PRIORITY, &[&[0; 4]]).unwrap());
    let padded = bench.unsigned(Method::BINDING, |b| b.attribute(AttributeType(0x8022), &[&[0; 8]]).unwrap());
    assert!(ice.len() < padded.len() && bench.send(client(2001), &ice).is_none());
    assert!(bench.send(client(2001), &padded).is_some_and(|a| a.len() <= padded.len()));
    assert_eq!(bench.server.counters().unanswered, 981);
    bench.now += Duration::from_secs(1);
    bench.allocate(1, RELAY);
    // Another transport is another client.
    let tcp = TransportContext { transport_protocol: TransportProtocol::Tcp, ..client(1) };
    let request = bench.signed(tcp, "user", Method::REFRESH, lifetime(600));
    assert_eq!(Message::parse(&bench.send(tcp, &request).unwrap()).unwrap().error_code(), Some(437));
    let request = bench.signed(tcp, "user", Method::ALLOCATE, udp);
    assert_eq!(bench.send(tcp, &request), None);
    let Some(Event::OpenRelay(id, _)) = bench.server.poll_event() else { panic!() };
    let mut out = [0; 200];
    bench.server.handle_relay_opened(bench.now, id, Some(addr("192.0.2.1:50001")), &mut out).unwrap();
    let bind = bench.signed(tcp, "user", Method::CHANNEL_BIND, channel(0x4000, "203.0.113.7:80"));
    bench.send(tcp, &bind).unwrap();
    assert_eq!(bench.peer_sends(id, "203.0.113.7:80", b"abcde").unwrap(), b"\x40\0\0\x05abcde\0\0\0");
}

#[test]
fn no_datagram_makes_it_panic_and_no_stranger_makes_it_hold_anything() {
    let mut bench = Bench::new(Limits::TINY);
    let id = bench.allocate(1, RELAY);
    bench.ask(1, Method::CHANNEL_BIND, channel(0x4000, "203.0.113.7:80"));
    let seeds = [
        bench.signed(client(1), "user", Method::CREATE_PERMISSION, peers(&["203.0.113.5:0"])),
        bench.signed(client(2), "user", Method::ALLOCATE, udp),
        indication("203.0.113.7:80", b"data"),
        b"\x40\0\0\x04data".to_vec(),
    ];
    let mut rng = Rng::new([4; 32]);
    let mut out = [0; 1600];
    for round in 0..40_000 {
        let mut datagram = seeds[round % seeds.len()].clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(datagram.len() as u32) as usize;
            datagram[at] = rng.next_u32() as u8;
        }
        datagram.truncate(datagram.len() - rng.below(5) as usize);
        let from = client(1 + (round % 3) as u16);
        bench.now += Duration::from_millis(10);
        let short = &mut out[..rng.below(1600) as usize];
        bench.server.handle_read(bench.now, from, &datagram, short);
        bench.server.handle_relay_read(bench.now, id, addr("203.0.113.7:80"), &datagram, short);
    }
    assert!(bench.server.len() <= 2, "{}", bench.server.len());
    let debug: String = std::format!("{:?}", bench.server);
    assert!(!debug.contains("9, 9, 9"), "keys are not shown");
}
