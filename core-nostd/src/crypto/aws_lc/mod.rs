//! A provider for hosts: AWS-LC, whose assembly does AES-GCM in less than half
//! of the instructions, and P-256 in a tenth. Its build wants a C compiler.
//!
//! From AWS-LC come the AEADs, X25519, P-256 and our own signatures; hashes,
//! for which the processor's instructions are used either way, RSA, P-384 and
//! ML-KEM stay RustCrypto's. Two things are other than with RustCrypto:
//!
//! - AWS-LC draws the nonces of signatures from the system, so that a run does
//!   not follow from its seed to the last octet;
//! - it takes memory of its own while a handshake computes. Data takes none.

mod aead;
mod kx;
mod sign;

use super::{CryptoProvider, rust_crypto};

/// All that the features name.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    name: "aws-lc",
    hashes: rust_crypto::PROVIDER.hashes,
    aeads: &aead::Sealing,
    key_exchanges: &[
        #[cfg(feature = "post-quantum")]
        rust_crypto::X25519_ML_KEM_768,
        &kx::Agreement::X25519,
        &kx::Agreement::P256,
    ],
    signer: &sign::P256Signer,
    verifiers: &[
        &sign::EcdsaSha256,
        #[cfg(feature = "rsa")]
        rust_crypto::ECDSA_P384_SHA384,
        #[cfg(feature = "rsa")]
        rust_crypto::RSA_PSS_SHA256,
        #[cfg(feature = "rsa")]
        rust_crypto::RSA_PKCS1_SHA256,
    ],
    cipher_suites: rust_crypto::PROVIDER.cipher_suites,
};
