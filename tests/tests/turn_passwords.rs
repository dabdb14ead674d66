//! Our TURN client and our TURN server: passwords proven by SHA-256 (RFC 8489,
//! Section 9.2), and somebody between them who would like something weaker.

use picortc::crypto::rust_crypto::PROVIDER;
use picortc::env::{Env, Instant, Rng, TransportContext};
use picortc::stun::{long_term_key, long_term_key_sha256};
use picortc::turn;
use picortc::turn_server::{Config, Event, Limits, Output, PeerFilter, TurnServer, UserKey, Users};
use picortc::wire::stun::{AttributeType, Message, PasswordAlgorithm, SecurityFeatures};
use picortc::wire::turn::RequestedTransport;
use std::net::SocketAddr;

struct Passwords;

impl Users for Passwords {
    fn key(&self, name: &[u8], realm: &str) -> Option<UserKey> {
        (name == b"user").then(|| long_term_key(name, realm.as_bytes(), b"pass"))
    }

    fn key_sha256(&self, name: &[u8], realm: &str) -> Option<[u8; 32]> {
        let key = long_term_key_sha256(PROVIDER.hashes, name, realm.as_bytes(), b"pass").ok()?;
        (name == b"user").then(|| key[..].try_into().unwrap())
    }
}

/// Our client and our server, with somebody between them who may change what the
/// server says.
struct Pair {
    client: turn::Client,
    server: TurnServer<Passwords>,
    rng: Rng,
    now: Instant,
    /// What the client has said, request by request.
    said: Vec<Vec<u8>>,
}

impl Pair {
    fn new(sha256: bool) -> Self {
        let config = Config { sha256, ..Config::default() };
        let filter = PeerFilter::new(4).unwrap();
        let (limits, now) = (Limits::TINY, Instant::from_millis(5_000_000));
        let server = TurnServer::new(&config, &limits, Passwords, filter, PROVIDER.hashes, [1; 32]);
        let client = turn::Client::new(PROVIDER.hashes, &turn::Limits::TINY).unwrap();
        Self { client, server: server.unwrap(), rng: Rng::new([2; 32]), now, said: Vec::new() }
    }

    /// What becomes of an allocation.
    fn allocate(&mut self, password: &[u8], meddle: impl Fn(&mut Vec<u8>)) -> Option<turn::Event> {
        let path = TransportContext::udp(addr("192.0.2.1:3478"), addr("198.51.100.1:1"));
        let from_client = TransportContext::udp(path.peer_addr, path.local_addr);
        let env = &mut Env::new(self.now, &mut self.rng);
        assert!(self.client.allocate(env, self.now, from_client, RequestedTransport::UDP, b"user", password));
        let mut buf = [0; 1500];
        while let Some(n) = self.client.poll_write(&mut Env::new(self.now, &mut self.rng), &mut buf) {
            self.said.push(buf[..n].to_vec());
            let mut out = [0; 1500];
            let answer = match self.server.handle_read(self.now, path, &buf[..n], &mut out) {
                Some(Output::Client(transmit)) => transmit,
                Some(output) => panic!("{output:?}"),
                None => {
                    let Some(Event::OpenRelay(id, _)) = self.server.poll_event() else { continue };
                    self.server
                        .handle_relay_opened(self.now, id, Some(addr("192.0.2.1:50000")), &mut out)
                        .unwrap()
                }
            };
            let mut answer = out[..answer.len].to_vec();
            meddle(&mut answer);
            self.client.handle_read(&mut Env::new(self.now, &mut self.rng), &answer);
        }
        self.client.poll_event()
    }

    fn last(&self) -> Message<'_> {
        Message::parse(self.said.last().unwrap()).unwrap()
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn honest(_: &mut Vec<u8>) {}

/// Takes an attribute out of a message, or puts another value into it.
fn change(message: &mut Vec<u8>, kind: AttributeType, value: Option<&[u8]>) {
    let m = Message::parse(message).unwrap();
    let Some(range) = m.range(kind) else { return };
    let end = range.start + range.len().next_multiple_of(4);
    let put = value.map(|v| {
        let mut all = [kind.0.to_be_bytes(), (v.len() as u16).to_be_bytes()].concat();
        all.extend_from_slice(v);
        all.resize(all.len().next_multiple_of(4), 0);
        all
    });
    message.splice(range.start - 4..end, put.unwrap_or_default());
    let len = (message.len() - 20) as u16;
    message[2..4].copy_from_slice(&len.to_be_bytes());
}

#[test]
fn both_agree_on_sha_256_and_on_md5_where_the_server_has_nothing_else() {
    let mut pair = Pair::new(true);
    assert_eq!(pair.allocate(b"pass", honest), Some(turn::Event::Allocated));
    assert_eq!(pair.said.len(), 2);
    let m = pair.last();
    assert!(m.has(AttributeType::MESSAGE_INTEGRITY_SHA256) && !m.has(AttributeType::MESSAGE_INTEGRITY));
    let algorithm = PasswordAlgorithm::SHA256.to_attribute();
    assert_eq!(m.get(AttributeType::PASSWORD_ALGORITHM), Some(&algorithm[..]));
    assert_eq!(m.username(), Some(&b"user"[..]));

    let mut pair = Pair::new(false);
    assert_eq!(pair.allocate(b"pass", honest), Some(turn::Event::Allocated));
    let m = pair.last();
    assert!(m.has(AttributeType::MESSAGE_INTEGRITY) && !m.has(AttributeType::PASSWORD_ALGORITHM));

    for sha256 in [false, true] {
        let mut pair = Pair::new(sha256);
        assert_eq!(pair.allocate(b"wrong", honest), Some(turn::Event::Failed(Some(401))));
        assert_eq!(pair.said.len(), 2, "a wrong password is not tried twice");
    }
}

#[test]
fn whoever_takes_the_strong_algorithm_away_ends_the_attempt() {
    // Without the list, but with the cookie that promises it.
    let mut pair = Pair::new(true);
    let meddle = |m: &mut Vec<u8>| change(m, AttributeType::PASSWORD_ALGORITHMS, None);
    assert_eq!(pair.allocate(b"pass", meddle), Some(turn::Event::Failed(Some(401))));
    assert_eq!(pair.said.len(), 1, "nothing was signed");
    // With a shorter list: the server knows what it has sent.
    let mut pair = Pair::new(true);
    let md5 = PasswordAlgorithm::MD5.to_attribute();
    let meddle = |m: &mut Vec<u8>| change(m, AttributeType::PASSWORD_ALGORITHMS, Some(&md5));
    assert_eq!(pair.allocate(b"pass", meddle), Some(turn::Event::Failed(Some(400))));
    // Without list and cookie: the nonce is not the server's then.
    let mut pair = Pair::new(true);
    let meddle = |m: &mut Vec<u8>| {
        change(m, AttributeType::PASSWORD_ALGORITHMS, None);
        let nonce = Message::parse(m).unwrap().get(AttributeType::NONCE).map(<[u8]>::to_vec);
        if let Some(nonce) = nonce {
            change(m, AttributeType::NONCE, nonce.get(SecurityFeatures::COOKIE_LEN..));
        }
    };
    assert_eq!(pair.allocate(b"pass", meddle), Some(turn::Event::Failed(Some(438))));
    assert!(pair.server.is_empty());
    // With an algorithm of no meaning.
    let mut pair = Pair::new(true);
    let meddle = |m: &mut Vec<u8>| change(m, AttributeType::PASSWORD_ALGORITHMS, Some(&[0, 9, 0, 0]));
    assert_eq!(pair.allocate(b"pass", meddle), Some(turn::Event::Failed(Some(401))));
    assert_eq!(pair.said.len(), 1);
}
