//! STUN messages (RFC 8489), with the attributes of ICE (RFC 8445, Section 16.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0 0|     STUN Message Type     |         Message Length        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                         Magic Cookie                          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     Transaction ID (96 bits)                  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Malformed, Reader, ShortBuffer, Writer};
use crate::crypto::{HashAlgorithm, Hashes, constant_time_eq};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::Range;

/// Octets of the header.
pub const HEADER_LEN: usize = 20;
/// "The Magic Cookie field MUST contain the fixed value 0x2112A442".
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// What a transaction is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TransactionId(pub [u8; 12]);

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Method(pub u16);

#[allow(missing_docs, reason = "the names are the IANA registry's")]
impl Method {
    pub const BINDING: Self = Self(0x001);
    pub const ALLOCATE: Self = Self(0x003);
    pub const REFRESH: Self = Self(0x004);
    pub const SEND: Self = Self(0x006);
    pub const DATA: Self = Self(0x007);
    pub const CREATE_PERMISSION: Self = Self(0x008);
    pub const CHANNEL_BIND: Self = Self(0x009);
    pub const CONNECT: Self = Self(0x00a);
    pub const CONNECTION_BIND: Self = Self(0x00b);
    pub const CONNECTION_ATTEMPT: Self = Self(0x00c);
}

/// Which of the four kinds a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// A good answer.
    Success,
    /// A bad answer.
    Error,
}

/// Which attribute. Those below 0x8000 must be understood by whoever receives
/// them ("comprehension-required").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AttributeType(pub u16);

#[allow(missing_docs, reason = "the names are the IANA registry's")]
impl AttributeType {
    pub const MAPPED_ADDRESS: Self = Self(0x0001);
    pub const USERNAME: Self = Self(0x0006);
    pub const MESSAGE_INTEGRITY: Self = Self(0x0008);
    pub const ERROR_CODE: Self = Self(0x0009);
    pub const UNKNOWN_ATTRIBUTES: Self = Self(0x000a);
    pub const CHANNEL_NUMBER: Self = Self(0x000c);
    pub const LIFETIME: Self = Self(0x000d);
    pub const XOR_PEER_ADDRESS: Self = Self(0x0012);
    pub const DATA: Self = Self(0x0013);
    pub const REALM: Self = Self(0x0014);
    pub const NONCE: Self = Self(0x0015);
    pub const XOR_RELAYED_ADDRESS: Self = Self(0x0016);
    pub const REQUESTED_ADDRESS_FAMILY: Self = Self(0x0017);
    pub const EVEN_PORT: Self = Self(0x0018);
    pub const REQUESTED_TRANSPORT: Self = Self(0x0019);
    pub const DONT_FRAGMENT: Self = Self(0x001a);
    pub const MESSAGE_INTEGRITY_SHA256: Self = Self(0x001c);
    pub const PASSWORD_ALGORITHM: Self = Self(0x001d);
    pub const USERHASH: Self = Self(0x001e);
    pub const XOR_MAPPED_ADDRESS: Self = Self(0x0020);
    pub const RESERVATION_TOKEN: Self = Self(0x0022);
    pub const PRIORITY: Self = Self(0x0024);
    pub const USE_CANDIDATE: Self = Self(0x0025);
    pub const CONNECTION_ID: Self = Self(0x002a);
    pub const ADDITIONAL_ADDRESS_FAMILY: Self = Self(0x8000);
    pub const ADDRESS_ERROR_CODE: Self = Self(0x8001);
    pub const PASSWORD_ALGORITHMS: Self = Self(0x8002);
    pub const ICMP: Self = Self(0x8004);
    pub const ALTERNATE_DOMAIN: Self = Self(0x8003);
    pub const SOFTWARE: Self = Self(0x8022);
    pub const ALTERNATE_SERVER: Self = Self(0x8023);
    pub const FINGERPRINT: Self = Self(0x8028);
    pub const ICE_CONTROLLED: Self = Self(0x8029);
    pub const ICE_CONTROLLING: Self = Self(0x802a);
    /// Not in the registry: as libwebrtc has it (draft-thatcher-ice-renomination).
    pub const NOMINATION: Self = Self(0xc001);

    const fn is_required(self) -> bool {
        self.0 < 0x8000
    }
}

/// The error codes that occur here (RFC 8489, Section 14.8; RFC 8445, Section
/// 16.2; RFC 8656, Section 19; RFC 6062, Section 6.3).
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod error_code {
    pub const TRY_ALTERNATE: u16 = 300;
    pub const BAD_REQUEST: u16 = 400;
    pub const UNAUTHENTICATED: u16 = 401;
    pub const FORBIDDEN: u16 = 403;
    pub const UNKNOWN_ATTRIBUTE: u16 = 420;
    pub const ALLOCATION_MISMATCH: u16 = 437;
    pub const STALE_NONCE: u16 = 438;
    pub const ADDRESS_FAMILY_NOT_SUPPORTED: u16 = 440;
    pub const WRONG_CREDENTIALS: u16 = 441;
    pub const UNSUPPORTED_TRANSPORT: u16 = 442;
    pub const PEER_ADDRESS_FAMILY_MISMATCH: u16 = 443;
    pub const CONNECTION_ALREADY_EXISTS: u16 = 446;
    pub const CONNECTION_TIMEOUT: u16 = 447;
    pub const ALLOCATION_QUOTA_REACHED: u16 = 486;
    pub const ROLE_CONFLICT: u16 = 487;
    pub const SERVER_ERROR: u16 = 500;
    pub const INSUFFICIENT_CAPACITY: u16 = 508;
}

/// A message whose header and attributes are well formed.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    /// Which kind.
    pub class: Class,
    /// What it asks for.
    pub method: Method,
    /// Of which transaction.
    pub transaction_id: TransactionId,
}

/// An attribute and where it begins.
struct Attribute<'a> {
    kind: AttributeType,
    value: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    /// Reads a message, which must fill `bytes`.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let kind = r.u16()?;
        let length = usize::from(r.u16()?);
        let cookie = r.u32()?;
        let transaction_id = TransactionId(r.array()?);
        // "the two most significant bits of every STUN message MUST be zeroes"
        if kind & 0xc000 != 0 || cookie != MAGIC_COOKIE || length != r.len() || !length.is_multiple_of(4) {
            return Err(Malformed);
        }
        while !r.is_empty() {
            r.u16()?;
            let len = usize::from(r.u16()?);
            r.take(len.next_multiple_of(4))?;
        }
        let class = match kind >> 7 & 2 | kind >> 4 & 1 {
            0 => Class::Request,
            1 => Class::Indication,
            2 => Class::Success,
            _ => Class::Error,
        };
        let method = Method(kind & 0xf | kind >> 1 & 0x70 | kind >> 2 & 0xf80);
        Ok(Self { bytes, class, method, transaction_id })
    }

    /// The value of an attribute. "agents MUST ignore all other attributes
    /// that follow MESSAGE-INTEGRITY" but those that protect the message.
    pub fn get(&self, wanted: AttributeType) -> Option<&'a [u8]> {
        self.protected().find(|a| a.kind == wanted).map(|a| a.value)
    }

    /// Whether an attribute is there.
    pub fn has(&self, wanted: AttributeType) -> bool {
        self.get(wanted).is_some()
    }

    /// The USERNAME.
    pub fn username(&self) -> Option<&'a [u8]> {
        self.get(AttributeType::USERNAME)
    }

    /// A 32-bit attribute, such as PRIORITY.
    pub fn u32(&self, kind: AttributeType) -> Option<u32> {
        Some(u32::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// A 64-bit attribute, such as ICE-CONTROLLING.
    pub fn u64(&self, kind: AttributeType) -> Option<u64> {
        Some(u64::from_be_bytes(self.get(kind)?.try_into().ok()?))
    }

    /// An address that is XORed with the header (RFC 8489, Section 14.2).
    pub fn xor_address(&self, kind: AttributeType) -> Option<SocketAddr> {
        self.xor_addresses(kind).next().flatten()
    }

    /// All such addresses: CreatePermission may have several. `None` in the
    /// place of one that is not well formed.
    pub fn xor_addresses(&self, kind: AttributeType) -> impl Iterator<Item = Option<SocketAddr>> {
        self.protected().filter(move |a| a.kind == kind).map(|a| self.xor_value(a.value))
    }

    fn xor_value(&self, value: &[u8]) -> Option<SocketAddr> {
        let mut r = Reader::new(value);
        r.u8().ok()?;
        let family = r.u8().ok()?;
        let port = r.u16().ok()? ^ (MAGIC_COOKIE >> 16) as u16;
        let ip = match family {
            1 => IpAddr::V4(Ipv4Addr::from_bits(r.u32().ok()? ^ MAGIC_COOKIE)),
            2 => {
                let octets = u128::from_be_bytes(r.array().ok()?);
                IpAddr::V6(Ipv6Addr::from_bits(octets ^ xor_mask(&self.transaction_id)))
            }
            _ => return None,
        };
        r.finish().ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// An address in the clear, such as ALTERNATE-SERVER (RFC 8489, Section
    /// 14.15).
    pub fn plain_address(&self, kind: AttributeType) -> Option<SocketAddr> {
        let mut r = Reader::new(self.get(kind)?);
        r.u8().ok()?;
        let family = r.u8().ok()?;
        let port = r.u16().ok()?;
        let ip = match family {
            1 => IpAddr::from(r.array::<4>().ok()?),
            2 => IpAddr::from(r.array::<16>().ok()?),
            _ => return None,
        };
        r.finish().ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// Where in the message the value of an attribute lies.
    pub fn range(&self, wanted: AttributeType) -> Option<Range<usize>> {
        self.protected().find(|a| a.kind == wanted).map(|a| a.at + 4..a.at + 4 + a.value.len())
    }

    /// The code of an ERROR-CODE. The reason phrase is for people, and from a
    /// stranger: it is not read.
    pub fn error_code(&self) -> Option<u16> {
        let [_, _, class, number, ..] = *self.get(AttributeType::ERROR_CODE)? else { return None };
        let code = u16::from(class & 7) * 100 + u16::from(number);
        (300..700).contains(&code).then_some(code)
    }

    /// The attributes that must be understood and are not among `known`.
    pub fn unknown_required(&self, known: &[AttributeType]) -> impl Iterator<Item = AttributeType> {
        self.protected().map(|a| a.kind).filter(|kind| kind.is_required() && !known.contains(kind))
    }

    /// Whether the message is protected by `key`: MESSAGE-INTEGRITY-SHA256
    /// when it has one, else MESSAGE-INTEGRITY.
    pub fn is_authentic(&self, hashes: &dyn Hashes, key: &[u8]) -> bool {
        let find = |kind| self.attributes().find(|a| a.kind == kind);
        if let Some(attribute) = find(AttributeType::MESSAGE_INTEGRITY_SHA256) {
            // "The value will be at most 32 bytes, but it MUST be at least 16
            // bytes and MUST be a multiple of 4 bytes."
            let len = attribute.value.len();
            return (16..=32).contains(&len)
                && len.is_multiple_of(4)
                && self.matches(hashes, HashAlgorithm::Sha256, key, &attribute);
        }
        find(AttributeType::MESSAGE_INTEGRITY)
            .is_some_and(|a| a.value.len() == 20 && self.matches(hashes, HashAlgorithm::Sha1, key, &a))
    }

    fn matches(&self, hashes: &dyn Hashes, algorithm: HashAlgorithm, key: &[u8], a: &Attribute<'_>) -> bool {
        let end = a.at + 4 + a.value.len() - HEADER_LEN;
        let (Some(head), Some(rest)) = (self.bytes.get(..2), self.bytes.get(4..a.at)) else { return false };
        // The length is that of a message that ends with this attribute.
        let length = (end as u16).to_be_bytes();
        let Ok(mac) = hashes.hmac(algorithm, key, &[head, &length, rest]) else { return false };
        mac.get(..a.value.len()).is_some_and(|mac| constant_time_eq(mac, a.value))
    }

    /// Whether the FINGERPRINT is right; `None` when there is none.
    pub fn fingerprint(&self) -> Option<bool> {
        let last = self.attributes().last().filter(|a| a.kind == AttributeType::FINGERPRINT)?;
        let value = u32::from_be_bytes(last.value.try_into().ok()?);
        Some(value == crc32(self.bytes.get(..last.at)?) ^ FINGERPRINT_XOR)
    }

    fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut r = Reader::new(self.bytes.get(HEADER_LEN..).unwrap_or_default());
        let end = self.bytes.len();
        core::iter::from_fn(move || {
            let at = end - r.len();
            let kind = AttributeType(r.u16().ok()?);
            let len = usize::from(r.u16().ok()?);
            let padded = r.take(len.next_multiple_of(4)).ok()?;
            Some(Attribute { kind, value: padded.get(..len)?, at })
        })
    }

    /// The attributes up to the one that protects them.
    fn protected(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut over = false;
        self.attributes().take_while(move |a| {
            let take = !over;
            over |=
                matches!(a.kind, AttributeType::MESSAGE_INTEGRITY | AttributeType::MESSAGE_INTEGRITY_SHA256);
            take
        })
    }
}

/// How a password becomes a key (RFC 8489, Section 18.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PasswordAlgorithm(pub u16);

impl PasswordAlgorithm {
    /// "This algorithm MUST only be used for compatibility with legacy systems."
    pub const MD5: Self = Self(1);
    /// SHA-256.
    pub const SHA256: Self = Self(2);

    /// Its entry in PASSWORD-ALGORITHMS, or the value of PASSWORD-ALGORITHM: it
    /// has no parameters.
    pub const fn to_attribute(self) -> [u8; 4] {
        let [a, b] = self.0.to_be_bytes();
        [a, b, 0, 0]
    }

    /// The algorithms of a PASSWORD-ALGORITHMS or a PASSWORD-ALGORITHM without
    /// parameters, in order; those with are passed over. What is not well formed
    /// ends the list.
    pub fn list(value: &[u8]) -> impl Iterator<Item = Self> {
        let mut r = Reader::new(value);
        core::iter::from_fn(move || {
            while !r.is_empty() {
                let algorithm = Self(r.u16().ok()?);
                let len = usize::from(r.u16().ok()?);
                r.take(len.next_multiple_of(4)).ok()?;
                if len == 0 {
                    return Some(algorithm);
                }
            }
            None
        })
    }
}

/// What a server says of itself in front of its nonces: the "nonce cookie" (RFC
/// 8489, Section 9.2), which nobody on the way can take away unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SecurityFeatures {
    /// It sends PASSWORD-ALGORITHMS.
    pub password_algorithms: bool,
    /// It wants USERHASH in place of USERNAME.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// Octets of the cookie.
    pub const COOKIE_LEN: usize = 13;
    /// The cookie of a server with PASSWORD-ALGORITHMS: bit 0 of 24, in base64.
    pub const PASSWORD_ALGORITHMS_COOKIE: &'static [u8; Self::COOKIE_LEN] = b"obMatJos2gAAA";

    /// Those of a nonce; none when it has no cookie.
    pub fn of_nonce(nonce: &[u8]) -> Self {
        let first = match nonce.strip_prefix(b"obMatJos2").unwrap_or_default() {
            // "bit 0 as the most significant bit of the first byte": of the
            // first of four characters of six bits.
            [first, b, c, d, ..] if [b, c, d].into_iter().all(|c| base64(*c).is_some()) => base64(*first),
            _ => None,
        };
        let bit = |n: u8| first.is_some_and(|bits| bits << n & 0x20 != 0);
        Self { password_algorithms: bit(0), username_anonymity: bit(1) }
    }
}

fn base64(char: u8) -> Option<u8> {
    Some(match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// The local part (before the colon) of the USERNAME of a Binding request:
/// which of many agents on one socket it is for. Nothing is verified.
pub fn peek_local_ufrag(datagram: &[u8]) -> Option<&str> {
    let message = Message::parse(datagram).ok().filter(|m| m.class == Class::Request)?;
    let username = core::str::from_utf8(message.username()?).ok()?;
    username.split_once(':').map(|(local, _)| local)
}

/// Writes a message attribute by attribute.
pub struct Builder<'a> {
    w: Writer<'a>,
    transaction_id: TransactionId,
}

impl<'a> Builder<'a> {
    /// Begins a message in `buf`.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn new(
        buf: &'a mut [u8],
        class: Class,
        method: Method,
        transaction_id: TransactionId,
    ) -> Result<Self, ShortBuffer> {
        let class_bits = match class {
            Class::Request => 0,
            Class::Indication => 0x010,
            Class::Success => 0x100,
            Class::Error => 0x110,
        };
        let m = method.0;
        let mut w = Writer::new(buf);
        w.u16(class_bits | m & 0xf | (m & 0x70) << 1 | (m & 0xf80) << 2)?;
        w.u16(0)?;
        w.u32(MAGIC_COOKIE)?;
        w.bytes(&transaction_id.0)?;
        Ok(Self { w, transaction_id })
    }

    /// Appends an attribute whose value is the concatenation of `parts`.
    /// Padding is zero: nothing of the buffer's past leaks.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn attribute(&mut self, kind: AttributeType, parts: &[&[u8]]) -> Result<(), ShortBuffer> {
        self.w.u16(kind.0)?;
        let open = self.w.open16()?;
        let start = self.w.len();
        for part in parts {
            self.w.bytes(part)?;
        }
        self.w.close(open)?;
        let len = self.w.len() - start;
        self.w.zeros(len.next_multiple_of(4) - len)?;
        self.set_length(0)
    }

    /// Appends an attribute whose `len` octets of value lie in the buffer
    /// already, behind the room for its header.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn attribute_in_place(&mut self, kind: AttributeType, len: usize) -> Result<(), ShortBuffer> {
        self.w.u16(kind.0)?;
        self.w.u16(u16::try_from(len).map_err(|_| ShortBuffer)?)?;
        self.w.reserve(len)?;
        self.w.zeros(len.next_multiple_of(4) - len)?;
        self.set_length(0)
    }

    /// Appends an address, XORed with the header.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn xor_address(&mut self, kind: AttributeType, addr: SocketAddr) -> Result<(), ShortBuffer> {
        let port = (addr.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match addr.ip() {
            IpAddr::V4(ip) => {
                let ip = (ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes();
                self.attribute(kind, &[&[0, 1], &port, &ip])
            }
            IpAddr::V6(ip) => {
                let ip = (ip.to_bits() ^ xor_mask(&self.transaction_id)).to_be_bytes();
                self.attribute(kind, &[&[0, 2], &port, &ip])
            }
        }
    }

    /// Appends an ERROR-CODE without a reason phrase.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn error_code(&mut self, code: u16) -> Result<(), ShortBuffer> {
        self.attribute(AttributeType::ERROR_CODE, &[&[0, 0, (code / 100) as u8, (code % 100) as u8]])
    }

    /// Appends a MESSAGE-INTEGRITY.
    ///
    /// # Errors
    /// [`ShortBuffer`], also when the provider has no SHA-1.
    pub fn integrity(&mut self, hashes: &dyn Hashes, key: &[u8]) -> Result<(), ShortBuffer> {
        self.set_length(24)?;
        let mac = hashes.hmac(HashAlgorithm::Sha1, key, &[self.w.written()]).map_err(|_| ShortBuffer)?;
        self.attribute(AttributeType::MESSAGE_INTEGRITY, &[&mac])
    }

    /// Appends a MESSAGE-INTEGRITY-SHA256.
    ///
    /// # Errors
    /// [`ShortBuffer`], also when the provider has no SHA-256.
    pub fn integrity_sha256(&mut self, hashes: &dyn Hashes, key: &[u8]) -> Result<(), ShortBuffer> {
        self.set_length(36)?;
        let mac = hashes.hmac(HashAlgorithm::Sha256, key, &[self.w.written()]).map_err(|_| ShortBuffer)?;
        self.attribute(AttributeType::MESSAGE_INTEGRITY_SHA256, &[&mac])
    }

    /// Appends a FINGERPRINT and returns the message's length.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn finish_with_fingerprint(mut self) -> Result<usize, ShortBuffer> {
        self.set_length(8)?;
        let value = crc32(self.w.written()) ^ FINGERPRINT_XOR;
        self.attribute(AttributeType::FINGERPRINT, &[&value.to_be_bytes()])?;
        Ok(self.w.len())
    }

    /// The message's length.
    pub fn finish(self) -> usize {
        self.w.len()
    }

    /// Writes the length as if `extra` octets followed.
    fn set_length(&mut self, extra: usize) -> Result<(), ShortBuffer> {
        let length = self.w.len() - HEADER_LEN + extra;
        let length = u16::try_from(length).map_err(|_| ShortBuffer)?;
        let field = self.w.written_mut().get_mut(2..4).ok_or(ShortBuffer)?;
        field.copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

fn xor_mask(id: &TransactionId) -> u128 {
    let tail = id.0.iter().fold(0, |mask, octet| mask << 8 | u128::from(*octet));
    u128::from(MAGIC_COOKIE) << 96 | tail
}

/// The CRC-32 of ITU V.42, half an octet at a time: STUN is no hot path, and
/// the table has 64 octets.
fn crc32(bytes: &[u8]) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "runs at compile time")]
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut i = 0;
        while i < 16 {
            let mut crc = i as u32;
            let mut bit = 0;
            while bit < 4 {
                crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
                bit += 1;
            }
            table[i] = crc;
            i += 1;
        }
        table
    };
    let step = |crc: u32, nibble: u32| {
        crc >> 4 ^ TABLE.get(((crc ^ nibble) & 0xf) as usize).copied().unwrap_or_default()
    };
    !bytes.iter().fold(u32::MAX, |crc, octet| step(step(crc, u32::from(octet & 0xf)), u32::from(octet >> 4)))
}

#[cfg(all(test, feature = "rust-crypto"))]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::PROVIDER;
    use std::vec::Vec;

    fn hex(s: &str) -> Vec<u8> {
        (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn rfc_vectors() {
        let text = include_str!("../../../tests/vectors/stun/rfc5769_rfc8489.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut authentic = 0;
        for case in file.as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let bytes = hex(case["hex"].as_str().unwrap());
            let Ok(message) = Message::parse(&bytes) else {
                assert!(name.contains("AS PRINTED"), "{name}");
                continue;
            };
            let key = hex(case["key_hex"].as_str().unwrap());
            assert!(message.is_authentic(PROVIDER.hashes, &key), "{name}");
            assert!(!message.is_authentic(PROVIDER.hashes, b"wrong"), "{name}");
            authentic += 1;
            let checks = case["checks"].as_array().unwrap();
            if checks.iter().any(|c| c == "fingerprint") {
                assert_eq!(message.fingerprint(), Some(true), "{name}");
            }
            if let Some(addr) = case["xor_mapped"].as_str() {
                let want = Some(addr.parse().unwrap());
                assert_eq!(message.xor_address(AttributeType::XOR_MAPPED_ADDRESS), want, "{name}");
            }
            for at in 0..bytes.len() {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x10;
                let believed = Message::parse(&flipped).is_ok_and(|m| {
                    m.is_authentic(PROVIDER.hashes, &key) && m.fingerprint() == message.fingerprint()
                });
                assert!(!believed, "{name} flipped at {at}");
            }
            for n in 0..bytes.len() {
                assert!(Message::parse(&bytes[..n]).is_err(), "{name} cut at {n}");
            }
        }
        assert_eq!(authentic, 5);
    }

    #[test]
    fn what_is_built_reads_the_same() {
        for addr in ["192.0.2.1:32853", "[2001:db8::7]:9"] {
            let mut buf = [0xff; 256];
            let id = TransactionId([9; 12]);
            let mut b = Builder::new(&mut buf, Class::Error, Method::CHANNEL_BIND, id).unwrap();
            b.attribute(AttributeType::USERNAME, &[b"ab", b":", b"cd"]).unwrap();
            b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, addr.parse().unwrap()).unwrap();
            b.error_code(487).unwrap();
            b.integrity(PROVIDER.hashes, b"key").unwrap();
            b.integrity_sha256(PROVIDER.hashes, b"key").unwrap();
            let n = b.finish_with_fingerprint().unwrap();
            let m = Message::parse(&buf[..n]).unwrap();
            assert_eq!((m.class, m.method, m.transaction_id), (Class::Error, Method::CHANNEL_BIND, id));
            assert_eq!(m.username(), Some(&b"ab:cd"[..]));
            assert_eq!(m.xor_address(AttributeType::XOR_MAPPED_ADDRESS), Some(addr.parse().unwrap()));
            assert_eq!(m.error_code(), Some(487));
            assert!(m.is_authentic(PROVIDER.hashes, b"key"));
            assert_eq!(m.fingerprint(), Some(true));
            assert_eq!(m.unknown_required(&[]).count(), 4);
            assert_eq!(m.unknown_required(&[AttributeType::USERNAME]).count(), 3);
        }
    }

    #[test]
    fn the_cookie_of_a_nonce_tells_what_the_server_can() {
        let features = |password_algorithms, username_anonymity| SecurityFeatures {
            password_algorithms,
            username_anonymity,
        };
        for (nonce, want) in [
            // Of the sample in RFC 8489, Appendix B.1: no bit is set that is
            // assigned, although it uses both features.
            (&b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"[..], features(false, false)),
            (b"obMatJos2gAAA", features(true, false)),
            (b"obMatJos2QAAAx", features(false, true)),
            (b"obMatJos2wAAAx", features(true, true)),
            (b"obMatJos2////x", features(true, true)),
            (b"obMatJos2gAA", features(false, false)),
            (b"obMatJos2gAA=", features(false, false)),
            (b"obMatJos1gAAA", features(false, false)),
            (b"", features(false, false)),
        ] {
            assert_eq!(SecurityFeatures::of_nonce(nonce), want, "{nonce:?}");
        }
        let cookie = SecurityFeatures::PASSWORD_ALGORITHMS_COOKIE;
        assert_eq!(SecurityFeatures::of_nonce(cookie), features(true, false));
    }

    #[test]
    fn password_algorithms_are_read_as_far_as_they_go() {
        let list = |value: &[u8]| PasswordAlgorithm::list(value).map(|a| a.0).collect::<Vec<_>>();
        assert_eq!(list(&[0, 2, 0, 0, 0, 1, 0, 0]), [2, 1]);
        assert_eq!(list(&[0, 7, 0, 1, 9, 0, 0, 0, 0, 1, 0, 0]), [1], "one with parameters");
        assert_eq!(list(&[0, 2, 0, 0, 0, 1]), [2], "cut off");
        assert_eq!(list(&[0, 2, 0xff, 0xff, 0, 1, 0, 0]), [0; 0], "longer than there is");
        assert_eq!(list(&[]), [0; 0]);
        assert_eq!(list(&PasswordAlgorithm::SHA256.to_attribute()), [2]);
    }

    #[test]
    fn attributes_of_any_length_are_read_or_refused() {
        let kinds = [
            AttributeType::XOR_MAPPED_ADDRESS,
            AttributeType::ERROR_CODE,
            AttributeType::USERNAME,
            AttributeType::PRIORITY,
            AttributeType::ICE_CONTROLLING,
            AttributeType::MESSAGE_INTEGRITY,
            AttributeType::MESSAGE_INTEGRITY_SHA256,
            AttributeType::FINGERPRINT,
        ];
        for (kind, len, family) in
            kinds.iter().flat_map(|k| (0..=64).flat_map(move |n| (0..=255).map(move |f| (*k, n, f))))
        {
            let mut value = [family; 64];
            value[0] = 0;
            let mut buf = [0; 128];
            let id = TransactionId([7; 12]);
            let mut b = Builder::new(&mut buf, Class::Request, Method::BINDING, id).unwrap();
            b.attribute(kind, &[&value[..len]]).unwrap();
            let n = b.finish();
            let m = Message::parse(&buf[..n]).unwrap();
            let read = m.xor_address(AttributeType::XOR_MAPPED_ADDRESS);
            let whole =
                kind == AttributeType::XOR_MAPPED_ADDRESS && matches!((family, len), (1, 8) | (2, 20));
            assert_eq!(read.is_some(), whole, "{kind:?} of {len} octets, family {family}");
            assert_eq!(m.u32(AttributeType::PRIORITY).is_some(), kind == AttributeType::PRIORITY && len == 4);
            assert!(m.error_code().is_none_or(|c| (300..700).contains(&c)));
            assert_ne!(m.fingerprint(), Some(true));
            let _ = peek_local_ufrag(&buf[..n]);
            // A tag of the family's octet throughout is nobody's.
            assert!(family % 64 != 0 || !m.is_authentic(PROVIDER.hashes, b"key"), "{kind:?} of {len}");
        }
    }
}
