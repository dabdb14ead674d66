use super::*;
use RTCSdpType::{Answer, Offer, Rollback};
use std::format;
use std::vec::Vec;

#[test]
fn an_offer_is_made_octet_by_octet() {
    let with = Local { candidates: &CANDIDATES[..1], end_of_candidates: true, ..local() };
    let fingerprint = ["5A"; 32].join(":");
    let expected = format!(
        "v=0\r\no=- 7 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-options:trickle ice2\r\n\
         m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=fingerprint:sha-256 {fingerprint}\r\n\
         a=setup:actpass\r\na=sctp-port:5000\r\na=max-message-size:65535\r\n\
         a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n"
    );
    let mut jsep = jsep();
    assert_eq!(jsep.create_offer(&with).unwrap(), expected);
    assert_eq!(jsep.create_offer(&with).unwrap(), expected, "the same state gives the same octets");
}

#[test]
fn data_is_agreed_on_and_both_ends_know_what_for() {
    let (mut a, mut b) = (jsep(), jsep());
    let theirs = Local { answer_setup: Setup::Passive, max_message_size: 0, lite: true, ..restarted() };
    let (_, ours, heard) = offer(&mut a, &mut b, &local());
    assert_eq!((ours.local_ice, ours.data, ours.setup), (IceChange::New, DataSection::Offered, None));
    assert_eq!((heard.remote_ice, heard.data, heard.setup), (IceChange::New, DataSection::Offered, None));
    let (_, made, got) = answer(&mut b, &mut a, &theirs);
    assert_eq!((made.data, made.setup), (DataSection::Accepted, Some(Setup::Passive)));
    assert_eq!(
        (got.data, got.setup, got.remote_ice),
        (DataSection::Accepted, Some(Setup::Active), IceChange::New)
    );
    let remote = a.remote().unwrap();
    assert_eq!((remote.ufrag(), remote.password()), (theirs.ufrag, theirs.password));
    assert_eq!(remote.fingerprints().collect::<Vec<_>>(), [[0x5a; 32]]);
    assert_eq!((remote.lite(), remote.max_message_size(), remote.sctp_port()), (true, usize::MAX, 5000));
    assert_eq!(b.remote().unwrap().max_message_size(), 65535);
    assert!(remote.ice_option("trickle") && remote.ice_option("ice2") && !remote.ice_option("renomination"));
    assert_eq!(a.data_section(), Some((0, Some("0"))));
    let sections: Vec<_> = a.sections().map(|s| (s.kind, s.mid, s.state)).collect();
    assert_eq!(sections, [(MediaKind::Data, Some("0"), SectionState::Accepted)]);
}

#[test]
fn candidates_are_in_the_description_when_it_is_read() {
    let (mut a, mut b) = (jsep(), jsep());
    let early = Local { candidates: &CANDIDATES[..1], ..local() };
    let (sent, ..) = offer(&mut a, &mut b, &early);
    assert_eq!(b.remote().unwrap().candidates().collect::<Vec<_>>(), [&CANDIDATES[0][10..]]);
    assert!(!b.remote().unwrap().end_of_candidates());
    let late = Local { candidates: &CANDIDATES[..], end_of_candidates: true, ..local() };
    let (_, text) = a.local_description(DescriptionSlot::Latest, &late).unwrap();
    let text = format!("{text}");
    assert!(
        text.starts_with(sent.as_str()) && text.ends_with("rport 5000\r\na=end-of-candidates\r\n"),
        "{text}"
    );
    b.set_remote(Offer, &text).unwrap();
    assert_eq!(b.remote().unwrap().candidates().count(), 2);
    assert!(b.remote().unwrap().end_of_candidates());
    // Those of another generation are not put in.
    let other = Local { candidates: &CANDIDATES[..], ..restarted() };
    let (_, text) = a.local_description(DescriptionSlot::Latest, &other).unwrap();
    assert!(!format!("{text}").contains("candidate"));
}

#[test]
fn a_restart_is_new_credentials_and_keeps_the_rest() {
    let (mut a, mut b) = (jsep(), jsep());
    offer(&mut a, &mut b, &local());
    answer(&mut b, &mut a, &Local { answer_setup: Setup::Passive, ..local() });
    // The other end restarts; the DTLS roles stay though the preference is another.
    let (text, ours, theirs) = offer(&mut b, &mut a, &restarted());
    assert_eq!((ours.local_ice, theirs.remote_ice), (IceChange::Restart, IceChange::Restart));
    assert_eq!((theirs.data, theirs.remote_identity_changed), (DataSection::Accepted, false));
    assert!(text.starts_with("v=0\r\no=- 7 2 IN"), "the version counts on: {text}");
    let (_, made, got) = answer(&mut a, &mut b, &Local { answer_setup: Setup::Passive, ..restarted() });
    assert_eq!((made.setup, got.setup), (Some(Setup::Active), Some(Setup::Passive)));
    assert_eq!(got.remote_ice, IceChange::Restart);
    // Without a restart nothing of ICE changes.
    let (_, ours, theirs) = offer(&mut a, &mut b, &restarted());
    assert_eq!((ours.local_ice, theirs.remote_ice), (IceChange::Unchanged, IceChange::Unchanged));
    // Another certificate is told.
    let (_, _, got) = answer(&mut b, &mut a, &Local { fingerprint: [1; 32], ..restarted() });
    assert!(got.remote_identity_changed);
}

#[test]
fn credentials_are_told_once() {
    let (mut a, mut b) = (jsep(), jsep());
    let (text, ..) = offer(&mut a, &mut b, &local());
    assert_eq!(b.set_remote(Offer, &text).unwrap().remote_ice, IceChange::Unchanged);
    let reply = b.create_answer(&restarted()).unwrap();
    let provisional = b.set_local(RTCSdpType::Pranswer, &reply).unwrap();
    assert_eq!((provisional.local_ice, provisional.setup), (IceChange::New, Some(Setup::Active)));
    assert_eq!(b.set_local(Answer, &reply).unwrap().local_ice, IceChange::Unchanged);
    assert_eq!(a.set_remote(RTCSdpType::Pranswer, &reply).unwrap().remote_ice, IceChange::New);
    assert_eq!(a.set_remote(Answer, &reply).unwrap().remote_ice, IceChange::Unchanged);
    // Another certificate with an offer is told with the offer and the answer.
    let (_, _, heard) = offer(&mut a, &mut b, &Local { fingerprint: [1; 32], ..local() });
    assert!(heard.remote_identity_changed);
    let (_, made, _) = answer(&mut b, &mut a, &restarted());
    assert!(made.remote_identity_changed);
}

#[test]
fn glare_ends_by_a_rollback_of_the_polite() {
    let (mut polite, mut impolite) = (jsep(), jsep());
    let mine = polite.create_offer(&local()).unwrap();
    polite.set_local(Offer, &mine).unwrap();
    let theirs = impolite.create_offer(&restarted()).unwrap();
    impolite.set_local(Offer, &theirs).unwrap();
    // A bad offer does not take the pending one back.
    assert!(polite.set_remote(Offer, "v=0\r\n").is_err());
    assert_eq!(polite.state(), RTCSignalingState::HaveLocalOffer);
    let changes = polite.set_remote(Offer, &theirs).unwrap();
    assert!(changes.rolled_back);
    assert!(polite.local_description(DescriptionSlot::Latest, &local()).is_none());
    let (_, made, got) = answer(&mut polite, &mut impolite, &local());
    assert_eq!((made.data, got.data), (DataSection::Accepted, DataSection::Accepted));
}

#[test]
fn a_rollback_returns_to_what_was_agreed_on() {
    let (mut a, mut b) = (jsep(), jsep());
    offer(&mut a, &mut b, &local());
    answer(&mut b, &mut a, &local());
    let (text, ..) = offer(&mut a, &mut b, &restarted());
    for (jsep, sides) in [
        (&mut a, (IceChange::Restart, IceChange::Unchanged)),
        (&mut b, (IceChange::Unchanged, IceChange::Restart)),
    ] {
        let changes = jsep.set_local(Rollback, "").unwrap();
        assert_eq!((changes.local_ice, changes.remote_ice), sides);
        assert_eq!((changes.rolled_back, changes.data), (true, DataSection::Accepted));
        assert!(jsep.remote_description(DescriptionSlot::Pending).is_none());
        assert_eq!(jsep.remote().unwrap().ufrag(), "abcd");
    }
    assert_eq!(a.set_local(Offer, &text), Err(Error::InvalidModification), "a stale offer");
}

#[test]
fn only_what_was_created_is_applied() {
    let mut a = jsep();
    let text = a.create_offer(&local()).unwrap();
    let munged = text.replace("abcd", "abce");
    assert_eq!(a.set_local(Offer, &munged), Err(Error::InvalidModification));
    assert_eq!(jsep().set_local(Offer, &text), Err(Error::InvalidModification));
    a.set_local(Offer, &text).unwrap();
}

#[test]
fn an_offer_without_anything_to_negotiate() {
    let (mut a, mut b) = (jsep(), jsep());
    let nothing = Local { data: false, ..local() };
    let (text, ours, theirs) = offer(&mut a, &mut b, &nothing);
    assert!(!text.contains("BUNDLE") && !text.contains("m="), "{text}");
    assert_eq!((ours.data, theirs.data), (DataSection::Absent, DataSection::Absent));
    let (_, made, got) = answer(&mut b, &mut a, &local());
    assert_eq!((made.data, got.data), (DataSection::Absent, DataSection::Absent));
    assert!(a.remote().is_none());
    let (_, ours, _) = offer(&mut a, &mut b, &local());
    assert_eq!(ours.data, DataSection::Offered, "later it is");
}

/// A remote offer of sections, with what every one of them needs.
fn sections(lines: &[&str]) -> String {
    let mut text = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for (mid, _) in lines.iter().enumerate() {
        text.push_str(&format!(" {mid}"));
    }
    for (mid, line) in lines.iter().enumerate() {
        text.push_str(&format!("\r\nm={line}\r\na=mid:{mid}\r\na=ice-ufrag:wxyz\r\na=setup:actpass"));
        text.push_str("\r\na=ice-pwd:lkjihgfedcba9876543210\r\na=fingerprint:sha-1 00:11\r\n");
        text.push_str(&format!("a=fingerprint:sha-256 {}", ["7F"; 32].join(":")));
    }
    text + "\r\n"
}

#[test]
fn a_refused_section_keeps_its_place_and_is_recycled_for_data() {
    let mut a = jsep();
    a.set_remote(Offer, &sections(&["audio 9 UDP/TLS/RTP/SAVPF 111 9"])).unwrap();
    let text = a.create_answer(&local()).unwrap();
    assert!(
        text.ends_with("m=audio 0 UDP/TLS/RTP/SAVPF 111 9\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=inactive\r\n")
    );
    assert!(!text.contains("BUNDLE"));
    a.set_local(Answer, &text).unwrap();
    assert_eq!(a.sections().next().unwrap().state, SectionState::Rejected);
    let without = a.create_offer(&Local { data: false, ..local() }).unwrap();
    assert!(without.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111 9") && parse(&without).len() == 1);
    let offer = a.create_offer(&local()).unwrap();
    let d = parse(&offer);
    let data = d.media(0).unwrap();
    assert_eq!((d.len(), data.mid(), data.is_data()), (1, Some("1"), true), "a new mid in the old place");
    assert_eq!(d.bundle_of("1").unwrap().collect::<Vec<_>>(), ["1"]);
}

#[test]
fn what_was_accepted_closes_when_an_answer_says_so() {
    let (mut a, mut b) = (jsep(), jsep());
    offer(&mut a, &mut b, &local());
    let (text, ..) = answer(&mut b, &mut a, &local());
    let gone = text.replace("m=application 9", "m=application 0").replace("actpass", "active");
    let changes = a.set_remote(Offer, &gone).unwrap();
    assert_eq!(changes.data, DataSection::Accepted, "until the answer");
    let reply = a.create_answer(&local()).unwrap();
    assert!(parse(&reply).media(0).unwrap().is_rejected());
    assert_eq!(a.set_local(Answer, &reply).unwrap().data, DataSection::Closed);
    let again = a.create_offer(&local()).unwrap();
    assert_eq!(parse(&again).media(0).unwrap().mid(), Some("1"));
}

#[test]
fn a_refused_offer_of_data_is_told() {
    let (mut a, mut b) = (jsep(), jsep());
    offer(&mut a, &mut b, &local());
    let text = b.create_answer(&local()).unwrap().replace("m=application 9", "m=application 0");
    assert_eq!(a.set_remote(Answer, &text).unwrap().data, DataSection::Rejected);
}

#[test]
fn sections_are_neither_lost_nor_changed() {
    let mut a = jsep();
    let two = sections(&["application 9 UDP/DTLS/SCTP webrtc-datachannel", "video 9 UDP/TLS/RTP/SAVPF 96"]);
    a.set_remote(Offer, &two).unwrap();
    let text = a.create_answer(&local()).unwrap();
    a.set_local(Answer, &text).unwrap();
    let problem = |a: &mut Jsep, text: &str| match a.set_remote(Offer, text) {
        Err(Error::Content { line, problem }) => (line, problem),
        other => panic!("{other:?} of {text}"),
    };
    let one = sections(&["application 9 UDP/DTLS/SCTP webrtc-datachannel"]);
    assert_eq!(problem(&mut a, &one), (0, Problem::SectionsMissing));
    let swapped =
        sections(&["video 9 UDP/TLS/RTP/SAVPF 96", "application 9 UDP/DTLS/SCTP webrtc-datachannel"]);
    assert_eq!(problem(&mut a, &swapped), (6, Problem::KindChanged));
    assert_eq!(problem(&mut a, &two.replace("a=mid:0", "a=mid:7")), (7, Problem::MidChanged));
    assert_eq!(problem(&mut a, &two.replace("a=mid:1", "a=mid:0")), (14, Problem::MidRepeated));
    // The refused section's place is free for another kind.
    let other = two.replace("video 9", "audio 9").replace("a=mid:1", "a=mid:5");
    a.set_remote(Offer, &other).unwrap();
    let mut b = jsep();
    let mine = b.create_offer(&local()).unwrap();
    b.set_local(Offer, &mine).unwrap();
    let longer = b.set_remote(Answer, &two.replace("actpass", "active")).unwrap_err();
    assert_eq!(longer, Error::Content { line: 13, problem: Problem::SectionsAdded });
}

#[test]
fn a_bundle_only_section_uses_the_tagged_ones_transport() {
    let text = sections(&["audio 9 UDP/TLS/RTP/SAVPF 9", "application 0 UDP/DTLS/SCTP webrtc-datachannel"])
        .replace("a=mid:0\r\n", "a=mid:0\r\na=candidate:tag\r\n")
        .replace("a=mid:1\r\na=ice-ufrag:wxyz\r\n", "a=mid:1\r\na=bundle-only\r\n");
    let mut a = jsep();
    a.set_remote(Offer, &text).unwrap();
    let remote = a.remote().unwrap();
    assert_eq!((remote.mid(), remote.ufrag()), (Some("1"), "wxyz"));
    assert_eq!(remote.candidates().collect::<Vec<_>>(), ["tag"]);
    assert_eq!(a.accepts_candidate(Some("0"), None, Some("wxyz")), Ok(true));
}

#[test]
fn candidates_find_their_transport() {
    let mut a = jsep();
    let none = a.accepts_candidate(Some("0"), None, None).unwrap_err();
    assert_eq!(none.name(), "InvalidStateError");
    let text = sections(&["audio 9 UDP/TLS/RTP/SAVPF 9", "application 9 UDP/DTLS/SCTP webrtc-datachannel"]);
    a.set_remote(Offer, &text).unwrap();
    assert_eq!(a.accepts_candidate(Some("1"), None, Some("wxyz")), Ok(true));
    assert_eq!(a.accepts_candidate(None, Some(1), None), Ok(true));
    assert_eq!(a.accepts_candidate(Some("0"), Some(1), None), Ok(false), "the section that is refused");
    for (mid, index, ufrag) in [
        (Some("2"), Some(1), None),
        (None, Some(2), None),
        (None, None, None),
        (Some("1"), None, Some("abcd")),
    ] {
        assert_eq!(a.accepts_candidate(mid, index, ufrag), Err(Error::UnknownCandidateTarget));
    }
}

#[test]
fn a_legacy_offer_is_answered_in_kind() {
    let text = sections(&["application 9 DTLS/SCTP 5001"]) + "a=sctpmap:5001 webrtc-datachannel 1024\r\n";
    let mut a = jsep();
    a.set_remote(Offer, &text).unwrap();
    assert_eq!((a.remote().unwrap().sctp_port(), a.remote().unwrap().max_message_size()), (5001, 65536));
    let reply = a.create_answer(&local()).unwrap();
    assert!(reply.contains("m=application 9 DTLS/SCTP 5000\r\n"), "{reply}");
    assert_eq!(parse(&reply).media(0).unwrap().legacy_sctp_port(), Some(5000));
    assert_eq!(a.set_local(Answer, &reply).unwrap().data, DataSection::Accepted);
}

#[test]
fn each_setup_has_its_opposite() {
    let base = sections(&["application 9 UDP/DTLS/SCTP webrtc-datachannel"]);
    for (offered, expected) in [
        ("a=setup:actpass", Some("active")),
        ("a=setup:active", Some("passive")),
        ("a=setup:passive", Some("active")),
        ("a=x", Some("active")),
        ("a=setup:holdconn", None),
        ("a=setup:both", None),
    ] {
        let mut a = jsep();
        let result = a.set_remote(Offer, &base.replace("a=setup:actpass", offered));
        let answered = result.map(|_| a.create_answer(&local()).unwrap());
        let setup =
            answered.as_ref().ok().map(|t| parse(t).media(0).unwrap().attribute("setup").unwrap().value);
        assert_eq!(setup, expected, "{offered}");
        if expected.is_none() {
            assert_eq!(answered, Err(Error::Content { line: 9, problem: Problem::BadSetup }));
        }
    }
}

#[test]
fn renomination_is_answered_where_it_is_offered_and_wanted() {
    for (offers, answers) in [(true, true), (true, false), (false, true), (false, false)] {
        let mine = |renomination| Local { renomination, ..local() };
        let (mut a, mut b) = (jsep(), jsep());
        offer(&mut a, &mut b, &mine(offers));
        assert_eq!(b.remote().unwrap().ice_option("renomination"), offers);
        answer(&mut b, &mut a, &mine(answers));
        assert_eq!(a.remote().unwrap().ice_option("renomination"), offers && answers);
    }
}
