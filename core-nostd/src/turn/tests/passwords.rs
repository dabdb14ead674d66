//! Passwords by SHA-256 (RFC 8489, Section 9.2), as a server asks for them.

use super::*;
use crate::stun::{long_term_key_sha256, userhash};
use crate::wire::stun::PasswordAlgorithm;

const BOTH: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];

/// What the client says after a refusal with this nonce and these algorithms.
fn retry(rig: &mut Rig, request: &Request, code: u16, nonce: &[u8], algorithms: &[u8]) -> Option<Vec<u8>> {
    let write = |b: &mut Builder<'_>| {
        b.error_code(code).unwrap();
        b.attribute(AttributeType::REALM, &[b"realm"]).unwrap();
        b.attribute(AttributeType::NONCE, &[nonce]).unwrap();
        if !algorithms.is_empty() {
            b.attribute(AttributeType::PASSWORD_ALGORITHMS, &[algorithms]).unwrap();
        }
    };
    rig.answer(request, Class::Error, write, None);
    let mut buf = [0; 600];
    let n = rig.on(|c, env| c.poll_write(env, &mut buf))?;
    Some(buf[..n].to_vec())
}

#[test]
fn a_server_that_wants_no_names_is_told_their_hash() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let first = rig.request().unwrap();
    // Both features: 0b11 in front.
    let sent = retry(&mut rig, &first, 401, b"obMatJos2wAAAxyz", &BOTH).unwrap();
    let m = Message::parse(&sent).unwrap();
    assert_eq!(m.username(), None);
    let hash = userhash(PROVIDER.hashes, b"user", b"realm").unwrap();
    assert_eq!(m.get(AttributeType::USERHASH), Some(&hash[..]));
    assert_eq!(m.get(AttributeType::PASSWORD_ALGORITHMS), Some(&BOTH[..]), "as it came");
    assert_eq!(m.get(AttributeType::PASSWORD_ALGORITHM), Some(&PasswordAlgorithm::SHA256.to_attribute()[..]));
    let key = long_term_key_sha256(PROVIDER.hashes, b"user", b"realm", b"pass").unwrap();
    assert!(m.is_authentic(PROVIDER.hashes, &key) && !m.has(AttributeType::MESSAGE_INTEGRITY));
}

#[test]
fn the_first_algorithm_that_is_known_counts() {
    for (list, md5) in [(&[0, 1, 0, 0, 0, 2, 0, 0][..], true), (&[0, 9, 0, 0, 0, 2, 0, 0], false)] {
        let mut rig = Rig::new(TransportProtocol::Udp);
        let first = rig.request().unwrap();
        let sent = retry(&mut rig, &first, 401, b"obMatJos2gAAAxyz", list).unwrap();
        let m = Message::parse(&sent).unwrap();
        let key = long_term_key_sha256(PROVIDER.hashes, b"user", b"realm", b"pass").unwrap();
        let key = if md5 { &long_term_key(b"user", b"realm", b"pass")[..] } else { &key };
        assert!(m.has(AttributeType::MESSAGE_INTEGRITY_SHA256) && m.is_authentic(PROVIDER.hashes, key));
    }
    // More of them than anybody has.
    let mut rig = Rig::new(TransportProtocol::Udp);
    let first = rig.request().unwrap();
    assert_eq!(retry(&mut rig, &first, 401, b"obMatJos2gAAAxyz", &BOTH.repeat(5)), None);
    assert_eq!(rig.client.poll_event(), Some(Event::Failed(Some(401))));
}

#[test]
fn a_weaker_answer_is_not_believed_and_a_weaker_refusal_not_followed() {
    let mut rig = Rig::new(TransportProtocol::Udp);
    let first = rig.request().unwrap();
    let sent = retry(&mut rig, &first, 401, b"obMatJos2gAAAxyz", &BOTH).unwrap();
    let id = Message::parse(&sent).unwrap().transaction_id;
    let asked = Request { id, ..first };
    // Signed with the right key, but by SHA-1.
    let key = long_term_key_sha256(PROVIDER.hashes, b"user", b"realm", b"pass").unwrap();
    let mut buf = [0; 200];
    let mut b = Builder::new(&mut buf, Class::Success, Method::ALLOCATE, id).unwrap();
    b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, addr(RELAYED)).unwrap();
    b.integrity(PROVIDER.hashes, &key).unwrap();
    let n = b.finish();
    rig.on(|c, env| c.handle_read(env, &buf[..n]));
    assert_eq!((rig.client.counters().unauthentic, rig.client.poll_event()), (1, None));
    // A nonce without a cookie, once there was one: who says so is not the server.
    assert_eq!(retry(&mut rig, &asked, 438, b"plain nonce", &[]), None);
    assert_eq!(rig.client.poll_event(), Some(Event::Failed(Some(438))));
}
