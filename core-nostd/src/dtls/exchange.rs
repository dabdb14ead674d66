use super::operation::{KxSecrets, Share};
use crate::crypto::NamedGroup;
use crate::mem::{FixedVec, OutOfMemory};

/// What is made for a key exchange, with a place that is given back once the
/// handshake is over: the secrets of shares, and what is sent or was received
/// in the open.
pub(super) struct Exchange(FixedVec<Parts>);

#[derive(Default)]
struct Parts {
    secrets: KxSecrets,
    /// What we share, as KeyShareEntry values; in DTLS 1.2, as client, the
    /// server's share; and a cookie, while a share is made to go with it.
    share: Share,
}

impl Exchange {
    pub(super) fn new() -> Result<Self, OutOfMemory> {
        FixedVec::new(1).map(Self)
    }

    pub(super) const fn heap_bytes() -> usize {
        FixedVec::<Parts>::heap_bytes(1)
    }

    /// Whether there is no secret.
    pub(super) fn is_empty(&self) -> bool {
        self.0.first().is_none_or(|parts| parts.secrets.is_empty())
    }

    /// Whether there is the secret of a share of this group.
    pub(super) fn has(&self, group: NamedGroup) -> bool {
        self.0.first().is_some_and(|parts| parts.secrets.iter().any(|(of, _)| *of == group))
    }

    pub(super) fn share(&self) -> &[u8] {
        self.0.first().map_or(&[], |parts| &parts.share)
    }

    /// Puts others in the place of what there is, and gives that.
    pub(super) fn replace(&mut self, secrets: KxSecrets, share: Share) -> (KxSecrets, Share) {
        let before = self.take();
        // The place is free now, until the handshake is over.
        let _ = self.0.push(Parts { secrets, share });
        before
    }

    pub(super) fn take(&mut self) -> (KxSecrets, Share) {
        let Parts { secrets, share } = self.0.pop().unwrap_or_default();
        (secrets, share)
    }

    pub(super) fn release(&mut self) {
        self.0.release();
    }
}
