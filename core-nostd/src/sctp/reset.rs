//! Resetting streams (RFC 6525).

use super::streams::{Reset, Stream};
use super::timeouts::Timeout;
use super::{Association, State};
use crate::env::Instant;
use crate::wire::Writer;
use crate::wire::sctp::{
    CHUNK_HEADER_LEN, ChunkType, Reconfig, ResetResult, Streams, Tsn, emit_chunk, emit_outgoing_reset,
    emit_response,
};

/// Requests of both ends. Each end has one under way at most.
#[derive(Debug, Default)]
pub(super) struct Resets {
    /// The number of our next request, or of the one under way.
    pub(super) request: u32,
    under_way: Option<UnderWay>,
    /// The peer's next request.
    expected: u32,
    /// The peer's request that has to be made again, since it waits for TSNs.
    deferred: Option<u32>,
    /// The answer to the peer's last request.
    answer: Option<ResetResult>,
    /// Requests that are to be answered, with their numbers.
    pub(super) answers: heapless::Vec<(u32, ResetResult), 2>,
    /// Streams that the peer sent on and that there was no entry for: they are
    /// reset, so that it does not believe them served.
    refused: heapless::Vec<u16, MAX_REFUSED>,
    /// How many of them, from the first, the request under way names.
    refused_requested: usize,
}

#[derive(Debug, Clone, Copy)]
struct UnderWay {
    /// Our last TSN when it was made.
    last: Tsn,
    /// To be sent, again perhaps.
    due: bool,
}

/// How many streams one request names.
const MAX_STREAMS: usize = 64;
/// How many streams without an entry can wait to be reset.
const MAX_REFUSED: usize = 32;

impl Resets {
    /// "it is RECOMMENDED [that] the initial value [be] the initial TSN" of
    /// each end (RFC 6525, Sections 4.1 and 5.1.1).
    pub(super) fn start(&mut self, ours: Tsn, theirs: Tsn) {
        *self = Self { request: ours.0, expected: theirs.0, ..Self::default() };
    }
}

impl Association {
    /// Resets a stream that we send on, once all that was written on it is
    /// acknowledged. Nothing can be written on it until
    /// [`Event::OwnResetDone`](super::Event::OwnResetDone).
    pub fn reset_stream(&mut self, stream: u16) {
        if self.state != State::Established {
            return;
        }
        let Some(entry) = self.outbound.streams.entry(stream) else { return };
        if entry.reset == Reset::None {
            entry.reset = Reset::Wanted;
            self.outbound.resets_wanted = true;
        }
    }

    /// The peer uses a stream anew whose reset we asked for: it has performed
    /// the request, and its answer was lost. Whether that was so; the reset of
    /// this stream is over then, and there will be no event of it.
    pub(crate) fn confirm_reset(&mut self, now: Instant, stream: u16) -> bool {
        if self.outbound.streams.get(stream).is_none_or(|s| s.reset != Reset::Requested) {
            return false;
        }
        // A request is performed as a whole.
        self.handle_answer(now, self.resets.request, ResetResult::PERFORMED);
        self.finish_reset(stream);
        true
    }

    /// Resets a stream for which there is no entry.
    pub(super) fn refuse_stream(&mut self, stream: u16) {
        if self.link.peer.reconfig && !self.resets.refused.contains(&stream) {
            let _ = self.resets.refused.push(stream);
        }
    }

    /// Makes a request of the streams that have nothing left in flight.
    fn start_request(&mut self) {
        let wanted = self.outbound.resets_wanted || !self.resets.refused.is_empty();
        if !wanted || self.resets.under_way.is_some() {
            return;
        }
        let can = self.link.peer.reconfig;
        self.resets.refused_requested = self.resets.refused.len();
        let mut requested = self.resets.refused_requested;
        let mut waiting = false;
        for stream in self.outbound.streams.iter_mut().filter(|s| s.reset == Reset::Wanted) {
            if stream.held > 0 || requested == MAX_STREAMS {
                waiting = true;
            } else if can {
                stream.reset = Reset::Requested;
                requested += 1;
            } else {
                // A peer without RFC 6525: there is nobody to tell.
                stream.reset = Reset::Done;
                self.outbound.signals += 1;
            }
        }
        self.outbound.resets_wanted = waiting;
        if requested > 0 {
            self.resets.under_way = Some(UnderWay { last: self.outbound.next_tsn.prev(), due: true });
        }
    }

    pub(super) fn emit_reconfig(&mut self, now: Instant, w: &mut Writer<'_>) {
        // A turn each: those that there is no room for wait.
        let mut is_full = false;
        self.resets.answers.retain(|&(request, result)| {
            let emit = |w: &mut Writer<'_>| emit_response(w, request, result);
            is_full = is_full || emit_chunk(w, ChunkType::RE_CONFIG, 0, emit).is_err();
            is_full
        });
        if is_full {
            return;
        }
        self.start_request();
        let Some(UnderWay { last, due: true }) = self.resets.under_way else { return };
        let streams = self.outbound.streams.iter().filter(|s| s.reset == Reset::Requested).map(Stream::id);
        let refused = self.resets.refused.iter().take(self.resets.refused_requested).copied();
        let streams = streams.chain(refused);
        let (request, response) = (self.resets.request, self.resets.expected.wrapping_sub(1));
        let emit = |w: &mut Writer<'_>| emit_outgoing_reset(w, request, response, last, streams);
        if w.room() > CHUNK_HEADER_LEN && emit_chunk(w, ChunkType::RE_CONFIG, 0, emit).is_ok() {
            self.resets.under_way = Some(UnderWay { last, due: false });
            self.timers.set(Timeout::Reconfig, now + self.outbound.cc.rto);
        }
    }

    /// No answer came, or one that says to ask again.
    pub(super) fn reconfig_timed_out(&mut self) {
        if let Some(under_way) = &mut self.resets.under_way {
            under_way.due = true;
            self.count_error();
        }
    }

    pub(super) fn handle_reconfig(&mut self, now: Instant, param: &Reconfig<'_>) {
        match *param {
            Reconfig::Response { request, result } => self.handle_answer(now, request, result),
            Reconfig::OutgoingReset { request, last_tsn, streams } => {
                if !self.is_next(request) {
                    return;
                }
                self.inbound.give_back();
                // One that waited may have been performed meanwhile.
                let performed = match self.resets.deferred {
                    Some(deferred) if deferred == request => self.inbound.deferred.is_none(),
                    _ => self.start_incoming_reset(request, last_tsn, &streams),
                };
                let result = if performed { ResetResult::PERFORMED } else { ResetResult::IN_PROGRESS };
                self.answer(request, result);
            }
            Reconfig::IncomingReset { request, .. }
            | Reconfig::TsnReset { request }
            // We offer all streams from the start.
            | Reconfig::AddIncoming { request, .. } => {
                if self.is_next(request) {
                    self.answer(request, ResetResult::DENIED);
                }
            }
            Reconfig::AddOutgoing { request, count } => {
                if !self.is_next(request) {
                    return;
                }
                let result = match self.inbound.stream_count.checked_add(count) {
                    Some(sum) => {
                        self.inbound.stream_count = sum;
                        ResetResult::PERFORMED
                    }
                    None => ResetResult::DENIED,
                };
                self.answer(request, result);
            }
            Reconfig::Unknown => self.drop_noise(),
        }
    }

    fn start_incoming_reset(&mut self, request: u32, last: Tsn, streams: &Streams<'_>) -> bool {
        let outbound = &self.outbound.streams;
        let performed = self.inbound.reset(last, streams.iter(), |s| outbound.get(s).is_some());
        // Without room for it, it was not even begun.
        self.resets.deferred = self.inbound.deferred.map(|_| request);
        performed
    }

    /// Whether a request is the one that is expected. One that was answered is
    /// answered again in the same way; others have "bad sequence numbers"
    /// (RFC 6525, Section 5.2.1).
    fn is_next(&mut self, request: u32) -> bool {
        if request == self.resets.expected {
            return true;
        }
        let repeated = self.resets.answer.filter(|_| request == self.resets.expected.wrapping_sub(1));
        let _ = self.resets.answers.push((request, repeated.unwrap_or(ResetResult::BAD_SEQUENCE)));
        false
    }

    fn answer(&mut self, request: u32, result: ResetResult) {
        if result != ResetResult::IN_PROGRESS {
            self.resets.answer = Some(result);
            self.resets.deferred = None;
            self.resets.expected = request.wrapping_add(1);
        }
        let _ = self.resets.answers.push((request, result));
    }

    fn handle_answer(&mut self, now: Instant, request: u32, result: ResetResult) {
        if self.resets.under_way.is_none() || request != self.resets.request {
            return self.drop_noise();
        }
        self.errors = 0;
        if result == ResetResult::IN_PROGRESS {
            self.timers.set(Timeout::Reconfig, now + self.outbound.cc.rto);
            return;
        }
        self.resets.request = request.wrapping_add(1);
        self.resets.under_way = None;
        self.timers.stop(Timeout::Reconfig);
        let again = result == ResetResult::REQUEST_IN_PROGRESS;
        if !again {
            let kept = self.resets.refused.get(self.resets.refused_requested..).unwrap_or_default();
            self.resets.refused = heapless::Vec::from_slice(kept).unwrap_or_default();
        }
        self.resets.refused_requested = 0;
        for stream in self.outbound.streams.iter_mut().filter(|s| s.reset == Reset::Requested) {
            if again {
                stream.reset = Reset::Wanted;
                self.outbound.resets_wanted = true;
            } else {
                // A peer that refuses keeps its half; ours is over all the
                // same, and so is the channel.
                stream.reset = Reset::Done;
                self.outbound.signals += 1;
            }
        }
    }
}
