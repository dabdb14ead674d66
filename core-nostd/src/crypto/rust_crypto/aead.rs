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

/// The same without AES-256, which a chip does not offer.
pub(super) struct ShortSealing;

/// [`Aeads`] for a table with the algorithms named.
macro_rules! aeads {
    ($table:ident, $key:ident, $($algorithm:ident)+) => {
        impl Aeads for $table {
            fn supports(&self, algorithm: AeadAlgorithm) -> bool {
                matches!(algorithm, $(AeadAlgorithm::$algorithm)|+)
            }

            fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
                Ok(boxed($key::None)?)
            }

            fn record_number_mask(
                &self,
                algorithm: AeadAlgorithm,
                key: &[u8],
                sample: &[u8; 16],
            ) -> Result<[u8; 5], CryptoError> {
                let block = match algorithm {
                    $(AeadAlgorithm::$algorithm => mask::$algorithm(key, sample)?,)+
                    #[allow(unreachable_patterns, reason = "one of the tables has them all")]
                    _ => return Err(CryptoError::Unsupported),
                };
                let [a, b, c, d, e, ..] = block;
                Ok([a, b, c, d, e])
            }
        }

        /// A key with its schedule. All variants share one slot, taken at
        /// construction.
        #[allow(clippy::large_enum_variant, reason = "the slot has room for the largest")]
        enum $key {
            None,
            $($algorithm($algorithm),)+
        }

        impl AeadContext for [$key; 1] {
            fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
                let [this] = self;
                *this = $key::None;
                let invalid = |_| CryptoError::Invalid;
                *this = match algorithm {
                    $(AeadAlgorithm::$algorithm => {
                        $key::$algorithm($algorithm::new_from_slice(key).map_err(invalid)?)
                    })+
                    #[allow(unreachable_patterns, reason = "one of the tables has them all")]
                    _ => return Err(CryptoError::Unsupported),
                };
                Ok(())
            }

            fn clear(&mut self) {
                *self = [$key::None];
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
                    $key::None => return Err(CryptoError::Unsupported),
                    $($key::$algorithm(k) => k.encrypt_inout_detached(nonce.into(), aad, data),)+
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
                    $key::None => return Err(CryptoError::Unauthentic),
                    $($key::$algorithm(k) => {
                        k.decrypt_inout_detached(nonce.into(), aad, data, tag.into())
                    })+
                }
                .map_err(|_| CryptoError::Unauthentic)
            }
        }
    };
}

aeads!(Sealing, Key, Aes128Gcm Aes256Gcm ChaCha20Poly1305);
aeads!(ShortSealing, ShortKey, Aes128Gcm ChaCha20Poly1305);

/// The block that a mask is taken from, by algorithm.
#[allow(non_snake_case, reason = "named as the algorithms are")]
mod mask {
    use super::*;

    pub(super) fn Aes128Gcm(key: &[u8], sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
        aes(&Aes128::new_from_slice(key).map_err(|_| CryptoError::Invalid)?, sample)
    }

    pub(super) fn Aes256Gcm(key: &[u8], sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
        aes(&Aes256::new_from_slice(key).map_err(|_| CryptoError::Invalid)?, sample)
    }

    fn aes(
        cipher: &impl BlockCipherEncrypt<BlockSize = aes_gcm::aead::consts::U16>,
        sample: &[u8; 16],
    ) -> Result<[u8; 16], CryptoError> {
        let mut block = *sample;
        cipher.encrypt_block((&mut block).into());
        Ok(block)
    }

    pub(super) fn ChaCha20Poly1305(key: &[u8], sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
        let [c0, c1, c2, c3, nonce @ ..] = *sample;
        let mut stream = ChaCha20::new_from_slices(key, &nonce).map_err(|_| CryptoError::Invalid)?;
        let at = u64::from(u32::from_le_bytes([c0, c1, c2, c3])) * 64;
        stream.try_seek(at).map_err(|_| CryptoError::Invalid)?;
        let mut block = [0; 16];
        stream.try_apply_keystream(&mut block).map_err(|_| CryptoError::Invalid)?;
        Ok(block)
    }
}
