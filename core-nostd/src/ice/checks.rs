//! Connectivity checks (RFC 8445, Section 7).

use super::candidates::{RemoteCandidate, ServerCandidate, is_tcp};
use super::pairs::{PairState, Readiness, TCP_PENALTY};
use super::{Agent, ConnectionState};
use crate::env::{Env, Instant, Transmit, TransportContext};
use crate::stun::{Due, Schedule, Transaction};
use crate::wire::ShortBuffer;
use crate::wire::candidate::{CandidateType, TcpType};
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, TransactionId, error_code};

/// An answer that waits to be sent: why, not its octets.
#[derive(Debug)]
pub(super) struct Response {
    path: TransportContext,
    id: TransactionId,
    /// Whether the request was for the credentials before the restart.
    previous: bool,
    /// `None` is success.
    error: Option<u16>,
    unknown: heapless::Vec<u16, 4, u8>,
}

/// A check of the peer from before its credentials are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct EarlyCheck {
    pub(super) path: TransportContext,
    priority: u32,
    use_candidate: bool,
    /// The NOMINATION, or 0.
    nomination: u32,
}

/// The attributes of a request that are understood.
const KNOWN: &[AttributeType] = &[
    AttributeType::USERNAME,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::PRIORITY,
    AttributeType::USE_CANDIDATE,
];

impl Agent {
    /// Takes in a STUN message that came along `path`. Whatever is not
    /// protected by the right password is dropped and counted, and changes
    /// nothing.
    pub fn handle_read(&mut self, env: &mut Env<'_>, path: &TransportContext, datagram: &[u8]) {
        if self.closed {
            return;
        }
        let ours = self.local_of(path).is_some_and(|local| self.may_use(&local));
        let message = match Message::parse(datagram) {
            Ok(m) if ours && m.method == Method::BINDING && m.fingerprint() != Some(false) => m,
            _ => {
                self.counters.noise += 1;
                return;
            }
        };
        match message.class {
            Class::Request => self.handle_request(env, path, &message),
            Class::Success | Class::Error => self.handle_response(env, path, &message),
            // "If the STUN message is an indication ... no response": a
            // keepalive, which proves nothing.
            Class::Indication => {}
        }
        self.nominate(env);
        self.update_state(env.now);
    }

    fn handle_request(&mut self, env: &mut Env<'_>, path: &TransportContext, message: &Message<'_>) {
        let Some(previous) = self.authenticate(message) else {
            self.counters.unauthentic += 1;
            return;
        };
        let response =
            |error, unknown| Response { path: *path, id: message.transaction_id, previous, error, unknown };
        let mut unknown = heapless::Vec::<u16, 4, u8>::new();
        for attribute in message.unknown_required(KNOWN) {
            // Four are enough to tell.
            let _ = unknown.push(attribute.0);
        }
        if !unknown.is_empty() {
            self.respond(response(Some(error_code::UNKNOWN_ATTRIBUTE), unknown));
            return;
        }
        if !self.resolve_role_conflict(message) {
            self.respond(response(Some(error_code::ROLE_CONFLICT), unknown));
            return;
        }
        if !self.respond(response(None, unknown)) {
            return;
        }
        if previous {
            // Consent of the peer for the path before the restart.
            if let Some(selected) = self.selected
                && selected.path.same_path(path)
            {
                self.consent.heard(env.now);
            }
            return;
        }
        let check = EarlyCheck {
            path: *path,
            priority: message.u32(AttributeType::PRIORITY).unwrap_or(0),
            use_candidate: message.has(AttributeType::USE_CANDIDATE),
            nomination: message.u32(AttributeType::NOMINATION).unwrap_or(0),
        };
        if self.remote.is_some() || self.config.lite {
            self.handle_check(env, check);
        } else if !self.early.iter().any(|e| e.path.same_path(path) && e.use_candidate == check.use_candidate)
        {
            // The answer to our offer is still on its way.
            let _ = self.early.push(check);
        }
    }

    /// Whether a request is for us: `Some(true)` when it is for the
    /// credentials before the restart.
    fn authenticate(&self, message: &Message<'_>) -> Option<bool> {
        let username = core::str::from_utf8(message.username()?).ok()?;
        // "The username for the credential is formed by concatenating the
        // username fragment provided by the peer with the username fragment
        // of the ICE agent sending the request, separated by a colon".
        let (ours, theirs) = username.split_once(':')?;
        let current = (false, &self.local, self.remote.as_ref());
        let previous = self.previous.as_ref().map(|(local, remote)| (true, local, remote.as_ref()));
        let (previous, local, remote) =
            [Some(current), previous].into_iter().flatten().find(|(_, local, _)| local.ufrag() == ours)?;
        if remote.is_some_and(|r| r.ufrag != theirs) {
            return None;
        }
        message.is_authentic(self.hashes, local.pwd().as_bytes()).then_some(previous)
    }

    /// RFC 8445, Section 7.3.1.1. `false` when the peer has to give in.
    fn resolve_role_conflict(&mut self, message: &Message<'_>) -> bool {
        let theirs = if self.controlling {
            message.u64(AttributeType::ICE_CONTROLLING)
        } else {
            message.u64(AttributeType::ICE_CONTROLLED)
        };
        let Some(theirs) = theirs else { return true };
        // "If the agent's tiebreaker value is larger than or equal to the
        // contents of the ICE-CONTROLLING attribute, the agent generates a
        // Binding error response ... 487 (Role Conflict)"; the controlled
        // agent does so when its value is less.
        if self.config.lite {
            self.set_controlling(false);
            return !self.controlling;
        }
        if (self.tie_breaker >= theirs) == self.controlling {
            return false;
        }
        self.set_controlling(!self.controlling);
        true
    }

    /// The peer insists on the role that a check of ours claimed.
    ///
    /// "if the ICE agent included an ICE-CONTROLLED attribute in the request,
    /// the agent MUST switch to the controlling role. If the agent included an
    /// ICE-CONTROLLING attribute in the request, the agent MUST switch to the
    /// controlled role." (RFC 8445, Section 7.2.5.1.) By what the request said
    /// and not by what we are now: of many checks under way each may be
    /// answered so, and one switch is meant.
    fn give_in(&mut self, env: &mut Env<'_>, said_controlling: bool) {
        if self.controlling == said_controlling {
            self.set_controlling(!said_controlling);
            // "The agent MUST change the tiebreaker value."
            self.tie_breaker = env.rng.next_u64();
        }
    }

    fn respond(&mut self, mut response: Response) -> bool {
        // The marks are the request's.
        response.path = response.path.unmarked();
        let queued = self.responses.push_back(response).is_ok();
        if !queued {
            self.counters.requests_dropped += 1;
        }
        queued
    }

    /// Checks from before the peer's credentials were known.
    pub(super) fn replay_early(&mut self, env: &mut Env<'_>) {
        while let Some(check) = self.early.pop() {
            self.handle_check(env, check);
        }
    }

    /// A check of the peer that was answered: learns its candidate, checks
    /// the pair in return, and notes the nomination.
    fn handle_check(&mut self, env: &mut Env<'_>, check: EarlyCheck) {
        let Some(local) = self.local_of(&check.path) else {
            self.counters.noise += 1;
            return;
        };
        let addr = check.path.peer_addr;
        let known = self.remotes.iter().find(|r| r.is_at(&check.path)).copied();
        let remote = known.unwrap_or(RemoteCandidate {
            addr,
            priority: check.priority,
            kind: CandidateType::PeerReflexive,
            // "The foundation of the candidate is set to an arbitrary value,
            // different from the foundations of all other remote candidates."
            foundation: u32::from(addr.port()) << 16 | self.remotes.len() as u32,
            tcp_type: is_tcp(&check.path).then_some(TcpType::Active),
        });
        if known.is_none() {
            // Without room the pair is formed all the same.
            let _ = self.remotes.push(remote);
        }
        let path = check.path.unmarked();
        let Some(index) = self.pair(env, &local, &remote, path, Readiness::Ready) else {
            self.counters.requests_dropped += 1;
            return;
        };
        let (lite, schedule) = (self.config.lite, schedule(&self.config.schedule, &check.path));
        let (controlling, renominates) = (self.controlling, self.renominates());
        let Some(pair) = self.pairs.get_mut(index) else { return };
        // What comes along it can go along it.
        if pair.is_blocked() {
            pair.readiness = Readiness::Ready;
        }
        pair.stats.requests_received += 1;
        let number = if renominates { check.nomination } else { 0 };
        if (check.use_candidate || number > 0) && !controlling {
            pair.nominated_by_peer = Some(env.now);
            // An older one may have been on its way for longer.
            pair.nomination = pair.nomination.max(number);
        }
        match pair.state {
            PairState::Succeeded => {}
            // A lite agent believes the peer's check.
            _ if lite => pair.state = PairState::Succeeded,
            PairState::InProgress => {
                if let Some(check) = &mut pair.check {
                    check.hasten(&schedule, env.now);
                }
            }
            PairState::Waiting | PairState::Frozen | PairState::Failed => {
                pair.state = PairState::Waiting;
                pair.triggered = true;
                self.idle_since = None;
            }
        }
        let (id, valid) = (pair.id, pair.is_valid());
        if self.selected.is_some_and(|s| s.id == id) {
            self.consent.heard(env.now);
        }
        if valid {
            self.became_valid(env, id);
        }
    }

    fn handle_response(&mut self, env: &mut Env<'_>, path: &TransportContext, message: &Message<'_>) {
        let id = message.transaction_id;
        if let Some(generation) = self.consent.expects(&id, path) {
            let authentic = self
                .credentials(generation)
                .is_some_and(|(_, r)| message.is_authentic(self.hashes, r.pwd.as_bytes()));
            if !authentic {
                self.counters.unauthentic += 1;
            } else if message.class == Class::Success {
                self.handle_consent(env.now, &id);
            }
            return;
        }
        let Some(index) = self.pairs.iter().position(|p| p.check.is_some_and(|c| c.id == id)) else {
            self.counters.noise += 1;
            return;
        };
        let Some(generation) = self.pairs.get(index).map(|p| p.generation) else { return };
        let authentic = self
            .credentials(generation)
            .is_some_and(|(_, r)| message.is_authentic(self.hashes, r.pwd.as_bytes()));
        if !authentic {
            self.counters.unauthentic += 1;
            return;
        }
        let Some(pair) = self.pairs.get_mut(index) else { return };
        // "the source IP address and port of the response equals the
        // destination IP address and port to which the Binding request was
        // sent", and the other way round.
        if !pair.path.same_path(path) {
            pair.state = PairState::Failed;
            pair.check = None;
            pair.nominating = false;
            return;
        }
        if message.class == Class::Error {
            let conflict = message.error_code() == Some(error_code::ROLE_CONFLICT);
            pair.check = None;
            pair.nominating = false;
            if conflict {
                pair.state = PairState::Waiting;
                pair.triggered = true;
                let said_controlling = pair.check_controlling;
                self.give_in(env, said_controlling);
            } else {
                pair.state = PairState::Failed;
            }
            return;
        }
        let Some(mapped) = message.xor_address(AttributeType::XOR_MAPPED_ADDRESS) else {
            self.counters.noise += 1;
            return;
        };
        let known = self.locals.iter().any(|c| c.addr == mapped && c.base == path.local_addr && c.alive);
        let round_trip = pair.check.take().and_then(|c| c.round_trip(env.now));
        pair.stats.answered(round_trip);
        pair.state = PairState::Succeeded;
        // A stream of ours begins at a port of its own, which is no news.
        let reflexive =
            mapped != pair.path.local_addr && !is_tcp(path) && pair.local_kind == CandidateType::Host;
        if reflexive && !known {
            pair.local_kind = CandidateType::PeerReflexive;
        }
        let nominated = core::mem::take(&mut pair.nominating) && self.controlling;
        let (id, foundation, base) = (pair.id, pair.foundation, pair.path.local_addr);
        if reflexive && !known {
            // For statistics; checks go out from the base anyway.
            let kind = CandidateType::PeerReflexive;
            let related = Some(base);
            let seen = ServerCandidate { kind, addr: mapped, base, tcp_type: None, related, server: None };
            let _ = self.push_local(&seen);
        }
        for other in self.pairs.iter_mut() {
            if other.foundation == foundation && other.state == PairState::Frozen {
                other.state = PairState::Waiting;
            }
        }
        if nominated {
            self.select(env, id, true);
        }
        self.became_valid(env, id);
    }

    /// The next answer.
    pub(super) fn poll_response(&mut self, out: &mut [u8]) -> Option<Transmit> {
        let response = self.responses.pop_front()?;
        let key = match (&self.previous, response.previous) {
            (Some((local, _)), true) => local.pwd(),
            _ => self.local.pwd(),
        };
        let len = write_response(&response, self.hashes, key.as_bytes(), out).ok()?;
        if let Some(pair) = self.pairs.iter_mut().find(|p| p.path.same_path(&response.path)) {
            pair.stats.responses_sent += 1;
        }
        Some(Transmit::datagram(response.path, len))
    }

    /// The next check that is due.
    pub(super) fn poll_check(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<Transmit> {
        if env.now < self.next_check {
            return None;
        }
        let config = self.config.schedule;
        let index = self.next_pair().or_else(|| self.next_repeat(env.now))?;
        self.next_check = env.now + self.config.pacing;
        let pair = self.pairs.get_mut(index)?;
        if pair.check.is_none() {
            pair.check = Some(Transaction::new(env.rng, env.now));
            pair.check_controlling = self.controlling;
        }
        if !pair.is_valid() {
            pair.state = PairState::InProgress;
        }
        pair.triggered = false;
        pair.stats.requests_sent += 1;
        let check = pair.check.as_mut()?;
        check.sent(&schedule(&config, &pair.path), env.now);
        // Only who controls nominates; the role may have changed since.
        let (id, path) = (check.id, pair.path);
        let nominating = (pair.nominating && self.controlling).then_some(pair.nomination);
        let (generation, kind_priority) = (pair.generation, pair.local_priority);
        // "the PRIORITY ... equal to the value that would be assigned, to a
        // candidate if it was learned as a peer-reflexive candidate".
        let priority = reflexive_priority(&path, kind_priority);
        let len = self.write_request(id, generation, priority, nominating, out)?;
        Some(Transmit::datagram(path, len))
    }

    /// The pair to check next: the peer's checks in return first, then by
    /// priority, thawing when nothing else is left.
    fn next_pair(&self) -> Option<usize> {
        let wants = |p: &super::Pair| {
            p.generation == self.generation
                && !p.is_blocked()
                && (matches!(p.state, PairState::Waiting | PairState::Frozen)
                    || p.nominating && p.check.is_none())
        };
        let rank = |p: &super::Pair| (p.nominating, p.triggered, p.state != PairState::Frozen, p.priority);
        let pairs = self.pairs.iter().enumerate().filter(|(_, p)| wants(p));
        pairs.max_by_key(|(_, p)| rank(p)).map(|(i, _)| i)
    }

    /// The pair whose check has waited longest to be sent again.
    fn next_repeat(&self, now: Instant) -> Option<usize> {
        let due = self.pairs.iter().enumerate().filter_map(|(index, pair)| {
            let check = pair.check.filter(|check| check.was_sent())?;
            let schedule = schedule(&self.config.schedule, &pair.path);
            (check.due(&schedule, now) == Due::Send).then(|| (check.deadline(), index))
        });
        due.min().map(|(_, index)| index)
    }

    /// Writes a Binding request with the credentials of `generation`, which
    /// nominates the pair by the number, if there is one; 0 is without a number.
    pub(super) fn write_request(
        &self,
        id: TransactionId,
        generation: u8,
        priority: u32,
        nomination: Option<u32>,
        out: &mut [u8],
    ) -> Option<usize> {
        let (local, remote) = self.credentials(generation)?;
        let mut write = || -> Result<usize, ShortBuffer> {
            let mut b = Builder::new(out, Class::Request, Method::BINDING, id)?;
            let username = [remote.ufrag.as_bytes(), b":", local.ufrag().as_bytes()];
            b.attribute(AttributeType::USERNAME, &username)?;
            b.attribute(AttributeType::PRIORITY, &[&priority.to_be_bytes()])?;
            let role =
                if self.controlling { AttributeType::ICE_CONTROLLING } else { AttributeType::ICE_CONTROLLED };
            b.attribute(role, &[&self.tie_breaker.to_be_bytes()])?;
            if let Some(number) = nomination {
                b.attribute(AttributeType::USE_CANDIDATE, &[])?;
                if number > 0 {
                    b.attribute(AttributeType::NOMINATION, &[&number.to_be_bytes()])?;
                }
            }
            b.integrity(self.hashes, remote.pwd.as_bytes())?;
            b.finish_with_fingerprint()
        };
        write().ok()
    }

    /// Gives up the checks that were not answered.
    pub(super) fn expire_checks(&mut self, now: Instant) {
        let config = self.config.schedule;
        for pair in self.pairs.iter_mut() {
            let schedule = schedule(&config, &pair.path);
            if pair.check.is_some_and(|c| c.due(&schedule, now) == Due::TimedOut) {
                pair.check = None;
                pair.nominating = false;
                pair.state = PairState::Failed;
            }
        }
    }

    pub(super) fn checks_deadline(&self) -> Option<Instant> {
        if self.config.lite || self.state == ConnectionState::Failed {
            return None;
        }
        let repeats = self.pairs.iter().filter_map(|p| p.check.map(|c| c.deadline())).min();
        let repeats = repeats.map(|at| at.max(self.next_check));
        let fresh = self.next_pair().map(|_| self.next_check);
        [repeats, fresh].into_iter().flatten().min()
    }
}

/// When a check along `path` is sent again. Over a stream it is not: "Reliability
/// of STUN over TCP ... is handled by TCP itself, and there are no
/// retransmissions at the STUN protocol level" (RFC 8489, Section 6.2.2).
fn schedule(config: &Schedule, path: &TransportContext) -> Schedule {
    if is_tcp(path) { Schedule { transmissions: 1, last_wait: 16, ..*config } } else { *config }
}

/// The PRIORITY of a check from a candidate of this priority.
pub(super) fn reflexive_priority(path: &TransportContext, local: u32) -> u32 {
    let penalty = if is_tcp(path) { TCP_PENALTY } else { 0 };
    (CandidateType::PeerReflexive.preference() - penalty) << 24 | local & 0x00ff_ffff
}

fn write_response(
    response: &Response,
    hashes: &dyn crate::crypto::Hashes,
    key: &[u8],
    out: &mut [u8],
) -> Result<usize, ShortBuffer> {
    let class = if response.error.is_some() { Class::Error } else { Class::Success };
    let mut b = Builder::new(out, class, Method::BINDING, response.id)?;
    match response.error {
        None => b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, response.path.peer_addr)?,
        Some(code) => {
            b.error_code(code)?;
            if !response.unknown.is_empty() {
                let mut octets = heapless::Vec::<u8, 8>::new();
                for attribute in &response.unknown {
                    // There is room for all that are kept.
                    let _ = octets.extend_from_slice(&attribute.to_be_bytes());
                }
                b.attribute(AttributeType::UNKNOWN_ATTRIBUTES, &[&octets])?;
            }
        }
    }
    b.integrity(hashes, key)?;
    b.finish_with_fingerprint()
}
