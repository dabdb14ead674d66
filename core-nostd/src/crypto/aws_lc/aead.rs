use crate::crypto::{AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError};
use crate::mem::{Boxed, OutOfMemory, boxed};
use aws_lc_rs::aead::quic::{self, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// AES-GCM and ChaCha20-Poly1305.
pub(super) struct Sealing;

impl Aeads for Sealing {
    fn supports(&self, _: AeadAlgorithm) -> bool {
        true
    }

    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
        Ok(boxed(Keys { algorithm: AeadAlgorithm::Aes128Gcm, key: None, number: None })?)
    }
}

/// Keys with their schedules, once there are any.
struct Keys {
    algorithm: AeadAlgorithm,
    key: Option<LessSafeKey>,
    /// The masks of record numbers are those of QUIC's headers (RFC 9001,
    /// Section 5.4; RFC 9147, Section 4.2.3).
    number: Option<HeaderProtectionKey>,
}

impl AeadContext for [Keys; 1] {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        self.clear();
        let aead = match algorithm {
            AeadAlgorithm::Aes128Gcm => &AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let [this] = self;
        this.algorithm = algorithm;
        let key = UnboundKey::new(aead, key).map_err(|_| CryptoError::Invalid)?;
        this.key = Some(LessSafeKey::new(key));
        Ok(())
    }

    fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        let [this] = self;
        if this.key.is_none() {
            return Err(CryptoError::Unsupported);
        }
        let cipher = match this.algorithm {
            AeadAlgorithm::Aes128Gcm => &quic::AES_128,
            AeadAlgorithm::Aes256Gcm => &quic::AES_256,
            AeadAlgorithm::ChaCha20Poly1305 => &quic::CHACHA20,
        };
        this.number = Some(HeaderProtectionKey::new(cipher, key).map_err(|_| CryptoError::Invalid)?);
        Ok(())
    }

    fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError> {
        let [Keys { number: Some(key), .. }] = self else { return Err(CryptoError::Unsupported) };
        key.new_mask(sample).map_err(|_| CryptoError::Invalid)
    }

    fn clear(&mut self) {
        let [this] = self;
        (this.key, this.number) = (None, None);
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let [Keys { key: Some(key), .. }] = self else { return Err(CryptoError::Unsupported) };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), data);
        let tag = tag.map_err(|_| CryptoError::Invalid)?;
        tag.as_ref().try_into().map_err(|_| CryptoError::Invalid)
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError> {
        let [Keys { key: Some(key), .. }] = self else { return Err(CryptoError::Unsupported) };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data);
        opened.map(drop).map_err(|_| CryptoError::Unauthentic)
    }
}
