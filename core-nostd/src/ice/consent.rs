//! Consent freshness (RFC 7675), and the state that follows from it.

use super::checks::reflexive_priority;
use super::{Agent, Config, ConnectionState, GatheringState};
use crate::env::{Env, Instant, Span as _, Transmit, TransportContext};
use crate::wire::stun::TransactionId;
use core::time::Duration;

/// A path that is silent for so long while the peer is heard on another is left.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// And so often it is asked.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);

/// A check that is unanswered for so long is a reason to doubt the path, and
/// so is data that is: the next check goes out at once then.
const DOUBT: Duration = Duration::from_secs(1);
/// A path that is doubted and silent for so long is left, where there is
/// another: ten checks, of which a network that loses a quarter of all
/// datagrams swallows none or some, but hardly all.
const DOUBT_TIMEOUT: Duration = Duration::from_secs(2);

/// Consent checks that may still be answered.
const OUTSTANDING: usize = 8;

/// Whether the peer still wants what it is sent.
#[derive(Debug, Default)]
pub(super) struct Consent {
    generation: u8,
    next: Option<Instant>,
    /// When a consent check was last answered.
    granted: Instant,
    /// When anything authentic was last received.
    heard: Instant,
    /// When the path that is asked whether it still is there has been silent
    /// for too long.
    probe: Option<Instant>,
    /// Since when data is sent and nothing is heard.
    unheard: Option<Instant>,
    outstanding: heapless::Deque<(TransactionId, Instant), OUTSTANDING>,
    path: Option<TransportContext>,
}

impl Consent {
    /// A pair was selected: its check was the first consent.
    pub(super) fn start(&mut self, env: &mut Env<'_>, generation: u8, config: &Config) {
        self.generation = generation;
        self.granted = env.now;
        self.heard = env.now;
        self.probe = None;
        self.unheard = None;
        self.outstanding.clear();
        self.path = None;
        self.next = Some(env.now + randomized(env, config.consent_interval));
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.probe = None;
        self.unheard = None;
    }

    /// Data is sent. Where none is answered, the next check goes out at once.
    pub(super) fn note_sent(&mut self, now: Instant) {
        let since = *self.unheard.get_or_insert(now);
        if now - since >= DOUBT && self.outstanding.back().is_none_or(|o| o.1 <= since) {
            self.hurry(now);
        }
    }

    /// Asks now, and again soon, whether the path is still there.
    fn probe(&mut self, now: Instant, timeout: Duration) {
        if self.probe.is_none() && self.heard < now {
            self.probe = Some(now + timeout);
            self.next = Some(now);
        }
    }

    /// When a check that nothing was heard since has waited long enough.
    fn doubt_deadline(&self, round_trip: Duration) -> Option<Instant> {
        let (_, sent) = self.outstanding.iter().find(|o| o.1 >= self.heard)?;
        Some(*sent + DOUBT.max(round_trip.times(2)))
    }

    /// The next check goes out at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.next = self.next.map(|_| now);
    }

    fn probe_failed(&self, now: Instant) -> bool {
        self.probe.is_some_and(|at| now >= at)
    }

    /// The generation of a consent check that `id` is the answer to.
    pub(super) fn expects(&self, id: &TransactionId, path: &TransportContext) -> Option<u8> {
        let ours =
            self.path.is_some_and(|p| p.same_path(path)) && self.outstanding.iter().any(|o| o.0 == *id);
        ours.then_some(self.generation)
    }
}

/// "the interval ... randomized between 0.8 and 1.2 times the basic period".
fn randomized(env: &mut Env<'_>, interval: Duration) -> Duration {
    interval.times(800 + env.rng.below(401)) / 1000
}

impl Agent {
    /// The next consent check, when it is due.
    pub(super) fn poll_consent(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<Transmit> {
        let selected = self.selected?;
        if self.consent.next.is_none_or(|at| env.now < at) {
            return None;
        }
        let probing = self.consent.probe.is_some();
        let wait = if probing { PROBE_INTERVAL } else { randomized(env, self.config.consent_interval) };
        self.consent.next = Some(env.now + wait);
        // "each ... STUN binding request ... a new transaction".
        let id = TransactionId(env.rng.array());
        if self.consent.outstanding.is_full() {
            self.consent.outstanding.pop_front();
        }
        // There is room now.
        let _ = self.consent.outstanding.push_back((id, env.now));
        self.consent.path = Some(selected.path);
        let generation = self.consent.generation;
        let pair = self.selected_pair()?;
        pair.stats.requests_sent += 1;
        let priority = reflexive_priority(&selected.path, pair.local_priority);
        // Renewed, so that a controlled peer that follows the last nomination
        // stays where it is.
        let number = pair.nomination;
        let nominate = (self.controlling && selected.nominated).then_some(number);
        let len = self.write_request(id, generation, priority, nominate, out)?;
        Some(Transmit::datagram(selected.path, len))
    }

    /// A consent check was answered.
    pub(super) fn handle_consent(&mut self, now: Instant, id: &TransactionId) {
        let sent = self.consent.outstanding.iter().find(|o| o.0 == *id).map(|o| o.1);
        self.consent.granted = now;
        self.consent.heard(now);
        self.consent.outstanding.clear();
        if let (Some(sent), Some(pair)) = (sent, self.selected_pair()) {
            pair.stats.answered(Some(now - sent));
        }
    }

    /// "If the consent expires, the agent MUST cease transmission".
    pub(super) fn expire_consent(&mut self, now: Instant) {
        if self.selected.is_some() && now >= self.consent_until() {
            if let Some(pair) = self.selected_pair() {
                pair.state = super::PairState::Failed;
            }
            self.selected = None;
            self.selected_changed = true;
            self.consent = Consent::default();
            self.state = ConnectionState::Failed;
        }
    }

    /// The peer is heard on a pair that is not the selected one, and was not
    /// before: perhaps it has moved. The selected one is asked.
    pub(super) fn heard_elsewhere(&mut self, now: Instant, id: super::PairId) {
        let other = self.selected.is_some_and(|s| s.nominated && s.id != id);
        if other && !self.config.lite {
            self.consent.probe(now, PROBE_TIMEOUT);
        }
    }

    /// When the selected path is doubted because a check of it was not
    /// answered: by who controls, where there is another to go to.
    fn doubt_deadline(&self) -> Option<Instant> {
        let selected = self.selected.filter(|s| s.nominated)?;
        let sure = self.consent.outstanding.is_empty() || self.consent.probe.is_some();
        if sure || !self.controlling || self.config.lite || !self.has_other(selected.id) {
            return None;
        }
        let pair = self.pairs.iter().find(|p| p.id == selected.id)?;
        self.consent.doubt_deadline(pair.stats.round_trip().unwrap_or_default())
    }

    /// Whether another pair than this one works.
    fn has_other(&self, id: super::PairId) -> bool {
        self.pairs.iter().any(|p| p.id != id && p.is_valid() && p.generation == self.generation)
    }

    /// A controlling agent whose selected pair is silent goes over to another
    /// that works, if there is one; either agent does when the peer is heard
    /// there. The silent one has failed then, so that this comes to an end.
    pub(super) fn leave_silent(&mut self, env: &mut Env<'_>) {
        if self.doubt_deadline().is_some_and(|at| env.now >= at) {
            self.consent.probe(env.now, DOUBT_TIMEOUT);
        }
        let silent = env.now - self.consent.heard >= self.config.disconnected_timeout;
        let leave = silent && self.controlling || self.consent.probe_failed(env.now);
        let Some(selected) = self.selected.filter(|_| leave && !self.config.lite) else {
            return;
        };
        self.consent.probe = None;
        if self.has_other(selected.id) {
            if let Some(pair) = self.selected_pair() {
                pair.state = super::PairState::Failed;
            }
            self.select_best(env);
        }
    }

    /// When transmission must cease. A lite agent sends no checks of its own
    /// and goes by the peer's.
    fn consent_until(&self) -> Instant {
        let last = if self.config.lite { self.consent.heard } else { self.consent.granted };
        last + self.config.failed_timeout
    }

    pub(super) fn consent_deadline(&self) -> Option<Instant> {
        self.selected?;
        let disconnected = (self.state != ConnectionState::Disconnected)
            .then_some(self.consent.heard + self.config.disconnected_timeout);
        let next = if self.config.lite { None } else { self.consent.next };
        let probed = self.consent.probe.or_else(|| self.doubt_deadline());
        [next, probed, disconnected, Some(self.consent_until())].into_iter().flatten().min()
    }

    /// When waiting for something to try is over.
    pub(super) fn patience_deadline(&self) -> Option<Instant> {
        if let Some(at) = self.lost_at {
            return (self.state != ConnectionState::Failed).then_some(at + self.config.failed_timeout);
        }
        (self.state == ConnectionState::Checking).then_some(self.idle_since? + self.config.patience)
    }

    /// Derives the state from what is known.
    pub(super) fn update_state(&mut self, now: Instant) {
        if self.closed || self.state == ConnectionState::Failed && self.selected.is_none() {
            return;
        }
        // Once there is a path no streams are opened for others.
        let settled = self.selected.is_some();
        let active = self
            .pairs
            .iter()
            .any(|p| p.generation == self.generation && p.is_active() && !(settled && p.is_blocked()));
        if self.selected.is_some() {
            self.idle_since = None;
            self.lost_at = None;
            let silent = now - self.consent.heard >= self.config.disconnected_timeout;
            let done = !active && self.remote_ended && self.gathering == GatheringState::Complete;
            self.state = if silent {
                ConnectionState::Disconnected
            } else if done && self.selected.is_some_and(|s| s.nominated) {
                ConnectionState::Completed
            } else {
                ConnectionState::Connected
            };
            return;
        }
        if let Some(at) = self.lost_at {
            let over = now - at >= self.config.failed_timeout;
            self.state = if over { ConnectionState::Failed } else { ConnectionState::Disconnected };
            return;
        }
        let begun = self.remote.is_some()
            && (!self.remotes.is_empty() || !self.pairs.is_empty() || self.remote_hidden);
        if active {
            self.idle_since = None;
            self.state = ConnectionState::Checking;
        } else if begun || self.state != ConnectionState::New {
            let since = *self.idle_since.get_or_insert(now);
            let exhausted = self.remote_ended && self.gathering == GatheringState::Complete;
            let hopeless = exhausted && begun && !self.remote_hidden || now - since >= self.config.patience;
            self.state = if hopeless && !self.config.lite {
                ConnectionState::Failed
            } else {
                ConnectionState::Checking
            };
        }
    }
}
