//! Long-term credentials (RFC 8489, Section 9.2): realm, nonce, key.

use crate::crypto::{Hashes, Secret};
use crate::stun::long_term_key;
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Message};

/// Octets of a user name. (The RFC allows 508; this is what is used, those of
/// time-limited credentials included.)
pub const MAX_USERNAME: usize = 256;
/// Octets of a password.
pub const MAX_PASSWORD: usize = 128;
/// "a sequence of ... less than 128 characters"; no server was seen with longer
/// ones.
const MAX_NONCE: usize = 128;
const MAX_REALM: usize = 128;

/// Who we are to a server, and what it wants to hear.
#[derive(Debug, Default)]
pub(super) struct Login {
    username: heapless::Vec<u8, MAX_USERNAME>,
    password: Option<Secret<MAX_PASSWORD>>,
    realm: heapless::Vec<u8, MAX_REALM>,
    nonce: heapless::Vec<u8, MAX_NONCE>,
    key: Option<Secret<16>>,
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

    /// Takes the REALM and the NONCE of an error response. `false` when they
    /// are not there or too long.
    pub(super) fn learn(&mut self, message: &Message<'_>) -> bool {
        let Some(nonce) = message.get(AttributeType::NONCE) else { return false };
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
        if self.key.is_none()
            && let Some(password) = &self.password
        {
            self.key = Secret::new(&long_term_key(&self.username, &self.realm, password.as_slice()));
        }
        self.key.is_some()
    }

    /// Signs a request and ends it.
    pub(super) fn finish(&self, hashes: &dyn Hashes, mut b: Builder<'_>) -> Result<usize, ShortBuffer> {
        if let Some(key) = &self.key {
            b.attribute(AttributeType::USERNAME, &[&self.username])?;
            b.attribute(AttributeType::REALM, &[&self.realm])?;
            b.attribute(AttributeType::NONCE, &[&self.nonce])?;
            b.integrity(hashes, key.as_slice())?;
        }
        b.finish_with_fingerprint()
    }

    /// Whether an answer is the server's, as far as it can be told.
    pub(super) fn believes(&self, hashes: &dyn Hashes, message: &Message<'_>) -> bool {
        self.key.as_ref().is_none_or(|key| message.is_authentic(hashes, key.as_slice()))
    }
}
