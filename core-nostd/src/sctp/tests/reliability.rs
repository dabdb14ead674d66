use super::*;

fn idata() -> Config {
    Config { interleaving: true, ..config() }
}

fn pairs() -> [Pair; 2] {
    [[config(); 2], [idata(); 2]].map(|configs| {
        let mut pair = Pair::with(configs, [Limits::DEFAULT; 2], 3);
        pair.connect();
        pair
    })
}

const SECOND: Duration = Duration::from_secs(1);

/// Loses every packet with data that is neither the first nor a late one.
fn lose_data(_: usize, _: u64, kinds: &[ChunkType]) -> bool {
    !kinds.iter().any(|k| matches!(*k, ChunkType::DATA | ChunkType::I_DATA))
}

#[test]
fn a_message_without_retransmissions_is_skipped_and_the_next_arrives() {
    for unordered in [false, true] {
        for mut pair in pairs() {
            for n in 0..3 {
                pair.filter = if n == 1 { lose_data } else { |_, _, _| true };
                pair.write_as(0, 2, &pattern(5000, n), unordered, Reliability::Retransmits(0)).unwrap();
                pair.run_for(Duration::from_millis(100));
            }
            pair.run_for(10 * SECOND);
            assert_eq!(pair.texts(1), [pattern(5000, 0), pattern(5000, 2)]);
            assert_eq!(pair.ends[0].stats().abandoned, 1);
            assert_eq!(pair.ends[0].buffered_amount(2), 0);
            pair.write(0, 2, b"reliable again").unwrap();
            pair.run_for(SECOND);
            assert_eq!(pair.texts(1)[2..], [b"reliable again"]);
        }
    }
}

#[test]
fn a_message_lives_as_long_as_it_says() {
    for mut pair in pairs() {
        pair.filter = lose_data;
        let lifetime = Reliability::Lifetime(Duration::from_millis(300));
        pair.write_as(0, 2, &pattern(2000, 1), false, lifetime).unwrap();
        pair.write_as(0, 2, b"never sent", false, Reliability::Lifetime(Duration::ZERO)).unwrap();
        pair.write(0, 2, b"for ever").unwrap();
        pair.run_for(Duration::from_millis(700));
        pair.filter = |_, _, _| true;
        pair.run_for(10 * SECOND);
        assert_eq!(pair.texts(1), [b"for ever"]);
        assert_eq!(pair.ends[0].stats().abandoned, 2);
    }
}

#[test]
fn messages_that_may_be_lost_come_in_order_or_not_at_all() {
    for mut pair in pairs() {
        pair.weather = Weather { loss: 20, duplicates: 5, reordered: 10, ..FINE };
        let mut written = 0u32;
        for _ in 0..100 {
            for stream in 0..3 {
                let mut data = pattern(3000, 0);
                data[..4].copy_from_slice(&written.to_be_bytes());
                let reliability = Reliability::Retransmits(stream % 2);
                pair.write_as(0, stream, &data, false, reliability).unwrap();
                written += 1;
            }
            pair.run_for(Duration::from_millis(30));
        }
        pair.run_for(60 * SECOND);
        pair.weather = FINE;
        for stream in 0..3 {
            pair.write(0, stream, &[0xff; 5]).unwrap();
        }
        pair.run_for(20 * SECOND);
        let mut arrived = 0;
        for stream in 0..3u16 {
            let numbers: Vec<_> =
                pair.read[1].iter().filter(|m| m.0 == stream).map(|m| m.2[..4].to_vec()).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "stream {stream}");
            assert_eq!(numbers.last(), Some(&std::vec![0xff; 4]), "stream {stream}");
            arrived += numbers.len() - 1;
        }
        assert_eq!(pair.ends[0].buffered_amount(0), 0);
        let abandoned = pair.ends[0].stats().abandoned as usize;
        assert!(abandoned > 10 && arrived + abandoned >= 300, "{arrived} arrived, {abandoned} given up");
    }
}

#[test]
fn other_streams_and_unordered_messages_do_not_wait_for_a_lost_one() {
    for mut pair in pairs() {
        pair.write(0, 1, b"first").unwrap();
        let lost = pair.transmit(0).unwrap();
        for (stream, text, unordered) in
            [(1, &b"waits"[..], false), (2, b"other stream", false), (1, b"unordered", true)]
        {
            pair.write_as(0, stream, text, unordered, Reliability::Reliable).unwrap();
        }
        let later = pair.transmit(0).unwrap();
        pair.receive(1, &later);
        let mut got = Vec::new();
        while let Some(m) = pair.ends[1].poll_read() {
            got.push(m.data.to_vec());
        }
        got.sort();
        assert_eq!(got, [&b"other stream"[..], b"unordered"]);
        pair.receive(1, &lost);
        pair.run_for(SECOND);
        assert_eq!(pair.texts(1), [&b"first"[..], b"waits"]);
    }
}
