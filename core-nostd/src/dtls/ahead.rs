//! The share of a key exchange, made before there is a peer: where public-key
//! work is slow and deferred, it is done while a person still reads the page.

use super::machine::{Machine, State};
use super::operation::{Job, KxSecrets, Share};
use crate::crypto::{KxSecret, NamedGroup};
use crate::env::Env;
use crate::wire::Reader;
use crate::wire::dtls::KeyShareEntry;

impl Machine {
    /// Asks for the shares that a client's first flight has; a server answers
    /// with one of them.
    pub(super) fn make_shares_ahead(&mut self, env: &mut Env<'_>) {
        let busy = !self.operation.is_empty() || self.operation_out;
        if self.state == State::Idle && !busy && self.exchange.is_empty() {
            self.ask_for(Job::Generate { groups: self.groups_to_share(), rng: env.rng.fork() });
        }
    }

    /// Keeps them, unless the handshake went on without.
    pub(super) fn made_ahead(&mut self, secrets: KxSecrets, shares: Share) {
        if self.exchange.is_empty() {
            self.exchange.replace(secrets, shares);
        }
    }

    /// As server: the secret that was made ahead for `group`, and the share
    /// that belongs to it. Used once; the others are forgotten.
    pub(super) fn take_made_ahead(&mut self, group: NamedGroup) -> Option<(KxSecret, Share)> {
        let (secrets, shares) = self.exchange.take();
        // A server's side of a KEM is not made without the client's.
        if group == NamedGroup::X25519MLKEM768 {
            return None;
        }
        let (_, secret) = secrets.into_iter().find(|(of, _)| *of == group)?;
        let mut r = Reader::new(&shares);
        while let Ok(entry) = KeyShareEntry::parse(&mut r) {
            if entry.group == group {
                return Some((secret, Share::from_slice(entry.key_exchange).ok()?));
            }
        }
        None
    }
}
