//! Descriptions and candidates.

use crate::connection::Connection;
use crate::{exception, instant};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use picortc::peer::{self, RTCIceCandidateInit, RTCOfferOptions, RTCSdpType, RTCSessionDescription};
use wasm_bindgen::prelude::*;

fn failed(error: peer::Error) -> JsValue {
    exception(error.name(), &error)
}

fn sdp_type(name: &str) -> Result<RTCSdpType, JsValue> {
    name.parse().map_err(|e| exception("TypeError", &e))
}

/// `type\nsdp`; empty for none.
fn text(sdp_type: RTCSdpType, sdp: &str) -> String {
    format!("{sdp_type}\n{sdp}")
}

fn local(description: Option<RTCSessionDescription>) -> String {
    description.map(|d| text(d.sdp_type, &d.sdp)).unwrap_or_default()
}

fn remote(description: Option<(RTCSdpType, &str)>) -> String {
    description.map(|(sdp_type, sdp)| text(sdp_type, sdp)).unwrap_or_default()
}

#[wasm_bindgen]
impl Connection {
    /// Makes an offer.
    ///
    /// # Errors
    /// The W3C's exceptions.
    pub fn create_offer(&mut self, ice_restart: bool) -> Result<String, JsValue> {
        let offer = self.pc.create_offer(Some(RTCOfferOptions { ice_restart })).map_err(failed)?;
        Ok(offer.sdp)
    }

    /// Makes an answer.
    ///
    /// # Errors
    /// The W3C's exceptions.
    pub fn create_answer(&mut self) -> Result<String, JsValue> {
        Ok(self.pc.create_answer(None).map_err(failed)?.sdp)
    }

    /// Applies a local description, or a rollback.
    ///
    /// # Errors
    /// The W3C's exceptions.
    pub fn set_local_description(&mut self, now: f64, kind: &str, sdp: &str) -> Result<(), JsValue> {
        self.pc.set_local_description(instant(now), sdp_type(kind)?, sdp).map_err(failed)
    }

    /// Applies a remote description, or a rollback.
    ///
    /// # Errors
    /// The W3C's exceptions. That of a syntax error ends with ` @LINE`.
    pub fn set_remote_description(&mut self, now: f64, kind: &str, sdp: &str) -> Result<(), JsValue> {
        self.pc.set_remote_description(instant(now), sdp_type(kind)?, sdp).map_err(|e| match e {
            peer::Error::Description(peer::jsep::Error::Syntax(at)) => {
                exception("RTCError", &format_args!("{e} @{}", at.line))
            }
            _ => failed(e),
        })
    }

    /// Adds a candidate of the peer. `line` is negative when it is not given.
    ///
    /// # Errors
    /// The W3C's exceptions.
    pub fn add_remote_candidate(
        &mut self,
        now: f64,
        candidate: &str,
        mid: Option<String>,
        line: i32,
        ufrag: Option<String>,
    ) -> Result<(), JsValue> {
        let init = RTCIceCandidateInit {
            candidate,
            sdp_mid: mid.as_deref(),
            sdp_mline_index: u16::try_from(line).ok(),
            username_fragment: ufrag.as_deref(),
        };
        self.pc.add_remote_candidate(instant(now), init).map_err(failed)
    }

    /// Makes the next offer restart ICE.
    pub fn restart_ice(&mut self) {
        self.pc.restart_ice();
    }

    /// The local description `current`, `pending`, or the latest of both:
    /// `type`, a line break, the text. Empty for none.
    pub fn local_description(&self, slot: &str) -> String {
        local(match slot {
            "current" => self.pc.current_local_description(),
            "pending" => self.pc.pending_local_description(),
            _ => self.pc.local_description(),
        })
    }

    /// The remote description, as [`local_description`](Self::local_description).
    pub fn remote_description(&self, slot: &str) -> String {
        remote(match slot {
            "current" => self.pc.current_remote_description(),
            "pending" => self.pc.pending_remote_description(),
            _ => self.pc.remote_description(),
        })
    }

    /// The attribute of a local candidate, with its ufrag; empty for none.
    pub fn local_candidate(&self, index: u16) -> String {
        let ufrag = Some(self.pc.local_ufrag());
        let candidate = self.pc.local_candidate(index);
        candidate.map(|c| c.with_attribute(ufrag, |attribute| attribute.to_string())).unwrap_or_default()
    }

    /// Our ufrag.
    pub fn local_ufrag(&self) -> String {
        self.pc.local_ufrag().to_owned()
    }

    /// `sdpMLineIndex`, a space and `sdpMid` of our candidates; empty for none.
    pub fn candidate_section(&self) -> String {
        let section = self.pc.candidate_section();
        section.map(|(line, mid)| format!("{line} {}", mid.unwrap_or_default())).unwrap_or_default()
    }
}
