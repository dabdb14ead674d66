use crate::crypto::{CryptoError, Digest, HashAlgorithm, HashContext, Hashes};
use crate::mem::{Boxed, OutOfMemory, boxed};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384};

/// SHA-1, SHA-256 and SHA-384.
pub(super) struct Hashing;

impl Hashes for Hashing {
    fn supports(&self, _: HashAlgorithm) -> bool {
        true
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Ok(match algorithm {
            HashAlgorithm::Sha1 => hash::<Sha1>(parts),
            HashAlgorithm::Sha256 => hash::<Sha256>(parts),
            HashAlgorithm::Sha384 => hash::<Sha384>(parts),
        })
    }

    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        match algorithm {
            HashAlgorithm::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            HashAlgorithm::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            HashAlgorithm::Sha384 => hmac::<Hmac<Sha384>>(key, parts),
        }
    }

    fn context(&self) -> Result<Boxed<dyn HashContext>, OutOfMemory> {
        Ok(boxed(Running::Idle)?)
    }
}

/// SHA-1 and SHA-256: what a chip's cipher suites need. SHA-384 is 27 KB.
pub(super) struct ShortHashing;

impl Hashes for ShortHashing {
    fn supports(&self, algorithm: HashAlgorithm) -> bool {
        algorithm != HashAlgorithm::Sha384
    }

    fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        Ok(match algorithm {
            HashAlgorithm::Sha1 => hash::<Sha1>(parts),
            HashAlgorithm::Sha256 => hash::<Sha256>(parts),
            HashAlgorithm::Sha384 => return Err(CryptoError::Unsupported),
        })
    }

    fn hmac(&self, algorithm: HashAlgorithm, key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
        match algorithm {
            HashAlgorithm::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            HashAlgorithm::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            HashAlgorithm::Sha384 => Err(CryptoError::Unsupported),
        }
    }

    fn context(&self) -> Result<Boxed<dyn HashContext>, OutOfMemory> {
        Ok(boxed(ShortRunning(None))?)
    }
}

fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    digest(&hash.finalize())
}

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Result<Digest, CryptoError> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::Invalid)?;
    for part in parts {
        mac.update(part);
    }
    Ok(digest(&mac.finalize().into_bytes()))
}

fn digest(bytes: &[u8]) -> Digest {
    // No hash here is longer than `MAX_HASH_LEN`.
    Digest::from_slice(bytes).unwrap_or_default()
}

/// A running transcript hash.
enum Running {
    Idle,
    Sha256(Sha256),
    Sha384(Sha384),
}

impl HashContext for [Running; 1] {
    fn start(&mut self, algorithm: HashAlgorithm) -> Result<(), CryptoError> {
        let [this] = self;
        *this = match algorithm {
            HashAlgorithm::Sha1 => Running::Idle,
            HashAlgorithm::Sha256 => Running::Sha256(Sha256::new()),
            HashAlgorithm::Sha384 => Running::Sha384(Sha384::new()),
        };
        if matches!(this, Running::Idle) { Err(CryptoError::Unsupported) } else { Ok(()) }
    }

    fn update(&mut self, bytes: &[u8]) {
        let [this] = self;
        match this {
            Running::Idle => {}
            Running::Sha256(h) => h.update(bytes),
            Running::Sha384(h) => h.update(bytes),
        }
    }

    fn current(&self) -> Digest {
        let [this] = self;
        match this {
            Running::Idle => Digest::new(),
            Running::Sha256(h) => digest(&h.clone().finalize()),
            Running::Sha384(h) => digest(&h.clone().finalize()),
        }
    }
}

/// A running transcript hash that is SHA-256 or nothing.
struct ShortRunning(Option<Sha256>);

impl HashContext for [ShortRunning; 1] {
    fn start(&mut self, algorithm: HashAlgorithm) -> Result<(), CryptoError> {
        let [ShortRunning(this)] = self;
        *this = (algorithm == HashAlgorithm::Sha256).then(Sha256::new);
        this.as_ref().map(|_| ()).ok_or(CryptoError::Unsupported)
    }

    fn update(&mut self, bytes: &[u8]) {
        if let [ShortRunning(Some(h))] = self {
            h.update(bytes);
        }
    }

    fn current(&self) -> Digest {
        match self {
            [ShortRunning(Some(h))] => digest(&h.clone().finalize()),
            _ => Digest::new(),
        }
    }
}
