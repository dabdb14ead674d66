//! Curve25519 and P-256 for microcontrollers: small, and in steps.
//!
//! RustCrypto's curves are made for processors. On a Cortex-M0+ they take
//! three to five times as long as these, 30 KB more of flash, and block what
//! else runs for up to half a second. These keep all numbers in eight words,
//! in constant time, and can be left after every few bits of a scalar: each
//! operation is a [`Computation`]. `tests/run size` prints what they cost.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `words` | numbers of 256 bits |
//! | `x25519` | the ladder of Curve25519 |
//! | `p256` | the field, the points, and their multiplication |
//! | `table` | multiples of P-256's generator |
//! | `ecdsa` | signatures |

// Loops over arrays whose lengths are constants: every index is below eight,
// or below sixteen in a product, and depends on no input.
#[allow(clippy::indexing_slicing, reason = "indices are loop counters over arrays of constant length")]
mod words;

mod ecdsa;
#[allow(clippy::indexing_slicing, reason = "indices are loop counters over arrays of constant length")]
mod p256;
mod table;
#[cfg(all(test, feature = "rust-crypto"))]
mod tests;
#[allow(clippy::indexing_slicing, reason = "indices are loop counters over arrays of constant length")]
mod x25519;

use super::{
    CryptoError, HashAlgorithm, Hashes, KeyExchange, KxSecret, KxShared, NamedGroup, P256Signature,
    PublicKey, Secret, SignatureScheme, Signer, Verifier,
};
use crate::env::Rng;
use ecdsa::{Signing, Verifying};
use p256::{Multiplication, Point};
use words::Words;
use x25519::Ladder;

/// What comes of a [`Computation`]: a share, a shared secret, a signature, or,
/// of a verification, nothing.
pub type Output = P256Signature;

/// A long computation that can be left after each step, and gone on with.
///
/// A step takes a few milliseconds on a Cortex-M0+ at 125 MHz.
///
/// It has its place before it begins, so that a kilobyte of numbers need not
/// move: [`new`](Self::new) makes the place, and what a suite of the provider
/// begins there goes on with [`step`](Self::step).
pub struct Computation(State);

enum State {
    Idle,
    Ladder {
        ladder: Ladder,
        secret: bool,
    },
    /// A multiplication, and the point that came of it.
    Multiplication {
        multiplication: Multiplication,
        point: Option<Point>,
        secret: bool,
    },
    Signing(Signing),
    Verifying(Verifying),
}

impl core::fmt::Debug for Computation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Computation(..)")
    }
}

impl Default for Computation {
    fn default() -> Self {
        Self::new()
    }
}

impl Computation {
    /// The place for one.
    pub const fn new() -> Self {
        Self(State::Idle)
    }

    /// Goes on a little; the result at the end.
    pub fn step(&mut self) -> Option<Result<Output, CryptoError>> {
        match &mut self.0 {
            State::Idle => Some(Err(CryptoError::Unsupported)),
            State::Ladder { ladder, secret } => {
                let u = ladder.step()?;
                // "implementations MUST check whether the computed
                // Diffie-Hellman shared secret is the all-zero value"
                // (RFC 8446, Section 7.4.2).
                let weak = *secret && super::constant_time_eq(&u, &[0; 32]);
                Some(if weak { Err(CryptoError::Invalid) } else { output(&[&u]) })
            }
            State::Multiplication { multiplication, point, secret } => match point {
                None => {
                    *point = multiplication.step();
                    None
                }
                Some(point) => Some(match point.to_affine() {
                    Some((x, _)) if *secret => output(&[&words::to_be(&x)]),
                    Some((x, y)) => output(&[&[4], &words::to_be(&x), &words::to_be(&y)]),
                    None => Err(CryptoError::Invalid),
                }),
            },
            State::Signing(signing) => signing.step(),
            State::Verifying(verifying) => verifying.step().map(|result| result.map(|()| Output::new())),
        }
    }

    /// All steps at once.
    ///
    /// # Errors
    /// As the operation that it is.
    pub fn run(&mut self) -> Result<Output, CryptoError> {
        loop {
            if let Some(result) = self.step() {
                return result;
            }
        }
    }

    fn multiply(&mut self, multiplication: Multiplication, secret: bool) {
        self.0 = State::Multiplication { multiplication, point: None, secret };
    }
}

fn output(parts: &[&[u8]]) -> Result<Output, CryptoError> {
    let mut out = Output::new();
    for part in parts {
        out.extend_from_slice(part).map_err(|_| CryptoError::ShortBuffer)?;
    }
    Ok(out)
}

fn octets(secret: &[u8]) -> Result<&[u8; 32], CryptoError> {
    secret.try_into().map_err(|_| CryptoError::Invalid)
}

/// Runs what [`KeyExchange::begin_generate`] begins.
fn generate(
    exchange: &dyn KeyExchange,
    rng: &mut Rng,
    share: &mut [u8],
) -> Result<(KxSecret, usize), CryptoError> {
    let mut computation = Computation::new();
    let secret = exchange.begin_generate(rng, &mut computation)?.ok_or(CryptoError::Unsupported)?;
    let public = computation.run()?;
    share.get_mut(..public.len()).ok_or(CryptoError::ShortBuffer)?.copy_from_slice(&public);
    Ok((secret, public.len()))
}

/// Runs what [`KeyExchange::begin_finish`] begins.
fn finish(exchange: &dyn KeyExchange, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
    let mut computation = Computation::new();
    exchange.begin_finish(secret, peer, &mut computation)?;
    KxShared::new(&computation.run()?).ok_or(CryptoError::Invalid)
}

/// Curve25519 (RFC 7748).
#[derive(Debug, Clone, Copy)]
pub struct X25519;

impl KeyExchange for X25519 {
    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        generate(self, rng, share)
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        finish(self, secret, peer)
    }

    fn begin_generate(
        &self,
        rng: &mut Rng,
        computation: &mut Computation,
    ) -> Result<Option<KxSecret>, CryptoError> {
        let mut secret = KxSecret::zeroed(32);
        rng.fill(secret.as_mut_slice());
        let ladder = Ladder::new(octets(secret.as_slice())?, &x25519::BASE);
        computation.0 = State::Ladder { ladder, secret: false };
        Ok(Some(secret))
    }

    fn begin_finish(
        &self,
        secret: &KxSecret,
        peer: &[u8],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let ladder = Ladder::new(octets(secret.as_slice())?, octets(peer)?);
        computation.0 = State::Ladder { ladder, secret: true };
        Ok(true)
    }
}

/// NIST P-256 with uncompressed points.
#[derive(Debug, Clone, Copy)]
pub struct P256;

impl KeyExchange for P256 {
    fn group(&self) -> NamedGroup {
        NamedGroup::SECP256R1
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        generate(self, rng, share)
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        finish(self, secret, peer)
    }

    fn begin_generate(
        &self,
        rng: &mut Rng,
        computation: &mut Computation,
    ) -> Result<Option<KxSecret>, CryptoError> {
        let secret = draw(rng)?;
        computation.multiply(Multiplication::of_base(scalar(&secret)?), false);
        KxSecret::new(secret.as_slice()).ok_or(CryptoError::Invalid).map(Some)
    }

    fn begin_finish(
        &self,
        secret: &KxSecret,
        peer: &[u8],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let secret = p256::private_key(octets(secret.as_slice())?).ok_or(CryptoError::Invalid)?;
        // "peers MUST validate each other's public key" (RFC 8446, Section
        // 4.2.8.2).
        let peer = Point::from_sec1(peer).ok_or(CryptoError::Invalid)?;
        computation.multiply(Multiplication::of_point([0; 8], secret, &peer), true);
        Ok(true)
    }
}

/// A private key drawn by rejection: all but 2^-32 of the draws are scalars.
fn draw(rng: &mut Rng) -> Result<Secret<32>, CryptoError> {
    let mut secret = Secret::<32>::zeroed(32);
    for _ in 0..8 {
        rng.fill(secret.as_mut_slice());
        if scalar(&secret).is_ok() {
            return Ok(secret);
        }
    }
    Err(CryptoError::Invalid)
}

fn scalar(secret: &Secret<32>) -> Result<Words, CryptoError> {
    p256::private_key(octets(secret.as_slice())?).ok_or(CryptoError::Invalid)
}

/// ECDSA P-256 with our own keys, over hashes of the table's choosing.
#[derive(Clone, Copy)]
pub struct P256Signer(
    /// They must have SHA-256.
    pub &'static dyn Hashes,
);

impl core::fmt::Debug for P256Signer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("P256Signer(..)")
    }
}

impl Signer for P256Signer {
    fn generate(&self, rng: &mut Rng) -> Result<Secret<32>, CryptoError> {
        draw(rng)
    }

    fn public_key(&self, key: &Secret<32>) -> Result<[u8; 65], CryptoError> {
        let mut computation = Computation::new();
        computation.multiply(Multiplication::of_base(scalar(key)?), false);
        computation.run()?.as_slice().try_into().map_err(|_| CryptoError::Invalid)
    }

    fn sign(&self, key: &Secret<32>, digest: &[u8; 32]) -> Result<P256Signature, CryptoError> {
        let mut computation = Computation::new();
        self.begin_sign(key, digest, &mut computation)?;
        computation.run()
    }

    fn begin_sign(
        &self,
        key: &Secret<32>,
        digest: &[u8; 32],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        computation.0 = State::Signing(Signing::new(self.0, octets(key.as_slice())?, digest)?);
        Ok(true)
    }
}

/// ECDSA with SHA-256 on P-256.
#[derive(Debug, Clone, Copy)]
pub struct EcdsaP256Sha256;

impl Verifier for EcdsaP256Sha256 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_SECP256R1_SHA256
    }

    fn hash(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut computation = Computation::new();
        self.begin_verify(key, digest, signature, &mut computation)?;
        computation.run().map(drop)
    }

    fn begin_verify(
        &self,
        key: PublicKey<'_>,
        digest: &[u8],
        signature: &[u8],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let PublicKey::P256(key) = key else { return Err(CryptoError::Unsupported) };
        computation.0 = State::Verifying(Verifying::new(key, digest, signature)?);
        Ok(true)
    }
}
