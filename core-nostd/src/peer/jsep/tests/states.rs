use super::super::machine::{Side, transition};
use super::*;
use RTCSdpType::{Answer, Offer, Pranswer, Rollback};
use RTCSignalingState::{
    Closed, HaveLocalOffer, HaveLocalPranswer, HaveRemoteOffer, HaveRemotePranswer, Stable,
};
use std::vec::Vec;

const STATES: [RTCSignalingState; 6] =
    [Stable, HaveLocalOffer, HaveRemoteOffer, HaveLocalPranswer, HaveRemotePranswer, Closed];

/// State, and what follows after local offer, pranswer, answer, rollback and
/// remote offer, pranswer, answer, rollback.
#[rustfmt::skip]
const TABLE: [[Option<RTCSignalingState>; 8]; 6] = {
    const NO: Option<RTCSignalingState> = None;
    [
        [Some(HaveLocalOffer), NO, NO, NO, Some(HaveRemoteOffer), NO, NO, NO],
        [Some(HaveLocalOffer), NO, NO, Some(Stable), Some(HaveRemoteOffer), Some(HaveRemotePranswer), Some(Stable), Some(Stable)],
        [NO, Some(HaveLocalPranswer), Some(Stable), Some(Stable), Some(HaveRemoteOffer), NO, NO, Some(Stable)],
        [NO, Some(HaveLocalPranswer), Some(Stable), NO, NO, NO, NO, NO],
        [NO, NO, NO, NO, NO, Some(HaveRemotePranswer), Some(Stable), NO],
        [NO; 8],
    ]
};

/// A negotiation in `state`, and the peer's offer and answer that fit there.
fn in_state(state: RTCSignalingState) -> Jsep {
    let (mut a, mut b) = (jsep(), jsep());
    match state {
        Stable => {}
        HaveLocalOffer => drop(offer(&mut a, &mut b, &local())),
        HaveRemoteOffer => drop(offer(&mut b, &mut a, &local())),
        HaveLocalPranswer => {
            offer(&mut b, &mut a, &local());
            let text = a.create_answer(&local()).unwrap();
            a.set_local(Pranswer, &text).unwrap();
        }
        HaveRemotePranswer => {
            offer(&mut a, &mut b, &local());
            let text = b.create_answer(&local()).unwrap();
            a.set_remote(Pranswer, &text).unwrap();
        }
        Closed => a.close(),
    }
    assert_eq!(a.state(), state);
    a
}

#[test]
fn every_state_takes_what_the_table_says_and_nothing_else() {
    let peers_offer = jsep().create_offer(&local()).unwrap();
    let mut peer = jsep();
    peer.set_remote(Offer, &peers_offer).unwrap();
    let peers_answer = peer.create_answer(&local()).unwrap();
    let mut taken = 0;
    for (state, row) in STATES.into_iter().zip(TABLE) {
        let operations = [Side::Local, Side::Remote]
            .into_iter()
            .flat_map(|side| [Offer, Pranswer, Answer, Rollback].map(|t| (side, t)));
        for ((side, sdp_type), expected) in operations.zip(row) {
            assert_eq!(transition(state, side, sdp_type), expected, "{state} {side:?} {sdp_type}");
            let mut jsep = in_state(state);
            let made = match sdp_type {
                Offer => jsep.create_offer(&local()),
                _ => jsep.create_answer(&local()),
            };
            let result = match (side, sdp_type) {
                (Side::Local, _) => jsep.set_local(sdp_type, made.as_deref().unwrap_or("")),
                (Side::Remote, Offer) => jsep.set_remote(Offer, &peers_offer),
                (Side::Remote, _) => jsep.set_remote(sdp_type, &peers_answer),
            };
            match expected {
                Some(to) => {
                    let changes = result.unwrap_or_else(|e| panic!("{state} {side:?} {sdp_type}: {e}"));
                    assert_eq!((changes.from, changes.to, jsep.state()), (state, to, to));
                    taken += 1;
                }
                None => {
                    let error = result.expect_err("not in the table");
                    assert!(matches!(error, Error::InvalidState { state: s, .. } if s == state), "{error}");
                    assert_eq!(jsep.state(), state);
                }
            }
        }
    }
    assert_eq!(taken, TABLE.iter().flatten().flatten().count());
}

#[test]
fn offers_and_answers_are_made_in_their_states_only() {
    let made = |f: fn(&mut Jsep) -> bool| -> Vec<_> {
        STATES.into_iter().filter(|&s| f(&mut in_state(s))).collect()
    };
    assert_eq!(made(|j| j.create_offer(&local()).is_ok()), [Stable, HaveLocalOffer]);
    assert_eq!(made(|j| j.create_answer(&local()).is_ok()), [HaveRemoteOffer, HaveLocalPranswer]);
    let error = in_state(Closed).create_offer(&local()).unwrap_err();
    assert_eq!(error.name(), "InvalidStateError");
    assert_eq!(std::format!("{error}"), "cannot create an offer when the signaling state is closed");
}

#[test]
fn descriptions_move_from_pending_to_current() {
    use DescriptionSlot::{Current, Latest, Pending};
    let (mut a, mut b) = (jsep(), jsep());
    let (text, ..) = offer(&mut a, &mut b, &local());
    let read = |j: &Jsep, slot| j.local_description(slot, &local()).map(|(t, d)| (t, std::format!("{d}")));
    assert_eq!(read(&a, Pending), Some((Offer, text.clone())));
    assert_eq!(read(&a, Current), None);
    assert_eq!(b.remote_description(Latest), Some((Offer, &text[..])));
    let (reply, ..) = answer(&mut b, &mut a, &local());
    assert_eq!(read(&a, Pending), None);
    assert_eq!(read(&a, Current), Some((Offer, text)));
    assert_eq!(read(&b, Latest), Some((Answer, reply.clone())));
    assert_eq!(a.remote_description(Current), Some((Answer, &reply[..])));
    assert_eq!(a.remote_description(Pending), None);
}

#[test]
fn names_are_those_of_the_w3c() {
    for (t, name) in [(Offer, "offer"), (Pranswer, "pranswer"), (Answer, "answer"), (Rollback, "rollback")] {
        assert_eq!((t.as_str(), name.parse()), (name, Ok(t)));
    }
    assert_eq!("Offer".parse::<RTCSdpType>(), Err(UnknownSdpType));
    assert_eq!(
        STATES.map(RTCSignalingState::as_str).join(" "),
        "stable have-local-offer have-remote-offer have-local-pranswer have-remote-pranswer closed"
    );
}
