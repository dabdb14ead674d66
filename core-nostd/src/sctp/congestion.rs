//! The congestion window and the retransmission timeout (RFC 9260, Sections
//! 6.3 and 7.2).

use super::Config;
use crate::env::{Instant, Span as _};
use crate::wire::sctp::Tsn;
use core::time::Duration;

/// How many packets one acknowledgement may open the window by in slow start:
/// "The positive integer L SHOULD be 1 and MAY be larger than 1" (RFC 9260,
/// Section 7.2.1). A peer that reads in batches acknowledges in batches.
const L: usize = 8;

#[derive(Debug)]
pub(super) struct Congestion {
    /// How many octets may be in flight.
    pub(super) window: usize,
    threshold: usize,
    partial: usize,
    /// In fast recovery until this TSN is acknowledged.
    recovery: Option<Tsn>,
    /// The first retransmission of a recovery does not ask for the window.
    pub(super) retransmit_at_once: bool,
    pub(super) max_packet: usize,
    pub(super) max_burst: u16,
    initial: usize,
    /// The chunk whose round trip is being measured.
    probe: Option<(Tsn, Instant)>,
    srtt: Option<Duration>,
    /// The least and the latest round trip that was measured.
    least: Option<Duration>,
    latest: Duration,
    rttvar: Duration,
    pub(super) rto: Duration,
    rto_min: Duration,
    rto_max: Duration,
    last_sent: Option<Instant>,
}

impl Congestion {
    pub(super) fn new(config: &Config, max_packet: usize) -> Self {
        let initial = max_packet * usize::from(config.initial_window.max(1));
        Self {
            window: initial,
            threshold: usize::MAX,
            partial: 0,
            recovery: None,
            retransmit_at_once: false,
            max_packet,
            max_burst: config.max_burst,
            initial,
            probe: None,
            srtt: None,
            least: None,
            latest: Duration::ZERO,
            rttvar: Duration::ZERO,
            rto: config.rto_initial,
            rto_min: config.rto_min,
            rto_max: config.rto_max,
            last_sent: None,
        }
    }

    /// The smoothed round trip time, once measured.
    pub(super) fn srtt(&self) -> Option<Duration> {
        self.srtt
    }

    /// The least round trip so far; zero when none was measured.
    pub(super) fn least_round_trip(&self) -> Duration {
        self.least.unwrap_or_default()
    }

    // ------------------------------------------------------------ round trips

    /// A new chunk is sent: measures its round trip when none is measured.
    pub(super) fn probe(&mut self, tsn: Tsn, now: Instant) {
        self.probe.get_or_insert((tsn, now));
        self.last_sent = Some(now);
    }

    /// "RTT measurements MUST NOT be made using packets that were
    /// retransmitted" (Karn's algorithm; RFC 9260, Section 6.3.1, C5).
    pub(super) fn forget_probe(&mut self, lost: Tsn) {
        if self.probe.is_some_and(|(tsn, _)| tsn == lost) {
            self.probe = None;
        }
    }

    pub(super) fn probe_acked(&mut self, now: Instant, acked: impl FnOnce(Tsn) -> bool) {
        if let Some((tsn, at)) = self.probe
            && acked(tsn)
        {
            self.probe = None;
            self.measured(now.saturating_since(at));
        }
    }

    /// A round trip took so long.
    pub(super) fn measured(&mut self, rtt: Duration) {
        self.latest = rtt;
        self.least = Some(self.least.map_or(rtt, |least| least.min(rtt)));
        let srtt = match self.srtt {
            None => {
                self.rttvar = rtt / 2;
                rtt
            }
            Some(srtt) => {
                let off = srtt.less(rtt).max(rtt.less(srtt));
                self.rttvar = (self.rttvar.times(3) / 4).plus(off / 4);
                (srtt.times(7) / 8).plus(rtt / 8)
            }
        };
        self.srtt = Some(srtt);
        let rto = srtt.plus(self.rttvar.times(4));
        self.rto = rto.min(self.rto_max).max(self.rto_min);
    }

    // ----------------------------------------------------------------- window

    /// The cumulative TSN advanced to `cumulative`, and `octets` were
    /// acknowledged, while `flight` had been in flight.
    pub(super) fn acked(&mut self, cumulative: Tsn, octets: usize, flight: usize, pending: bool) {
        if let Some(exit) = self.recovery {
            if !cumulative.before(exit) {
                self.recovery = None;
            }
            return;
        }
        // "only if the current congestion window is being fully utilized"
        if flight + self.max_packet <= self.window {
            return;
        }
        if self.window <= self.threshold {
            self.window = self.window.saturating_add(octets.min(L * self.max_packet));
            return;
        }
        // "If partial_bytes_acked is equal to or greater than cwnd and before
        // the arrival of the SACK the sender had cwnd or more bytes of data
        // outstanding" (RFC 9260, Section 7.2.2)
        self.partial += octets;
        if self.partial >= self.window {
            self.partial -= self.window;
            self.window = self.window.saturating_add(self.max_packet);
        }
        if !pending {
            self.partial = 0;
        }
    }

    /// Another path: the window and the threshold are those of the start.
    #[cfg(feature = "path-mtu")]
    pub(super) fn reset(&mut self) {
        self.window = self.initial;
        self.threshold = usize::MAX;
        self.partial = 0;
        self.recovery = None;
    }

    pub(super) fn in_recovery(&self) -> bool {
        self.recovery.is_some()
    }

    /// Chunks were found missing; `highest` is the last TSN in flight.
    pub(super) fn lost(&mut self, highest: Tsn) {
        if self.recovery.is_some() {
            return;
        }
        self.threshold = self.reduced();
        self.window = self.threshold;
        self.partial = 0;
        self.recovery = Some(highest);
        self.retransmit_at_once = true;
    }

    /// "ssthresh = max(cwnd / 2, 4 * PMDCS); cwnd = PMDCS" and "RTO = RTO * 2"
    /// (RFC 9260, Sections 7.2.3 and 6.3.3).
    pub(super) fn timed_out(&mut self) {
        self.threshold = self.halved();
        self.window = self.max_packet;
        self.partial = 0;
        self.recovery = None;
        self.probe = None;
        self.back_off();
    }

    pub(super) fn back_off(&mut self) {
        self.rto = self.rto.times(2).min(self.rto_max);
    }

    /// "While the endpoint does not transmit data on a given transport address,
    /// the cwnd of the transport address SHOULD be adjusted to max(cwnd / 2,
    /// 4 * PMDCS) once per RTO." (RFC 9260, Section 7.2.1)
    pub(super) fn rest(&mut self, now: Instant) {
        let Some(last) = self.last_sent else { return };
        let mut idle = now.saturating_since(last);
        while idle >= self.rto && self.window > self.initial {
            idle = idle.less(self.rto);
            self.window = self.halved().max(self.initial);
        }
    }

    /// The window after a loss. "ssthresh = max(cwnd / 2, 4 * PMDCS)" (RFC
    /// 9260, Section 7.2.3) when packets have begun to wait in a queue. When
    /// the path takes no longer than ever, the loss is likely none of a queue
    /// of ours that ran over, and the factor is CUBIC's, 0.7 (RFC 9438,
    /// Section 4.6).
    fn reduced(&self) -> usize {
        let waits = self.least.is_none_or(|least| self.latest > least.plus(least / 8));
        if waits { self.halved() } else { (self.window / 10 * 7).max(4 * self.max_packet) }
    }

    fn halved(&self) -> usize {
        (self.window / 2).max(4 * self.max_packet)
    }
}
