//! ICE (RFC 8445), with trickle (RFC 8838) and consent (RFC 7675).
//!
//! An [`Agent`] finds a path to one peer and keeps it alive. It knows one
//! component: RTP and RTCP share a port in WebRTC, and so do all channels.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `candidates` | local and remote candidates, credentials, restart |
//! | `pairs` | the check list: forming, pruning, states |
//! | `checks` | connectivity checks: requests, responses, role conflicts |
//! | `selection` | nomination, the selected pair |
//! | `unblock` | paths that want a stream or a permission first |
//! | `consent` | consent freshness, the connection's state |

mod candidates;
mod checks;
mod consent;
mod pairs;
mod selection;
mod unblock;

#[cfg(all(test, feature = "rust-crypto"))]
mod tests;

pub use candidates::{CandidateServer, Credentials, LocalCandidate, ServerCandidate};
pub use pairs::{PairId, PairState, PairStats};

use crate::crypto::Hashes;
use crate::env::{Env, Instant, Transmit, TransportContext};
use crate::mem::{FixedDeque, FixedVec, OutOfMemory};
use crate::stun::Schedule;
use candidates::{RemoteCandidate, RemoteCredentials};
use checks::{EarlyCheck, Response};
use consent::Consent;
use core::time::Duration;
use pairs::Pair;

/// How much an agent may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Candidates of our own.
    pub local_candidates: usize,
    /// Candidates of the peer. Further ones are counted and forgotten.
    pub remote_candidates: usize,
    /// Pairs in the check list. When it is full the pairs of lowest priority
    /// give way (RFC 8445, Section 6.1.2.5).
    pub pairs: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { local_candidates: 4, remote_candidates: 8, pairs: 10 };
    /// For applications.
    pub const DEFAULT: Self = Self { local_candidates: 16, remote_candidates: 64, pairs: 100 };
    /// For servers with many connections.
    pub const SERVER: Self = Self { local_candidates: 8, remote_candidates: 24, pairs: 40 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<LocalCandidate>::heap_bytes(self.local_candidates)
            + FixedVec::<RemoteCandidate>::heap_bytes(self.remote_candidates)
            + FixedVec::<Pair>::heap_bytes(self.pairs)
            + FixedDeque::<Response>::heap_bytes(self.responses())
            + FixedVec::<EarlyCheck>::heap_bytes(self.early())
    }

    /// Answers that wait to be sent; further requests are dropped, and come again.
    const fn responses(&self) -> usize {
        if self.pairs > 16 { 6 } else { 4 }
    }

    /// Checks remembered from before the peer's credentials are known.
    const fn early(&self) -> usize {
        if self.pairs > 16 { 4 } else { 2 }
    }
}

/// How an agent behaves.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Whether it is a lite agent: it answers checks and sends none. Only for
    /// hosts that everyone can reach.
    pub lite: bool,
    /// Whether only relayed candidates are told and used.
    pub relay_only: bool,
    /// Whether host candidates are names of multicast DNS, which somebody else
    /// publishes.
    pub hide_host_addresses: bool,
    /// Whether a nomination may be followed by another, with a peer that
    /// announces it too (draft-thatcher-ice-renomination).
    pub renomination: bool,
    /// Whether streams are opened from the port that listens, too, by both ends
    /// at once (RFC 6544's simultaneous open).
    pub simultaneous_open: bool,
    /// Whether there may be relayed candidates of TCP, for which it has to be
    /// known where the peer's streams come from.
    #[cfg(feature = "turn-tcp")]
    pub relays_tcp: bool,
    /// "Ta": the least time between two checks.
    pub pacing: Duration,
    /// When a check is sent again and given up.
    pub schedule: Schedule,
    /// How long a controlling agent waits for a better pair once it has one.
    pub nomination_delay: Duration,
    /// The time between two consent checks, before randomization by 20 %.
    pub consent_interval: Duration,
    /// Without an answer for this long the state is `disconnected`.
    pub disconnected_timeout: Duration,
    /// Without consent for this long nothing more is sent: `failed`.
    pub failed_timeout: Duration,
    /// How long to wait for candidates and checks when nothing else is left
    /// to try and the peer has not said that it has no more candidates.
    pub patience: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lite: false,
            relay_only: false,
            hide_host_addresses: false,
            renomination: false,
            simultaneous_open: false,
            #[cfg(feature = "turn-tcp")]
            relays_tcp: false,
            pacing: Duration::from_millis(50),
            // Checks are paced: so many, each once a second, are no burden, and
            // longer intervals would only delay who has lost two or three. An
            // unanswered one is given up after 19.5 s.
            schedule: Schedule { doublings: 1, transmissions: 17, last_wait: 8, ..Schedule::RFC },
            nomination_delay: Duration::from_millis(150),
            consent_interval: Duration::from_secs(5),
            disconnected_timeout: Duration::from_secs(10),
            failed_timeout: Duration::from_secs(30),
            patience: Duration::from_secs(30),
        }
    }
}

/// The state of an agent, as the W3C's RTCIceTransportState names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ConnectionState {
    /// No candidate of the peer is known.
    #[default]
    New,
    /// Pairs are being checked.
    Checking,
    /// A pair works.
    Connected,
    /// A pair works and nothing better is to come.
    Completed,
    /// The peer does not answer for the moment.
    Disconnected,
    /// No pair works, or consent is gone.
    Failed,
    /// The agent was closed.
    Closed,
}

/// The state of gathering, as the W3C names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum GatheringState {
    /// Not begun.
    #[default]
    New,
    /// More candidates may come.
    Gathering,
    /// All are known.
    Complete,
}

/// What happened to an agent. Signals: look at the agent for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// [`Agent::connection_state`] changed.
    ConnectionStateChange(ConnectionState),
    /// [`Agent::gathering_state`] changed.
    GatheringStateChange(GatheringState),
    /// A candidate to tell the peer: its index in [`Agent::local_candidates`].
    LocalCandidate(u16),
    /// [`Agent::selected_path`] changed.
    SelectedPathChange,
}

/// What was received and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Datagrams that are no STUN, or not for this agent.
    pub noise: u64,
    /// Messages that are not protected by the right password.
    pub unauthentic: u64,
    /// Requests for which there was no room.
    pub requests_dropped: u64,
    /// Candidates of the peer that were ignored: of a kind that is not
    /// supported, names that nobody resolves, or beyond the limits.
    pub candidates_ignored: u64,
}

/// An ICE agent for one peer.
pub struct Agent {
    config: Config,
    hashes: &'static dyn Hashes,
    controlling: bool,
    tie_breaker: u64,
    remote_lite: bool,
    remote_renomination: bool,
    /// Of the last nomination of ours.
    nomination: u32,
    closed: bool,

    local: Credentials,
    remote: Option<RemoteCredentials>,
    /// Those of the generation before a restart: its selected pair is kept
    /// alive until the new one has one.
    previous: Option<(Credentials, Option<RemoteCredentials>)>,
    generation: u8,

    locals: FixedVec<LocalCandidate>,
    remotes: FixedVec<RemoteCandidate>,
    remote_ended: bool,
    /// Whether the peer has candidates that we cannot check: it may check us.
    remote_hidden: bool,
    gathering: GatheringState,
    local_ended: bool,
    announced: usize,

    pairs: FixedVec<Pair>,
    next_pair_id: PairId,
    responses: FixedDeque<Response>,
    early: FixedVec<EarlyCheck>,
    next_check: Instant,

    selected: Option<Selected>,
    first_valid_at: Option<Instant>,
    /// When the path in use went away, by what the owner told: until there is
    /// another, or `failed_timeout` is over, one may yet come.
    lost_at: Option<Instant>,
    /// Not before this are streams asked for.
    streams_from: Option<Instant>,
    /// When there was nothing left to try.
    idle_since: Option<Instant>,
    consent: Consent,

    state: ConnectionState,
    told_state: ConnectionState,
    told_gathering: GatheringState,
    selected_changed: bool,
    counters: Counters,
}

/// The pair that data takes.
#[derive(Debug, Clone, Copy)]
struct Selected {
    id: PairId,
    path: TransportContext,
    nominated: bool,
}

impl core::fmt::Debug for Agent {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut f = f.debug_struct("Agent");
        f.field("local", &self.local).field("remote", &self.remote).field("state", &self.state);
        f.field("pairs", &self.pairs).finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent with fresh credentials. All its memory is taken here.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(
        config: Config,
        hashes: &'static dyn Hashes,
        limits: &Limits,
        env: &mut Env<'_>,
    ) -> Result<Self, OutOfMemory> {
        Ok(Self {
            config,
            hashes,
            controlling: false,
            tie_breaker: env.rng.next_u64(),
            remote_lite: false,
            remote_renomination: false,
            nomination: 0,
            closed: false,
            local: Credentials::generate(env.rng),
            remote: None,
            previous: None,
            generation: 0,
            locals: FixedVec::new(limits.local_candidates)?,
            remotes: FixedVec::new(limits.remote_candidates)?,
            remote_ended: false,
            remote_hidden: false,
            gathering: GatheringState::New,
            local_ended: false,
            announced: 0,
            pairs: FixedVec::new(limits.pairs)?,
            next_pair_id: PairId::default(),
            responses: FixedDeque::new(limits.responses())?,
            early: FixedVec::new(limits.early())?,
            next_check: env.now,
            selected: None,
            first_valid_at: None,
            lost_at: None,
            streams_from: None,
            idle_since: None,
            consent: Consent::default(),
            state: ConnectionState::New,
            told_state: ConnectionState::New,
            told_gathering: GatheringState::New,
            selected_changed: false,
            counters: Counters::default(),
        })
    }

    /// Says which end decides: the offerer does, unless the peer is lite.
    pub fn set_controlling(&mut self, controlling: bool) {
        if self.controlling != controlling {
            self.controlling = controlling;
            self.recompute_priorities();
        }
    }

    /// Whether we are the controlling agent. A role conflict may change it.
    pub fn is_controlling(&self) -> bool {
        self.controlling
    }

    /// Says that the peer is a lite agent (`a=ice-lite`): then we control.
    pub fn set_remote_lite(&mut self, lite: bool) {
        self.remote_lite = lite;
        if lite && !self.config.lite {
            self.set_controlling(true);
        }
    }

    /// Says whether the peer announces `a=ice-options:renomination`. Without it
    /// nominations have no numbers, and the first one is the last.
    pub fn set_remote_renomination(&mut self, renomination: bool) {
        self.remote_renomination = renomination;
    }

    /// Whether we announce renomination.
    pub fn has_renomination(&self) -> bool {
        self.config.renomination
    }

    /// Whether we are a lite agent.
    pub fn is_lite(&self) -> bool {
        self.config.lite
    }

    /// The state of the connection.
    pub fn connection_state(&self) -> ConnectionState {
        self.state
    }

    /// The state of gathering.
    pub fn gathering_state(&self) -> GatheringState {
        self.gathering
    }

    /// The path that data takes, when there is one.
    pub fn selected_path(&self) -> Option<TransportContext> {
        self.selected().copied()
    }

    /// The same where it lies, for what is done per datagram.
    pub(crate) fn selected(&self) -> Option<&TransportContext> {
        self.selected.as_ref().map(|s| &s.path)
    }

    /// Whether a check has shown that the peer is at the other end of `path`.
    /// Only then is anything but STUN believed that comes along it.
    pub fn is_validated(&self, path: &TransportContext) -> bool {
        self.selected.is_some_and(|s| s.path.same_path(path))
            || self.pairs.iter().any(|p| p.is_valid() && p.path.same_path(path))
    }

    /// Whether `path` is one that is being checked, or on which the peer has
    /// shown that it knows our password: what comes along it may be kept
    /// until it is validated.
    pub fn is_expected(&self, path: &TransportContext) -> bool {
        self.pairs.iter().any(|p| p.path.same_path(path)) || self.early.iter().any(|e| e.path.same_path(path))
    }

    /// Counters, for statistics.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Notes that `len` octets of data were sent along the selected path.
    pub fn note_sent(&mut self, now: Instant, len: usize) {
        self.consent.note_sent(now);
        if let Some(pair) = self.selected_pair() {
            pair.stats.packets_sent += 1;
            pair.stats.bytes_sent += len as u64;
        }
    }

    /// Notes that `len` octets of data came along `path`: the peer is alive.
    pub fn note_received(&mut self, now: Instant, path: &TransportContext, len: usize) {
        let selected = self.selected.is_some_and(|s| s.path.same_path(path));
        if !selected
            && let Some(id) = self.pairs.iter().find(|p| p.is_valid() && p.path.same_path(path)).map(|p| p.id)
        {
            self.heard_elsewhere(now, id);
        }
        let pair = if selected {
            self.consent.heard(now);
            self.selected_pair()
        } else {
            self.pairs.iter_mut().find(|p| p.path.same_path(path))
        };
        if let Some(pair) = pair {
            pair.stats.packets_received += 1;
            pair.stats.bytes_received += len as u64;
        }
    }

    fn selected_pair(&mut self) -> Option<&mut Pair> {
        let id = self.selected?.id;
        self.pairs.iter_mut().find(|p| p.id == id)
    }

    /// The next datagram to send: an answer, a check, or a consent check.
    /// Call until `None`.
    pub fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<Transmit> {
        if self.closed {
            return None;
        }
        if let Some(transmit) = self.poll_response(out) {
            return Some(transmit);
        }
        if self.config.lite {
            return None;
        }
        self.poll_check(env, out).or_else(|| self.poll_consent(env, out))
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.told_gathering == GatheringState::New && self.gathering != GatheringState::New {
            self.told_gathering = GatheringState::Gathering;
            return Some(Event::GatheringStateChange(GatheringState::Gathering));
        }
        if self.gathering != GatheringState::New
            && self.announced < self.locals.len()
            && let Ok(index) = u16::try_from(self.announced)
        {
            self.announced += 1;
            let candidate = self.locals.get(usize::from(index));
            if candidate.is_some_and(|c| c.is_signalled() && self.may_use(c)) {
                return Some(Event::LocalCandidate(index));
            }
            return self.poll_event();
        }
        if self.told_gathering != self.gathering {
            self.told_gathering = self.gathering;
            return Some(Event::GatheringStateChange(self.gathering));
        }
        if core::mem::take(&mut self.selected_changed) {
            return Some(Event::SelectedPathChange);
        }
        if self.told_state != self.state {
            self.told_state = self.state;
            return Some(Event::ConnectionStateChange(self.state));
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        [
            self.checks_deadline(),
            self.nomination_deadline(),
            self.consent_deadline(),
            self.patience_deadline(),
            self.streams_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due. Early calls do no harm.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        if self.closed {
            return;
        }
        self.streams_from.take_if(|at| *at <= env.now);
        self.expire_checks(env.now);
        self.leave_silent(env);
        self.nominate(env);
        self.expire_consent(env.now);
        self.update_state(env.now);
    }

    /// Ends everything; nothing more is sent.
    pub fn close(&mut self) {
        self.closed = true;
        self.pairs.clear();
        self.responses.clear();
        self.early.clear();
        self.selected = None;
        self.state = ConnectionState::Closed;
    }
}
