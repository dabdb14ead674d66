//! STUN transactions (RFC 8489, Section 6.2.1): when a request is sent again,
//! and when it is given up; and its datagrams on a stream.

#[cfg(feature = "turn")]
mod credentials;
mod stream;

#[cfg(feature = "turn")]
pub use credentials::{long_term_key, long_term_key_sha256, userhash};
pub use stream::Deframer;

use crate::env::{Instant, Rng};
use crate::wire::stun::TransactionId;
use core::time::Duration;

/// When a request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Schedule {
    /// "RTO": the first interval.
    pub rto: Duration,
    /// How often the interval is doubled, each time after a transmission.
    pub doublings: u8,
    /// "Rc": how often the request is sent.
    pub transmissions: u8,
    /// "Rm": how many times the first interval an answer to the last
    /// transmission is waited for.
    pub last_wait: u32,
}

impl Schedule {
    /// The RFC's own: RTO 500 ms, Rc 7, Rm 16, which gives up after 39.5 s.
    pub const RFC: Self =
        Self { rto: Duration::from_millis(500), doublings: 6, transmissions: 7, last_wait: 16 };
}

/// What a transaction wants at a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Wait,
    /// The request is to be sent (again).
    Send,
    /// No answer came.
    TimedOut,
}

/// A request that is waiting for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Transaction {
    /// Its number.
    pub id: TransactionId,
    sent: u8,
    last_sent: Instant,
    next: Instant,
}

impl Transaction {
    /// A transaction whose request is to be sent at `at`.
    pub fn new(rng: &mut Rng, at: Instant) -> Self {
        Self { id: TransactionId(rng.array()), sent: 0, last_sent: at, next: at }
    }

    /// What is to be done at `now`.
    pub fn due(&self, schedule: &Schedule, now: Instant) -> Due {
        if now < self.next {
            Due::Wait
        } else if self.sent < schedule.transmissions {
            Due::Send
        } else {
            Due::TimedOut
        }
    }

    /// Notes that the request was sent.
    pub fn sent(&mut self, schedule: &Schedule, now: Instant) {
        self.sent = self.sent.saturating_add(1);
        self.last_sent = now;
        self.next = if self.sent < schedule.transmissions {
            // Doubling after each transmission (RFC 8489, Section 6.2.1).
            now + schedule.rto.saturating_mul(1 << (self.sent - 1).min(schedule.doublings).min(30))
        } else {
            now + schedule.rto.saturating_mul(schedule.last_wait)
        };
    }

    /// Lets the request be sent again before its time: at once, but no more
    /// often than five times per first interval, and never instead of waiting
    /// for the answer to the last transmission.
    pub fn hasten(&mut self, schedule: &Schedule, now: Instant) {
        if self.sent < schedule.transmissions {
            self.next = self.next.min(now.max(self.last_sent + schedule.rto / 5));
        }
    }

    /// When it wants something next.
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// How long ago the request was sent, if it was sent once only: else the
    /// answer may be one to an earlier transmission.
    pub fn round_trip(&self, now: Instant) -> Option<Duration> {
        (self.sent == 1).then(|| now - self.last_sent)
    }

    /// How often the request was sent.
    pub fn transmissions(&self) -> u8 {
        self.sent
    }

    /// Whether the request was sent at least once.
    pub fn was_sent(&self) -> bool {
        self.sent > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_that_of_the_rfc() {
        // "requests would be sent at times 0 ms, 500 ms, 1500 ms, 3500 ms,
        // 7500 ms, 15500 ms, and 31500 ms. If the client has not received a
        // response after 39500 ms, the client will consider the transaction
        // to have timed out."
        let start = Instant::from_millis(1000);
        let mut t = Transaction::new(&mut Rng::new([0; 32]), start);
        for ms in [0, 500, 1500, 3500, 7500, 15500, 31500] {
            let now = start + Duration::from_millis(ms);
            assert_eq!(t.deadline(), now);
            assert_eq!(t.due(&Schedule::RFC, now - Duration::from_micros(1)), Due::Wait);
            assert_eq!(t.due(&Schedule::RFC, now), Due::Send);
            t.sent(&Schedule::RFC, now);
        }
        let end = start + Duration::from_millis(39500);
        assert_eq!(t.due(&Schedule::RFC, end - Duration::from_micros(1)), Due::Wait);
        assert_eq!(t.due(&Schedule::RFC, end), Due::TimedOut);
    }

    #[test]
    fn haste_neither_spends_the_transmissions_at_once_nor_gives_up() {
        let schedule = Schedule { transmissions: 2, ..Schedule::RFC };
        let start = Instant::from_millis(1000);
        let after = |ms| start + Duration::from_millis(ms);
        let mut t = Transaction::new(&mut Rng::new([0; 32]), start);
        t.sent(&schedule, start);
        t.hasten(&schedule, after(1));
        assert_eq!(t.deadline(), after(100));
        t.hasten(&schedule, after(150));
        assert_eq!(t.deadline(), after(100), "what is due already stays due");
        t.sent(&schedule, after(150));
        t.hasten(&schedule, after(300));
        assert_eq!(t.deadline(), after(8150), "the last answer is waited for");
    }
}
