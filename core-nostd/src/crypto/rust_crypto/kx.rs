use crate::crypto::{CryptoError, KeyExchange, KxSecret, KxShared, NamedGroup};
use crate::env::Rng;
use p256::elliptic_curve::sec1::ToSec1Point;
use x25519_dalek::{PublicKey as X25519Public, StaticSecret};

/// Curve25519 (RFC 7748).
pub(super) struct X25519;

impl KeyExchange for X25519 {
    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        let mut secret = KxSecret::zeroed(32);
        rng.fill(secret.as_mut_slice());
        let public = X25519Public::from(&x25519_secret(secret.as_slice())?);
        share.get_mut(..32).ok_or(CryptoError::ShortBuffer)?.copy_from_slice(public.as_bytes());
        Ok((secret, 32))
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        KxShared::new(&x25519_agree(secret.as_slice(), peer)?).ok_or(CryptoError::Invalid)
    }
}

fn x25519_secret(bytes: &[u8]) -> Result<StaticSecret, CryptoError> {
    Ok(StaticSecret::from(<[u8; 32]>::try_from(bytes).map_err(|_| CryptoError::Invalid)?))
}

fn x25519_agree(secret: &[u8], peer: &[u8]) -> Result<[u8; 32], CryptoError> {
    let peer = <[u8; 32]>::try_from(peer).map_err(|_| CryptoError::Invalid)?;
    let shared = x25519_secret(secret)?.diffie_hellman(&X25519Public::from(peer));
    // "implementations MUST check whether the computed Diffie-Hellman shared
    // secret is the all-zero value" (RFC 8446, Section 7.4.2).
    if shared.was_contributory() { Ok(shared.to_bytes()) } else { Err(CryptoError::Invalid) }
}

/// NIST P-256 with uncompressed points.
pub(super) struct P256;

impl KeyExchange for P256 {
    fn group(&self) -> NamedGroup {
        NamedGroup::SECP256R1
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        let (bytes, key) = p256_scalar(rng)?;
        let point = key.public_key().to_sec1_point(false);
        share.get_mut(..65).ok_or(CryptoError::ShortBuffer)?.copy_from_slice(point.as_bytes());
        Ok((KxSecret::new(bytes.as_slice()).ok_or(CryptoError::Invalid)?, 65))
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        // "peers MUST validate each other's public key" (RFC 8446, Section
        // 4.2.8.2); only the uncompressed form is allowed.
        if peer.len() != 65 || peer.first() != Some(&4) {
            return Err(CryptoError::Invalid);
        }
        let peer = p256::PublicKey::from_sec1_bytes(peer).map_err(|_| CryptoError::Invalid)?;
        let key = p256::SecretKey::from_slice(secret.as_slice()).map_err(|_| CryptoError::Invalid)?;
        let shared = p256::ecdh::diffie_hellman(key.to_nonzero_scalar(), peer.as_affine());
        KxShared::new(shared.raw_secret_bytes()).ok_or(CryptoError::Invalid)
    }
}

/// A private key drawn by rejection: all but 2^-32 of the draws are scalars.
pub(super) fn p256_scalar(
    rng: &mut Rng,
) -> Result<(crate::crypto::Secret<32>, p256::SecretKey), CryptoError> {
    let mut bytes = crate::crypto::Secret::<32>::zeroed(32);
    for _ in 0..8 {
        rng.fill(bytes.as_mut_slice());
        if let Ok(key) = p256::SecretKey::from_slice(bytes.as_slice()) {
            return Ok((bytes, key));
        }
    }
    Err(CryptoError::Invalid)
}

#[cfg(feature = "post-quantum")]
pub(super) use hybrid::X25519MlKem768;

#[cfg(feature = "post-quantum")]
mod hybrid {
    use super::{x25519_agree, x25519_secret};
    use crate::crypto::{CryptoError, KeyExchange, KxSecret, KxShared, NamedGroup};
    use crate::env::Rng;
    use ml_kem::{Decapsulate, DecapsulationKey, EncapsulationKey, KeyExport, MlKem768};
    use x25519_dalek::PublicKey as X25519Public;

    const SEED: usize = 64;
    const ENCAPSULATION_KEY: usize = 1184;
    const CIPHERTEXT: usize = 1088;

    /// ML-KEM-768 and X25519 side by side (draft-ietf-tls-ecdhe-mlkem): in
    /// shares and in the secret, the ML-KEM part comes first. The secret keeps
    /// ML-KEM's seed, from which the 2,400-octet key is made again.
    pub(in super::super) struct X25519MlKem768;

    impl KeyExchange for X25519MlKem768 {
        fn group(&self) -> NamedGroup {
            NamedGroup::X25519MLKEM768
        }

        fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
            let mut secret = KxSecret::zeroed(SEED + 32);
            rng.fill(secret.as_mut_slice());
            let (seed, x25519) = secret.as_slice().split_at_checked(SEED).ok_or(CryptoError::Invalid)?;
            let key = decapsulation_key(seed)?;
            let public = X25519Public::from(&x25519_secret(x25519)?);
            let share = share.get_mut(..ENCAPSULATION_KEY + 32).ok_or(CryptoError::ShortBuffer)?;
            let (ml_kem, x25519) =
                share.split_at_mut_checked(ENCAPSULATION_KEY).ok_or(CryptoError::ShortBuffer)?;
            ml_kem.copy_from_slice(&key.encapsulation_key().to_bytes());
            x25519.copy_from_slice(public.as_bytes());
            Ok((secret, ENCAPSULATION_KEY + 32))
        }

        fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
            let (seed, x25519) = secret.as_slice().split_at_checked(SEED).ok_or(CryptoError::Invalid)?;
            let (ciphertext, peer) = peer.split_at_checked(CIPHERTEXT).ok_or(CryptoError::Invalid)?;
            let ciphertext = ciphertext.try_into().map_err(|_| CryptoError::Invalid)?;
            let shared = decapsulation_key(seed)?.decapsulate(&ciphertext);
            join(&shared, &x25519_agree(x25519, peer)?)
        }

        fn respond(
            &self,
            rng: &mut Rng,
            peer: &[u8],
            share: &mut [u8],
        ) -> Result<(usize, KxShared), CryptoError> {
            let (key, peer) = peer.split_at_checked(ENCAPSULATION_KEY).ok_or(CryptoError::Invalid)?;
            let key = key.try_into().map_err(|_| CryptoError::Invalid)?;
            // Refuses a key whose coefficients are out of range (FIPS 203,
            // Section 7.2: the "modulus check").
            let key = EncapsulationKey::<MlKem768>::new(&key).map_err(|_| CryptoError::Invalid)?;
            let message: [u8; 32] = rng.array();
            let (ciphertext, ml_kem) = key.encapsulate_deterministic(&message.into());
            let secret: [u8; 32] = rng.array();
            let public = X25519Public::from(&x25519_secret(&secret)?);
            let out = share.get_mut(..CIPHERTEXT + 32).ok_or(CryptoError::ShortBuffer)?;
            let (first, second) = out.split_at_mut_checked(CIPHERTEXT).ok_or(CryptoError::ShortBuffer)?;
            first.copy_from_slice(&ciphertext);
            second.copy_from_slice(public.as_bytes());
            Ok((CIPHERTEXT + 32, join(&ml_kem, &x25519_agree(&secret, peer)?)?))
        }
    }

    fn decapsulation_key(seed: &[u8]) -> Result<DecapsulationKey<MlKem768>, CryptoError> {
        Ok(DecapsulationKey::from_seed(seed.try_into().map_err(|_| CryptoError::Invalid)?))
    }

    fn join(ml_kem: &[u8], x25519: &[u8]) -> Result<KxShared, CryptoError> {
        let mut shared = KxShared::zeroed(64);
        let (first, second) = shared.as_mut_slice().split_at_mut_checked(32).ok_or(CryptoError::Invalid)?;
        first.copy_from_slice(ml_kem);
        second.copy_from_slice(x25519);
        Ok(shared)
    }
}
