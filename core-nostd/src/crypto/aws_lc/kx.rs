use crate::crypto::{CryptoError, KeyExchange, KxSecret, KxShared, NamedGroup};
use crate::env::Rng;
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};

/// Diffie-Hellman on Curve25519 (RFC 7748) or NIST P-256, there with
/// uncompressed points.
pub(super) struct Agreement {
    group: NamedGroup,
    algorithm: &'static agreement::Algorithm,
    share_len: usize,
}

impl Agreement {
    pub(super) const X25519: Self =
        Self { group: NamedGroup::X25519, algorithm: &agreement::X25519, share_len: 32 };
    pub(super) const P256: Self =
        Self { group: NamedGroup::SECP256R1, algorithm: &agreement::ECDH_P256, share_len: 65 };

    fn key(&self, secret: &[u8]) -> Result<PrivateKey, CryptoError> {
        PrivateKey::from_private_key(self.algorithm, secret).map_err(|_| CryptoError::Invalid)
    }
}

impl KeyExchange for Agreement {
    fn group(&self) -> NamedGroup {
        self.group
    }

    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError> {
        let mut secret = KxSecret::zeroed(32);
        // By rejection: all but 2^-32 of the draws are scalars of P-256, and
        // all are of Curve25519.
        for _ in 0..8 {
            rng.fill(secret.as_mut_slice());
            let Ok(key) = self.key(secret.as_slice()) else { continue };
            let public = key.compute_public_key().map_err(|_| CryptoError::Invalid)?;
            let room = share.get_mut(..self.share_len).ok_or(CryptoError::ShortBuffer)?;
            let public = public.as_ref().get(..self.share_len).ok_or(CryptoError::Invalid)?;
            room.copy_from_slice(public);
            return Ok((secret, self.share_len));
        }
        Err(CryptoError::Invalid)
    }

    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError> {
        // AWS-LC takes compressed points, too, which TLS does not (RFC 8446,
        // Section 4.2.8.2). It refuses points that are not on the curve, and a
        // shared secret of zeroes (Section 7.4.2).
        if peer.len() != self.share_len {
            return Err(CryptoError::Invalid);
        }
        let peer = UnparsedPublicKey::new(self.algorithm, peer);
        agreement::agree(&self.key(secret.as_slice())?, &peer, CryptoError::Invalid, |shared| {
            KxShared::new(shared).ok_or(CryptoError::Invalid)
        })
    }
}
