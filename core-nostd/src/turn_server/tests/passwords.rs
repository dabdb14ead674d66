//! Users who prove themselves by SHA-256 (RFC 8489, Section 9.2), and those who
//! cannot.

use super::*;
use crate::stun::{long_term_key, long_term_key_sha256};
use crate::wire::stun::error_code;

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

#[test]
fn what_the_server_did_not_offer_is_a_bad_request_and_an_old_client_is_served() {
    let config = Config { sha256: true, ..Config::default() };
    let filter = PeerFilter::new(4).unwrap();
    let server = TurnServer::new(&config, &Limits::TINY, Passwords, filter, PROVIDER.hashes, [1; 32]);
    let (mut server, now) = (server.unwrap(), Instant::from_millis(5_000_000));
    let mut out = [0; 1500];
    let mut ask = |list: Option<&[u8]>, chosen: Option<&[u8]>, strong: bool| {
        let mut first = [0; 100];
        let b = Builder::new(&mut first, Class::Request, Method::REFRESH, TransactionId([1; 12])).unwrap();
        let n = b.finish();
        let Some(Output::Client(t)) = server.handle_read(now, client(1), &first[..n], &mut out) else {
            panic!("not answered")
        };
        let nonce = Message::parse(&out[..t.len]).unwrap().get(AttributeType::NONCE).unwrap().to_vec();
        let mut buf = [0; 500];
        let mut b = Builder::new(&mut buf, Class::Request, Method::REFRESH, TransactionId([2; 12])).unwrap();
        for (kind, value) in [
            (AttributeType::USERNAME, Some(&b"user"[..])),
            (AttributeType::REALM, Some(b"picortc")),
            (AttributeType::NONCE, Some(&nonce)),
            (AttributeType::PASSWORD_ALGORITHMS, list),
            (AttributeType::PASSWORD_ALGORITHM, chosen),
        ] {
            if let Some(value) = value {
                b.attribute(kind, &[value]).unwrap();
            }
        }
        if strong {
            b.integrity_sha256(PROVIDER.hashes, &Passwords.key_sha256(b"user", "picortc").unwrap()).unwrap();
        } else {
            b.integrity(PROVIDER.hashes, &Passwords.key(b"user", "picortc").unwrap()).unwrap();
        }
        let n = b.finish();
        let Some(Output::Client(t)) = server.handle_read(now, client(1), &buf[..n], &mut out) else {
            panic!("not answered")
        };
        let m = Message::parse(&out[..t.len]).unwrap();
        (
            m.error_code(),
            m.has(AttributeType::MESSAGE_INTEGRITY),
            m.has(AttributeType::MESSAGE_INTEGRITY_SHA256),
        )
    };
    let list = [0, 2, 0, 0, 0, 1, 0, 0];
    let (sha256, md5) = (&[0, 2, 0, 0][..], &[0, 1, 0, 0][..]);
    // There is no allocation: whoever is known is told so, in a signed answer.
    let known = Some(error_code::ALLOCATION_MISMATCH);
    assert_eq!(ask(Some(&list), Some(sha256), true), (known, false, true));
    assert_eq!(ask(None, None, false), (known, true, false), "who has not heard of it");
    let bad = (Some(error_code::BAD_REQUEST), false, false);
    assert_eq!(ask(Some(&list), None, true), bad);
    assert_eq!(ask(None, Some(sha256), true), bad);
    assert_eq!(ask(Some(md5), Some(md5), false), bad);
    assert_eq!(ask(Some(&list), Some(&[0, 3, 0, 0]), true), bad);
    // The key of the other algorithm is another key.
    let unknown = (Some(error_code::UNAUTHENTICATED), false, false);
    assert_eq!(ask(Some(&list), Some(md5), true), unknown);
    assert_eq!(ask(Some(&list), Some(sha256), false), unknown);
}
