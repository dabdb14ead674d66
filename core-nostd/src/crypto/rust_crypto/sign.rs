use super::kx::p256_scalar;
use crate::crypto::{
    CryptoError, HashAlgorithm, P256Signature, PublicKey, Secret, SignatureScheme, Signer, Verifier,
};
use crate::env::Rng;
use ecdsa::hazmat::sign_prehashed_rfc6979;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{DerSignature, Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;

/// ECDSA P-256 with our own keys.
pub(super) struct P256Signer;

impl Signer for P256Signer {
    fn generate(&self, rng: &mut Rng) -> Result<Secret<32>, CryptoError> {
        Ok(p256_scalar(rng)?.0)
    }

    fn public_key(&self, key: &Secret<32>) -> Result<[u8; 65], CryptoError> {
        let key = p256::SecretKey::from_slice(key.as_slice()).map_err(|_| CryptoError::Invalid)?;
        key.public_key().to_sec1_point(false).as_bytes().try_into().map_err(|_| CryptoError::Invalid)
    }

    fn sign(&self, key: &Secret<32>, digest: &[u8; 32]) -> Result<P256Signature, CryptoError> {
        let key = p256::SecretKey::from_slice(key.as_slice()).map_err(|_| CryptoError::Invalid)?;
        // Not `SigningKey`, which computes its public key first: as much work
        // as the signature.
        let scalar = key.to_nonzero_scalar();
        let (signature, _) = sign_prehashed_rfc6979::<p256::NistP256, sha2::Sha256>(&scalar, digest, &[]);
        let der: DerSignature = signature.to_der();
        P256Signature::from_slice(der.as_bytes()).map_err(|_| CryptoError::ShortBuffer)
    }
}

/// ECDSA with SHA-256: P-256 and, with feature `rsa`, P-384, which TLS 1.2
/// allows under this number.
pub(super) struct EcdsaSha256;

impl Verifier for EcdsaSha256 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_SECP256R1_SHA256
    }

    fn hash(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        match key {
            PublicKey::P256(point) => {
                let key = VerifyingKey::from_sec1_bytes(point).map_err(|_| CryptoError::Invalid)?;
                let signature = Signature::from_der(signature).map_err(|_| CryptoError::Invalid)?;
                key.verify_prehash(digest, &signature).map_err(|_| CryptoError::Unauthentic)
            }
            #[cfg(feature = "rsa")]
            PublicKey::P384(point) => verify_p384(point, digest, signature),
            _ => Err(CryptoError::Unsupported),
        }
    }
}

#[cfg(feature = "rsa")]
pub(super) use wide::{EcdsaP384Sha384, RsaPkcs1Sha256, RsaPssSha256};

#[cfg(feature = "rsa")]
use wide::verify_p384;

/// What only some peers have: P-384 and RSA.
#[cfg(feature = "rsa")]
mod wide {
    use crate::crypto::{CryptoError, HashAlgorithm, PublicKey, SignatureScheme, Verifier};
    use p384::ecdsa::signature::hazmat::PrehashVerifier;
    use rsa::pkcs1::DecodeRsaPublicKey;
    use rsa::traits::{PublicKeyParts, SignatureScheme as _};
    use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey};

    /// ECDSA P-384 with SHA-384.
    pub(in super::super) struct EcdsaP384Sha384;

    impl Verifier for EcdsaP384Sha384 {
        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ECDSA_SECP384R1_SHA384
        }

        fn hash(&self) -> HashAlgorithm {
            HashAlgorithm::Sha384
        }

        fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
            match key {
                PublicKey::P384(point) => verify_p384(point, digest, signature),
                _ => Err(CryptoError::Unsupported),
            }
        }
    }

    pub(super) fn verify_p384(point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| CryptoError::Invalid)?;
        let signature = p384::ecdsa::Signature::from_der(signature).map_err(|_| CryptoError::Invalid)?;
        key.verify_prehash(digest, &signature).map_err(|_| CryptoError::Unauthentic)
    }

    /// RSASSA-PSS with SHA-256, a salt as long as the hash.
    pub(in super::super) struct RsaPssSha256;

    impl Verifier for RsaPssSha256 {
        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::RSA_PSS_RSAE_SHA256
        }

        fn hash(&self) -> HashAlgorithm {
            HashAlgorithm::Sha256
        }

        fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
            let scheme = Pss::new_with_salt::<rsa::sha2::Sha256>(32);
            scheme.verify(&rsa_key(key)?, digest, signature).map_err(|_| CryptoError::Unauthentic)
        }
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256: in TLS 1.2 only.
    pub(in super::super) struct RsaPkcs1Sha256;

    impl Verifier for RsaPkcs1Sha256 {
        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::RSA_PKCS1_SHA256
        }

        fn hash(&self) -> HashAlgorithm {
            HashAlgorithm::Sha256
        }

        fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
            let scheme = Pkcs1v15Sign::new::<rsa::sha2::Sha256>();
            scheme.verify(&rsa_key(key)?, digest, signature).map_err(|_| CryptoError::Unauthentic)
        }
    }

    fn rsa_key(key: PublicKey<'_>) -> Result<RsaPublicKey, CryptoError> {
        let PublicKey::Rsa(der) = key else { return Err(CryptoError::Unsupported) };
        let key = RsaPublicKey::from_pkcs1_der(der).map_err(|_| CryptoError::Invalid)?;
        if (2048..=8192).contains(&(key.size() * 8)) { Ok(key) } else { Err(CryptoError::Invalid) }
    }
}
