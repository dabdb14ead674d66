use crate::crypto::{
    CryptoError, HashAlgorithm, P256Signature, PublicKey, Secret, SignatureScheme, Signer, Verifier,
    rust_crypto,
};
use crate::env::Rng;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{Digest, SHA256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, ParsedPublicKey,
};

/// ECDSA P-256 with our own keys.
pub(super) struct P256Signer;

impl Signer for P256Signer {
    fn generate(&self, rng: &mut Rng) -> Result<Secret<32>, CryptoError> {
        // A number in range: RustCrypto draws it from the seed.
        rust_crypto::PROVIDER.signer.generate(rng)
    }

    fn public_key(&self, key: &Secret<32>) -> Result<[u8; 65], CryptoError> {
        let key =
            PrivateKey::from_private_key(&ECDH_P256, key.as_slice()).map_err(|_| CryptoError::Invalid)?;
        let public = key.compute_public_key().map_err(|_| CryptoError::Invalid)?;
        public.as_ref().try_into().map_err(|_| CryptoError::Invalid)
    }

    fn sign(&self, key: &Secret<32>, digest: &[u8; 32]) -> Result<P256Signature, CryptoError> {
        if key.as_slice().len() != 32 {
            return Err(CryptoError::Invalid);
        }
        let mut der = Secret::<DER_LEN>::zeroed(DER_LEN);
        let octets = DER_HEAD.iter().chain(key.as_slice()).chain(&DER_TAIL);
        for (to, from) in der.as_mut_slice().iter_mut().zip(octets) {
            *to = *from;
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der.as_slice());
        let pair = pair.map_err(|_| CryptoError::Invalid)?;
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| CryptoError::Invalid)?;
        let signature = pair.sign_digest(&digest).map_err(|_| CryptoError::Invalid)?;
        P256Signature::from_slice(signature.as_ref()).map_err(|_| CryptoError::ShortBuffer)
    }
}

/// What stands around the 32 octets of a P-256 key in an ECPrivateKey (RFC
/// 5915): the version before, the name of the curve behind.
const DER_HEAD: [u8; 7] = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
const DER_TAIL: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const DER_LEN: usize = DER_HEAD.len() + 32 + DER_TAIL.len();

/// ECDSA with SHA-256: P-256 here, P-384 as RustCrypto does it.
pub(super) struct EcdsaSha256;

impl Verifier for EcdsaSha256 {
    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_SECP256R1_SHA256
    }

    fn hash(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let PublicKey::P256(point) = key else {
            let other = rust_crypto::PROVIDER.verifier(self.scheme()).ok_or(CryptoError::Unsupported)?;
            return other.verify(key, digest, signature);
        };
        let digest = Digest::import_less_safe(digest, &SHA256).map_err(|_| CryptoError::Invalid)?;
        let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).map_err(|_| CryptoError::Invalid)?;
        key.verify_digest_sig(&digest, signature).map_err(|_| CryptoError::Unauthentic)
    }
}
