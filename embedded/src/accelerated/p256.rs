use super::{Accelerator, Affine, Fault, GENERATOR};
use p256::ecdsa::Signature;
use p256::elliptic_curve::Curve;
use p256::elliptic_curve::bigint::U256;
use p256::elliptic_curve::ops::Reduce;
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::{AffinePoint, FieldBytes, NistP256, ProjectivePoint, Scalar, Sec1Point};
use picortc::crypto::rust_crypto::CHIP;
use picortc::crypto::{
    CryptoError, HashAlgorithm, KeyExchange, KxSecret, KxShared, NamedGroup, P256Signature, PublicKey,
    Secret, SignatureScheme, Signer, Verifier, compact,
};
use picortc::env::Rng;
use sha2::Sha256;

const SOFTWARE: compact::P256Signer = compact::P256Signer(CHIP.hashes);

/// The coordinates of an uncompressed point.
fn affine(point: &[u8]) -> Option<&Affine> {
    // "legacy_form = 4" (RFC 8446, Section 4.2.8.2): no other form is allowed.
    point.strip_prefix(&[4])?.try_into().ok()
}

fn x(point: &Affine) -> Option<&[u8; 32]> {
    point.first_chunk()
}

fn octets(secret: &[u8]) -> Result<&[u8; 32], CryptoError> {
    secret.try_into().map_err(|_| CryptoError::Invalid)
}

fn uncompressed(point: &Affine) -> [u8; 65] {
    let mut out = [4; 65];
    out.iter_mut().skip(1).zip(point).for_each(|(to, from)| *to = *from);
    out
}

/// ECDH over P-256 with uncompressed points.
#[derive(Clone, Copy)]
pub struct P256(
    /// What multiplies.
    pub &'static dyn Accelerator,
);

impl core::fmt::Debug for P256 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("P256(..)")
    }
}

impl KeyExchange for P256 {
    fn group(&self) -> NamedGroup {
        NamedGroup::SECP256R1
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        let signer = P256Signer(self.0);
        let secret = signer.generate(rng)?;
        let public = signer.public_key(&secret)?;
        share.get_mut(..public.len()).ok_or(CryptoError::ShortBuffer)?.copy_from_slice(&public);
        Ok((KxSecret::new(secret.as_slice()).ok_or(CryptoError::Invalid)?, public.len()))
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        let point = affine(peer).ok_or(CryptoError::Invalid)?;
        // "peers MUST validate each other's public key" (RFC 8446, Section
        // 4.2.8.2): the hardware does, or the software.
        match self.0.multiply(octets(secret.as_slice())?, point) {
            Some(shared) => x(&shared).and_then(|x| KxShared::new(x)).ok_or(CryptoError::Invalid),
            None => compact::P256.finish(secret, peer),
        }
    }
}

/// ECDSA P-256 with our own keys.
#[derive(Clone, Copy)]
pub struct P256Signer(
    /// What multiplies.
    pub &'static dyn Accelerator,
);

impl core::fmt::Debug for P256Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("P256Signer(..)")
    }
}

impl Signer for P256Signer {
    fn generate(&self, rng: &mut Rng) -> Result<Secret<32>, CryptoError> {
        SOFTWARE.generate(rng)
    }

    fn public_key(&self, key: &Secret<32>) -> Result<[u8; 65], CryptoError> {
        private_key(key)?;
        match self.0.multiply(octets(key.as_slice())?, &GENERATOR) {
            Some(point) => Ok(uncompressed(&point)),
            None => SOFTWARE.public_key(key),
        }
    }

    fn sign(&self, key: &Secret<32>, digest: &[u8; 32]) -> Result<P256Signature, CryptoError> {
        let d = private_key(key)?;
        // The nonce of RFC 6979, Section 3.2.
        let order: &U256 = &NistP256::ORDER;
        let mut nonces = rfc6979::KGenerator::<Sha256, U256>::new(key.as_slice(), digest, &[], order);
        let mut nonce = Secret::<32>::zeroed(32);
        nonces.fill_next_k(nonce.as_mut_slice());
        let Some(point) = self.0.multiply(octets(nonce.as_slice())?, &GENERATOR) else {
            return SOFTWARE.sign(key, digest);
        };
        let k = private_key(&nonce)?;
        // "r = x mod n", "s = k^-1 * (e + r * d) mod n" (FIPS 186-5, Section
        // 6.4.1).
        let r = scalar(x(&point).ok_or(CryptoError::Invalid)?);
        let inverse = k.invert().into_option().ok_or(CryptoError::Invalid)?;
        let s = inverse * (scalar(digest) + r * d);
        let signature = Signature::from_scalars(r, s).map_err(|_| CryptoError::Invalid)?;
        P256Signature::from_slice(signature.to_der().as_bytes()).map_err(|_| CryptoError::ShortBuffer)
    }
}

/// A number modulo n.
fn scalar(octets: &[u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(*octets))
}

/// A number from 1 to n - 1.
fn private_key(key: &Secret<32>) -> Result<Scalar, CryptoError> {
    let key = p256::NonZeroScalar::try_from(key.as_slice()).map_err(|_| CryptoError::Invalid)?;
    Ok(*key)
}

/// Verification of ECDSA with SHA-256 on P-256.
#[derive(Clone, Copy)]
pub struct EcdsaP256Sha256(
    /// What multiplies.
    pub &'static dyn Accelerator,
);

impl core::fmt::Debug for EcdsaP256Sha256 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EcdsaP256Sha256(..)")
    }
}

impl Verifier for EcdsaP256Sha256 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_SECP256R1_SHA256
    }

    fn hash(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let PublicKey::P256(point) = key else { return Err(CryptoError::Unsupported) };
        let public = affine(point).ok_or(CryptoError::Invalid)?;
        let parsed = Signature::from_der(signature).map_err(|_| CryptoError::Invalid)?;
        let e = scalar(digest.first_chunk().ok_or(CryptoError::Invalid)?);
        let (r, s) = parsed.split_scalars();
        let inverse = s.invert().into_option().ok_or(CryptoError::Invalid)?;
        // "u = s^-1 * e mod n and v = s^-1 * r mod n", "R1 = [u]G + [v]Q" (FIPS
        // 186-5, Section 6.4.2). v is never zero, and u is when e is.
        let times = |scalar: Scalar, point: &Affine| {
            let point = self.0.multiply(&scalar.to_bytes().into(), point)?;
            let point = Sec1Point::from_bytes(uncompressed(&point)).ok()?;
            AffinePoint::from_sec1_point(&point).into_option().map(ProjectivePoint::from)
        };
        let (u, v) = (inverse * e, inverse * *r);
        let sum = || {
            let of_key = times(v, public)?;
            Some(if u == Scalar::ZERO { of_key } else { times(u, &GENERATOR)? + of_key })
        };
        let Some(sum) = sum() else { return compact::EcdsaP256Sha256.verify(key, digest, signature) };
        // Nowhere, it has no coordinates.
        let point = sum.to_affine().to_sec1_point(false);
        let x = affine(point.as_bytes()).and_then(x).ok_or(CryptoError::Unauthentic)?;
        if scalar(x) == *r { Ok(()) } else { Err(CryptoError::Unauthentic) }
    }
}

/// Whether multiplication is what it should be, and a point of no curve is
/// refused.
pub(super) fn self_test(accelerator: &dyn Accelerator) -> Result<(), Fault> {
    let secret = core::array::from_fn(|i| (i * 5 + 1) as u8);
    let Some(public) = accelerator.multiply(&secret, &GENERATOR) else { return Ok(()) };
    let key = Secret::new(&secret).ok_or(Fault::P256)?;
    if SOFTWARE.public_key(&key) != Ok(uncompressed(&public)) {
        return Err(Fault::P256);
    }
    // Another point than the generator.
    let shared = accelerator.multiply(&secret, &public).ok_or(Fault::P256)?;
    let expected = compact::P256.finish(&KxSecret::new(&secret).ok_or(Fault::P256)?, &uncompressed(&public));
    if expected.map_or(true, |expected| x(&shared).is_none_or(|x| x[..] != *expected.as_slice())) {
        return Err(Fault::P256);
    }
    let mut nowhere = public;
    nowhere[63] ^= 1;
    if accelerator.multiply(&secret, &nowhere).is_some() { Err(Fault::P256) } else { Ok(()) }
}
