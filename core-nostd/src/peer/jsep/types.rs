use crate::wire::sdp::Setup;
use core::fmt;
use core::str::FromStr;

/// How far the exchange of offer and answer is (W3C WebRTC, Section 4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RTCSignalingState {
    /// No exchange is under way.
    #[default]
    Stable,
    /// A local offer was applied.
    HaveLocalOffer,
    /// A remote offer was applied.
    HaveRemoteOffer,
    /// A remote offer and a provisional local answer were applied.
    HaveLocalPranswer,
    /// A local offer and a provisional remote answer were applied.
    HaveRemotePranswer,
    /// The connection is closed.
    Closed,
}

impl RTCSignalingState {
    /// The value's name in the W3C's interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::HaveLocalOffer => "have-local-offer",
            Self::HaveRemoteOffer => "have-remote-offer",
            Self::HaveLocalPranswer => "have-local-pranswer",
            Self::HaveRemotePranswer => "have-remote-pranswer",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for RTCSignalingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a description is (W3C WebRTC, Section 4.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RTCSdpType {
    /// An offer.
    Offer,
    /// An answer that another one may follow.
    Pranswer,
    /// The answer.
    Answer,
    /// Takes the pending offer back; has no text.
    Rollback,
}

impl RTCSdpType {
    /// The value's name in the W3C's interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Pranswer => "pranswer",
            Self::Answer => "answer",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for RTCSdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RTCSdpType {
    type Err = UnknownSdpType;

    fn from_str(name: &str) -> Result<Self, UnknownSdpType> {
        [Self::Offer, Self::Pranswer, Self::Answer, Self::Rollback]
            .into_iter()
            .find(|t| t.as_str() == name)
            .ok_or(UnknownSdpType)
    }
}

/// The name is not that of a type of description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownSdpType;

impl fmt::Display for UnknownSdpType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of offer, pranswer, answer, rollback")
    }
}

impl core::error::Error for UnknownSdpType {}

/// One of the descriptions that a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DescriptionSlot {
    /// What was agreed on last.
    Current,
    /// What the exchange under way would make of it.
    Pending,
    /// The pending description, or else the current one.
    Latest,
}

/// What an applied description changed. Values are read from [`Remote`] and
/// from [`Jsep`](super::Jsep) itself.
///
/// [`Remote`]: super::Remote
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Changes {
    /// The signalling state before.
    pub from: RTCSignalingState,
    /// The signalling state now.
    pub to: RTCSignalingState,
    /// Whether a pending offer was taken back, by a rollback or because the
    /// peer's offer came first. The credentials in force are those of the
    /// current descriptions again, if there are any.
    pub rolled_back: bool,
    /// Our credentials, against our latest description before; told by local
    /// descriptions and rollbacks.
    pub local_ice: IceChange,
    /// The peer's credentials, against its latest description before; told by
    /// remote descriptions and rollbacks.
    pub remote_ice: IceChange,
    /// Whether none of the peer's fingerprints is one of its current
    /// description before: a new DTLS association is wanted (RFC 8842,
    /// Section 3.1). Told by remote descriptions, and again by the local answer.
    pub remote_identity_changed: bool,
    /// Our DTLS role, once an answer says so: `Active` is the client.
    pub setup: Option<Setup>,
    /// How the section for data channels stands now.
    pub data: DataSection,
}

/// How ICE credentials compare with those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IceChange {
    /// They are the same, or this description says nothing of them.
    #[default]
    Unchanged,
    /// There were none before.
    New,
    /// They differ: ICE restarts (RFC 8839, Section 4.4.3.1.1).
    Restart,
}

/// How the section for data channels stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DataSection {
    /// There is none.
    #[default]
    Absent,
    /// It is offered and not yet answered.
    Offered,
    /// Both ends want it.
    Accepted,
    /// It was offered, and the answer refuses it.
    Rejected,
    /// It was accepted once, and has been taken away.
    Closed,
}
