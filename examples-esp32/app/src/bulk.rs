//! A bulk transfer with a digest at its end: the sender sends the text
//! `bytes N`, N octets in binary messages, and the text `sha256 HEX`; the
//! receiver answers with the digest of what it got.

use core::fmt::Write;
use heapless::String;
use picortc_embassy::Peer;
use picortc_embassy::picortc::peer::{RTCDataChannelId, WriteError};
use sha2::{Digest, Sha256};

/// The longest line of the protocol.
pub(crate) type Line = String<80>;

/// One transfer, in either direction.
pub(crate) struct Bulk {
    channel: RTCDataChannelId,
    /// What is still to be sent.
    steps: Steps,
    total: u32,
    done: u32,
    digest: Sha256,
    noise: u64,
}

#[derive(Clone, Copy)]
enum Steps {
    Announce,
    Octets,
    Digest,
    Over,
}

impl Bulk {
    /// Whatever begins a transfer: `bytes N` from a sender, or `send N`, which
    /// asks for one.
    pub(crate) fn begin(channel: RTCDataChannelId, text: &str) -> Option<Self> {
        let (verb, total) = text.split_once(' ')?;
        let steps = match verb {
            "bytes" => Steps::Over,
            "send" => Steps::Announce,
            _ => return None,
        };
        let total = total.parse().ok()?;
        let digest = Sha256::new();
        Some(Self { channel, steps, total, done: 0, digest, noise: 0x2545_f491_4f6c_dd1d })
    }

    pub(crate) fn is_on(&self, channel: RTCDataChannelId) -> bool {
        self.channel == channel
    }

    /// Takes in octets.
    pub(crate) fn receive(&mut self, octets: &[u8]) {
        self.done = self.done.saturating_add(octets.len() as u32);
        self.digest.update(octets);
    }

    /// Our digest of what went over the channel.
    pub(crate) fn verdict(&self) -> Line {
        let mut line = Line::new();
        // 71 characters, which the line has room for.
        let _ = line.push_str("sha256 ");
        for octet in self.digest.clone().finalize() {
            let _ = write!(line, "{octet:02x}");
        }
        line
    }

    /// Sends as much as there is room for; the rest when there is room again.
    /// `buf` is used for the octets.
    pub(crate) fn send(&mut self, peer: &mut Peer<'_>, buf: &mut [u8]) -> Result<(), WriteError> {
        loop {
            match self.steps {
                Steps::Announce => {
                    let mut line = Line::new();
                    let _ = write!(line, "bytes {}", self.total);
                    peer.try_send(self.channel, true, line.as_bytes())?;
                    self.steps = Steps::Octets;
                }
                Steps::Octets if self.done == self.total => self.steps = Steps::Digest,
                Steps::Octets => {
                    let len = buf.len().min((self.total - self.done) as usize);
                    let Some(octets) = buf.get_mut(..len) else { return Ok(()) };
                    let noise = fill(self.noise, octets);
                    peer.try_send(self.channel, false, octets)?;
                    self.noise = noise;
                    self.receive(octets);
                }
                Steps::Digest => {
                    peer.try_send(self.channel, true, self.verdict().as_bytes())?;
                    self.steps = Steps::Over;
                }
                Steps::Over => return Ok(()),
            }
        }
    }
}

/// Octets that do not compress; returns what the next ones follow from.
fn fill(mut noise: u64, out: &mut [u8]) -> u64 {
    for octets in out.chunks_mut(8) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        octets.copy_from_slice(&noise.to_le_bytes()[..octets.len()]);
    }
    noise
}
