//! Session descriptions (RFC 8866) with the attributes of WebRTC (RFC 8839,
//! RFC 8841, RFC 8122, RFC 4145, RFC 9143).
//!
//! A [`Description`] is a view over text that was checked once, line by line;
//! everything is then read where it stands. [`Writer`] writes lines to any
//! [`core::fmt::Write`].

mod attribute;
mod parse;
mod write;

#[cfg(test)]
pub(crate) mod vectors;

pub use attribute::{Fingerprint, Setup};
pub use parse::{Attribute, Attributes, Description, Media, Medias};
pub use write::Writer;

/// A description that cannot be read: which line, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SdpError {
    /// The line, counted from 1; 0 when the description as a whole is meant.
    pub line: u32,
    /// What is wrong there.
    pub kind: SdpErrorKind,
}

/// What can be wrong with a description's syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SdpErrorKind {
    /// There is no text.
    Empty,
    /// The first line is not `v=0`.
    Version,
    /// The line is not a letter, `=` and a value.
    NotALine,
    /// The line holds a NUL or a carriage return that does not end it.
    ControlOctet,
    /// The session has no `o=` line, or one of other than six fields.
    Origin,
    /// The `m=` line is not a kind, a port, a protocol and at least one format.
    MediaLine,
    /// An attribute has no name.
    AttributeName,
    /// There are more media sections than the limits allow.
    TooManyMediaSections,
}

impl core::fmt::Display for SdpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = match self.kind {
            SdpErrorKind::Empty => "the description is empty",
            SdpErrorKind::Version => "the description does not begin with v=0",
            SdpErrorKind::NotALine => "not of the form <letter>=<value>",
            SdpErrorKind::ControlOctet => "a NUL or a stray carriage return",
            SdpErrorKind::Origin => "the o= line is missing or has not six fields",
            SdpErrorKind::MediaLine => "the m= line is not <kind> <port> <protocol> <format>...",
            SdpErrorKind::AttributeName => "an attribute without a name",
            SdpErrorKind::TooManyMediaSections => "more media sections than the limits allow",
        };
        match self.line {
            0 => f.write_str(text),
            line => write!(f, "line {line}: {text}"),
        }
    }
}

impl core::error::Error for SdpError {}
