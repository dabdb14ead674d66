use super::*;

fn bulk(
    mut pair: Pair,
    weather: Weather,
    sizes: &[usize],
    total: usize,
    limit: Duration,
) -> (Pair, Duration) {
    pair.connect();
    pair.weather = weather;
    let start = pair.now;
    let (mut written, mut n) = (0, 0);
    let mut want = Vec::new();
    while written < total || pair.read[1].len() < want.len() {
        while written < total {
            let message = pattern(sizes[n % sizes.len()], n as u8);
            match pair.write(0, (n % 3) as u16, &message) {
                Ok(()) => {
                    written += message.len();
                    n += 1;
                    want.push(message);
                }
                Err(WriteError::Full) => break,
                Err(e) => panic!("{e}"),
            }
        }
        let before = pair.read[1].len();
        let progress = pair.run_until(Duration::from_secs(30), |p| {
            p.read[1].len() > before || (p.ends[0].stats().buffered == 0 && written < total)
        });
        assert!(progress, "no message in 30 s: {} of {}, {:?}", before, want.len(), pair.ends[0].stats());
        assert!(pair.now - start < limit, "{} of {} after {limit:?}", pair.read[1].len(), want.len());
    }
    for stream in 0..3u16 {
        let got = pair.read[1].iter().filter(|m| m.0 == stream).map(|m| &m.2);
        let want = want.iter().skip(stream.into()).step_by(3);
        let at = got.clone().zip(want.clone()).position(|(g, w)| g != w);
        assert_eq!((at, got.count()), (None, want.count()), "stream {stream}: the first that differs");
    }
    let took = pair.now - start;
    (pair, took)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_megabyte_arrives_whole_on_a_fine_day() {
    let (pair, took) = bulk(Pair::new(), FINE, &[16 * 1024, 1, 256 * 1024, 700], 3 << 20, seconds(5));
    assert_eq!(pair.ends[0].stats().retransmitted, 0);
    assert!(took < seconds(1), "{took:?}");
}

#[test]
fn two_megabytes_survive_loss_doubles_and_reordering() {
    for (seed, loss) in [(1, 1), (2, 5), (3, 10)] {
        let weather = Weather { loss, duplicates: 3, reordered: 5, ..FINE };
        let pair = Pair::with([config(), config()], [Limits::DEFAULT; 2], seed);
        let (pair, took) = bulk(pair, weather, &[30_000, 100, 5000], 2 << 20, seconds(240));
        std::println!("{loss} % loss: {took:?}, {:?}", pair.ends[0].stats());
    }
}

#[test]
fn interleaved_messages_survive_the_same() {
    let idata = Config { interleaving: true, ..config() };
    let pair = Pair::with([idata, idata], [Limits::DEFAULT; 2], 5);
    let weather = Weather { loss: 5, duplicates: 3, reordered: 5, ..FINE };
    let (pair, _) = bulk(pair, weather, &[30_000, 100, 5000], 1 << 20, seconds(240));
    assert!(pair.seen[0].contains(&ChunkType::I_DATA) && !pair.seen[0].contains(&ChunkType::DATA));
}

/// A device's arena holds one message or two: each of them waited for the
/// other end's delayed acknowledgement, and 64 kB took a quarter of a minute.
#[test]
fn small_buffers_wait_for_no_delayed_acknowledgement() {
    for limits in [[Limits::TINY, Limits::DEFAULT], [Limits::DEFAULT, Limits::TINY]] {
        let pair = Pair::with([config(), config()], limits, 1);
        let (_, took) = bulk(pair, FINE, &[1000], 64_000, seconds(4));
        assert!(took < seconds(3), "{took:?}");
    }
}

#[test]
fn small_buffers_make_progress_in_bad_weather() {
    for seed in 0..6 {
        let tiny = Limits::TINY;
        let pair = Pair::with([config(), config()], [tiny, tiny], seed);
        let weather = Weather { loss: 10, duplicates: 5, reordered: 10, ..FINE };
        bulk(pair, weather, &[1000, 1, 300], 40_000, seconds(300));
    }
}

#[test]
fn a_reader_that_stops_closes_the_window_and_opens_it_again() {
    let limits = Limits { receive_buffer: 16 * 1024, ..Limits::DEFAULT };
    let mut pair = Pair::with([config(), config()], [Limits::DEFAULT, limits], 8);
    pair.connect();
    pair.reading[1] = false;
    for n in 0..100u8 {
        pair.write(0, 0, &[n; 1000]).unwrap();
    }
    pair.run_for(seconds(60));
    assert!(pair.ends.iter().all(Association::is_established), "probes are no errors");
    assert!(pair.ends[0].buffered_amount(0) > 80_000);
    pair.reading[1] = true;
    assert!(pair.run_until(seconds(15), |p| p.read[1].len() == 100), "{} read", pair.read[1].len());
    assert!((0..100).zip(&pair.read[1]).all(|(n, m)| m.2 == [n; 1000]));
}

#[test]
fn a_full_buffer_is_an_error_and_room_is_announced() {
    let limits = Limits { send_buffer: 8 * 1024, ..Limits::DEFAULT };
    let mut pair = Pair::with([config(), config()], [limits, Limits::DEFAULT], 9);
    pair.connect();
    assert_eq!(pair.write(0, 1, &[0; 8193]), Err(WriteError::TooLarge { max: 8192 }));
    pair.write(0, 1, &[1; 6000]).unwrap();
    assert_eq!(pair.write(0, 2, &[2; 6000]), Err(WriteError::Full));
    assert_eq!(pair.write(0, 2, &[]), Err(WriteError::Empty));
    assert_eq!(pair.ends[0].buffered_amount(1), 6000);
    pair.run_for(seconds(2));
    assert_eq!(pair.ends[0].buffered_amount(1), 0);
    assert!(pair.lows[0].contains(&1) && pair.lows[0].contains(&2), "{:?}", pair.lows[0]);
    pair.write(0, 2, &[2; 6000]).unwrap();
}

#[test]
fn the_low_threshold_is_crossed_once() {
    let mut pair = Pair::connected();
    pair.ends[0].set_buffered_amount_low_threshold(4, 50_000);
    pair.write(0, 4, &[0; 100_000]).unwrap();
    pair.run_for(seconds(2));
    assert_eq!(pair.lows[0], [4]);
    pair.write(0, 4, &[0; 40_000]).unwrap();
    pair.run_for(seconds(2));
    assert_eq!(pair.lows[0], [4], "it was never above");
}

#[test]
fn a_path_that_gets_narrow_takes_what_was_cut_before() {
    let mut pair = Pair::connected();
    pair.filter = |_, _, _| false;
    pair.write(0, 0, &pattern(5000, 3)).unwrap();
    pair.run_for(Duration::from_millis(100));
    pair.ends[0].set_max_packet(600);
    pair.filter = |_, _, _| true;
    assert!(pair.run_until(seconds(10), |p| !p.read[1].is_empty()));
    assert_eq!(pair.texts(1), [pattern(5000, 3)]);
}

#[test]
fn heap_bytes_grow_with_what_they_count() {
    assert!(Limits { block: 0, ..Limits::TINY }.heap_bytes() < Limits::TINY.heap_bytes());
    assert!(Limits::TINY.heap_bytes() <= 6 * 1024 + 512, "{}", Limits::TINY.heap_bytes());
    std::println!(
        "heap: {} {} {}",
        Limits::TINY.heap_bytes(),
        Limits::SERVER.heap_bytes(),
        Limits::DEFAULT.heap_bytes()
    );
}
