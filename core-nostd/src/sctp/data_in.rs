//! Receiving: which TSNs have arrived, and messages from their fragments.

use super::config::Limits;
use super::streams::{InStream, Stream, Streams};
use crate::mem::{BlockPool, Boxed, Chain, FixedDeque, FixedVec, OutOfMemory, Serial32, zeroed_slice};
use crate::wire::sctp::{Data, GapBlock, Skip, Tsn};
use core::cmp::Ordering;

/// Consecutive fragments of one message, sorted by [`key`](Run::key).
#[derive(Debug)]
pub(super) struct Run {
    stream: u16,
    unordered: bool,
    begin: bool,
    end: bool,
    /// Message identifier, or the stream sequence number extended to 32 bits;
    /// 0 for unordered messages without interleaving.
    seq: u32,
    /// Numbers of the first and the last fragment: FSNs, or TSNs without
    /// interleaving.
    first: u32,
    last: u32,
    ppid: u32,
    chain: Chain,
}

impl Run {
    fn compare(&self, stream: u16, unordered: bool, seq: u32, first: u32) -> Ordering {
        (self.stream.cmp(&stream))
            .then(self.unordered.cmp(&unordered))
            .then_with(|| (self.seq.wrapping_sub(seq) as i32).cmp(&0))
            .then_with(|| (self.first.wrapping_sub(first) as i32).cmp(&0))
    }

    fn is_whole(&self) -> bool {
        self.begin && self.end
    }

    /// Whether `next` goes on where this one ends.
    fn is_followed_by(&self, next: &Self) -> bool {
        self.stream == next.stream
            && self.unordered == next.unordered
            && self.seq == next.seq
            && self.last.wrapping_add(1) == next.first
            && !self.end
            && !next.begin
    }
}

/// What waits to be read, in order.
#[derive(Debug)]
pub(super) enum Ready {
    Message {
        stream: u16,
        ppid: u32,
        chain: Chain,
    },
    /// All before was sent before the peer reset the stream.
    Reset {
        stream: u16,
    },
}

/// What became of a DATA chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Kept; to be acknowledged.
    New,
    /// It had arrived before; to be acknowledged at once.
    Duplicate,
    /// There is no room for it: as if it had been lost.
    NoRoom,
    /// To be acknowledged, but its stream does not exist.
    NoStream,
    /// To be acknowledged, but there is no entry left for its stream.
    NoEntry,
    /// The message is longer than the peer was told.
    TooLong,
}

/// The receiving half of an association.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) pool: BlockPool,
    /// All up to here has arrived.
    pub(super) cumulative: Tsn,
    /// First and last TSN of what arrived beyond it, ascending.
    gaps: FixedVec<(Tsn, Tsn)>,
    pub(super) duplicates: heapless::Vec<Tsn, 16>,
    runs: FixedVec<Run>,
    ready: FixedDeque<Ready>,
    pub(super) streams: Streams<InStream>,
    /// Streams 0 to this exclusive exist.
    pub(super) stream_count: u16,
    /// A message that does not lie in one block is put together here.
    linear: Boxed<[u8]>,
    /// The blocks of the message that was handed out last.
    lent: Chain,
    /// The last TSN before a reset that waits for earlier TSNs.
    pub(super) deferred: Option<Tsn>,
    /// Entries of `streams` that are to be reported.
    pub(super) signals: usize,
    /// Ready entries that are messages.
    messages: usize,
    interleaved: bool,
    max_message: usize,
}

/// The DATA of a full packet.
const PACKET: usize = 1200;

impl Inbound {
    pub(super) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        Ok(Self {
            pool: BlockPool::new(limits.receive_blocks(), limits.block)?,
            cumulative: Tsn(0),
            gaps: FixedVec::new(limits.gaps.into())?,
            duplicates: heapless::Vec::new(),
            runs: FixedVec::new(limits.receive_blocks())?,
            ready: FixedDeque::new(limits.ready())?,
            streams: Streams::new(limits.streams.into())?,
            stream_count: u16::MAX,
            linear: zeroed_slice(limits.max_message_size)?,
            lent: Chain::EMPTY,
            deferred: None,
            signals: 0,
            messages: 0,
            interleaved: false,
            max_message: limits.max_message_size,
        })
    }

    /// Starts over, with the peer's first TSN.
    pub(super) fn start(&mut self, first: Tsn, interleaved: bool, stream_count: u16) {
        self.cumulative = first.prev();
        self.interleaved = interleaved;
        self.stream_count = stream_count;
        self.gaps.clear();
        self.duplicates.clear();
        while let Some(run) = self.runs.pop() {
            self.pool.release(run.chain);
        }
        while let Some(entry) = self.ready.pop_front() {
            if let Ready::Message { chain, .. } = entry {
                self.pool.release(chain);
            }
        }
        self.pool.release(core::mem::take(&mut self.lent));
        self.streams.clear();
        self.deferred = None;
        self.signals = 0;
        self.messages = 0;
    }

    /// The receive window. A part of the arena is kept back for the blocks
    /// that fragments fill only partly.
    pub(super) fn window(&self) -> u32 {
        if self.places() == 0 {
            return 0;
        }
        u32::try_from(self.pool.free_bytes().saturating_sub(self.reserve())).unwrap_or(u32::MAX)
    }

    /// The receive window of an association that has received nothing.
    #[cfg(feature = "snap")]
    pub(super) fn whole_window(&self) -> u32 {
        u32::try_from(self.pool.total_bytes().saturating_sub(self.reserve())).unwrap_or(u32::MAX)
    }

    /// Browsers send a whole packet when the window has room for an octet: what
    /// is kept back should take it, or it is lost and comes a timeout later.
    fn reserve(&self) -> usize {
        let total = self.pool.total_bytes();
        (total / 8).max((total / 4).min(PACKET))
    }

    /// How many more runs and messages there is room for.
    fn places(&self) -> usize {
        self.runs.capacity().saturating_sub(self.runs.len() + self.messages)
    }

    // ------------------------------------------------------------- arrival

    /// Takes a DATA or I-DATA chunk.
    pub(super) fn handle(&mut self, data: &Data, bytes: &[u8]) -> Arrival {
        if self.has(data.tsn) {
            let _ = self.duplicates.push(data.tsn);
            return Arrival::Duplicate;
        }
        let in_sequence = data.tsn == self.cumulative.next();
        // Gap blocks count in 16 bits.
        if data.tsn.since(self.cumulative) > u32::from(u16::MAX) || !self.fits(bytes.len(), in_sequence) {
            return Arrival::NoRoom;
        }
        let exists = data.stream < self.stream_count;
        if !exists || self.streams.entry(data.stream).is_none() {
            // "it SHALL acknowledge the reception of the DATA chunk following
            // the normal procedure, [...] and discard" (RFC 9260, Section 6.5)
            return match (self.note(data.tsn), exists) {
                (false, _) => Arrival::NoRoom,
                (true, false) => Arrival::NoStream,
                (true, true) => Arrival::NoEntry,
            };
        }
        if self.waits_for_reset(data) {
            return Arrival::NoRoom;
        }
        if !self.note(data.tsn) {
            return Arrival::NoRoom;
        }
        let arrival = self.assemble(data, bytes);
        self.perform_deferred_reset();
        arrival
    }

    /// "any data arriving with a TSN number larger than the Sender's Last
    /// Assigned TSN for the affected stream(s) MUST be queued locally" (RFC
    /// 6525, Section 5.2.2); at the peer, which sends it again.
    fn waits_for_reset(&self, data: &Data) -> bool {
        self.deferred.is_some_and(|last| data.tsn.after(last))
            && self.streams.get(data.stream).is_some_and(|s| s.deferred)
    }

    fn fits(&self, len: usize, in_sequence: bool) -> bool {
        let reserve = if in_sequence { 0 } else { self.reserve() };
        let needed = len.div_ceil(self.pool.block_size().max(1)) * self.pool.block_size();
        self.places() > usize::from(!in_sequence) && self.pool.free_bytes() >= needed + reserve
    }

    /// Whether nothing can be read and nothing more can arrive: the peer
    /// interleaves more incomplete messages than there is room for.
    pub(super) fn is_stuck(&self, tsn: Tsn) -> bool {
        tsn == self.cumulative.next() && self.ready.is_empty() && self.lent.is_empty()
    }

    // ---------------------------------------------------------------- TSNs

    fn has(&self, tsn: Tsn) -> bool {
        if !tsn.after(self.cumulative) {
            return true;
        }
        let at = self.gaps.partition_point(|&(_, last)| last.before(tsn));
        self.gaps.get(at).is_some_and(|&(first, _)| !first.after(tsn))
    }

    /// Notes that `tsn`, which is new, has arrived. `false` when it would open
    /// one gap too many.
    fn note(&mut self, tsn: Tsn) -> bool {
        if tsn == self.cumulative.next() {
            self.cumulative = tsn;
            self.absorb_gap();
            return true;
        }
        let at = self.gaps.partition_point(|&(_, last)| last.before(tsn));
        let joins_next = self.gaps.get(at).is_some_and(|&(first, _)| first == tsn.next());
        if let Some((_, last)) = at.checked_sub(1).and_then(|before| self.gaps.get_mut(before))
            && last.next() == tsn
        {
            *last = tsn;
            if joins_next
                && let Some((_, end)) = self.gaps.remove(at)
                && let Some((_, last)) = self.gaps.get_mut(at - 1)
            {
                *last = end;
            }
            return true;
        }
        if joins_next {
            if let Some((first, _)) = self.gaps.get_mut(at) {
                *first = tsn;
            }
            return true;
        }
        self.gaps.insert(at, (tsn, tsn)).is_ok()
    }

    /// Takes the first run beyond the cumulative TSN in, if it has reached it.
    fn absorb_gap(&mut self) {
        while let Some(&(first, last)) = self.gaps.first() {
            if first.after(self.cumulative.next()) {
                break;
            }
            if last.after(self.cumulative) {
                self.cumulative = last;
            }
            self.gaps.remove(0);
        }
    }

    /// Whether TSNs are missing.
    pub(super) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty()
    }

    /// What arrived beyond the cumulative TSN.
    pub(super) fn gap_blocks(&self) -> impl ExactSizeIterator<Item = GapBlock> + '_ {
        let base = self.cumulative;
        self.gaps.iter().map(move |&(first, last)| GapBlock {
            start: first.since(base) as u16,
            end: last.since(base) as u16,
        })
    }

    // ------------------------------------------------------------ assembly

    fn assemble(&mut self, data: &Data, bytes: &[u8]) -> Arrival {
        let next = self.streams.get(data.stream).map_or(0, |s| s.next);
        let seq = match (self.interleaved, data.unordered) {
            (true, _) => data.seq,
            (false, true) => 0,
            (false, false) => next.wrapping_add((data.seq as u16).wrapping_sub(next as u16) as i16 as u32),
        };
        if !data.unordered && Serial32(seq).before(Serial32(next)) {
            // Given up, or delivered.
            return Arrival::New;
        }
        let number = if self.interleaved { data.fsn } else { data.tsn.0 };
        let at = self
            .runs
            .partition_point(|r| r.compare(data.stream, data.unordered, seq, number) != Ordering::Greater);
        let fresh = Run {
            stream: data.stream,
            unordered: data.unordered,
            begin: data.begin,
            end: data.end,
            seq,
            first: number,
            last: number,
            ppid: data.ppid,
            chain: Chain::EMPTY,
        };
        let before = at.checked_sub(1).and_then(|i| self.runs.get_mut(i));
        let at = match before {
            Some(run) if run.is_followed_by(&fresh) => {
                if run.chain.len() + bytes.len() > self.max_message {
                    return Arrival::TooLong;
                }
                // There is room: `fits` said so.
                let _ = self.pool.append(&mut run.chain, bytes);
                run.last = number;
                run.end = data.end;
                at - 1
            }
            // The same fragment under another TSN: nobody sends that.
            Some(run) if run.compare(data.stream, data.unordered, seq, number).is_eq() => {
                return Arrival::New;
            }
            _ => {
                if bytes.len() > self.max_message {
                    return Arrival::TooLong;
                }
                let mut fresh = fresh;
                let _ = self.pool.append(&mut fresh.chain, bytes);
                if let Err(full) = self.runs.insert(at, fresh) {
                    // `fits` keeps a place free.
                    debug!("a run was lost: {:?}", full);
                    return Arrival::New;
                }
                at
            }
        };
        self.complete(at)
    }

    /// Makes one run of the message that the run at `at` belongs to, and
    /// delivers it when it is whole and its turn.
    fn complete(&mut self, at: usize) -> Arrival {
        let follows = |i: usize| match (self.runs.get(i), self.runs.get(i + 1)) {
            (Some(a), Some(b)) => a.is_followed_by(b),
            _ => false,
        };
        let mut first = at;
        while first > 0 && follows(first - 1) {
            first -= 1;
        }
        if !self.runs.get(first).is_some_and(|r| r.begin) {
            return Arrival::New;
        }
        let mut last = at;
        while follows(last) {
            last += 1;
        }
        if !self.runs.get(last).is_some_and(|r| r.end) {
            return Arrival::New;
        }
        for _ in first..last {
            let (Some(next), Some(run)) = (self.runs.remove(first + 1), self.runs.get_mut(first)) else {
                break;
            };
            self.pool.join(&mut run.chain, next.chain);
            run.last = next.last;
            run.end = next.end;
        }
        let Some(run) = self.runs.get(first) else { return Arrival::New };
        if run.chain.len() > self.max_message {
            return Arrival::TooLong;
        }
        if run.unordered {
            self.deliver(first);
        } else {
            self.deliver_in_order(first);
        }
        Arrival::New
    }

    /// Delivers the whole messages from the run at `at` on whose turn it is.
    fn deliver_in_order(&mut self, at: usize) {
        while let Some(run) = self.runs.get(at) {
            let Some(stream) = self.streams.get_mut(run.stream) else { return };
            if run.unordered || !run.is_whole() || run.seq != stream.next {
                return;
            }
            stream.next = stream.next.wrapping_add(1);
            let id = run.stream;
            self.deliver(at);
            if self.runs.get(at).is_none_or(|next| next.stream != id) {
                return;
            }
        }
    }

    fn deliver(&mut self, at: usize) {
        let Some(Run { stream, ppid, chain, .. }) = self.runs.remove(at) else { return };
        self.messages += 1;
        if let Err(full) = self.ready.push_back(Ready::Message { stream, ppid, chain }) {
            // Cannot be: every message had a place among the runs.
            debug!("a message was lost: {:?}", full);
        }
    }

    // -------------------------------------------------------- forward, reset

    /// The peer gives up what it sent up to `tsn`.
    pub(super) fn forward(&mut self, tsn: Tsn, skips: impl Iterator<Item = Skip>) {
        if tsn.after(self.cumulative) && tsn.since(self.cumulative) <= u32::from(u16::MAX) {
            self.cumulative = tsn;
            self.absorb_gap();
        }
        for skip in skips {
            self.skip(&skip);
        }
        if !self.interleaved {
            // Unordered messages have no number to skip; what is left of them
            // below the new cumulative TSN will never be whole.
            self.purge(|r| r.unordered && !r.is_whole() && !Serial32(r.last).after(tsn));
        }
        self.perform_deferred_reset();
    }

    fn skip(&mut self, skip: &Skip) {
        let Some(stream) = self.streams.get_mut(skip.stream) else {
            // Nothing of the stream has arrived: its first messages are gone.
            let next = if skip.unordered { None } else { self.streams.entry(skip.stream) };
            if let Some(stream) = next {
                stream.next = skip.seq.wrapping_add(1);
            }
            return;
        };
        let seq = if self.interleaved {
            skip.seq
        } else {
            stream.next.wrapping_add((skip.seq as u16).wrapping_sub(stream.next as u16) as i16 as u32)
        };
        let (id, limit) = (skip.stream, Serial32(seq));
        if skip.unordered {
            self.purge(|r| r.stream == id && r.unordered && !Serial32(r.seq).after(limit));
            return;
        }
        if limit.before(Serial32(stream.next)) {
            return;
        }
        self.purge(|r| r.stream == id && !r.unordered && !r.is_whole() && !Serial32(r.seq).after(limit));
        // What is whole among them is delivered, though its forerunners are
        // not (RFC 3758, Section 3.6).
        let at = self.runs.partition_point(|r| (r.stream, r.unordered) < (id, false));
        while self
            .runs
            .get(at)
            .is_some_and(|r| r.stream == id && !r.unordered && r.is_whole() && !Serial32(r.seq).after(limit))
        {
            self.deliver(at);
        }
        if let Some(stream) = self.streams.get_mut(id) {
            stream.next = seq.wrapping_add(1);
        }
        self.deliver_in_order(at);
    }

    fn purge(&mut self, gone: impl Fn(&Run) -> bool) {
        let mut at = 0;
        while let Some(run) = self.runs.get(at) {
            if gone(run) {
                if let Some(run) = self.runs.remove(at) {
                    self.pool.release(run.chain);
                }
            } else {
                at += 1;
            }
        }
    }

    /// The peer resets streams after `last`; none listed means all in use.
    /// `sends` says on which streams we send. `false` when it has to ask again.
    pub(super) fn reset(
        &mut self,
        last: Tsn,
        streams: impl Iterator<Item = u16> + Clone,
        sends: impl Fn(u16) -> bool,
    ) -> bool {
        let all = streams.clone().next().is_none();
        let listed = streams.filter(|s| *s < self.stream_count);
        let unknown = |s: &u16| self.streams.get(*s).is_none();
        // A stream that nobody here sends on, that nothing came on and nothing
        // will before the reset, is as new as it can be: it is reported while
        // there is an entry for it, and needs none.
        let arrived = !last.after(self.cumulative);
        let needed = |s: &u16| !arrived || sends(*s);
        let new = listed.clone().filter(|s| needed(s) && unknown(s)).count();
        let markers = self.ready.len() - self.messages;
        let count = listed.clone().count().min(self.streams.capacity());
        if count + markers > self.ready.capacity() - self.runs.capacity() || new > self.streams.room() {
            return false;
        }
        for stream in self.streams.iter_mut().filter(|_| all) {
            stream.deferred = true;
        }
        for id in listed.clone().filter(needed).chain(listed.filter(|s| !needed(s))) {
            if let Some(stream) = self.streams.entry(id) {
                stream.deferred = true;
            }
        }
        self.deferred = Some(last);
        self.perform_deferred_reset();
        self.deferred.is_none()
    }

    fn perform_deferred_reset(&mut self) {
        let Some(last) = self.deferred else { return };
        if last.after(self.cumulative) {
            return;
        }
        self.deferred = None;
        let mut from = 0;
        loop {
            let found = self.streams.iter_mut().find(|s| s.deferred && s.id() >= from);
            let Some(stream) = found else { break };
            stream.deferred = false;
            stream.next = 0;
            let id = stream.id();
            from = id.saturating_add(1);
            self.purge(|r| r.stream == id);
            // `reset` and `Limits::ready` keep a place for each stream.
            let _ = self.ready.push_back(Ready::Reset { stream: id });
        }
        self.surface_resets();
    }

    /// Reports the resets before which nothing is left to be read.
    fn surface_resets(&mut self) {
        while let Some(&Ready::Reset { stream }) = self.ready.front() {
            self.ready.pop_front();
            if let Some(entry) = self.streams.get_mut(stream)
                && !core::mem::replace(&mut entry.was_reset, true)
            {
                self.signals += 1;
            }
        }
    }

    /// The next stream that was reset by the peer.
    pub(super) fn next_reset(&mut self) -> Option<u16> {
        if self.signals == 0 {
            return None;
        }
        let stream = self.streams.iter_mut().find(|s| s.was_reset)?;
        stream.was_reset = false;
        self.signals -= 1;
        let (id, unused) = (stream.id(), stream.next == 0 && !stream.deferred);
        if unused && !self.runs.iter().any(|r| r.stream == id) {
            self.streams.remove(id);
        }
        Some(id)
    }

    // ------------------------------------------------------------- reading

    /// Stream, PPID and length of the next message.
    pub(super) fn peek(&self) -> Option<(u16, u32, usize)> {
        match self.ready.front()? {
            Ready::Message { stream, ppid, chain } => Some((*stream, *ppid, chain.len())),
            Ready::Reset { .. } => None,
        }
    }

    /// Gives back the message that was handed out last.
    pub(super) fn give_back(&mut self) {
        self.pool.release(core::mem::take(&mut self.lent));
    }

    /// The next message.
    pub(super) fn read(&mut self) -> Option<(u16, u32, &[u8])> {
        self.give_back();
        self.peek()?;
        let Some(Ready::Message { stream, ppid, chain }) = self.ready.pop_front() else { return None };
        self.messages -= 1;
        self.surface_resets();
        if self.pool.as_slice(&chain).is_some() {
            self.lent = chain;
            return Some((stream, ppid, self.pool.as_slice(&self.lent)?));
        }
        let data = self.linear.get_mut(..chain.len())?;
        let whole = self.pool.copy_to(&chain, 0, data);
        self.pool.release(chain);
        whole.then_some((stream, ppid, data))
    }
}
