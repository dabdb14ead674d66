//! The handshake header and the fragments behind it (RFC 6347, Section 4.2.2).

use crate::wire::{Malformed, Reader, ShortBuffer, Writer};

/// Octets of a [`HandshakeHeader`].
pub const HANDSHAKE_HEADER_LEN: usize = 12;

/// Which handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(missing_docs, reason = "the names are the RFC's")]
pub struct HandshakeType(pub u8);

#[allow(missing_docs, reason = "the names are the RFC's")]
impl HandshakeType {
    pub const CLIENT_HELLO: Self = Self(1);
    pub const SERVER_HELLO: Self = Self(2);
    pub const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub const NEW_SESSION_TICKET: Self = Self(4);
    pub const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub const REQUEST_CONNECTION_ID: Self = Self(9);
    pub const NEW_CONNECTION_ID: Self = Self(10);
    pub const CERTIFICATE: Self = Self(11);
    pub const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub const CERTIFICATE_REQUEST: Self = Self(13);
    pub const SERVER_HELLO_DONE: Self = Self(14);
    pub const CERTIFICATE_VERIFY: Self = Self(15);
    pub const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub const FINISHED: Self = Self(20);
    pub const KEY_UPDATE: Self = Self(24);
    /// The pseudo-message that replaces a first ClientHello in a transcript
    /// (RFC 8446, Section 4.4.1).
    pub const MESSAGE_HASH: Self = Self(254);
}

/// The header in front of each fragment of a handshake message.
///
/// ```text
///  HandshakeType msg_type;    1
///  uint24 length;             3   of the whole message
///  uint16 message_seq;        2
///  uint24 fragment_offset;    3
///  uint24 fragment_length;    3
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeHeader {
    /// Which message.
    pub msg_type: HandshakeType,
    /// Octets of the whole message.
    pub length: u32,
    /// The message's number in this handshake.
    pub message_seq: u16,
    /// Where in the message the fragment begins.
    pub fragment_offset: u32,
    /// Octets of the fragment.
    pub fragment_length: u32,
}

impl HandshakeHeader {
    /// The header of a message in one piece, as a DTLS 1.2 transcript has it
    /// however the message was cut.
    pub const fn whole(msg_type: HandshakeType, message_seq: u16, length: u32) -> Self {
        Self { msg_type, length, message_seq, fragment_offset: 0, fragment_length: length }
    }

    /// Writes the header.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u8(self.msg_type.0)?;
        w.u24(self.length)?;
        w.u16(self.message_seq)?;
        w.u24(self.fragment_offset)?;
        w.u24(self.fragment_length)
    }

    /// The header's octets.
    pub fn to_bytes(self) -> [u8; HANDSHAKE_HEADER_LEN] {
        let mut buf = [0; HANDSHAKE_HEADER_LEN];
        // The buffer is as long as the header.
        let _ = self.emit(&mut Writer::new(&mut buf));
        buf
    }
}

/// A fragment of a handshake message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Its header.
    pub header: HandshakeHeader,
    /// Its octets.
    pub body: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Reads one fragment; several may lie in one record.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short, or reaches past its message's end.
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let header = HandshakeHeader {
            msg_type: HandshakeType(r.u8()?),
            length: r.u24()?,
            message_seq: r.u16()?,
            fragment_offset: r.u24()?,
            fragment_length: r.u24()?,
        };
        // Both are 24 bits wide: the sum cannot overflow.
        if header.fragment_offset + header.fragment_length > header.length {
            return Err(Malformed);
        }
        Ok(Self { header, body: r.take(header.fragment_length as usize)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_past_the_end_of_its_message_is_malformed() {
        let whole = HandshakeHeader::whole(HandshakeType::FINISHED, 3, 4);
        let mut bytes = std::vec::Vec::from(whole.to_bytes());
        bytes.extend([1, 2, 3, 4]);
        let fragment = Fragment::parse(&mut Reader::new(&bytes)).unwrap();
        assert_eq!((fragment.header, fragment.body), (whole, &[1, 2, 3, 4][..]));
        bytes[8] = 1; // fragment_offset
        assert_eq!(Fragment::parse(&mut Reader::new(&bytes)), Err(Malformed));
    }
}
