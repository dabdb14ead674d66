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
//! | `data` | wrapping what goes out, unwrapping what comes in |

mod allocation;
mod data;
mod login;
mod peers;

#[cfg(all(test, feature = "rust-crypto"))]
mod tests;

pub use data::Received;
pub use login::{MAX_PASSWORD, MAX_USERNAME};
pub use peers::Permission;

use crate::crypto::Hashes;
use crate::env::{Env, Instant, TransportContext, TransportProtocol};
use crate::mem::{FixedVec, OutOfMemory};
use crate::stun::{Schedule, Transaction};
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
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { allocations: 1, peers: 8 };
    /// For applications.
    pub const DEFAULT: Self = Self { allocations: 6, peers: 32 };
    /// For servers with many connections.
    pub const SERVER: Self = Self { allocations: 1, peers: 16 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Client>::heap_bytes(self.allocations)
            + self.allocations * FixedVec::<Peer>::heap_bytes(self.peers)
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
    /// Data from peers without a permission, or on channels that are not bound.
    pub unpermitted: u64,
}

/// An allocation on a relay.
pub struct Client {
    hashes: &'static dyn Hashes,
    path: TransportContext,
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
    relayed: [Option<SocketAddr>; 2],
    mapped: Option<SocketAddr>,
    peers: FixedVec<Peer>,
    next_channel: u16,
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
            login: Login::default(),
            state: State::Idle,
            request: None,
            refresh_at: Instant::ZERO,
            expires_at: Instant::ZERO,
            rounds: 0,
            cleared: false,
            relayed: [None; 2],
            mapped: None,
            peers: FixedVec::new(limits.peers)?,
            next_channel: 0,
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
        let peers = self.peers_deadline();
        [self.allocation_deadline(), peers].into_iter().flatten().min()
    }

    /// Does what is due. Early calls do no harm.
    pub fn handle_timeout(&mut self, env: &mut Env<'_>) {
        self.expire_allocation(env);
        self.expire_peers(env);
    }

    /// Writes the next request to the server; returns its length. Call until
    /// `None`.
    pub fn poll_write(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        self.poll_allocation(env, out).or_else(|| self.poll_peers(env, out))
    }
}
