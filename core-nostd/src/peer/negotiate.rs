//! Offers, answers and candidates: what JSEP says, done to the layers.

use super::connection::RTCPeerConnection;
use super::event::RTCMilestoneStep;
use super::jsep::{
    self, Changes, DataSection, DescriptionSlot, IceChange, Local, RTCSdpType, RTCSignalingState,
};
use crate::channel::Parity;
use crate::dtls;
use crate::env::{Env, Instant};
use crate::ice::LocalCandidate;
use crate::mem::{String, string};
use crate::wire::candidate::Candidate;
use crate::wire::sdp::Setup;
use core::fmt;

/// A session description (W3C WebRTC, Section 4.6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RTCSessionDescription {
    /// Its type.
    pub sdp_type: RTCSdpType,
    /// Its text.
    pub sdp: String,
}

/// How to make an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RTCOfferOptions {
    /// Whether to restart ICE.
    pub ice_restart: bool,
}

/// How to make an answer: the W3C has nothing to say here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RTCAnswerOptions {}

/// A remote candidate as the signalling brings it (W3C WebRTC, Section 4.8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RTCIceCandidateInit<'a> {
    /// `candidate:…`; empty for the end of candidates.
    pub candidate: &'a str,
    /// The mid of its section.
    pub sdp_mid: Option<&'a str>,
    /// The index of its section.
    pub sdp_mline_index: Option<u16>,
    /// The ufrag that it belongs to.
    pub username_fragment: Option<&'a str>,
}

/// Why a negotiation step failed. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// The description, or the state for it.
    Description(jsep::Error),
    /// The candidate is not well formed (OperationError).
    Candidate,
    /// A candidate came before any remote description (InvalidStateError).
    NoRemoteDescription,
    /// The connection is closed (InvalidStateError).
    Closed,
}

impl Error {
    /// The name of the exception that the W3C's interface has for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Description(e) => e.name(),
            Self::Candidate => "OperationError",
            Self::NoRemoteDescription | Self::Closed => "InvalidStateError",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(e) => e.fmt(f),
            Self::Candidate => f.write_str("the ICE candidate is not well formed"),
            Self::NoRemoteDescription => f.write_str("a candidate came before any remote description"),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for Error {}

impl From<jsep::Error> for Error {
    fn from(e: jsep::Error) -> Self {
        Self::Description(e)
    }
}

/// A local candidate as a line of a description.
#[derive(Debug, Clone, Copy)]
struct Line<'a>(&'a LocalCandidate);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.with_attribute(None, |candidate| candidate.fmt(f))
    }
}

impl fmt::Display for LocalCandidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Line(self).fmt(f)
    }
}

/// What our descriptions say, of what the layers know now.
macro_rules! local {
    ($pc:expr) => {{
        let credentials = $pc.ice.local_credentials();
        Local {
            ufrag: credentials.ufrag(),
            password: credentials.pwd(),
            fingerprint: fingerprint(&$pc.dtls),
            candidates: $pc.ice.signalled_candidates().map(Line),
            end_of_candidates: $pc.ice.is_local_ended(),
            lite: $pc.ice.is_lite(),
            renomination: $pc.ice.has_renomination(),
            answer_setup: $pc.answer_setup,
            data: $pc.wants_data,
            sctp_port: 5000,
            #[cfg(feature = "snap")]
            sctp_init: $pc.signalled_init(),
            max_message_size: $pc.max_message_size,
            #[cfg(feature = "path-mtu")]
            max_datagram_size: $pc.told_datagram_size(),
        }
    }};
}

fn fingerprint(dtls: &dtls::Connection) -> [u8; 32] {
    // It is a SHA-256 hash.
    dtls.certificate().fingerprint().digest().first_chunk().copied().unwrap_or_default()
}

impl RTCPeerConnection {
    /// What the next description says of SNAP.
    #[cfg(feature = "snap")]
    fn signalled_init(&self) -> Option<crate::wire::sctp::SignalledInit> {
        // An answer has it when the offer has it
        // (draft-hancke-tsvwg-snap-00, Section 5.4).
        let offers =
            matches!(self.jsep.state(), RTCSignalingState::Stable | RTCSignalingState::HaveLocalOffer);
        let both = offers || self.jsep.remote().is_some_and(|r| r.sctp_init().is_some());
        if self.jsep.snap() && both { self.sctp.signalled_init() } else { None }
    }

    /// Makes an offer (W3C WebRTC, Section 4.4.2), with the candidates that
    /// are known by now. It takes effect by
    /// [`set_local_description`](Self::set_local_description).
    ///
    /// # Errors
    /// [`Error`].
    pub fn create_offer(&mut self, options: Option<RTCOfferOptions>) -> Result<RTCSessionDescription, Error> {
        self.check_open()?;
        if options.unwrap_or_default().ice_restart || self.ice.is_restarting() {
            self.ice.restart(&mut Env::new(self.now, &mut self.rng));
        }
        let sdp = self.jsep.create_offer(&local!(self))?;
        Ok(RTCSessionDescription { sdp_type: RTCSdpType::Offer, sdp })
    }

    /// Makes an answer to the remote offer.
    ///
    /// # Errors
    /// [`Error`].
    pub fn create_answer(
        &mut self,
        options: Option<RTCAnswerOptions>,
    ) -> Result<RTCSessionDescription, Error> {
        let _ = options;
        self.check_open()?;
        let sdp = self.jsep.create_answer(&local!(self))?;
        Ok(RTCSessionDescription { sdp_type: RTCSdpType::Answer, sdp })
    }

    /// Applies a local description: the text that was created last, unchanged,
    /// or a rollback. Gathering begins.
    ///
    /// # Errors
    /// [`Error`].
    pub fn set_local_description(
        &mut self,
        now: Instant,
        sdp_type: RTCSdpType,
        sdp: &str,
    ) -> Result<(), Error> {
        self.tick(now);
        self.check_open()?;
        let initial = self.jsep.remote().is_none();
        let changes = self.jsep.set_local(sdp_type, sdp)?;
        if changes.rolled_back {
            self.roll_back(&changes);
        } else {
            if sdp_type == RTCSdpType::Offer && initial && !self.ice.is_lite() {
                self.ice.set_controlling(true);
            }
            if matches!(changes.data, DataSection::Offered | DataSection::Accepted) {
                self.start_gathering();
                self.ice.gather();
            }
            if sdp_type != RTCSdpType::Offer {
                self.apply_remote();
            }
        }
        self.apply(&changes);
        Ok(())
    }

    /// Applies a remote description, or a rollback. An offer that comes while
    /// ours is pending takes ours back (W3C WebRTC, Section 4.4.1.5).
    ///
    /// # Errors
    /// [`Error`], which names the line and what is wrong with it.
    pub fn set_remote_description(
        &mut self,
        now: Instant,
        sdp_type: RTCSdpType,
        sdp: &str,
    ) -> Result<(), Error> {
        self.tick(now);
        self.check_open()?;
        let changes = self.jsep.set_remote(sdp_type, sdp)?;
        if changes.rolled_back {
            self.roll_back(&changes);
        }
        if sdp_type != RTCSdpType::Rollback {
            self.signals.milestone(self.now, RTCMilestoneStep::RemoteDescription);
            self.take_candidates(&changes, sdp_type);
            if sdp_type != RTCSdpType::Offer {
                self.apply_remote();
            }
        }
        self.apply(&changes);
        Ok(())
    }

    /// What a remote description says of ICE, before it is answered.
    fn take_candidates(&mut self, changes: &Changes, sdp_type: RTCSdpType) {
        let env = &mut Env::new(self.now, &mut self.rng);
        if changes.remote_ice == IceChange::Restart {
            self.names.clear();
            if sdp_type == RTCSdpType::Offer {
                self.ice.restart(env);
            }
        }
        let Some(remote) = self.jsep.remote() else { return };
        if sdp_type == RTCSdpType::Offer && changes.remote_ice == IceChange::New {
            self.ice.set_controlling(false);
        }
        self.ice.set_remote_lite(remote.lite());
        self.ice.set_remote_renomination(remote.ice_option("renomination"));
        for line in remote.candidates() {
            // The peer's other candidates are as good as before.
            if let Ok(Some(candidate)) = Candidate::parse_value(line) {
                self.names.take(&mut self.ice, env, &candidate);
            }
        }
        if remote.end_of_candidates() {
            self.ice.end_of_remote_candidates(env);
        }
    }

    /// An answer is in place: the peer's credentials count.
    fn apply_remote(&mut self) {
        let env = &mut Env::new(self.now, &mut self.rng);
        if let Some(remote) = self.jsep.remote() {
            self.ice.set_remote_credentials(env, remote.ufrag(), remote.password());
        }
    }

    fn roll_back(&mut self, changes: &Changes) {
        if changes.local_ice == IceChange::Restart || self.ice.is_restarting() {
            self.ice.roll_back_restart(&mut Env::new(self.now, &mut self.rng));
        }
    }

    /// What an applied description means for the layers above ICE.
    fn apply(&mut self, changes: &Changes) {
        if let Some(setup) = changes.setup {
            let (role, parity) = match setup {
                Setup::Active => (dtls::Role::Client, Parity::Even),
                _ => (dtls::Role::Server, Parity::Odd),
            };
            if self.dtls_role.is_none() {
                self.dtls_role = Some(role);
                self.channels.set_parity(parity);
            }
        }
        if matches!(changes.data, DataSection::Closed | DataSection::Rejected)
            || changes.remote_identity_changed && self.dtls.is_started()
        {
            // A peer with another identity is another peer: a connection of
            // its own is for it.
            self.end_sctp(true);
        }
        if changes.to == RTCSignalingState::Stable {
            self.update_negotiation_needed();
        }
        self.progress();
    }

    /// Adds a candidate of the peer, or the end of candidates when it is
    /// empty (W3C WebRTC, Section 4.4.2). One for a generation that is over
    /// is passed over.
    ///
    /// # Errors
    /// [`Error`].
    pub fn add_remote_candidate(&mut self, now: Instant, init: RTCIceCandidateInit<'_>) -> Result<(), Error> {
        self.tick(now);
        self.check_open()?;
        if self.jsep.remote().is_none() {
            return Err(Error::NoRemoteDescription);
        }
        let text = init.candidate.trim();
        let candidate = match text {
            "" => None,
            text => Candidate::parse(text).map_err(|_| Error::Candidate)?,
        };
        let ufrag = init.username_fragment.or(candidate.and_then(|c| c.ufrag));
        if !self.jsep.accepts_candidate(init.sdp_mid, init.sdp_mline_index, ufrag)? {
            return Ok(());
        }
        let env = &mut Env::new(self.now, &mut self.rng);
        match candidate {
            Some(candidate) => self.names.take(&mut self.ice, env, &candidate),
            None if text.is_empty() => self.ice.end_of_remote_candidates(env),
            None => {}
        }
        self.progress();
        Ok(())
    }

    /// Makes the next offer restart ICE, and says that one is needed.
    pub fn restart_ice(&mut self) {
        if !self.closing {
            self.ice.restart(&mut Env::new(self.now, &mut self.rng));
            self.signals.negotiation_needed();
        }
    }

    fn local_text(&self, slot: DescriptionSlot) -> Option<RTCSessionDescription> {
        let local = local!(self);
        let (sdp_type, text) = self.jsep.local_description(slot, &local)?;
        Some(RTCSessionDescription { sdp_type, sdp: string(&text).ok()? })
    }

    /// The pending local description, or else the current one, with the
    /// candidates that are known by now.
    pub fn local_description(&self) -> Option<RTCSessionDescription> {
        self.local_text(DescriptionSlot::Latest)
    }

    /// The local description that was agreed on last.
    pub fn current_local_description(&self) -> Option<RTCSessionDescription> {
        self.local_text(DescriptionSlot::Current)
    }

    /// The local description of the exchange under way.
    pub fn pending_local_description(&self) -> Option<RTCSessionDescription> {
        self.local_text(DescriptionSlot::Pending)
    }

    /// The pending remote description, or else the current one.
    pub fn remote_description(&self) -> Option<(RTCSdpType, &str)> {
        self.jsep.remote_description(DescriptionSlot::Latest)
    }

    /// The remote description that was agreed on last.
    pub fn current_remote_description(&self) -> Option<(RTCSdpType, &str)> {
        self.jsep.remote_description(DescriptionSlot::Current)
    }

    /// The remote description of the exchange under way.
    pub fn pending_remote_description(&self) -> Option<(RTCSdpType, &str)> {
        self.jsep.remote_description(DescriptionSlot::Pending)
    }

    /// Whether the peer takes candidates one by one; `None` before a remote
    /// description.
    pub fn can_trickle_ice_candidates(&self) -> Option<bool> {
        self.jsep.remote().map(|r| r.ice_option("trickle"))
    }

    /// `sdpMLineIndex` and `sdpMid` of our candidates.
    pub fn candidate_section(&self) -> Option<(usize, Option<&str>)> {
        self.jsep.data_section()
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.closing { Err(Error::Closed) } else { Ok(()) }
    }
}
