//! Local and remote candidates, credentials, restart.

use super::pairs::{Readiness, priority};
use super::{Agent, ConnectionState, GatheringState};
use crate::env::{Env, Rng, TransportContext, TransportProtocol};
use crate::wire::candidate::{Candidate, CandidateAddress, CandidateType, TcpType};
use crate::wire::dns::UuidName;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Our ufrag and password.
///
/// "the ice-pwd attribute MUST ... at least 128 bits of random number": 24
/// characters of 6 bits each; the ufrag has 8, more than the 24 bits that are
/// asked for, so that a server can tell many peers apart by it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    ufrag: heapless::String<8>,
    pwd: heapless::String<24>,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Credentials").field(&self.ufrag).finish() // the password is a secret
    }
}

impl Credentials {
    pub(super) fn generate(rng: &mut Rng) -> Self {
        // "ice-char = ALPHA / DIGIT / "+" / "/""
        const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut random = rng.array::<32>().into_iter();
        let mut char = || {
            let octet = random.next().unwrap_or_default();
            char::from(CHARS.get(usize::from(octet & 63)).copied().unwrap_or(b'A'))
        };
        let mut credentials = Self { ufrag: heapless::String::new(), pwd: heapless::String::new() };
        // Both strings have the capacity that is filled here.
        for _ in 0..8 {
            let _ = credentials.ufrag.push(char());
        }
        for _ in 0..24 {
            let _ = credentials.pwd.push(char());
        }
        credentials
    }

    /// The username fragment.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn pwd(&self) -> &str {
        &self.pwd
    }
}

/// The peer's ufrag and password: up to 256 characters each by the RFC, up to
/// what anybody uses here.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RemoteCredentials {
    pub(super) ufrag: heapless::String<MAX_REMOTE_UFRAG>,
    pub(super) pwd: heapless::String<MAX_REMOTE_PWD>,
}

const MAX_REMOTE_UFRAG: usize = 64;
const MAX_REMOTE_PWD: usize = 128;

impl core::fmt::Debug for RemoteCredentials {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("RemoteCredentials").field(&self.ufrag).finish()
    }
}

/// A candidate of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalCandidate {
    /// Where the peer reaches it.
    pub addr: SocketAddr,
    /// The address of the socket.
    pub base: SocketAddr,
    /// How it came about.
    pub kind: CandidateType,
    /// How the octets travel to the peer, as far as a relay if there is one.
    pub protocol: TransportProtocol,
    /// Which end opens the stream; `None` is UDP.
    pub tcp_type: Option<TcpType>,
    /// What the peer is told as related address (RFC 8839, Section 5.1).
    pub related: Option<SocketAddr>,
    /// The server that it came from.
    pub server: Option<CandidateServer>,
    /// RFC 8445, Section 5.1.2.
    pub priority: u32,
    /// Equal for candidates of one type and base address.
    pub foundation: u8,
    /// Whether its address is still there.
    pub alive: bool,
    /// What the peer is told instead of the address of the host.
    pub name: Option<UuidName>,
}

/// Where a server-reflexive or relayed candidate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CandidateServer {
    /// The number of the server's URL.
    pub url: u8,
    /// How the octets travel to it: W3C's `relayProtocol`.
    pub protocol: TransportProtocol,
}

/// A candidate that a server gave, as it is told to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerCandidate {
    /// Server-reflexive or relayed.
    pub kind: CandidateType,
    /// Where the peer reaches it.
    pub addr: SocketAddr,
    /// The address of the socket; of a relayed candidate, `addr`.
    pub base: SocketAddr,
    /// Which end opens the stream, of a relayed candidate of TCP; `None` is UDP.
    pub tcp_type: Option<TcpType>,
    /// What the peer is told as related address.
    pub related: Option<SocketAddr>,
    /// The server.
    pub server: Option<CandidateServer>,
}

impl LocalCandidate {
    /// Whether the peer may be told of it: of peer-reflexive ones it knows.
    pub(crate) fn is_signalled(&self) -> bool {
        self.alive && self.kind != CandidateType::PeerReflexive
    }

    /// Whether checks go out from it. Reflexive candidates are checked from
    /// their base, where the host candidate is checked already.
    fn is_base(&self) -> bool {
        self.alive && matches!(self.kind, CandidateType::Host | CandidateType::Relayed)
    }

    /// The related address: "0.0.0.0" and 9 where it would tell what a name
    /// hides (draft-ietf-mmusic-mdns-ice-candidates, Section 3.1.2.2).
    fn shown_related(&self) -> Option<SocketAddr> {
        let hidden = |ip: IpAddr| match ip {
            IpAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 9),
            IpAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 9),
        };
        self.related.map(|related| if self.name.is_some() { hidden(related.ip()) } else { related })
    }

    /// Calls `write` with the candidate as the signalling carries it.
    pub fn with_attribute<R>(&self, ufrag: Option<&str>, write: impl FnOnce(Candidate<'_>) -> R) -> R {
        let digits =
            [b'0' + self.foundation / 100, b'0' + self.foundation / 10 % 10, b'0' + self.foundation % 10];
        let skip = digits.iter().take(2).take_while(|d| **d == b'0').count();
        let foundation = digits.get(skip..).and_then(|d| core::str::from_utf8(d).ok()).unwrap_or("0");
        let name = self.name.map(UuidName::to_text);
        write(Candidate {
            foundation,
            component: 1,
            tcp_type: self.tcp_type,
            priority: self.priority,
            address: match &name {
                Some(name) if self.kind == CandidateType::Host => CandidateAddress::Name(name),
                _ => CandidateAddress::Ip(self.addr.ip()),
            },
            port: self.addr.port(),
            kind: self.kind,
            related: self.shown_related(),
            ufrag,
        })
    }
}

/// A candidate of the peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemoteCandidate {
    pub(super) addr: SocketAddr,
    pub(super) priority: u32,
    pub(super) kind: CandidateType,
    pub(super) foundation: u32,
    pub(super) tcp_type: Option<TcpType>,
}

impl RemoteCandidate {
    /// Whether it is at the other end of `path`.
    pub(super) fn is_at(&self, path: &TransportContext) -> bool {
        self.addr == path.peer_addr && self.tcp_type.is_some() == is_tcp(path)
    }
}

/// "the port ... MUST be set to 9 (i.e., Discard)" where an active candidate
/// has none (RFC 6544, Section 4.5).
const DISCARD_PORT: u16 = 9;

impl Agent {
    /// Our credentials of this generation.
    pub fn local_credentials(&self) -> &Credentials {
        &self.local
    }

    /// The peer's ufrag, when it is known.
    pub fn remote_ufrag(&self) -> Option<&str> {
        self.remote.as_ref().map(|r| r.ufrag.as_str())
    }

    /// Our candidates, those whose address is gone among them.
    pub fn local_candidates(&self) -> &[LocalCandidate] {
        &self.locals
    }

    /// Those that the peer may be told of.
    pub fn signalled_candidates(&self) -> impl Iterator<Item = &LocalCandidate> + Clone {
        self.locals.iter().filter(|c| c.is_signalled() && self.may_use(c))
    }

    /// Starts gathering: from now on candidates are announced.
    pub fn gather(&mut self) {
        if self.gathering == GatheringState::New {
            self.gathering =
                if self.local_ended { GatheringState::Complete } else { GatheringState::Gathering };
        }
    }

    /// Tells of an address of ours. With UDP a socket is bound to it. With TCP
    /// a listener is, and there is a passive candidate; port 0 (or 9) says that
    /// nothing listens. In both cases streams can be opened from it, and there
    /// is an active candidate (RFC 6544); with [`Config::simultaneous_open`](super::Config::simultaneous_open)
    /// they can be opened from the listener's port too. `external` is the
    /// address that a 1:1 NAT maps it to, which the peer is told instead.
    /// `false` when there is no room for it.
    pub fn add_local_address(
        &mut self,
        env: &mut Env<'_>,
        addr: SocketAddr,
        protocol: TransportProtocol,
        external: Option<IpAddr>,
    ) -> bool {
        let public = SocketAddr::new(external.unwrap_or(addr.ip()), addr.port());
        let added = !self.closed
            && match protocol {
                TransportProtocol::Udp => self.add_host(public, addr, None),
                TransportProtocol::Tcp => {
                    let listens = addr.port() != 0 && addr.port() != DISCARD_PORT;
                    let passive = !listens || self.add_host(public, addr, Some(TcpType::Passive));
                    let at = |ip| SocketAddr::new(ip, DISCARD_PORT);
                    let active = self.config.lite
                        || self.add_host(at(public.ip()), at(addr.ip()), Some(TcpType::Active));
                    let both = !listens
                        || self.config.lite
                        || !self.config.simultaneous_open
                        || self.add_host(public, addr, Some(TcpType::SimultaneousOpen));
                    passive && active && both
                }
                // Towards servers only.
                TransportProtocol::Tls => false,
            };
        if added {
            if self.config.hide_host_addresses {
                self.name_host(env, addr.ip());
            }
            self.pair_all(env);
            self.update_state(env.now);
        }
        added
    }

    /// Gives the host candidates at `ip` one name. What a router shows of us
    /// is nothing that multicast DNS could tell.
    fn name_host(&mut self, env: &mut Env<'_>, ip: IpAddr) {
        let own =
            |c: &LocalCandidate| c.kind == CandidateType::Host && c.base.ip() == ip && c.addr.ip() == ip;
        let known = self.locals.iter().filter(|c| own(c)).find_map(|c| c.name);
        let name = known.unwrap_or_else(|| UuidName::new(env.rng.array()));
        for candidate in self.locals.iter_mut().filter(|c| own(c)) {
            candidate.name = Some(name);
        }
    }

    fn add_host(&mut self, addr: SocketAddr, base: SocketAddr, tcp_type: Option<TcpType>) -> bool {
        let known = |c: &&mut LocalCandidate| {
            c.base == base && c.kind == CandidateType::Host && c.tcp_type == tcp_type
        };
        if let Some(known) = self.locals.iter_mut().find(known) {
            known.alive = true;
            return true;
        }
        let kind = CandidateType::Host;
        let host = ServerCandidate { kind, addr, base, tcp_type, related: None, server: None };
        self.push_local(&host).is_some()
    }

    /// Tells of a candidate that a server gave. One that says nothing new is
    /// passed over. `false` when there is no room for it.
    pub fn add_server_candidate(&mut self, env: &mut Env<'_>, candidate: &ServerCandidate) -> bool {
        if self.closed {
            return false;
        }
        let same = |c: &&mut LocalCandidate| {
            (c.base, c.addr, c.tcp_type) == (candidate.base, candidate.addr, candidate.tcp_type)
        };
        let known = self.locals.iter_mut().find(same);
        let redundant = match known {
            // "A candidate is redundant if ... its transport address equals
            // that of another candidate, and its base equals the base of that
            // other" (RFC 8445, Section 5.1.3).
            Some(known) if known.alive => known.kind != CandidateType::PeerReflexive,
            Some(known) if known.kind == candidate.kind => {
                known.alive = true;
                true
            }
            _ => false,
        };
        let added = redundant || self.push_local(candidate).is_some();
        self.pair_all(env);
        self.update_state(env.now);
        added
    }

    /// Adds a candidate of our own; returns its index.
    pub(super) fn push_local(&mut self, candidate: &ServerCandidate) -> Option<usize> {
        let ServerCandidate { kind, addr, base, tcp_type, related, server } = *candidate;
        if self.locals.is_full() {
            self.forget_dead_locals();
        }
        // "Two candidates have the same foundation when ... they have the same
        // type ..., their bases have the same IP address ..., STUN or TURN
        // servers ... have the same IP address ..., they were obtained using
        // the same transport protocol" (RFC 8445, Section 5.1.1.3).
        let alike = self.locals.iter().find(|c| {
            let same = (c.kind, c.server, c.tcp_type.is_some()) == (kind, server, tcp_type.is_some());
            same && (c.base.ip() == base.ip() || kind == CandidateType::Relayed)
        });
        let index = self.locals.len();
        let foundation = match alike {
            Some(c) => c.foundation,
            None => (1..=u8::MAX).find(|f| self.locals.iter().all(|c| c.foundation != *f))?,
        };
        let candidate = LocalCandidate {
            addr,
            base,
            kind,
            protocol: if tcp_type.is_some() { TransportProtocol::Tcp } else { TransportProtocol::Udp },
            tcp_type,
            related,
            server,
            priority: priority(kind, base, tcp_type, server.map(|s| s.protocol), index),
            foundation,
            alive: true,
            // What comes of a hidden address must not show it.
            name: self.locals.iter().find(|c| c.base.ip() == base.ip()).and_then(|c| c.name),
        };
        self.locals.push(candidate).ok().map(|()| index)
    }

    /// Makes room. Those behind move up, and with them what is still to be
    /// announced.
    fn forget_dead_locals(&mut self) {
        let gone = self.locals.iter().take(self.announced).filter(|c| !c.alive).count();
        self.announced -= gone;
        self.locals.retain(|c| c.alive);
    }

    /// The candidate of ours that `path` begins at.
    pub(super) fn local_of(&self, path: &TransportContext) -> Option<LocalCandidate> {
        let bases = || self.locals.iter().filter(|c| c.is_base() && c.tcp_type.is_some() == is_tcp(path));
        let exact = bases().find(|c| c.base == path.local_addr);
        // A stream that we have opened begins at a port of its own.
        let active = || {
            let host = |c: &&LocalCandidate| c.kind == CandidateType::Host;
            let active = || bases().filter(host).filter(|c| c.tcp_type == Some(TcpType::Active));
            active().find(|c| c.base.ip() == path.local_addr.ip()).or_else(|| active().next())
        };
        exact.or_else(|| if is_tcp(path) { active() } else { None }).copied()
    }

    /// Tells that an address of ours is gone: its pairs go with it, and what
    /// servers saw of it.
    pub fn remove_local_address(&mut self, env: &mut Env<'_>, addr: SocketAddr, protocol: TransportProtocol) {
        let tcp = protocol != TransportProtocol::Udp;
        let on = |local: SocketAddr| {
            local == addr || tcp && local.ip() == addr.ip() && [0, DISCARD_PORT].contains(&addr.port())
        };
        for candidate in self.locals.iter_mut().filter(|c| c.tcp_type.is_some() == tcp && on(c.base)) {
            candidate.alive = false;
        }
        self.remove_paths(env, |path| is_tcp(path) == tcp && on(path.local_addr));
    }

    /// Tells that nothing comes or goes along some paths any more.
    pub fn remove_paths(&mut self, env: &mut Env<'_>, mut gone: impl FnMut(&TransportContext) -> bool) {
        if let Some(selected) = self.selected
            && gone(&selected.path)
        {
            self.selected = None;
            self.selected_changed = true;
            self.lost_at = Some(env.now);
        }
        self.pairs.retain(|p| !gone(&p.path));
        if self.selected.is_none() {
            self.select_best(env);
            // Which tells the peer where we are now.
            self.consent.hurry(env.now);
        }
        // What can be tried again is.
        self.pair_all(env);
        self.update_state(env.now);
    }

    /// Tells that no more local addresses are to come for now.
    pub fn end_of_local_addresses(&mut self) {
        self.local_ended = true;
        if self.gathering == GatheringState::Gathering {
            self.gathering = GatheringState::Complete;
        }
    }

    /// Tells that more of them are to come before gathering is complete.
    pub fn more_local_addresses(&mut self) {
        self.local_ended = false;
    }

    /// Says whether only relayed candidates are told and used from now on.
    pub fn set_relay_only(&mut self, relay_only: bool) {
        self.config.relay_only = relay_only;
    }

    /// Whether no more local addresses are to come for now.
    pub fn is_local_ended(&self) -> bool {
        self.local_ended
    }

    /// Takes in the peer's credentials. When they are other than before, the
    /// peer has restarted: whoever calls has called [`restart`](Self::restart)
    /// then. `false` when they are longer than anybody's.
    pub fn set_remote_credentials(&mut self, env: &mut Env<'_>, ufrag: &str, pwd: &str) -> bool {
        let (Ok(ufrag), Ok(pwd)) = (heapless::String::try_from(ufrag), heapless::String::try_from(pwd))
        else {
            return false;
        };
        self.remote = Some(RemoteCredentials { ufrag, pwd });
        self.replay_early(env);
        self.pair_all(env);
        self.update_state(env.now);
        true
    }

    /// Takes in a candidate of the peer. Names and other components are
    /// counted and ignored: a peer that hides behind a name shows its address
    /// by the checks that it sends.
    pub fn add_remote_candidate(&mut self, env: &mut Env<'_>, candidate: &Candidate<'_>) {
        let ip = match candidate.address {
            CandidateAddress::Ip(ip) if candidate.tcp_type == Some(TcpType::Active) => {
                // It opens streams to us.
                self.remote_hidden = true;
                #[cfg(feature = "turn-tcp")]
                if self.config.relays_tcp && candidate.component == 1 {
                    self.remember_active(candidate, ip);
                }
                let _ = ip;
                self.update_state(env.now);
                return;
            }
            CandidateAddress::Ip(ip) if candidate.component == 1 => ip,
            _ => {
                self.counters.candidates_ignored += 1;
                self.remote_hidden = true;
                self.update_state(env.now);
                return;
            }
        };
        let ip = ip.to_canonical();
        if candidate.port == 0 || ip.is_unspecified() || ip.is_multicast() || self.closed {
            self.counters.candidates_ignored += 1;
            return;
        }
        let remote = RemoteCandidate {
            addr: SocketAddr::new(ip, candidate.port),
            priority: candidate.priority,
            kind: candidate.kind,
            foundation: fold(candidate.foundation),
            tcp_type: candidate.tcp_type,
        };
        self.push_remote(env, remote);
        self.update_state(env.now);
    }

    /// Keeps where the peer's streams will come from.
    #[cfg(feature = "turn-tcp")]
    fn remember_active(&mut self, candidate: &Candidate<'_>, ip: IpAddr) {
        let addr = SocketAddr::new(ip.to_canonical(), DISCARD_PORT);
        let known = |r: &RemoteCandidate| r.addr == addr && r.tcp_type == Some(TcpType::Active);
        if !self.remotes.iter().any(known) {
            let remote = RemoteCandidate {
                addr,
                priority: candidate.priority,
                kind: candidate.kind,
                foundation: fold(candidate.foundation),
                tcp_type: candidate.tcp_type,
            };
            if self.remotes.push(remote).is_err() {
                self.counters.candidates_ignored += 1;
            }
        }
    }

    /// The addresses of the peer's candidates, which its streams may come from.
    #[cfg(feature = "turn-tcp")]
    pub(crate) fn remote_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.remotes.iter().map(|r| r.addr.ip())
    }

    /// Tells that the peer has a candidate whose address is not known yet: it
    /// may come, or check us.
    pub fn expect_hidden_candidate(&mut self, env: &mut Env<'_>) {
        self.remote_hidden = true;
        self.update_state(env.now);
    }

    pub(super) fn push_remote(&mut self, env: &mut Env<'_>, remote: RemoteCandidate) {
        if let Some(known) = self.remotes.iter_mut().find(|r| {
            let learnt =
                r.kind == CandidateType::PeerReflexive && r.tcp_type.is_some() == remote.tcp_type.is_some();
            r.addr == remote.addr && (learnt || r.tcp_type == remote.tcp_type)
        }) {
            // The signalled candidate that a check has run ahead of.
            if known.kind == CandidateType::PeerReflexive {
                *known = remote;
            }
            return;
        }
        if self.remotes.push(remote).is_err() {
            self.counters.candidates_ignored += 1;
            return;
        }
        self.pair_all(env);
    }

    /// Tells that the peer has no more candidates.
    pub fn end_of_remote_candidates(&mut self, env: &mut Env<'_>) {
        self.remote_ended = true;
        self.update_state(env.now);
    }

    /// Begins a new generation: new credentials, a new check list. The path
    /// that was selected carries on until the new generation has one.
    pub fn restart(&mut self, env: &mut Env<'_>) {
        // A restart that the peer has not agreed to yet is still the same one.
        if self.closed || self.is_restarting() {
            return;
        }
        let generation = self.generation;
        let local = core::mem::replace(&mut self.local, Credentials::generate(env.rng));
        let remote = self.remote.take();
        let selected = self.selected.map(|s| s.id);
        // A restart before the last one has found a path: what is in use still
        // lives by the credentials of the generation that found it.
        let older = self.selected_pair().is_some_and(|p| p.generation != generation);
        if !older {
            self.previous = Some((local, remote));
        }
        self.generation = generation.wrapping_add(1);
        self.pairs.retain(|p| Some(p.id) == selected);
        self.remotes.clear();
        self.early.clear();
        self.remote_ended = false;
        self.remote_hidden = false;
        self.locals.retain(|c| c.alive && c.kind != CandidateType::PeerReflexive);
        self.announced = 0;
        self.told_gathering = GatheringState::New;
        self.gathering = GatheringState::New;
        self.first_valid_at = None;
        self.idle_since = None;
        self.lost_at = None;
        if let Some(selected) = &mut self.selected {
            selected.nominated = false;
        } else {
            self.state = ConnectionState::New;
        }
    }

    /// Which generation this is: a [`restart`](Self::restart) begins another.
    #[cfg(feature = "turn")]
    pub(crate) fn generation(&self) -> u8 {
        self.generation
    }

    /// Whether a [`restart`](Self::restart) waits for the peer's credentials.
    pub fn is_restarting(&self) -> bool {
        self.previous.is_some() && self.remote.is_none()
    }

    /// Takes a [`restart`](Self::restart) back that the peer has not agreed
    /// to: the generation before goes on.
    pub fn roll_back_restart(&mut self, env: &mut Env<'_>) {
        if let Some((local, remote)) = self.previous.take_if(|_| self.remote.is_none()) {
            (self.local, self.remote) = (local, remote);
            self.generation = self.generation.wrapping_sub(1);
            let generation = self.generation;
            self.pairs.retain(|p| p.generation == generation);
            if let Some(selected) = &mut self.selected {
                self.first_valid_at = Some(env.now);
                selected.nominated = !self.controlling;
            }
            self.update_state(env.now);
        }
    }

    /// The credentials of a generation.
    pub(super) fn credentials(&self, generation: u8) -> Option<(&Credentials, &RemoteCredentials)> {
        if generation == self.generation {
            Some((&self.local, self.remote.as_ref()?))
        } else {
            let (local, remote) = self.previous.as_ref()?;
            Some((local, remote.as_ref()?))
        }
    }
}

/// A number for a foundation, which is only compared.
fn fold(foundation: &str) -> u32 {
    foundation.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// Whether two addresses can reach each other at all: one family, and
/// link-local ones among themselves (RFC 8445, Section 6.1.2.2).
pub(super) fn can_pair(a: IpAddr, b: IpAddr) -> bool {
    match (a, b) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.is_unicast_link_local() == b.is_unicast_link_local(),
        _ => false,
    }
}

/// The path from a base of ours to a candidate of the peer, and whether it can
/// be used at once. `None` when the two are no pair.
pub(super) fn path(
    local: &LocalCandidate,
    remote: &RemoteCandidate,
) -> Option<(TransportContext, Readiness)> {
    if !local.is_base() || !can_pair(local.base.ip(), remote.addr.ip()) && !local.base.ip().is_unspecified() {
        return None;
    }
    let path = TransportContext {
        transport_protocol: local.protocol,
        ..TransportContext::udp(local.base, remote.addr)
    };
    match (local.tcp_type, remote.tcp_type) {
        (None, None) if local.kind == CandidateType::Relayed => Some((path, Readiness::Blocked)),
        (None, None) => Some((path, Readiness::Ready)),
        // "active candidates are always paired with passive, and S-O candidates
        // with each other" (RFC 6544, Section 3).
        (Some(TcpType::Active), Some(TcpType::Passive))
        | (Some(TcpType::SimultaneousOpen), Some(TcpType::SimultaneousOpen)) => {
            Some((path, Readiness::Blocked))
        }
        // Who is passive waits.
        _ => None,
    }
}

pub(super) fn is_tcp(path: &TransportContext) -> bool {
    path.transport_protocol != TransportProtocol::Udp
}
