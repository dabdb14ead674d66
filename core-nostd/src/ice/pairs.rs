//! The check list: forming, pruning, states (RFC 8445, Section 6.1.2).

use super::candidates::{RemoteCandidate, path};
use super::{Agent, LocalCandidate};
use crate::env::{Env, TransportContext, TransportProtocol};
use crate::stun::Transaction;
use crate::wire::candidate::{CandidateType, TcpType};
use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU32;
use core::time::Duration;

/// The number of a pair, never used twice in a generation of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairId(u32);

/// Whether checks can be sent along a pair's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readiness {
    /// They can.
    Ready,
    /// A stream is to be opened first, or a permission to be had.
    Blocked,
    /// That was asked for.
    Asked,
    /// They can, along a stream that was opened for it.
    Opened,
}

/// The state of a pair (RFC 8445, Section 6.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PairState {
    /// Another pair of the same foundation goes first.
    Frozen,
    /// To be checked.
    Waiting,
    /// Being checked.
    InProgress,
    /// The check succeeded.
    Succeeded,
    /// The check failed.
    Failed,
}

/// What is known of a pair, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[allow(missing_docs, reason = "the names are the W3C's")]
pub struct PairStats {
    pub packets_sent: u64,
    pub packets_received: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub requests_received: u64,
    pub requests_sent: u64,
    pub responses_received: u64,
    pub responses_sent: u64,
    pub total_round_trip_time: Duration,
    pub current_round_trip_time: Option<Duration>,
}

/// [`PairStats`] as a pair keeps them: there are many pairs, and checks are few.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) packets_sent: u64,
    pub(super) packets_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) requests_received: u32,
    pub(super) requests_sent: u32,
    pub(super) responses_received: u32,
    pub(super) responses_sent: u32,
    /// In microseconds.
    total_round_trip: u64,
    /// The last one, in microseconds and one more.
    round_trip: Option<NonZeroU32>,
}

impl Counts {
    /// A check was answered, after so long if that is known.
    pub(super) fn answered(&mut self, after: Option<Duration>) {
        self.responses_received += 1;
        let Some(micros) = after.map(|d| u32::try_from(d.as_micros()).unwrap_or(u32::MAX)) else { return };
        self.total_round_trip = self.total_round_trip.saturating_add(u64::from(micros));
        self.round_trip = Some(NonZeroU32::MIN.saturating_add(micros));
    }

    /// How long the last check took.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.map(|micros| Duration::from_micros(u64::from(micros.get() - 1)))
    }

    fn tell(&self) -> PairStats {
        PairStats {
            packets_sent: self.packets_sent,
            packets_received: self.packets_received,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            requests_received: self.requests_received.into(),
            requests_sent: self.requests_sent.into(),
            responses_received: self.responses_received.into(),
            responses_sent: self.responses_sent.into(),
            total_round_trip_time: Duration::from_micros(self.total_round_trip),
            current_round_trip_time: self.round_trip(),
        }
    }
}

/// A pair of candidates.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) id: PairId,
    pub(super) path: TransportContext,
    pub(super) local_kind: CandidateType,
    pub(super) local_priority: u32,
    pub(super) remote_kind: CandidateType,
    pub(super) remote_priority: u32,
    pub(super) foundation: (u8, u32),
    pub(super) priority: u64,
    pub(super) generation: u8,
    pub(super) state: PairState,
    pub(super) readiness: Readiness,
    /// Whether both ends open the stream.
    pub(super) simultaneous: bool,
    /// How often a stream for it that came to nothing is tried again.
    pub(super) stream_tries: u8,
    pub(super) check: Option<Transaction>,
    /// Whether the check in progress began with us controlling.
    pub(super) check_controlling: bool,
    /// Whether the check in progress carries USE-CANDIDATE.
    pub(super) nominating: bool,
    /// Whether the peer's check goes before the ordinary ones.
    pub(super) triggered: bool,
    /// Whether the peer has nominated it, and when last.
    pub(super) nominated_by_peer: Option<crate::env::Instant>,
    /// The number of the nomination, by whoever controls; 0 is none.
    pub(super) nomination: u32,
    pub(super) stats: Counts,
}

impl Pair {
    pub(super) fn is_valid(&self) -> bool {
        self.state == PairState::Succeeded
    }

    /// Whether a check is under way or to come.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.state, PairState::Frozen | PairState::Waiting | PairState::InProgress)
    }

    /// Whether a stream or a permission is still missing.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.readiness, Readiness::Blocked | Readiness::Asked)
    }

    /// Whether it is of these two, and its stream was opened.
    fn was_opened_for(&self, local: &LocalCandidate, remote: &RemoteCandidate) -> bool {
        self.readiness == Readiness::Opened
            && self.foundation.0 == local.foundation
            && self.path.peer_addr == remote.addr
    }

    pub(super) fn kinds(&self) -> (CandidateType, CandidateType) {
        (self.local_kind, self.remote_kind)
    }

    pub(super) fn update_priority(&mut self, controlling: bool) {
        let (g, d) = if controlling {
            (self.local_priority, self.remote_priority)
        } else {
            (self.remote_priority, self.local_priority)
        };
        // "pair priority = 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)"
        self.priority = (u64::from(g.min(d)) << 32) + 2 * u64::from(g.max(d)) + u64::from(g > d);
    }
}

/// The priority of a candidate of ours (RFC 8445, Section 5.1.2).
pub(super) fn priority(
    kind: CandidateType,
    base: SocketAddr,
    tcp_type: Option<TcpType>,
    relay: Option<TransportProtocol>,
    index: usize,
) -> u32 {
    // "it is RECOMMENDED ... type preferences ... lower" for TCP (RFC 6544,
    // Section 4.2); a relay that is reached over TCP is slower than one over
    // UDP, and over TLS slower still.
    let kind = match (kind, tcp_type, relay) {
        // Streams all the way come last.
        (CandidateType::Relayed, Some(_), _) => 0,
        (CandidateType::Relayed, None, Some(TransportProtocol::Udp)) => 3,
        (CandidateType::Relayed, None, Some(TransportProtocol::Tcp)) => 2,
        (CandidateType::Relayed, None, _) => 1,
        (kind, None, _) => kind.preference(),
        (kind, Some(_), _) => kind.preference().saturating_sub(TCP_PENALTY),
    };
    let local = local_preference(base, index);
    // "local preference = (2^13) * direction-pref + other-pref"; "host
    // candidates ... active 6, passive 4, S-O 2" (RFC 6544, Section 4.2).
    let local = match tcp_type {
        None => local,
        Some(TcpType::Active) => 6 << 13 | local >> 3,
        Some(TcpType::Passive) => 4 << 13 | local >> 3,
        Some(TcpType::SimultaneousOpen) => 2 << 13 | local >> 3,
    };
    kind << 24 | local << 8 | 255
}

/// How much lower the type preference of TCP candidates is.
pub(super) const TCP_PENALTY: u32 = 36;

/// The local preference of a candidate: IPv6 before IPv4 (RFC 8421, Section
/// 4), link-local last, in the order in which the addresses were told.
fn local_preference(base: SocketAddr, index: usize) -> u32 {
    let class = match base.ip() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 0x3fff,
        IpAddr::V6(_) => 0xffff,
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_link_local() => 0x3fff,
        IpAddr::V4(_) => 0xbfff,
    };
    class - (index.min(0xff) as u32)
}

/// How often a stream that wants patience is tried again.
const STREAM_TRIES: u8 = 5;

/// Whether a stream that comes to nothing may do better later. A relay takes in
/// streams from whom its owner has let through, and the owner may not have heard
/// of us yet: it has to get our answer first. Of two ends that open at once one
/// is earlier.
fn is_patient(local: &LocalCandidate, remote: &RemoteCandidate) -> bool {
    remote.kind == CandidateType::Relayed || local.tcp_type == Some(TcpType::SimultaneousOpen)
}

impl Agent {
    /// Forms the pairs that are not there yet.
    pub(super) fn pair_all(&mut self, env: &mut Env<'_>) {
        if self.config.lite || self.remote.is_none() {
            return;
        }
        for l in 0..self.locals.len() {
            for r in 0..self.remotes.len() {
                let (Some(local), Some(remote)) = (self.locals.get(l).copied(), self.remotes.get(r).copied())
                else {
                    continue;
                };
                if let Some((path, readiness)) = path(&local, &remote)
                    && self.may_use(&local)
                {
                    self.pair(env, &local, &remote, path, readiness);
                }
            }
        }
    }

    /// Whether the policy lets a candidate of ours be used.
    pub(crate) fn may_use(&self, local: &LocalCandidate) -> bool {
        !self.config.relay_only || local.kind == CandidateType::Relayed
    }

    /// The index of the pair, formed if it is not there; `None` when there is
    /// no room for it.
    pub(super) fn pair(
        &mut self,
        env: &mut Env<'_>,
        local: &LocalCandidate,
        remote: &RemoteCandidate,
        path: TransportContext,
        readiness: Readiness,
    ) -> Option<usize> {
        let generation = self.generation;
        // A stream that the peer has opened is another one than ours to the same
        // place: where a relay connects from is where it listens.
        let wanted = readiness == Readiness::Blocked;
        let known = self.pairs.iter().position(|p| {
            let known = p.path.same_path(&path) || wanted && p.was_opened_for(local, remote);
            p.generation == generation && known
        });
        if known.is_some() {
            return known;
        }
        let foundation = (local.foundation, remote.foundation);
        let frozen = self
            .pairs
            .iter()
            .any(|p| p.foundation == foundation && p.generation == generation && p.is_active());
        let mut pair = Pair {
            id: self.next_pair_id,
            path,
            local_kind: local.kind,
            local_priority: local.priority,
            remote_kind: remote.kind,
            remote_priority: remote.priority,
            foundation,
            priority: 0,
            generation,
            state: if frozen { PairState::Frozen } else { PairState::Waiting },
            readiness,
            simultaneous: local.tcp_type == Some(TcpType::SimultaneousOpen),
            stream_tries: if is_patient(local, remote) { STREAM_TRIES } else { 0 },
            check: None,
            check_controlling: false,
            nominating: false,
            triggered: false,
            nominated_by_peer: None,
            nomination: 0,
            stats: Counts::default(),
        };
        pair.update_priority(self.controlling);
        if self.pairs.is_full() {
            self.drop_pair_below(pair.priority)?;
        }
        self.next_pair_id.0 = self.next_pair_id.0.wrapping_add(1);
        self.idle_since = None;
        self.next_check = self.next_check.max(env.now);
        self.pairs.push(pair).ok()?;
        Some(self.pairs.len() - 1)
    }

    /// "the agent MUST discard the lower-priority pairs": makes room for one
    /// of `priority`, if a pair below it can go.
    fn drop_pair_below(&mut self, priority: u64) -> Option<()> {
        let selected = self.selected.map(|s| s.id);
        let expendable = |p: &&Pair| Some(p.id) != selected && !p.is_valid();
        // Failed ones first.
        let lowest = self.pairs.iter().filter(expendable).min_by_key(|p| (p.is_active(), p.priority))?;
        if lowest.is_active() && lowest.priority >= priority {
            return None;
        }
        let id = lowest.id;
        self.pairs.retain(|p| p.id != id);
        Some(())
    }

    pub(super) fn recompute_priorities(&mut self) {
        let controlling = self.controlling;
        for pair in self.pairs.iter_mut() {
            pair.update_priority(controlling);
            // The numbers were those of whoever controlled before.
            pair.nomination = 0;
        }
    }

    /// Statistics of each pair: its path, state, whether it is nominated,
    /// priority, and counts.
    pub fn pairs(&self) -> impl Iterator<Item = (TransportContext, PairState, bool, u64, PairStats)> {
        let selected = self.selected;
        self.pairs.iter().map(move |p| {
            let nominated = selected.is_some_and(|s| s.id == p.id && s.nominated);
            (p.path, p.state, nominated, p.priority, p.stats.tell())
        })
    }

    /// The types of the selected pair's candidates, ours first.
    pub fn selected_types(&self) -> Option<(CandidateType, CandidateType)> {
        let id = self.selected?.id;
        self.pairs.iter().find(|p| p.id == id).map(Pair::kinds)
    }
}
