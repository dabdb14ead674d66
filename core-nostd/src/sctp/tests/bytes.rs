//! Octets that nobody should send.

use super::*;
use crate::wire::Writer;
use crate::wire::sctp::{Data, Header, Tsn, emit_chunk, emit_header, fill_checksum};

/// A packet from end 0 to end 1 with one chunk.
fn packet(pair: &Pair, emit: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buf = [0; 1500];
    let mut w = Writer::new(&mut buf);
    let tag = pair.ends[0].link.peer_tag;
    emit_header(&mut w, &Header { source: 5000, destination: 5000, tag }).unwrap();
    emit(&mut w);
    fill_checksum(w.written_mut());
    w.written().to_vec()
}

fn data(tsn: Tsn, stream: u16, seq: u32, begin: bool, end: bool) -> Data {
    Data { tsn, stream, seq, ppid: 51, fsn: 0, immediate: false, unordered: false, begin, end }
}

#[test]
fn random_octets_do_no_harm() {
    let mut rng = Rng::new([9; 32]);
    let kinds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 64, 130, 192, 194, 63, 127, 191, 255];
    for round in 0..60u8 {
        let config = Config { interleaving: round % 2 == 0, ..config() };
        let limits = if round % 3 == 0 { Limits::TINY } else { Limits::DEFAULT };
        let mut pair = Pair::with([config; 2], [limits; 2], round);
        if round % 5 > 0 {
            pair.connect();
            let _ = pair.write(1, 3, &[1; 500]);
        }
        for _ in 0..300 {
            let base = pair.ends[1].inbound.cumulative;
            let tag = if rng.below(8) == 0 { 0 } else { pair.ends[1].link.tag };
            let kind = kinds[rng.below(kinds.len() as u32) as usize];
            // Aborts and initiations would end the round too soon.
            if matches!(kind, 6 | 8) && rng.below(20) > 0 {
                continue;
            }
            let len = rng.below(60) as usize;
            let mut value: Vec<u8> = (0..len).map(|_| rng.next_u32() as u8 & [0xff, 3][len % 2]).collect();
            if len >= 4 && rng.below(4) > 0 {
                let near = base.0.wrapping_add(rng.below(40)).wrapping_sub(5);
                value[..4].copy_from_slice(&near.to_be_bytes());
            }
            let flags = rng.next_u32() as u8;
            let mut buf = [0; 200];
            let mut w = Writer::new(&mut buf);
            emit_header(&mut w, &Header { source: 5000, destination: 5000, tag }).unwrap();
            emit_chunk(&mut w, ChunkType(kind), flags, |w| w.bytes(&value)).unwrap();
            let cut = w.len() - rng.below(3) as usize;
            let mut bytes = w.written()[..cut].to_vec();
            fill_checksum(&mut bytes);
            pair.receive(1, &bytes);
            pair.run_for(Duration::from_millis(rng.below(50).into()));
        }
        pair.run_for(Duration::from_secs(30));
    }
}

#[test]
fn damaged_packets_are_dropped() {
    let mut pair = Pair::connected();
    let crc = pair.ends[1].config.zero_checksum;
    assert!(crc);
    let good = packet(&pair, |w| {
        let head = data(pair.ends[1].inbound.cumulative.next(), 1, 0, true, true);
        head.emit(w, false, 4, |room| room.fill(7)).unwrap();
    });
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let before = pair.ends[1].stats().dropped;
        pair.receive(1, &bad);
        assert!(pair.ends[1].stats().dropped > before, "bit {bit}");
    }
    assert_eq!(pair.ends[1].peek_read(), None);
    pair.receive(1, &good);
    assert_eq!(pair.ends[1].peek_read(), Some(Head { stream: 1, ppid: 51, len: 4 }));
}

#[test]
fn a_flood_of_fragments_with_gaps_is_bounded() {
    let mut pair = Pair::connected();
    let base = pair.ends[1].inbound.cumulative;
    for n in 1..20_000u32 {
        let bytes = packet(&pair, |w| {
            let head = data(base.add(2 * n), 1, 0, false, false);
            head.emit(w, false, 1, |room| room.fill(7)).unwrap();
        });
        pair.receive(1, &bytes);
        if n % 2 == 0 {
            pair.transmit(1);
        }
    }
    let stats = pair.ends[1].stats();
    assert!(stats.no_room > 19_000, "{stats:?}");
    assert!(pair.ends[1].is_established());
}

#[test]
fn breaches_of_the_protocol_end_the_association() {
    // Without user data; longer than allowed; interleaved without agreement.
    for case in 0..3 {
        let mut pair = Pair::connected();
        let first = pair.ends[1].inbound.cumulative.next();
        for n in 0..300 {
            let bytes = packet(&pair, |w| {
                let head = data(first.add(n), 1, 0, n == 0, false);
                let len = if case == 0 { 0 } else { 1000 };
                head.emit(w, case == 2, len, |room| room.fill(7)).unwrap();
            });
            pair.receive(1, &bytes);
        }
        let cause = if case == 0 { 9 } else { 13 };
        assert_eq!(pair.ends[1].poll_event(), Some(Event::Closed(CloseReason::PeerMisbehaved { cause })));
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.events[0], [Event::Closed(CloseReason::AbortedByPeer { cause })]);
    }
}

#[test]
fn unknown_chunks_go_by_their_upper_bits() {
    for (kind, skipped, reported) in
        [(63, false, false), (127, false, true), (191, true, false), (255, true, true)]
    {
        let mut pair = Pair::connected();
        let bytes = packet(&pair, |w| {
            emit_chunk(w, ChunkType(kind), 0, |w| w.u32(5)).unwrap();
            let head = data(pair.ends[1].inbound.cumulative.next(), 1, 0, true, true);
            head.emit(w, false, 4, |room| room.fill(7)).unwrap();
        });
        pair.receive(1, &bytes);
        assert_eq!(pair.ends[1].peek_read().is_some(), skipped, "kind {kind}");
        pair.run_for(Duration::from_secs(1));
        assert_eq!(pair.seen[1].contains(&ChunkType::ERROR), reported, "kind {kind}");
    }
}
