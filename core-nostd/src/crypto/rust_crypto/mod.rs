//! The default provider, from the RustCrypto crates.
//!
//! [`PROVIDER`] is for hosts and wasm; [`CHIP`] names less, so that less is
//! linked. Verification of RSA signatures (feature `rsa`) allocates inside the
//! `rsa` crate while a handshake verifies: the one place where the core
//! allocates after construction.

mod aead;
mod hash;
mod kx;
mod sign;

use super::{CryptoProvider, compact};

/// Cipher suites by IANA number: AES first where the processor has it.
#[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64"))]
const CIPHER_SUITES: &[u16] = &[
    0x1301,
    0x1303,
    0x1302,
    0xc02b,
    0xcca9,
    0xc02c,
    #[cfg(feature = "rsa")]
    0xc02f,
    #[cfg(feature = "rsa")]
    0xcca8,
    #[cfg(feature = "rsa")]
    0xc030,
];
/// Cipher suites by IANA number: ChaCha20 first, three to six times cheaper
/// without AES instructions.
#[cfg(not(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64")))]
const CIPHER_SUITES: &[u16] = &[
    0x1303,
    0x1301,
    0x1302,
    0xcca9,
    0xc02b,
    0xc02c,
    #[cfg(feature = "rsa")]
    0xcca8,
    #[cfg(feature = "rsa")]
    0xc02f,
    #[cfg(feature = "rsa")]
    0xc030,
];

/// All that the features name: for hosts and wasm.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    name: "rust-crypto",
    hashes: &hash::Hashing,
    aeads: &aead::Sealing,
    key_exchanges: &[
        #[cfg(feature = "post-quantum")]
        &kx::X25519MlKem768,
        &kx::X25519,
        &kx::P256,
    ],
    signer: &sign::P256Signer,
    verifiers: &[
        &sign::EcdsaSha256,
        #[cfg(feature = "rsa")]
        &sign::EcdsaP384Sha384,
        #[cfg(feature = "rsa")]
        &sign::RsaPssSha256,
        #[cfg(feature = "rsa")]
        &sign::RsaPkcs1Sha256,
    ],
    cipher_suites: CIPHER_SUITES,
};

/// What another provider takes from here, one by one.
#[cfg(feature = "aws-lc-rs")]
mod parts {
    #[cfg(feature = "post-quantum")]
    pub(in crate::crypto) const X25519_ML_KEM_768: &dyn crate::crypto::KeyExchange =
        &super::kx::X25519MlKem768;
    #[cfg(feature = "rsa")]
    pub(in crate::crypto) const ECDSA_P384_SHA384: &dyn crate::crypto::Verifier =
        &super::sign::EcdsaP384Sha384;
    #[cfg(feature = "rsa")]
    pub(in crate::crypto) const RSA_PSS_SHA256: &dyn crate::crypto::Verifier = &super::sign::RsaPssSha256;
    #[cfg(feature = "rsa")]
    pub(in crate::crypto) const RSA_PKCS1_SHA256: &dyn crate::crypto::Verifier = &super::sign::RsaPkcs1Sha256;
}

#[cfg(feature = "aws-lc-rs")]
pub(in crate::crypto) use parts::*;

/// What a microcontroller should do: the curves of [`compact`], X25519 and
/// ChaCha20-Poly1305 first, no post-quantum shares, ECDSA P-256 only.
pub static CHIP: CryptoProvider = CryptoProvider {
    name: "chip",
    hashes: &hash::ShortHashing,
    aeads: &aead::ShortSealing,
    key_exchanges: &[&compact::X25519, &compact::P256],
    signer: &compact::P256Signer(&hash::ShortHashing),
    verifiers: &[&compact::EcdsaP256Sha256],
    cipher_suites: &[0x1303, 0x1301, 0xcca9, 0xc02b],
};

/// [`CHIP`] with X25519MLKEM768 in front. On a Cortex-M0+ that is 24 KB of flash
/// and 4 KB of heap more, 49 KB of stack where the public-key operations run,
/// and two thirds more work per handshake. It wants 2 KiB and more for
/// `dtls::Limits::flight`.
#[cfg(feature = "post-quantum")]
pub static CHIP_HYBRID: CryptoProvider = CryptoProvider {
    name: "chip-hybrid",
    key_exchanges: &[&kx::X25519MlKem768, &compact::X25519, &compact::P256],
    ..CHIP
};
