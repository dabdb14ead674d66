//! Which chunks are lost: by reports of what is missing (RFC 9260, Section
//! 7.2.4), by the time at which what was acknowledged had left, and by probes
//! of a tail that nothing follows (RFC 8985, carried over to SCTP).

use super::data_out::{Fate, Outbound};
use crate::env::{Instant, Span as _};
use crate::wire::Writer;
use crate::wire::sctp::Tsn;
use core::time::Duration;

/// After how many reports a chunk is missing (RFC 9260, Section 7.2.4).
const MISSING: u8 = 3;

/// What is known of the order in which packets arrive.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// When the chunk left that was sent last of all that were acknowledged,
    /// and how long its acknowledgement took, in µs.
    newest: Option<(Sent32, u32)>,
    /// When a chunk counts as lost unless it is acknowledged before.
    pub(super) deadline: Option<Instant>,
    /// A tail loss probe is to be sent.
    pub(super) probe_due: bool,
    /// The chunk that one sent again, and the first TSN that was not used by
    /// then.
    probe: Option<(Tsn, Tsn)>,
    /// No second probe before something new is acknowledged.
    pub(super) probed: bool,
}

/// When a chunk left: the low bits of the clock, in µs. What is in flight is
/// much younger than their half hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent32(u32);

impl Sent32 {
    pub(super) fn new(now: Instant) -> Self {
        Self(now.as_micros() as u32)
    }

    /// How much later than `other`, in µs; negative when it was earlier.
    fn later_than(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }
}

impl Outbound {
    /// A chunk that left at `at` was acknowledged for the first time.
    pub(super) fn note_delivered(&mut self, now: Instant, at: Sent32, transmissions: u16) {
        let age = Sent32::new(now).later_than(at).max(0) as u32;
        // "if the packet was retransmitted and RTT < RACK.min_RTT", it is
        // likely the original that arrived (RFC 8985, Section 6.2, Step 2).
        if transmissions > 1 && u128::from(age) < self.cc.least_round_trip().as_micros() {
            return;
        }
        self.recovery.probed = false;
        if self.recovery.newest.is_none_or(|(newest, _)| at.later_than(newest) >= 0) {
            self.recovery.newest = Some((at, age));
        }
    }

    /// How much later than its successors a chunk may arrive: "RACK.reo_wnd =
    /// RACK.min_RTT / 4" (RFC 8985, Section 6.2, Step 4).
    fn reordering(&self) -> i32 {
        i32::try_from(self.cc.least_round_trip().as_micros() / 4).unwrap_or(i32::MAX)
    }

    /// Looks for lost chunks among those before the one at `highest`, which is
    /// acknowledged. Those before `counted` are reported missing once more.
    pub(super) fn find_lost(&mut self, now: Instant, highest: usize, counted: usize) {
        let highest_tsn = self.tsn_at(counted);
        let reordering = self.reordering();
        let newest = self.recovery.newest;
        let (mut found, mut wait) = (false, None::<i32>);
        for index in 0..highest {
            let tsn = self.tsn_at(index);
            let Some(sent) = self.sent.get_mut(index) else { break };
            if sent.fate != Fate::InFlight {
                continue;
            }
            let mut lost = false;
            // A chunk that was sent again is missing again when what was sent
            // after it has arrived, so that a second loss costs no timeout.
            if index < counted && !highest_tsn.before(sent.floor) {
                sent.misses += 1;
                lost = sent.misses >= MISSING;
            }
            if let Some((newest, took)) = newest
                && newest.later_than(sent.at) >= 0
            {
                // What is left of the time in which it may still come.
                let age = Sent32::new(now).later_than(sent.at);
                let left = (took as i32).saturating_add(reordering).saturating_sub(age);
                lost |= left <= 0;
                if !lost {
                    wait = Some(wait.map_or(left, |w| w.min(left)));
                }
            }
            if lost {
                #[cfg(feature = "path-mtu")]
                {
                    self.lost_twice |= sent.transmissions > 1;
                }
                sent.fate = Fate::Lost;
                self.flight -= usize::from(sent.len);
                self.note_lost(tsn);
                found = true;
            }
        }
        self.recovery.deadline = wait.map(|left| now + Duration::from_micros(left.max(0) as u64));
        if found {
            self.cc.lost(self.next_tsn.prev());
        }
    }

    /// The deadline passed: what has not come by now is lost.
    pub(super) fn reordering_timed_out(&mut self, now: Instant) {
        self.recovery.deadline = None;
        let Some(back) = self.sent.iter().rev().position(|s| s.fate == Fate::Acked) else { return };
        self.find_lost(now, self.sent.len() - 1 - back, 0);
    }

    pub(super) fn note_lost(&mut self, tsn: Tsn) {
        self.lost += 1;
        self.cc.forget_probe(tsn);
        if tsn.before(self.lost_from) {
            self.lost_from = tsn;
        }
    }

    // ------------------------------------------------------ tail loss probes

    /// How long to wait for an acknowledgement before the tail is probed:
    /// "PTO = 2 * SRTT", and the peer's delay when there is one packet only
    /// (RFC 8985, Section 7.2). `None` when there is to be no probe.
    pub(super) fn probe_timeout(&self, sack_delay: Duration) -> Option<Duration> {
        let nothing = self.sent.is_empty() || self.lost > 0 || self.flight == 0;
        if nothing || self.recovery.probed || self.cc.in_recovery() {
            return None;
        }
        let alone = self.flight <= self.cc.max_packet;
        let wait = self.cc.srtt()?.times(2);
        let wait = if alone { wait.plus(sack_delay) } else { wait };
        (wait < self.cc.rto).then_some(wait)
    }

    pub(super) fn probe_timed_out(&mut self) {
        self.recovery.probe_due = !self.sent.is_empty() && self.lost == 0;
    }

    /// Sends the probe: "the previously unsent data segment" if there is one,
    /// else "the highest-sequence segment sent so far" again (Section 7.3).
    pub(super) fn emit_probe(&mut self, now: Instant, w: &mut Writer<'_>, max_packet: usize) {
        if !core::mem::take(&mut self.recovery.probe_due) {
            return;
        }
        self.recovery.probed = true;
        self.restart_timer = true;
        if self.emit_new(now, w, max_packet) {
            return;
        }
        let Some(back) = self.sent.iter().rev().position(|s| s.fate == Fate::InFlight) else { return };
        let index = self.sent.len() - 1 - back;
        let len = self.sent.get(index).map_or(0, |s| usize::from(s.len));
        // As if it were lost, for as long as it takes to send it.
        self.flight -= len;
        self.lost += 1;
        if self.emit_again(now, index, w) {
            self.cc.forget_probe(self.tsn_at(index));
            self.recovery.probe = Some((self.tsn_at(index), self.next_tsn));
        } else {
            self.flight += len;
            self.lost -= 1;
        }
    }

    /// Whether a probe repaired a loss that nothing else has shown: then the
    /// window must shrink (RFC 8985, Section 7.4).
    pub(super) fn check_probe(&mut self, cumulative: Tsn, mut duplicates: impl Iterator<Item = Tsn>) {
        let Some((probe, next)) = self.recovery.probe else { return };
        if duplicates.any(|tsn| tsn == probe) {
            self.recovery.probe = None;
        } else if !cumulative.before(next) {
            self.recovery.probe = None;
            self.cc.lost(self.next_tsn.prev());
        }
    }
}
