//! Sending: messages wait in the queues of their streams, streams take turns
//! by their priorities, and messages become chunks when a packet is built.

use super::config::Limits;
use super::congestion::Congestion;
use super::recovery::{Recovery, Sent32};
use super::streams::{NONE, OutStream, Reset, Streams};
use super::{Config, Message, Reliability, WriteError};
use crate::env::Instant;
use crate::mem::{BlockPool, Chain, FixedDeque, FixedVec, OutOfMemory, Place};
use crate::wire::Writer;
use crate::wire::sctp::{Data, HEADER_LEN, Tsn};

/// A message that waits to be sent or acknowledged.
#[derive(Debug)]
pub(super) struct Queued {
    /// The next one of its stream, or the next free place.
    next: u16,
    stream: u16,
    ppid: u32,
    unordered: bool,
    used: bool,
    /// What is not acknowledged.
    chain: Chain,
    /// Where the octets that were never sent begin, and how many they are.
    place: Place,
    unsent: usize,
    /// Set with the first fragment.
    started: bool,
    seq: u32,
    fsn: u32,
    expires: Option<Instant>,
    max_retransmits: Option<u16>,
}

/// How a chunk in the retransmission queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    InFlight,
    /// Acknowledged by a gap block.
    Acked,
    /// To be sent again.
    Lost,
    /// Given up: to be skipped by a FORWARD TSN.
    Abandoned,
}

/// A chunk that was sent and is not cumulatively acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// Its message, or [`NONE`] when that was given up.
    message: u16,
    pub(super) stream: u16,
    place: Place,
    pub(super) len: u16,
    pub(super) transmissions: u16,
    /// When it was transmitted last.
    pub(super) at: Sent32,
    pub(super) seq: u32,
    fsn: u32,
    /// Data with this TSN or a later one must be acknowledged before the chunk
    /// counts as missing: it was sent after the chunk's last transmission.
    pub(super) floor: Tsn,
    pub(super) fate: Fate,
    pub(super) misses: u8,
    pub(super) unordered: bool,
    begin: bool,
    end: bool,
}

/// The sending half of an association.
#[derive(Debug)]
pub(super) struct Outbound {
    pool: BlockPool,
    messages: FixedVec<Queued>,
    free: u16,
    pub(super) streams: Streams<OutStream>,
    /// Streams with octets that were never sent; whose turn it is, first.
    turns: FixedDeque<u16>,
    /// Chunks from `cumulative + 1` on.
    pub(super) sent: FixedDeque<Sent>,
    /// All up to here is acknowledged.
    pub(super) cumulative: Tsn,
    pub(super) next_tsn: Tsn,
    /// Octets in flight.
    pub(super) flight: usize,
    /// How many chunks are to be sent again, and where to look for the first.
    pub(super) lost: usize,
    pub(super) lost_from: Tsn,
    /// How many chunks gap blocks have acknowledged.
    pub(super) acked: usize,
    pub(super) window: usize,
    pub(super) cc: Congestion,
    pub(super) recovery: Recovery,
    pub(super) interleaved: bool,
    /// The peer skips what we give up.
    pub(super) partial: bool,
    /// "Restart the T3-rtx timer only if [...] the endpoint is retransmitting
    /// the first outstanding DATA chunk" (RFC 9260, Section 7.2.4).
    pub(super) restart_timer: bool,
    /// A FORWARD TSN is due.
    pub(super) forward_due: bool,
    /// Packets that may still leave before the next acknowledgement.
    burst: u16,
    /// How many streams the peer takes.
    pub(super) stream_count: u16,
    /// Entries of `streams` that are to be reported.
    pub(super) signals: usize,
    /// Some stream's message met a full buffer.
    refused: bool,
    /// Some stream waits for its reset.
    pub(super) resets_wanted: bool,
    /// The length of the packet that each new chunk fits, and whether one was
    /// lost again after it was sent again.
    #[cfg(feature = "path-mtu")]
    pub(super) cut: usize,
    #[cfg(feature = "path-mtu")]
    pub(super) lost_twice: bool,
    pub(super) retransmitted: u64,
    pub(super) abandoned: u64,
}

impl Outbound {
    pub(super) fn new(limits: &Limits, config: &Config) -> Result<Self, OutOfMemory> {
        Ok(Self {
            pool: BlockPool::new(limits.send_blocks(), limits.block)?,
            messages: FixedVec::new(limits.send_messages.min(NONE - 1).into())?,
            free: NONE,
            streams: Streams::new(limits.streams.into())?,
            turns: FixedDeque::new(limits.streams.into())?,
            sent: FixedDeque::new(limits.in_flight.into())?,
            cumulative: Tsn(0),
            next_tsn: Tsn(0),
            flight: 0,
            lost: 0,
            lost_from: Tsn(0),
            acked: 0,
            window: 0,
            cc: Congestion::new(config, 0),
            recovery: Recovery::default(),
            interleaved: false,
            partial: false,
            restart_timer: false,
            forward_due: false,
            burst: 0,
            stream_count: 0,
            signals: 0,
            refused: false,
            resets_wanted: false,
            #[cfg(feature = "path-mtu")]
            cut: usize::MAX,
            #[cfg(feature = "path-mtu")]
            lost_twice: false,
            retransmitted: 0,
            abandoned: 0,
        })
    }

    /// Starts over: nothing is queued, and `first` is the first TSN.
    pub(super) fn start(&mut self, first: Tsn, config: &Config, max_packet: usize) {
        self.sent.clear();
        self.turns.clear();
        self.streams.clear();
        while let Some(message) = self.messages.pop() {
            self.pool.release(message.chain);
        }
        self.free = NONE;
        self.cumulative = first.prev();
        self.next_tsn = first;
        self.flight = 0;
        self.lost = 0;
        self.lost_from = first;
        self.acked = 0;
        self.cc = Congestion::new(config, max_packet);
        self.recovery = Recovery::default();
        self.restart_timer = false;
        self.forward_due = false;
        self.burst = config.max_burst;
        self.signals = 0;
        self.refused = false;
        self.resets_wanted = false;
    }

    /// The longest message that the buffer can hold.
    pub(super) fn max_message(&self) -> usize {
        self.pool.total_bytes()
    }

    /// Octets that wait to be sent or acknowledged, rounded up to blocks.
    pub(super) fn buffered(&self) -> usize {
        self.pool.total_bytes() - self.pool.free_bytes()
    }

    /// Whether all that was written is acknowledged or given up.
    pub(super) fn is_idle(&self) -> bool {
        self.sent.is_empty() && self.turns.is_empty()
    }

    /// Whether something could be sent now, if the windows allow.
    pub(super) fn has_data(&self) -> bool {
        self.lost > 0 || !self.turns.is_empty()
    }

    /// The TSN of the chunk at `index` of `sent`.
    pub(super) fn tsn_at(&self, index: usize) -> Tsn {
        self.cumulative.add(index as u32).next()
    }

    // ------------------------------------------------------------- queueing

    pub(super) fn write(&mut self, now: Instant, message: &Message<'_>) -> Result<(), WriteError> {
        let &Message { stream: id, ppid, data, unordered, reliability } = message;
        if data.is_empty() {
            return Err(WriteError::Empty);
        }
        if id >= self.stream_count {
            return Err(WriteError::NoSuchStream);
        }
        let stream = self.streams.entry(id).ok_or(WriteError::TooManyStreams)?;
        if stream.reset != Reset::None {
            return Err(WriteError::StreamReset);
        }
        let place_left = self.free != NONE || !self.messages.is_full();
        let mut chain = Chain::EMPTY;
        if !place_left || self.pool.append(&mut chain, data).is_err() {
            stream.refused = data.len();
            self.refused = true;
            return Err(WriteError::Full);
        }
        let place = self.pool.start(&chain);
        let (expires, max_retransmits) = match reliability {
            Reliability::Reliable => (None, None),
            Reliability::Retransmits(n) => (None, Some(n)),
            Reliability::Lifetime(d) => (Some(now + d), None),
        };
        let queued = Queued {
            next: NONE,
            stream: id,
            ppid,
            unordered,
            used: true,
            chain,
            place,
            unsent: data.len(),
            started: false,
            seq: 0,
            fsn: 0,
            expires,
            max_retransmits,
        };
        let index = self.place_message(queued);
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        stream.refused = 0;
        stream.held += data.len();
        if is_application_data(ppid) {
            stream.buffered += data.len();
        }
        let tail = core::mem::replace(&mut stream.tail, index);
        if stream.head == NONE {
            stream.head = index;
            stream.credit = stream.quantum();
            // There are as many turns as streams.
            let _ = self.turns.push_back(id);
        } else if let Some(tail) = self.messages.get_mut(usize::from(tail)) {
            tail.next = index;
        }
        Ok(())
    }

    /// Puts a message in a free place, of which there is one.
    fn place_message(&mut self, queued: Queued) -> u16 {
        let index = self.free;
        match self.messages.get_mut(usize::from(index)) {
            Some(place) => {
                self.free = place.next;
                *place = queued;
                index
            }
            None => {
                let index = self.messages.len() as u16;
                let _ = self.messages.push(queued);
                index
            }
        }
    }

    fn free_message(&mut self, index: u16) {
        let Some(message) = self.messages.get_mut(usize::from(index)) else { return };
        message.used = false;
        message.next = self.free;
        self.pool.release(core::mem::take(&mut message.chain));
        self.free = index;
    }

    /// `octets` of a stream no longer wait to be acknowledged.
    fn release(&mut self, id: u16, octets: usize) {
        if let Some(stream) = self.streams.get_mut(id) {
            stream.held = stream.held.saturating_sub(octets);
        }
    }

    /// Tells the streams whose messages met a full buffer that there is room.
    pub(super) fn tell_refused(&mut self) {
        if !self.refused || (self.free == NONE && self.messages.is_full()) {
            return;
        }
        self.refused = false;
        let room = self.pool.free_bytes();
        for stream in self.streams.iter_mut().filter(|s| s.refused > 0) {
            if stream.refused > room {
                self.refused = true;
                continue;
            }
            stream.refused = 0;
            if !core::mem::replace(&mut stream.low, true) {
                self.signals += 1;
            }
        }
    }

    // ------------------------------------------------------------ scheduling

    /// The stream whose turn it is, by deficit round robin: each turn is worth
    /// an amount that follows the stream's priority, so that the shares are
    /// those of weighted fair queueing (RFC 8831, Section 6.4).
    fn stream_in_turn(&mut self) -> Option<u16> {
        // A debt is worth a few turns at most.
        for _ in 0..(MAX_DEBT as usize + 1) * self.turns.len() {
            let &id = self.turns.front()?;
            let Some(stream) = self.streams.get_mut(id) else {
                self.turns.pop_front();
                continue;
            };
            let started = self.messages.get(usize::from(stream.head)).is_some_and(|m| m.started);
            // "The fragments of a user message MUST be sent in consecutive
            // TSNs" unless they are interleaved.
            if stream.credit > 0 || (started && !self.interleaved) || self.turns.len() == 1 {
                return Some(id);
            }
            stream.credit = stream.credit.saturating_add(stream.quantum());
            self.turns.pop_front();
            let _ = self.turns.push_back(id);
        }
        self.turns.front().copied()
    }

    /// Takes the first message off its stream's queue.
    fn unqueue(&mut self, id: u16) {
        let Some(stream) = self.streams.get_mut(id) else { return };
        let next = self.messages.get(usize::from(stream.head)).map_or(NONE, |m| m.next);
        stream.head = next;
        if next == NONE {
            stream.tail = NONE;
            stream.credit = 0;
            let at = self.turns.iter().position(|&s| s == id);
            at.and_then(|at| self.turns.remove(at));
        }
    }

    // -------------------------------------------------------------- emission

    /// Puts as many chunks into the packet as it and the windows take: lost
    /// ones first. Says whether there was any.
    pub(super) fn emit(&mut self, now: Instant, w: &mut Writer<'_>, max_packet: usize) -> bool {
        let before = w.len();
        let recovering = core::mem::take(&mut self.cc.retransmit_at_once);
        if self.lost > 0 && (recovering || self.flight < self.cc.window) {
            self.emit_lost(now, w);
        }
        self.emit_probe(now, w, max_packet);
        if self.lost == 0 && self.may_burst() {
            while self.flight < self.cc.window && self.emit_new(now, w, max_packet) {}
        }
        let any = w.len() > before;
        if any {
            self.burst = self.burst.saturating_sub(1);
        }
        any
    }

    fn may_burst(&self) -> bool {
        self.burst > 0 || self.cc.max_burst == 0 || self.flight == 0
    }

    /// An acknowledgement or a timeout: a new burst may leave.
    pub(super) fn renew_burst(&mut self) {
        self.burst = self.cc.max_burst;
    }

    fn emit_lost(&mut self, now: Instant, w: &mut Writer<'_>) {
        let mut index = self.lost_from.since(self.cumulative.next()) as usize;
        while self.lost > 0 {
            let Some(sent) = self.sent.get(index) else { break };
            if sent.fate != Fate::Lost {
                index += 1;
                continue;
            }
            let message = sent.message;
            if self.is_exhausted(now, message, sent.transmissions) && self.abandon(now, message) {
                continue;
            }
            if !self.emit_again(now, index, w) {
                break;
            }
            index += 1;
        }
        self.lost_from = self.tsn_at(index);
    }

    /// Whether a message's reliability allows no further transmission of a
    /// chunk that was transmitted so often.
    fn is_exhausted(&self, now: Instant, message: u16, transmissions: u16) -> bool {
        let Some(message) = self.messages.get(usize::from(message)).filter(|_| self.partial) else {
            return false;
        };
        message.expires.is_some_and(|at| at <= now)
            || message.max_retransmits.is_some_and(|max| transmissions > max)
    }

    pub(super) fn emit_again(&mut self, now: Instant, index: usize, w: &mut Writer<'_>) -> bool {
        let tsn = self.tsn_at(index);
        let floor = self.next_tsn;
        let Some(sent) = self.sent.get_mut(index) else { return false };
        let Some(message) = self.messages.get(usize::from(sent.message)) else { return false };
        let head = Data {
            tsn,
            stream: sent.stream,
            seq: sent.seq,
            ppid: message.ppid,
            fsn: sent.fsn,
            immediate: false,
            unordered: sent.unordered,
            begin: sent.begin,
            end: sent.end,
        };
        let (place, pool) = (sent.place, &self.pool);
        let len = usize::from(sent.len);
        let fill = |room: &mut [u8]| {
            // The place was the chunk's when it was cut.
            let _ = pool.read(place, room);
        };
        if head.emit(w, self.interleaved, len, fill).is_err() {
            return false;
        }
        sent.transmissions = sent.transmissions.saturating_add(1);
        sent.at = Sent32::new(now);
        sent.fate = Fate::InFlight;
        sent.misses = 0;
        sent.floor = floor;
        self.flight += len;
        self.lost -= 1;
        self.retransmitted += 1;
        self.restart_timer |= index == 0;
        true
    }

    /// The length of a packet with the first chunk that is to be sent again
    /// and nothing else; 0 when there is none.
    pub(super) fn longest_lost(&self) -> usize {
        if self.lost == 0 {
            return 0;
        }
        let from = self.lost_from.since(self.cumulative.next()) as usize;
        let lost = self.sent.iter().skip(from).find(|s| s.fate == Fate::Lost);
        lost.map_or(0, |s| HEADER_LEN + self.data_header_len() + usize::from(s.len).next_multiple_of(4))
    }

    /// The longest fragment of a packet with nothing else in it.
    fn max_fragment(&self, max_packet: usize) -> usize {
        #[cfg(feature = "path-mtu")]
        let max_packet = max_packet.min(self.cut);
        (max_packet & !3).saturating_sub(HEADER_LEN + self.data_header_len())
    }

    fn data_header_len(&self) -> usize {
        if self.interleaved { Data::I_HEADER_LEN } else { Data::HEADER_LEN }
    }

    /// One more chunk of what was never sent.
    pub(super) fn emit_new(&mut self, now: Instant, w: &mut Writer<'_>, max_packet: usize) -> bool {
        let (id, index) = loop {
            let Some(id) = self.stream_in_turn() else { return false };
            let index = self.streams.get(id).map_or(NONE, |s| s.head);
            if !(self.is_exhausted(now, index, 0) && self.abandon(now, index)) {
                break (id, index);
            }
        };
        let room = (w.room() & !3).saturating_sub(self.data_header_len());
        let (most, window) = (self.max_fragment(max_packet), self.window.saturating_sub(self.flight));
        let interleaved = self.interleaved;
        // Few messages fit into the congestion window, or into the arena.
        let few = self.cc.window.min(self.pool.total_bytes() / 2) <= 2 * max_packet;
        let flight = self.flight;
        let (Some(message), Some(stream)) =
            (self.messages.get_mut(usize::from(index)), self.streams.get_mut(id))
        else {
            return false;
        };
        let len = message.unsent.min(room.min(most));
        // A fragment that is not the last one fills at least half a packet.
        let too_small = len < message.unsent && len < most / 2;
        // "When the receiver has no buffer space, a probe being sent is called
        // a zero window probe. [...] sent only when all outstanding DATA
        // chunks have been cumulatively acknowledged" (RFC 9260, Section 6.1)
        let closed = len > window && flight > 0;
        if len == 0 || too_small || closed || self.sent.is_full() {
            return false;
        }
        if !message.started {
            message.started = true;
            let counter =
                if message.unordered { &mut stream.next_unordered } else { &mut stream.next_ordered };
            message.seq = *counter;
            *counter = counter.wrapping_add(1);
        }
        let sent = Sent {
            message: index,
            stream: id,
            place: message.place,
            len: len as u16,
            transmissions: 1,
            at: Sent32::new(now),
            seq: message.seq,
            fsn: message.fsn,
            floor: self.next_tsn,
            fate: Fate::InFlight,
            misses: 0,
            unordered: message.unordered,
            begin: message.fsn == 0,
            end: len == message.unsent,
        };
        let head = Data {
            tsn: self.next_tsn,
            stream: id,
            seq: message.seq,
            ppid: message.ppid,
            fsn: message.fsn,
            // The peer's delay would stall us (RFC 7053).
            immediate: few && sent.end,
            unordered: message.unordered,
            begin: sent.begin,
            end: sent.end,
        };
        let (pool, mut place) = (&self.pool, message.place);
        let fill = |room: &mut [u8]| place = pool.read(place, room).unwrap_or(place);
        if head.emit(w, interleaved, len, fill).is_err() {
            return false;
        }
        message.place = place;
        message.unsent -= len;
        message.fsn = message.fsn.wrapping_add(1);
        let done = message.unsent == 0;
        let low = is_application_data(message.ppid) && stream.unbuffer(len);
        let debt = -(stream.quantum().saturating_mul(MAX_DEBT));
        stream.credit = stream.credit.saturating_sub(len as i32).max(debt);
        let _ = self.sent.push_back(sent);
        self.cc.probe(self.next_tsn, now);
        self.next_tsn = self.next_tsn.next();
        self.flight += len;
        self.signals += usize::from(low);
        if done {
            self.unqueue(id);
        }
        true
    }

    // ------------------------------------------------- acknowledged, given up

    /// Takes the first chunk out: it is cumulatively acknowledged, or skipped.
    /// Returns how many octets that acknowledges.
    pub(super) fn retire(&mut self, now: Instant) -> usize {
        let Some(sent) = self.sent.pop_front() else { return 0 };
        if matches!(sent.fate, Fate::InFlight | Fate::Lost) {
            self.note_delivered(now, sent.at, sent.transmissions);
        }
        self.cumulative = self.cumulative.next();
        let len = usize::from(sent.len);
        match sent.fate {
            Fate::InFlight => self.flight -= len,
            Fate::Lost => self.lost -= 1,
            Fate::Acked => self.acked -= 1,
            Fate::Abandoned => return 0,
        }
        if let Some(message) = self.messages.get_mut(usize::from(sent.message)) {
            self.pool.consume(&mut message.chain, len);
            if message.chain.is_empty() {
                self.free_message(sent.message);
            }
            self.release(sent.stream, len);
        }
        len
    }

    /// Gives a message up: what was sent of it is skipped, the rest is dropped
    /// (RFC 3758, Section 3.5). `false` when there is no place to note that.
    fn abandon(&mut self, now: Instant, index: u16) -> bool {
        let Some(message) = self.messages.get(usize::from(index)).filter(|m| m.used) else { return false };
        let (id, ppid, unsent) = (message.stream, message.ppid, message.unsent);
        let (left, queued) = (message.chain.len(), unsent > 0);
        if message.started {
            // What was sent may all have arrived: then it takes a TSN of the
            // rest to tell the peer that the rest will not come.
            let rest = Sent {
                message: NONE,
                stream: id,
                place: message.place,
                len: 0,
                transmissions: 0,
                at: Sent32::new(now),
                seq: message.seq,
                fsn: message.fsn,
                floor: self.next_tsn,
                fate: Fate::Abandoned,
                misses: 0,
                unordered: message.unordered,
                begin: false,
                end: true,
            };
            if queued {
                if self.sent.push_back(rest).is_err() {
                    return false;
                }
                self.next_tsn = self.next_tsn.next();
            }
            for sent in self.sent.iter_mut().filter(|s| s.message == index) {
                match sent.fate {
                    Fate::InFlight => self.flight -= usize::from(sent.len),
                    Fate::Lost => self.lost -= 1,
                    Fate::Acked => self.acked -= 1,
                    Fate::Abandoned => {}
                }
                sent.fate = Fate::Abandoned;
                sent.message = NONE;
            }
            self.forward_due = true;
        }
        if queued {
            self.unqueue(id);
        }
        self.free_message(index);
        self.release(id, left);
        if is_application_data(ppid)
            && let Some(stream) = self.streams.get_mut(id)
        {
            self.signals += usize::from(stream.unbuffer(unsent));
        }
        self.abandoned += 1;
        true
    }

    /// What was in flight is lost: a timeout.
    pub(super) fn lose_all(&mut self) {
        for sent in self.sent.iter_mut().filter(|s| s.fate == Fate::InFlight) {
            sent.fate = Fate::Lost;
            sent.misses = 0;
            self.lost += 1;
        }
        self.flight = 0;
        self.lost_from = self.cumulative.next();
        self.forward_due |= self.sent.front().is_some_and(|s| s.fate == Fate::Abandoned);
    }
}

/// Whether a message's octets are the application's: those of DCEP (50) and
/// the one octet that stands for an empty message (56, 57) are not (RFC 8831,
/// Sections 6.6 and 8).
fn is_application_data(ppid: u32) -> bool {
    !matches!(ppid, 50 | 56 | 57)
}

/// How many turns a stream can have used up in advance.
const MAX_DEBT: i32 = 8;
