//! Path MTU discovery (RFC 8899, Section 6.2.3): a HEARTBEAT, padded to the
//! size in question, shows that the path carries packets of that size when it
//! is answered. Nothing is lost with a probe that is not, and congestion
//! control does not hear of it.
//!
//! Chunks are never cut longer than the base size takes, whatever the path
//! carries: a longer packet has more of them. "once an SCTP message has been
//! sent, it cannot be resegmented" (Section 6.2), so that all that is in flight
//! can be sent again when the path changes for a smaller one.

use super::Association;
use super::data_out::Outbound;
use super::timeouts::Timeout;
use crate::env::{Env, Instant};
use crate::wire::Writer;
use crate::wire::sctp::{ChunkType, HEADER_LEN, emit_chunk, fill_checksum, heartbeat_info};
use core::time::Duration;

/// How far the search has come (RFC 8899, Section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// There is nothing to be gained.
    #[default]
    Disabled,
    /// Whether packets of the base size come through, and padded HEARTBEATs
    /// are answered.
    Base,
    Searching,
    Complete,
    /// They are not: packets keep the base size.
    Error,
}

/// The search for the longest packet. Sizes are those of SCTP packets.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    state: State,
    /// BASE_PLPMTU and MAX_PLPMTU.
    base: usize,
    most: usize,
    /// The longest that came through, and the shortest that did not; 0 when
    /// all did.
    fits: usize,
    fails: usize,
    /// PROBED_SIZE and PROBE_COUNT, and by what the answer is known.
    size: usize,
    count: u8,
    nonce: u64,
    due: bool,
}

/// "The default value of MAX_PROBES is 3." (RFC 8899, Section 5.1.2)
const MAX_PROBES: u8 = 3;
/// PROBE_TIMER: "This value MUST NOT be smaller than 1 second" (Section
/// 5.1.1). It asks for more where an answer may take longer, which the
/// retransmission timeout knows.
const PROBE_TIMER: Duration = Duration::from_secs(1);
/// PMTU_RAISE_TIMER: "This timer has a period of 600 seconds".
const RAISE_TIMER: Duration = Duration::from_secs(600);
/// What fits Ethernet, behind IPv6, UDP and DTLS of either version.
const ETHERNET: usize = 1412;

impl Discovery {
    /// The size that is taken for granted; 0 as long as no path was told.
    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// What to try next: all there may be, what most links carry, then the
    /// middle of what is left; `None` when that is hardly more than fits.
    fn next_size(&self) -> Option<usize> {
        if self.fits == self.most {
            return None;
        }
        let size = match self.fails {
            0 => self.most,
            fails if self.fits < ETHERNET && ETHERNET < fails => ETHERNET,
            fails => usize::midpoint(self.fits, fails) & !3,
        };
        (size > self.fits + self.fits / 32).then_some(size)
    }

    fn probe(&mut self, size: usize, nonce: u64) {
        self.size = size;
        self.nonce = nonce;
        self.count = 0;
        self.due = true;
    }
}

impl Association {
    /// There is another path: packets of `base` octets are taken for granted,
    /// longer ones up to `most` when the path was seen to carry them, which is
    /// probed. No more than `base` is for no discovery.
    pub fn set_path(&mut self, env: &mut Env<'_>, base: usize, most: usize) {
        let base = base.max(super::MIN_MAX_PACKET) & !3;
        // "The record layer fragments information blocks into TLSPlaintext
        // records carrying data in chunks of 2^14 bytes or less" (RFC 8446,
        // Section 5.1).
        let most = most.min(1 << 14) & !3;
        self.discovery = Discovery { base, most, ..Discovery::default() };
        self.set_max_packet(base);
        if self.is_up() {
            // "SCTP SHOULD retest the path MTU and reset the congestion state
            // to the initial state" (RFC 8261, Section 6.1).
            self.outbound.cc.reset();
            self.start_discovery(env);
        }
    }

    /// Packets have the size that is taken for granted, if a path was told.
    pub(super) fn keep_base(&mut self) {
        if self.discovery.base > 0 {
            self.set_max_packet(self.discovery.base);
        }
    }

    /// Enters the base phase, with the size that is taken for granted.
    pub(super) fn start_discovery(&mut self, env: &mut Env<'_>) {
        let (base, most) = (self.discovery.base, self.discovery.most);
        self.timers.stop(Timeout::PathMtu);
        self.discovery = Discovery { base, most, fits: base, ..Discovery::default() };
        self.keep_base();
        if self.discovery.next_size().is_some() {
            self.discovery.state = State::Base;
            self.discovery.probe(base, env.rng.next_u64());
        }
    }

    /// Packets as long as now do not come through, it seems: "black hole
    /// detected" (RFC 8899, Section 5.2). When it was congestion, an answered
    /// probe says so soon.
    pub(super) fn doubt_path(&mut self, env: &mut Env<'_>) {
        if self.max_packet > self.discovery.base && self.discovery.state != State::Disabled {
            debug!("sctp: packets of {} octets are lost", self.max_packet);
            self.start_discovery(env);
        }
    }

    /// After chunks were found missing.
    pub(super) fn note_lost_twice(&mut self, env: &mut Env<'_>) {
        if core::mem::take(&mut self.outbound.lost_twice) {
            self.doubt_path(env);
        }
    }

    pub(super) fn discovery_timed_out(&mut self, env: &mut Env<'_>) {
        let discovery = &mut self.discovery;
        match discovery.state {
            State::Disabled => {}
            State::Base | State::Searching if discovery.count < MAX_PROBES => discovery.due = true,
            State::Base => self.rest_discovery(env.now, State::Error),
            State::Searching => {
                discovery.fails = discovery.size;
                self.search(env);
            }
            State::Complete => {
                discovery.fails = 0;
                self.search(env);
            }
            State::Error => self.start_discovery(env),
        }
    }

    fn search(&mut self, env: &mut Env<'_>) {
        match self.discovery.next_size() {
            Some(size) => {
                self.discovery.state = State::Searching;
                self.discovery.probe(size, env.rng.next_u64());
            }
            None => self.rest_discovery(env.now, State::Complete),
        }
    }

    fn rest_discovery(&mut self, now: Instant, state: State) {
        debug!("sctp: packets have {} octets", self.max_packet);
        self.discovery.state = state;
        self.discovery.nonce = 0;
        if self.discovery.fits < self.discovery.most {
            self.timers.set(Timeout::PathMtu, now + RAISE_TIMER);
        }
    }

    /// Builds the probe that is due: "an SCTP common header followed by a
    /// HEARTBEAT chunk and a PAD chunk" (RFC 8899, Section 6.2.1.2).
    pub(super) fn poll_path_probe(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        // Before COOKIE ACK the peer takes no HEARTBEAT.
        if !self.discovery.due || !self.is_up() || self.due.cookie_ack {
            return None;
        }
        let (size, nonce) = (self.discovery.size, self.discovery.nonce);
        let mut w = Writer::new(out.get_mut(..size)?);
        self.header(&mut w, self.link.peer_tag).ok()?;
        let info = |w: &mut Writer<'_>| heartbeat_info(w, &nonce.to_be_bytes());
        emit_chunk(&mut w, ChunkType::HEARTBEAT, 0, info).ok()?;
        let pad = w.room().checked_sub(4)?;
        emit_chunk(&mut w, ChunkType::PAD, 0, |w| w.zeros(pad)).ok()?;
        if self.wants_checksum() {
            fill_checksum(w.written_mut());
        }
        self.discovery.due = false;
        self.discovery.count += 1;
        self.timers.set(Timeout::PathMtu, env.now + PROBE_TIMER.max(self.outbound.cc.rto));
        self.stats.packets_sent += 1;
        Some(w.len())
    }

    /// A HEARTBEAT ACK with `nonce`. Says whether it answers a probe.
    pub(super) fn probe_answered(&mut self, env: &mut Env<'_>, nonce: Option<u64>) -> bool {
        let discovery = &mut self.discovery;
        if !matches!(discovery.state, State::Base | State::Searching) || nonce != Some(discovery.nonce) {
            return false;
        }
        self.timers.stop(Timeout::PathMtu);
        // "A successful probe updates the association and path counters".
        self.errors = 0;
        discovery.due = false;
        discovery.fits = discovery.size;
        let fits = discovery.fits;
        self.set_max_packet(fits);
        self.search(env);
        true
    }
}

impl Outbound {
    /// Packets have `octets` from now on: no chunk becomes longer than `base`
    /// takes, and so many of one length fill the packet.
    pub(super) fn set_cut(&mut self, octets: usize, base: usize) {
        let (room, each) = (octets.saturating_sub(HEADER_LEN), base.saturating_sub(HEADER_LEN));
        let chunks = room.div_ceil(each.max(1)).max(1);
        self.cut = if base == 0 { usize::MAX } else { HEADER_LEN + (room / chunks) };
    }
}
