//! Two negotiations against each other, and one against recorded peers.

mod browsers;
mod exchange;
mod hostile;
mod states;

use super::*;
use crate::wire::sdp::{Description, Setup};
use std::string::String;

pub(super) const CANDIDATES: [&str; 2] = [
    "candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host",
    "candidate:2 1 udp 1686052607 198.51.100.7 5000 typ srflx raddr 192.0.2.1 rport 5000",
];

pub(super) type Mine = Local<'static, &'static [&'static str]>;

pub(super) fn local() -> Mine {
    Local {
        ufrag: "abcd",
        password: "0123456789abcdefghijkl",
        fingerprint: [0x5a; 32],
        candidates: &[],
        end_of_candidates: false,
        lite: false,
        renomination: false,
        answer_setup: Setup::Active,
        data: true,
        sctp_port: 5000,
        #[cfg(feature = "snap")]
        sctp_init: None,
        max_message_size: 65535,
        #[cfg(feature = "path-mtu")]
        max_datagram_size: None,
    }
}

/// The credentials after a restart.
pub(super) fn restarted() -> Mine {
    Local { ufrag: "efgh", password: "zyxwvutsrqponmlkjihgfe", ..local() }
}

pub(super) fn jsep() -> Jsep {
    Jsep::new(Limits::DEFAULT, 7).unwrap()
}

/// Makes an offer at one end and applies it at both.
pub(super) fn offer(from: &mut Jsep, to: &mut Jsep, local: &Mine) -> (String, Changes, Changes) {
    let text = from.create_offer(local).unwrap();
    let ours = from.set_local(RTCSdpType::Offer, &text).unwrap();
    let theirs = to.set_remote(RTCSdpType::Offer, &text).unwrap();
    (text, ours, theirs)
}

/// Makes an answer at one end and applies it at both.
pub(super) fn answer(from: &mut Jsep, to: &mut Jsep, local: &Mine) -> (String, Changes, Changes) {
    let text = from.create_answer(local).unwrap();
    let ours = from.set_local(RTCSdpType::Answer, &text).unwrap();
    let theirs = to.set_remote(RTCSdpType::Answer, &text).unwrap();
    (text, ours, theirs)
}

pub(super) fn parse(text: &str) -> Description<'_> {
    Description::parse(text, 64).unwrap_or_else(|e| panic!("{e} in\n{text}"))
}
