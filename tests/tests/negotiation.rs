//! How two ends come to an agreement, in the ways that applications do it.

use picortc::dtls::ProtocolVersion;
use picortc::peer::*;
use picortc_tests::{Pair, Setup, Weather};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn create(pair: &mut Pair, end: usize, label: &str) -> RTCDataChannelId {
    pair.ends[end].pc.create_data_channel(pair.now, label, Default::default()).expect("a channel")
}

/// An offer that was made and set, and not sent.
fn offer(pair: &mut Pair, end: usize) -> String {
    let now = pair.now;
    let offer = pair.ends[end].pc.create_offer(None).expect("an offer");
    pair.ends[end].pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).expect("our offer");
    offer.sdp
}

fn both_open(pair: &mut Pair, count: usize) -> bool {
    pair.run(60 * SECOND, |p| p.ends.iter().all(|e| e.opened().len() == count))
}

fn without_candidates(sdp: &str) -> String {
    let is = |l: &&str| !l.starts_with("a=candidate:") && !l.starts_with("a=end-of-candidates");
    sdp.split_inclusive("\r\n").filter(is).collect()
}

fn candidates(sdp: &str) -> Vec<String> {
    sdp.lines()
        .filter_map(|l| l.strip_prefix("a="))
        .filter(|l| l.starts_with("candidate:"))
        .map(Into::into)
        .collect()
}

fn add_candidate(pair: &mut Pair, end: usize, candidate: &str) {
    let init = RTCIceCandidateInit { candidate, sdp_mline_index: Some(0), ..Default::default() };
    pair.ends[end].pc.add_remote_candidate(pair.now, init).expect(candidate);
}

#[test]
fn glare_is_settled_by_the_polite_end() {
    for (polite, explicit) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut pair = Pair::new(Weather::default(), 1);
        create(&mut pair, 0, "from 0");
        create(&mut pair, 1, "from 1");
        let offers = [offer(&mut pair, 0), offer(&mut pair, 1)];
        // The impolite end ignores the offer that crossed its own; the polite
        // one takes it, which rolls its own back, explicitly or implicitly
        // (W3C WebRTC, Section 4.4.1.5).
        let impolite = 1 - polite;
        if explicit {
            let now = pair.now;
            let pc = &mut pair.ends[polite].pc;
            pc.set_local_description(now, RTCSdpType::Rollback, "").expect("a rollback");
            assert_eq!(pc.signaling_state(), RTCSignalingState::Stable);
        }
        let theirs = RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp: offers[impolite].clone() };
        let answer = pair.answer(polite, &theirs);
        let now = pair.now;
        let pc = &mut pair.ends[impolite].pc;
        pc.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).expect("the answer");
        // One negotiation serves the channels of both.
        assert!(both_open(&mut pair, 2), "polite {polite}");
        assert!(pair.ends.iter().all(|e| e.pc.signaling_state() == RTCSignalingState::Stable));
    }
}

#[test]
fn candidates_may_come_after_the_descriptions_and_before_them_are_refused() {
    let mut pair = Pair::new(Weather::default(), 1);
    create(&mut pair, 0, "data");
    let now = pair.now;
    let init = RTCIceCandidateInit {
        candidate: "candidate:1 1 udp 2130706431 192.0.2.2 2000 typ host",
        sdp_mline_index: Some(0),
        ..Default::default()
    };
    assert!(pair.ends[0].pc.add_remote_candidate(now, init).is_err());
    let offer = offer(&mut pair, 0);
    let bare = RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp: without_candidates(&offer) };
    let answer = pair.answer(1, &bare);
    let now = pair.now;
    let pc = &mut pair.ends[0].pc;
    pc.set_remote_description(now, RTCSdpType::Answer, &without_candidates(&answer.sdp)).expect("the answer");
    assert!(!pair.run(3 * SECOND, |p| !p.ends[0].opened().is_empty()), "nobody knows an address yet");
    let late = pair.ends[0].pc.local_description().expect("our offer").sdp;
    let list = candidates(&late);
    assert_eq!(list.len(), 1, "{late}");
    // One side's address is enough: the other is found by its checks.
    add_candidate(&mut pair, 1, &list[0]);
    assert!(both_open(&mut pair, 1));
    // The same one again, and the end of candidates, change nothing.
    add_candidate(&mut pair, 1, &list[0]);
    add_candidate(&mut pair, 1, "");
    assert_eq!(pair.ends[1].pc.connection_state(), RTCPeerConnectionState::Connected);
}

#[test]
fn a_name_that_nobody_resolves_does_not_prevent_a_connection() {
    let mut pair = Pair::new(Weather::default(), 1);
    create(&mut pair, 0, "data");
    let hidden =
        offer(&mut pair, 0).replace("192.0.2.1 1000", "b3a1f6c2-7d1a-4c60-8f61-2f1d9c9e5a10.local 1000");
    let hidden = RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp: hidden };
    let answer = pair.answer(1, &hidden);
    let now = pair.now;
    pair.ends[0].pc.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).expect("the answer");
    assert!(both_open(&mut pair, 1));
}

#[test]
fn checks_and_hellos_that_come_before_the_answer_are_not_lost() {
    // The answer takes two seconds to arrive; the answerer checks meanwhile.
    let mut pair = Pair::new(Weather::default(), 1);
    create(&mut pair, 0, "data");
    let sdp = offer(&mut pair, 0);
    let answer = pair.answer(1, &RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp });
    pair.run(2 * SECOND, |_| false);
    let start = pair.now;
    pair.ends[0].pc.set_remote_description(start, RTCSdpType::Answer, &answer.sdp).expect("the answer");
    assert!(both_open(&mut pair, 1));
    println!("open {:?} after the late answer", pair.now - start);
}

#[test]
fn a_renegotiation_changes_nothing_that_works() {
    let mut pair = Pair::new(Weather { loss: 50, ..Weather::default() }, 1);
    let ids = pair.connect();
    let pairs = pair.ends.each_ref().map(|e| e.pc.selected_path());
    for round in 1..=6 {
        for (end, id) in ids.into_iter().enumerate() {
            let now = pair.now;
            pair.ends[end].pc.data_channel(id).unwrap().send(now, &[0; 50_000]).unwrap();
        }
        pair.negotiate(round % 2, false);
        assert!(pair.run(30 * SECOND, |p| p.ends.iter().all(|e| e.received.len() == round)));
    }
    assert_eq!(pairs, pair.ends.each_ref().map(|e| e.pc.selected_path()));
    let states = |e: &picortc_tests::End| {
        let is = |e: &&RTCPeerConnectionEvent| {
            matches!(e, RTCPeerConnectionEvent::OnConnectionStateChangeEvent(_))
        };
        e.events.iter().filter(is).count()
    };
    assert_eq!(pair.ends.each_ref().map(states), [2, 2], "connecting and connected, once");
}

#[test]
fn negotiation_is_needed_once() {
    let mut pair = Pair::new(Weather::default(), 1);
    let needed = |p: &Pair, end: usize| {
        let is = |e: &&RTCPeerConnectionEvent| **e == RTCPeerConnectionEvent::OnNegotiationNeededEvent;
        p.ends[end].events.iter().filter(is).count()
    };
    pair.run(Duration::ZERO, |_| true);
    assert_eq!(needed(&pair, 0), 0);
    pair.connect();
    create(&mut pair, 0, "another");
    assert!(both_open(&mut pair, 2), "a further channel needs no negotiation");
    assert_eq!((needed(&pair, 0), needed(&pair, 1)), (1, 0));
    pair.ends[0].pc.restart_ice();
    pair.run(Duration::ZERO, |_| true);
    assert_eq!(needed(&pair, 0), 2);
}

/// What makes an end different from the usual one.
type Kind = fn(&mut Setup);

#[test]
fn each_kind_of_end_connects_with_each_other() {
    // What an end can be set to, on both sides of a bad network.
    let plain = |_: &mut Setup| {};
    let lite = |s: &mut Setup| s.settings.ice_lite = true;
    let cookie = |s: &mut Setup| {
        s.settings.dtls_hello_verify = true;
        s.settings.answering_dtls_role = RTCDtlsRole::Server;
    };
    let narrow = |s: &mut Setup| s.settings.mtu = 600;
    let checksums = |s: &mut Setup| s.settings.sctp_zero_checksum = false;
    let interleaving = |s: &mut Setup| s.settings.sctp_interleaving = true;
    let tiny = |s: &mut Setup| s.limits = Limits::TINY;
    let server = |s: &mut Setup| s.limits = Limits::SERVER;
    let kinds: [(&str, Kind); 8] = [
        ("plain", plain),
        ("lite", lite),
        ("cookie", cookie),
        ("narrow", narrow),
        ("checksums", checksums),
        ("interleaving", interleaving),
        ("tiny", tiny),
        ("server", server),
    ];
    for (seed, (a, first)) in kinds.iter().enumerate() {
        for (b, second) in &kinds {
            if (*a, *b) == ("lite", "lite") {
                continue;
            }
            let mut ends = [Setup::end(0), Setup::end(1)];
            first(&mut ends[0]);
            second(&mut ends[1]);
            // Nothing longer than the narrower end's datagrams gets through.
            let mtu = if *a == "narrow" && *b == "narrow" { 600 } else { 1200 };
            let weather = Weather { loss: 50, reordering: 100, mtu, ..Weather::default() };
            let mut pair = Pair::with(weather, seed as u64, &ends[0], &ends[1]);
            let ids = pair.connect();
            for (end, id) in ids.into_iter().enumerate() {
                let now = pair.now;
                pair.ends[end].pc.data_channel(id).unwrap().send(now, &[9; 1000]).unwrap();
            }
            let arrived = |p: &mut Pair| p.ends.iter().all(|e| e.received.len() == 1);
            assert!(pair.run(60 * SECOND, arrived), "{a} with {b}");
        }
    }
}

#[test]
fn ipv6_works_as_well() {
    let mut ends = [Setup::end(0), Setup::end(1)];
    ends[0].addr = "[2001:db8::1]:1000";
    ends[1].addr = "[2001:db8::2]:2000";
    let mut pair = Pair::with(Weather::default(), 1, &ends[0], &ends[1]);
    pair.connect();
    assert!(pair.ends[0].pc.selected_path().expect("a path").local_addr.is_ipv6());
}

#[test]
fn nothing_is_done_after_the_close() {
    let mut pair = Pair::new(Weather::default(), 1);
    let [id, _] = pair.connect();
    let now = pair.now;
    let pc = &mut pair.ends[0].pc;
    pc.close(now);
    pc.close(now);
    assert_eq!(pc.signaling_state(), RTCSignalingState::Closed);
    assert!(pc.create_offer(None).is_err());
    assert!(pc.create_answer(None).is_err());
    assert!(pc.set_local_description(now, RTCSdpType::Offer, "").is_err());
    assert!(pc.set_remote_description(now, RTCSdpType::Offer, "").is_err());
    let message = RTCDataChannelMessage::text("late");
    assert!(pc.handle_write(now, RTCMessage::DataChannelMessage(id, message)).is_err());
    pair.run(60 * SECOND, |_| false);
    assert_eq!(pair.ends[0].pc.poll_timeout(), None, "a closed connection sleeps for good");
}

#[test]
fn snap_saves_round_trips_where_both_ends_have_it_and_is_not_missed_elsewhere() {
    let delay = Duration::from_millis(25);
    for (versions, [usual, fewest]) in
        [(ProtocolVersion::DTLS_1_2, [5, 3]), (ProtocolVersion::DTLS_1_3, [4, 3])]
    {
        for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut ends = [Setup::end(0), Setup::end(1)];
            for (end, snap) in ends.iter_mut().zip([ours, theirs]) {
                end.settings.sctp_snap = snap;
                end.settings.dtls_max_version = versions;
            }
            let mut pair = Pair::with(Weather { delay, ..Weather::default() }, 3, &ends[0], &ends[1]);
            let from = pair.now;
            let [id, _] = pair.connect();
            let trips = (pair.now - from).as_millis().div_ceil(2 * delay.as_millis());
            let most = if ours && theirs { fewest } else { usual };
            assert!(trips <= most, "{versions:?}, {ours} and {theirs}: {trips} round trips");
            let init = |end: usize| {
                let sdp = pair.ends[end].pc.local_description().expect("a description").sdp;
                sdp.lines().find_map(|l| l.strip_prefix("a=sctp-init:")).map(String::from)
            };
            assert_eq!(init(0).is_some(), ours);
            assert_eq!(init(1).is_some(), ours && theirs, "an answer has it when the offer has it");
            assert!(init(0).is_none() || init(0) != init(1));
            // What follows says the same, or says nothing.
            let before = [init(0), init(1)];
            pair.negotiate(0, true);
            pair.ends[0].pc.data_channel(id).expect("the channel").send(pair.now, b"still").expect("room");
            assert!(pair.run(10 * SECOND, |p| p.ends[1].received.len() == 1));
            let after = pair.ends.each_ref().map(|e| e.pc.local_description().expect("one").sdp);
            for (before, after) in before.iter().zip(after) {
                let line = |init: &String| after.contains(&format!("a=sctp-init:{init}\r\n"));
                let stays = before.as_ref().filter(|_| ours && theirs);
                assert_eq!(stays.is_some_and(line), after.contains("a=sctp-init:"));
            }
        }
    }
}

#[test]
fn snap_with_a_peer_that_echoes_or_garbles() {
    let mut ends = [Setup::end(0), Setup::end(1)];
    ends[0].settings.sctp_snap = true;
    let mut pair = Pair::with(Weather::default(), 4, &ends[0], &ends[1]);
    create(&mut pair, 0, "data");
    let sdp = offer(&mut pair, 0);
    let line = sdp.split_inclusive("\r\n").find(|l| l.starts_with("a=sctp-init:")).expect("our INIT");
    let offer = RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp: sdp.clone() };
    let answer = pair.answer(1, &offer);
    assert!(!answer.sdp.contains("sctp-init"), "what is not known is not returned");
    let now = pair.now;
    let pc = &mut pair.ends[0].pc;
    // Not an INIT chunk in base64: an error, and nothing has changed.
    let garbled = format!("{}a=sctp-init:CookieMonster\r\n", answer.sdp);
    assert!(pc.set_remote_description(now, RTCSdpType::Answer, &garbled).is_err());
    // A peer that returns every line that it does not know.
    let echo = format!("{}{line}", answer.sdp);
    pc.set_remote_description(now, RTCSdpType::Answer, &echo).expect("the answer");
    assert!(both_open(&mut pair, 1));
}
