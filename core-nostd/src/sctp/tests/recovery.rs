//! What is lost is found by time, and what ends a burst by a probe (RFC 8985).

use super::*;

const ROUND_TRIP: Duration = Duration::from_millis(20);
/// A peer may wait so long before it acknowledges.
const SACK_DELAY: Duration = Duration::from_millis(200);

/// A pair whose round trip was measured, and `n` messages of one packet each,
/// written but not sent.
fn with_messages(n: usize) -> Pair {
    let mut pair = Pair::connected();
    for salt in 0..4 {
        pair.write(0, 0, &pattern(5000, salt)).unwrap();
        pair.run_for(Duration::from_secs(1));
    }
    assert_eq!(pair.ends[0].stats().retransmitted, 0);
    pair.read = Default::default();
    for salt in 0..n {
        pair.write(0, 0, &pattern(1000, salt as u8)).unwrap();
    }
    pair
}

/// Sends what end 0 has to send: each packet arrives so much later than it
/// would, in ms; `None` loses it.
fn send(pair: &mut Pair, fates: &[Option<u64>]) {
    for fate in fates {
        let packet = pair.transmit(0).expect("a packet for each fate");
        if let Some(late) = fate {
            pair.sent += 1;
            let at = pair.now + pair.weather.delay + Duration::from_millis(*late);
            pair.wire.insert((at, pair.sent), (1, packet));
        }
    }
    assert_eq!(pair.transmit(0), None, "a fate for each packet");
}

/// How long it takes until all `n` messages are read.
fn time_to_read(pair: &mut Pair, n: usize) -> Duration {
    let start = pair.now;
    assert!(
        pair.run_until(Duration::from_secs(60), |p| p.read[1].len() == n),
        "{} of {n}",
        pair.read[1].len()
    );
    for (salt, text) in pair.texts(1).into_iter().enumerate() {
        assert_eq!(text, pattern(1000, salt as u8));
    }
    pair.now - start
}

#[test]
fn a_lost_tail_is_probed_for_and_costs_no_timeout() {
    for lost in 1..=3 {
        let mut pair = with_messages(4);
        let fates: Vec<_> = (0..4).map(|i| (i < 4 - lost).then_some(0)).collect();
        send(&mut pair, &fates);
        let rto = pair.ends[0].outbound.cc.rto;
        let took = time_to_read(&mut pair, 4);
        // The probe leaves two round trips after the last acknowledgement.
        assert!(took < rto, "{lost} lost: {took:?}, a timeout takes {rto:?}");
        assert!(took >= 2 * ROUND_TRIP, "{lost} lost: {took:?} is before a probe is due");
    }
}

#[test]
fn a_packet_alone_is_probed_for_when_the_peer_had_its_delay() {
    let mut pair = with_messages(1);
    send(&mut pair, &[None]);
    let rto = pair.ends[0].outbound.cc.rto;
    let took = time_to_read(&mut pair, 1);
    assert!(took > SACK_DELAY && took < rto, "{took:?}, a timeout takes {rto:?}");
    assert_eq!(pair.ends[0].stats().retransmitted, 1);
}

#[test]
fn a_probe_that_repaired_a_loss_shrinks_the_window_and_a_needless_one_does_not() {
    // The packet is lost, or late by more than the wait for the probe.
    for (fate, shrinks) in [(None, true), (Some(290), false)] {
        let mut pair = with_messages(1);
        let window = pair.ends[0].outbound.cc.window;
        send(&mut pair, &[fate]);
        time_to_read(&mut pair, 1);
        pair.run_for(Duration::from_secs(2));
        assert_eq!(pair.ends[0].stats().retransmitted, 1, "the probe of {fate:?}");
        // Only what is acknowledged after it tells: no duplicate is reported.
        assert_eq!(pair.ends[0].outbound.cc.window, window);
        pair.write(0, 0, &pattern(1000, 1)).unwrap();
        time_to_read(&mut pair, 2);
        pair.run_for(Duration::from_secs(1));
        let after = pair.ends[0].outbound.cc.window;
        assert_eq!(after < window, shrinks, "{fate:?}: {window} before, {after} after");
    }
}

#[test]
fn what_overtakes_by_a_quarter_of_a_round_trip_is_no_loss() {
    // 5 ms are a quarter of the round trip.
    for (late, lost) in [(3, 0), (60, 1)] {
        let mut pair = with_messages(3);
        send(&mut pair, &[Some(late), Some(0), Some(0)]);
        time_to_read(&mut pair, 3);
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.ends[0].stats().retransmitted, lost, "{late} ms late");
    }
}

#[test]
fn a_loss_that_one_later_packet_shows_is_found_without_three_reports() {
    let mut pair = with_messages(2);
    send(&mut pair, &[None, Some(0)]);
    let took = time_to_read(&mut pair, 2);
    // One round trip until the gap is reported, a quarter of one for what may
    // still come, and half of one for the packet sent again.
    assert!(took <= ROUND_TRIP * 2, "{took:?}");
    assert_eq!(pair.ends[0].stats().retransmitted, 1);
}

#[test]
fn a_retransmission_that_is_lost_is_found_by_what_was_sent_after_it() {
    let mut pair = with_messages(3);
    send(&mut pair, &[None, Some(0), Some(0)]);
    // The gap is reported, and the first message sent again, in vain.
    let wait = ROUND_TRIP + ROUND_TRIP / 2;
    pair.filter = |from, _, kinds| from == 1 || !kinds.contains(&ChunkType::DATA);
    assert!(!pair.run_until(wait, |p| p.read[1].len() == 3));
    assert_eq!(pair.ends[0].stats().retransmitted, 1);
    pair.filter = |_, _, _| true;
    let rto = pair.ends[0].outbound.cc.rto;
    for salt in 3..6 {
        pair.write(0, 0, &pattern(1000, salt)).unwrap();
    }
    let took = time_to_read(&mut pair, 6);
    assert!(took < rto, "{took:?}, a timeout takes {rto:?}");
    assert_eq!(pair.ends[0].stats().retransmitted, 2);
}
