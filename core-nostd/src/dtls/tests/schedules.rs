//! What a network does to a handshake: every schedule of one and two
//! datagrams that are lost, doubled or late, and worse.

use super::*;

/// Whether to try every schedule, which takes minutes in a debug build; the
/// suite `dtls` does. Otherwise a part of them.
pub(super) fn is_thorough() -> bool {
    std::env::var_os("PICORTC_THOROUGH").is_some()
}

fn pairs() -> Vec<(&'static str, Pair)> {
    std::vec![
        ("1.2", Pair::new(config(&CHIP, 1), config_of(V12, &CHIP, 2))),
        ("1.3", Pair::new(config(&CHIP, 1), config(&CHIP, 2))),
        ("1.3 hybrid", Pair::new(config(&PROVIDER, 1), config(&PROVIDER, 2))),
        ("1.3 retry", {
            let server = Config { hello_verify: true, ..config(&CHIP, 2) };
            Pair::new(config(&CHIP, 1), server)
        }),
    ]
}

#[test]
fn every_schedule_of_two_misfortunes_connects() {
    let fates = [Fate::Lost, Fate::Twice, Fate::Late];
    let step = if is_thorough() { 1 } else { 7 };
    let mut seen = 0;
    for kind in 0..pairs().len() {
        for first in 0..9 {
            for second in first..11 {
                for (a, b) in fates.iter().flat_map(|a| fates.iter().map(move |b| (*a, *b))) {
                    seen += 1;
                    if seen % step != 0 {
                        continue;
                    }
                    let (name, mut pair) = pairs().swap_remove(kind);
                    pair.start();
                    pair.run_late(|n, _, _| match n {
                        _ if n == first => a,
                        _ if n == second => b,
                        _ => Fate::Once,
                    });
                    assert!(pair.connected(), "{name}: {first} {a:?}, {second} {b:?}");
                    assert!(pair.ends.iter().all(|e| e.events == [Event::Connected]), "{name}");
                    pair.exchange_data();
                    assert!(pair.now < Instant::from_millis(2_100), "{name}: {first} {a:?}, {second} {b:?}");
                }
            }
        }
    }
    std::println!("{} of {seen} schedules", seen / step);
}

#[test]
fn the_last_flight_may_be_lost_time_and_again() {
    for lost in 1..9 {
        for (name, mut pair) in pairs() {
            pair.start();
            // What goes to the end that is connected already is not the last.
            let mut left = lost;
            let last = if name == "1.2" { 0 } else { 1 };
            let mut flights = 0;
            pair.run(|n, to, datagram| {
                let protected =
                    datagram[0] & 0xe0 == 0x20 || datagram[0] == 20 || datagram[0] == 22 && datagram[4] == 1;
                flights += usize::from(protected && to == last);
                let lose = n > 0 && to == last && protected && left > 0;
                left -= usize::from(lose);
                usize::from(!lose)
            });
            assert!(left == 0 && flights > lost, "{name}: {flights}");
            assert!(pair.connected(), "{name}: {lost} lost");
            pair.exchange_data();
        }
    }
}

#[test]
fn a_lost_ack_is_sent_again_as_often_as_it_takes() {
    for lost in 1..=20 {
        let (_, mut pair) = pairs().swap_remove(1);
        pair.start();
        pair.run(|_, to, datagram| usize::from(!(to == 0 && datagram[0] == 0x2f)));
        assert!(pair.connected());
        // From here on only the ACK is lost.
        for n in 0..=lost {
            let at = pair.ends[0].dtls.poll_timeout().expect("the client waits for the ACK");
            pair.now = at;
            let end = &mut pair.ends[0];
            end.dtls.handle_timeout(&mut Env::new(at, &mut end.rng));
            pair.collect();
            for (to, datagram) in core::mem::take(&mut pair.wire) {
                pair.deliver(to, datagram);
            }
            for (to, datagram) in core::mem::take(&mut pair.wire) {
                assert_eq!((to, datagram[0]), (0, 0x2f), "the ACK alone");
                if n == lost {
                    pair.deliver(to, datagram);
                }
            }
        }
        assert_eq!(pair.ends[0].dtls.poll_timeout(), None, "nothing is outstanding");
        assert_eq!(pair.ends[1].dtls.poll_timeout(), None);
        pair.now += Duration::from_secs(600);
        pair.exchange_data();
        assert_eq!(pair.ends[0].events, [Event::Connected]);
        assert_eq!(pair.ends[1].events, [Event::Connected]);
    }
}

#[test]
fn only_what_is_missing_is_sent_again() {
    // A server's flight of two datagrams, the second lost: its second is what
    // comes again, because the client acknowledges the first.
    let (_, mut pair) = pairs().swap_remove(2);
    pair.start();
    let mut sizes = Vec::new();
    pair.run(|_, to, datagram| {
        sizes.push((to, datagram.len()));
        usize::from(sizes.len() != 4)
    });
    assert!(pair.connected());
    let to_client: Vec<usize> = sizes.iter().filter(|s| s.0 == 0).map(|s| s.1).collect();
    assert_eq!(to_client[1], to_client[2], "{sizes:?}");
    assert!(to_client[0] > 1100 && to_client.iter().filter(|len| **len > 1100).count() == 1, "{sizes:?}");
    assert!(pair.now < Instant::from_millis(100), "before the timer of the server: {:?}", pair.now);
}

#[test]
fn data_that_overtakes_the_handshake_is_delivered() {
    for kind in 0..2 {
        let (name, mut pair) = pairs().swap_remove(kind);
        pair.start();
        // Until the client's last flight is out.
        while !(pair.ends[0].dtls.is_connected()
            || pair.wire.len() == 1 && pair.wire[0].0 == 0 && kind == 0 && pair.ends[1].dtls.is_connected())
        {
            let (to, datagram) = pair.wire.remove(0);
            pair.deliver(to, datagram);
        }
        let (from, to) = if kind == 0 { (1, 0) } else { (0, 1) };
        pair.send(from, b"too early");
        pair.wire.reverse();
        for (to, datagram) in core::mem::take(&mut pair.wire) {
            pair.deliver(to, datagram);
        }
        let end = &mut pair.ends[to];
        assert!(end.dtls.is_connected(), "{name}");
        assert!(end.received.is_empty());
        let mut env = Env::new(pair.now, &mut end.rng);
        assert_eq!(end.dtls.poll_held(&mut env).map(|d| &*d), Some(&b"too early"[..]), "{name}");
        assert_eq!(end.dtls.poll_held(&mut env).map(|d| &*d), None, "once");
    }
}
