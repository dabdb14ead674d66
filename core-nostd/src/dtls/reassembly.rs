//! Handshake messages from fragments that come in any order, twice, or
//! overlapping (RFC 6347, Section 4.2.3).

use super::runs::Runs;
use crate::mem::{Boxed, FixedVec, OutOfMemory, zeroed_slice};
use crate::wire::dtls::{Fragment, HandshakeType};

/// How far ahead of the next message one is kept in a handshake.
const WINDOW: usize = 8;
/// And afterwards, when messages are single.
const LATER_WINDOW: usize = 2;
/// The longest message after the handshake: a NewConnectionId.
const LATER_OCTETS: usize = 128;
/// How many separate runs of octets of one message are kept.
const RUNS: usize = 8;

/// A message that is complete and next in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) msg_type: HandshakeType,
    pub(super) message_seq: u16,
    /// Under the keys of which epoch it came.
    pub(super) epoch: u64,
    pub(super) body: &'a [u8],
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inserted {
    /// It is kept, or was known.
    Kept {
        /// It belongs to the message that is next in order: it will not give
        /// way to another.
        next: bool,
    },
    /// Its message was consumed before; `last` when it ends the message
    /// consumed last: the sign of a retransmitted flight.
    Old {
        /// It is the end of the message consumed last.
        last: bool,
    },
    /// It contradicts another, is too far ahead, or does not fit.
    Refused,
}

/// A message that is being put together. Its octets are in the arena.
struct Slot {
    msg_type: HandshakeType,
    message_seq: u16,
    epoch: u64,
    at: usize,
    len: usize,
    /// How many octets are in the arena: all or none.
    kept: usize,
    /// Whether a fragment came that contradicts what is there.
    doubted: bool,
    /// Which octets are there.
    runs: Runs<RUNS>,
}

impl Slot {
    fn is_whole(&self) -> bool {
        self.runs.cover(0, self.len as u32)
    }
}

/// Messages that are being put together, in one arena without gaps.
pub(super) struct Reassembly {
    arena: Boxed<[u8]>,
    used: usize,
    slots: FixedVec<Slot>,
    next_seq: u16,
    /// The room for what comes after the handshake.
    later: Option<(Boxed<[u8]>, FixedVec<Slot>)>,
}

impl Reassembly {
    pub(super) fn new(octets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            arena: zeroed_slice(octets)?,
            used: 0,
            slots: FixedVec::new(WINDOW)?,
            next_seq: 0,
            later: Some((zeroed_slice(LATER_OCTETS)?, FixedVec::new(LATER_WINDOW)?)),
        })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.arena.len()
    }

    /// The octets of heap that so much room takes.
    pub(super) const fn heap_bytes(octets: usize) -> usize {
        octets + LATER_OCTETS + FixedVec::<Slot>::heap_bytes(WINDOW + LATER_WINDOW)
    }

    /// Whether no message is being put together.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Gives back the room for the messages of a handshake, when it
    /// [`is_empty`](Self::is_empty). A longer message than a NewConnectionId
    /// is refused from then on, but for a NewSessionTicket, of which nothing
    /// is kept.
    pub(super) fn settle(&mut self) {
        if self.is_empty()
            && let Some(later) = self.later.take()
        {
            (self.arena, self.slots) = later;
        }
    }

    /// Whether a fragment's message was consumed before.
    pub(super) fn is_old(&self, fragment: &Fragment<'_>) -> bool {
        fragment.header.message_seq.wrapping_sub(self.next_seq) >= 0x8000
    }

    /// Takes in a fragment that came under the keys of `epoch`.
    pub(super) fn insert(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Inserted {
        let header = &fragment.header;
        let ahead = header.message_seq.wrapping_sub(self.next_seq);
        if ahead >= 0x8000 {
            let end = header.fragment_offset + header.fragment_length == header.length;
            return Inserted::Old { last: end && ahead == u16::MAX };
        }
        if usize::from(ahead) >= self.slots.capacity() {
            return Inserted::Refused;
        }
        let known = self.slots.iter().position(|s| s.message_seq == header.message_seq);
        let index = match known {
            Some(index) => index,
            None => match self.open(fragment, epoch) {
                Some(index) => index,
                None => return Inserted::Refused,
            },
        };
        let Some(slot) = self.slots.get_mut(index) else { return Inserted::Refused };
        if slot.msg_type != header.msg_type || slot.len != header.length as usize || slot.epoch != epoch {
            // Either may be the forgery. The first is believed until it is
            // contradicted twice, so that a peer that repeats itself gets
            // through in the end.
            if !slot.is_whole() && core::mem::replace(&mut slot.doubted, true) {
                self.remove(index);
            }
            return Inserted::Refused;
        }
        let from = header.fragment_offset;
        let to = from + header.fragment_length;
        // What is there already is not written over: the first copy counts.
        if !slot.runs.cover(from, to) {
            if !slot.runs.note(from, to) {
                return Inserted::Refused;
            }
            let start = slot.at + from as usize;
            if slot.kept > 0
                && let Some(room) = self.arena.get_mut(start..start + fragment.body.len())
            {
                room.copy_from_slice(fragment.body);
            }
        }
        Inserted::Kept { next: ahead == 0 }
    }

    /// The next message in order, when it is complete.
    pub(super) fn peek(&self) -> Option<Message<'_>> {
        let slot = self.slots.iter().find(|s| s.message_seq == self.next_seq && s.is_whole())?;
        Some(Message {
            msg_type: slot.msg_type,
            message_seq: slot.message_seq,
            epoch: slot.epoch,
            body: self.arena.get(slot.at..slot.at + slot.kept)?,
        })
    }

    /// Drops the message that [`peek`](Self::peek) showed.
    pub(super) fn pop(&mut self) {
        if let Some(index) = self.slots.iter().position(|s| s.message_seq == self.next_seq) {
            self.remove(index);
            self.next_seq = self.next_seq.wrapping_add(1);
        }
    }

    /// Forgets messages in the clear that are not complete. Called when a
    /// flight is sent again: should a forged fragment have poisoned one, the
    /// genuine fragments that follow start it anew.
    pub(super) fn forget_partial(&mut self) {
        while let Some(index) = self.slots.iter().position(|s| s.epoch == 0 && !s.is_whole()) {
            self.remove(index);
        }
    }

    /// Forgets what came under other keys than those of `epoch`, which all
    /// that follows must have: "Handshake messages MUST NOT span key changes"
    /// (RFC 8446, Section 5.1).
    pub(super) fn forget_before(&mut self, epoch: u64) {
        while let Some(index) = self.slots.iter().position(|s| s.epoch < epoch) {
            self.remove(index);
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots.clear();
        self.used = 0;
    }

    fn open(&mut self, fragment: &Fragment<'_>, epoch: u64) -> Option<usize> {
        let header = &fragment.header;
        // There are no sessions to resume here: of a ticket it only matters
        // that it came.
        let is_ticket = header.msg_type == HandshakeType::NEW_SESSION_TICKET;
        let len = if is_ticket { 0 } else { header.length as usize };
        if len > self.arena.len() {
            return None;
        }
        // The message that is next must always find room: later ones give way.
        while self.arena.len() - self.used < len || self.slots.is_full() {
            let ahead = |s: &Slot| s.message_seq.wrapping_sub(self.next_seq);
            let mine = header.message_seq.wrapping_sub(self.next_seq);
            let (index, last) = self.slots.iter().map(ahead).enumerate().max_by_key(|(_, a)| *a)?;
            if last <= mine {
                return None;
            }
            self.remove(index);
        }
        let slot = Slot {
            msg_type: header.msg_type,
            message_seq: header.message_seq,
            epoch,
            at: self.used,
            len: header.length as usize,
            kept: len,
            doubted: false,
            runs: Runs::default(),
        };
        self.slots.push(slot).ok()?;
        self.used += len;
        Some(self.slots.len() - 1)
    }

    fn remove(&mut self, index: usize) {
        let Some(slot) = self.slots.remove(index) else { return };
        let end = slot.at + slot.kept;
        if end <= self.used {
            self.arena.copy_within(end..self.used, slot.at);
            self.used -= slot.kept;
        }
        for other in self.slots.iter_mut() {
            if other.at > slot.at {
                other.at -= slot.kept;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::dtls::HandshakeHeader;
    use std::vec::Vec;

    fn fragment(seq: u16, whole: &[u8], from: usize, to: usize) -> Fragment<'_> {
        let header = HandshakeHeader {
            fragment_offset: from as u32,
            fragment_length: (to - from) as u32,
            ..HandshakeHeader::whole(HandshakeType::CLIENT_HELLO, seq, whole.len() as u32)
        };
        Fragment { header, body: &whole[from..to] }
    }

    #[test]
    fn every_cut_in_either_order_gives_the_message() {
        let whole: Vec<u8> = (0..100).collect();
        for a in 0..=100 {
            for b in a..=100 {
                for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
                    let mut r = Reassembly::new(128).unwrap();
                    let cuts = [(0, a), (a, b), (b, 100)];
                    for i in order {
                        assert!(r.peek().is_none() || cuts[i].0 == cuts[i].1);
                        r.insert(&fragment(0, &whole, cuts[i].0, cuts[i].1), 0);
                    }
                    assert_eq!(r.peek().unwrap().body, whole, "{a} {b} {order:?}");
                }
            }
        }
    }

    #[test]
    fn overlaps_join_and_the_next_message_finds_room() {
        let one: Vec<u8> = (0..60).collect();
        let two: Vec<u8> = (100..160).collect();
        let mut r = Reassembly::new(100).unwrap();
        assert_eq!(r.insert(&fragment(1, &two, 0, 60), 0), Inserted::Kept { next: false });
        assert_eq!(
            r.insert(&fragment(0, &one, 0, 40), 0),
            Inserted::Kept { next: true },
            "the later one gives way"
        );
        assert_eq!(r.insert(&fragment(1, &two, 0, 60), 0), Inserted::Refused);
        assert_eq!(r.insert(&fragment(0, &one, 20, 60), 0), Inserted::Kept { next: true });
        assert_eq!(r.peek().unwrap().body, one);
        r.pop();
        assert_eq!(r.insert(&fragment(0, &one, 20, 60), 0), Inserted::Old { last: true });
        assert_eq!(r.insert(&fragment(0, &one, 20, 30), 0), Inserted::Old { last: false });
        assert_eq!(r.insert(&fragment(1, &two, 0, 60), 0), Inserted::Kept { next: true });
        assert_eq!(r.peek().unwrap().body, two);
    }

    #[test]
    fn after_the_handshake_of_a_ticket_nothing_is_kept() {
        let whole = [7; 1000];
        let mut r = Reassembly::new(100).unwrap();
        r.settle();
        let ticket = |from, to| {
            let mut fragment = fragment(0, &whole, from, to);
            fragment.header.msg_type = HandshakeType::NEW_SESSION_TICKET;
            fragment
        };
        assert_eq!(r.insert(&ticket(0, 600), 3), Inserted::Kept { next: true });
        assert!(r.peek().is_none());
        assert_eq!(r.insert(&fragment(1, &whole[..100], 0, 100), 3), Inserted::Kept { next: false });
        assert_eq!(r.insert(&ticket(600, 1000), 3), Inserted::Kept { next: true });
        assert!(r.peek().unwrap().body.is_empty());
        r.pop();
        assert_eq!(r.peek().unwrap().body, &whole[..100]);
        r.pop();
        assert_eq!(r.insert(&fragment(2, &whole, 0, 100), 3), Inserted::Refused, "it is too long");
    }

    #[test]
    fn contradictions_and_giants_are_refused() {
        let whole = [7; 50];
        let mut r = Reassembly::new(100).unwrap();
        assert_eq!(r.insert(&fragment(0, &whole, 0, 10), 0), Inserted::Kept { next: true });
        assert_eq!(r.insert(&fragment(0, &whole[..40], 10, 40), 0), Inserted::Refused, "another length");
        assert_eq!(r.insert(&fragment(0, &whole, 10, 50), 1), Inserted::Refused, "other keys");
        assert_eq!(r.insert(&fragment(8, &whole, 0, 50), 0), Inserted::Refused, "too far ahead");
        assert_eq!(r.insert(&fragment(1, &[0; 101], 0, 101), 0), Inserted::Refused);
        r.forget_partial();
        assert_eq!(r.insert(&fragment(0, &whole[..40], 0, 40), 0), Inserted::Kept { next: true });
        assert!(r.peek().is_some());
    }

    #[test]
    fn more_holes_than_runs_are_refused_and_filled_later() {
        let whole: Vec<u8> = (0..100).collect();
        let mut r = Reassembly::new(100).unwrap();
        let kept = (0..50)
            .filter(|i| r.insert(&fragment(0, &whole, 2 * i, 2 * i + 1), 0) == Inserted::Kept { next: true })
            .count();
        assert_eq!(kept, RUNS);
        assert_eq!(r.insert(&fragment(0, &whole, 0, 100), 0), Inserted::Kept { next: true });
        assert_eq!(r.peek().unwrap().body, whole);
    }
}
