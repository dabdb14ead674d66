//! Connection IDs: who has one, what records look like, and what is refused.

use super::*;
use crate::wire::dtls::HandshakeType;

fn cid(octets: &[u8]) -> Cid {
    Cid::new(octets).unwrap()
}

fn with_ids(version: ProtocolVersion, ids: [Option<Cid>; 2]) -> Pair {
    let [client, server] = ids;
    let client = Config { connection_id: client, ..config_of(version, &PROVIDER, 1) };
    let server = Config { connection_id: server, ..config_of(version, &CHIP, 2) };
    let mut pair = Pair::new(client, server);
    pair.start();
    pair.run(|_, _, _| 1);
    assert!(pair.connected(), "{:?}", pair.ends.each_ref().map(|e| &e.events));
    pair
}

/// A record of `from`'s, as it goes out.
fn record(pair: &mut Pair, from: usize) -> Vec<u8> {
    pair.send(from, b"data");
    pair.wire.pop().unwrap().1
}

#[test]
fn each_end_has_the_id_that_it_asked_for_in_what_it_receives() {
    let (a, b) = (cid(b"for-the-client"), cid(&[9; 20]));
    for version in [V12, V13] {
        for (wishes, want) in [
            ([Some(a), Some(b)], [a, b]),
            ([Some(a), Some(Cid::EMPTY)], [a, Cid::EMPTY]),
            ([Some(Cid::EMPTY), Some(b)], [Cid::EMPTY, b]),
            ([Some(Cid::EMPTY), Some(Cid::EMPTY)], [Cid::EMPTY; 2]),
            ([Some(a), None], [Cid::EMPTY; 2]),
            ([None, Some(b)], [Cid::EMPTY; 2]),
        ] {
            let mut pair = with_ids(version, wishes);
            for i in 0..2 {
                let negotiated = pair.ends[i].dtls.negotiated().unwrap();
                assert_eq!(negotiated.connection_id, want[i]);
                assert_eq!(negotiated.peer_connection_id, want[1 - i]);
                let record = record(&mut pair, 1 - i);
                let id = peek_connection_id(&record, want[i].len()).unwrap_or_default();
                assert_eq!(id, want[i].as_slice(), "{version:?} {wishes:?}");
                assert_eq!(pair.ends[i].dtls.has_own_connection_id(&record), !want[i].is_empty());
                let is_plain = record[0] == 23 || record[0] & 0xf0 == 0x20;
                assert_eq!(is_plain, want[i].is_empty());
            }
            pair.exchange_data();
            pair.ends[0].dtls.close();
            pair.collect();
            pair.run(|_, _, _| 1);
            assert_eq!(pair.ends[1].events, [Event::Connected, Event::Closed]);
        }
    }
}

#[test]
fn loss_and_a_cookie_do_not_hurt_it() {
    for version in [V12, V13] {
        for lost in 0..12 {
            let client = Config { connection_id: Some(cid(b"c")), ..config_of(version, &PROVIDER, 1) };
            let server = config_of(version, &CHIP, 2);
            let server = Config { connection_id: Some(cid(b"srv")), hello_verify: true, ..server };
            let mut pair = Pair::new(client, server);
            pair.start();
            pair.run(|n, _, _| usize::from(n != lost));
            assert!(pair.connected(), "{version:?} {lost}");
            assert_eq!(pair.ends[0].dtls.negotiated().unwrap().peer_connection_id, cid(b"srv"));
            pair.exchange_data();
        }
    }
}

#[test]
fn a_record_with_another_id_or_none_is_counted_and_moves_nothing() {
    for version in [V12, V13] {
        let mut pair = with_ids(version, [Some(cid(b"client")), Some(cid(b"server"))]);
        let genuine = record(&mut pair, 0);
        let at = if version == V13 { 1 } else { 11 };
        for octet in 0..6 {
            let mut wrong = genuine.clone();
            wrong[at + octet] ^= 1;
            pair.deliver(1, wrong);
        }
        assert_eq!(pair.ends[1].dtls.counters().foreign_ids, 6);
        // The same record as it would be without an ID.
        let mut bare = genuine.clone();
        bare[0] = if version == V13 { bare[0] & !0x10 } else { 23 };
        bare.drain(at..at + 6);
        pair.deliver(1, bare);
        let counters = pair.ends[1].dtls.counters();
        assert_eq!((counters.foreign_ids, counters.forged, counters.replayed), (7, 0, 0));
        assert!(pair.ends[1].received.is_empty());
        // Every bit of the header and of what is behind it is protected.
        for bit in 0..genuine.len() * 8 {
            let mut wrong = genuine.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            pair.deliver(1, wrong);
        }
        assert!(pair.ends[1].received.is_empty(), "{version:?}");
        pair.deliver(1, genuine.clone());
        assert_eq!(pair.ends[1].received, [b"data"]);
        pair.deliver(1, genuine);
        assert!(pair.ends[1].dtls.counters().replayed >= 1);
        pair.exchange_data();
    }
}

/// Sends a handshake message of an end that is connected.
fn say(pair: &mut Pair, from: usize, kind: HandshakeType, body: &[u8]) {
    let machine = &mut pair.ends[from].dtls.machine;
    let epoch = machine.records.write_epoch();
    machine.flight.begin();
    machine.flight.push(kind, epoch, |w| w.bytes(body)).unwrap();
    machine.flight.ready(true, core::time::Duration::from_millis(250));
    pair.collect();
    for _ in 0..20 {
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            pair.deliver(to, datagram);
        }
    }
}

const NEW: HandshakeType = HandshakeType::NEW_CONNECTION_ID;
const REQUEST: HandshakeType = HandshakeType::REQUEST_CONNECTION_ID;

#[test]
fn new_ids_are_used_at_once_and_a_request_is_answered() {
    let mut pair = with_ids(V13, [Some(cid(b"client")), Some(cid(b"server"))]);
    // Spare ones are acknowledged and not kept.
    say(&mut pair, 1, NEW, b"\0\x07\x06server\x01");
    assert_eq!(pair.ends[0].dtls.negotiated().unwrap().peer_connection_id, cid(b"server"));
    // Of these the first that there is room for.
    let long = [b"\0\x1a\x15".as_slice(), &[1; 21], b"\x03new\0"].concat();
    pair.ends[1].dtls.machine.records.cids.own = cid(b"new");
    say(&mut pair, 1, NEW, &long);
    assert_eq!(pair.ends[0].dtls.negotiated().unwrap().peer_connection_id, cid(b"new"));
    // One request, and another while the first has no answer.
    for _ in 0..2 {
        say(&mut pair, 0, REQUEST, &[4]);
    }
    pair.exchange_data();
    assert!(pair.ends.iter().all(|e| e.dtls.is_connected() && e.dtls.poll_timeout().is_none()));
    // Keys that change do not disturb it.
    assert!(pair.ends[0].dtls.update_keys());
    pair.collect();
    pair.run(|_, _, _| 1);
    pair.exchange_data();
}

#[test]
fn ids_of_whom_may_not_have_them_end_the_association() {
    let none = with_ids(V13, [None, None]);
    let mine = with_ids(V13, [Some(cid(b"client")), Some(Cid::EMPTY)]);
    let unexpected = AlertDescription::UNEXPECTED_MESSAGE;
    for (mut pair, from, kind, body, alert) in [
        (none, 0, NEW, &b"\0\x02\x01a\0"[..], unexpected),
        (with_ids(V13, [None, None]), 1, REQUEST, &[1], unexpected),
        // The server receives none, so that it can neither change nor be
        // asked for any.
        (mine, 1, NEW, b"\0\x02\x01a\0", unexpected),
        (with_ids(V13, [Some(cid(b"c")), Some(Cid::EMPTY)]), 0, REQUEST, &[1], unexpected),
        (with_ids(V13, [Some(cid(b"c")), None]), 1, REQUEST, &[1], unexpected),
        (with_ids(V13, [Some(cid(b"c")); 2]), 1, NEW, b"\0\0\0", AlertDescription::ILLEGAL_PARAMETER),
        (with_ids(V13, [Some(cid(b"c")); 2]), 1, NEW, b"\0\x01\x05\0", AlertDescription::DECODE_ERROR),
        (with_ids(V13, [Some(cid(b"c")); 2]), 1, NEW, b"\0\0\x02", AlertDescription::DECODE_ERROR),
        (with_ids(V13, [Some(cid(b"c")); 2]), 1, REQUEST, &[], AlertDescription::DECODE_ERROR),
    ] {
        say(&mut pair, from, kind, body);
        let want = [Event::Connected, Event::Failed(Error::PeerMisbehaved(alert))];
        assert_eq!(pair.ends[1 - from].events, want, "{kind:?} {body:?}");
        assert_eq!(
            pair.ends[from].events.last(),
            Some(&Event::Failed(Error::PeerGaveUp(alert))),
            "{kind:?} {body:?}"
        );
    }
}
