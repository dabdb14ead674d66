//! HEARTBEAT, ABORT and ERROR: chunks that carry one parameter or cause
//! (RFC 9260, Sections 3.3.5 to 3.3.7 and 3.3.10).

use super::{Params, ShortBuffer, Writer, emit_tlv};

/// An error cause code (RFC 9260, Section 3.3.10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cause(pub u16);

impl Cause {
    /// Invalid stream identifier.
    pub const INVALID_STREAM: Self = Self(1);
    /// The cookie has expired.
    pub const STALE_COOKIE: Self = Self(3);
    /// Out of resource.
    pub const OUT_OF_RESOURCE: Self = Self(4);
    /// Unrecognized chunk type.
    pub const UNRECOGNIZED_CHUNK: Self = Self(6);
    /// Invalid mandatory parameter.
    pub const INVALID_PARAMETER: Self = Self(7);
    /// A DATA chunk without user data.
    pub const NO_USER_DATA: Self = Self(9);
    /// The upper layer asked for the abort.
    pub const USER_INITIATED: Self = Self(12);
    /// Protocol violation.
    pub const PROTOCOL_VIOLATION: Self = Self(13);

    /// The first cause in the value of an ABORT or ERROR chunk.
    pub fn first(value: &[u8]) -> Option<Self> {
        Params::new(value).next()?.ok().map(|p| Self(p.kind))
    }

    /// Writes the cause with `info`.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(self, w: &mut Writer<'_>, info: &[u8]) -> Result<(), ShortBuffer> {
        emit_tlv(w, self.0, |w| w.bytes(info))
    }
}

const HEARTBEAT_INFO: u16 = 1;

/// Writes the Heartbeat Info parameter of a HEARTBEAT of ours.
///
/// # Errors
/// [`ShortBuffer`].
pub fn heartbeat_info(w: &mut Writer<'_>, info: &[u8]) -> Result<(), ShortBuffer> {
    emit_tlv(w, HEARTBEAT_INFO, |w| w.bytes(info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_is_found() {
        let mut buf = [0; 32];
        let mut w = Writer::new(&mut buf);
        Cause::USER_INITIATED.emit(&mut w, b"bye").unwrap();
        Cause::NO_USER_DATA.emit(&mut w, &[0; 4]).unwrap();
        assert_eq!(Cause::first(w.written()), Some(Cause::USER_INITIATED));
        assert_eq!(Cause::first(&[0, 12, 0, 3]), None);
        assert_eq!(Cause::first(&[]), None);
    }
}
