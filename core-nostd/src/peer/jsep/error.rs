use super::types::RTCSignalingState;
use crate::mem::OutOfMemory;
use crate::wire::sdp::SdpError;
use core::fmt;

/// Why a description was not made or not applied. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error {
    /// The caller's mistake: the operation is not for this signalling state.
    InvalidState {
        /// What was asked for.
        operation: Operation,
        /// The state.
        state: RTCSignalingState,
    },
    /// The caller's mistake: the local description is not the one that
    /// `create_offer` or `create_answer` returned last.
    InvalidModification,
    /// The caller's mistake: a candidate for a section or for credentials
    /// that the remote description does not have.
    UnknownCandidateTarget,
    /// The description is longer than the limits allow.
    TooLong {
        /// Its length in octets.
        length: usize,
        /// How long it can be, beside the others that are kept.
        max: usize,
    },
    /// The offer would have more media sections than the limits allow.
    TooManyMediaSections {
        /// How long it can be, beside the others that are kept.
        max: usize,
    },
    /// The description is not well formed.
    Syntax(SdpError),
    /// The description is well formed and cannot be applied.
    Content {
        /// The line, counted from 1; 0 when the description as a whole is
        /// meant.
        line: u32,
        /// What is wrong there.
        problem: Problem,
    },
    /// The allocator refused memory for the description.
    OutOfMemory,
}

/// What is done to a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// Making an offer.
    CreateOffer,
    /// Making an answer.
    CreateAnswer,
    /// Applying a local offer.
    SetLocalOffer,
    /// Applying a local provisional answer.
    SetLocalPranswer,
    /// Applying a local answer.
    SetLocalAnswer,
    /// Applying a remote offer.
    SetRemoteOffer,
    /// Applying a remote provisional answer.
    SetRemotePranswer,
    /// Applying a remote answer.
    SetRemoteAnswer,
    /// Taking an offer back.
    Rollback,
    /// Adding a remote candidate.
    AddCandidate,
}

/// What can be wrong with a well-formed description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Problem {
    /// The data section has no `ice-ufrag`.
    MissingUfrag,
    /// The data section has no `ice-pwd`.
    MissingPassword,
    /// `ice-ufrag` is not 4 to 64 octets long. (RFC 8839 allows 256; nobody
    /// sends more than 32.)
    BadUfrag,
    /// `ice-pwd` is not 22 to 128 octets long.
    BadPassword,
    /// The data section has no `fingerprint`.
    MissingFingerprint,
    /// A SHA-256 fingerprint is not 32 pairs of digits.
    BadFingerprint,
    /// No fingerprint is a SHA-256 one.
    UnsupportedFingerprint,
    /// `setup` is unknown, or not one that this type of description may have.
    BadSetup,
    /// `sctp-port` is not a port.
    BadSctpPort,
    /// `sctp-init` is not an INIT chunk in base64.
    #[cfg(feature = "snap")]
    BadSctpInit,
    /// `max-message-size` is not a number.
    BadMaxMessageSize,
    /// Two sections have one `mid`.
    MidRepeated,
    /// A section's `mid` is not the one that was negotiated.
    MidChanged,
    /// A section is not of the kind that was negotiated.
    KindChanged,
    /// Sections that were negotiated are missing.
    SectionsMissing,
    /// The answer has more sections than the offer.
    SectionsAdded,
    /// A section that the offer refused is accepted in the answer.
    RejectedSectionAccepted,
}

impl Error {
    /// The name of the exception that the W3C's interface has for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::InvalidState { .. } => "InvalidStateError",
            Self::InvalidModification => "InvalidModificationError",
            Self::UnknownCandidateTarget | Self::OutOfMemory => "OperationError",
            Self::TooLong { .. } | Self::TooManyMediaSections { .. } => "OperationError",
            Self::Syntax(_) => "RTCError",
            Self::Content { .. } => "InvalidAccessError",
        }
    }
}

impl Operation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::CreateOffer => "create an offer",
            Self::CreateAnswer => "create an answer",
            Self::SetLocalOffer => "set a local offer",
            Self::SetLocalPranswer => "set a local pranswer",
            Self::SetLocalAnswer => "set a local answer",
            Self::SetRemoteOffer => "set a remote offer",
            Self::SetRemotePranswer => "set a remote pranswer",
            Self::SetRemoteAnswer => "set a remote answer",
            Self::Rollback => "roll back",
            Self::AddCandidate => "add a remote candidate",
        }
    }
}

impl Problem {
    const fn as_str(self) -> &'static str {
        match self {
            Self::MissingUfrag => "the data section has no ice-ufrag",
            Self::MissingPassword => "the data section has no ice-pwd",
            Self::BadUfrag => "ice-ufrag is not 4 to 64 characters",
            Self::BadPassword => "ice-pwd is not 22 to 128 characters",
            Self::MissingFingerprint => "the data section has no fingerprint",
            Self::BadFingerprint => "a sha-256 fingerprint is not 32 pairs of hexadecimal digits",
            Self::UnsupportedFingerprint => "no fingerprint is a sha-256 one",
            Self::BadSetup => "setup is not one that this type of description may have",
            Self::BadSctpPort => "sctp-port is not a port",
            #[cfg(feature = "snap")]
            Self::BadSctpInit => "sctp-init is not an INIT chunk in base64",
            Self::BadMaxMessageSize => "max-message-size is not a number",
            Self::MidRepeated => "two media sections have the same mid",
            Self::MidChanged => "the mid of a negotiated media section changed",
            Self::KindChanged => "the kind of a negotiated media section changed",
            Self::SectionsMissing => "negotiated media sections are missing",
            Self::SectionsAdded => "the answer has more media sections than the offer",
            Self::RejectedSectionAccepted => "the answer accepts a media section that the offer rejects",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InvalidState { operation, state } => {
                write!(f, "cannot {} when the signaling state is {state}", operation.as_str())
            }
            Self::InvalidModification => f.write_str("the description is not the one created last"),
            Self::UnknownCandidateTarget => {
                f.write_str("the candidate is for a section or ufrag that the remote description has not")
            }
            Self::TooLong { length, max } => {
                write!(f, "the description has {length} octets; the limits leave room for {max}")
            }
            Self::TooManyMediaSections { max } => write!(f, "the limits allow {max} media sections"),
            Self::Syntax(error) => write!(f, "{error}"),
            Self::Content { line: 0, problem } => f.write_str(problem.as_str()),
            Self::Content { line, problem } => write!(f, "line {line}: {}", problem.as_str()),
            Self::OutOfMemory => f.write_str("the allocator refused memory for the description"),
        }
    }
}

impl core::error::Error for Error {}

impl From<SdpError> for Error {
    fn from(error: SdpError) -> Self {
        Self::Syntax(error)
    }
}

impl From<OutOfMemory> for Error {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// [`Error::Content`], as functions return it.
pub(super) const fn content<T>(line: u32, problem: Problem) -> Result<T, Error> {
    Err(Error::Content { line, problem })
}
