//! The little of X.509 that WebRTC needs (RFC 5280): the public key of a
//! peer's certificate, and a self-signed certificate of our own.
//!
//! Certificates are not validated against anything: a peer is who the
//! fingerprint in its description says (RFC 8122).

use super::{Malformed, ShortBuffer, Writer};
use crate::crypto::PublicKey;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Header, Reader, SliceReader, Tag, TagNumber};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The public key of a DER certificate.
///
/// ```text
/// Certificate  ::=  SEQUENCE  { tbsCertificate, signatureAlgorithm, signatureValue }
/// TBSCertificate  ::=  SEQUENCE  {
///      version [0], serialNumber, signature, issuer, validity, subject,
///      subjectPublicKeyInfo, ... }
/// ```
///
/// # Errors
/// [`Malformed`] when the DER is wrong up to the key, or the key is of a kind
/// that [`PublicKey`] has not.
pub fn public_key(certificate: &[u8]) -> Result<PublicKey<'_>, Malformed> {
    read_key(certificate).map_err(|_| Malformed)?.ok_or(Malformed)
}

fn read_key(certificate: &[u8]) -> der::Result<Option<PublicKey<'_>>> {
    let mut outer = SliceReader::new(certificate)?;
    let certificate = sequence(&mut outer)?;
    let mut certificate = SliceReader::new(certificate)?;
    let mut tbs = SliceReader::new(sequence(&mut certificate)?)?;
    let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    if Tag::peek(&tbs)? == version {
        AnyRef::decode(&mut tbs)?;
    }
    for _ in ["serialNumber", "signature", "issuer", "validity", "subject"] {
        AnyRef::decode(&mut tbs)?;
    }
    let mut info = SliceReader::new(sequence(&mut tbs)?)?;
    let mut algorithm = SliceReader::new(sequence(&mut info)?)?;
    let kind = ObjectIdentifier::decode(&mut algorithm)?;
    let key = BitStringRef::decode(&mut info)?;
    let Some(key) = key.as_bytes() else { return Ok(None) };
    Ok(match kind {
        RSA_ENCRYPTION => Some(PublicKey::Rsa(key)),
        EC_PUBLIC_KEY => match ObjectIdentifier::decode(&mut algorithm)? {
            P256 => Some(PublicKey::P256(key)),
            P384 => Some(PublicKey::P384(key)),
            _ => None,
        },
        _ => None,
    })
}

/// The content of a SEQUENCE.
fn sequence<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    let header = Header::decode(reader)?;
    header.tag().assert_eq(Tag::Sequence)?;
    reader.read_slice(header.length())
}

/// Octets of serial number in a certificate of ours.
pub const SERIAL_LEN: usize = 8;
/// Octets of the part of our certificate that is signed.
pub const TBS_LEN: usize = 195;
/// The longest certificate of ours, in octets.
pub const MAX_CERTIFICATE: usize = 4 + TBS_LEN + 12 + 3 + 72;

const ECDSA_WITH_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
/// `CN=picortc`.
const NAME: &[u8] = b"\x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07picortc";
/// From 1970 to the end of 9999, since the core has no clock: "To indicate
/// that a certificate has no well-defined expiration date, the notAfter SHOULD
/// be assigned the GeneralizedTime value of 99991231235959Z." (RFC 5280,
/// Section 4.1.2.5)
const VALIDITY: &[u8] = b"\x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z";
const P256_KEY_INFO: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

/// Writes the part of a self-signed ECDSA P-256 certificate that is signed.
///
/// # Errors
/// [`ShortBuffer`] when less than [`TBS_LEN`] octets are free.
pub fn emit_tbs(
    w: &mut Writer<'_>,
    serial: [u8; SERIAL_LEN],
    public_key: &[u8; 65],
) -> Result<(), ShortBuffer> {
    w.bytes(b"\x30\x81\xc0\xa0\x03\x02\x01\x02")?;
    // "The serial number MUST be a positive integer" (RFC 5280, Section
    // 4.1.2.2), and its DER must not start with a zero octet.
    let [first, rest @ ..] = serial;
    w.bytes(&[0x02, SERIAL_LEN as u8, first & 0x3f | 0x40])?;
    w.bytes(&rest)?;
    w.bytes(ECDSA_WITH_SHA256)?;
    w.bytes(NAME)?;
    w.bytes(VALIDITY)?;
    w.bytes(NAME)?;
    w.bytes(P256_KEY_INFO)?;
    w.bytes(public_key)
}

/// Writes a whole certificate around its signed part.
///
/// # Errors
/// [`ShortBuffer`] when less than [`MAX_CERTIFICATE`] octets are free.
pub fn emit_certificate(w: &mut Writer<'_>, tbs: &[u8], signature: &[u8]) -> Result<(), ShortBuffer> {
    let bits = signature.len() + 1;
    let content = tbs.len() + ECDSA_WITH_SHA256.len() + 2 + bits;
    w.bytes(&[0x30, 0x82])?;
    w.u16(u16::try_from(content).map_err(|_| ShortBuffer)?)?;
    w.bytes(tbs)?;
    w.bytes(ECDSA_WITH_SHA256)?;
    w.bytes(&[0x03, u8::try_from(bits).map_err(|_| ShortBuffer)?, 0])?;
    w.bytes(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_certificate_carries_its_key() {
        let mut buf = [0; MAX_CERTIFICATE];
        let mut tbs = [0; TBS_LEN];
        let mut w = Writer::new(&mut tbs);
        emit_tbs(&mut w, [0xff; SERIAL_LEN], &[4; 65]).unwrap();
        assert_eq!(w.len(), TBS_LEN);
        let mut w = Writer::new(&mut buf);
        emit_certificate(&mut w, &tbs, &[7; 72]).unwrap();
        assert_eq!(w.room(), 0);
        assert_eq!(public_key(&buf), Ok(PublicKey::P256(&[4; 65])));
        for n in 0..170 {
            assert_eq!(public_key(&buf[..n]), Err(Malformed), "cut at {n}");
        }
    }
}
