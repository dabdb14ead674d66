//! The record header of DTLS 1.2 and of plaintext DTLS 1.3 records (RFC 6347,
//! Section 4.1; RFC 9147, Section 4).

use crate::wire::{Malformed, Reader, ShortBuffer, Writer};

/// Octets of a [`RecordHeader`].
pub const RECORD_HEADER_LEN: usize = 13;

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ContentType(pub u8);

impl ContentType {
    /// change_cipher_spec.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// alert.
    pub const ALERT: Self = Self(21);
    /// handshake.
    pub const HANDSHAKE: Self = Self(22);
    /// application_data.
    pub const APPLICATION_DATA: Self = Self(23);
    /// tls12_cid (RFC 9146, Section 4): the header has a connection ID, and the
    /// real type is encrypted with the content.
    pub const TLS12_CID: Self = Self(25);
    /// ack (RFC 9147, Section 7).
    pub const ACK: Self = Self(26);
}

/// The header in front of a record.
///
/// ```text
///  ContentType type;        1
///  ProtocolVersion version; 2
///  uint16 epoch;            2
///  uint48 sequence_number;  6
///  uint16 length;           2
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the record carries.
    pub content_type: ContentType,
    /// The version field. "implementations MUST NOT rely on it" in effect: it
    /// is fixed at 1.2, or 1.0 for an initial ClientHello.
    pub version: u16,
    /// Which keys protect it.
    pub epoch: u16,
    /// Its number within the epoch, 48 bits.
    pub sequence: u64,
    /// Octets behind the header.
    pub length: u16,
}

impl RecordHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// [`Malformed`] when fewer than 13 octets are left.
    pub fn parse(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            content_type: ContentType(r.u8()?),
            version: r.u16()?,
            epoch: r.u16()?,
            sequence: r.u48()?,
            length: r.u16()?,
        })
    }

    /// Writes the header.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        self.emit_with(w, &[])
    }

    /// Writes the header with a connection ID in it (RFC 9146, Section 4).
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_with(&self, w: &mut Writer<'_>, connection_id: &[u8]) -> Result<(), ShortBuffer> {
        w.u8(self.content_type.0)?;
        w.u16(self.version)?;
        w.u16(self.epoch)?;
        w.u48(self.sequence)?;
        w.bytes(connection_id)?;
        w.u16(self.length)
    }

    /// The epoch and sequence number as one 64-bit number, as the additional
    /// data and the nonce of DTLS 1.2 have it.
    pub const fn epoch_and_sequence(&self) -> u64 {
        (self.epoch as u64) << 48 | self.sequence & 0xffff_ffff_ffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trip() {
        let header = RecordHeader {
            content_type: ContentType::HANDSHAKE,
            version: 0xfefd,
            epoch: 1,
            sequence: 0x0102_0304_0506,
            length: 7,
        };
        let mut buf = [0; RECORD_HEADER_LEN];
        header.emit(&mut Writer::new(&mut buf)).unwrap();
        assert_eq!(buf, [22, 0xfe, 0xfd, 0, 1, 1, 2, 3, 4, 5, 6, 0, 7]);
        assert_eq!(RecordHeader::parse(&mut Reader::new(&buf)), Ok(header));
        assert_eq!(RecordHeader::parse(&mut Reader::new(&buf[1..])), Err(Malformed));
    }
}
