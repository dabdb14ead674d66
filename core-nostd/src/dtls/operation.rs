//! Public-key work that a handshake waits for.
//!
//! On a small chip one of these takes a good part of a second. With
//! [`Config::defer_operations`](super::Config::defer_operations) the
//! connection hands each out as an [`Operation`], which runs wherever the
//! adapter wants (a thread, a second core, a lower priority), and goes on when
//! it is given the [`Outcome`]. Without, it runs them itself: one code path.

use crate::crypto::{
    CryptoError, CryptoProvider, Digest, KxSecret, KxShared, NamedGroup, P256Signature, PublicKey, Secret,
    SignatureScheme,
};
use crate::env::Rng;

/// The most groups of which a client makes shares at once: a hybrid one, and
/// behind it a classical one, for servers that have no other.
const MAX_SHARES: usize = if cfg!(feature = "post-quantum") { 2 } else { 1 };
/// The longest list of shares that the features can meet: each behind its
/// group and length, and the longest classical one is that of P-384.
const MAX_SHARE: usize =
    if cfg!(feature = "post-quantum") { 4 + crate::crypto::MAX_KX_SHARE + 4 + 97 } else { 4 + 97 };
/// The longest public key: an RSA-4096 one in DER, or a P-384 point.
const MAX_PEER_KEY: usize = if cfg!(feature = "rsa") { 550 } else { 97 };
/// The longest signature: RSA-4096's, or ECDSA P-384's in DER.
const MAX_SIGNATURE: usize = if cfg!(feature = "rsa") { 512 } else { 104 };

/// A share, or a list of KeyShareEntry values.
pub(super) type Share = heapless::Vec<u8, MAX_SHARE>;
pub(super) type Groups = heapless::Vec<NamedGroup, MAX_SHARES>;
/// The secrets of shares, by group.
pub(super) type KxSecrets = heapless::Vec<(NamedGroup, KxSecret), MAX_SHARES>;
pub(super) type Signature = heapless::Vec<u8, MAX_SIGNATURE>;

/// Which kind of key a peer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    P384,
    Rsa,
}

/// The public key of a peer's certificate, on its own.
#[derive(Debug, Clone)]
pub(super) struct PeerKey {
    kind: KeyKind,
    octets: heapless::Vec<u8, MAX_PEER_KEY>,
}

impl PeerKey {
    /// `None` when the key is longer than any that is supported.
    pub(super) fn new(key: PublicKey<'_>) -> Option<Self> {
        let (kind, octets) = match key {
            PublicKey::P256(k) => (KeyKind::P256, k),
            PublicKey::P384(k) => (KeyKind::P384, k),
            PublicKey::Rsa(k) => (KeyKind::Rsa, k),
        };
        Some(Self { kind, octets: heapless::Vec::from_slice(octets).ok()? })
    }

    pub(super) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(super) fn get(&self) -> PublicKey<'_> {
        match self.kind {
            KeyKind::P256 => PublicKey::P256(&self.octets),
            KeyKind::P384 => PublicKey::P384(&self.octets),
            KeyKind::Rsa => PublicKey::Rsa(&self.octets),
        }
    }
}

/// A public-key operation that a handshake waits for. It owns all it needs.
#[derive(Debug)]
pub struct Operation {
    pub(super) provider: &'static CryptoProvider,
    pub(super) job: Job,
}

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put it on, and one of them at a time")]
pub(super) enum Job {
    /// Make a share of each group.
    Generate { groups: Groups, rng: Rng },
    /// Finish a key exchange begun by `Generate`.
    Agree { group: NamedGroup, secret: KxSecret, peer: Share },
    /// Answer the peer's share with one of our own.
    Respond { group: NamedGroup, peer: Share, rng: Rng },
    /// Sign a SHA-256 digest.
    Sign { key: Secret<32>, digest: [u8; 32] },
    /// Check a signature of the peer.
    Verify { scheme: SignatureScheme, key: PeerKey, digest: Digest, signature: Signature },
}

/// What came of an [`Operation`].
#[derive(Debug)]
pub struct Outcome(pub(super) Result<Done, CryptoError>);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is no heap to put it on, and one of them at a time")]
pub(super) enum Done {
    /// The shares as KeyShareEntry values.
    Generated {
        secrets: KxSecrets,
        shares: Share,
    },
    Agreed {
        shared: KxShared,
    },
    Responded {
        share: Share,
        shared: KxShared,
    },
    Signed(P256Signature),
    Verified,
}

impl Operation {
    pub(super) fn new(provider: &'static CryptoProvider, job: Job) -> Self {
        Self { provider, job }
    }

    /// What it is, for logs.
    pub fn name(&self) -> &'static str {
        match self.job {
            Job::Generate { .. } => "generate",
            Job::Agree { .. } => "agree",
            Job::Respond { .. } => "respond",
            Job::Sign { .. } => "sign",
            Job::Verify { .. } => "verify",
        }
    }

    /// Does the work: the long part. [`run_in_slices`](Self::run_in_slices)
    /// does it with pauses.
    pub fn run(self) -> Outcome {
        Outcome(self.try_run())
    }

    fn try_run(self) -> Result<Done, CryptoError> {
        let provider = self.provider;
        let exchange = |group| provider.key_exchange(group).ok_or(CryptoError::Unsupported);
        Ok(match self.job {
            Job::Generate { groups, mut rng } => {
                let mut shares = room();
                let mut secrets = KxSecrets::new();
                let mut filled = 0;
                for group in groups {
                    let out = shares.get_mut(filled..).unwrap_or_default();
                    let (head, out) = out.split_first_chunk_mut::<4>().ok_or(CryptoError::ShortBuffer)?;
                    let (secret, len) = exchange(group)?.generate(&mut rng, out)?;
                    let [a, b] = group.0.to_be_bytes();
                    let [c, d] = u16::try_from(len).map_err(|_| CryptoError::ShortBuffer)?.to_be_bytes();
                    *head = [a, b, c, d];
                    filled += 4 + len;
                    secrets.push((group, secret)).map_err(|_| CryptoError::ShortBuffer)?;
                }
                shares.truncate(filled);
                Done::Generated { secrets, shares }
            }
            Job::Agree { group, secret, peer } => {
                Done::Agreed { shared: exchange(group)?.finish(&secret, &peer)? }
            }
            Job::Respond { group, peer, mut rng } => {
                let mut share = room();
                let (len, shared) = exchange(group)?.respond(&mut rng, &peer, &mut share)?;
                share.truncate(len);
                Done::Responded { share, shared }
            }
            Job::Sign { key, digest } => Done::Signed(provider.signer.sign(&key, &digest)?),
            Job::Verify { scheme, key, digest, signature } => {
                let verifier = provider.verifier(scheme).ok_or(CryptoError::Unsupported)?;
                verifier.verify(key.get(), &digest, &signature)?;
                Done::Verified
            }
        })
    }
}

/// A share's room, filled with zeros.
pub(super) fn room() -> Share {
    let mut share = Share::new();
    // The new length is the capacity.
    let _ = share.resize(MAX_SHARE, 0);
    share
}
