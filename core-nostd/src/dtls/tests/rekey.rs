//! Keys that change in the course of a connection.

use super::*;

impl Pair {
    fn settle(&mut self) {
        for _ in 0..50 {
            self.collect();
            if self.wire.is_empty() {
                return;
            }
            for (to, datagram) in core::mem::take(&mut self.wire) {
                self.deliver(to, datagram);
            }
        }
        panic!("the ends keep answering each other");
    }

    fn epochs(&self) -> [(u64, u64); 2] {
        self.ends
            .each_ref()
            .map(|e| (e.dtls.machine.records.write_epoch(), e.dtls.machine.records.read_epoch()))
    }
}

fn connected() -> Pair {
    let mut pair = Pair::new(config(&CHIP, 1), config(&PROVIDER, 2));
    pair.start();
    pair.run(|_, _, _| 1);
    pair
}

/// What only a handshake needs is given back, and what comes later still
/// finds room.
#[test]
fn an_association_that_is_through_gives_back_memory() {
    for version in [V12, V13] {
        let [client, server] = [1, 2].map(|seed| Config { max_version: version, ..config(&CHIP, seed) });
        let mut pair = Pair::with_limits(client, server, &Limits::TINY);
        pair.start();
        pair.run(|_, _, _| 1);
        for _ in 0..2 {
            pair.exchange_data();
        }
        for end in &pair.ends {
            assert!(end.dtls.settled, "{version:?} {:?}", end.dtls.machine.role);
            assert_eq!(end.dtls.early.capacity(), 0);
            assert!(end.dtls.incoming.capacity() < 200);
            assert!(end.dtls.machine.flight.capacity() < 100);
        }
        if version == V13 {
            assert!(pair.ends[0].dtls.update_keys());
            pair.settle();
            assert_eq!(pair.epochs(), [(4, 4), (4, 4)]);
        }
        pair.exchange_data();
    }
}

#[test]
fn both_ends_change_their_keys_time_and_again() {
    let mut pair = connected();
    assert_eq!(pair.epochs(), [(3, 3), (3, 3)]);
    for n in 1..=9 {
        assert!(pair.ends[n % 2].dtls.update_keys());
        pair.settle();
        let epoch = 3 + n as u64;
        assert_eq!(pair.epochs(), [(epoch, epoch), (epoch, epoch)]);
        pair.exchange_data();
        assert!(pair.ends.iter().all(|e| e.dtls.poll_timeout().is_none()));
    }
}

#[test]
fn data_of_the_old_keys_is_read_and_a_lost_update_or_ack_is_made_good() {
    for lost in 0..2 {
        let mut pair = connected();
        pair.send(0, b"old");
        let old = pair.wire.remove(0);
        assert!(pair.ends[0].dtls.update_keys());
        pair.collect();
        let (to, update) = pair.wire.remove(0);
        if lost == 1 {
            pair.deliver(to, update);
            pair.wire.clear(); // the ACK, and the peer's own update with it
        }
        assert_eq!(pair.epochs()[0].0, 3, "not before it is acknowledged");
        pair.exchange_data();
        pair.now = pair.ends.iter().filter_map(|e| e.dtls.poll_timeout()).max().unwrap();
        for end in &mut pair.ends {
            end.dtls.handle_timeout(&mut Env::new(pair.now, &mut end.rng));
        }
        pair.settle();
        assert_eq!(pair.epochs(), [(4, 4), (4, 4)]);
        pair.deliver(old.0, old.1);
        assert_eq!(pair.ends[1].received.last().unwrap(), b"old");
        pair.exchange_data();
    }
}

#[test]
fn keys_that_served_long_enough_are_changed() {
    let mut pair = Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2));
    pair.start();
    pair.run(|_, _, _| 1);
    assert_eq!(pair.ends[0].dtls.negotiated().unwrap().cipher_suite, 0x1301);
    pair.ends[1].dtls.machine.records.skip_to(Some(1 << 23), None);
    pair.ends[0].dtls.machine.records.skip_to(None, Some(1 << 23));
    pair.settle();
    assert_eq!(pair.epochs(), [(3, 4), (4, 3)]);
    pair.exchange_data();
    // Should the peer never acknowledge it, nothing is written after the limit.
    pair.ends[1].dtls.machine.records.skip_to(Some(24_000_000), None);
    let mut buf = [0; 100];
    let mut datagram = Datagram::new(&mut buf, 5).unwrap();
    assert!(datagram.set_payload_len(10));
    assert!(!pair.ends[1].dtls.seal(&mut datagram));
}

#[test]
fn an_update_that_makes_no_sense_ends_the_connection() {
    use crate::wire::dtls::{HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType};
    for (kind, body, alert) in [
        (HandshakeType::KEY_UPDATE, &[2][..], AlertDescription::ILLEGAL_PARAMETER),
        (HandshakeType::KEY_UPDATE, &[0, 0], AlertDescription::DECODE_ERROR),
        (HandshakeType::CERTIFICATE_REQUEST, &[0, 0, 0], AlertDescription::UNEXPECTED_MESSAGE),
        (HandshakeType::CLIENT_HELLO, &[0], AlertDescription::UNEXPECTED_MESSAGE),
        (HandshakeType::NEW_CONNECTION_ID, &[0, 0, 0], AlertDescription::UNEXPECTED_MESSAGE),
    ] {
        let mut pair = connected();
        let machine = &mut pair.ends[0].dtls.machine;
        let mut record = std::vec![0; 5];
        // A client's fourth message behind its hello.
        record.extend(HandshakeHeader::whole(kind, 4, body.len() as u32).to_bytes());
        record.extend(body);
        record.extend([0; 17]);
        assert_eq!(record.len(), 5 + HANDSHAKE_HEADER_LEN + body.len() + 17);
        machine.records.seal(3, ContentType::HANDSHAKE, &mut record).unwrap();
        pair.deliver(1, record);
        assert_eq!(
            pair.ends[1].events.last(),
            Some(&Event::Failed(Error::PeerMisbehaved(alert))),
            "{kind:?}"
        );
        pair.settle();
        assert_eq!(pair.ends[0].events.last(), Some(&Event::Failed(Error::PeerGaveUp(alert))), "{kind:?}");
    }
}

#[test]
fn there_is_no_update_in_dtls_12_nor_before_the_end_of_the_handshake() {
    let mut pair = Pair::new(config(&CHIP, 1), config_of(V12, &CHIP, 2));
    pair.start();
    assert!(!pair.ends[0].dtls.update_keys());
    pair.run(|_, _, _| 1);
    assert!(!pair.ends[0].dtls.update_keys());
}
