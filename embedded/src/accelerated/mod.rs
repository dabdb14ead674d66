//! A provider of crypto out of what a chip computes in hardware (feature
//! `accelerator`).
//!
//! A chip's accelerators are an [`Accelerator`]; the suites here make of it what
//! the protocols need, and compute with [`CHIP`]'s software what it cannot, or
//! not now. A board puts together a table of its own:
//!
//! ```
//! use picortc_embassy::accelerated::{Accelerator, EcdsaP256Sha256, Hashing, P256, P256Signer, Sealing};
//! use picortc_embassy::picortc::crypto::{CryptoProvider, compact, rust_crypto::CHIP};
//!
//! struct Nothing;
//! impl Accelerator for Nothing {}
//!
//! static MINE: Nothing = Nothing;
//! static PROVIDER: CryptoProvider = CryptoProvider {
//!     name: "mine",
//!     hashes: &Hashing(&MINE),
//!     aeads: &Sealing(&MINE),
//!     key_exchanges: &[&P256(&MINE), &compact::X25519],
//!     signer: &P256Signer(&MINE),
//!     verifiers: &[&EcdsaP256Sha256(&MINE)],
//!     cipher_suites: CHIP.cipher_suites,
//! };
//! ```
//!
//! Before it is used, [`self_test`] says whether the hardware computes what it
//! should.

mod aead;
mod hash;
mod p256;

pub use aead::Sealing;
pub use hash::Hashing;
pub use p256::{EcdsaP256Sha256, P256, P256Signer};

use picortc::crypto::rust_crypto::CHIP;
use picortc::crypto::{Digest, HashAlgorithm};

/// Coordinates of a point of P-256, most significant octet first: x, then y.
pub type Affine = [u8; 64];

/// What a chip computes in hardware. What it does not say is computed in
/// software.
pub trait Accelerator: Sync {
    /// Encrypts each of `blocks` with AES-128; `false`, with all of them as they
    /// were, when it cannot now.
    fn aes128(&self, key: &[u8; 16], blocks: &mut [[u8; 16]]) -> bool {
        let _ = (key, blocks);
        false
    }

    /// The hash of `head` and the concatenation of `parts` behind it.
    fn hash(&self, algorithm: HashAlgorithm, head: &[u8], parts: &[&[u8]]) -> Option<Digest> {
        let _ = (algorithm, head, parts);
        None
    }

    /// A point of P-256 times a scalar from 1 to n - 1, most significant octet
    /// first. `None` when it cannot now, and when `point` is not on the curve,
    /// which the hardware has to check.
    fn multiply(&self, scalar: &[u8; 32], point: &Affine) -> Option<Affine> {
        let _ = (scalar, point);
        None
    }
}

/// P-256's generator (SP 800-186, Section 3.2.1.3).
pub(crate) const GENERATOR: Affine = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3,
    0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// What an accelerator answers that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// AES-128.
    Aes,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// Multiplication on P-256, or that it takes a point of no curve.
    P256,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Aes => "the accelerator for AES computes something else",
            Self::Sha1 => "the accelerator for SHA-1 computes something else",
            Self::Sha256 => "the accelerator for SHA-256 computes something else",
            Self::P256 => "the accelerator for P-256 computes something else",
        })
    }
}

impl core::error::Error for Fault {}

/// Compares what an accelerator computes with what software does, for inputs of
/// all the lengths that matter. What it does not compute is not asked.
///
/// # Errors
/// [`Fault`]: do not use it.
pub fn self_test(accelerator: &dyn Accelerator) -> Result<(), Fault> {
    let text: [u8; 200] = core::array::from_fn(|i| (i * 7) as u8);
    for (algorithm, fault) in [(HashAlgorithm::Sha1, Fault::Sha1), (HashAlgorithm::Sha256, Fault::Sha256)] {
        // Around a block, and around what a block has room for beside a length.
        for at in [0, 1, 3, 55, 56, 63, 64, 65, 119, 128, 199] {
            let (a, b) = text.split_at(at);
            let Some(hash) = accelerator.hash(algorithm, a, &[b, &[], a]) else { continue };
            if CHIP.hashes.hash(algorithm, &[a, b, a]).as_ref() != Ok(&hash) {
                return Err(fault);
            }
        }
    }
    // FIPS 197, Appendix C.1.
    let key = core::array::from_fn(|i| i as u8);
    let plain = core::array::from_fn(|i| (i * 0x11) as u8);
    let cipher =
        [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a];
    let mut blocks = [plain; 3];
    if accelerator.aes128(&key, &mut blocks) && blocks != [cipher; 3] {
        return Err(Fault::Aes);
    }
    p256::self_test(accelerator)
}
