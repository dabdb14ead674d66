//! How two connections come up.

use picortc::dtls::ProtocolVersion;
use picortc::peer::*;
use picortc_tests::{Pair, Setup, Weather};
use std::time::Duration;

#[test]
fn a_channel_opens_and_carries_messages_both_ways() {
    let mut pair = Pair::new(Weather::default(), 1);
    let [a, b] = pair.connect();
    for (i, id) in [(0, a), (1, b)] {
        let now = pair.now;
        let mut channel = pair.ends[i].pc.data_channel(id).unwrap();
        assert_eq!(channel.ready_state(), RTCDataChannelState::Open);
        assert_eq!(channel.label(), "data");
        channel.send_text(now, "text").unwrap();
        channel.send(now, b"binary").unwrap();
        channel.send(now, b"").unwrap();
        channel.send_text(now, "").unwrap();
        channel.send(now, &vec![7; 256 * 1024]).unwrap();
    }
    assert!(pair.run(Duration::from_secs(10), |p| p.ends.iter().all(|e| e.received.len() == 5)));
    for end in &pair.ends {
        let got: Vec<_> = end.received.iter().map(|r| (r.is_string, r.data.len())).collect();
        assert_eq!(got, [(true, 4), (false, 6), (false, 0), (true, 0), (false, 256 * 1024)]);
    }
    for end in &pair.ends {
        assert_eq!(end.pc.connection_state(), RTCPeerConnectionState::Connected);
        let stats = end.pc.get_stats(pair.now);
        assert_eq!(stats.peer_connection().data_channels_opened, 1);
        assert!(stats.candidate_pairs().any(|p| p.nominated && p.counts.bytes_sent > 256 * 1024));
    }
}

#[test]
fn either_end_is_the_dtls_client() {
    for role in [RTCDtlsRole::Client, RTCDtlsRole::Server] {
        let mut answerer = Setup::end(1);
        answerer.settings.answering_dtls_role = role;
        let mut pair = Pair::with(Weather::default(), 1, &Setup::end(0), &answerer);
        pair.connect();
        assert_eq!(pair.ends[1].pc.dtls_role(), Some(role));
    }
}

#[test]
fn statistics_name_what_dtls_agreed_on() {
    for (version, name) in [(ProtocolVersion::DTLS_1_2, "FEFD"), (ProtocolVersion::DTLS_1_3, "FEFC")] {
        let mut answerer = Setup::end(1);
        answerer.settings.dtls_max_version = version;
        let mut pair = Pair::with(Weather::default(), 1, &Setup::end(0), &answerer);
        let before = pair.ends[0].pc.get_stats(pair.now);
        assert_eq!((before.transport().tls_version, before.transport().dtls_role), (None, None));
        assert!(before.remote_certificate().is_none());
        pair.connect();
        let [a, b] = [0, 1].map(|i| pair.ends[i].pc.get_stats(pair.now));
        let of = |t: RTCTransportStats| (t.tls_version, t.dtls_cipher, t.tls_group, t.srtp_cipher);
        assert_eq!(of(a.transport()), of(b.transport()));
        println!("{:?}", of(a.transport()));
        assert_eq!(a.transport().tls_version, Some(name));
        // 1.2 has no hybrid group.
        let group = if name == "FEFC" { "X25519MLKEM768" } else { "x25519" };
        assert_eq!(a.transport().tls_group, Some(group));
        assert_eq!(a.transport().dtls_role, Some(RTCDtlsRole::Server));
        assert_eq!(b.transport().dtls_role, Some(RTCDtlsRole::Client));
        let theirs = |report: &RTCStatsReport<'_>| report.remote_certificate().unwrap().fingerprint.clone();
        assert_eq!(theirs(&a), *b.local_certificate().fingerprint);
        assert_eq!(theirs(&b), *a.local_certificate().fingerprint);
        // The certificate itself as well, where there is room for it.
        assert_eq!(a.remote_certificate().unwrap().der, b.local_certificate().der);
    }
}

#[test]
fn loss_and_reordering_delay_and_do_not_prevent() {
    let mut worst = Duration::ZERO;
    for seed in 0..40 {
        let weather = Weather { loss: 250, reordering: 300, duplication: 100, ..Weather::default() };
        let mut pair = Pair::new(weather, seed);
        let start = pair.now;
        pair.connect();
        worst = worst.max(pair.now - start);
    }
    println!("worst of 40 at 25 % loss: {worst:?}");
}

#[test]
fn a_close_is_told_at_once() {
    for closer in 0..2 {
        let mut pair = Pair::new(Weather::default(), 1);
        let ids = pair.connect();
        let now = pair.now;
        pair.ends[closer].pc.close(now);
        let other = 1 - closer;
        let gone = RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(ids[other]));
        assert!(pair.run(Duration::from_secs(1), |p| p.ends[other].events.contains(&gone)));
        assert_eq!(pair.ends[closer].pc.connection_state(), RTCPeerConnectionState::Closed);
        assert_eq!(pair.ends[other].pc.dtls_transport_state(), RTCDtlsTransportState::Closed);
        assert!(pair.ends[closer].pc.create_data_channel(now, "x", Default::default()).is_err());
    }
}

#[test]
fn a_peer_that_vanishes_is_noticed() {
    let mut pair = Pair::new(Weather::default(), 1);
    pair.connect();
    pair.ends[1].connected = false;
    let failed = |p: &mut Pair| p.ends[0].pc.connection_state() == RTCPeerConnectionState::Failed;
    assert!(pair.run(Duration::from_secs(60), failed));
    let states: Vec<_> = pair.ends[0]
        .events
        .iter()
        .filter_map(|e| match e {
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(s) => Some(*s),
            _ => None,
        })
        .collect();
    use RTCPeerConnectionState::*;
    assert_eq!(states, [Connecting, Connected, Disconnected, Failed]);
}

#[test]
fn a_wrong_fingerprint_never_connects() {
    for liar in 0..2 {
        let mut pair = Pair::new(Weather::default(), 1);
        let now = pair.now;
        pair.ends[0].pc.create_data_channel(now, "data", Default::default()).unwrap();
        let forge = |sdp: &str| {
            let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
            let digit = if &sdp[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &sdp[..at], &sdp[at + 1..])
        };
        let offer = pair.ends[0].pc.create_offer(None).unwrap();
        pair.ends[0].pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
        let mut told = offer.clone();
        if liar == 0 {
            told.sdp = forge(&offer.sdp);
        }
        let answer = pair.answer(1, &told);
        let answer = if liar == 1 { forge(&answer.sdp) } else { answer.sdp };
        pair.ends[0].pc.set_remote_description(now, RTCSdpType::Answer, &answer).unwrap();
        let deceived = 1 - liar;
        let failed =
            |p: &mut Pair| p.ends.iter().all(|e| e.pc.connection_state() == RTCPeerConnectionState::Failed);
        assert!(pair.run(Duration::from_secs(90), failed));
        let error = pair.ends[deceived].pc.dtls_error();
        assert_eq!(error, Some(picortc::dtls::Error::FingerprintMismatch));
        assert!(pair.ends.iter().all(|e| e.opened().is_empty()));
    }
}

#[test]
fn an_ice_restart_by_either_end_loses_nothing() {
    for restarter in 0..2 {
        let mut pair = Pair::new(Weather::default(), 1);
        let ids = pair.connect();
        for round in 0..5u8 {
            let now = pair.now;
            for (i, id) in ids.into_iter().enumerate() {
                pair.ends[i].pc.data_channel(id).unwrap().send(now, &[round; 100_000]).unwrap();
            }
            pair.negotiate(restarter, true);
            assert!(pair.run(Duration::from_secs(20), |p| {
                p.ends.iter().all(|e| e.received.len() == usize::from(round) + 1)
            }));
            pair.run(Duration::from_secs(8), |_| false);
        }
        assert!(pair.ends.iter().all(|e| e.pc.ice_connection_state() == RTCIceConnectionState::Completed));
    }
}
