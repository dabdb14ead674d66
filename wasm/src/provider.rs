//! The core's provider, with the curves that were made for chips; by features,
//! what else hosts have.

use picortc::crypto::rust_crypto::PROVIDER as STANDARD;
use picortc::crypto::{CryptoProvider, compact};

/// What hosts have by default, but for the curves: those of chips are 14 KB
/// less, compressed, and handshakes take three fifths of the time.
pub(crate) static PROVIDER: CryptoProvider = CryptoProvider {
    name: "wasm",
    hashes: STANDARD.hashes,
    aeads: STANDARD.aeads,
    key_exchanges: if cfg!(feature = "post-quantum") {
        STANDARD.key_exchanges
    } else {
        &[&compact::X25519, &compact::P256]
    },
    signer: &compact::P256Signer(STANDARD.hashes),
    verifiers: if cfg!(feature = "rsa") { STANDARD.verifiers } else { &[&compact::EcdsaP256Sha256] },
    cipher_suites: STANDARD.cipher_suites,
};
