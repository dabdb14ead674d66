//! A bulk transfer with a digest at its end: the sender sends the text
//! `bytes N`, N octets in binary messages, and the text `sha256 HEX`; the
//! receiver answers with the digest of what it got.

use crate::Options;
use indicatif::{ProgressBar, ProgressStyle};
use picortc::env::Instant;
use picortc::peer::{RTCDataChannelId, RTCDataChannelMessage, RTCPeerConnection};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// A message of this size is what every stack takes.
const CHUNK: usize = 16 * 1024;

/// One transfer, on the first channel that opens.
pub(crate) struct Bulk {
    channel: Option<RTCDataChannelId>,
    sending: bool,
    /// What is still to be sent.
    steps: Steps,
    total: u64,
    done: u64,
    digest: Sha256,
    bar: Option<ProgressBar>,
    noise: u64,
    /// When the last message came, and the longest wait for one.
    last: Option<std::time::Instant>,
    gap: Duration,
}

enum Steps {
    Announce,
    Octets,
    Digest,
    Over,
}

impl Bulk {
    pub(crate) fn new(options: &Options) -> Option<Self> {
        let sending = options.send.is_some();
        (sending || options.receive).then(|| Self {
            channel: None,
            sending,
            steps: if sending { Steps::Announce } else { Steps::Over },
            total: options.send.unwrap_or(0),
            done: 0,
            digest: Sha256::new(),
            bar: None,
            noise: 0x2545_f491_4f6c_dd1d,
            last: None,
            gap: Duration::ZERO,
        })
    }

    pub(crate) fn open(&mut self, channel: RTCDataChannelId) {
        self.channel.get_or_insert(channel);
    }

    pub(crate) fn wants(&self, channel: RTCDataChannelId) -> bool {
        self.channel == Some(channel)
    }

    /// Sends as much as there is room for.
    pub(crate) fn send(&mut self, pc: &mut RTCPeerConnection, now: Instant) {
        let Some(mut channel) = self.channel.and_then(|id| pc.data_channel(id)) else { return };
        loop {
            let sent = match self.steps {
                Steps::Announce => channel.send_text(now, &format!("bytes {}", self.total)),
                Steps::Octets if self.done == self.total => {
                    self.steps = Steps::Digest;
                    continue;
                }
                Steps::Octets => {
                    let len = CHUNK.min((self.total - self.done) as usize);
                    let (chunk, noise) = chunk(self.noise, len);
                    let sent = channel.send(now, &chunk);
                    if sent.is_ok() {
                        self.noise = noise;
                        self.count(&chunk);
                    }
                    sent
                }
                Steps::Digest => channel.send_text(now, &format!("sha256 {}", self.hex())),
                Steps::Over => return,
            };
            if sent.is_err() {
                return;
            }
            self.steps = match self.steps {
                Steps::Announce => {
                    self.begin(self.total);
                    Steps::Octets
                }
                Steps::Octets => Steps::Octets,
                Steps::Digest | Steps::Over => Steps::Over,
            };
        }
    }

    /// Takes in a message; returns the reply when the transfer is complete.
    pub(crate) fn receive(&mut self, message: RTCDataChannelMessage<'_>) -> Option<String> {
        let Some(text) = message.as_str() else {
            if !self.sending {
                self.time();
                let before = self.done;
                self.count(message.data);
                if (before..self.done).contains(&(self.total / 2)) {
                    println!("half of the transfer is there");
                }
            }
            return None;
        };
        if let Some(n) = text.strip_prefix("bytes ") {
            self.begin(n.trim().parse().unwrap_or(0));
        } else if let Some(theirs) = text.strip_prefix("sha256 ") {
            let ours = self.hex();
            self.end();
            let verdict =
                if ours == theirs.trim() { "same at both ends" } else { "DIFFERENT at the other end" };
            let gap = format!(", {} ms without a message at the most", self.gap.as_millis());
            let gap = if self.sending { "" } else { &gap };
            println!("{} octets, sha256 {ours}, {verdict}{gap}", self.done);
            return (!self.sending).then(|| format!("sha256 {ours}"));
        }
        None
    }

    fn begin(&mut self, total: u64) {
        self.total = total;
        self.done = 0;
        self.digest = Sha256::new();
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}");
        let bar = ProgressBar::new(total);
        self.bar = Some(style.map(|s| bar.clone().with_style(s)).unwrap_or(bar));
    }

    fn time(&mut self) {
        let now = std::time::Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.gap = self.gap.max(now - last);
        }
    }

    fn count(&mut self, octets: &[u8]) {
        self.done += octets.len() as u64;
        self.digest.update(octets);
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish();
        }
    }

    fn hex(&self) -> String {
        self.digest.clone().finalize().iter().fold(String::new(), |mut hex, octet| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{octet:02x}");
            hex
        })
    }
}

/// Octets that do not compress, and what the next ones follow from.
fn chunk(mut noise: u64, len: usize) -> (Vec<u8>, u64) {
    let mut octets = Vec::with_capacity(len + 7);
    while octets.len() < len {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        octets.extend_from_slice(&noise.to_le_bytes());
    }
    octets.truncate(len);
    (octets, noise)
}
