//! Paths that cannot be checked at once: a stream is to be opened (RFC 6544),
//! or a relay is to permit the peer (RFC 8656, Section 9).

use super::candidates::is_tcp;
use super::pairs::{PairId, PairState, Readiness};
use super::{Agent, Pair};
use crate::env::{Env, Instant, TransportContext};
use core::time::Duration;

/// While there is no path, streams that fail are tried again so often.
const STREAM_RETRY: Duration = Duration::from_secs(1);

impl Pair {
    fn is_worth_another_try(&mut self) -> bool {
        let left = self.stream_tries;
        self.stream_tries = left.saturating_sub(1);
        left > 0
    }
}

impl Agent {
    /// The best pair whose path is blocked and was not asked about yet, among
    /// those for which `wanted` holds, with its path as it would be. Asked
    /// about from now on. Streams are worth asking for when nothing that is
    /// ready waits to be checked.
    pub fn next_blocked(
        &mut self,
        wanted: impl Fn(&TransportContext) -> bool,
    ) -> Option<(PairId, TransportContext)> {
        if self.closed {
            return None;
        }
        let generation = self.generation;
        let blocked = |p: &&mut Pair| {
            p.generation == generation
                && p.readiness == Readiness::Blocked
                && p.is_active()
                && wanted(&p.path)
        };
        let pair = self.pairs.iter_mut().filter(blocked).max_by_key(|p| p.priority)?;
        pair.readiness = Readiness::Asked;
        Some((pair.id, pair.path))
    }

    /// Whether it is time to open streams: nothing else is left to begin with.
    pub fn wants_streams(&self, now: Instant) -> bool {
        // A check over UDP gets a second chance before TCP is tried.
        let fresh = |p: &Pair| {
            !p.is_blocked()
                && match p.state {
                    PairState::Waiting | PairState::Frozen => true,
                    PairState::InProgress => {
                        !is_tcp(&p.path) && p.check.is_some_and(|c| c.transmissions() < 2)
                    }
                    PairState::Succeeded | PairState::Failed => false,
                }
        };
        self.selected.is_none()
            && self.streams_from.is_none_or(|at| now >= at)
            && !self.pairs.iter().any(fresh)
    }

    /// When streams that failed may be asked for again.
    pub(super) fn streams_deadline(&self) -> Option<Instant> {
        let again = |p: &Pair| p.readiness == Readiness::Blocked && is_tcp(&p.path) && p.is_active();
        self.streams_from.filter(|_| self.pairs.iter().any(again))
    }

    /// The pairs that were asked about and not answered, and their paths.
    pub fn asked(&self) -> impl Iterator<Item = (PairId, TransportContext)> {
        self.pairs.iter().filter(|p| p.readiness == Readiness::Asked && p.is_active()).map(|p| (p.id, p.path))
    }

    /// Whether both ends are to open the stream of a pair, each from the port that
    /// it has told.
    pub(crate) fn is_simultaneous(&self, id: PairId) -> bool {
        self.pairs.iter().any(|p| p.id == id && p.simultaneous)
    }

    /// Whether a pair leads to `peer`.
    #[cfg(feature = "turn")]
    pub(crate) fn has_pair_with(&self, peer: core::net::SocketAddr) -> bool {
        self.pairs.iter().any(|p| p.path.peer_addr == peer)
    }

    /// Whether a pair is still there.
    pub fn has_pair(&self, id: PairId) -> bool {
        self.pairs.iter().any(|p| p.id == id)
    }

    /// A pair's path is open, and is `path`. `false` when the pair is gone.
    pub fn open_pair(&mut self, env: &mut Env<'_>, id: PairId, path: TransportContext) -> bool {
        let Some(pair) = self.pairs.iter_mut().find(|p| p.id == id) else { return false };
        pair.readiness = if is_tcp(&path) { Readiness::Opened } else { Readiness::Ready };
        pair.path = path;
        self.next_check = self.next_check.max(env.now);
        self.idle_since = None;
        self.update_state(env.now);
        true
    }

    /// A pair's path cannot be opened.
    pub fn fail_pair(&mut self, env: &mut Env<'_>, id: PairId) {
        let lost = self.lost_at.is_some();
        // The peer's stream may have come where ours did not go.
        if let Some(pair) = self.pairs.iter_mut().find(|p| p.id == id && p.is_blocked()) {
            pair.state = PairState::Failed;
            pair.check = None;
            if is_tcp(&pair.path) && (lost || pair.is_worth_another_try()) {
                (pair.state, pair.readiness) = (PairState::Waiting, Readiness::Blocked);
                self.streams_from = Some(env.now + STREAM_RETRY);
            }
            self.update_state(env.now);
        }
    }

    /// A stream has ended. A pair that worked on it is formed anew, if a stream
    /// for it can be opened; one that did not has failed.
    pub fn close_path(&mut self, env: &mut Env<'_>, path: &TransportContext) {
        let mut worked = false;
        for pair in self.pairs.iter_mut().filter(|p| p.path.same_path(path)) {
            worked |= pair.is_valid();
            pair.check = None;
            pair.nominating = false;
            if !pair.is_valid() && pair.readiness == Readiness::Opened && pair.is_worth_another_try() {
                (pair.state, pair.readiness) = (PairState::Waiting, Readiness::Blocked);
                self.streams_from = Some(env.now + STREAM_RETRY);
            } else {
                pair.state = PairState::Failed;
            }
        }
        if !worked && self.lost_at.is_some() {
            worked = true;
            self.streams_from = Some(env.now + STREAM_RETRY);
        }
        if worked || self.selected.is_some_and(|s| s.path.same_path(path)) {
            self.remove_paths(env, |p| p.same_path(path));
        }
        self.update_state(env.now);
    }

    /// Whether a pair, or a check that waits for the peer's answer, is along
    /// `path`.
    pub fn uses_path(&self, path: &TransportContext) -> bool {
        self.is_expected(path) || self.selected.is_some_and(|s| s.path.same_path(path))
    }
}
