//! TURN (RFC 8656): an allocation on a relay, and what is sent through it.
//!
//! A [`Client`] keeps one allocation on one server, over UDP or on a stream
//! that its owner opens and frames.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `allocation` | getting, refreshing and giving back an allocation |
//! | `login` | long-term credentials: realm, nonce, key |
//! | `peers` | permissions and channels |
//! | `connections` | streams through the relay (feature `turn-tcp`) |
//! | `data` | wrapping what goes out, unwrapping what comes in |

mod allocation;
#[cfg(feature = "turn-tcp")]
mod connections;
mod data;
mod login;
mod peers;

#[cfg(all(test, feature = "rust-crypto"))]
mod tests;

#[cfg(feature = "turn-tcp")]
pub use connections::ConnectionNumber;
pub use data::Received;
pub use login::{MAX_PASSWORD, MAX_USERNAME};
pub use peers::Permission;

use crate::crypto::Hashes;
use crate::env::{Env, Instant, TransportContext, TransportProtocol};
use crate::mem::{FixedVec, OutOfMemory};
use crate::stun::{Schedule, Transaction};
use crate::wire::turn::RequestedTransport;
use allocation::State;
use core::net::{Ipv4Addr, SocketAddr};
use login::Login;
use peers::Peer;

/// How much a connection may hold on relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Allocations: one per server and interface.
    pub allocations: usize,
    /// Peers of each: addresses that have a permission.
    pub peers: usize,
    /// Streams through each allocation of TCP at a time.
    #[cfg(feature = "turn-tcp")]
    pub connections: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self {
        allocations: 1,
        peers: 8,
        #[cfg(feature = "turn-tcp")]
        connections: 0,
    };
    /// For applications.
    pub const DEFAULT: Self = Self {
        allocations: 6,
        peers: 32,
        #[cfg(feature = "turn-tcp")]
        connections: 4,
    };
    /// For servers with many connections.
    pub const SERVER: Self = Self {
        allocations: 1,
        peers: 16,
        #[cfg(feature = "turn-tcp")]
        connections: 0,
    };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        let each = FixedVec::<Peer>::heap_bytes(self.peers);
        #[cfg(feature = "turn-tcp")]
        let each = each + FixedVec::<connections::Connection>::heap_bytes(self.connections);
        FixedVec::<Client>::heap_bytes(self.allocations) + self.allocations * each
    }
}

/// What became of an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// It is there: see [`Client::relayed`] and [`Client::mapped`].
    Allocated,
    /// There is none. The server's error code, or `None` when it did not
    /// answer.
    Failed(Option<u16>),
    /// It was there and is gone: the server forgot it, refused to go on, or
    /// vanished.
    Lost,
}

/// What was received and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Messages of no transaction, or malformed.
    pub noise: u64,
    /// Answers that are not protected by the right password.
    pub unauthentic: u64,
    /// Data from peers without a permission, or on channels that are not bound;
    /// and streams that such peers open.
    pub unpermitted: u64,
    /// Streams that peers open and for which there was no room.
    pub refused: u64,
}

impl core::ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            noise: self.noise + other.noise,
            unauthentic: self.unauthentic + other.unauthentic,
            unpermitted: self.unpermitted + other.unpermitted,
            refused: self.refused + other.refused,
        }
    }
}

/// An allocation on a relay.
pub struct Client {
    hashes: &'static dyn Hashes,
    path: TransportContext,
    /// What the relay speaks to peers.
    relays: RequestedTransport,
    login: Login,
    state: State,
    /// The Allocate or Refresh that waits for its answer.
    request: Option<Transaction>,
    refresh_at: Instant,
    expires_at: Instant,
    /// Answers in a row that did nothing but ask again.
    rounds: u8,
    /// Whether an allocation of a past run was given back.
    cleared: bool,
    /// Whether the server has no relays of IPv4.
    ipv6_only: bool,
    relayed: [Option<SocketAddr>; 2],
    mapped: Option<SocketAddr>,
    peers: FixedVec<Peer>,
    next_channel: u16,
    #[cfg(feature = "turn-tcp")]
    connections: FixedVec<connections::Connection>,
    #[cfg(feature = "turn-tcp")]
    next_connection: u32,
    event: Option<Event>,
    counters: Counters,
}

/// When requests are sent again. A server that has not answered after 11.5
/// seconds is not worth waiting for.
const SCHEDULE: Schedule = Schedule { transmissions: 5, last_wait: 8, ..Schedule::RFC };
/// Over a stream nothing is sent again.
const STREAM_SCHEDULE: Schedule = Schedule { transmissions: 1, last_wait: 23, ..Schedule::RFC };

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut f = f.debug_struct("Client");
        f.field("path", &self.path).field("state", &self.state).field("relayed", &self.relayed);
        f.field("peers", &self.peers).finish_non_exhaustive()
    }
}

impl Client {
    /// A client with all the memory that it will have, at rest.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(hashes: &'static dyn Hashes, limits: &Limits) -> Result<Self, OutOfMemory> {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Ok(Self {
            hashes,
            path: TransportContext::udp(nowhere, nowhere),
            relays: RequestedTransport::UDP,
            login: Login::default(),
            state: State::Idle,
            request: None,
            refresh_at: Instant::ZERO,
            expires_at: Instant::ZERO,
            rounds: 0,
            cleared: false,
            ipv6_only: false,
            relayed: [None; 2],
            mapped: None,
            peers: FixedVec::new(limits.peers)?,
            next_channel: 0,
            #[cfg(feature = "turn-tcp")]
            connections: FixedVec::new(limits.connections)?,
            #[cfg(feature = "turn-tcp")]
            next_connection: 0,
            event: None,
            counters: Counters::default(),
        })
    }

    /// Whether there is nothing here, and nothing under way.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// The path to the server.
    pub fn path(&self) -> &TransportContext {
        &self.path
    }

    /// The relayed addresses: of IPv4, of IPv6, or of both.
    pub fn relayed(&self) -> impl Iterator<Item = SocketAddr> + use<> {
        self.relayed.into_iter().flatten()
    }

    /// What the relay speaks to peers: datagrams, or streams (RFC 6062).
    pub fn relays(&self) -> TransportProtocol {
        if self.relays == RequestedTransport::TCP { TransportProtocol::Tcp } else { TransportProtocol::Udp }
    }

    /// Our address as the server sees it.
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Counters, for statistics.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What happened since the last call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    fn schedule(&self) -> &'static Schedule {
        if self.path.transport_protocol == TransportProtocol::Udp { &SCHEDULE } else { &STREAM_SCHEDULE }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and
    /// [`poll_write`](Self::poll_write).
    pub fn poll_timeout(&self) -> Option<Instant> {
        #[cfg(feature = "turn-tcp")]
        let connections = self.connections_deadline();
        #[cfg(not(feature = "turn-tcp"))]
        let connections = None;
        [self.allocation_deadline(), self.peers_deadline(), connections].into_iter().flatten().min()
    }

    /// Does what is due. Early calls do no harm.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.expire_allocation(env);
        self.expire_peers(env);
        #[cfg(feature = "turn-tcp")]
        self.expire_connections(env.now);
    }

    /// Writes the next request to the server; returns its length. Call until
    /// `None`.
    pub fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        let written = self.poll_allocation(env, out).or_else(|| self.poll_peers(env, out));
        #[cfg(feature = "turn-tcp")]
        let written = written.or_else(|| self.poll_connect(env, out));
        written
    }
}
