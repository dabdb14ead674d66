//! Acknowledgements (RFC 9147, Section 7): ours, and what the peer's mean.

use super::Role;
use super::flight::{Acked, MAX_INTERVAL};
use super::machine::{Machine, State};
use crate::env::{Env, Instant, Span as _};
use crate::wire::Writer;
use crate::wire::dtls::{Ack, ContentType};
use core::time::Duration;

/// How many records are acknowledged at once: "if space is limited,
/// implementations SHOULD favor including records which have not yet been
/// acknowledged".
const MAX_ACKED: usize = 10;

/// Which records of the peer's current flight came and were of use.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Epochs and sequence numbers.
    records: heapless::Vec<(u64, u64), MAX_ACKED>,
    /// Whether an ACK goes out now.
    due: bool,
    /// When the rest of a flight that did not come is asked for.
    timer: Option<Instant>,
    /// How often it was.
    reminders: u32,
}

impl Acks {
    /// Notes a record.
    pub(super) fn note(&mut self, epoch: u64, sequence: u64) {
        if self.records.is_full() {
            self.records.remove(0);
        }
        // There is room now.
        let _ = self.records.push((epoch, sequence));
    }

    /// Sends an ACK as soon as possible.
    pub(super) fn hurry(&mut self) {
        self.due = true;
    }

    /// Forgets the flight: our own, which follows it, says that it came.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Waits for no more of the flight.
    pub(super) fn complete(&mut self) {
        (self.timer, self.reminders) = (None, 0);
    }

    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timer
    }

    /// Asks for the rest of a flight when it is time, ever more seldom; says
    /// how often it was in vain.
    pub(super) fn handle_timeout(&mut self, now: Instant, interval: Duration) -> u32 {
        if self.timer.is_some_and(|at| at <= now) {
            self.due = true;
            self.reminders += 1;
            self.timer = Some(now + self.patience(interval));
            return self.reminders;
        }
        0
    }

    /// "in numerically increasing order" (RFC 9147, Section 7). There are few of
    /// them, and they are nearly in order: what the library sorts with is 3.7 KB
    /// of a chip's flash.
    fn sort(&mut self) {
        for end in 1..self.records.len() {
            for at in (0..end).rev() {
                match self.records.get_mut(at..at + 2) {
                    Some([a, b]) if *a > *b => core::mem::swap(a, b),
                    _ => break,
                }
            }
        }
    }

    fn patience(&self, interval: Duration) -> Duration {
        (interval / 4).times(1 << self.reminders.min(10)).min(MAX_INTERVAL)
    }
}

impl Machine {
    /// Takes in the peer's ACK.
    pub(super) fn handle_ack(&mut self, body: &[u8]) {
        let Ok(ack) = Ack::parse(body) else {
            self.counters.noise += 1;
            return;
        };
        match self.flight.acknowledge(ack.iter()) {
            Acked::All => {
                if let Err(error) = self.flight_arrived() {
                    self.fail(error);
                }
            }
            // "Upon receipt of an ACK that leaves it with only some messages
            // from a flight having been acknowledged, an implementation SHOULD
            // retransmit the unacknowledged messages or fragments."
            Acked::Some => self.flight.resend(),
            Acked::Idle => {}
        }
    }

    /// Decides, after a record of the peer's was read, whether it is
    /// acknowledged by a record of its own.
    pub(super) fn consider_ack(&mut self, env: &Env<'_>, epoch: u64) {
        if !self.is_13() || self.acks.records.is_empty() {
            return;
        }
        if self.state != State::Connected {
            // A server before its first flight would have to send it in the
            // clear, to a client that may know nothing of ACKs.
            if self.records.write_epoch() > 0 {
                self.ask_for_rest(env);
            }
        } else if epoch > 2 || self.role == Role::Server {
            // "the server MUST respond to retransmission of the client's final
            // flight with a retransmit of its ACK". A server's own flight needs
            // none: the client's answer is sent again instead.
            self.acks.hurry();
        }
    }

    /// "set a timer for 1/4 the current retransmit timer value when the first
    /// record in the flight is received and then send an ACK when that timer
    /// expires" (RFC 9147, Section 7.1). The ACK may be an empty one, of a
    /// flight whose ServerHello is missing.
    pub(super) fn ask_for_rest(&mut self, env: &Env<'_>) {
        let at = env.now + self.acks.patience(self.config.retransmission_timeout);
        self.acks.timer.get_or_insert(at);
    }

    /// Starts a flight: the peer's, which it answers, has arrived.
    pub(super) fn begin_flight(&mut self) {
        self.flight.begin();
        self.acks.clear();
    }

    /// Writes an ACK if one is due.
    pub(super) fn write_ack(&mut self, out: &mut [u8]) -> Option<usize> {
        if !self.acks.is_due() {
            return None;
        }
        let epoch = self.records.write_epoch();
        let (head, tail) = self.records.overhead(epoch);
        let room = out.len().checked_sub(tail)?;
        let mut w = Writer::new(out.get_mut(head..room)?);
        self.acks.sort();
        Ack::emit(&mut w, self.acks.records.iter().copied()).ok()?;
        let len = head + w.len() + tail;
        let record = out.get_mut(..len)?;
        self.records.seal(epoch, ContentType::ACK, record)?;
        self.acks.due = false;
        Some(len)
    }
}
