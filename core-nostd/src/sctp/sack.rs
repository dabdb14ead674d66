//! What acknowledgements say about what was sent (RFC 9260, Section 6.2.1),
//! and the FORWARD TSN (RFC 3758).

use super::data_out::{Fate, Outbound};
use crate::env::Instant;
use crate::wire::Writer;
use crate::wire::sctp::{ForwardTsn, GapBlock, Sack, Skip, Tsn};

/// How many streams a FORWARD TSN names.
const MAX_SKIPS: usize = 32;

impl Outbound {
    /// Takes a SACK. Says whether the cumulative TSN advanced; `None` when the
    /// SACK is an old one, or acknowledges what was never sent.
    pub(super) fn handle_sack(&mut self, now: Instant, sack: &Sack<'_>) -> Option<bool> {
        let advanced = sack.cumulative.after(self.cumulative);
        self.handle_cumulative(now, sack.cumulative)?;
        self.window = sack.window as usize;
        self.handle_gaps(now, sack.gaps(), advanced);
        self.check_probe(sack.cumulative, sack.duplicates());
        self.forward_due |= self.sent.front().is_some_and(|s| s.fate == Fate::Abandoned);
        Some(advanced)
    }

    /// Takes a cumulative TSN, of a SACK or a SHUTDOWN.
    pub(super) fn handle_cumulative(&mut self, now: Instant, cumulative: Tsn) -> Option<()> {
        if cumulative.before(self.cumulative) || !cumulative.before(self.next_tsn) {
            return None;
        }
        self.renew_burst();
        let flight = self.flight;
        let mut octets = 0;
        let advanced = cumulative != self.cumulative;
        while cumulative != self.cumulative && !self.sent.is_empty() {
            octets += self.retire(now);
        }
        if self.lost_from.before(cumulative.next()) {
            self.lost_from = cumulative.next();
        }
        self.cc.probe_acked(now, |tsn| !tsn.after(cumulative));
        if advanced {
            let pending = !self.sent.is_empty();
            self.cc.acked(cumulative, octets, flight, pending);
            self.tell_refused();
        }
        Some(())
    }

    fn handle_gaps(&mut self, now: Instant, gaps: impl Iterator<Item = GapBlock> + Clone, advanced: bool) {
        // From here on, chunks are indices into `sent`: offset 1 is the first.
        let mut next = 0;
        let mut covered = 0;
        let mut highest_new = None;
        let mut highest = None;
        let len = self.sent.len();
        // What is out of order, or was never sent, is not to be believed, nor
        // is what follows.
        let ranges = gaps.map_while(move |gap| {
            let (start, end) = (usize::from(gap.start), usize::from(gap.end));
            let valid = start > next && start <= end && end <= len;
            next = end;
            valid.then_some(start.wrapping_sub(1)..end)
        });
        for range in ranges.clone() {
            for i in range.clone() {
                if self.ack_gap(now, i) {
                    highest_new = Some(i);
                }
                covered += usize::from(self.sent.get(i).is_some_and(|s| s.fate == Fate::Acked));
            }
            highest = Some(range.end - 1);
        }
        if self.acked > covered {
            self.renege(ranges);
        }
        // "If an endpoint is in Fast Recovery and a SACK chunk arrives that
        // advances the Cumulative TSN Ack Point, the miss indications are
        // incremented for all TSNs reported missing in the SACK chunk.";
        // otherwise for those before the highest one newly acknowledged (RFC
        // 9260, Section 7.2.4).
        let counted = if self.cc.in_recovery() && advanced { highest } else { highest_new };
        match highest {
            Some(highest) => self.find_lost(now, highest, counted.unwrap_or(0)),
            None => self.recovery.deadline = None,
        }
    }

    fn ack_gap(&mut self, now: Instant, index: usize) -> bool {
        let tsn = self.tsn_at(index);
        let Some(sent) = self.sent.get_mut(index) else { return false };
        match sent.fate {
            Fate::InFlight => self.flight -= usize::from(sent.len),
            Fate::Lost => self.lost -= 1,
            Fate::Acked | Fate::Abandoned => return false,
        }
        sent.fate = Fate::Acked;
        let (at, transmissions) = (sent.at, sent.transmissions);
        self.acked += 1;
        self.note_delivered(now, at, transmissions);
        self.cc.probe_acked(now, |probe| probe == tsn);
        true
    }

    /// What an earlier gap block acknowledged and this SACK does not, the peer
    /// has dropped: it counts as lost (RFC 9260, Section 6.2.1, D iii).
    fn renege(&mut self, ranges: impl Iterator<Item = core::ops::Range<usize>>) {
        let mut from = 0;
        let end = self.sent.len();
        for range in ranges.chain(core::iter::once(end..end)) {
            for index in from..range.start {
                let tsn = self.tsn_at(index);
                if let Some(sent) = self.sent.get_mut(index)
                    && sent.fate == Fate::Acked
                {
                    sent.fate = Fate::Lost;
                    self.acked -= 1;
                    self.note_lost(tsn);
                }
            }
            from = range.end;
        }
    }

    /// Writes the FORWARD TSN that is due. "the data sender SHOULD try to
    /// further advance the 'Advanced.Peer.Ack.Point' locally, that is, to move
    /// it up as long as the chunk next in the out-queue space is marked as
    /// 'abandoned'" (RFC 3758, Section 3.5, C2).
    pub(super) fn emit_forward(&mut self, w: &mut Writer<'_>) {
        let mut point = self.cumulative;
        let mut skips: heapless::Vec<Skip, MAX_SKIPS> = heapless::Vec::new();
        for sent in self.sent.iter().take_while(|s| s.fate == Fate::Abandoned) {
            // Without interleaving, unordered messages have no number.
            if !sent.unordered || self.interleaved {
                let skip = Skip { stream: sent.stream, unordered: sent.unordered, seq: sent.seq };
                let same = |s: &Skip| s.stream == skip.stream && s.unordered == skip.unordered;
                if let Some(known) = skips.iter_mut().find(|s| same(s)) {
                    *known = skip;
                } else if skips.push(skip).is_err() {
                    break;
                }
            }
            point = point.next();
        }
        // When there is no room, the next packet has it.
        let done = point == self.cumulative || ForwardTsn::emit(w, self.interleaved, point, &skips).is_ok();
        self.forward_due = !done;
    }
}
