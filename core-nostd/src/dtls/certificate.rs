//! Our own identity, and the fingerprints by which peers know each other
//! (RFC 8122).

use crate::crypto::{
    CryptoError, CryptoProvider, Digest, HashAlgorithm, PublicKey, Secret, constant_time_eq,
};
use crate::env::Rng;
use crate::wire::Writer;
use crate::wire::x509::{self, MAX_CERTIFICATE, SERIAL_LEN, TBS_LEN};
use bytes::Bytes;

/// The longest certificate that can be imported, in octets.
pub const MAX_IMPORTED_CERTIFICATE: usize = 640;

/// A self-signed ECDSA P-256 certificate with its private key: what a peer
/// connection is known by.
///
/// Generated ones are small (about 280 octets) and valid for ever, since a
/// device need not know the date. Keep [`private_key`](Self::private_key) and
/// [`der`](Self::der) to keep the same fingerprint over a restart.
///
/// ```
/// use picortc::{crypto::rust_crypto::PROVIDER, dtls::Certificate, env::Rng};
/// let certificate = Certificate::generate(&PROVIDER, &mut Rng::new([7; 32]))?;
/// let again = Certificate::import(&PROVIDER, certificate.private_key(), certificate.der())?;
/// assert_eq!(certificate.fingerprint(), again.fingerprint());
/// # Ok::<_, picortc::dtls::CertificateError>(())
/// ```
#[derive(Clone)]
pub struct Certificate {
    key: Secret<32>,
    /// Copies share it.
    der: Bytes,
    fingerprint: Fingerprint,
}

impl core::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint).finish()
    }
}

/// Why a certificate could not be made or imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CertificateError {
    /// The certificate is longer than [`MAX_IMPORTED_CERTIFICATE`].
    TooLong,
    /// It is not DER, or carries no P-256 key.
    NotP256,
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// The crypto provider failed.
    Crypto(CryptoError),
}

impl core::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooLong => write!(f, "the certificate is longer than {MAX_IMPORTED_CERTIFICATE} octets"),
            Self::NotP256 => f.write_str("the certificate is not DER or carries no P-256 key"),
            Self::KeyMismatch => f.write_str("the private key does not belong to the certificate"),
            Self::Crypto(e) => e.fmt(f),
        }
    }
}

impl core::error::Error for CertificateError {}

impl From<CryptoError> for CertificateError {
    fn from(e: CryptoError) -> Self {
        Self::Crypto(e)
    }
}

impl Certificate {
    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    /// [`CertificateError::Crypto`].
    pub fn generate(provider: &CryptoProvider, rng: &mut Rng) -> Result<Self, CertificateError> {
        let key = provider.signer.generate(rng)?;
        let public = provider.signer.public_key(&key)?;
        let mut tbs = [0; TBS_LEN];
        let too_long = |_| CertificateError::TooLong;
        x509::emit_tbs(&mut Writer::new(&mut tbs), rng.array::<SERIAL_LEN>(), &public).map_err(too_long)?;
        let digest = provider.hashes.hash(HashAlgorithm::Sha256, &[&tbs])?;
        let digest = digest.first_chunk().ok_or(CryptoError::Invalid)?;
        let signature = provider.signer.sign(&key, digest)?;
        let mut der = [0; MAX_CERTIFICATE];
        let mut w = Writer::new(&mut der);
        x509::emit_certificate(&mut w, &tbs, &signature).map_err(too_long)?;
        Self::new(provider, key, w.written())
    }

    /// An identity from storage: the 32 octets of the private key, big endian,
    /// and the certificate in DER.
    ///
    /// # Errors
    /// [`CertificateError`], when they are not what they should be or do not
    /// belong together.
    pub fn import(
        provider: &CryptoProvider,
        private_key: &[u8; 32],
        der: &[u8],
    ) -> Result<Self, CertificateError> {
        let key = Secret::new(private_key).ok_or(CryptoError::Invalid)?;
        let public = provider.signer.public_key(&key)?;
        match x509::public_key(der) {
            Ok(PublicKey::P256(theirs)) if theirs == public => Self::new(provider, key, der),
            Ok(PublicKey::P256(_)) => Err(CertificateError::KeyMismatch),
            _ => Err(CertificateError::NotP256),
        }
    }

    fn new(provider: &CryptoProvider, key: Secret<32>, der: &[u8]) -> Result<Self, CertificateError> {
        let fingerprint = Fingerprint::of(provider, HashAlgorithm::Sha256, der)?;
        if der.len() > MAX_IMPORTED_CERTIFICATE {
            return Err(CertificateError::TooLong);
        }
        Ok(Self { key, der: Bytes::copy_from_slice(der), fingerprint })
    }

    /// The certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The private key, 32 octets big endian. Keep it secret.
    pub fn private_key(&self) -> &[u8; 32] {
        // The signer makes keys of 32 octets and import takes only such.
        self.key.as_slice().first_chunk().unwrap_or(&[0; 32])
    }

    pub(super) fn key(&self) -> &Secret<32> {
        &self.key
    }

    /// The SHA-256 fingerprint, as the description carries it.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

/// The hash of a certificate. `Display` writes what an `a=fingerprint` line
/// holds: `sha-256 12:34:…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    digest: Digest,
}

/// How many fingerprints of a peer are looked at.
pub const MAX_FINGERPRINTS: usize = 4;

/// The fingerprints of a peer: its certificate must match one.
pub type Fingerprints = heapless::Vec<Fingerprint, MAX_FINGERPRINTS>;

impl Fingerprint {
    /// The fingerprint of a certificate.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`].
    pub fn of(
        provider: &CryptoProvider,
        algorithm: HashAlgorithm,
        certificate: &[u8],
    ) -> Result<Self, CryptoError> {
        Ok(Self { algorithm, digest: provider.hashes.hash(algorithm, &[certificate])? })
    }

    /// A SHA-256 fingerprint.
    pub fn sha256(octets: &[u8; 32]) -> Self {
        // A digest has room for the longest hash.
        let digest = Digest::from_slice(octets).unwrap_or_default();
        Self { algorithm: HashAlgorithm::Sha256, digest }
    }

    /// The value of an `a=fingerprint` attribute. `None` for a hash that is
    /// unknown or too weak to be believed (RFC 8122, Section 5: MD2 and MD5
    /// "MUST NOT be used"; SHA-1 is not taken here either), and for a value
    /// that is not that hash's length.
    pub fn parse(algorithm: &str, value: &str) -> Option<Self> {
        let algorithm = if algorithm.eq_ignore_ascii_case("sha-256") {
            HashAlgorithm::Sha256
        } else if algorithm.eq_ignore_ascii_case("sha-384") {
            HashAlgorithm::Sha384
        } else {
            return None;
        };
        let mut digest = Digest::new();
        for pair in value.split(':') {
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            digest.push(u8::from_str_radix(pair, 16).ok()?).ok()?;
        }
        (digest.len() == algorithm.output_len()).then_some(Self { algorithm, digest })
    }

    /// Which hash.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The hash.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// Whether it is that of `certificate`, compared in constant time.
    pub(super) fn matches(&self, provider: &CryptoProvider, certificate: &[u8]) -> bool {
        Self::of(provider, self.algorithm, certificate)
            .is_ok_and(|theirs| constant_time_eq(&theirs.digest, &self.digest))
    }
}

impl core::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.algorithm {
            HashAlgorithm::Sha1 => "sha-1 ",
            HashAlgorithm::Sha256 => "sha-256 ",
            HashAlgorithm::Sha384 => "sha-384 ",
        })?;
        for (i, octet) in self.digest.iter().enumerate() {
            write!(f, "{}{octet:02X}", if i == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "rust-crypto"))]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::PROVIDER;
    use std::string::ToString;

    #[test]
    fn fingerprints_read_as_they_are_written() {
        let certificate = Certificate::generate(&PROVIDER, &mut Rng::new([1; 32])).unwrap();
        let text = certificate.fingerprint().to_string();
        let (algorithm, value) = text.split_once(' ').unwrap();
        assert_eq!(Fingerprint::parse(algorithm, value).as_ref(), Some(certificate.fingerprint()));
        assert_eq!(
            Fingerprint::parse("SHA-256", &value.to_lowercase()).as_ref(),
            Some(certificate.fingerprint())
        );
        for (algorithm, value) in [
            ("md5", value),
            ("sha-256", &value[3..]),
            ("sha-256", "+1:00"),
            ("sha-384", value),
            ("sha-256", ""),
        ] {
            assert_eq!(Fingerprint::parse(algorithm, value), None, "{algorithm} {value}");
        }
        assert!(certificate.fingerprint().matches(&PROVIDER, certificate.der()));
        assert!(!certificate.fingerprint().matches(&PROVIDER, &certificate.der()[1..]));
    }

    #[test]
    fn an_import_checks_that_key_and_certificate_belong_together() {
        let mut rng = Rng::new([2; 32]);
        let a = Certificate::generate(&PROVIDER, &mut rng).unwrap();
        let b = Certificate::generate(&PROVIDER, &mut rng).unwrap();
        let import = |key, der| Certificate::import(&PROVIDER, key, der).map(|c| c.fingerprint().clone());
        assert_eq!(import(a.private_key(), a.der()), Ok(a.fingerprint().clone()));
        assert_eq!(import(a.private_key(), b.der()), Err(CertificateError::KeyMismatch));
        assert_eq!(import(a.private_key(), b"nonsense"), Err(CertificateError::NotP256));
        assert_eq!(import(&[0; 32], a.der()), Err(CertificateError::Crypto(CryptoError::Invalid)));
    }
}
