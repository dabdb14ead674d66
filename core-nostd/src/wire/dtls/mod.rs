//! DTLS records, handshake messages and extensions (RFC 6347, RFC 9147, and
//! the messages of RFC 5246 and RFC 8446 that they carry).

mod extension;
mod handshake;
mod hello;
mod messages;
mod record;
mod unified;

pub use extension::{ExtensionType, Extensions, KeyShareEntry, KeyShares, list16};
pub use handshake::{Fragment, HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType};
pub use hello::{ClientHello, HELLO_RETRY_REQUEST, HelloVerifyRequest, RANDOM_LEN, ServerHello};
pub use messages::{
    Ack, CertificateChain, CertificateRequest, CertificateVerify, ClientKeyExchange, NewConnectionId,
    ServerKeyExchange, parse_certificate_request_13,
};
pub use record::{ContentType, RECORD_HEADER_LEN, RecordHeader};
pub use unified::{MAX_CONNECTION_ID, UnifiedHeader, reconstruct};

/// A protocol version as DTLS writes it: the one's complement of TLS's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// DTLS 1.0: only ever seen in the record header of a first ClientHello.
    pub const DTLS_1_0: Self = Self(0xfeff);
    /// DTLS 1.2.
    pub const DTLS_1_2: Self = Self(0xfefd);
    /// DTLS 1.3.
    pub const DTLS_1_3: Self = Self(0xfefc);
}

/// What an alert says (RFC 8446, Section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AlertDescription(pub u8);

impl AlertDescription {
    /// The sender will send no more.
    pub const CLOSE_NOTIFY: Self = Self(0);
    /// A message came that does not belong there.
    pub const UNEXPECTED_MESSAGE: Self = Self(10);
    /// No acceptable set of parameters.
    pub const HANDSHAKE_FAILURE: Self = Self(40);
    /// The certificate does not match the description.
    pub const BAD_CERTIFICATE: Self = Self(42);
    /// The certificate is of a kind that is not supported.
    pub const UNSUPPORTED_CERTIFICATE: Self = Self(43);
    /// A field is out of range or contradicts another.
    pub const ILLEGAL_PARAMETER: Self = Self(47);
    /// A message does not parse.
    pub const DECODE_ERROR: Self = Self(50);
    /// A signature or Finished is wrong.
    pub const DECRYPT_ERROR: Self = Self(51);
    /// No acceptable version.
    pub const PROTOCOL_VERSION: Self = Self(70);
    /// Something failed on our side.
    pub const INTERNAL_ERROR: Self = Self(80);
    /// The sender gives up for a reason that is no failure.
    pub const USER_CANCELED: Self = Self(90);
    /// A required extension is missing.
    pub const MISSING_EXTENSION: Self = Self(109);
    /// An extension came that was not asked for.
    pub const UNSUPPORTED_EXTENSION: Self = Self(110);
    /// A certificate was required and not sent.
    pub const CERTIFICATE_REQUIRED: Self = Self(116);
}

/// The connection ID of the first record of a datagram, when it has one and
/// IDs are `len` octets long.
pub fn peek_connection_id(datagram: &[u8], len: usize) -> Option<&[u8]> {
    let first = *datagram.first()?;
    let at = if ContentType(first) == ContentType::TLS12_CID {
        RECORD_HEADER_LEN - 2
    } else if UnifiedHeader::begins(datagram) && UnifiedHeader::has_connection_id(first) {
        1
    } else {
        return None;
    };
    datagram.get(at..at + len).filter(|id| !id.is_empty())
}

#[cfg(test)]
pub(crate) mod vectors;
