//! ECDSA over P-256 (FIPS 186-5, Section 6), in steps.

use super::p256::{Inversion, Multiplication, Point, Scalar, private_key};
use super::words::{self, Words};
use crate::crypto::{CryptoError, HashAlgorithm, Hashes, P256Signature};
use der::asn1::UintRef;
use der::{Decode, Header, Reader, SliceReader, Tag};
use zeroize::Zeroize;

/// A signature being made. Wiped when dropped.
pub(super) struct Signing {
    key: Words,
    digest: Words,
    nonce: Words,
    multiplication: Multiplication,
    /// The nonce's point.
    point: Option<Point>,
    /// The point's x-coordinate, and the nonce's inverse on its way.
    x: Option<(Words, Inversion)>,
}

impl Drop for Signing {
    fn drop(&mut self) {
        self.key.zeroize();
        self.nonce.zeroize();
    }
}

impl Signing {
    pub(super) fn new(hashes: &dyn Hashes, key: &[u8; 32], digest: &[u8; 32]) -> Result<Self, CryptoError> {
        let nonce = nonce(hashes, key, digest)?;
        Ok(Self {
            key: private_key(key).ok_or(CryptoError::Invalid)?,
            digest: words::from_be(digest),
            nonce,
            multiplication: Multiplication::of_base(nonce),
            point: None,
            x: None,
        })
    }

    pub(super) fn step(&mut self) -> Option<Result<P256Signature, CryptoError>> {
        if let Some((x, inversion)) = &mut self.x {
            let inverse = inversion.step()?;
            // "r = x mod n", "s = k^-1 * (e + r * d) mod n"
            let r = Scalar::new(x);
            let sum = Scalar::new(&self.digest) + r * Scalar::new(&self.key);
            let s = inverse * sum;
            return Some(encode(&r.to_words(), &s.to_words()));
        }
        match self.point {
            None => self.point = self.multiplication.step(),
            Some(point) => match point.to_affine() {
                Some((x, _)) => self.x = Some((x, Inversion::new(Scalar::new(&self.nonce)))),
                // The nonce is no multiple of the number of points.
                None => return Some(Err(CryptoError::Invalid)),
            },
        }
        None
    }
}

/// The nonce of RFC 6979, Section 3.2, with SHA-256; its names.
fn nonce(hashes: &dyn Hashes, key: &[u8; 32], digest: &[u8; 32]) -> Result<Words, CryptoError> {
    let hmac = |k: &[u8; 32], parts: &[&[u8]]| -> Result<[u8; 32], CryptoError> {
        let out = hashes.hmac(HashAlgorithm::Sha256, k, parts)?;
        out.first_chunk().copied().ok_or(CryptoError::Unsupported)
    };
    let h1 = words::to_be(&Scalar::new(&words::from_be(digest)).to_words());
    let mut v = [1; 32];
    let mut k = [0; 32];
    for octet in [0, 1] {
        k = hmac(&k, &[&v, &[octet], key, &h1])?;
        v = hmac(&k, &[&v])?;
    }
    // One in 2^32 is not below the number of points.
    for _ in 0..8 {
        v = hmac(&k, &[&v])?;
        if let Some(nonce) = private_key(&v) {
            k.zeroize();
            v.zeroize();
            return Ok(nonce);
        }
        k = hmac(&k, &[&v, &[0]])?;
        v = hmac(&k, &[&v])?;
    }
    Err(CryptoError::Invalid)
}

/// A signature being checked.
pub(super) struct Verifying {
    r: Words,
    inversion: Inversion,
    digest: Words,
    key: Point,
    multiplication: Option<Multiplication>,
    sum: Option<Point>,
}

impl Verifying {
    /// `digest` counts with its first 32 octets.
    pub(super) fn new(key: &[u8], digest: &[u8], signature: &[u8]) -> Result<Self, CryptoError> {
        let (r, s) = decode(signature).ok_or(CryptoError::Invalid)?;
        Ok(Self {
            r,
            inversion: Inversion::new(Scalar::new(&s)),
            digest: words::from_be(digest.first_chunk().ok_or(CryptoError::Invalid)?),
            key: Point::from_sec1(key).ok_or(CryptoError::Invalid)?,
            multiplication: None,
            sum: None,
        })
    }

    pub(super) fn step(&mut self) -> Option<Result<(), CryptoError>> {
        if let Some(sum) = self.sum {
            let x = sum.to_affine().map(|(x, _)| Scalar::new(&x).to_words());
            return Some(if x == Some(self.r) { Ok(()) } else { Err(CryptoError::Unauthentic) });
        }
        match &mut self.multiplication {
            Some(multiplication) => self.sum = multiplication.step(),
            None => {
                // "u = s^-1 * e mod n and v = s^-1 * r mod n"
                let inverse = self.inversion.step()?;
                let u = (inverse * Scalar::new(&self.digest)).to_words();
                let v = (inverse * Scalar::new(&self.r)).to_words();
                self.multiplication = Some(Multiplication::of_point(u, v, &self.key));
            }
        }
        None
    }
}

/// "ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }" (RFC 3279, Section
/// 2.2.3), both from 1 to n - 1.
fn decode(signature: &[u8]) -> Option<(Words, Words)> {
    let mut outer = SliceReader::new(signature).ok()?;
    let header = Header::decode(&mut outer).ok()?;
    header.tag().assert_eq(Tag::Sequence).ok()?;
    let mut inner = SliceReader::new(outer.read_slice(header.length()).ok()?).ok()?;
    let mut number = || {
        let number = UintRef::decode(&mut inner).ok()?;
        let octets = number.as_bytes();
        let mut padded = [0; 32];
        let at = padded.len().checked_sub(octets.len())?;
        padded.get_mut(at..)?.copy_from_slice(octets);
        private_key(&padded)
    };
    let numbers = (number()?, number()?);
    (inner.is_finished() && outer.is_finished()).then_some(numbers)
}

fn encode(r: &Words, s: &Words) -> Result<P256Signature, CryptoError> {
    if words::is_zero(r) == 1 || words::is_zero(s) == 1 {
        return Err(CryptoError::Invalid);
    }
    let mut content = P256Signature::new();
    let mut out = P256Signature::new();
    let short = |_| CryptoError::ShortBuffer;
    for number in [r, s] {
        let octets = words::to_be(number);
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = octets.get(zeros..).unwrap_or_default();
        // A leading one would be a sign.
        let sign = octets.first().is_some_and(|octet| *octet >= 0x80);
        content.extend_from_slice(&[2, octets.len() as u8 + u8::from(sign)]).map_err(short)?;
        if sign {
            content.push(0).map_err(|_| CryptoError::ShortBuffer)?;
        }
        content.extend_from_slice(octets).map_err(short)?;
    }
    out.extend_from_slice(&[0x30, content.len() as u8]).map_err(short)?;
    out.extend_from_slice(&content).map_err(short)?;
    Ok(out)
}
