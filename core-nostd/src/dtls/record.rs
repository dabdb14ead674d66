//! The record layer: epochs, their keys, sequence numbers and replay windows
//! (RFC 6347, Section 4.1).

use super::keys::fixed_iv_len;
use crate::crypto::{
    AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, CryptoError, CryptoProvider, Secret,
};
use crate::mem::{Boxed, OutOfMemory};
use crate::wire::dtls::{ContentType, ProtocolVersion, RECORD_HEADER_LEN, RecordHeader};
use crate::wire::{Reader, Writer};

/// The last sequence number of an epoch. "Implementations MUST NOT allow the
/// same sequence number to be used twice": the epoch ends there.
const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// Forgeries after which an association is given up: the integrity limit of
/// the weakest AEAD here (RFC 9147, Section 4.5.3).
const MAX_FORGERIES: u64 = 1 << 36;

/// Keys of one direction of one epoch.
struct Keys {
    epoch: u16,
    installed: bool,
    algorithm: AeadAlgorithm,
    aead: Boxed<dyn AeadContext>,
    iv: [u8; AEAD_NONCE_LEN],
}

impl Keys {
    fn new(provider: &CryptoProvider) -> Result<Self, OutOfMemory> {
        Ok(Self {
            epoch: 0,
            installed: false,
            algorithm: AeadAlgorithm::Aes128Gcm,
            aead: provider.aeads.context()?,
            iv: [0; AEAD_NONCE_LEN],
        })
    }

    fn install(&mut self, keying: &Keying<'_>) -> Result<(), CryptoError> {
        self.aead.set_key(keying.algorithm, keying.key.as_slice())?;
        self.algorithm = keying.algorithm;
        self.epoch = keying.epoch;
        self.iv = keying.iv;
        self.installed = true;
        Ok(())
    }

    fn clear(&mut self) {
        self.aead.clear();
        self.iv = [0; AEAD_NONCE_LEN];
        self.installed = false;
    }

    /// Octets of nonce that each record carries.
    fn explicit_len(&self) -> usize {
        AEAD_NONCE_LEN - fixed_iv_len(self.algorithm)
    }

    fn nonce(&self, header: &RecordHeader) -> [u8; AEAD_NONCE_LEN] {
        let number = header.epoch_and_sequence().to_be_bytes();
        let [a, b, c, d, ..] = self.iv;
        let mut nonce = self.iv;
        if self.explicit_len() > 0 {
            // GCM: salt || explicit nonce. Ours is the record number, which
            // cannot repeat under one key.
            nonce = [0; AEAD_NONCE_LEN];
            for (to, from) in nonce.iter_mut().zip([a, b, c, d].iter().chain(&number)) {
                *to = *from;
            }
        } else {
            // RFC 7905, Section 2: padded record number XOR iv.
            for (to, from) in nonce.iter_mut().skip(4).zip(number) {
                *to ^= from;
            }
        }
        nonce
    }
}

/// Keys to install.
pub(super) struct Keying<'a> {
    pub(super) epoch: u16,
    pub(super) algorithm: AeadAlgorithm,
    pub(super) key: &'a Secret<32>,
    pub(super) iv: [u8; AEAD_NONCE_LEN],
}

/// Which sequence numbers were seen (RFC 6347, Section 4.1.2.6). Moved only
/// by records that are authentic.
#[derive(Debug, Default)]
struct ReplayWindow {
    /// One past the highest number seen.
    next: u64,
    /// Bit `i` stands for `next - 1 - i`.
    seen: u128,
}

impl ReplayWindow {
    fn is_fresh(&self, sequence: u64) -> bool {
        match self.next.checked_sub(sequence + 1) {
            None => true,
            Some(age) => age < 128 && self.seen >> age & 1 == 0,
        }
    }

    fn mark(&mut self, sequence: u64) {
        match self.next.checked_sub(sequence + 1) {
            None => {
                let forward = sequence + 1 - self.next;
                self.seen = if forward >= 128 { 0 } else { self.seen << forward };
                self.seen |= 1;
                self.next = sequence + 1;
            }
            Some(age) if age < 128 => self.seen |= 1 << age,
            Some(_) => {}
        }
    }
}

/// Why a record was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// Not a record, or one of an epoch that is over.
    Noise,
    /// Seen before, or too old to tell.
    Replayed,
    /// The tag is wrong.
    Forged,
}

/// A record that was opened.
pub(super) struct Opened<'a> {
    pub(super) content_type: ContentType,
    pub(super) epoch: u16,
    pub(super) body: &'a mut [u8],
}

/// The records of one datagram, not yet opened.
#[derive(Debug)]
pub struct Records<'a> {
    rest: &'a mut [u8],
}

impl<'a> Records<'a> {
    /// The records of `datagram`.
    pub fn new(datagram: &'a mut [u8]) -> Self {
        Self { rest: datagram }
    }

    /// The octets of the next record; `None` at the end and before octets
    /// that are no record.
    pub(super) fn next(&mut self) -> Option<&'a mut [u8]> {
        let header = RecordHeader::parse(&mut Reader::new(self.rest)).ok()?;
        let len = RECORD_HEADER_LEN + usize::from(header.length);
        let (record, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(len)?;
        self.rest = rest;
        Some(record)
    }
}

/// Both directions of the record layer.
pub(super) struct RecordLayer {
    read: Keys,
    write: Keys,
    read_window: ReplayWindow,
    /// Of epoch 0 and of the protected epoch.
    write_sequences: [u64; 2],
    forgeries: u64,
}

impl RecordLayer {
    pub(super) fn new(provider: &CryptoProvider) -> Result<Self, OutOfMemory> {
        Ok(Self {
            read: Keys::new(provider)?,
            write: Keys::new(provider)?,
            read_window: ReplayWindow::default(),
            write_sequences: [0; 2],
            forgeries: 0,
        })
    }

    pub(super) fn install_read(&mut self, keying: &Keying<'_>) -> Result<(), CryptoError> {
        self.read.install(keying)
    }

    pub(super) fn install_write(&mut self, keying: &Keying<'_>) -> Result<(), CryptoError> {
        self.write.install(keying)
    }

    pub(super) fn has_read_keys(&self) -> bool {
        self.read.installed
    }

    pub(super) fn has_write_keys(&self) -> bool {
        self.write.installed
    }

    /// Wipes all keys.
    pub(super) fn clear(&mut self) {
        self.read.clear();
        self.write.clear();
    }

    /// Whether so many forgeries came that the keys must go.
    pub(super) fn is_worn(&self) -> bool {
        self.forgeries >= MAX_FORGERIES
    }

    /// Whether a record is protected by keys that are to come.
    pub(super) fn is_early(&self, record: &[u8]) -> bool {
        !self.read.installed && RecordHeader::parse(&mut Reader::new(record)).is_ok_and(|h| h.epoch == 1)
    }

    /// Decrypts one record in place.
    pub(super) fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<Opened<'a>, Unopened> {
        let header = RecordHeader::parse(&mut Reader::new(record)).map_err(|_| Unopened::Noise)?;
        let body = record.get_mut(RECORD_HEADER_LEN..).ok_or(Unopened::Noise)?;
        if header.version >> 8 != ProtocolVersion::DTLS_1_2.0 >> 8 {
            return Err(Unopened::Noise);
        }
        if header.epoch == 0 {
            // No replay window: it would be moved by whoever can forge, and
            // handshake messages have numbers of their own.
            return Ok(Opened { content_type: header.content_type, epoch: 0, body });
        }
        if !self.read.installed || header.epoch != self.read.epoch {
            return Err(Unopened::Noise);
        }
        if !self.read_window.is_fresh(header.sequence) {
            return Err(Unopened::Replayed);
        }
        let Some(body) = decrypt(&self.read, &header, body) else {
            self.forgeries += 1;
            return Err(Unopened::Forged);
        };
        self.read_window.mark(header.sequence);
        Ok(Opened { content_type: header.content_type, epoch: header.epoch, body })
    }

    /// Octets that a record of `epoch` has in front of and behind its content.
    pub(super) fn overhead(&self, epoch: u16) -> (usize, usize) {
        if epoch == 0 {
            (RECORD_HEADER_LEN, 0)
        } else {
            (RECORD_HEADER_LEN + self.write.explicit_len(), AEAD_TAG_LEN)
        }
    }

    /// Writes the header of a record and encrypts its content in place.
    /// `record` is the content with the room of [`overhead`](Self::overhead)
    /// around it. `None` when the epoch is used up or has no keys.
    pub(super) fn seal(&mut self, epoch: u16, content_type: ContentType, record: &mut [u8]) -> Option<()> {
        let (head, tail) = self.overhead(epoch);
        let [plain, protected] = &mut self.write_sequences;
        let sequence = if epoch == 0 { plain } else { protected };
        if *sequence > MAX_SEQUENCE {
            return None;
        }
        let header = RecordHeader {
            content_type,
            version: ProtocolVersion::DTLS_1_2.0,
            epoch,
            sequence: *sequence,
            length: u16::try_from(record.len().checked_sub(RECORD_HEADER_LEN)?).ok()?,
        };
        let (front, rest) = record.split_at_mut_checked(head)?;
        let mut w = Writer::new(front);
        header.emit(&mut w).ok()?;
        if epoch != 0 {
            if !self.write.installed || self.write.epoch != epoch {
                return None;
            }
            if self.write.explicit_len() > 0 {
                w.u64(header.epoch_and_sequence()).ok()?;
            }
            let (body, tag_room) = rest.split_at_mut_checked(rest.len().checked_sub(tail)?)?;
            let aad = additional_data(&header, body.len())?;
            let tag = self.write.aead.seal(&self.write.nonce(&header), &aad, body).ok()?;
            tag_room.copy_from_slice(&tag);
        }
        *sequence += 1;
        Some(())
    }
}

/// The content of a protected record, decrypted in place.
fn decrypt<'a>(keys: &Keys, header: &RecordHeader, body: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (explicit, rest) = body.split_at_mut_checked(keys.explicit_len())?;
    let mut nonce = keys.nonce(header);
    // The peer's explicit nonce need not be its record number.
    for (to, from) in nonce.iter_mut().skip(AEAD_NONCE_LEN - explicit.len()).zip(explicit) {
        *to = *from;
    }
    let (content, tag) = rest.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
    let aad = additional_data(header, content.len())?;
    keys.aead.open(&nonce, &aad, content, tag).ok()?;
    Some(content)
}

/// "additional_data = seq_num + TLSCompressed.type + TLSCompressed.version +
/// TLSCompressed.length;" with the epoch in front of the sequence number.
fn additional_data(header: &RecordHeader, content: usize) -> Option<[u8; 13]> {
    let mut aad = [0; 13];
    let mut w = Writer::new(&mut aad);
    w.u64(header.epoch_and_sequence()).ok()?;
    w.u8(header.content_type.0).ok()?;
    w.u16(header.version).ok()?;
    w.u16(u16::try_from(content).ok()?).ok()?;
    Some(aad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_knows_each_number_once() {
        let mut w = ReplayWindow::default();
        for n in [0, 2, 1, 300, 200, 172] {
            let old = w.next.saturating_sub(n) > 128;
            assert_eq!(w.is_fresh(n), !old, "{n}");
            w.mark(n);
            assert!(!w.is_fresh(n), "{n} again");
        }
        assert!(w.is_fresh(173));
        assert!(!w.is_fresh(100), "too old to tell");
        w.mark(MAX_SEQUENCE);
        assert!(!w.is_fresh(301));
    }
}
