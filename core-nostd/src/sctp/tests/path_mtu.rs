//! Longer packets, where the path was seen to carry them (RFC 8899).

use super::*;
use crate::wire::sctp::Data;

const BASE: usize = 1172;
const MOST: usize = 16_300;

/// A pair whose end 0 looks for longer packets, on a path that carries so much.
fn searching(carries: usize) -> Pair {
    let mut pair = Pair::new();
    pair.carries = carries;
    for end in 0..2 {
        pair.ends[end].set_path(
            &mut Env::new(pair.now, &mut pair.rng),
            BASE,
            if end == 0 { MOST } else { 0 },
        );
    }
    pair.connect();
    pair
}

fn move_to(pair: &mut Pair, carries: usize, most: usize) {
    pair.carries = carries;
    pair.ends[0].set_path(&mut Env::new(pair.now, &mut pair.rng), BASE, most);
}

fn size(pair: &Pair) -> usize {
    pair.ends[0].stats().max_packet
}

/// Writes messages until the end takes no more, and returns how many.
fn fill(pair: &mut Pair, octets: usize) -> usize {
    let mut n = 0;
    while pair.write(0, 0, &pattern(octets, n as u8)).is_ok() {
        n += 1;
    }
    n
}

fn arrive(pair: &mut Pair, n: usize, octets: usize) {
    let whole = pair.run_until(Duration::from_secs(120), |p| p.read[1].len() == n);
    assert!(whole, "{} of {n} messages", pair.read[1].len());
    for (salt, text) in pair.texts(1).into_iter().enumerate() {
        assert!(text == pattern(octets, salt as u8), "message {salt}");
    }
}

#[test]
fn a_path_that_carries_all_is_known_after_two_round_trips() {
    let mut pair = searching(usize::MAX);
    assert_eq!(size(&pair), MOST);
    let probes = pair.seen[0].iter().filter(|k| **k == ChunkType::PAD).count();
    assert_eq!(probes, 2, "one of the base size, one of all there may be");
    // Nothing is left to be found out.
    pair.run_for(Duration::from_secs(3600));
    assert_eq!(pair.seen[0].iter().filter(|k| **k == ChunkType::PAD).count(), probes);
    let n = fill(&mut pair, 60_000);
    pair.longest[0] = 0;
    arrive(&mut pair, n, 60_000);
    assert!(pair.longest[0] > MOST - 64, "{}", pair.longest[0]);
}

#[test]
fn no_probe_overtakes_the_end_of_the_handshake() {
    for end in 0..2 {
        let mut pair = Pair::new();
        for of in 0..2 {
            pair.ends[of].set_path(&mut Env::new(pair.now, &mut pair.rng), BASE, MOST);
        }
        pair.connect_end(end);
        let known = |p: &Pair| p.ends.iter().all(|e| e.stats().max_packet == MOST);
        assert!(pair.run_until(Duration::from_millis(500), known), "end {end} connects");
    }
}

#[test]
fn no_chunk_is_longer_than_the_base_size_takes() {
    let mut pair = searching(usize::MAX);
    fill(&mut pair, 60_000);
    let mut packets = 0;
    while let Some(packet) = pair.transmit(0) {
        packets += 1;
        for chunk in Packet::parse(&packet).unwrap().chunks() {
            let chunk = chunk.unwrap();
            let (_, bytes) = Data::parse(&chunk).unwrap();
            assert!(12 + 16 + bytes.len() <= BASE, "a chunk of {}", bytes.len());
        }
    }
    assert!(packets > 0);
}

#[test]
fn without_a_larger_ceiling_nothing_is_probed() {
    for most in [0, 500, BASE, BASE + 8] {
        let mut pair = Pair::new();
        move_to(&mut pair, usize::MAX, most);
        pair.connect();
        pair.run_for(Duration::from_secs(3600));
        assert!(!pair.seen[0].contains(&ChunkType::PAD), "{most}");
        assert_eq!(size(&pair), BASE);
    }
}

#[test]
fn the_search_ends_near_what_the_path_carries() {
    for carries in [1172, 1400, 1412, 2000, 9000, 16_299] {
        let mut pair = searching(carries);
        pair.run_for(Duration::from_secs(100));
        let found = size(&pair);
        assert!(found <= carries && carries <= found + found / 16, "{found} of {carries}");
        assert_eq!(pair.ends[0].stats().retransmitted, 0);
    }
}

#[test]
fn lost_probes_are_no_loss_to_congestion_control() {
    let mut pair = searching(BASE);
    let window = pair.ends[0].outbound.cc.window;
    pair.run_for(Duration::from_secs(20));
    assert_eq!(pair.ends[0].outbound.cc.window, window);
    assert_eq!(pair.ends[0].errors, 0);
    assert!(pair.ends[0].is_established());
}

#[test]
fn a_probe_that_is_lost_once_or_twice_is_sent_again() {
    for lost in 1..=2 {
        let mut pair = Pair::new();
        move_to(&mut pair, usize::MAX, MOST);
        pair.connect_end(0);
        pair.connect_end(1);
        // The base size is probed first.
        pair.run_until(Duration::from_secs(1), |p| {
            p.seen[0].iter().filter(|k| **k == ChunkType::PAD).count() == 2
        });
        pair.wire.clear();
        for _ in 1..lost {
            pair.run_until(Duration::from_secs(2), |p| {
                p.seen[0].iter().filter(|k| **k == ChunkType::PAD).count() == 3
            });
            pair.wire.clear();
        }
        assert_eq!(size(&pair), BASE);
        pair.run_for(Duration::from_secs(2));
        assert_eq!(size(&pair), MOST, "{lost} lost");
    }
}

#[test]
fn a_peer_that_answers_no_padded_heartbeat_keeps_the_base_size() {
    let mut pair = Pair::new();
    pair.filter = |_, _, kinds| !kinds.contains(&ChunkType::PAD);
    move_to(&mut pair, usize::MAX, MOST);
    pair.connect();
    pair.run_for(Duration::from_secs(30));
    assert_eq!(size(&pair), BASE);
    let probes = |p: &Pair| p.seen[0].iter().filter(|k| **k == ChunkType::PAD).count();
    assert_eq!((probes(&pair), pair.longest[0]), (3, BASE), "nothing longer is tried");
    let n = fill(&mut pair, 5000);
    arrive(&mut pair, n, 5000);
    // It is asked again ten minutes later.
    pair.filter = |_, _, _| true;
    pair.run_for(Duration::from_secs(600));
    assert_eq!(size(&pair), MOST);
}

#[test]
fn what_failed_is_tried_again_after_ten_minutes() {
    let mut pair = searching(1412);
    pair.run_for(Duration::from_secs(60));
    assert_eq!(size(&pair), 1412);
    pair.carries = usize::MAX;
    pair.run_for(Duration::from_secs(500));
    assert_eq!(size(&pair), 1412);
    pair.run_for(Duration::from_secs(100));
    assert_eq!(size(&pair), MOST);
}

#[test]
fn a_path_that_shrinks_unseen_is_a_black_hole_and_loses_nothing() {
    for carries in [BASE, 1412, 9000] {
        let mut pair = searching(usize::MAX);
        let n = fill(&mut pair, 60_000);
        // With a full window on its way.
        pair.run_until(Duration::from_secs(5), |p| p.read[1].len() > 3);
        pair.carries = carries;
        pair.wire.retain(|_, (_, packet)| packet.len() <= carries);
        arrive(&mut pair, n, 60_000);
        pair.run_for(Duration::from_secs(100));
        assert!(size(&pair) <= carries, "{} of {carries}", size(&pair));
    }
}

#[test]
fn long_packets_alone_get_lost_and_short_ones_do_not() {
    // Acknowledgements of short messages go on, so that no timeout tells.
    let mut pair = searching(usize::MAX);
    pair.carries = 1412;
    let mut n = 0;
    for round in 0..50_u8 {
        pair.write(0, 0, &pattern(5000, round)).unwrap();
        n += 1;
        for salt in 0..4 {
            pair.write_as(0, 1, &[salt], true, Reliability::Reliable).unwrap();
            pair.run_for(Duration::from_millis(25));
        }
    }
    assert!(pair.run_until(Duration::from_secs(2), |p| p.read[1].len() == 5 * n));
    assert!(size(&pair) <= 1412);
}

#[test]
fn another_path_starts_with_the_base_size_and_a_first_window() {
    let mut pair = searching(usize::MAX);
    let first = pair.ends[0].outbound.cc.window;
    let n = fill(&mut pair, 60_000);
    pair.run_until(Duration::from_secs(5), |p| p.read[1].len() > 3);
    let outstanding = pair.ends[0].outbound.sent.len();
    assert!(outstanding > 20, "{outstanding} chunks in flight");
    // All of them are lost with the old path.
    pair.wire.clear();
    move_to(&mut pair, BASE, 0);
    assert_eq!(pair.ends[0].outbound.cc.window, first);
    arrive(&mut pair, n, 60_000);
    assert_eq!(size(&pair), BASE);
    // And back again.
    move_to(&mut pair, usize::MAX, MOST);
    pair.run_for(Duration::from_secs(1));
    assert_eq!(size(&pair), MOST);
}

#[test]
fn losses_of_all_kinds_with_long_packets_lose_no_message() {
    let mut pair = searching(usize::MAX);
    pair.weather = Weather { loss: 5, duplicates: 2, reordered: 10, ..FINE };
    let n = fill(&mut pair, 60_000);
    arrive(&mut pair, n, 60_000);
    assert!(pair.ends[0].stats().retransmitted > 0);
}

#[test]
fn short_messages_share_a_long_packet() {
    let mut pair = searching(usize::MAX);
    for salt in 0..200 {
        pair.write(0, 0, &pattern(40, salt)).unwrap();
    }
    let packets = core::iter::from_fn(|| pair.transmit(0)).count();
    assert_eq!(packets, 1);
}

#[test]
fn a_buffer_too_short_for_a_probe_sends_none() {
    let mut pair = Pair::connected();
    move_to(&mut pair, usize::MAX, MOST);
    let mut buf = [0; 1000];
    let env = &mut Env::new(pair.now, &mut pair.rng);
    assert_eq!(pair.ends[0].poll_write(env, &mut buf), None);
    pair.write(0, 0, b"goes").unwrap();
    let env = &mut Env::new(pair.now, &mut pair.rng);
    assert!(pair.ends[0].poll_write(env, &mut buf).is_some());
}
