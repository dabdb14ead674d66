//! Offers and answers (RFC 8829, RFC 9429): the signalling state, the four
//! descriptions, and the media sections in them.
//!
//! [`Jsep`] holds text and derives everything else from it: which sections
//! there are, what was agreed on, what the peer wants. It knows neither time
//! nor transports; [`Changes`] tells its owner what a description means for
//! ICE, DTLS and SCTP, and [`Remote`] reads the values where they stand.
//!
//! Data channels are what is negotiated today. Sections for media are kept in
//! their place and refused, as an endpoint that sends and receives none must.

mod archive;
mod create;
mod error;
mod machine;
mod remote;
mod section;
mod types;

#[cfg(test)]
mod tests;

pub use create::Local;
pub use error::{Error, Operation, Problem};
pub use machine::Jsep;
pub use remote::Remote;
pub use section::{MediaKind, Section, SectionState};
pub use types::{
    Changes, DataSection, DescriptionSlot, IceChange, RTCSdpType, RTCSignalingState, UnknownSdpType,
};

use crate::mem::Text;

/// How much of a description is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Media sections per description.
    pub media_sections: usize,
    /// Octets of all descriptions that are kept together: the two that were
    /// agreed on, and the two of a negotiation under way, of which an answer
    /// replaces what was agreed on; local ones without their candidates.
    pub description_bytes: usize,
}

impl Limits {
    /// Data channels with a browser, which may have a media section besides.
    pub const TINY: Self = Self { media_sections: 4, description_bytes: 3072 };

    /// What a browser offers with microphone, camera and all its codecs.
    pub const DEFAULT: Self = Self { media_sections: 16, description_bytes: 32 * 1024 };

    /// A few sections for each of thousands of connections.
    pub const SERVER: Self = Self { media_sections: 16, description_bytes: 16 * 1024 };

    /// The octets of heap that a [`Jsep`] of these limits takes.
    pub const fn heap_bytes(&self) -> usize {
        Text::heap_bytes(self.description_bytes)
    }
}
