use super::Accelerator;
use picortc::crypto::rust_crypto::CHIP;
use picortc::crypto::{CryptoError, Digest, HashAlgorithm, HashContext, Hashes};
use picortc::mem::{Boxed, OutOfMemory};

/// Octets of a block of SHA-1 and SHA-256.
const BLOCK: usize = 64;

/// SHA-1 and SHA-256, and HMAC over them.
#[derive(Clone, Copy)]
pub struct Hashing(
    /// What computes them.
    pub &'static dyn Accelerator,
);

impl core::fmt::Debug for Hashing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hashing(..)")
    }
}

impl Hashes for Hashing {
    fn supports(&self, algorithm: HashAlgorithm) -> bool {
        CHIP.hashes.supports(algorithm)
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let hash = self.supports(algorithm).then(|| self.0.hash(algorithm, &[], parts)).flatten();
        hash.map_or_else(|| CHIP.hashes.hash(algorithm, parts), Ok)
    }

    /// "H(K XOR opad, H(K XOR ipad, text))" (RFC 2104, Section 2).
    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        let in_hardware = || -> Option<Digest> {
            let mut padded = [0; BLOCK];
            if key.len() > BLOCK {
                let short = self.0.hash(algorithm, &[], &[key])?;
                padded.get_mut(..short.len())?.copy_from_slice(&short);
            } else {
                padded.get_mut(..key.len())?.copy_from_slice(key);
            }
            let inner = self.0.hash(algorithm, &padded.map(|octet| octet ^ 0x36), parts)?;
            self.0.hash(algorithm, &padded.map(|octet| octet ^ 0x5c), &[&inner])
        };
        let mac = self.supports(algorithm).then(in_hardware).flatten();
        mac.map_or_else(|| CHIP.hashes.hmac(algorithm, key, parts), Ok)
    }

    /// In software: its value is read again and again.
    fn context(&self) -> Result<Boxed<dyn HashContext>, OutOfMemory> {
        CHIP.hashes.context()
    }
}
