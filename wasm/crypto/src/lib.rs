//! The core's provider with ChaCha20-Poly1305 compiled for speed.
//!
//! The package is compiled for size, and generic code is compiled where it is
//! used. Hence this crate, of which the profile asks for speed: every octet
//! that is sent or received goes through it once.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use picortc::crypto::rust_crypto::PROVIDER as STANDARD;
use picortc::crypto::{
    AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError, CryptoProvider,
};
use picortc::mem::{Boxed, OutOfMemory};

/// The core's default provider, but for its AEADs.
pub static PROVIDER: CryptoProvider = CryptoProvider {
    name: "rust-crypto-wasm",
    hashes: STANDARD.hashes,
    aeads: &Sealing,
    key_exchanges: STANDARD.key_exchanges,
    signer: STANDARD.signer,
    verifiers: STANDARD.verifiers,
    cipher_suites: STANDARD.cipher_suites,
};

struct Sealing;

impl Aeads for Sealing {
    fn supports(&self, algorithm: AeadAlgorithm) -> bool {
        STANDARD.aeads.supports(algorithm)
    }

    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
        Ok(Box::new(Slot { chacha: None, other: STANDARD.aeads.context()? }))
    }
}

/// A key of ours, and the same for the standard provider, which has the other
/// algorithms, and the record numbers of all.
struct Slot {
    chacha: Option<ChaCha20Poly1305>,
    other: Boxed<dyn AeadContext>,
}

impl AeadContext for Slot {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        self.clear();
        self.other.set_key(algorithm, key)?;
        if algorithm == AeadAlgorithm::ChaCha20Poly1305 {
            self.chacha = Some(ChaCha20Poly1305::new_from_slice(key).map_err(|_| CryptoError::Invalid)?);
        }
        Ok(())
    }

    fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        self.other.set_number_key(key)
    }

    fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError> {
        self.other.record_number_mask(sample)
    }

    fn clear(&mut self) {
        self.chacha = None;
        self.other.clear();
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let Some(key) = &self.chacha else { return self.other.seal(nonce, aad, data) };
        let tag = key.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(data));
        tag.map(Into::into).map_err(|_| CryptoError::Invalid)
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError> {
        let Some(key) = &self.chacha else { return self.other.open(nonce, aad, data, tag) };
        key.decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(data), tag.into())
            .map_err(|_| CryptoError::Unauthentic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_what_the_standard_provider_speaks() {
        for algorithm in [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm, AeadAlgorithm::ChaCha20Poly1305]
        {
            let key = [7; 32];
            let key = &key[..if algorithm == AeadAlgorithm::Aes128Gcm { 16 } else { 32 }];
            let [mut ours, mut theirs] = [&PROVIDER, &STANDARD].map(|p| p.aeads.context().unwrap());
            ours.set_key(algorithm, key).unwrap();
            theirs.set_key(algorithm, key).unwrap();
            let mut data = *b"a record, sealed by one and opened by the other";
            let tag = ours.seal(&[1; 12], b"header", &mut data).unwrap();
            assert_eq!(
                ours.open(&[1; 12], b"heades", &mut data.clone(), &tag),
                Err(CryptoError::Unauthentic)
            );
            theirs.open(&[1; 12], b"header", &mut data, &tag).unwrap();
            assert_eq!(&data, b"a record, sealed by one and opened by the other");
            for slot in [&mut ours, &mut theirs] {
                slot.set_number_key(key).unwrap();
            }
            assert_eq!(ours.record_number_mask(&[3; 16]), theirs.record_number_mask(&[3; 16]));
            ours.clear();
            assert!(ours.seal(&[1; 12], b"", &mut data).is_err());
        }
    }
}
