//! The crypto that the protocols need, as a table of suites.
//!
//! A [`CryptoProvider`] is a `static` table of `&'static dyn` suites: what a
//! table does not name leaves the image, and what a chip can do in hardware is
//! one more table. State that outlives a call ([`AeadContext`],
//! [`HashContext`]) lives in slots that are allocated at construction and
//! keyed later, so that a handshake allocates nothing.
//!
//! Everything here is a building block. Which of it DTLS offers, and in which
//! order, is the table's [`cipher_suites`](CryptoProvider::cipher_suites) and
//! [`key_exchanges`](CryptoProvider::key_exchanges).

use crate::env::Rng;
use crate::mem::{Boxed, OutOfMemory};

#[cfg(feature = "aws-lc-rs")]
pub mod aws_lc;
pub mod compact;
#[cfg(feature = "rust-crypto")]
pub mod rust_crypto;

pub use compact::Computation;

/// What a peer connection computes with.
#[derive(Clone, Copy)]
pub struct CryptoProvider {
    /// A name for logs and statistics.
    pub name: &'static str,
    /// Hashes, HMAC among them.
    pub hashes: &'static dyn Hashes,
    /// Authenticated encryption.
    pub aeads: &'static dyn Aeads,
    /// Key exchanges, most preferred first. All but the first one or two are
    /// for peers that offer nothing better.
    pub key_exchanges: &'static [&'static dyn KeyExchange],
    /// Signatures with our own ECDSA P-256 keys.
    pub signer: &'static dyn Signer,
    /// Verification of the peer's signatures, most preferred first.
    pub verifiers: &'static [&'static dyn Verifier],
    /// TLS cipher suites by IANA number, TLS 1.3 and 1.2 alike, most preferred
    /// first: ChaCha20-Poly1305 leads where there is no AES instruction.
    pub cipher_suites: &'static [u16],
}

impl core::fmt::Debug for CryptoProvider {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("CryptoProvider").field(&self.name).finish()
    }
}

impl CryptoProvider {
    /// The key exchange for `group`, if the table names it.
    pub fn key_exchange(&self, group: NamedGroup) -> Option<&'static dyn KeyExchange> {
        self.key_exchanges.iter().copied().find(|k| k.group() == group)
    }

    /// The verifier for `scheme`, if the table names it.
    pub fn verifier(&self, scheme: SignatureScheme) -> Option<&'static dyn Verifier> {
        self.verifiers.iter().copied().find(|v| v.scheme() == scheme)
    }
}

/// A computation could not be done with the given input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CryptoError {
    /// The table has no such algorithm.
    Unsupported,
    /// A key, share or signature is not well formed, or is a weak one.
    Invalid,
    /// A tag or signature does not belong to the data.
    Unauthentic,
    /// An output buffer is too short.
    ShortBuffer,
}

impl core::fmt::Display for CryptoError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "the crypto provider has no such algorithm",
            Self::Invalid => "a key, key share or signature is not well formed",
            Self::Unauthentic => "a tag or signature does not belong to the data",
            Self::ShortBuffer => "an output buffer is too short",
        })
    }
}

impl core::error::Error for CryptoError {}

// ---------------------------------------------------------------- hashes

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum HashAlgorithm {
    /// SHA-1: STUN's MESSAGE-INTEGRITY and SRTP's HMAC only.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

/// The longest output of a [`HashAlgorithm`].
pub const MAX_HASH_LEN: usize = 48;

impl HashAlgorithm {
    /// Octets of output.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// The output of a hash or an HMAC.
pub type Digest = heapless::Vec<u8, MAX_HASH_LEN>;

/// Hash functions and HMAC over them.
pub trait Hashes: Sync {
    /// Whether `algorithm` can be computed.
    fn supports(&self, algorithm: HashAlgorithm) -> bool;

    /// The hash of the concatenation of `parts`.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`].
    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Result<Digest, CryptoError>;

    /// HMAC (RFC 2104) of the concatenation of `parts`.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`].
    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError>;

    /// A slot for a running hash. Allocates; called at construction.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn context(&self) -> Result<Boxed<dyn HashContext>, OutOfMemory>;
}

/// A running hash whose intermediate value can be read: a handshake transcript.
pub trait HashContext: Send {
    /// Starts over with `algorithm`.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`]; the context is empty then.
    fn start(&mut self, algorithm: HashAlgorithm) -> Result<(), CryptoError>;

    /// Adds octets. Without effect before [`start`](Self::start).
    fn update(&mut self, bytes: &[u8]);

    /// The hash of what was added so far; more may be added afterwards.
    fn current(&self) -> Digest;
}

// ----------------------------------------------------------------- AEADs

/// An AEAD with a 12-octet nonce and a 16-octet tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AeadAlgorithm {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
}

/// Octets of tag of every [`AeadAlgorithm`].
pub const AEAD_TAG_LEN: usize = 16;
/// Octets of nonce of every [`AeadAlgorithm`].
pub const AEAD_NONCE_LEN: usize = 12;

impl AeadAlgorithm {
    /// Octets of key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }
}

/// Authenticated encryption.
pub trait Aeads: Sync {
    /// Whether `algorithm` can be computed.
    fn supports(&self, algorithm: AeadAlgorithm) -> bool;

    /// A slot for one key. Allocates; called at construction.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory>;
}

/// One AEAD key in preallocated storage, and beside it, in DTLS 1.3, the key
/// of its record numbers.
pub trait AeadContext: Send {
    /// Installs a key, in place of the one before.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`], or [`CryptoError::Invalid`] when `key`
    /// has not the algorithm's length. The context has no key then.
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError>;

    /// Installs the key that DTLS 1.3 encrypts record numbers with, for the
    /// algorithm of [`set_key`](Self::set_key), which forgets it again.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] when there is no key yet, or
    /// [`CryptoError::Invalid`] when `key` has not the algorithm's length.
    fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError>;

    /// Five octets of mask for a DTLS 1.3 record number (RFC 9147, Section
    /// 4.2.3): AES-ECB of `sample`, or ChaCha20 with `sample` as counter and
    /// nonce.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] without a key for it.
    fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError>;

    /// Forgets the keys and wipes them.
    fn clear(&mut self);

    /// Encrypts `data` in place and returns the tag.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] when there is no key.
    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError>;

    /// Decrypts `data` in place.
    ///
    /// # Errors
    /// [`CryptoError::Unauthentic`] when the tag does not belong to it, or
    /// when there is no key; `data` holds no plaintext then.
    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError>;
}

/// What [`boxed`](crate::mem::boxed) makes of a context of another crate's.
impl<T: AeadContext> AeadContext for [T; 1] {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        let [this] = self;
        this.set_key(algorithm, key)
    }

    fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        let [this] = self;
        this.set_number_key(key)
    }

    fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError> {
        let [this] = self;
        this.record_number_mask(sample)
    }

    fn clear(&mut self) {
        let [this] = self;
        this.clear();
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let [this] = self;
        this.seal(nonce, aad, data)
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError> {
        let [this] = self;
        this.open(nonce, aad, data, tag)
    }
}

// ---------------------------------------------------------- key exchange

/// A key exchange group by its IANA number (TLS Supported Groups).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NamedGroup(pub u16);

impl NamedGroup {
    /// NIST P-256.
    pub const SECP256R1: Self = Self(0x0017);
    /// NIST P-384.
    pub const SECP384R1: Self = Self(0x0018);
    /// Curve25519 (RFC 7748).
    pub const X25519: Self = Self(0x001d);
    /// ML-KEM-768 and X25519 together.
    pub const X25519MLKEM768: Self = Self(0x11ec);
}

/// The longest secret of a [`KeyExchange`]: an ML-KEM seed and an X25519 key.
pub const MAX_KX_SECRET: usize = 96;
/// The longest share of a [`KeyExchange`]: X25519MLKEM768's of a client.
pub const MAX_KX_SHARE: usize = 1216;
/// The longest shared secret of a [`KeyExchange`].
pub const MAX_KX_SHARED: usize = 64;

/// The secret half of a key exchange. Wiped when dropped.
pub type KxSecret = Secret<MAX_KX_SECRET>;
/// What both ends computed. Wiped when dropped.
pub type KxShared = Secret<MAX_KX_SHARED>;

/// A key exchange, seen as client (`generate`, `finish`) and server
/// (`respond`), so that Diffie-Hellman and a KEM look alike.
pub trait KeyExchange: Sync {
    /// Which group this is.
    fn group(&self) -> NamedGroup;

    /// Makes a secret and writes its share to `share`; returns the share's
    /// length.
    ///
    /// # Errors
    /// [`CryptoError::ShortBuffer`].
    fn generate(&self, rng: &mut Rng, share: &mut [u8]) -> Result<(KxSecret, usize), CryptoError>;

    /// What a client shares with the server whose share is `peer`.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] for a share that is not well formed or of low
    /// order.
    fn finish(&self, secret: &KxSecret, peer: &[u8]) -> Result<KxShared, CryptoError>;

    /// As server: answers the client's share `peer` with one of our own in
    /// `share`; returns its length and the shared secret.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] as for [`finish`](Self::finish), and
    /// [`CryptoError::ShortBuffer`].
    fn respond(
        &self,
        rng: &mut Rng,
        peer: &[u8],
        share: &mut [u8],
    ) -> Result<(usize, KxShared), CryptoError> {
        let (secret, len) = self.generate(rng, share)?;
        Ok((len, self.finish(&secret, peer)?))
    }

    /// [`generate`](Self::generate) in steps, whose output is the share;
    /// `None` when it has none, or needs none.
    ///
    /// # Errors
    /// As [`generate`](Self::generate).
    fn begin_generate(
        &self,
        rng: &mut Rng,
        computation: &mut Computation,
    ) -> Result<Option<KxSecret>, CryptoError> {
        let _ = (rng, computation);
        Ok(None)
    }

    /// [`finish`](Self::finish) in steps, whose output is the shared secret;
    /// `false` when it has none, or needs none.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    fn begin_finish(
        &self,
        secret: &KxSecret,
        peer: &[u8],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let _ = (secret, peer, computation);
        Ok(false)
    }
}

/// Up to `N` secret octets, wiped when dropped and absent from `Debug`.
#[derive(Clone)]
pub struct Secret<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Secret<N> {
    /// A copy of `bytes`, or `None` when there are more than `N`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self { bytes: [0; N], len: bytes.len() };
        secret.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// `len` octets of zero (at most `N`), to be filled by
    /// [`as_mut_slice`](Self::as_mut_slice).
    pub fn zeroed(len: usize) -> Self {
        Self { bytes: [0; N], len: len.min(N) }
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// The octets, to be filled.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.bytes);
    }
}

impl<const N: usize> core::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

// ------------------------------------------------------------ signatures

/// A TLS signature scheme by its IANA number. In TLS 1.2 the number is the
/// hash and signature pair of RFC 5246, and `ecdsa_secp256r1_sha256` means
/// ECDSA with SHA-256 on whichever curve the certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// `ecdsa_secp256r1_sha256`.
    pub const ECDSA_SECP256R1_SHA256: Self = Self(0x0403);
    /// `ecdsa_secp384r1_sha384`.
    pub const ECDSA_SECP384R1_SHA384: Self = Self(0x0503);
    /// `rsa_pkcs1_sha256`.
    pub const RSA_PKCS1_SHA256: Self = Self(0x0401);
    /// `rsa_pss_rsae_sha256`.
    pub const RSA_PSS_RSAE_SHA256: Self = Self(0x0804);
}

/// The longest DER-encoded ECDSA P-256 signature.
pub const MAX_P256_SIGNATURE: usize = 72;
/// A DER-encoded ECDSA P-256 signature.
pub type P256Signature = heapless::Vec<u8, MAX_P256_SIGNATURE>;

/// ECDSA P-256 with SHA-256, with keys of our own.
pub trait Signer: Sync {
    /// Makes a private key.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the generator yields no usable scalar.
    fn generate(&self, rng: &mut Rng) -> Result<Secret<32>, CryptoError>;

    /// The public key of a private one, as an uncompressed point (65 octets).
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the key is no P-256 scalar.
    fn public_key(&self, key: &Secret<32>) -> Result<[u8; 65], CryptoError>;

    /// Signs a SHA-256 digest. The nonce is that of RFC 6979.
    ///
    /// # Errors
    /// [`CryptoError::Invalid`] when the key is no P-256 scalar.
    fn sign(&self, key: &Secret<32>, digest: &[u8; 32]) -> Result<P256Signature, CryptoError>;

    /// [`sign`](Self::sign) in steps, whose output is the signature; `false`
    /// when it has none, or needs none.
    ///
    /// # Errors
    /// As [`sign`](Self::sign).
    fn begin_sign(
        &self,
        key: &Secret<32>,
        digest: &[u8; 32],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let _ = (key, digest, computation);
        Ok(false)
    }
}

/// A public key as a certificate carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicKey<'a> {
    /// An uncompressed P-256 point.
    P256(&'a [u8]),
    /// An uncompressed P-384 point.
    P384(&'a [u8]),
    /// A DER `RSAPublicKey`.
    Rsa(&'a [u8]),
}

/// Verification of signatures of one scheme.
pub trait Verifier: Sync {
    /// Which scheme this is.
    fn scheme(&self) -> SignatureScheme;

    /// Which hash of the signed octets [`verify`](Self::verify) takes.
    fn hash(&self) -> HashAlgorithm;

    /// Whether `signature` is one by the owner of `key` of the octets whose
    /// hash is `digest`.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for a key of another kind,
    /// [`CryptoError::Invalid`] for a malformed key or signature (RSA moduli
    /// below 2048 bits among them), [`CryptoError::Unauthentic`] for a wrong
    /// one.
    fn verify(&self, key: PublicKey<'_>, digest: &[u8], signature: &[u8]) -> Result<(), CryptoError>;

    /// [`verify`](Self::verify) in steps, without output; `false` when it has
    /// none, or needs none.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    fn begin_verify(
        &self,
        key: PublicKey<'_>,
        digest: &[u8],
        signature: &[u8],
        computation: &mut Computation,
    ) -> Result<bool, CryptoError> {
        let _ = (key, digest, signature, computation);
        Ok(false)
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths
/// only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(a, b))
}
