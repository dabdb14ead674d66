//! The record layer: epochs, their keys, sequence numbers and replay windows
//! (RFC 6347, Section 4.1; RFC 9147, Section 4).

use super::connection_id::{Cid, Cids};
use super::keys::fixed_iv_len;
use crate::crypto::{
    AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, CryptoError, CryptoProvider, Secret,
};
use crate::mem::{Boxed, OutOfMemory};
use crate::wire::dtls::{
    ContentType, MAX_CONNECTION_ID, ProtocolVersion, RECORD_HEADER_LEN, RecordHeader, UnifiedHeader,
    reconstruct,
};
use crate::wire::{Reader, Writer};
use core::ops::Range;

/// The last sequence number of an epoch. "Implementations MUST NOT allow the
/// same sequence number to be used twice": the epoch ends there.
const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// Forgeries after which an association is given up: the integrity limit of
/// the weakest AEAD here (RFC 9147, Section 4.5.3).
const MAX_FORGERIES: u64 = 1 << 36;

/// "For AES-GCM, up to 2^24.5 full-size records (about 24 million) may be
/// encrypted on a given connection while keeping a safety margin" (RFC 8446,
/// Section 5.5): none is written under the same key after so many.
const MAX_GCM_RECORDS: u64 = 23_700_000;

/// "Implementations SHOULD initiate a key update before reaching this limit."
const REKEY_AFTER: u64 = 1 << 23;

/// Keys of one direction of one epoch.
struct Keys {
    epoch: u64,
    installed: bool,
    algorithm: AeadAlgorithm,
    aead: Boxed<dyn AeadContext>,
    iv: [u8; AEAD_NONCE_LEN],
    /// Whether records are those of DTLS 1.3, with encrypted numbers.
    is_13: bool,
    /// When writing: the next sequence number.
    sequence: u64,
    /// When reading: which records came.
    window: ReplayWindow,
    /// When reading: how many records were not authentic.
    forgeries: u64,
}

impl Keys {
    fn new(provider: &CryptoProvider) -> Result<Self, OutOfMemory> {
        Ok(Self {
            epoch: 0,
            installed: false,
            algorithm: AeadAlgorithm::Aes128Gcm,
            aead: provider.aeads.context()?,
            iv: [0; AEAD_NONCE_LEN],
            is_13: false,
            sequence: 0,
            window: ReplayWindow::default(),
            forgeries: 0,
        })
    }

    fn install(&mut self, keying: Keying) -> Result<(), CryptoError> {
        self.aead.set_key(keying.algorithm, keying.key.as_slice())?;
        if let Some(key) = &keying.number_key {
            self.aead.set_number_key(key.as_slice())?;
        }
        self.algorithm = keying.algorithm;
        self.epoch = keying.epoch;
        self.iv = keying.iv;
        self.is_13 = keying.number_key.is_some();
        self.sequence = 0;
        self.window = ReplayWindow::default();
        self.forgeries = 0;
        self.installed = true;
        Ok(())
    }

    fn clear(&mut self) {
        self.aead.clear();
        self.iv = [0; AEAD_NONCE_LEN];
        self.installed = false;
    }

    /// A record was not authentic.
    fn forged(&mut self, worn: &mut bool) -> Unopened {
        self.forgeries += 1;
        *worn |= self.forgeries >= MAX_FORGERIES / 2;
        Unopened::Forged
    }

    /// Octets of nonce that each record carries, in DTLS 1.2.
    fn explicit_len(&self) -> usize {
        AEAD_NONCE_LEN - fixed_iv_len(self.algorithm)
    }

    /// The nonce of a DTLS 1.2 record.
    fn nonce_12(&self, header: &RecordHeader) -> [u8; AEAD_NONCE_LEN] {
        let number = header.epoch_and_sequence();
        if self.explicit_len() == 0 {
            // RFC 7905, Section 2: padded record number XOR iv.
            return self.nonce_13(number);
        }
        // GCM: salt || explicit nonce. Ours is the record number, which
        // cannot repeat under one key.
        let [a, b, c, d, ..] = self.iv;
        let mut nonce = [0; AEAD_NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip([a, b, c, d].iter().chain(&number.to_be_bytes())) {
            *to = *from;
        }
        nonce
    }

    /// "The per-record nonce ... is formed by XORing the padded sequence
    /// number with the iv" (RFC 8446, Section 5.3). In DTLS 1.3 the epoch is
    /// no part of it.
    fn nonce_13(&self, number: u64) -> [u8; AEAD_NONCE_LEN] {
        let mut nonce = self.iv;
        for (to, from) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *to ^= from;
        }
        nonce
    }

    /// The mask of a record number (RFC 9147, Section 4.2.3).
    fn mask(&self, ciphertext: &[u8]) -> Option<[u8; 5]> {
        self.aead.record_number_mask(ciphertext.first_chunk()?).ok()
    }

    /// The sequence number after which nothing more may be written.
    fn last_sequence(&self) -> u64 {
        match (self.is_13, self.algorithm) {
            (false, _) | (_, AeadAlgorithm::ChaCha20Poly1305) => MAX_SEQUENCE,
            (true, _) => MAX_GCM_RECORDS,
        }
    }
}

/// Keys to install.
pub(super) struct Keying {
    pub(super) epoch: u64,
    pub(super) algorithm: AeadAlgorithm,
    pub(super) key: Secret<32>,
    pub(super) iv: [u8; AEAD_NONCE_LEN],
    /// In DTLS 1.3 only.
    pub(super) number_key: Option<Secret<32>>,
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
    /// Its connection ID is not ours, or is missing.
    ForeignId,
}

/// A record that was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) content_type: ContentType,
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    /// Where in the record its content is.
    pub(super) body: Range<usize>,
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
    /// that are no record. `connection_id` is the length of ours.
    pub(super) fn next(&mut self, connection_id: usize) -> Option<&'a mut [u8]> {
        let len = if UnifiedHeader::begins(self.rest) {
            let header = UnifiedHeader::parse(self.rest, connection_id).ok()?;
            header.len + header.body
        } else {
            let (header, id) = parse_12(self.rest, connection_id)?;
            RECORD_HEADER_LEN + id.len() + usize::from(header.length)
        };
        let (record, rest) = core::mem::take(&mut self.rest).split_at_mut_checked(len)?;
        self.rest = rest;
        Some(record)
    }
}

/// Both directions of the record layer.
///
/// Each has room for the keys of two epochs: a client's last flight is sent
/// again under the keys of the handshake while data goes out under those that
/// follow, and a peer's records may arrive in any order around its change of
/// keys.
pub(super) struct RecordLayer {
    /// The newest keys come first, here and below.
    read: [Keys; 2],
    write: [Keys; 2],
    /// The next sequence number of epoch 0.
    plain_sequence: u64,
    pub(super) cids: Cids,
    /// Some keys have seen so many forgeries that new ones may be due: what is
    /// asked for each datagram need not look into keys.
    worn: bool,
}

impl RecordLayer {
    pub(super) fn new(provider: &CryptoProvider, own_id: Option<Cid>) -> Result<Self, OutOfMemory> {
        Ok(Self {
            read: [Keys::new(provider)?, Keys::new(provider)?],
            write: [Keys::new(provider)?, Keys::new(provider)?],
            plain_sequence: 0,
            cids: Cids::wishing(own_id),
            worn: false,
        })
    }

    pub(super) fn install_read(&mut self, keying: Keying) -> Result<(), CryptoError> {
        install(&mut self.read, keying)
    }

    pub(super) fn install_write(&mut self, keying: Keying) -> Result<(), CryptoError> {
        install(&mut self.write, keying)
    }

    pub(super) fn has_read_keys(&self) -> bool {
        newest(&self.read).is_some()
    }

    /// The epoch of the newest keys to write with; 0 without any.
    pub(super) fn write_epoch(&self) -> u64 {
        newest(&self.write).map_or(0, |keys| keys.epoch)
    }

    /// The epoch of the newest keys to read with; 0 without any.
    pub(super) fn read_epoch(&self) -> u64 {
        newest(&self.read).map_or(0, |keys| keys.epoch)
    }

    /// Wipes all keys.
    pub(super) fn clear(&mut self) {
        for keys in self.read.iter_mut().chain(&mut self.write) {
            keys.clear();
        }
    }

    /// Whether so many forgeries came that the keys must go.
    pub(super) fn is_worn(&self) -> bool {
        self.worn && self.read.iter().any(|keys| keys.forgeries >= MAX_FORGERIES)
    }

    /// Whether our keys have served so long, or the peer's seen so many
    /// forgeries (`true`), that new ones are due.
    pub(super) fn wants_rekey(&self) -> Option<bool> {
        if self.worn && newest(&self.read)?.forgeries >= MAX_FORGERIES / 2 {
            return Some(true);
        }
        let write = newest(&self.write)?;
        let is_gcm = write.algorithm != AeadAlgorithm::ChaCha20Poly1305;
        (is_gcm && write.sequence >= REKEY_AFTER).then_some(false)
    }

    /// As if so many records had been written, and read, under the newest keys.
    #[cfg(test)]
    pub(super) fn skip_to(&mut self, written: Option<u64>, read: Option<u64>) {
        for (all, number) in [(&mut self.write, written), (&mut self.read, read)] {
            let newest = all.iter_mut().filter(|k| k.installed).max_by_key(|k| k.epoch).unwrap();
            newest.sequence = number.unwrap_or(newest.sequence);
            newest.window.next = number.unwrap_or(newest.window.next);
        }
    }

    /// Whether a record is protected by keys that are to come, as far as a
    /// handshake that is not complete can tell.
    pub(super) fn is_early(&self, record: &[u8]) -> bool {
        if UnifiedHeader::begins(record) {
            let bits = record.first().map_or(0, |first| u64::from(first & 3));
            // Keys of DTLS 1.2 mean that no others will come.
            let none_to_come = self.read.iter().any(|k| k.installed && !k.is_13);
            !none_to_come && bits > 1 && !self.read.iter().any(|k| k.installed && k.epoch & 3 == bits)
        } else {
            // Application data is for later even when it could be read.
            // With a connection ID a record does not say that it is: such data,
            // in front of the Finished, is dropped and counted.
            let is_data = |h: &RecordHeader| h.content_type == ContentType::APPLICATION_DATA;
            RecordHeader::parse(&mut Reader::new(record))
                .is_ok_and(|h| h.epoch == 1 && (!self.has_read_keys() || is_data(&h)))
        }
    }

    /// Decrypts one record in place.
    pub(super) fn open(&mut self, record: &mut [u8]) -> Result<Opened, Unopened> {
        if UnifiedHeader::begins(record) {
            return self.open_13(record);
        }
        let (header, id) = parse_12(record, self.cids.own.len()).ok_or(Unopened::Noise)?;
        let id = Cid::new(id).ok_or(Unopened::Noise)?;
        let head = RECORD_HEADER_LEN + id.len();
        let body = record.get_mut(head..).ok_or(Unopened::Noise)?;
        if header.version >> 8 != ProtocolVersion::DTLS_1_2.0 >> 8 {
            return Err(Unopened::Noise);
        }
        let (mut content_type, sequence) = (header.content_type, header.sequence);
        let epoch = u64::from(header.epoch);
        if epoch == 0 {
            // "Plaintext payloads never use the new record format".
            if content_type == ContentType::TLS12_CID {
                return Err(Unopened::Noise);
            }
            // No replay window: it would be moved by whoever can forge, and
            // handshake messages have numbers of their own.
            let body = RECORD_HEADER_LEN..RECORD_HEADER_LEN + body.len();
            return Ok(Opened { content_type, epoch, sequence, body });
        }
        let mine = |k: &&mut Keys| k.installed && !k.is_13 && k.epoch == epoch;
        let keys = self.read.iter_mut().find(mine).ok_or(Unopened::Noise)?;
        // "If a non-zero-length CID is expected for the retrieved association,
        // then the datagram MUST be treated as invalid" without.
        if !self.cids.admits(id.as_slice()) {
            return Err(Unopened::ForeignId);
        }
        if !keys.window.is_fresh(sequence) {
            return Err(Unopened::Replayed);
        }
        let Some(content) = decrypt_12(keys, &header, &id, body) else {
            return Err(keys.forged(&mut self.worn));
        };
        keys.window.mark(sequence);
        let mut len = content.len();
        if !id.is_empty() {
            (content_type, len) = split_inner(content);
        }
        let start = head + keys.explicit_len();
        Ok(Opened { content_type, epoch, sequence, body: start..start + len })
    }

    fn open_13(&mut self, record: &mut [u8]) -> Result<Opened, Unopened> {
        let header = UnifiedHeader::parse(record, self.cids.own.len()).map_err(|_| Unopened::Noise)?;
        let UnifiedHeader { epoch_bits, number_at, number_len, len, body, connection_id } = header;
        let is_ours = self.cids.admits(connection_id);
        // "use the most recent past epoch which has matching bits"
        let mine = |k: &&mut Keys| k.installed && k.is_13 && k.epoch & 3 == u64::from(epoch_bits);
        let keys = self.read.iter_mut().find(mine).ok_or(Unopened::Noise)?;
        if !is_ours {
            return Err(Unopened::ForeignId);
        }
        let (front, rest) = record.split_at_mut_checked(len).ok_or(Unopened::Noise)?;
        let body = rest.get_mut(..body).ok_or(Unopened::Noise)?;
        // "Receivers MUST reject shorter records as if they had failed
        // deprotection".
        let Some(mask) = keys.mask(body) else {
            return Err(keys.forged(&mut self.worn));
        };
        let mut low = 0;
        for (octet, mask) in front.iter_mut().skip(number_at).take(number_len).zip(mask) {
            *octet ^= mask;
            low = low << 8 | u64::from(*octet);
        }
        let sequence = reconstruct(low, number_len, keys.window.next);
        if sequence > MAX_SEQUENCE || !keys.window.is_fresh(sequence) {
            return Err(Unopened::Replayed);
        }
        let Some(inner) = decrypt_13(keys, sequence, front, body) else {
            return Err(keys.forged(&mut self.worn));
        };
        keys.window.mark(sequence);
        let (content_type, end) = split_inner(inner);
        Ok(Opened { content_type, epoch: keys.epoch, sequence, body: len..len + end })
    }

    /// Octets that a record of `epoch` has in front of and behind its content.
    pub(super) fn overhead(&self, epoch: u64) -> (usize, usize) {
        match self.write.iter().find(|k| k.installed && k.epoch == epoch) {
            Some(keys) if keys.is_13 => (UnifiedHeader::LEN + self.cids.peer.len(), 1 + AEAD_TAG_LEN),
            Some(keys) => {
                let id = self.cids.peer.len();
                (RECORD_HEADER_LEN + id + keys.explicit_len(), AEAD_TAG_LEN + usize::from(id > 0))
            }
            None => (RECORD_HEADER_LEN, 0),
        }
    }

    /// Writes the header of a record and encrypts its content in place.
    /// `record` is the content with the room of [`overhead`](Self::overhead)
    /// around it. Returns the record's sequence number, or `None` when the
    /// epoch is used up or has no keys.
    pub(super) fn seal(&mut self, epoch: u64, content_type: ContentType, record: &mut [u8]) -> Option<u64> {
        let length = u16::try_from(record.len().checked_sub(RECORD_HEADER_LEN)?).ok()?;
        let mut header = RecordHeader {
            content_type,
            version: ProtocolVersion::DTLS_1_2.0,
            epoch: u16::try_from(epoch & 0xffff).ok()?,
            sequence: self.plain_sequence,
            length,
        };
        if epoch == 0 {
            if self.plain_sequence > MAX_SEQUENCE {
                return None;
            }
            header.emit(&mut Writer::new(record)).ok()?;
            self.plain_sequence += 1;
            return Some(header.sequence);
        }
        let keys = self.write.iter_mut().find(|k| k.installed && k.epoch == epoch)?;
        if keys.sequence > keys.last_sequence() {
            return None;
        }
        header.sequence = keys.sequence;
        if keys.is_13 {
            encrypt_13(keys, &self.cids.peer, content_type, record)?;
        } else {
            encrypt_12(keys, &header, &self.cids.peer, record)?;
        }
        keys.sequence += 1;
        Some(header.sequence)
    }
}

fn newest(all: &[Keys; 2]) -> Option<&Keys> {
    all.iter().find(|keys| keys.installed)
}

/// Installs keys in the place of none, or of the oldest, and in front: epochs
/// only grow.
fn install(all: &mut [Keys; 2], keying: Keying) -> Result<(), CryptoError> {
    all.reverse();
    let [first, _] = all;
    first.install(keying)
}

/// The header of a DTLS 1.2 record, and the connection ID in it: "cid_length
/// bytes long, as agreed" (RFC 9146, Section 4), if its type says so.
fn parse_12(record: &[u8], connection_id: usize) -> Option<(RecordHeader, &[u8])> {
    let (id, length) = match record.first() {
        Some(&first) if ContentType(first) == ContentType::TLS12_CID => {
            let (_, rest) = record.split_at_checked(RECORD_HEADER_LEN - 2)?;
            let (id, rest) = rest.split_at_checked(connection_id)?;
            (id, *rest.first_chunk()?)
        }
        _ => (&[][..], *record.get(RECORD_HEADER_LEN - 2..)?.first_chunk()?),
    };
    let header = RecordHeader::parse(&mut Reader::new(record)).ok()?;
    Some((RecordHeader { length: u16::from_be_bytes(length), ..header }, id))
}

/// "the receiving implementation scans the field from the end toward the
/// beginning until it finds a non-zero octet": the content type, and how many
/// octets of content are in front of it.
fn split_inner(inner: &[u8]) -> (ContentType, usize) {
    let end = inner.iter().rposition(|octet| *octet != 0).unwrap_or(0);
    (ContentType(inner.get(end).copied().unwrap_or(0)), end)
}

fn encrypt_12(keys: &Keys, header: &RecordHeader, id: &Cid, record: &mut [u8]) -> Option<()> {
    let (front, rest) = record.split_at_mut_checked(RECORD_HEADER_LEN + id.len() + keys.explicit_len())?;
    let length = u16::try_from(keys.explicit_len() + rest.len()).ok()?;
    let mut header = RecordHeader { length, ..*header };
    let (body, tag_room) = rest.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
    if !id.is_empty() {
        *body.last_mut()? = core::mem::replace(&mut header.content_type, ContentType::TLS12_CID).0;
    }
    let mut w = Writer::new(front);
    header.emit_with(&mut w, id.as_slice()).ok()?;
    if keys.explicit_len() > 0 {
        w.u64(header.epoch_and_sequence()).ok()?;
    }
    let mut aad = [0; MAX_AAD];
    let aad = additional_data(&header, id, body.len(), &mut aad)?;
    *tag_room = keys.aead.seal(&keys.nonce_12(&header), aad, body).ok()?;
    Some(())
}

fn encrypt_13(keys: &Keys, id: &Cid, content_type: ContentType, record: &mut [u8]) -> Option<()> {
    let (front, rest) = record.split_at_mut_checked(UnifiedHeader::LEN + id.len())?;
    let length = u16::try_from(rest.len()).ok()?;
    UnifiedHeader::emit(&mut Writer::new(front), keys.epoch, id.as_slice(), keys.sequence, length).ok()?;
    let (inner, tag_room) = rest.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
    *inner.last_mut()? = content_type.0;
    *tag_room = keys.aead.seal(&keys.nonce_13(keys.sequence), front, inner).ok()?;
    let mask = keys.mask(rest)?;
    for (octet, mask) in front.iter_mut().rev().skip(2).take(2).rev().zip(mask) {
        *octet ^= mask;
    }
    Some(())
}

fn decrypt_13<'a>(keys: &Keys, sequence: u64, front: &[u8], body: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (inner, tag) = body.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
    keys.aead.open(&keys.nonce_13(sequence), front, inner, tag).ok()?;
    Some(inner)
}

/// Decrypts the content of a DTLS 1.2 record in place; returns it.
fn decrypt_12<'a>(keys: &Keys, header: &RecordHeader, id: &Cid, body: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let (explicit, rest) = body.split_at_mut_checked(keys.explicit_len())?;
    let mut nonce = keys.nonce_12(header);
    // The peer's explicit nonce need not be its record number.
    for (to, from) in nonce.iter_mut().skip(AEAD_NONCE_LEN - explicit.len()).zip(explicit) {
        *to = *from;
    }
    let (content, tag) = rest.split_last_chunk_mut::<AEAD_TAG_LEN>()?;
    let mut aad = [0; MAX_AAD];
    let aad = additional_data(header, id, content.len(), &mut aad)?;
    keys.aead.open(&nonce, aad, content, tag).ok()?;
    Some(content)
}

/// Octets of additional data, with the longest connection ID.
const MAX_AAD: usize = 8 + 3 + 2 + 8 + MAX_CONNECTION_ID + 2;

/// "additional_data = seq_num + TLSCompressed.type + TLSCompressed.version +
/// TLSCompressed.length;" with the epoch in front of the sequence number; and
/// with a connection ID, "seq_num_placeholder + tls12_cid + cid_length +
/// tls12_cid + DTLSCiphertext.version + epoch + sequence_number + cid +
/// length_of_DTLSInnerPlaintext" (RFC 9146, Section 5.3).
fn additional_data<'a>(
    header: &RecordHeader,
    id: &Cid,
    content: usize,
    room: &'a mut [u8; MAX_AAD],
) -> Option<&'a [u8]> {
    let mut w = Writer::new(room);
    if id.is_empty() {
        w.u64(header.epoch_and_sequence()).ok()?;
        w.u8(header.content_type.0).ok()?;
        w.u16(header.version).ok()?;
    } else {
        w.u64(u64::MAX).ok()?;
        w.u8(ContentType::TLS12_CID.0).ok()?;
        w.u8(u8::try_from(id.len()).ok()?).ok()?;
        w.u8(ContentType::TLS12_CID.0).ok()?;
        w.u16(header.version).ok()?;
        w.u64(header.epoch_and_sequence()).ok()?;
        w.bytes(id.as_slice()).ok()?;
    }
    w.u16(u16::try_from(content).ok()?).ok()?;
    let len = w.len();
    room.get(..len)
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
