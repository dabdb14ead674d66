use crate::crypto::{
    AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError, rust_crypto,
};
use crate::mem::{Boxed, OutOfMemory, boxed};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// AES-GCM and ChaCha20-Poly1305.
pub(super) struct Sealing;

impl Aeads for Sealing {
    fn supports(&self, _: AeadAlgorithm) -> bool {
        true
    }

    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
        Ok(boxed(Key(None))?)
    }

    fn record_number_mask(
        &self,
        algorithm: AeadAlgorithm,
        key: &[u8],
        sample: &[u8; 16],
    ) -> Result<[u8; 5], CryptoError> {
        rust_crypto::PROVIDER.aeads.record_number_mask(algorithm, key, sample)
    }
}

/// A key with its schedule, once it has one.
struct Key(Option<LessSafeKey>);

impl AeadContext for [Key; 1] {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        let [this] = self;
        this.0 = None;
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm => &AES_128_GCM,
            AeadAlgorithm::Aes256Gcm => &AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| CryptoError::Invalid)?;
        this.0 = Some(LessSafeKey::new(key));
        Ok(())
    }

    fn clear(&mut self) {
        *self = [Key(None)];
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let [Key(Some(key))] = self else { return Err(CryptoError::Unsupported) };
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
        let [Key(Some(key))] = self else { return Err(CryptoError::Unsupported) };
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data);
        opened.map(drop).map_err(|_| CryptoError::Unauthentic)
    }
}
