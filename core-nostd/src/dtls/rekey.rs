//! New keys on a connection that lasts (RFC 9147, Section 8).

use super::machine::{Machine, State, unexpected};
use super::reassembly::Message;
use super::{Error, Role};
use crate::wire::dtls::{AlertDescription, HandshakeType};

/// "In order to provide an extra margin of security, sending implementations
/// MUST NOT allow the epoch to exceed 2^48-1."
const MAX_EPOCH: u64 = (1 << 48) - 1;

/// How far our own change of keys is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Rekey {
    #[default]
    None,
    /// A KeyUpdate is to be sent; `ask` for the peer's too.
    Wanted { ask: bool },
    /// It is on its way: "implementations MUST NOT send records with the new
    /// keys or send a new KeyUpdate until the previous KeyUpdate has been
    /// acknowledged".
    Sent,
}

impl Machine {
    /// Changes the keys that we send with, as soon as nothing else of the
    /// handshake is outstanding; `ask` whether the peer is to do so as well.
    /// `false` when not connected over DTLS 1.3.
    pub(super) fn update_keys(&mut self, ask: bool) -> bool {
        if !self.is_13() || self.state != State::Connected {
            return false;
        }
        if self.rekey != Rekey::Sent {
            let asked = self.rekey == Rekey::Wanted { ask: true };
            self.rekey = Rekey::Wanted { ask: ask || asked };
        }
        true
    }

    /// Begins a change of keys that is wanted, or that the limits of the AEAD
    /// want, when nothing of ours is outstanding.
    pub(super) fn progress_rekey(&mut self) -> Result<(), Error> {
        if let Some(ask) = self.records.wants_rekey() {
            self.update_keys(ask);
        }
        let Rekey::Wanted { ask } = self.rekey else { return Ok(()) };
        let epoch = self.records.write_epoch();
        if self.flight.is_outstanding() || self.state != State::Connected || epoch >= MAX_EPOCH {
            return Ok(());
        }
        self.flight.begin();
        self.flight.push(HandshakeType::KEY_UPDATE, epoch, |w| w.u8(ask.into()))?;
        self.flight.ready(true, self.config.retransmission_timeout);
        self.rekey = Rekey::Sent;
        Ok(())
    }

    /// All of our flight has arrived. When it was a KeyUpdate, what follows is
    /// sent under the new keys.
    pub(super) fn flight_arrived(&mut self) -> Result<(), Error> {
        self.flight.answered();
        if self.rekey == Rekey::Sent {
            self.rekey = Rekey::None;
            let epoch = self.records.write_epoch() + 1;
            let keying = self.next_keying(self.role, epoch)?;
            self.records.install_write(keying)?;
        }
        Ok(())
    }

    /// The peer changes the keys that it sends with. Those before are kept
    /// until the next change: records under them may still be on their way.
    pub(super) fn read_key_update(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let ask = match *message.body {
            [0] => false,
            [1] => true,
            [_] => return Err(Error::PeerMisbehaved(AlertDescription::ILLEGAL_PARAMETER)),
            _ => return Err(Error::PeerMisbehaved(AlertDescription::DECODE_ERROR)),
        };
        if message.epoch != self.records.read_epoch() {
            return Err(unexpected());
        }
        let keying = self.next_keying(self.peer_role(), message.epoch + 1)?;
        self.records.install_read(keying)?;
        if ask {
            self.update_keys(false);
        }
        Ok(())
    }

    fn next_keying(&mut self, sender: Role, epoch: u64) -> Result<super::record::Keying, Error> {
        let suite = self.suite.ok_or(Error::Internal)?;
        let secrets = self.secrets.as_mut().ok_or(Error::Internal)?;
        let secret = match sender {
            Role::Client => &mut secrets.client,
            Role::Server => &mut secrets.server,
        };
        *secret = secrets.hkdf.next(secret)?;
        Ok(secrets.hkdf.keying(suite, secret, epoch)?)
    }
}
