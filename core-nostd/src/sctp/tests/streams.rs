use super::*;
use crate::wire::Writer;
use crate::wire::sctp::{Header, ResetResult, emit_chunk, emit_header};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_reset_is_reported_after_all_earlier_messages_were_read() {
    let mut pair = Pair::connected();
    pair.reading[1] = false;
    for n in 0..3 {
        pair.write(0, 7, &pattern(4000, n)).unwrap();
    }
    pair.ends[0].reset_stream(7);
    assert_eq!(pair.write(0, 7, b"late"), Err(WriteError::StreamReset));
    pair.run_for(2 * SECOND);
    assert_eq!(pair.events[1], []);
    assert!(pair.events[0].contains(&Event::OwnResetDone { stream: 7 }));
    pair.reading[1] = true;
    pair.run_for(SECOND);
    assert_eq!(pair.read[1].len(), 3);
    assert_eq!(pair.events[1], [Event::PeerReset { stream: 7 }]);
    // Both ends start over, with sequence number 0.
    pair.write(0, 7, b"new life").unwrap();
    pair.run_for(SECOND);
    assert_eq!(pair.texts(1)[3..], [b"new life"]);
}

#[test]
fn resets_of_many_streams_survive_bad_weather() {
    for seed in 0..5 {
        let mut pair = Pair::with([config(), config()], [Limits::DEFAULT; 2], seed);
        pair.connect();
        pair.weather = Weather { loss: 20, duplicates: 10, reordered: 10, ..FINE };
        for round in 0..3u8 {
            for stream in 0..100 {
                for end in 0..2 {
                    pair.write(end, stream, &[round; 50]).unwrap();
                    pair.ends[end].reset_stream(stream);
                }
            }
            let all = |p: &Pair| {
                p.events.iter().all(|events| {
                    let done = events.iter().filter(|e| matches!(e, Event::OwnResetDone { .. })).count();
                    let peer = events.iter().filter(|e| matches!(e, Event::PeerReset { .. })).count();
                    done == 100 && peer == 100
                })
            };
            let counts = |p: &Pair| p.events.each_ref().map(Vec::len);
            assert!(
                pair.run_until(120 * SECOND, all),
                "seed {seed}, round {round}: {:?} {:?} {:?}",
                counts(&pair),
                pair.ends[0].resets,
                pair.ends[1].resets
            );
            for end in 0..2 {
                assert!(pair.read[end].iter().all(|m| m.2 == [round; 50]));
                assert_eq!(pair.read[end].len(), 100);
            }
            pair.events = Default::default();
            pair.read = Default::default();
        }
    }
}

#[test]
fn a_stream_that_was_never_used_can_be_reset() {
    let mut pair = Pair::connected();
    pair.ends[0].reset_stream(65534);
    pair.run_for(SECOND);
    assert_eq!(pair.events, [[Event::OwnResetDone { stream: 65534 }], [Event::PeerReset { stream: 65534 }]]);
}

#[test]
fn stream_numbers_and_tables_end() {
    let limits = Limits { streams: 2, ..Limits::DEFAULT };
    let mut pair = Pair::with([limits, Limits::DEFAULT].map(|_| config()), [Limits::DEFAULT, limits], 1);
    pair.connect();
    assert_eq!(pair.ends[0].outgoing_streams(), 65535);
    assert_eq!(pair.write(0, 65535, b"x"), Err(WriteError::NoSuchStream));
    for stream in 0..3 {
        pair.write(0, stream, b"x").unwrap();
    }
    pair.run_for(5 * SECOND);
    // The third is acknowledged and discarded, and its stream reset: whoever
    // sends on it must not believe it served.
    assert_eq!(pair.read[1].len(), 2);
    assert!(pair.seen[1].contains(&ChunkType::RE_CONFIG));
    assert!(pair.events[0].contains(&Event::PeerReset { stream: 2 }));
    assert_eq!(pair.ends[0].buffered_amount(2), 0);
    assert_eq!(pair.write(1, 0, b"x"), Ok(()));
    assert_eq!(pair.write(1, 1, b"x"), Ok(()));
    assert_eq!(pair.write(1, 2, b"x"), Err(WriteError::TooManyStreams));
}

/// A RE-CONFIG chunk with one parameter of two words, from end 0 to end 1.
fn reconfig(pair: &Pair, kind: u16, request: u32, word: u32) -> Vec<u8> {
    let mut buf = [0; 64];
    let mut w = Writer::new(&mut buf);
    let tag = pair.ends[0].link.peer_tag;
    emit_header(&mut w, &Header { source: 5000, destination: 5000, tag }).unwrap();
    emit_chunk(&mut w, ChunkType::RE_CONFIG, 0, |w| {
        w.u16(kind)?;
        w.u16(12)?;
        w.u32(request)?;
        w.u32(word)
    })
    .unwrap();
    w.written().to_vec()
}

fn answers(pair: &mut Pair) -> Vec<(u32, ResetResult)> {
    pair.ends[1].resets.answers.iter().copied().collect()
}

#[test]
fn added_streams_are_taken_and_other_requests_answered() {
    let mut pair = Pair::connected();
    pair.ends[1].inbound.stream_count = 10;
    let first = pair.ends[0].resets.request;
    for (kind, number, word, result) in [
        (17, first, 5 << 16, ResetResult::PERFORMED),
        (17, first, 5 << 16, ResetResult::PERFORMED),
        (18, first.wrapping_add(1), 5 << 16, ResetResult::DENIED),
        (15, first.wrapping_add(2), 0, ResetResult::DENIED),
        (17, first.wrapping_add(9), 5 << 16, ResetResult::BAD_SEQUENCE),
    ] {
        let packet = reconfig(&pair, kind, number, word);
        pair.receive(1, &packet);
        assert_eq!(answers(&mut pair), [(number, result)], "kind {kind}");
        while pair.transmit(1).is_some() {}
    }
    assert_eq!(pair.ends[1].inbound.stream_count, 15, "the repetition added nothing");
}

#[test]
fn bandwidth_is_shared_by_priority() {
    for interleaving in [false, true] {
        let config = Config { interleaving, ..config() };
        let mut pair = Pair::with([config; 2], [Limits::DEFAULT; 2], 6);
        pair.connect();
        pair.ends[0].set_priority(1, 1024);
        pair.ends[0].set_priority(2, 256);
        for _ in 0..60 {
            pair.write(0, 1, &[1; 7000]).unwrap();
            pair.write(0, 2, &[2; 7000]).unwrap();
        }
        assert!(pair.run_until(30 * SECOND, |p| p.read[1].iter().filter(|m| m.0 == 1).count() >= 40));
        let slow = pair.read[1].iter().filter(|m| m.0 == 2).count();
        assert!((6..=14).contains(&slow), "{slow} of the slow stream, interleaving: {interleaving}");
    }
}

#[test]
fn interleaving_lets_a_short_message_overtake_a_long_one() {
    for interleaving in [false, true] {
        let config = Config { interleaving, ..config() };
        let mut pair = Pair::with([config; 2], [Limits::DEFAULT; 2], 6);
        pair.connect();
        pair.write(0, 1, &[1; 200_000]).unwrap();
        pair.run_for(Duration::from_millis(1));
        pair.write(0, 2, b"short").unwrap();
        pair.run_for(5 * SECOND);
        assert_eq!(pair.read[1].len(), 2);
        assert_eq!(pair.read[1][0].0 == 2, interleaving);
    }
}
