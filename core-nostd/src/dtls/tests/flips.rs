//! What is not as it was sent: bits, octets, orders.

use super::schedules::is_thorough;
use super::*;
use crate::wire::dtls::{ClientHello, ExtensionType, HandshakeHeader, HandshakeType, vectors};

#[test]
fn every_flipped_bit_that_is_signed_or_hashed_is_fatal() {
    let stride = if is_thorough() { 1 } else { 61 };
    for version in [V12, V13] {
        for liar in [1, 0] {
            let mut flipped = 0;
            for bit in (0..).step_by(stride) {
                let mut pair = Pair::new(config(&CHIP, 1), config_of(version, &CHIP, 2));
                pair.tamper = Some((liar, bit));
                pair.start();
                pair.run(|_, _, _| 1);
                pair.collect();
                if pair.tamper.is_some() {
                    break; // past the end
                }
                flipped += 1;
                let what = (version, liar, bit);
                let failures = pair.ends.each_ref().map(|e| match e.events.last() {
                    Some(Event::Failed(error)) => Some(*error),
                    _ => None,
                });
                assert!(
                    failures[1 - liar].is_some() || version == V12 && failures[liar].is_some(),
                    "{what:?}"
                );
                let finders = failures
                    .iter()
                    .filter(|f| matches!(f, Some(Error::PeerMisbehaved(_) | Error::FingerprintMismatch)));
                assert_eq!(finders.count(), 1, "one finds out, the other is told: {what:?} {failures:?}");
                assert!(pair.ends.iter().all(|e| e.received.is_empty()));
            }
            assert!(flipped > 3000 / stride, "{version:?} {liar}: {flipped}");
            std::println!("{version:?}, flight of end {liar}: {flipped} bits");
        }
    }
}

#[test]
fn a_flipped_octet_on_the_way_is_noise_or_the_end() {
    // Every third octet of every datagram of a handshake, one run each: never
    // two ends that are connected and disagree.
    for version in [V12, V13] {
        let mut lengths = Vec::new();
        let mut pair = Pair::new(config(&CHIP, 1), config_of(version, &CHIP, 2));
        pair.start();
        pair.run(|_, _, d| {
            lengths.push(d.len());
            1
        });
        let mut outcomes = [0; 2];
        for (n, len) in lengths.iter().enumerate() {
            for at in (0..*len).step_by(if is_thorough() { 1 } else { 5 }) {
                let mut pair = Pair::new(config(&CHIP, 1), config_of(version, &CHIP, 2));
                pair.start();
                pair.run(|i, _, d| {
                    if i == n {
                        d[at] ^= 1;
                    }
                    1
                });
                let failed = pair.ends.iter().any(|e| matches!(e.dtls.machine.state, State::Failed));
                outcomes[usize::from(failed)] += 1;
                if pair.connected() {
                    pair.exchange_data();
                } else {
                    assert!(failed, "datagram {n} octet {at}: neither connected nor failed");
                }
            }
        }
        assert!(outcomes[0] > 20 && outcomes[1] > 20, "recovered and failed: {outcomes:?}");
    }
}

/// A ClientHello's body with its extensions rearranged by `arrange`.
fn rearranged(hello: &[u8], arrange: impl FnOnce(&mut Vec<(u16, Vec<u8>)>)) -> Vec<u8> {
    let parsed = ClientHello::parse(hello).unwrap();
    let mut extensions: Vec<_> = parsed.extensions.iter().map(|(k, v)| (k.0, v.to_vec())).collect();
    let len: usize = extensions.iter().map(|e| 4 + e.1.len()).sum();
    let mut out = hello[..hello.len() - len - 2].to_vec();
    arrange(&mut extensions);
    let all: Vec<u8> = extensions
        .iter()
        .flat_map(|(k, v)| [&k.to_be_bytes()[..], &(v.len() as u16).to_be_bytes(), v].concat())
        .collect();
    out.extend((all.len() as u16).to_be_bytes());
    out.extend(all);
    out
}

/// Gives a server the fragments of a hello, in the order in which they are.
fn give(pair: &mut Pair, hello: &[u8], fragments: &[(usize, usize)]) {
    for (n, (from, to)) in fragments.iter().enumerate() {
        let header = HandshakeHeader {
            fragment_offset: *from as u32,
            fragment_length: (to - from) as u32,
            ..HandshakeHeader::whole(HandshakeType::CLIENT_HELLO, 0, hello.len() as u32)
        };
        let mut datagram = std::vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, n as u8];
        datagram.extend(((to - from + 12) as u16).to_be_bytes());
        datagram.extend(header.to_bytes());
        datagram.extend(&hello[*from..*to]);
        pair.deliver(1, datagram);
    }
}

fn server() -> Pair {
    let mut pair = Pair::new(config(&CHIP, 1), config(&PROVIDER, 2));
    let end = &mut pair.ends[1];
    end.dtls.start(&mut Env::new(pair.now, &mut end.rng), Role::Server, Fingerprints::new());
    pair
}

#[test]
fn browsers_hellos_cut_anywhere_and_in_any_order_are_answered_with_13() {
    for hello in [vectors::CHROMIUM_HELLO, vectors::FIREFOX_HELLO] {
        for cut in (1..hello.len()).step_by(if is_thorough() { 1 } else { 53 }) {
            for turned in [false, true] {
                let mut pair = server();
                let mut fragments = [(0, cut), (cut, hello.len())];
                if turned {
                    fragments.reverse();
                }
                give(&mut pair, hello, &fragments);
                let machine = &pair.ends[1].dtls.machine;
                assert_eq!(machine.state, State::AwaitClientCertificate, "cut at {cut}");
                assert!(machine.is_13());
                assert_eq!(machine.group, crate::crypto::NamedGroup::X25519MLKEM768);
            }
        }
        let cuts: Vec<_> =
            (0..hello.len()).step_by(200).map(|at| (at, (at + 200).min(hello.len()))).collect();
        let mut pair = server();
        give(&mut pair, hello, &cuts.iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(pair.ends[1].dtls.machine.state, State::AwaitClientCertificate);
    }
}

#[test]
fn extensions_come_in_any_order_and_unknown_ones_are_passed_over() {
    for hello in [vectors::CHROMIUM_HELLO, vectors::FIREFOX_HELLO] {
        let count = ClientHello::parse(hello).unwrap().extensions.iter().count();
        for turn in 0..2 * count {
            let other = rearranged(hello, |extensions| {
                extensions.rotate_left(turn % count);
                if turn >= count {
                    extensions.reverse();
                }
                extensions.insert(turn % count, (0x7a7a, std::vec![1, 2, 3]));
            });
            let mut pair = server();
            give(&mut pair, &other, &[(0, other.len())]);
            assert!(pair.ends[1].dtls.machine.is_13(), "turn {turn}");
        }
        // Versions that are none of DTLS, in front of and behind its own.
        let other = rearranged(hello, |extensions| {
            let versions =
                extensions.iter_mut().find(|e| e.0 == ExtensionType::SUPPORTED_VERSIONS.0).unwrap();
            versions.1 = std::vec![10, 3, 3, 0x7a, 0x7a, 0xfe, 0xfd, 0xfe, 0xfc, 3, 4];
        });
        let mut pair = server();
        give(&mut pair, &other, &[(0, other.len())]);
        assert!(pair.ends[1].dtls.machine.is_13());
    }
}

#[test]
fn a_hello_without_what_it_must_have_is_refused_with_the_right_alert() {
    let without = |kind: ExtensionType| {
        rearranged(vectors::CHROMIUM_HELLO, |extensions| extensions.retain(|e| e.0 != kind.0))
    };
    let with = |kind: ExtensionType, content: &[u8]| {
        rearranged(vectors::CHROMIUM_HELLO, |extensions| {
            extensions.iter_mut().find(|e| e.0 == kind.0).unwrap().1 = content.to_vec();
        })
    };
    let cases = [
        (without(ExtensionType::KEY_SHARE), AlertDescription::MISSING_EXTENSION),
        (without(ExtensionType::SUPPORTED_GROUPS), AlertDescription::MISSING_EXTENSION),
        (without(ExtensionType::SIGNATURE_ALGORITHMS), AlertDescription::MISSING_EXTENSION),
        (with(ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 8, 4]), AlertDescription::HANDSHAKE_FAILURE),
        (with(ExtensionType::KEY_SHARE, &[0, 5, 0, 0x1d, 0, 2, 1]), AlertDescription::DECODE_ERROR),
        (with(ExtensionType::KEY_SHARE, &[0, 6, 0, 0x1d, 0, 2, 1, 2]), AlertDescription::ILLEGAL_PARAMETER),
        (
            with(ExtensionType::KEY_SHARE, &[&[0, 36, 0, 0x1d, 0, 32][..], &[0; 32]].concat()),
            AlertDescription::ILLEGAL_PARAMETER,
        ),
        (with(ExtensionType::SUPPORTED_VERSIONS, &[2, 3, 4]), AlertDescription::PROTOCOL_VERSION),
    ];
    for (n, (hello, alert)) in cases.iter().enumerate() {
        let mut pair = server();
        give(&mut pair, hello, &[(0, hello.len())]);
        pair.collect();
        assert_eq!(pair.ends[1].events, [Event::Failed(Error::PeerMisbehaved(*alert))], "case {n}");
    }
}

#[test]
fn a_server_that_was_made_to_speak_12_is_found_out() {
    // Somebody on the way takes 1.3 out of the hello; the server's answer
    // says that it would have spoken it.
    let mut pair = Pair::new(config(&CHIP, 1), config(&CHIP, 2));
    pair.start();
    pair.run(|_, to, datagram| {
        if to == 1
            && let Some(at) = datagram.windows(4).position(|w| w == [0xfe, 0xfc, 0xfe, 0xfd])
        {
            datagram[at + 1] = 0xfd;
        }
        1
    });
    pair.collect();
    let found = Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(pair.ends[0].events, [Event::Failed(found)]);
}

#[test]
fn alerts_in_the_clear_and_forgeries_change_nothing() {
    let mut pair = Pair::new(config(&CHIP, 1), config(&CHIP, 2));
    pair.start();
    let hello = pair.wire.remove(0).1;
    pair.deliver(1, hello);
    let flight = core::mem::take(&mut pair.wire);
    // The server has keys from here on.
    let timers = pair.ends[1].dtls.poll_timeout();
    for n in 0..50u8 {
        pair.deliver(1, std::vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, n, 0, 2, 1, 0]);
        pair.deliver(1, [&[0x2e, n, n, 0, 30][..], &[n; 30]].concat());
        pair.deliver(1, [&[0x22, n][..], &[n; 15]].concat());
        pair.deliver(1, std::vec![26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 2, n, 0, 1, 0]);
    }
    assert!(pair.wire.is_empty(), "nothing is answered");
    assert_eq!(pair.ends[1].dtls.poll_timeout(), timers);
    assert!(pair.ends[1].events.is_empty());
    let counters = pair.ends[1].dtls.counters();
    assert_eq!((counters.forged, counters.noise), (100, 100));
    pair.wire = flight;
    pair.run(|_, _, _| 1);
    assert!(pair.connected());
    for n in 0..50u8 {
        for i in 0..2 {
            pair.deliver(i, [&[0x2f, 0xff, n, 0, 30][..], &[n; 30]].concat());
        }
    }
    pair.exchange_data();
    assert_eq!(pair.ends[0].dtls.counters().forged, 50);
}
