//! What is known of streams in use. A stream without an entry is as it was
//! at the start, so entries go when streams are reset.

use crate::mem::{FixedVec, OutOfMemory};

/// An entry of a [`Streams`] table.
pub(super) trait Stream {
    /// A stream as it is at the start.
    fn new(id: u16) -> Self;
    /// Its number.
    fn id(&self) -> u16;
}

/// Streams in use, sorted by number.
#[derive(Debug)]
pub(super) struct Streams<T>(FixedVec<T>);

impl<T: Stream> Streams<T> {
    pub(super) fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        FixedVec::new(capacity).map(Self)
    }

    fn find(&self, id: u16) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, T::id)
    }

    pub(super) fn get(&self, id: u16) -> Option<&T> {
        self.find(id).ok().and_then(|at| self.0.get(at))
    }

    pub(super) fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        self.find(id).ok().and_then(|at| self.0.get_mut(at))
    }

    /// The stream's entry, made when there is none. `None` when the table is
    /// full.
    pub(super) fn entry(&mut self, id: u16) -> Option<&mut T> {
        let at = match self.find(id) {
            Ok(at) => at,
            Err(at) => self.0.insert(at, T::new(id)).map(|()| at).ok()?,
        };
        self.0.get_mut(at)
    }

    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    pub(super) fn room(&self) -> usize {
        self.0.capacity() - self.0.len()
    }

    pub(super) fn remove(&mut self, id: u16) {
        if let Ok(at) = self.find(id) {
            self.0.remove(at);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// How far the reset of an outgoing stream has come (RFC 6525).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    None,
    /// Asked for; waits until all that was sent is acknowledged.
    Wanted,
    /// In the request that is under way.
    Requested,
    /// The peer has answered; the stream is new when this was reported.
    Done,
}

/// A stream that we send on.
#[derive(Debug)]
pub(super) struct OutStream {
    id: u16,
    /// DCEP priority: the stream's share of the bandwidth.
    pub(super) priority: u16,
    pub(super) next_ordered: u32,
    pub(super) next_unordered: u32,
    /// First and last message with octets that were never sent.
    pub(super) head: u16,
    pub(super) tail: u16,
    /// The application's octets that were never sent.
    pub(super) buffered: usize,
    /// All octets that wait to be sent or acknowledged.
    pub(super) held: usize,
    pub(super) threshold: usize,
    /// The length of a message that met a full buffer, or 0.
    pub(super) refused: usize,
    /// What it may send before the next stream's turn, in octets.
    pub(super) credit: i32,
    pub(super) reset: Reset,
    /// To be reported: the buffered amount fell.
    pub(super) low: bool,
}

/// The index of no message.
pub(super) const NONE: u16 = u16::MAX;

/// "normal" (RFC 8831, Section 6.4).
const DEFAULT_PRIORITY: u16 = 256;

impl Stream for OutStream {
    fn new(id: u16) -> Self {
        Self {
            id,
            priority: DEFAULT_PRIORITY,
            next_ordered: 0,
            next_unordered: 0,
            head: NONE,
            tail: NONE,
            buffered: 0,
            held: 0,
            threshold: 0,
            refused: 0,
            credit: 0,
            reset: Reset::None,
            low: false,
        }
    }

    fn id(&self) -> u16 {
        self.id
    }
}

impl OutStream {
    /// So many of the application's octets no longer wait to be sent. Whether
    /// that is to be reported anew.
    pub(super) fn unbuffer(&mut self, octets: usize) -> bool {
        let before = self.buffered;
        self.buffered = before.saturating_sub(octets);
        let fell = before > self.threshold && self.buffered <= self.threshold;
        fell && !core::mem::replace(&mut self.low, true)
    }

    /// What a turn is worth, in octets.
    pub(super) fn quantum(&self) -> i32 {
        i32::from(self.priority.max(1)) * 8
    }
}

/// A stream that the peer sends on.
#[derive(Debug)]
pub(super) struct InStream {
    id: u16,
    /// The ordered message that is to be delivered next. Stream sequence
    /// numbers are its low 16 bits.
    pub(super) next: u32,
    /// The peer wants to reset it, but earlier TSNs are missing.
    pub(super) deferred: bool,
    /// To be reported: reset by the peer, and all before that was read.
    pub(super) was_reset: bool,
}

impl Stream for InStream {
    fn new(id: u16) -> Self {
        Self { id, next: 0, deferred: false, was_reset: false }
    }

    fn id(&self) -> u16 {
        self.id
    }
}
