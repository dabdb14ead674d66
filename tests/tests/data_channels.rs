//! What data channels do: many at once, closing and opening again, limits,
//! full buffers, messages that may be lost.

use picortc::peer::*;
use picortc_tests::{End, Pair, Received, Setup, Weather};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn channel_events(end: &End, want: impl Fn(&RTCDataChannelEvent) -> bool) -> usize {
    let is = |e: &&RTCPeerConnectionEvent| matches!(e, RTCPeerConnectionEvent::OnDataChannel(e) if want(e));
    end.events.iter().filter(is).count()
}

fn open_channel(pair: &mut Pair, end: usize, label: &str, init: RTCDataChannelInit<'_>) -> RTCDataChannelId {
    pair.ends[end].pc.create_data_channel(pair.now, label, init).expect("a channel")
}

/// Runs until both ends have opened `count` channels since the start.
fn all_open(pair: &mut Pair, count: usize) {
    let all = |p: &mut Pair| p.ends.iter().all(|e| e.opened().len() == count);
    assert!(pair.run(60 * SECOND, all), "{:?}", pair.ends.each_ref().map(|e| e.opened().len()));
}

#[test]
fn a_hundred_channels_open_at_once_from_both_ends() {
    let weather = Weather { loss: 50, reordering: 100, ..Weather::default() };
    let mut pair = Pair::new(weather, 3);
    pair.connect();
    let mut ids = [Vec::new(), Vec::new()];
    for i in 0..50 {
        for (end, ids) in ids.iter_mut().enumerate() {
            let init = RTCDataChannelInit { protocol: "rig", priority: 512, ..Default::default() };
            ids.push(open_channel(&mut pair, end, &format!("{end}-{i}"), init));
        }
    }
    all_open(&mut pair, 101);
    for (end, ids) in ids.iter().enumerate() {
        for (i, &id) in ids.iter().enumerate() {
            let now = pair.now;
            let mut channel = pair.ends[end].pc.data_channel(id).unwrap();
            channel.send_text(now, &format!("{end}-{i}")).unwrap();
        }
    }
    assert!(pair.run(60 * SECOND, |p| p.ends.iter().all(|e| e.received.len() == 50)));
    for end in &mut pair.ends {
        let mut streams = std::collections::BTreeSet::new();
        for Received { channel, data, .. } in end.received.clone() {
            let channel = end.pc.data_channel(channel).unwrap();
            // The label came with the channel; the message says which it is.
            assert_eq!(channel.label().as_bytes(), data);
            assert_eq!((channel.protocol(), channel.priority()), ("rig", 512));
            streams.insert(channel.stream_id().unwrap());
        }
        assert_eq!(streams.len(), 50);
        // The peer's numbers have one parity (RFC 8832, Section 6).
        assert_eq!(streams.iter().map(|s| s % 2).collect::<std::collections::BTreeSet<_>>().len(), 1);
    }
}

#[test]
fn a_closed_channels_number_is_used_again() {
    for closer in [0, 1, 2] {
        let mut pair = Pair::new(Weather { loss: 50, ..Weather::default() }, 5);
        pair.connect();
        let mut streams = std::collections::BTreeSet::new();
        for round in 1..=20 {
            let id = open_channel(&mut pair, 0, "again", Default::default());
            all_open(&mut pair, 1 + round);
            let ids = [id, *pair.ends[1].opened().last().unwrap()];
            let now = pair.now;
            streams.insert(pair.ends[0].pc.data_channel(id).unwrap().stream_id());
            for (end, id) in ids.into_iter().enumerate() {
                pair.ends[end].pc.data_channel(id).unwrap().send(now, &[3; 3000]).unwrap();
            }
            // What was sent before a close arrives; what the closer would still
            // receive does not matter.
            for (end, id) in ids.into_iter().enumerate().filter(|(end, _)| closer == 2 || *end == closer) {
                pair.ends[end].pc.data_channel(id).unwrap().close(now);
            }
            let closed = |e: &End| channel_events(e, |e| matches!(e, RTCDataChannelEvent::OnClose(_)));
            assert!(pair.run(60 * SECOND, |p| p.ends.iter().all(|e| closed(e) == round)), "round {round}");
            for (end, id) in ids.into_iter().enumerate() {
                assert!(pair.ends[end].pc.data_channel(id).is_none(), "the handle of a closed channel");
            }
            if closer != 2 {
                assert_eq!(pair.ends[1 - closer].received.len(), round);
            }
        }
        assert_eq!(streams.len(), 1, "{streams:?}");
    }
}

#[test]
fn a_number_is_used_again_before_the_other_end_knows_that_it_may() {
    let mut reused_early = 0;
    for seed in 0..10 {
        let mut pair = Pair::new(Weather { loss: 200, ..Weather::default() }, seed);
        pair.connect();
        for round in 1..=20 {
            let id = open_channel(&mut pair, 0, "again", Default::default());
            let is_open = |p: &mut Pair| p.ends[0].opened().contains(&id);
            assert!(pair.run(60 * SECOND, is_open), "seed {seed}, round {round}: the channel opens");
            let now = pair.now;
            pair.ends[0].pc.data_channel(id).unwrap().send(now, &[round; 30]).unwrap();
            let arrived = |p: &mut Pair| p.ends[1].received.len() == usize::from(round);
            assert!(pair.run(60 * SECOND, arrived), "seed {seed}, round {round}: a message is lost");
            let now = pair.now;
            pair.ends[0].pc.data_channel(id).unwrap().close(now);
            // The other end may not know yet that the peer has its reset.
            let gone = |p: &mut Pair| p.ends[0].pc.data_channel(id).is_none();
            assert!(pair.run(60 * SECOND, gone), "seed {seed}, round {round}: the channel closes");
            let closed = channel_events(&pair.ends[1], |e| matches!(e, RTCDataChannelEvent::OnClose(_)));
            reused_early += usize::from(closed < round.into());
        }
    }
    assert!(reused_early > 20, "{reused_early} of 200 times");
}

#[test]
fn negotiated_channels_need_no_announcement() {
    let mut pair = Pair::new(Weather::default(), 1);
    for stream in [0, 7, 200] {
        let init = RTCDataChannelInit { negotiated: Some(stream), ..Default::default() };
        for end in 0..2 {
            open_channel(&mut pair, end, "by hand", init);
            let again = pair.ends[end].pc.create_data_channel(pair.now, "by hand", init);
            assert_eq!(again, Err(ChannelError::StreamInUse));
        }
    }
    pair.negotiate(0, false);
    all_open(&mut pair, 3);
    for end in 0..2 {
        assert_eq!(
            channel_events(&pair.ends[end], |e| matches!(e, RTCDataChannelEvent::OnDataChannel(_))),
            0
        );
        let now = pair.now;
        for id in pair.ends[end].opened() {
            let mut channel = pair.ends[end].pc.data_channel(id).unwrap();
            let stream = channel.stream_id().unwrap();
            channel.send_text(now, &stream.to_string()).unwrap();
        }
    }
    assert!(pair.run(SECOND, |p| p.ends.iter().all(|e| e.received.len() == 3)));
    for end in &mut pair.ends {
        for received in end.received.clone() {
            let stream = end.pc.data_channel(received.channel).unwrap().stream_id().unwrap();
            assert_eq!(stream.to_string().as_bytes(), received.data);
        }
    }
}

#[test]
fn what_a_channel_cannot_be_is_refused_in_words() {
    let mut pair = Pair::new(Weather::default(), 1);
    let now = pair.now;
    let pc = &mut pair.ends[0].pc;
    let both =
        RTCDataChannelInit { max_retransmits: Some(1), max_packet_life_time: Some(1), ..Default::default() };
    assert_eq!(pc.create_data_channel(now, "x", both), Err(ChannelError::TwoReliabilities));
    let reserved = RTCDataChannelInit { negotiated: Some(65535), ..Default::default() };
    assert_eq!(pc.create_data_channel(now, "x", reserved), Err(ChannelError::StreamNumber));
    let long = "x".repeat(65536);
    let error = pc.create_data_channel(now, &long, Default::default()).unwrap_err();
    assert!(matches!(error, ChannelError::TextTooLong { .. }));
    for _ in 0..Limits::DEFAULT.channel.channels {
        pc.create_data_channel(now, "x", Default::default()).unwrap();
    }
    let error = pc.create_data_channel(now, "x", Default::default()).unwrap_err();
    assert_eq!(error, ChannelError::TooMany);
    assert_eq!(error.to_string(), "no more data channels within the limits");
}

#[test]
fn a_peer_that_opens_more_than_fits_keeps_what_fitted() {
    let mut tiny = Setup::end(1);
    tiny.limits = Limits::TINY;
    let mut pair = Pair::with(Weather::default(), 1, &Setup::end(0), &tiny);
    for i in 0..10 {
        open_channel(&mut pair, 0, &i.to_string(), Default::default());
    }
    pair.negotiate(0, false);
    let fits = usize::from(Limits::TINY.channel.channels);
    assert!(pair.run(60 * SECOND, |p| p.ends[1].opened().len() == fits));
    pair.run(10 * SECOND, |_| false);
    assert_eq!(pair.ends[1].opened().len(), fits);
    // What is served works; what is not is closed, so that nobody waits for it.
    let closed = channel_events(&pair.ends[0], |e| matches!(e, RTCDataChannelEvent::OnClose(_)));
    assert_eq!(closed, 10 - fits);
    let now = pair.now;
    for id in pair.ends[1].opened() {
        pair.ends[1].pc.data_channel(id).unwrap().send_text(now, "served").unwrap();
    }
    assert!(pair.run(10 * SECOND, |p| p.ends[0].received.len() == fits));
}

#[test]
fn a_message_is_as_long_as_the_peer_takes_and_no_longer() {
    let mut small = Setup::end(1);
    small.settings.sctp_max_message_size = 5000;
    let mut pair = Pair::with(Weather::default(), 1, &Setup::end(0), &small);
    let [a, b] = pair.connect();
    let now = pair.now;
    assert_eq!(pair.ends[0].pc.sctp_max_message_size(), 5000);
    let mut channel = pair.ends[0].pc.data_channel(a).unwrap();
    assert_eq!(channel.send(now, &[0; 5001]), Err(WriteError::TooLarge { max: 5000 }));
    channel.send(now, &[1; 5000]).unwrap();
    let mut channel = pair.ends[1].pc.data_channel(b).unwrap();
    assert_eq!(channel.send(now, &vec![0; 256 * 1024 + 1]), Err(WriteError::TooLarge { max: 256 * 1024 }));
    channel.send(now, &vec![1; 256 * 1024]).unwrap();
    assert!(pair.run(10 * SECOND, |p| p.ends.iter().all(|e| e.received.len() == 1)));
}

#[test]
fn a_tiny_end_and_a_large_one_understand_each_other() {
    for tiny in 0..2 {
        let mut ends = [Setup::end(0), Setup::end(1)];
        ends[tiny].limits = Limits::TINY;
        let mut pair = Pair::with(Weather { loss: 100, ..Weather::default() }, 9, &ends[0], &ends[1]);
        let ids = pair.connect();
        let mut sent = [0; 2];
        let done = pair.run(600 * SECOND, |p| {
            for end in 0..2 {
                let now = p.now;
                let mut channel = p.ends[end].pc.data_channel(ids[end]).unwrap();
                while sent[end] < 200 && channel.send(now, &[sent[end] as u8; 700]).is_ok() {
                    sent[end] += 1;
                }
            }
            p.ends.iter().all(|e| e.received.len() == 200)
        });
        assert!(done, "{sent:?}");
        for end in &pair.ends {
            let got: Vec<u8> = end.received.iter().map(|r| r.data[0]).collect();
            assert_eq!(got, (0..200).collect::<Vec<u8>>());
        }
    }
}

/// "If description negotiates the DTLS role of the SCTP transport [...]:
/// generate an ID" (W3C WebRTC, Section 4.4.1.5).
#[test]
fn stream_numbers_are_known_with_the_answer() {
    let mut pair = Pair::new(Weather::default(), 1);
    let open = |pair: &mut Pair, end| open_channel(pair, end, "numbered", RTCDataChannelInit::default());
    let number = |pair: &mut Pair, end: usize, id| pair.ends[end].pc.data_channel(id).unwrap().stream_id();
    let (a, b) = (open(&mut pair, 0), open(&mut pair, 1));
    assert_eq!((number(&mut pair, 0, a), number(&mut pair, 1, b)), (None, None));
    pair.negotiate(0, false);
    // The answering end is the DTLS client.
    assert_eq!((number(&mut pair, 0, a), number(&mut pair, 1, b)), (Some(1), Some(0)));
    let next = open(&mut pair, 0);
    assert_eq!(number(&mut pair, 0, next), Some(3));
    let taken = RTCDataChannelInit { negotiated: Some(3), ..Default::default() };
    let now = pair.now;
    assert_eq!(pair.ends[0].pc.create_data_channel(now, "", taken), Err(ChannelError::StreamInUse));
    // Nobody hears of a channel that is closed before the association is up.
    pair.ends[0].pc.data_channel(a).unwrap().close(now);
    all_open(&mut pair, 2);
    let theirs = pair.ends[1].opened();
    let mut numbers: Vec<_> = theirs.iter().map(|&id| number(&mut pair, 1, id)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [Some(0), Some(3)]);
}

#[test]
fn labels_may_be_as_long_as_their_message_allows() {
    let mut setup = Setup::end(0);
    setup.limits.channel.text_bytes = 160 * 1024;
    let mut other = Setup::end(1);
    other.limits.channel.text_bytes = 160 * 1024;
    let text = "x".repeat(65_535);
    let init = RTCDataChannelInit { protocol: &text, ..Default::default() };
    let mut pair = Pair::with(Weather::default(), 1, &setup, &other);
    pair.connect();
    open_channel(&mut pair, 0, &text, init);
    all_open(&mut pair, 2);
    let theirs = pair.ends[1].opened()[1];
    let channel = pair.ends[1].pc.data_channel(theirs).unwrap();
    assert!(channel.label() == text && channel.protocol() == text);

    // A peer that takes no message so long: the channel fails, the next opens.
    other.limits.sctp.max_message_size = 64 * 1024;
    let mut pair = Pair::with(Weather::default(), 1, &setup, &other);
    pair.connect();
    open_channel(&mut pair, 0, &text, init);
    open_channel(&mut pair, 0, "short", RTCDataChannelInit::default());
    all_open(&mut pair, 2);
    assert_eq!(channel_events(&pair.ends[0], |e| matches!(e, RTCDataChannelEvent::OnError(_))), 1);
}

#[test]
fn a_full_buffer_is_an_error_and_loses_nothing() {
    let mut pair = Pair::new(Weather::default(), 1);
    let [a, _] = pair.connect();
    pair.ends[1].reading = false;
    let mut accepted = 0u32;
    let mut refusals = 0;
    pair.ends[0].pc.data_channel(a).unwrap().set_buffered_amount_low_threshold(100_000);
    // The reader sleeps for ten seconds, its window and our buffer fill up;
    // then it wakes, and the low-water signal lets us go on.
    for _ in 0..40 {
        let now = pair.now;
        let mut channel = pair.ends[0].pc.data_channel(a).unwrap();
        loop {
            let mut message = vec![0; 60_000];
            message[..4].copy_from_slice(&accepted.to_be_bytes());
            match channel.send(now, &message) {
                Ok(()) => accepted += 1,
                Err(error) => {
                    assert_eq!(error, WriteError::Full);
                    refusals += 1;
                    break;
                }
            }
        }
        pair.run(SECOND / 4, |_| false);
    }
    assert!(refusals >= 39);
    let stuck = accepted;
    pair.ends[1].reading = true;
    let low = |e: &End| channel_events(e, |e| matches!(e, RTCDataChannelEvent::OnBufferedAmountLow(_)));
    let before = low(&pair.ends[0]);
    assert!(pair.run(60 * SECOND, |p| p.ends[1].received.len() == stuck as usize));
    // Once that there is room for what was refused, once that the threshold
    // was crossed.
    assert_eq!(low(&pair.ends[0]), before + 2);
    for (i, received) in pair.ends[1].received.iter().enumerate() {
        assert_eq!(received.data[..4], (i as u32).to_be_bytes());
    }
}

#[test]
fn thresholds_are_told_when_they_are_crossed() {
    let mut pair = Pair::new(Weather { delay: Duration::from_millis(50), ..Weather::default() }, 1);
    let [a, _] = pair.connect();
    let now = pair.now;
    let mut channel = pair.ends[0].pc.data_channel(a).unwrap();
    channel.set_buffered_amount_high_threshold(40_000);
    channel.set_buffered_amount_low_threshold(2_000);
    channel.send(now, &[0; 39_999]).unwrap();
    assert_eq!(channel.buffered_amount(), 39_999);
    let count = |e: &End| {
        (
            channel_events(e, |e| matches!(e, RTCDataChannelEvent::OnBufferedAmountHigh(_))),
            channel_events(e, |e| matches!(e, RTCDataChannelEvent::OnBufferedAmountLow(_))),
        )
    };
    channel.send(now, &[0; 1]).unwrap();
    assert_eq!(channel.buffered_amount(), 40_000);
    assert_eq!(count(&pair.ends[0]), (0, 0));
    // Sent is what the congestion window takes; the rest waits for the peer's
    // acknowledgement.
    pair.run(Duration::ZERO, |_| true);
    assert_eq!(count(&pair.ends[0]), (1, 0));
    let waits = pair.ends[0].pc.data_channel(a).unwrap().buffered_amount();
    assert!((2_001..39_000).contains(&waits), "{waits}");
    pair.run(5 * SECOND, |_| false);
    assert_eq!(count(&pair.ends[0]), (1, 1));
    assert_eq!(pair.ends[0].pc.data_channel(a).unwrap().buffered_amount(), 0);
}

/// What was sent is not buffered any more and still has to be kept: a message
/// can meet a full buffer while the buffered amount is 0, and whoever waits for
/// the low-water signal must get one.
#[test]
fn a_buffer_full_of_what_is_under_way_announces_room_as_well() {
    let mut setup = Setup::end(0);
    setup.limits.sctp.send_buffer = 4 * 1024;
    let weather = Weather { delay: Duration::from_millis(50), ..Weather::default() };
    let mut pair = Pair::with(weather, 1, &setup, &Setup::end(1));
    let [a, _] = pair.connect();
    let low = |e: &End| channel_events(e, |e| matches!(e, RTCDataChannelEvent::OnBufferedAmountLow(_)));
    let now = pair.now;
    pair.ends[0].pc.data_channel(a).unwrap().send(now, &[1; 3000]).unwrap();
    pair.run(Duration::ZERO, |_| true);
    let before = low(&pair.ends[0]);
    let mut channel = pair.ends[0].pc.data_channel(a).unwrap();
    assert_eq!(channel.buffered_amount(), 0);
    assert_eq!(channel.send(now, &[2; 3000]), Err(WriteError::Full));
    assert!(pair.run(5 * SECOND, |p| low(&p.ends[0]) == before + 1));
    let now = pair.now;
    pair.ends[0].pc.data_channel(a).unwrap().send(now, &[2; 3000]).unwrap();
    assert!(pair.run(5 * SECOND, |p| p.ends[1].received.len() == 2));
}

#[test]
fn messages_that_may_be_lost_come_once_and_in_their_order() {
    let weather = Weather { loss: 50, reordering: 200, duplication: 100, ..Weather::default() };
    for (ordered, retransmits, life) in [
        (true, Some(0), None),
        (false, Some(0), None),
        (true, Some(2), None),
        (false, None, Some(100)),
        (true, None, Some(100)),
    ] {
        for interleaving in [false, true] {
            let mut ends = [Setup::end(0), Setup::end(1)];
            for end in &mut ends {
                end.settings.sctp_interleaving = interleaving;
            }
            let mut pair = Pair::with(weather, 11, &ends[0], &ends[1]);
            pair.connect();
            let init = RTCDataChannelInit {
                ordered,
                max_retransmits: retransmits,
                max_packet_life_time: life,
                ..Default::default()
            };
            let id = open_channel(&mut pair, 0, "lossy", init);
            all_open(&mut pair, 2);
            {
                let theirs = *pair.ends[1].opened().last().unwrap();
                let channel = pair.ends[1].pc.data_channel(theirs).unwrap();
                let told = (channel.ordered(), channel.max_retransmits(), channel.max_packet_life_time());
                assert_eq!(told, (ordered, retransmits, life));
            }
            for i in 0..300u16 {
                let now = pair.now;
                let mut message = vec![0; 100 + usize::from(i % 7) * 500];
                message[..2].copy_from_slice(&i.to_be_bytes());
                pair.ends[0].pc.data_channel(id).unwrap().send(now, &message).unwrap();
                pair.run(SECOND / 50, |_| false);
            }
            // A reliable message behind them all shows that nothing hangs.
            let last = pair.ends[0].opened()[0];
            let now = pair.now;
            pair.ends[0].pc.data_channel(last).unwrap().send_text(now, "last").unwrap();
            assert!(pair.run(60 * SECOND, |p| p.ends[1].received.iter().any(|r| r.data == b"last")));
            pair.run(5 * SECOND, |_| false);
            let lossy = pair.ends[1].received.iter().filter(|r| !r.is_string);
            let got: Vec<u16> = lossy.map(|r| u16::from_be_bytes([r.data[0], r.data[1]])).collect();
            let mut sorted = got.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), got.len(), "none comes twice");
            assert!(!ordered || sorted == got, "{got:?}");
            assert!((100..=300).contains(&got.len()), "{} of 300 arrived", got.len());
            println!(
                "ordered {ordered}, {retransmits:?}, {life:?} ms, interleaving {interleaving}: {} of 300",
                got.len()
            );
        }
    }
}
