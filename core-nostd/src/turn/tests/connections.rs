//! Streams through a relay.

use super::*;
use crate::turn::ConnectionNumber;

/// The stream that carries one, as the owner has opened it.
fn stream(port: u16) -> TransportContext {
    TransportContext {
        transport_protocol: TransportProtocol::Tcp,
        ..TransportContext::udp(SocketAddr::new(addr("192.0.2.1:1").ip(), port), addr("198.51.100.1:3478"))
    }
}

impl Rig {
    fn streams() -> Self {
        let mut rig = Self::relaying(TransportProtocol::Tcp, RequestedTransport::TCP).granted();
        assert_eq!(rig.on(|c, env| c.permit(env, addr(PEER))), Some(Permission::Asked));
        let request = rig.request().unwrap();
        rig.grant(&request);
        assert!(rig.request().is_none());
        rig
    }

    fn connect(&mut self, peer: &str) -> Option<Permission> {
        self.on(|c, env| c.connect(env, addr(peer)))
    }

    /// The server has the peer on the line.
    fn connected(&mut self, id: &[u8]) {
        let request = self.request().unwrap();
        assert_eq!((request.method, request.authentic), (Method::CONNECT, true));
        let key = self.key();
        let write = |b: &mut Builder<'_>| b.attribute(AttributeType::CONNECTION_ID, &[id]).unwrap();
        assert_eq!(self.answer(&request, Class::Success, write, Some(key)), Received::Own);
    }

    /// The ConnectionBind that is due: the path that it takes, its nonce and its
    /// transaction.
    fn bind(&mut self, id: &[u8]) -> Option<(TransportContext, Vec<u8>, TransactionId)> {
        let mut buf = [0; 600];
        let sent = self.on(|c, env| c.poll_bind(env, &mut buf))?;
        let m = Message::parse(&buf[..sent.len]).unwrap();
        assert_eq!((m.method, m.class), (Method::CONNECTION_BIND, Class::Request));
        assert_eq!(m.get(AttributeType::CONNECTION_ID), Some(id));
        assert!(m.is_authentic(PROVIDER.hashes, &self.key()));
        Some((sent.transport, m.get(AttributeType::NONCE).unwrap().to_vec(), m.transaction_id))
    }

    fn bind_answer(
        &mut self,
        number: ConnectionNumber,
        id: TransactionId,
        class: Class,
        code: u16,
        key: Option<[u8; 16]>,
    ) -> Option<(SocketAddr, SocketAddr)> {
        let mut buf = [0; 200];
        let mut b = Builder::new(&mut buf, class, Method::CONNECTION_BIND, id).unwrap();
        if class == Class::Error {
            b.error_code(code).unwrap();
            b.attribute(AttributeType::NONCE, &[b"of the stream"]).unwrap();
        }
        if let Some(key) = key {
            b.integrity(PROVIDER.hashes, &key).unwrap();
        }
        let n = b.finish();
        self.on(|c, env| c.handle_bind(env, number, &buf[..n]))
    }

    fn attempt(&mut self, peer: &str, id: &[u8]) {
        let mut buf = [0; 100];
        let id_of = TransactionId([8; 12]);
        let mut b = Builder::new(&mut buf, Class::Indication, Method::CONNECTION_ATTEMPT, id_of).unwrap();
        b.attribute(AttributeType::CONNECTION_ID, &[id]).unwrap();
        b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr(peer)).unwrap();
        let n = b.finish();
        assert_eq!(self.on(|c, env| c.handle_read(env, &buf[..n])), Received::Own);
    }
}

#[test]
fn a_stream_to_a_peer_is_asked_for_opened_and_bound() {
    let mut rig = Rig::streams();
    assert_eq!(rig.client.relays(), TransportProtocol::Tcp);
    assert_eq!(rig.connect(PEER), Some(Permission::Asked));
    assert_eq!(rig.connect(PEER), Some(Permission::Asked), "asking again changes nothing");
    rig.connected(b"1234");
    assert!(rig.request().is_none());
    let number = rig.client.next_connection().unwrap();
    assert_eq!(rig.client.next_connection(), None);
    assert!(rig.on(|c, env| c.connection_opened(env, number, stream(7))));
    assert!(!rig.on(|c, env| c.connection_opened(env, number, stream(8))), "one is enough");

    // Servers have a nonce for each stream.
    let (path, nonce, id) = rig.bind(b"1234").unwrap();
    assert_eq!((path, &nonce[..]), (stream(7), &b"nonce 1"[..]));
    assert_eq!(rig.bind_answer(number, id, Class::Error, error_code::STALE_NONCE, None), None);
    let (_, nonce, id) = rig.bind(b"1234").unwrap();
    assert_eq!(nonce, b"of the stream");
    // What is not signed, or not asked for, is not believed.
    assert_eq!(rig.bind_answer(number, id, Class::Success, 0, Some([0; 16])), None);
    let key = rig.key();
    assert_eq!(rig.bind_answer(number, TransactionId([0; 12]), Class::Success, 0, Some(key)), None);
    assert_eq!((rig.client.counters().unauthentic, rig.client.counters().noise), (1, 1));
    assert_eq!(rig.connect(PEER), Some(Permission::Asked));
    let bound = rig.bind_answer(number, id, Class::Success, 0, Some(key));
    assert_eq!(bound, Some((addr(RELAYED), addr(PEER))));
    assert_eq!(rig.connect(PEER), Some(Permission::Granted));

    // It lasts, and its nonce is no business of the allocation's.
    rig.after(Duration::from_secs(235));
    assert!(rig.client.has_connection(number));
    rig.after(Duration::from_secs(6));
    assert_eq!(rig.request().unwrap().nonce, b"nonce 1");
    // Whoever wants it again may have it at once.
    rig.on(|c, env| c.end_connection(env, number));
    assert!(!rig.client.has_connection(number));
    assert_eq!(rig.connect(PEER), Some(Permission::Asked));
}

#[test]
fn what_a_server_refuses_is_not_asked_for_again_at_once() {
    for code in [
        error_code::FORBIDDEN,
        error_code::CONNECTION_ALREADY_EXISTS,
        error_code::CONNECTION_TIMEOUT,
        error_code::SERVER_ERROR,
    ] {
        let mut rig = Rig::streams();
        rig.connect(PEER).unwrap();
        let request = rig.request().unwrap();
        rig.refuse(&request, code);
        assert_eq!(rig.connect(PEER), Some(Permission::Refused), "{code}");
        // "The client MAY retry ... but MUST wait at least 10 seconds."
        rig.after(Duration::from_millis(9_999));
        assert_eq!(rig.connect(PEER), Some(Permission::Refused), "{code}");
        assert!(rig.request().is_none());
        rig.after(Duration::from_millis(1));
        assert_eq!(rig.connect(PEER), Some(Permission::Asked), "{code}");
    }
}

#[test]
fn a_nonce_that_is_too_old_is_learnt_anew_and_a_server_without_memory_is_left() {
    let mut rig = Rig::streams();
    rig.connect(PEER).unwrap();
    rig.nonce = b"nonce 2";
    let request = rig.request().unwrap();
    rig.refuse(&request, error_code::STALE_NONCE);
    let request = rig.request().unwrap();
    assert_eq!((request.method, &request.nonce[..]), (Method::CONNECT, &b"nonce 2"[..]));
    rig.refuse(&request, error_code::ALLOCATION_MISMATCH);
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
    assert_eq!(rig.connect(PEER), None);
}

#[test]
fn nothing_is_waited_for_longer_than_the_server_does() {
    // A Connect that is not answered.
    let mut rig = Rig::streams();
    rig.connect(PEER).unwrap();
    rig.request().unwrap();
    rig.after(Duration::from_millis(34_999));
    assert_eq!(rig.connect(PEER), Some(Permission::Asked));
    rig.after(Duration::from_millis(1));
    assert_eq!(rig.connect(PEER), Some(Permission::Refused));
    // A stream that nobody opens.
    let mut rig = Rig::streams();
    rig.connect(PEER).unwrap();
    rig.connected(b"1234");
    let number = rig.client.next_connection().unwrap();
    let wait = rig.client.poll_timeout().unwrap() - rig.now;
    assert_eq!(wait, Duration::from_secs(30));
    rig.after(wait);
    assert!(!rig.client.has_connection(number));
    assert!(!rig.on(|c, env| c.connection_opened(env, number, stream(7))), "too late");
    // A ConnectionBind that is not answered, and a server that only asks again.
    for answers in [0, 9] {
        let mut rig = Rig::streams();
        rig.connect(PEER).unwrap();
        rig.connected(b"1234");
        let number = rig.client.next_connection().unwrap();
        assert!(rig.on(|c, env| c.connection_opened(env, number, stream(7))));
        let mut asked = 0;
        while let Some((_, _, id)) = rig.bind(b"1234") {
            asked += 1;
            if asked <= answers {
                rig.bind_answer(number, id, Class::Error, error_code::STALE_NONCE, None);
            }
        }
        assert_eq!(asked, if answers == 0 { 1 } else { 4 });
        rig.after(Duration::from_secs(30));
        assert_eq!(
            rig.connect(PEER),
            if answers == 0 { Some(Permission::Refused) } else { Some(Permission::Asked) }
        );
    }
}

#[test]
fn a_peer_that_may_opens_a_stream_and_others_are_counted() {
    let mut rig = Rig::streams();
    // Another port of a permitted address is permitted.
    rig.attempt("192.0.2.7:4000", b"abcd");
    let number = rig.client.next_connection().unwrap();
    assert!(rig.on(|c, env| c.connection_opened(env, number, stream(7))));
    let (_, _, id) = rig.bind(b"abcd").unwrap();
    let key = rig.key();
    let bound = rig.bind_answer(number, id, Class::Success, 0, Some(key));
    assert_eq!(bound, Some((addr(RELAYED), addr("192.0.2.7:4000"))));

    rig.attempt("192.0.2.8:4000", b"efgh");
    rig.attempt("192.0.2.7:4000", b"ijkl");
    rig.attempt("192.0.2.7:4001", b"abcd");
    assert_eq!(rig.client.counters().unpermitted, 3, "a stranger, and what is there already");
    rig.attempt("192.0.2.7:4002", b"short id");
    assert_eq!(rig.client.counters().noise, 1);
    assert_eq!(rig.client.next_connection(), None);
    for port in 5000..5010 {
        rig.attempt(&std::format!("192.0.2.7:{port}"), &u32::to_be_bytes(port));
    }
    assert_eq!(rig.client.counters().refused, 7, "there is room for four");
    assert_eq!(std::iter::from_fn(|| rig.client.next_connection()).count(), 3);
}

#[test]
fn a_stream_that_ends_before_it_is_bound_fails_and_all_end_with_the_allocation() {
    let mut rig = Rig::streams();
    rig.connect(PEER).unwrap();
    rig.connected(b"1234");
    let number = rig.client.next_connection().unwrap();
    rig.on(|c, env| c.end_connection(env, number));
    assert_eq!(rig.connect(PEER), Some(Permission::Refused));
    let mut rig = Rig::streams();
    rig.attempt("192.0.2.7:4000", b"abcd");
    let number = rig.client.next_connection().unwrap();
    rig.client.path_lost();
    assert_eq!(rig.client.poll_event(), Some(Event::Lost));
    assert!(!rig.client.has_connection(number));
}
