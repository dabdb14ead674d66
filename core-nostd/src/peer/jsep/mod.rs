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
    /// Octets of a local description, candidates not counted; it is kept
    /// twice.
    pub local_description_bytes: usize,
    /// Octets of a remote description; it is kept twice.
    pub remote_description_bytes: usize,
}

impl Limits {
    /// Data channels, and the one or two media sections that a browser may
    /// have besides.
    pub const TINY: Self =
        Self { media_sections: 4, local_description_bytes: 1024, remote_description_bytes: 2048 };

    /// What a browser offers with microphone, camera and all its codecs.
    pub const DEFAULT: Self =
        Self { media_sections: 16, local_description_bytes: 4096, remote_description_bytes: 16 * 1024 };

    /// Conferences with a section per participant.
    pub const SERVER: Self =
        Self { media_sections: 64, local_description_bytes: 16 * 1024, remote_description_bytes: 64 * 1024 };

    /// The octets of heap that a [`Jsep`] of these limits takes.
    pub const fn heap_bytes(&self) -> usize {
        2 * Text::heap_bytes(self.local_description_bytes)
            + 2 * Text::heap_bytes(self.remote_description_bytes)
    }
}
