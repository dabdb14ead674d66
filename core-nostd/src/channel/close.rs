//! Closing: by stream resets, in both directions (RFC 8831, Section 6.7).

use super::table::{Owed, Signal};
use super::{Channels, RTCDataChannelId, RTCDataChannelState};
use crate::env::Instant;
use crate::sctp::Association;

impl Channels {
    /// Closes a channel of ours. What was sent before is still delivered.
    pub(crate) fn close(&mut self, id: RTCDataChannelId, sctp: &mut Association) {
        let Some(slot) = self.table.get_mut(id) else { return };
        match (slot.state, slot.stream) {
            (RTCDataChannelState::Open, Some(stream)) => {
                slot.state = RTCDataChannelState::Closing;
                slot.reset_requested = true;
                sctp.reset_stream(stream);
            }
            // Nobody but us knows of it.
            (RTCDataChannelState::Connecting, _) => self.finish(id),
            _ => {}
        }
    }

    /// The peer reset its half of a stream, and all it had sent was read.
    pub(crate) fn peer_reset(&mut self, stream: u16, sctp: &mut Association) {
        let Some(id) = self.table.by_stream(stream) else { return };
        let Some(slot) = self.table.get_mut(id) else { return };
        slot.closed_in = true;
        if !slot.reset_requested {
            // "When a peer sees that an incoming stream was reset, it also
            // resets its corresponding outgoing stream." (RFC 8831, Section
            // 6.7)
            slot.reset_requested = true;
            slot.state = RTCDataChannelState::Closing;
            sctp.reset_stream(stream);
            self.table.signal(id, Signal::Closing);
        }
        self.finish_when_both_halves_are_done(id);
    }

    /// Our half of a stream is reset, acknowledged by the peer.
    pub(crate) fn own_reset_done(&mut self, stream: u16) {
        let Some(id) = self.table.by_stream(stream) else { return };
        let Some(slot) = self.table.get_mut(id) else { return };
        slot.closed_out = true;
        self.finish_when_both_halves_are_done(id);
    }

    /// DCEP speaks on a stream. When the stream's last channel is closing, and
    /// the peer's half is reset, then so is ours: the peer gives a number to
    /// another channel when both are. Its answer to our reset was lost.
    pub(super) fn finish_close(&mut self, now: Instant, stream: u16, sctp: &mut Association) {
        while let Some(reset) = sctp.poll_peer_reset() {
            self.peer_reset(reset, sctp);
        }
        let slot = self.table.by_stream(stream).and_then(|id| self.table.get(id));
        if slot.is_some_and(|slot| slot.closed_in) && sctp.confirm_reset(now, stream) {
            self.own_reset_done(stream);
        }
    }

    /// The association is gone: every channel ends, by an error unless the
    /// end was asked for.
    pub(crate) fn transport_closed(&mut self, by_error: bool) {
        self.established = false;
        let mut next = 0;
        while let Some(id) = self.table.next_id(next) {
            next = id.index.saturating_add(1);
            if by_error {
                self.fail(id)
            } else {
                self.finish(id)
            }
            if next == u16::MAX {
                break;
            }
        }
    }

    /// Ends a channel by an error.
    pub(super) fn fail(&mut self, id: RTCDataChannelId) {
        if self.table.get(id).is_some_and(|s| s.state != RTCDataChannelState::Closed) {
            self.table.signal(id, Signal::Error);
            self.finish(id);
        }
    }

    fn finish_when_both_halves_are_done(&mut self, id: RTCDataChannelId) {
        if self.table.get(id).is_some_and(|s| s.closed_in && s.closed_out) {
            self.finish(id);
        }
    }

    fn finish(&mut self, id: RTCDataChannelId) {
        let Some(slot) = self.table.get_mut(id) else { return };
        if slot.state == RTCDataChannelState::Closed {
            return;
        }
        slot.state = RTCDataChannelState::Closed;
        if slot.was_open {
            self.counters.closed += 1;
        }
        if let Some(stream) = slot.stream {
            self.table.unbind(id, stream);
        }
        // What was not announced by now is not announced any more.
        self.table.owe(id, Owed::Nothing);
        self.table.signal(id, Signal::Closed);
    }
}
