//! Ending: SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE, and ABORT (RFC 9260,
//! Section 9).

use super::timeouts::Timeout;
use super::{Association, CloseReason, State};
use crate::env::Instant;
use crate::wire::Reader;
use crate::wire::sctp::{Cause, Tsn};

impl Association {
    /// Ends the association at once. What is not delivered is lost.
    pub fn abort(&mut self) {
        if self.state != State::Ended {
            self.due.abort = Some(Cause::USER_INITIATED);
            self.end(CloseReason::Aborted);
        }
    }

    /// Ends the association when all that was written is acknowledged.
    pub fn shutdown(&mut self, now: Instant) {
        match self.state {
            State::Established => {
                self.state = State::ShutdownPending;
                self.continue_shutdown(now);
            }
            State::Idle | State::CookieWait | State::CookieEchoed => self.end(CloseReason::Shutdown),
            _ => {}
        }
    }

    /// Goes on when nothing is left to be acknowledged.
    pub(super) fn continue_shutdown(&mut self, now: Instant) {
        if !self.outbound.is_idle() {
            return;
        }
        match self.state {
            State::ShutdownPending => {
                self.state = State::ShutdownSent;
                self.due.shutdown = true;
                self.timers.stop(Timeout::Heartbeat);
                self.timers.set(Timeout::Shutdown, now + self.outbound.cc.rto);
            }
            State::ShutdownReceived => {
                self.state = State::ShutdownAckSent;
                self.due.shutdown_ack = true;
                self.timers.stop(Timeout::Heartbeat);
                self.timers.set(Timeout::Shutdown, now + self.outbound.cc.rto);
            }
            _ => {}
        }
    }

    /// T2 ran out.
    pub(super) fn shutdown_timed_out(&mut self, now: Instant) {
        self.count_error();
        match self.state {
            State::ShutdownSent => self.due.shutdown = true,
            State::ShutdownAckSent => self.due.shutdown_ack = true,
            _ => return,
        }
        self.outbound.cc.back_off();
        self.timers.set(Timeout::Shutdown, now + self.outbound.cc.rto);
    }

    pub(super) fn handle_shutdown(&mut self, now: Instant, value: &[u8]) {
        let Ok(tsn) = Reader::new(value).u32() else { return self.drop_noise() };
        let before = self.outbound.cumulative;
        let _ = self.outbound.handle_cumulative(now, Tsn(tsn));
        match self.state {
            State::Established | State::ShutdownPending => self.state = State::ShutdownReceived,
            // Both ends shut down at once: "reply with a SHUTDOWN ACK chunk".
            State::ShutdownSent => {
                self.state = State::ShutdownAckSent;
                self.due.shutdown_ack = true;
                self.timers.set(Timeout::Shutdown, now + self.outbound.cc.rto);
            }
            _ => {}
        }
        let advanced = self.outbound.cumulative != before;
        self.after_acknowledgement(now, advanced);
    }

    pub(super) fn handle_shutdown_ack(&mut self) {
        if matches!(self.state, State::ShutdownSent | State::ShutdownAckSent) {
            self.end(CloseReason::Shutdown);
            self.due.shutdown_complete = true;
        }
    }

    pub(super) fn handle_shutdown_complete(&mut self) {
        if self.state == State::ShutdownAckSent {
            self.end(CloseReason::Shutdown);
        }
    }

    /// Whether a SHUTDOWN ACK with `tag` is for an association that is over:
    /// our SHUTDOWN COMPLETE was lost. "If the receiver of the SHUTDOWN ACK
    /// chunk is [...] in COOKIE-WAIT or COOKIE-ECHOED state", too, it "sends a
    /// SHUTDOWN COMPLETE chunk with the T bit set" (RFC 9260, Section 8.5.1, E).
    pub(super) fn reflects(&self, tag: u32) -> bool {
        match self.state {
            State::CookieWait | State::CookieEchoed => true,
            State::Ended => tag == self.link.tag,
            _ => false,
        }
    }
}
