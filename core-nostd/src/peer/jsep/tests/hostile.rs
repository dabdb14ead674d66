use super::*;
use crate::env::Rng;
use crate::wire::sdp::{SdpErrorKind, vectors};
use RTCSdpType::{Answer, Offer, Rollback};
use std::vec::Vec;

/// Applies `text` as an offer and as an answer, and lives on.
fn survive(text: &str) -> bool {
    let mut a = jsep();
    let taken = a.set_remote(Offer, text).is_ok();
    if taken {
        let reply = a.create_answer(&local()).unwrap();
        parse(&reply);
        a.set_local(Answer, &reply).unwrap();
        let again = a.create_offer(&local()).unwrap();
        parse(&again);
        a.set_local(Offer, &again).unwrap();
        let _ = a.set_remote(Answer, text);
        let _ = a.set_local(Rollback, "");
    } else {
        assert_eq!(a.state(), RTCSignalingState::Stable);
    }
    if let Some(remote) = a.remote() {
        let _ = (remote.candidates().count(), remote.fingerprints().count(), remote.max_message_size());
    }
    let _ = (a.sections().count(), a.accepts_candidate(Some("0"), None, None));
    taken
}

#[test]
fn a_description_cut_at_any_octet_does_no_harm() {
    let mut taken = 0;
    for name in ["firefox153-data-default-offer", "chromium156-offer-dataonly"] {
        let text = vectors::ALL.iter().find(|(n, _)| *n == name).unwrap().1;
        for end in 0..text.len() {
            taken += usize::from(survive(&text[..end]));
        }
    }
    assert!(taken > 0, "some cuts are still descriptions");
}

#[test]
fn changed_lines_and_octets_do_no_harm() {
    let mut rng = Rng::new([3; 32]);
    let mut random = |n: usize| rng.next_u32() as usize % n.max(1);
    let mut taken = 0;
    for _ in 0..12 {
        for (_, text) in vectors::ALL {
            let mut lines: Vec<String> = text.lines().map(String::from).collect();
            for _ in 0..1 + random(4) {
                let (i, j) = (random(lines.len()), random(lines.len()));
                match random(5) {
                    0 => drop(lines.remove(i)),
                    1 => lines.swap(i, j),
                    2 => lines.insert(i, lines[j].clone()),
                    3 => {
                        let cut = random(lines[i].len() + 1);
                        lines[i].truncate(cut);
                    }
                    _ => {
                        let at = random(lines[i].len() + 1);
                        let octet = ['\0', ':', '=', ' ', '9', 'é', '\r', '-'][random(8)];
                        lines[i].insert(at, octet);
                    }
                }
                if lines.is_empty() {
                    break;
                }
            }
            taken += usize::from(survive(&lines.join("\n")));
        }
    }
    assert!(taken > 100, "{taken} mutants were taken");
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let base = vectors::ALL.iter().find(|(n, _)| *n == "chromium156-offer-dataonly").unwrap().1;
    let m_line = 1 + base.lines().position(|l| l.starts_with("m=")).unwrap() as u32;
    for (prefix, by, problem) in [
        ("a=ice-ufrag", None, Problem::MissingUfrag),
        ("a=ice-pwd", None, Problem::MissingPassword),
        ("a=fingerprint", None, Problem::MissingFingerprint),
        ("a=ice-ufrag", Some("a=ice-ufrag:abc"), Problem::BadUfrag),
        ("a=ice-pwd", Some("a=ice-pwd:0123456789abcdefghijk"), Problem::BadPassword),
        ("a=fingerprint", Some("a=fingerprint:sha-256 00:11"), Problem::BadFingerprint),
        ("a=fingerprint", Some("a=fingerprint:sha-512 00:11"), Problem::UnsupportedFingerprint),
        ("a=sctp-port", Some("a=sctp-port:65536"), Problem::BadSctpPort),
        ("a=max-message-size", Some("a=max-message-size:-1"), Problem::BadMaxMessageSize),
    ] {
        let at = 1 + base.lines().position(|l| l.starts_with(prefix)).unwrap() as u32;
        let text: String = base
            .lines()
            .filter_map(|l| if l.starts_with(prefix) { by } else { Some(l) })
            .flat_map(|l| [l, "\r\n"])
            .collect();
        let line = if by.is_some() { at } else { m_line };
        assert_eq!(jsep().set_remote(Offer, &text), Err(Error::Content { line, problem }));
    }
    let error = jsep().set_remote(Offer, "hello").unwrap_err();
    assert!(matches!(error, Error::Syntax(e) if e.kind == SdpErrorKind::Version && e.line == 1), "{error}");
}
