//! The messages that are on their way to the peer, kept until it is clear
//! that they arrived (RFC 6347, Section 4.2.4; RFC 9147, Section 5.8).

use super::record::RecordLayer;
use super::runs::Runs;
use crate::env::{Instant, Span as _};
use crate::mem::{Boxed, FixedVec, OutOfMemory, zeroed_slice};
use crate::wire::dtls::{ContentType, HANDSHAKE_HEADER_LEN, HandshakeHeader, HandshakeType};
use crate::wire::{ShortBuffer, Writer};
use core::time::Duration;

/// The messages of one flight; a client's last has five.
const MAX_ITEMS: usize = 8;
/// A fragment shorter than this does not start at the end of a datagram.
const MIN_FRAGMENT: usize = 32;
/// How many records are remembered until they are acknowledged. What is in
/// earlier ones is sent again.
const MAX_SENT: usize = 12;
/// After the handshake, flights are single short messages.
const LATER_OCTETS: usize = 64;
const LATER_ITEMS: usize = 1;
const LATER_SENT: usize = 4;
/// "Implementations SHOULD back off handshake packet size" is not needed at
/// the MTUs of WebRTC; the timer backs off to this.
pub(super) const MAX_INTERVAL: Duration = Duration::from_secs(10);

/// One record's worth of a flight, before it is cut to the MTU.
struct Item {
    /// `None` for a ChangeCipherSpec.
    message: Option<(HandshakeType, u16)>,
    epoch: u64,
    at: usize,
    len: usize,
    /// What of it arrived, by the peer's ACKs.
    arrived: Runs<2>,
}

impl Item {
    /// The first octets from `at` on that have yet to arrive. An empty message
    /// is sent as often as its flight.
    fn gap(&self, at: usize) -> Option<(usize, usize)> {
        if self.len == 0 {
            return (at == 0).then_some((0, 0));
        }
        let (from, to) = self.arrived.gap(at as u32, self.len as u32)?;
        Some((from as usize, to as usize))
    }
}

/// A record that carried a part of the flight.
struct Sent {
    /// Its number in the epoch of its item.
    sequence: u64,
    item: u8,
    from: u16,
    to: u16,
}

/// What an ACK meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acked {
    /// All of the flight has arrived.
    All,
    /// Some has not.
    Some,
    /// There is nothing to acknowledge.
    Idle,
}

/// Where a flight is kept.
struct Room {
    octets: Boxed<[u8]>,
    items: FixedVec<Item>,
    sent_records: FixedVec<Sent>,
}

impl Room {
    fn new(octets: usize, items: usize, sent: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            octets: zeroed_slice(octets)?,
            items: FixedVec::new(items)?,
            sent_records: FixedVec::new(sent)?,
        })
    }
}

/// An outgoing flight.
pub(super) struct Flight {
    room: Room,
    /// The room for what is sent after the handshake.
    later: Option<Room>,
    used: usize,
    /// The next item and octet to send.
    cursor: (usize, usize),
    next_seq: u16,
    /// Whether the flight is complete and may go out.
    ready: bool,
    /// Whether an answer is due; the last flight of a handshake has none.
    expects_answer: bool,
    timer: Option<Instant>,
    interval: Duration,
    timeouts: u32,
}

impl Flight {
    pub(super) fn new(octets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            room: Room::new(octets, MAX_ITEMS, MAX_SENT)?,
            later: Some(Room::new(LATER_OCTETS, LATER_ITEMS, LATER_SENT)?),
            used: 0,
            cursor: (0, 0),
            next_seq: 0,
            ready: false,
            expects_answer: false,
            timer: None,
            interval: Duration::ZERO,
            timeouts: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.room.octets.len()
    }

    /// The octets of heap that so much room takes.
    pub(super) const fn heap_bytes(octets: usize) -> usize {
        octets
            + LATER_OCTETS
            + FixedVec::<Item>::heap_bytes(MAX_ITEMS + LATER_ITEMS)
            + FixedVec::<Sent>::heap_bytes(MAX_SENT + LATER_SENT)
    }

    /// Forgets the last flight of the handshake, which has arrived, and gives
    /// back the room for those of a handshake.
    pub(super) fn settle(&mut self) {
        if let Some(later) = self.later.take() {
            self.begin();
            self.room = later;
        }
    }

    /// Starts a new flight: the one before has arrived.
    pub(super) fn begin(&mut self) {
        self.used = 0;
        self.room.items.clear();
        self.cursor = (0, 0);
        self.room.sent_records.clear();
        self.ready = false;
        self.timer = None;
        self.timeouts = 0;
    }

    /// Appends a handshake message and returns its header, as it would be
    /// in one piece, and its body: what the transcript hashes.
    pub(super) fn push(
        &mut self,
        msg_type: HandshakeType,
        epoch: u64,
        body: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
    ) -> Result<(HandshakeHeader, &[u8]), ShortBuffer> {
        let mut w = Writer::new(self.room.octets.get_mut(self.used..).unwrap_or_default());
        body(&mut w)?;
        let item = Item {
            message: Some((msg_type, self.next_seq)),
            epoch,
            at: self.used,
            len: w.len(),
            arrived: Runs::default(),
        };
        let header = HandshakeHeader::whole(msg_type, self.next_seq, w.len() as u32);
        let body = self.used..self.used + item.len;
        self.room.items.push(item).map_err(|_| ShortBuffer)?;
        self.used = body.end;
        self.next_seq = self.next_seq.wrapping_add(1);
        Ok((header, self.room.octets.get(body).unwrap_or_default()))
    }

    /// Appends a ChangeCipherSpec.
    pub(super) fn push_change_cipher_spec(&mut self) -> Result<(), ShortBuffer> {
        let item = Item { message: None, epoch: 0, at: self.used, len: 1, arrived: Runs::default() };
        *self.room.octets.get_mut(self.used).ok_or(ShortBuffer)? = 1;
        self.room.items.push(item).map_err(|_| ShortBuffer)?;
        self.used += 1;
        Ok(())
    }

    /// The message that was pushed first.
    pub(super) fn first(&self) -> Option<(HandshakeHeader, &[u8])> {
        let item = self.room.items.first()?;
        let (msg_type, seq) = item.message?;
        Some((
            HandshakeHeader::whole(msg_type, seq, item.len as u32),
            self.room.octets.get(item.at..item.at + item.len)?,
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
        if self.ready && self.cursor.0 >= self.room.items.len() {
            self.cursor = (0, 0);
        }
    }

    /// Whether anything waits to be sent.
    pub(super) fn is_pending(&self) -> bool {
        self.ready && self.cursor.0 < self.room.items.len()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    /// How many times in a row nothing came in answer.
    pub(super) fn timeouts(&self) -> u32 {
        self.timeouts
    }

    /// Sends again when the timer is due; says whether it was.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.timer.is_none_or(|at| now < at) {
            return false;
        }
        self.timer = None;
        self.timeouts += 1;
        self.interval = self.interval.times(2).min(MAX_INTERVAL);
        self.resend();
        true
    }

    /// Whether the flight is out and its answer, or an ACK of all of it, is
    /// due.
    pub(super) fn is_outstanding(&self) -> bool {
        self.ready && self.expects_answer
    }

    /// Takes in the records that the peer acknowledges.
    pub(super) fn acknowledge(&mut self, records: impl Iterator<Item = (u64, u64)>) -> Acked {
        if !self.is_outstanding() {
            return Acked::Idle;
        }
        for (epoch, sequence) in records {
            for sent in self.room.sent_records.iter().filter(|s| s.sequence == sequence) {
                if let Some(item) = self.room.items.get_mut(usize::from(sent.item))
                    && item.epoch == epoch
                {
                    // With too many holes, some of it is sent again.
                    item.arrived.note(sent.from.into(), sent.to.into());
                }
            }
        }
        let all = self.room.items.iter().all(|item| item.len > 0 && item.gap(0).is_none());
        if all { Acked::All } else { Acked::Some }
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
        while let Some(item) = self.room.items.get(self.cursor.0) {
            let Some((from, to)) = item.gap(self.cursor.1) else {
                self.cursor = (self.cursor.0 + 1, 0);
                continue;
            };
            let room = out.get_mut(filled..).unwrap_or_default();
            let Some(written) = write_record(item, from, to, &self.room.octets, records, room, filled > 0)
            else {
                break;
            };
            filled += written.len;
            if self.room.sent_records.is_full() {
                self.room.sent_records.remove(0);
            }
            // There is room now.
            let _ = self.room.sent_records.push(Sent {
                sequence: written.sequence,
                item: self.cursor.0 as u8,
                // No message of ours is that long.
                from: from as u16,
                to: written.to as u16,
            });
            self.cursor =
                if written.to >= item.len { (self.cursor.0 + 1, 0) } else { (self.cursor.0, written.to) };
        }
        if self.cursor.0 >= self.room.items.len() {
            self.timer = self.expects_answer.then(|| now + self.interval);
        }
        (filled > 0).then_some(filled)
    }

    /// Flips a bit of the handshake messages; `false` when there is no such
    /// bit. A ChangeCipherSpec is none of them.
    #[cfg(test)]
    pub(super) fn flip(&mut self, bit: usize) -> bool {
        let mut at = bit / 8;
        for item in self.room.items.iter().filter(|item| item.message.is_some()) {
            if at < item.len {
                self.room.octets[item.at + at] ^= 1 << (bit % 8);
                return true;
            }
            at -= item.len;
        }
        false
    }

    /// Forgets the flight.
    pub(super) fn clear(&mut self) {
        self.begin();
    }
}

struct Written {
    len: usize,
    sequence: u64,
    /// Up to which octet of the message.
    to: usize,
}

/// Writes one record with octets of `item` between `from` and `to`.
fn write_record(
    item: &Item,
    from: usize,
    to: usize,
    octets: &[u8],
    records: &mut RecordLayer,
    room: &mut [u8],
    is_tail: bool,
) -> Option<Written> {
    let (head, tail) = records.overhead(item.epoch);
    let header_len = if item.message.is_some() { HANDSHAKE_HEADER_LEN } else { 0 };
    let space = room.len().checked_sub(head + header_len + tail)?;
    let len = space.min(to - from);
    if len < to - from && (len == 0 || is_tail && len < MIN_FRAGMENT) {
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
    let sequence = records.seal(item.epoch, content_type, record)?;
    Some(Written { len: record.len(), sequence, to: from + len })
}
