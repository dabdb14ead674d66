//! The messages that are on their way to the peer, kept until it is clear
//! that they arrived (RFC 6347, Section 4.2.4).

use super::record::RecordLayer;
use crate::env::Instant;
use crate::mem::{Boxed, OutOfMemory, boxed_slice};
use crate::wire::dtls::{ContentType, HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType};
use crate::wire::{ShortBuffer, Writer};
use core::time::Duration;

/// The messages of one flight; a client's last has five.
const MAX_ITEMS: usize = 8;
/// A fragment shorter than this does not start at the end of a datagram.
const MIN_FRAGMENT: usize = 32;
/// "Implementations SHOULD back off handshake packet size" is not needed at
/// the MTUs of WebRTC; the timer backs off to this.
const MAX_INTERVAL: Duration = Duration::from_secs(10);

/// One record's worth of a flight, before it is cut to the MTU.
struct Item {
    /// `None` for a ChangeCipherSpec.
    message: Option<(HandshakeType, u16)>,
    epoch: u16,
    at: usize,
    len: usize,
}

/// An outgoing flight.
pub(super) struct Flight {
    octets: Boxed<[u8]>,
    used: usize,
    items: heapless::Vec<Item, MAX_ITEMS>,
    /// The next item and octet to send.
    cursor: (usize, usize),
    next_seq: u16,
    /// Whether the flight is complete and may go out.
    ready: bool,
    /// Whether an answer is due; the last flight of a handshake has none.
    expects_answer: bool,
    timer: Option<Instant>,
    interval: Duration,
    sent: u32,
}

impl Flight {
    pub(super) fn new(octets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            octets: boxed_slice(octets, || 0)?,
            used: 0,
            items: heapless::Vec::new(),
            cursor: (0, 0),
            next_seq: 0,
            ready: false,
            expects_answer: false,
            timer: None,
            interval: Duration::ZERO,
            sent: 0,
        })
    }

    /// Starts a new flight: the one before has arrived.
    pub(super) fn begin(&mut self) {
        self.used = 0;
        self.items.clear();
        self.cursor = (0, 0);
        self.ready = false;
        self.timer = None;
        self.sent = 0;
    }

    /// Appends a handshake message and returns its header, as it would be
    /// in one piece, and its body: what the transcript hashes.
    pub(super) fn push(
        &mut self,
        msg_type: HandshakeType,
        epoch: u16,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
    ) -> Result<(HandshakeHeader, &[u8]), ShortBuffer> {
        let mut w = Writer::new(self.octets.get_mut(self.used..).unwrap_or_default());
        body(&mut w)?;
        let item = Item { message: Some((msg_type, self.next_seq)), epoch, at: self.used, len: w.len() };
        let header = HandshakeHeader::whole(msg_type, self.next_seq, w.len() as u32);
        let body = self.used..self.used + item.len;
        self.items.push(item).map_err(|_| ShortBuffer)?;
        self.used = body.end;
        self.next_seq = self.next_seq.wrapping_add(1);
        Ok((header, self.octets.get(body).unwrap_or_default()))
    }

    /// Appends a ChangeCipherSpec.
    pub(super) fn push_change_cipher_spec(&mut self) -> Result<(), ShortBuffer> {
        let item = Item { message: None, epoch: 0, at: self.used, len: 1 };
        *self.octets.get_mut(self.used).ok_or(ShortBuffer)? = 1;
        self.items.push(item).map_err(|_| ShortBuffer)?;
        self.used += 1;
        Ok(())
    }

    /// The message that was pushed first.
    pub(super) fn first(&self) -> Option<(HandshakeHeader, &[u8])> {
        let item = self.items.first()?;
        let (msg_type, seq) = item.message?;
        Some((
            HandshakeHeader::whole(msg_type, seq, item.len as u32),
            self.octets.get(item.at..item.at + item.len)?,
        ))
    }

    /// Lets the flight go out.
    pub(super) fn ready(&mut self, expects_answer: bool, interval: Duration) {
        self.ready = true;
        self.expects_answer = expects_answer;
        self.interval = interval;
    }

    /// The answer has begun to arrive: the flight was received whole, and is
    /// not sent again.
    pub(super) fn answered(&mut self) {
        self.timer = None;
        self.ready = false;
    }

    /// Sends the flight again, if it went out whole before.
    pub(super) fn resend(&mut self) {
        if self.ready && self.cursor.0 >= self.items.len() {
            self.cursor = (0, 0);
        }
    }

    /// Whether anything waits to be sent.
    pub(super) fn is_pending(&self) -> bool {
        self.ready && self.cursor.0 < self.items.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    /// How many times the flight went out.
    pub(super) fn times_sent(&self) -> u32 {
        self.sent
    }

    /// Sends again when the timer is due; says whether it was.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.timer.is_none_or(|at| now < at) {
            return false;
        }
        self.timer = None;
        self.interval = (self.interval * 2).min(MAX_INTERVAL);
        self.resend();
        true
    }

    /// Fills `out` with as many records as fit.
    pub(super) fn poll_write(
        &mut self,
        now: Instant,
        records: &mut RecordLayer,
        out: &mut [u8],
    ) -> Option<usize> {
        if !self.is_pending() {
            return None;
        }
        let mut filled = 0;
        while let Some(item) = self.items.get(self.cursor.0) {
            let room = out.get_mut(filled..).unwrap_or_default();
            let Some((n, done)) = write_record(item, self.cursor.1, &self.octets, records, room, filled > 0)
            else {
                break;
            };
            filled += n;
            self.cursor = if done >= item.len { (self.cursor.0 + 1, 0) } else { (self.cursor.0, done) };
        }
        if self.cursor.0 >= self.items.len() {
            self.sent += 1;
            self.timer = self.expects_answer.then(|| now + self.interval);
        }
        (filled > 0).then_some(filled)
    }

    /// Forgets the flight.
    pub(super) fn clear(&mut self) {
        self.begin();
    }
}

/// Writes one record with the octets of `item` from `from` on; returns its
/// length and where the next one begins.
fn write_record(
    item: &Item,
    from: usize,
    octets: &[u8],
    records: &mut RecordLayer,
    room: &mut [u8],
    is_tail: bool,
) -> Option<(usize, usize)> {
    let (head, tail) = records.overhead(item.epoch);
    let header_len = if item.message.is_some() { HANDSHAKE_HEADER_LEN } else { 0 };
    let space = room.len().checked_sub(head + header_len + tail)?;
    let len = space.min(item.len - from);
    if len < item.len - from && (len == 0 || is_tail && len < MIN_FRAGMENT) {
        return None;
    }
    let record = room.get_mut(..head + header_len + len + tail)?;
    let mut w = Writer::new(record.get_mut(head..)?);
    let content_type = match item.message {
        Some((msg_type, message_seq)) => {
            let header = HandshakeHeader {
                msg_type,
                length: item.len as u32,
                message_seq,
                fragment_offset: from as u32,
                fragment_length: len as u32,
            };
            header.emit(&mut w).ok()?;
            ContentType::HANDSHAKE
        }
        None => ContentType::CHANGE_CIPHER_SPEC,
    };
    let start = item.at + from;
    w.bytes(octets.get(start..start + len)?).ok()?;
    records.seal(item.epoch, content_type, record)?;
    Some((record.len(), from + len))
}
