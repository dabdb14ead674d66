use crate::crypto::{AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError};
use crate::mem::{Boxed, OutOfMemory, boxed};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyIvInit, StreamCipher, StreamCipherSeek};
use aes_gcm::aes::{Aes128, Aes256};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20::ChaCha20;
use chacha20poly1305::ChaCha20Poly1305;

/// AES-GCM and ChaCha20-Poly1305.
pub(super) struct Sealing;

impl Aeads for Sealing {
    fn supports(&self, _: AeadAlgorithm) -> bool {
        true
    }

    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
        Ok(boxed(Key::None)?)
    }

    fn record_number_mask(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        sample: &[u8; 16],
    ) -> Result<[u8; 5], CryptoError> {
        let mut block = *sample;
        match algorithm {
            AeadAlgorithm::Aes128Gcm => {
                let aes = Aes128::new_from_slice(key).map_err(|_| CryptoError::Invalid)?;
                aes.encrypt_block((&mut block).into());
            }
            AeadAlgorithm::Aes256Gcm => {
                let aes = Aes256::new_from_slice(key).map_err(|_| CryptoError::Invalid)?;
                aes.encrypt_block((&mut block).into());
            }
            AeadAlgorithm::ChaCha20Poly1305 => {
                let [c0, c1, c2, c3, nonce @ ..] = *sample;
                let mut stream = ChaCha20::new_from_slices(key, &nonce).map_err(|_| CryptoError::Invalid)?;
                let at = u64::from(u32::from_le_bytes([c0, c1, c2, c3])) * 64;
                stream.try_seek(at).map_err(|_| CryptoError::Invalid)?;
                block = [0; 16];
                stream.try_apply_keystream(&mut block).map_err(|_| CryptoError::Invalid)?;
            }
        }
        let [a, b, c, d, e, ..] = block;
        Ok([a, b, c, d, e])
    }
}

/// A key with its schedule. All variants share one slot, taken at construction.
enum Key {
    None,
    Aes128Gcm(Aes128Gcm),
    Aes256Gcm(Aes256Gcm),
    ChaCha20Poly1305(ChaCha20Poly1305),
}

impl AeadContext for [Key; 1] {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        let [this] = self;
        *this = Key::None;
        let invalid = |_| CryptoError::Invalid;
        *this = match algorithm {
            AeadAlgorithm::Aes128Gcm => Key::Aes128Gcm(Aes128Gcm::new_from_slice(key).map_err(invalid)?),
            AeadAlgorithm::Aes256Gcm => Key::Aes256Gcm(Aes256Gcm::new_from_slice(key).map_err(invalid)?),
            AeadAlgorithm::ChaCha20Poly1305 => {
                Key::ChaCha20Poly1305(ChaCha20Poly1305::new_from_slice(key).map_err(invalid)?)
            }
        };
        Ok(())
    }

    fn clear(&mut self) {
        *self = [Key::None];
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let [this] = self;
        let data = InOutBuf::from(data);
        let tag = match this {
            Key::None => return Err(CryptoError::Unsupported),
            Key::Aes128Gcm(k) => k.encrypt_inout_detached(nonce.into(), aad, data),
            Key::Aes256Gcm(k) => k.encrypt_inout_detached(nonce.into(), aad, data),
            Key::ChaCha20Poly1305(k) => k.encrypt_inout_detached(nonce.into(), aad, data),
        };
        tag.map(Into::into).map_err(|_| CryptoError::Invalid)
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError> {
        let [this] = self;
        let data = InOutBuf::from(data);
        match this {
            Key::None => return Err(CryptoError::Unauthentic),
            Key::Aes128Gcm(k) => k.decrypt_inout_detached(nonce.into(), aad, data, tag.into()),
            Key::Aes256Gcm(k) => k.decrypt_inout_detached(nonce.into(), aad, data, tag.into()),
            Key::ChaCha20Poly1305(k) => k.decrypt_inout_detached(nonce.into(), aad, data, tag.into()),
        }
        .map_err(|_| CryptoError::Unauthentic)
    }
}
