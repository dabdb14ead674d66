use super::*;
use crate::wire::sctp::{Cause, HEADER_LEN, Tsn, fill_checksum};

const SECOND: Duration = Duration::from_secs(1);

fn up(pair: &Pair) -> bool {
    pair.ends.iter().all(Association::is_established)
}

#[test]
fn either_end_connects_and_so_do_both_at_once() {
    for ends in [&[0][..], &[1], &[0, 1]] {
        let mut pair = Pair::new();
        for &end in ends {
            pair.connect_end(end);
        }
        pair.run_for(SECOND);
        assert_eq!(pair.events, [[Event::Connected], [Event::Connected]], "{ends:?} connect");
        pair.write(0, 3, b"hello").unwrap();
        pair.write(1, 3, b"there").unwrap();
        pair.run_for(SECOND);
        assert_eq!(pair.texts(1), [b"hello"]);
        assert_eq!(pair.texts(0), [b"there"]);
    }
}

#[test]
fn the_handshake_survives_the_loss_of_any_two_packets() {
    for both in [false, true] {
        for a in 0..8u64 {
            for b in a..8 {
                let mut pair = Pair::new();
                pair.connect_end(0);
                if both {
                    pair.connect_end(1);
                }
                // Packets are numbered over both ends in the order of sending.
                let mut nth = 0;
                let mut lost = 0;
                for _ in 0..400 {
                    pair.now += Duration::from_millis(50);
                    for end in 0..2 {
                        let now = pair.now;
                        pair.ends[end].handle_timeout(&mut Env::new(now, &mut pair.rng));
                        while let Some(packet) = pair.transmit(end) {
                            if nth == a || nth == b {
                                lost += 1;
                            } else {
                                pair.receive(1 - end, &packet);
                            }
                            nth += 1;
                        }
                    }
                }
                assert!(up(&pair), "packets {a} and {b} lost (both: {both}): {nth} packets");
                assert!(lost <= 2);
                pair.write(1, 0, b"after all").unwrap();
                pair.run_for(SECOND);
                assert_eq!(pair.texts(0), [b"after all"], "packets {a} and {b} lost (both: {both})");
            }
        }
    }
}

#[test]
fn an_end_that_is_not_answered_gives_up() {
    let limited = Config { max_init_retransmits: Some(3), ..config() };
    let mut pair = Pair::with([limited, config()], [Limits::DEFAULT; 2], 4);
    pair.filter = |_, _, _| false;
    pair.connect_end(0);
    pair.run_for(100 * SECOND);
    assert_eq!(pair.events[0], [Event::Closed(CloseReason::TimedOut)]);
    assert_eq!(pair.seen[0], [ChunkType::INIT; 4]);
    assert_eq!(pair.write(0, 0, b"x"), Err(WriteError::Closed));
}

#[test]
fn nothing_is_written_before_the_association_is_up() {
    let mut pair = Pair::new();
    assert_eq!(pair.write(0, 0, b"early"), Err(WriteError::Closed));
    pair.connect_end(0);
    assert_eq!(pair.write(0, 0, b"early"), Err(WriteError::Closed));
}

#[test]
fn checksums_are_left_out_when_both_agree_but_not_of_init_and_cookie_echo() {
    let crc = Config { zero_checksum: false, ..config() };
    for (configs, zero) in [([config(), config()], true), ([config(), crc], false)] {
        let mut pair = Pair::with(configs, [Limits::DEFAULT; 2], 2);
        pair.connect_end(0);
        let mut sums = Vec::new();
        for _ in 0..4 {
            for end in 0..2 {
                while let Some(packet) = pair.transmit(end) {
                    sums.push((packet[HEADER_LEN], packet[8..12] == [0; 4]));
                    pair.receive(1 - end, &packet);
                }
            }
        }
        assert!(up(&pair));
        assert_eq!(sums, [(1, false), (2, false), (10, false), (11, zero)]);
    }
}

#[test]
fn forged_cookies_are_not_believed() {
    let mut pair = Pair::new();
    pair.connect_end(0);
    let init = pair.transmit(0).unwrap();
    pair.receive(1, &init);
    let ack = pair.transmit(1).unwrap();
    pair.receive(0, &ack);
    let echo = pair.transmit(0).unwrap();
    for bit in (HEADER_LEN + 4) * 8..echo.len() * 8 {
        // The last octets are padding.
        if bit / 8 >= HEADER_LEN + 4 + 57 {
            break;
        }
        let mut forged = echo.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        forged[8..12].fill(0);
        fill_checksum(&mut forged);
        pair.receive(1, &forged);
        assert!(!pair.ends[1].is_established(), "bit {bit}");
    }
    pair.receive(1, &echo);
    assert!(pair.ends[1].is_established());
}

#[test]
fn a_stale_cookie_starts_the_handshake_over() {
    let mut pair = Pair::new();
    pair.connect_end(0);
    let init = pair.transmit(0).unwrap();
    pair.receive(1, &init);
    let ack = pair.transmit(1).unwrap();
    pair.receive(0, &ack);
    let echo = pair.transmit(0).unwrap();
    pair.now += Duration::from_secs(61);
    pair.receive(1, &echo);
    let error = pair.transmit(1).unwrap();
    assert_eq!(Cause::first(&error[HEADER_LEN + 4..]), Some(Cause::STALE_COOKIE));
    pair.receive(0, &error);
    pair.run_for(SECOND);
    assert!(up(&pair));
}

#[test]
fn a_peer_that_restarts_is_taken_back_and_old_data_is_not() {
    let mut pair = Pair::connected();
    pair.reading = [false; 2];
    pair.write(1, 5, b"before").unwrap();
    pair.run_for(SECOND);
    let mut rng = Rng::new([77; 32]);
    pair.ends[0] = Association::new(config(), &Limits::DEFAULT, &mut rng).unwrap();
    pair.connect_end(0);
    pair.run_for(5 * SECOND);
    assert_eq!(pair.events, [[Event::Connected], [Event::Restarted]]);
    pair.reading = [true; 2];
    pair.write(0, 5, b"new").unwrap();
    pair.write(1, 5, b"newer").unwrap();
    pair.run_for(SECOND);
    assert_eq!((pair.texts(0), pair.texts(1)), (std::vec![&b"newer"[..]], std::vec![&b"new"[..]]));
}

#[test]
fn replayed_handshake_packets_change_nothing() {
    let mut pair = Pair::new();
    pair.connect_end(0);
    pair.connect_end(1);
    let mut all = Vec::new();
    for _ in 0..6 {
        for end in 0..2 {
            while let Some(packet) = pair.transmit(end) {
                pair.receive(1 - end, &packet);
                all.push((1 - end, packet));
            }
        }
    }
    assert!(up(&pair));
    for _ in 0..3 {
        for (to, packet) in &all {
            pair.receive(*to, packet);
        }
        pair.run_for(SECOND);
    }
    for end in 0..2 {
        pair.write(end, 1, b"still here").unwrap();
    }
    pair.run_for(SECOND);
    assert_eq!(pair.texts(0), [b"still here"]);
    assert_eq!(pair.texts(1), [b"still here"]);
    assert_eq!(pair.events, [[Event::Connected], [Event::Connected]]);
}

#[test]
fn shutdown_delivers_first_and_survives_the_loss_of_any_packet() {
    for both in [false, true] {
        for lost in 0..12 {
            let mut pair = Pair::connected();
            pair.write(0, 1, &pattern(3000, 1)).unwrap();
            let now = pair.now;
            pair.ends[0].shutdown(now);
            if both {
                pair.ends[1].shutdown(now);
            }
            assert_eq!(pair.write(0, 1, b"late"), Err(WriteError::Closed));
            let mut nth = 0;
            for _ in 0..200 {
                pair.now += Duration::from_millis(50);
                for end in 0..2 {
                    let now = pair.now;
                    pair.ends[end].handle_timeout(&mut Env::new(now, &mut pair.rng));
                    while let Some(packet) = pair.transmit(end) {
                        if nth != lost {
                            pair.receive(1 - end, &packet);
                        }
                        nth += 1;
                    }
                }
            }
            pair.run_for(SECOND);
            let closed = Event::Closed(CloseReason::Shutdown);
            assert_eq!(pair.events, [[closed], [closed]], "packet {lost} lost, both: {both}");
            assert_eq!(pair.texts(1), [pattern(3000, 1)]);
        }
    }
}

#[test]
fn abort_ends_both_at_once() {
    let mut pair = Pair::connected();
    pair.write(0, 1, b"lost").unwrap();
    pair.ends[0].abort();
    pair.run_for(SECOND);
    assert_eq!(pair.events[0], [Event::Closed(CloseReason::Aborted)]);
    let cause = Cause::USER_INITIATED.0;
    assert_eq!(pair.events[1], [Event::Closed(CloseReason::AbortedByPeer { cause })]);
    assert_eq!(pair.ends[0].poll_timeout(), None);
}

#[test]
fn heartbeats_keep_an_idle_path_and_find_a_dead_one() {
    let mut pair = Pair::connected();
    pair.run_for(Duration::from_secs(100));
    assert!(up(&pair));
    for end in 0..2 {
        let beats = pair.seen[end].iter().filter(|&&k| k == ChunkType::HEARTBEAT).count();
        assert!((3..5).contains(&beats), "{beats} heartbeats");
    }
    pair.filter = |_, _, _| false;
    pair.run_for(Duration::from_secs(500));
    assert_eq!(pair.events[0], [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn a_peer_that_never_acknowledges_is_given_up() {
    let mut pair = Pair::connected();
    pair.filter = |_, _, _| false;
    pair.write(0, 1, b"anyone?").unwrap();
    pair.run_for(Duration::from_secs(200));
    assert_eq!(pair.events[0], [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn sequence_numbers_wrap() {
    let mut pair = Pair::new();
    pair.ends[0].set_initial_tsn(Tsn(u32::MAX - 2));
    pair.ends[1].set_initial_tsn(Tsn(i32::MAX as u32 - 2));
    pair.connect();
    pair.weather.loss = 10;
    for n in 0..200u8 {
        for end in 0..2 {
            pair.write(end, 9, &[n; 900]).unwrap();
        }
    }
    pair.run_for(60 * SECOND);
    for end in 0..2 {
        assert_eq!(pair.read[end].len(), 200);
        assert!((0..200).zip(&pair.read[end]).all(|(n, m)| m.2 == [n; 900]));
    }
}

#[cfg(feature = "snap")]
mod snap {
    use super::*;
    use crate::wire::sctp::SignalledInit;

    fn signalled(pair: &Pair) -> [SignalledInit; 2] {
        // As text, as the descriptions carry it.
        let text = |end: &Association| std::format!("{}", end.signalled_init().unwrap());
        pair.ends.each_ref().map(|end| SignalledInit::parse(&text(end)).unwrap())
    }

    fn connect(pair: &mut Pair, end: usize, init: &SignalledInit) -> bool {
        let remote = Remote { port: 5000, max_message_size: 65536 };
        pair.ends[end].connect_signalled(&mut Env::new(pair.now, &mut pair.rng), &remote, init)
    }

    #[test]
    fn ends_that_know_each_others_init_exchange_none() {
        let mut pair = Pair::new();
        let [a, b] = signalled(&pair);
        assert_eq!([a, b], signalled(&pair), "asking changes nothing");
        assert!(connect(&mut pair, 0, &b) && connect(&mut pair, 1, &a));
        assert!(up(&pair));
        pair.write(0, 3, &[7; 5000]).unwrap();
        pair.write(1, 3, b"there").unwrap();
        pair.run_for(SECOND);
        assert_eq!(pair.events, [[Event::Connected], [Event::Connected]]);
        assert_eq!(pair.texts(1), [[7; 5000]]);
        assert_eq!(pair.texts(0), [b"there"]);
        let handshake = [ChunkType::INIT, ChunkType::INIT_ACK, ChunkType::COOKIE_ECHO, ChunkType::COOKIE_ACK];
        assert!(pair.seen.iter().flatten().all(|kind| !handshake.contains(kind)), "{:?}", pair.seen);
        assert_eq!([a, b], signalled(&pair), "later descriptions say the same");
    }

    #[test]
    fn data_that_comes_first_is_lost_and_comes_again() {
        let mut pair = Pair::new();
        let [a, b] = signalled(&pair);
        assert!(connect(&mut pair, 0, &b));
        pair.write(0, 3, b"early").unwrap();
        pair.run_for(Duration::from_millis(50));
        assert!(pair.read[1].is_empty());
        assert!(connect(&mut pair, 1, &a));
        pair.run_for(10 * SECOND);
        assert_eq!(pair.texts(1), [b"early"]);
    }

    #[test]
    fn a_peer_that_returns_our_own_init_gets_the_usual_handshake() {
        let mut pair = Pair::new();
        let [a, _] = signalled(&pair);
        assert!(!connect(&mut pair, 0, &a));
        assert_eq!(pair.ends[0].state, State::Idle);
        pair.connect_end(0);
        pair.run_for(SECOND);
        assert!(up(&pair));
        assert!(pair.seen[0].contains(&ChunkType::INIT));
        // Too late now.
        let [_, b] = signalled(&pair);
        assert!(!connect(&mut pair, 0, &b));
    }
}
