use super::*;
use crate::wire::sdp::vectors;
use RTCSdpType::{Answer, Offer};
use std::format;
use std::vec::Vec;

/// What RFC 3264, RFC 8829 and RFC 9143 ask of an answer to `offer`.
fn check(name: &str, offer: &str, answer: &str) {
    let (offer, d) = (parse(offer), parse(answer));
    assert_eq!(d.len(), offer.len(), "{name}");
    let mut live = Vec::new();
    for (theirs, ours) in offer.medias().zip(d.medias()) {
        assert_eq!((ours.kind, ours.protocol, ours.formats), (theirs.kind, theirs.protocol, theirs.formats));
        assert_eq!(ours.mid(), theirs.mid(), "{name}");
        assert!(ours.attribute("bundle-only").is_none(), "{name}");
        if theirs.is_data() && !theirs.is_rejected() {
            assert_eq!(ours.port, 9, "{name}");
            assert_eq!(ours.attribute("setup").unwrap().value, "active", "{name}");
            for needed in ["ice-ufrag", "ice-pwd", "fingerprint", "sctp-port", "max-message-size"] {
                assert!(ours.attribute(needed).is_some(), "{name}: {needed}");
            }
            live.push(ours.mid().unwrap());
        } else {
            assert_eq!(ours.port, 0, "{name}");
        }
    }
    let bundled: Vec<_> = live.first().and_then(|m| d.bundle_of(m)).map(|b| b.collect()).unwrap_or_default();
    assert_eq!(bundled, live, "{name}");
    let trickle = |d: &Description<'_>| {
        d.medias().chain(None).any(|m| d.ice_option(Some(&m), "trickle")) || d.ice_option(None, "trickle")
    };
    assert!(live.is_empty() || trickle(&d) == trickle(&offer), "{name}");
}

#[test]
fn every_recorded_offer_is_answered_by_the_rules() {
    let offers: Vec<_> = vectors::ALL.iter().filter(|(name, _)| name.contains("offer")).collect();
    assert_eq!(offers.len(), 15);
    for (name, text) in offers {
        let mut jsep = jsep();
        let changes = jsep.set_remote(Offer, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let data = !name.contains("recvonly");
        assert_eq!(changes.data == DataSection::Offered, data, "{name}");
        let mine = Local { candidates: &CANDIDATES[..], ..local() };
        let reply = jsep.create_answer(&mine).unwrap();
        check(name, text, &reply);
        let changes = jsep.set_local(Answer, &reply).unwrap();
        assert_eq!(changes.setup, data.then_some(Setup::Active), "{name}");
        if let Some(remote) = jsep.remote() {
            assert_eq!(remote.fingerprints().count(), 1, "{name}");
            assert!(remote.ice_option("trickle") && !remote.lite(), "{name}");
        }
    }
}

#[test]
fn every_recorded_answer_to_data_alone_is_taken() {
    let answers =
        vectors::ALL.iter().filter(|(name, text)| name.contains("answer") && parse(text).len() == 1);
    let mut taken = 0;
    for (name, text) in answers {
        let mid = parse(text).media(0).unwrap().mid().unwrap();
        let mut jsep = jsep();
        let offer = jsep.create_offer(&local()).unwrap();
        jsep.set_local(Offer, &offer).unwrap();
        assert_eq!(mid, "0", "{name}");
        let changes = jsep.set_remote(Answer, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((changes.data, changes.remote_ice), (DataSection::Accepted, IceChange::New), "{name}");
        assert!(changes.setup.is_some(), "{name}");
        let candidates = text.matches("a=candidate:").count();
        assert_eq!(jsep.remote().unwrap().candidates().count(), candidates, "{name}");
        taken += 1;
    }
    assert!(taken >= 10, "{taken} answers");
}

#[test]
fn a_browsers_restart_is_a_restart() {
    let get = |name: &str| vectors::ALL.iter().find(|(n, _)| *n == name).unwrap().1;
    for browser in ["chromium156", "firefox153esr"] {
        let mut jsep = jsep();
        jsep.set_remote(Offer, get(&format!("{browser}-offer"))).unwrap();
        let reply = jsep.create_answer(&local()).unwrap();
        jsep.set_local(Answer, &reply).unwrap();
        let changes = jsep.set_remote(Offer, get(&format!("{browser}-offer-restart"))).unwrap();
        assert_eq!((changes.remote_ice, changes.remote_identity_changed), (IceChange::Restart, false));
    }
}

#[test]
fn a_description_beyond_the_limits_is_a_clear_error() {
    let mut tiny = Jsep::new(Limits::TINY, 1).unwrap();
    let long = vectors::ALL.iter().find(|(n, _)| *n == "chromium156-av-offer").unwrap().1;
    let error = tiny.set_remote(Offer, long).unwrap_err();
    assert_eq!(error, Error::TooLong { length: long.len(), max: 3072 });
    assert_eq!(
        format!("{error}"),
        format!("the description has {} octets; the limits leave room for 3072", long.len())
    );
    for (name, text) in vectors::ALL.iter().filter(|(n, _)| n.contains("data") && n.contains("offer")) {
        let mut tiny = Jsep::new(Limits::TINY, 1).unwrap();
        tiny.set_remote(Offer, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let reply = tiny.create_answer(&Local { candidates: &CANDIDATES[..], ..local() }).unwrap();
        tiny.set_local(Answer, &reply).unwrap();
    }
    let none = Limits { media_sections: 0, ..Limits::TINY };
    let error = Jsep::new(none, 1).unwrap().create_offer(&local()).unwrap_err();
    assert_eq!(error, Error::TooManyMediaSections { max: 0 });
}
