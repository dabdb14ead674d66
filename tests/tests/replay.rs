//! A connection is a function of its seed and its inputs: the same ones give
//! the same octets at the same times.

use picortc::env::Instant;
use picortc::peer::RTCPeerConnectionEvent;
use picortc_tests::{Pair, Setup, Weather};
use std::time::Duration;

/// What can be told of a run from outside.
#[derive(Debug, PartialEq)]
struct Seen {
    trace: u64,
    end: Instant,
    events: [Vec<RTCPeerConnectionEvent>; 2],
    octets: [u64; 2],
}

/// Connects over a bad network, transfers, restarts ICE, closes.
fn run(network: u64, seeds: [u8; 2]) -> Seen {
    let weather = Weather { loss: 100, reordering: 200, duplication: 50, ..Weather::default() };
    let ends = [0, 1].map(|i| Setup { seed: seeds[i], ..Setup::end(i as u8) });
    let mut pair = Pair::with(weather, network, &ends[0], &ends[1]);
    let ids = pair.connect();
    for round in 1..=3u64 {
        for (end, id) in ids.into_iter().enumerate() {
            let now = pair.now;
            pair.ends[end].pc.data_channel(id).unwrap().send(now, &[round as u8; 100_000]).unwrap();
        }
        pair.negotiate(round as usize % 2, true);
        let all = |p: &mut Pair| p.ends.iter().all(|e| e.octets == round * 100_000);
        assert!(pair.run(Duration::from_secs(300), all), "round {round}");
    }
    let now = pair.now;
    pair.ends[0].pc.close(now);
    pair.run(Duration::from_secs(5), |_| false);
    Seen {
        trace: pair.net.trace,
        end: pair.now,
        octets: pair.ends.each_ref().map(|e| e.octets),
        events: pair.ends.map(|e| e.events),
    }
}

#[test]
fn the_same_seeds_and_inputs_give_the_same_octets() {
    for network in 0..4 {
        assert_eq!(run(network, [1, 2]), run(network, [1, 2]), "network {network}");
    }
}

#[test]
fn another_seed_of_either_end_gives_other_octets() {
    let first = run(0, [1, 2]).trace;
    assert_ne!(first, run(0, [3, 2]).trace);
    assert_ne!(first, run(0, [1, 3]).trace);
}
