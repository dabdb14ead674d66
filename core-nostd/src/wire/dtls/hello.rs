//! ClientHello, ServerHello and HelloVerifyRequest (RFC 6347, Section 4.2.1
//! and 4.3.2; RFC 8446, Section 4.1).

use super::Extensions;
use crate::wire::{Malformed, Reader, ShortBuffer, Writer};

/// Octets of a hello's random value.
pub const RANDOM_LEN: usize = 32;

/// The random value by which a ServerHello is a HelloRetryRequest: the SHA-256
/// of "HelloRetryRequest" (RFC 8446, Section 4.1.3).
pub const HELLO_RETRY_REQUEST: [u8; RANDOM_LEN] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a client offers.
///
/// ```text
///  ProtocolVersion client_version;
///  Random random;
///  SessionID session_id;          <0..32>
///  opaque cookie<0..2^8-1>;
///  CipherSuite cipher_suites<2..2^16-2>;
///  CompressionMethod compression_methods<1..2^8-1>;
///  Extension extensions<0..2^16-1>;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The highest version up to 1.2.
    pub version: u16,
    /// The client's random value.
    pub random: [u8; RANDOM_LEN],
    /// A session to resume: ignored, and echoed as 1.3 wants it.
    pub session_id: &'a [u8],
    /// What a HelloVerifyRequest asked to repeat.
    pub cookie: &'a [u8],
    /// 16-bit numbers.
    pub cipher_suites: &'a [u8],
    /// 8-bit numbers; must hold 0.
    pub compression_methods: &'a [u8],
    /// Extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a ClientHello.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let hello = Self {
            version: r.u16()?,
            random: r.array()?,
            session_id: r.vec8()?,
            cookie: r.vec8()?,
            cipher_suites: r.vec16()?,
            compression_methods: r.vec8()?,
            extensions: Extensions::default(),
        };
        if hello.session_id.len() > 32 || !hello.cipher_suites.len().is_multiple_of(2) {
            return Err(Malformed);
        }
        // TLS 1.2 lets a hello end before the extensions.
        let extensions = if r.is_empty() { &[] } else { r.vec16()? };
        r.finish()?;
        Ok(Self { extensions: Extensions::parse(extensions)?, ..hello })
    }
}

/// What a server chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The version, or 1.2 when the extension says 1.3.
    pub version: u16,
    /// The server's random value.
    pub random: [u8; RANDOM_LEN],
    /// An identifier of the session, or the client's echoed.
    pub session_id: &'a [u8],
    /// The cipher suite.
    pub cipher_suite: u16,
    /// The compression method: must be 0.
    pub compression_method: u8,
    /// Extensions.
    pub extensions: Extensions<'a>,
}

impl<'a> ServerHello<'a> {
    /// Reads the body of a ServerHello.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let hello = Self {
            version: r.u16()?,
            random: r.array()?,
            session_id: r.vec8()?,
            cipher_suite: r.u16()?,
            compression_method: r.u8()?,
            extensions: Extensions::default(),
        };
        if hello.session_id.len() > 32 {
            return Err(Malformed);
        }
        let extensions = if r.is_empty() { &[] } else { r.vec16()? };
        r.finish()?;
        Ok(Self { extensions: Extensions::parse(extensions)?, ..hello })
    }

    /// Writes all but the extensions, which the caller appends as one block
    /// behind a 16-bit length.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit_head(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u16(self.version)?;
        w.bytes(&self.random)?;
        let open = w.open8()?;
        w.bytes(self.session_id)?;
        w.close(open)?;
        w.u16(self.cipher_suite)?;
        w.u8(self.compression_method)
    }
}

/// The server's wish for a second ClientHello with a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelloVerifyRequest<'a> {
    /// "DTLS 1.2 server implementations SHOULD use DTLS version 1.0
    /// regardless of the version of TLS that is expected to be negotiated."
    pub version: u16,
    /// What to repeat.
    pub cookie: &'a [u8],
}

impl<'a> HelloVerifyRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let hello = Self { version: r.u16()?, cookie: r.vec8()? };
        r.finish()?;
        Ok(hello)
    }

    /// Writes the body.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(&self, w: &mut Writer<'_>) -> Result<(), ShortBuffer> {
        w.u16(self.version)?;
        let open = w.open8()?;
        w.bytes(self.cookie)?;
        w.close(open)
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors;
    use super::*;
    use crate::crypto::NamedGroup;
    use crate::wire::dtls::{ExtensionType, KeyShares, list16};

    #[test]
    fn browsers_hellos_parse_and_no_cut_one_does() {
        for (name, hello) in [("chromium", vectors::CHROMIUM_HELLO), ("firefox", vectors::FIREFOX_HELLO)] {
            let parsed = ClientHello::parse(hello).unwrap();
            assert!(list16(parsed.cipher_suites).unwrap().any(|s| s == 0x1301), "{name}");
            let shares = parsed.extensions.get(ExtensionType::KEY_SHARE).unwrap();
            let shares = KeyShares::parse(shares).unwrap();
            assert_eq!(shares.get(NamedGroup::X25519MLKEM768).map(<[u8]>::len), Some(1216), "{name}");
            assert_eq!(shares.get(NamedGroup::X25519).map(<[u8]>::len), Some(32), "{name}");
            for n in 0..hello.len() {
                // A hello may end where its extensions would begin; every
                // other cut is an error.
                let cut = ClientHello::parse(&hello[..n]);
                assert!(
                    cut.is_err() || cut.unwrap().extensions == Extensions::default(),
                    "{name} cut at {n}"
                );
            }
        }
    }
}
