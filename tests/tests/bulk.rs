//! Much data over a bad network: it arrives whole, and in what virtual time.

use picortc::env::Instant;
use picortc::peer::RTCDataChannelId;
use picortc_tests::{Pair, Weather};
use std::time::Duration;

const MESSAGE: usize = 64 * 1024;
const TOTAL: usize = 64 * 1024 * 1024;

/// The octet at a place of the stream of end `end`: what is lost, doubled or
/// swapped anywhere shows.
fn octet(end: usize, at: usize) -> u8 {
    let x = (at as u64 ^ (end as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

fn message(end: usize, index: usize) -> Vec<u8> {
    (0..MESSAGE).map(|i| octet(end, index * MESSAGE + i)).collect()
}

/// Sends as much of its stream as the connection takes.
fn fill(pair: &mut Pair, end: usize, id: RTCDataChannelId, sent: &mut usize) {
    while *sent < TOTAL / MESSAGE {
        let now = pair.now;
        let Some(mut channel) = pair.ends[end].pc.data_channel(id) else { return };
        if channel.buffered_amount() > 512 * 1024 || channel.send(now, &message(end, *sent)).is_err() {
            return;
        }
        *sent += 1;
    }
}

/// Checks and forgets what arrived at the end `to`.
fn check(pair: &mut Pair, to: usize, seen: &mut usize) {
    for received in pair.ends[to].received.drain(..) {
        assert!(received.data == message(1 - to, *seen), "message {seen} to end {to} is not what was sent");
        *seen += 1;
    }
}

/// Both directions at once.
fn both_ways(weather: Weather, seed: u64) -> Duration {
    let mut pair = Pair::new(weather, seed);
    let ids = pair.connect();
    let start: Instant = pair.now;
    let (mut sent, mut seen) = ([0; 2], [0; 2]);
    let done = pair.run(Duration::from_secs(3600), |p| {
        for end in 0..2 {
            fill(p, end, ids[end], &mut sent[end]);
            check(p, end, &mut seen[end]);
        }
        seen == [TOTAL / MESSAGE; 2]
    });
    assert!(done, "after an hour: {seen:?} of {} messages", TOTAL / MESSAGE);
    pair.now - start
}

#[test]
fn sixty_four_mebibytes_each_way_at_two_per_cent_loss_and_reordering() {
    let weather = Weather {
        delay: Duration::from_millis(40),
        loss: 20,
        reordering: 100,
        duplication: 5,
        ..Weather::default()
    };
    let took = both_ways(weather, 1);
    println!("64 MiB each way, 2 % loss, 40 ms each way, 10 % reordered: {took:?} of virtual time");
}
