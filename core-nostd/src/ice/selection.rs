//! Which pair is used: nomination by either end (RFC 8445, Section 8).

use super::pairs::PairId;
use super::{Agent, ConnectionState, Selected};
use crate::env::{Env, Instant};
use core::cmp::Ordering;
use core::time::Duration;

/// A controlling peer that checks its chosen pair with USE-CANDIDATE again and
/// again has moved on when it has not done so for this long.
const NOMINATION_AGE: Duration = Duration::from_secs(5);

impl Agent {
    /// A pair has been found to work.
    pub(super) fn became_valid(&mut self, env: &mut Env<'_>, id: PairId) {
        self.first_valid_at.get_or_insert(env.now);
        self.heard_elsewhere(env.now, id);
        let Some(pair) = self.pairs.iter().find(|p| p.id == id) else { return };
        if !self.controlling && pair.nominated_by_peer.is_some() {
            self.follow_nomination(env, id);
        } else {
            self.prefer(env, id);
            self.renominate(env, id);
        }
    }

    /// Whether both ends know of renomination.
    pub(super) fn renominates(&self) -> bool {
        self.config.renomination && self.remote_renomination
    }

    /// As controlling agent: a pair has come to work that is better than the
    /// one that is nominated. It is nominated in its place, and carries data
    /// from the answer on.
    fn renominate(&mut self, env: &mut Env<'_>, id: PairId) {
        let find = |id| self.pairs.iter().find(|p| p.id == id);
        let nominated = self.selected.filter(|s| s.nominated && s.id != id);
        let (Some(pair), Some(current)) = (find(id), nominated.and_then(|s| find(s.id))) else { return };
        if self.controlling
            && self.renominates()
            && !self.config.lite
            && pair.generation == current.generation
            && pair.priority > current.priority
        {
            self.begin_nomination(env, id);
        }
    }

    /// The next check of the pair nominates it, with a number above all before.
    fn begin_nomination(&mut self, env: &mut Env<'_>, id: PairId) {
        let number = if self.renominates() {
            self.nomination = self.nomination.saturating_add(1);
            self.nomination
        } else {
            0
        };
        if let Some(pair) = self.pairs.iter_mut().find(|p| p.id == id) {
            pair.nominating = true;
            pair.nomination = number;
            pair.check = None;
            self.next_check = self.next_check.min(env.now);
        }
    }

    /// The peer has nominated a pair that works. Of several the one with the
    /// highest number counts; of those without (aggressive nomination) the one
    /// of highest priority, unless the peer does not renew its nomination.
    fn follow_nomination(&mut self, env: &mut Env<'_>, id: PairId) {
        let find = |id| self.pairs.iter().find(|p| p.id == id);
        let Some(pair) = find(id) else { return };
        let (priority, generation, number) = (pair.priority, pair.generation, pair.nomination);
        if let Some(selected) = self.selected
            && selected.id != id
            && selected.nominated
            && let Some(other) = find(selected.id)
            && other.generation == generation
            && match number.cmp(&other.nomination) {
                Ordering::Less => true,
                Ordering::Equal => {
                    let renewed = |at| env.now - at < NOMINATION_AGE;
                    other.priority > priority && other.nominated_by_peer.is_some_and(renewed)
                }
                Ordering::Greater => false,
            }
        {
            self.heard_elsewhere(env.now, id);
            return;
        }
        self.select(env, id, true);
    }

    /// Uses a pair that works until one is nominated: "agents MAY send data
    /// on any valid pair".
    fn prefer(&mut self, env: &mut Env<'_>, id: PairId) {
        let Some(pair) = self.pairs.iter().find(|p| p.id == id) else { return };
        let (priority, generation) = (pair.priority, pair.generation);
        let keep = self.selected.is_some_and(|s| {
            let current = self.pairs.iter().find(|p| p.id == s.id);
            current.is_some_and(|c| c.generation == generation && (s.nominated || c.priority >= priority))
        });
        if !keep {
            self.select(env, id, false);
        }
    }

    /// Makes a pair the one that data takes.
    pub(super) fn select(&mut self, env: &mut Env<'_>, id: PairId, nominated: bool) {
        let Some(pair) = self.pairs.iter().find(|p| p.id == id) else { return };
        let (path, generation) = (pair.path, pair.generation);
        let same = self.selected.is_some_and(|s| s.id == id);
        let nominated = nominated || same && self.selected.is_some_and(|s| s.nominated);
        self.selected = Some(Selected { id, path, nominated });
        if !same {
            self.selected_changed = true;
            self.consent.start(env, generation, &self.config);
            debug!("ice: selected a pair");
        }
        if generation == self.generation && self.previous.is_some() {
            // The new generation has its path: the old one is over.
            self.pairs.retain(|p| p.generation == generation);
            self.previous = None;
        }
    }

    /// The selected pair is gone: takes the best of those that work.
    pub(super) fn select_best(&mut self, env: &mut Env<'_>) {
        self.first_valid_at = None;
        let rank = |p: &&super::Pair| (p.nomination, p.nominated_by_peer, p.priority);
        let ours = if self.controlling { |p: &&super::Pair| (0, None, p.priority) } else { rank };
        let best = self.pairs.iter().filter(|p| p.is_valid()).max_by_key(ours).map(|p| p.id);
        if let Some(id) = best {
            self.first_valid_at = Some(env.now);
            self.select(env, id, false);
        }
    }

    /// As controlling agent: nominates the best pair that works, once nothing
    /// better is being checked or the wait for it is over.
    pub(super) fn nominate(&mut self, env: &mut Env<'_>) {
        if !self.controlling || self.config.lite || self.nomination_deadline().is_none_or(|at| env.now < at) {
            return;
        }
        let generation = self.generation;
        let best = self
            .pairs
            .iter()
            .filter(|p| p.is_valid() && p.generation == generation)
            .max_by_key(|p| p.priority);
        if let Some(id) = best.map(|p| p.id) {
            self.begin_nomination(env, id);
        }
    }

    /// When the controlling agent is to nominate a pair.
    pub(super) fn nomination_deadline(&self) -> Option<Instant> {
        let nominated = self.selected.is_some_and(|s| s.nominated);
        // After a failure nothing is begun of our own accord: pairs that once
        // worked have no consent either.
        let failed = self.state == ConnectionState::Failed;
        let nominating = || self.pairs.iter().any(|p| p.nominating);
        if !self.controlling || self.config.lite || failed || nominated || nominating() {
            return None;
        }
        let since = self.first_valid_at?;
        let ours = || self.pairs.iter().filter(|p| p.generation == self.generation);
        let best = ours().filter(|p| p.is_valid()).map(|p| p.priority).max()?;
        let better = ours().any(|p| p.is_active() && p.priority > best);
        Some(if better { since + self.config.nomination_delay } else { since })
    }
}
