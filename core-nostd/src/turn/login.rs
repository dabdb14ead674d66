//! Long-term credentials (RFC 8489, Section 9.2): realm, nonce, key.

use crate::crypto::{Hashes, Secret};
use crate::stun::{long_term_key, long_term_key_sha256, userhash};
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Message, PasswordAlgorithm, SecurityFeatures};

/// Octets of a user name. (The RFC allows 508; this is what is used, those of
/// time-limited credentials included.)
pub const MAX_USERNAME: usize = 256;
/// Octets of a password.
pub const MAX_PASSWORD: usize = 128;
/// "a sequence of ... less than 128 characters"; no server was seen with longer
/// ones.
const MAX_NONCE: usize = 128;
const MAX_REALM: usize = 128;
/// Of the list that is to be given back as it came: room for eight.
const MAX_ALGORITHMS: usize = 32;

pub(super) type Nonce = heapless::Vec<u8, MAX_NONCE>;

/// Who we are to a server, and what it wants to hear.
#[derive(Debug, Default)]
pub(super) struct Login {
    username: heapless::Vec<u8, MAX_USERNAME>,
    password: Option<Secret<MAX_PASSWORD>>,
    realm: heapless::Vec<u8, MAX_REALM>,
    nonce: Nonce,
    /// The server's PASSWORD-ALGORITHMS; empty when it has none.
    algorithms: heapless::Vec<u8, MAX_ALGORITHMS>,
    /// Which of them is used.
    algorithm: Option<PasswordAlgorithm>,
    /// What is said in place of the user name.
    userhash: Option<[u8; 32]>,
    key: Option<Secret<32>>,
}

impl Login {
    /// Starts over. `false` when one of them is too long.
    pub(super) fn set(&mut self, username: &[u8], password: &[u8]) -> bool {
        *self = Self::default();
        self.password = Secret::new(password);
        self.password.is_some() && self.username.extend_from_slice(username).is_ok()
    }

    /// Whether requests are signed already.
    pub(super) fn is_known(&self) -> bool {
        self.key.is_some()
    }

    /// Takes what an error response says of how to ask: REALM, NONCE and
    /// PASSWORD-ALGORITHMS. `false` when it must not be asked again: they are not
    /// there, too long, of no algorithm that we know, or less than was said
    /// before.
    pub(super) fn learn(&mut self, hashes: &dyn Hashes, message: &Message<'_>) -> bool {
        let Some(nonce) = message.get(AttributeType::NONCE) else { return false };
        let features = SecurityFeatures::of_nonce(nonce);
        let algorithms = message.get(AttributeType::PASSWORD_ALGORITHMS).unwrap_or_default();
        // "If ... the "nonce cookie" has the STUN Security Feature "Password
        // algorithms" bit set to 1 but no PASSWORD-ALGORITHMS attribute is
        // present, then the client MUST NOT retry the request". Nor where they
        // were there once: somebody on the way would like the weaker ones.
        if algorithms.is_empty() && (features.password_algorithms || !self.algorithms.is_empty()) {
            return false;
        }
        self.nonce.clear();
        if self.nonce.extend_from_slice(nonce).is_err() {
            return false;
        }
        if let Some(realm) = message.get(AttributeType::REALM)
            && realm != self.realm.as_slice()
        {
            self.realm.clear();
            self.key = None;
            if self.realm.extend_from_slice(realm).is_err() {
                return false;
            }
        }
        if algorithms != self.algorithms.as_slice() && !self.choose(algorithms) {
            return false;
        }
        self.userhash = None;
        if features.username_anonymity {
            let hash = userhash(hashes, &self.username, &self.realm).ok();
            self.userhash = hash.and_then(|hash| hash.get(..)?.try_into().ok());
            if self.userhash.is_none() {
                return false;
            }
        }
        if self.key.is_none()
            && let Some(password) = &self.password
        {
            self.key = if self.algorithm == Some(PasswordAlgorithm::SHA256) {
                let key = long_term_key_sha256(hashes, &self.username, &self.realm, password.as_slice());
                key.ok().and_then(|key| Secret::new(&key))
            } else {
                Secret::new(&long_term_key(&self.username, &self.realm, password.as_slice()))
            };
        }
        self.key.is_some()
    }

    /// "the request MUST contain a PASSWORD-ALGORITHM attribute with the first
    /// algorithm supported on the list ... does not contain any algorithm that is
    /// supported by the client, then the client MUST NOT retry".
    fn choose(&mut self, algorithms: &[u8]) -> bool {
        let known = |a: &PasswordAlgorithm| [PasswordAlgorithm::MD5, PasswordAlgorithm::SHA256].contains(a);
        self.algorithm = PasswordAlgorithm::list(algorithms).find(known);
        self.key = None;
        self.algorithms.clear();
        self.algorithm.is_some() && self.algorithms.extend_from_slice(algorithms).is_ok()
    }

    /// Signs a request and ends it.
    pub(super) fn finish(&self, hashes: &dyn Hashes, b: Builder<'_>) -> Result<usize, ShortBuffer> {
        self.finish_with(hashes, b, &[])
    }

    /// The same with another nonce, unless that is empty.
    pub(super) fn finish_with(
        &self,
        hashes: &dyn Hashes,
        mut b: Builder<'_>,
        nonce: &[u8],
    ) -> Result<usize, ShortBuffer> {
        if let Some(key) = &self.key {
            match &self.userhash {
                Some(hash) => b.attribute(AttributeType::USERHASH, &[hash])?,
                None => b.attribute(AttributeType::USERNAME, &[&self.username])?,
            }
            b.attribute(AttributeType::REALM, &[&self.realm])?;
            let nonce = if nonce.is_empty() { self.nonce.as_slice() } else { nonce };
            b.attribute(AttributeType::NONCE, &[nonce])?;
            if let Some(algorithm) = self.algorithm {
                b.attribute(AttributeType::PASSWORD_ALGORITHMS, &[&self.algorithms])?;
                b.attribute(AttributeType::PASSWORD_ALGORITHM, &[&algorithm.to_attribute()])?;
                // "all the subsequent requests MUST be authenticated using
                // MESSAGE-INTEGRITY-SHA256 only".
                b.integrity_sha256(hashes, key.as_slice())?;
            } else {
                b.integrity(hashes, key.as_slice())?;
            }
        }
        b.finish_with_fingerprint()
    }

    /// Whether an answer is the server's, as far as it can be told.
    pub(super) fn believes(&self, hashes: &dyn Hashes, message: &Message<'_>) -> bool {
        let strong = self.algorithm.is_none() || message.has(AttributeType::MESSAGE_INTEGRITY_SHA256);
        strong && self.key.as_ref().is_none_or(|key| message.is_authentic(hashes, key.as_slice()))
    }
}
