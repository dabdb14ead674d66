//! A client and a server that says what the test wants it to. What a real one
//! says is tested against coturn.

#[cfg(feature = "turn-tcp")]
mod connections;
mod passwords;

use super::*;
use crate::crypto::rust_crypto::PROVIDER;
use crate::env::Rng;
use crate::stun::long_term_key;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, TransactionId, error_code};
use crate::wire::turn::{AddressFamily, address_family, channel_number, send_head_room};
use core::time::Duration;
use std::string::String;
use std::vec::Vec;

struct Rig {
    client: Client,
    rng: Rng,
    now: Instant,
    nonce: &'static [u8],
    password: &'static [u8],
}

fn addr(s: &str) -> SocketAddr {
    s.parse().unwrap()
}

const RELAYED: &str = "203.0.113.9:50000";
const PEER: &str = "192.0.2.7:9";

/// A request as the server reads it.
#[derive(Debug, Clone)]
struct Request {
    method: Method,
    id: TransactionId,
    signed: bool,
    authentic: bool,
    nonce: Vec<u8>,
    lifetime: Option<u32>,
    channel: Option<u16>,
    family: Option<AddressFamily>,
}

impl Rig {
    fn new(protocol: TransportProtocol) -> Self {
        Self::relaying(protocol, RequestedTransport::UDP)
    }

    fn relaying(protocol: TransportProtocol, relays: RequestedTransport) -> Self {
        Self::with(protocol, relays, &Limits { allocations: 1, peers: 3, ..Limits::DEFAULT })
    }

    fn with(protocol: TransportProtocol, relays: RequestedTransport, limits: &Limits) -> Self {
        let mut rng = Rng::new([5; 32]);
        let mut client = Client::new(PROVIDER.hashes, limits).unwrap();
        let now = Instant::from_millis(1000);
        let path = TransportContext {
            transport_protocol: protocol,
            ..TransportContext::udp(addr("192.0.2.1:1"), addr("198.51.100.1:3478"))
        };
        assert!(client.allocate(&mut Env::new(now, &mut rng), now, path, relays, b"user", b"pass"));
        Self { client, rng, now, nonce: b"nonce 1", password: b"pass" }
    }

    fn on<R>(&mut self, f: impl FnOnce(&mut Client, &mut Env<'_>) -> R) -> R {
        f(&mut self.client, &mut Env::new(self.now, &mut self.rng))
    }

    fn after(&mut self, wait: Duration) {
        self.now += wait;
        self.on(|c, env| c.handle_timeout(env));
    }

    fn key(&self) -> [u8; 16] {
        long_term_key(b"user", b"realm", self.password)
    }

    /// What the client sends next.
    fn request(&mut self) -> Option<Request> {
        let mut buf = [0; 600];
        let n = self.on(|c, env| c.poll_write(env, &mut buf))?;
        let m = Message::parse(&buf[..n]).unwrap();
        assert_eq!(m.fingerprint(), Some(true));
        Some(Request {
            method: m.method,
            id: m.transaction_id,
            signed: m.username() == Some(b"user"),
            authentic: m.is_authentic(PROVIDER.hashes, &self.key()),
            nonce: m.get(AttributeType::NONCE).unwrap_or_default().to_vec(),
            lifetime: m.u32(AttributeType::LIFETIME),
            channel: channel_number(&m).map(|c| c.get()),
            family: address_family(&m, AttributeType::REQUESTED_ADDRESS_FAMILY),
        })
    }

    fn answer(
        &mut self,
        request: &Request,
        class: Class,
        write: impl FnOnce(&mut Builder<'_>),
        key: Option<[u8; 16]>,
    ) -> Received {
        let mut buf = [0; 600];
        let mut b = Builder::new(&mut buf, class, request.method, request.id).unwrap();
        write(&mut b);
        if let Some(key) = key {
            b.integrity(PROVIDER.hashes, &key).unwrap();
        }
        let n = b.finish();
        self.on(|c, env| c.handle_read(env, &buf[..n]))
    }

    fn refuse(&mut self, request: &Request, code: u16) {
        let nonce = self.nonce;
        let write = |b: &mut Builder<'_>| {
            b.error_code(code).unwrap();
            b.attribute(AttributeType::REALM, &[b"realm"]).unwrap();
            b.attribute(AttributeType::NONCE, &[nonce]).unwrap();
        };
        assert_eq!(self.answer(request, Class::Error, write, None), Received::Own);
    }

    fn grant(&mut self, request: &Request) {
        let key = self.key();
        let write = |b: &mut Builder<'_>| {
            if request.method == Method::ALLOCATE {
                b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr(RELAYED)).unwrap();
                b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr("[2001:db8::9]:7")).unwrap();
                b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, addr("192.0.2.99:99")).unwrap();
            }
            b.attribute(AttributeType::LIFETIME, &[&600u32.to_be_bytes()]).unwrap();
        };
        assert_eq!(self.answer(request, Class::Success, write, Some(key)), Received::Own);
    }

    /// The usual beginning.
    fn allocated() -> Self {
        Self::new(TransportProtocol::Udp).granted()
    }

    fn granted(self) -> Self {
        let mut rig = self;
        let first = rig.request().unwrap();
        assert!(!first.signed && first.method == Method::ALLOCATE);
        rig.refuse(&first, error_code::UNAUTHENTICATED);
        let second = rig.request().unwrap();
        assert!(second.authentic && second.id != first.id);
        rig.grant(&second);
        assert_eq!(rig.client.poll_event(), Some(Event::Allocated));
        rig
    }

    fn permitted() -> Self {
        let mut rig = Self::allocated();
        assert_eq!(rig.on(|c, env| c.permit(env, addr(PEER))), Some(Permission::Asked));
        assert_eq!(rig.client.head_room(addr(PEER)), None);
        let request = rig.request().unwrap();
        assert_eq!((request.method, request.authentic), (Method::CREATE_PERMISSION, true));
        rig.grant(&request);
        assert_eq!(rig.on(|c, env| c.permit(env, addr(PEER))), Some(Permission::Granted));
        rig
    }

    /// A Data indication from the server.
    fn data(&mut self, from: &str) -> Received {
        let mut buf = [0; 200];
        let mut b = Builder::new(&mut buf, Class::Indication, Method::DATA, TransactionId([1; 12])).unwrap();
        b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr(from)).unwrap();
        b.attribute(AttributeType::DATA, &[b"data"]).unwrap();
        let n = b.finish();
        self.on(|c, env| c.handle_read(env, &buf[..n]))
    }
}

#[test]
fn an_allocation_is_had_refreshed_and_given_back() {
    let mut rig = Rig::allocated();
    let relayed: Vec<_> = rig.client.relayed().collect();
    assert_eq!(relayed, [addr(RELAYED), addr("[2001:db8::9]:7")]);
    assert_eq!(rig.client.mapped(), Some(addr("192.0.2.99:99")));
    assert!(rig.request().is_none());
    for _ in 0..3 {
        let at = rig.client.poll_timeout().unwrap();
        assert!(at - rig.now < Duration::from_secs(600) && at - rig.now > Duration::from_secs(300));
        rig.now = at;
        rig.after(Duration::ZERO);
        let request = rig.request().unwrap();
        assert_eq!((request.method, request.authentic, request.lifetime), (Method::REFRESH, true, Some(600)));
        rig.grant(&request);
    }
    rig.client.release();
    let request = rig.request().unwrap();
    assert_eq!((request.method, request.authentic, request.lifetime), (Method::REFRESH, true, Some(0)));
    assert!(rig.request().is_none() && rig.client.is_idle() && rig.client.poll_timeout().is_none());
}

#[test]
fn wrong_credentials_are_tried_once() {
    for (code, password) in
        [(error_code::UNAUTHENTICATED, &b"other"[..]), (error_code::WRONG_CREDENTIALS, b"pass")]
    {
        let mut rig = Rig::new(TransportProtocol::Udp);
        rig.password = password;
        let first = rig.request().unwrap();
        rig.refuse(&first, error_code::UNAUTHENTICATED);
        let second = rig.request().unwrap();
        assert!(second.signed);
        rig.refuse(&second, code);
        assert_eq!(rig.client.poll_event(), Some(Event::Failed(Some(code))));
        assert!(rig.request().is_none() && rig.client.is_idle());
    }
}

#[test]
fn a_stale_nonce_is_replaced_and_not_for_ever() {
    let mut rig = Rig::allocated();
    rig.after(Duration::from_secs(480));
    let request = rig.request().unwrap();
    rig.nonce = b"nonce 2";
    rig.refuse(&request, error_code::STALE_NONCE);
    let request = rig.request().unwrap();
    assert_eq!((request.method, &request.nonce[..]), (Method::REFRESH, &b"nonce 2"[..]));
    let mut rounds = 1;
    let mut request = Some(request);
    while let Some(r) = request {
        rig.refuse(&r, error_code::STALE_NONCE);
        request = rig.request();
        rounds += 1;
        assert!(rounds < 20);
    }
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
}

#[test]
fn an_allocation_of_a_past_run_is_given_back_first() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::UNAUTHENTICATED);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::ALLOCATION_MISMATCH);
    let r = rig.request().unwrap();
    assert_eq!((r.method, r.lifetime), (Method::REFRESH, Some(0)));
    rig.grant(&r);
    let r = rig.request().unwrap();
    assert_eq!(r.method, Method::ALLOCATE);
    // It is somebody else's, then.
    rig.refuse(&r, error_code::ALLOCATION_MISMATCH);
    let failed = Event::Failed(Some(error_code::ALLOCATION_MISMATCH));
    assert_eq!(rig.client.poll_event(), Some(failed));
}

#[test]
fn a_quota_a_silence_and_a_stream_that_ends_are_told_apart() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::ALLOCATION_QUOTA_REACHED);
    assert_eq!(rig.client.poll_event(), Some(Event::Failed(Some(486))));

    for (protocol, sent) in [(TransportProtocol::Udp, 5), (TransportProtocol::Tcp, 1)] {
        let mut rig = Rig::new(protocol);
        let mut count = 0;
        while !rig.client.is_idle() {
            count += usize::from(rig.request().is_some());
            if let Some(at) = rig.client.poll_timeout() {
                rig.now = rig.now.max(at);
                rig.after(Duration::ZERO);
            }
        }
        assert_eq!((count, rig.client.poll_event()), (sent, Some(Event::Failed(None))));
        assert_eq!(rig.now - Instant::from_millis(1000), Duration::from_millis(11_500));
    }

    let mut rig = Rig::permitted();
    rig.client.path_lost();
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
    assert_eq!(rig.client.head_room(addr(PEER)), None);
}

#[test]
fn another_server_is_gone_to_over_udp() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    let alternate = [0, 1, 0x0d, 0x97, 198, 51, 100, 2];
    let write = |b: &mut Builder<'_>| {
        b.error_code(error_code::TRY_ALTERNATE).unwrap();
        b.attribute(AttributeType::ALTERNATE_SERVER, &[&alternate]).unwrap();
    };
    rig.answer(&r, Class::Error, write, None);
    assert_eq!(rig.client.path().peer_addr, addr("198.51.100.2:3479"));
    assert_eq!(rig.request().unwrap().method, Method::ALLOCATE);
}

#[test]
fn answers_of_a_stranger_change_nothing() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::UNAUTHENTICATED);
    let r = rig.request().unwrap();
    let write = |b: &mut Builder<'_>| {
        b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr("192.0.2.66:6")).unwrap();
    };
    rig.answer(&r, Class::Success, write, None);
    rig.answer(&r, Class::Success, write, Some([7; 16]));
    let mut other = r.clone();
    other.id = TransactionId([9; 12]);
    let key = rig.key();
    assert_eq!(rig.answer(&other, Class::Success, write, Some(key)), Received::Foreign);
    assert_eq!((rig.client.poll_event(), rig.client.relayed().count()), (None, 0));
    assert_eq!(rig.client.counters().unauthentic, 2);
    rig.grant(&r);
    assert_eq!(rig.client.poll_event(), Some(Event::Allocated));
}

#[test]
fn data_goes_by_indications_until_there_is_a_channel() {
    let mut rig = Rig::permitted();
    let peer = addr(PEER);
    let mut buf = [0xaa; 100];
    let head = rig.client.head_room(peer).unwrap();
    assert_eq!(head, send_head_room(peer));
    let n = rig.on(|c, env| c.wrap(env, peer, &mut buf, 3)).unwrap();
    assert_eq!(Message::parse(&buf[..n]).unwrap().get(AttributeType::DATA), Some(&[0xaa; 3][..]));

    rig.on(|c, env| c.bind(env, peer));
    rig.on(|c, env| c.bind(env, peer));
    let r = rig.request().unwrap();
    assert_eq!((r.method, r.channel), (Method::CHANNEL_BIND, Some(0x4000)));
    assert!(rig.request().is_none(), "one binding is enough");
    assert_eq!(rig.client.head_room(peer), Some(head), "not bound yet");
    rig.grant(&r);
    assert_eq!(rig.client.head_room(peer), Some(4));
    buf.fill(0xaa);
    let n = rig.on(|c, env| c.wrap(env, peer, &mut buf, 3)).unwrap();
    assert_eq!(buf[..n], [0x40, 0, 0, 3, 0xaa, 0xaa, 0xaa]);
    let got = rig.on(|c, env| c.handle_read(env, &[0x40, 0, 0, 2, 8, 9]));
    assert_eq!(got, Received::Data { peer, relayed: addr(RELAYED), range: 4..6 });
    // Renewed before either it or the permission ends, and under its number.
    let at = rig.client.poll_timeout().unwrap();
    assert!(at - rig.now < Duration::from_secs(300));
    rig.now = at;
    rig.after(Duration::ZERO);
    assert_eq!(rig.request().unwrap().channel, Some(0x4000));
}

#[test]
fn a_channel_that_is_refused_leaves_the_indications() {
    let mut rig = Rig::permitted();
    rig.on(|c, env| c.bind(env, addr(PEER)));
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::INSUFFICIENT_CAPACITY);
    assert_eq!(rig.client.head_room(addr(PEER)), Some(send_head_room(addr(PEER))));
}

/// Every progress of a connection asks for a channel: one that was refused has to
/// stay refused, or the server is asked again with each answer, until the numbers
/// of channels are used up.
#[test]
fn a_channel_that_is_refused_is_not_asked_for_again() {
    let mut rig = Rig::permitted();
    rig.on(|c, env| c.bind(env, addr(PEER)));
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::INSUFFICIENT_CAPACITY);
    rig.on(|c, env| c.bind(env, addr(PEER)));
    assert!(rig.request().is_none());
    // The permission is renewed as before.
    rig.after(Duration::from_secs(241));
    assert_eq!(rig.request().unwrap().method, Method::CREATE_PERMISSION);
}

/// A nonce is too old for all requests at once: with more peers than requests are
/// repeated in a row, some lost their permission, the one in use perhaps.
#[test]
fn a_stale_nonce_costs_no_peer_its_permission_however_many_there_are() {
    let limits = Limits { allocations: 1, peers: 12, ..Limits::DEFAULT };
    let mut rig = Rig::with(TransportProtocol::Udp, RequestedTransport::UDP, &limits).granted();
    let peers: Vec<SocketAddr> = (1..=12).map(|n| addr(&std::format!("192.0.2.{n}:9"))).collect();
    for peer in &peers {
        rig.on(|c, env| c.permit(env, *peer));
        let request = rig.request().unwrap();
        rig.grant(&request);
    }
    rig.after(Duration::from_secs(240));
    let requests: Vec<Request> = std::iter::from_fn(|| rig.request()).collect();
    assert_eq!(requests.len(), 12);
    rig.nonce = b"nonce 2";
    for request in &requests {
        rig.refuse(request, error_code::STALE_NONCE);
    }
    let again: Vec<Request> = std::iter::from_fn(|| rig.request()).collect();
    assert!(again.iter().all(|r| r.nonce == b"nonce 2"));
    again.iter().for_each(|r| rig.grant(r));
    let granted = |p: &&SocketAddr| rig.client.head_room(**p).is_some();
    assert_eq!((again.len(), peers.iter().filter(granted).count()), (12, 12));
}

/// coturn tells 0.0.0.0:0 for the family that it was not asked for, and it was a
/// candidate.
#[test]
fn an_address_that_is_none_is_no_relay() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::UNAUTHENTICATED);
    let r = rig.request().unwrap();
    let write = |b: &mut Builder<'_>| {
        b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr("0.0.0.0:0")).unwrap();
        b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr("[2001:db8::9]:7")).unwrap();
    };
    let key = rig.key();
    rig.answer(&r, Class::Success, write, Some(key));
    assert_eq!(rig.client.relayed().collect::<Vec<_>>(), [addr("[2001:db8::9]:7")]);
}

#[test]
fn a_server_without_ipv4_is_asked_for_ipv6() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::UNAUTHENTICATED);
    let r = rig.request().unwrap();
    assert_eq!(r.family, None);
    rig.refuse(&r, error_code::ADDRESS_FAMILY_NOT_SUPPORTED);
    let r = rig.request().unwrap();
    assert_eq!(r.family, Some(AddressFamily::IPV6));
    // It has neither.
    rig.refuse(&r, error_code::ADDRESS_FAMILY_NOT_SUPPORTED);
    assert_eq!(rig.client.poll_event(), Some(Event::Failed(Some(440))));
    assert!(rig.request().is_none());
}

#[test]
fn only_permitted_peers_are_heard() {
    let mut rig = Rig::permitted();
    let Received::Data { peer, .. } = rig.data("192.0.2.7:1234") else { panic!("by address, not port") };
    assert_eq!(peer, addr("192.0.2.7:1234"));
    assert_eq!(rig.data("192.0.2.8:9"), Received::Own);
    for n in 0x40..=0x4f {
        assert_eq!(rig.on(|c, env| c.handle_read(env, &[n, 1, 0, 1, 7])), Received::Own);
    }
    assert_eq!(rig.client.counters().unpermitted, 17);
    for junk in [&[0x40][..], &[0x40, 0, 0xff, 0xff, 1], &[0x4f, 0, 0, 0, 1, 2, 3, 4]] {
        assert_eq!(rig.on(|c, env| c.handle_read(env, junk)), Received::Own);
    }
    assert_eq!(rig.client.counters().noise, 3);
}

#[test]
fn peers_are_bounded_and_refusals_stay_with_their_peer() {
    let mut rig = Rig::permitted();
    let ask = |rig: &mut Rig, peer: &str| rig.on(|c, env| c.permit(env, addr(peer)));
    assert_eq!(ask(&mut rig, "192.0.2.7:10"), Some(Permission::Granted), "same host, other port");
    assert_eq!(ask(&mut rig, "192.0.2.8:1"), Some(Permission::Asked));
    assert_eq!(ask(&mut rig, "192.0.2.9:1"), None, "full");
    let r = rig.request().unwrap();
    rig.refuse(&r, error_code::FORBIDDEN);
    assert_eq!(ask(&mut rig, "192.0.2.8:1"), Some(Permission::Refused));
    assert_eq!(ask(&mut rig, PEER), Some(Permission::Granted));
    rig.client.retain_peers(|p| p == addr(PEER));
    assert_eq!(ask(&mut rig, "192.0.2.9:1"), Some(Permission::Asked));
}

#[test]
fn a_server_that_forgot_us_and_a_clock_that_jumps_end_the_allocation() {
    let mut rig = Rig::permitted();
    rig.after(Duration::from_secs(240));
    let r = rig.request().unwrap();
    assert_eq!(r.method, Method::CREATE_PERMISSION);
    rig.refuse(&r, error_code::ALLOCATION_MISMATCH);
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
    let relayed: Vec<String> = rig.client.relayed().map(|r| std::format!("{r}")).collect();
    assert_eq!(relayed.len(), 2, "so that it is known what is gone");

    let mut rig = Rig::allocated();
    rig.after(Duration::from_secs(86_400));
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
}
