//! A STUN and TURN server (RFC 8489, RFC 8656): what a developer needs next to
//! a device or in a test. It is not coturn: UDP relays only, no reservations, no
//! mobility, no clusters.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `requests` | what is asked and answered |
//! | `users` | who asks: long-term credentials by MD5 and SHA-256 |
//! | `allocations` | relays, permissions, channels |
//! | `data` | what is carried |
//! | `filter` | which peers may be reached |
//! | `nonce` | nonces that need no memory |

mod allocations;
mod data;
mod filter;
mod nonce;
mod requests;
mod users;

#[cfg(all(test, feature = "rust-crypto"))]
mod tests;

pub use filter::{Network, NetworkError, PeerFilter};
pub use users::Users;

use crate::crypto::Hashes;
use crate::env::{Instant, Rng, Transmit, TransportContext};
use crate::mem::{FixedVec, Index, KeyedHash, OutOfMemory};
use crate::wire::turn::AddressFamily;
use allocations::{Allocation, State};
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;
use nonce::Nonces;

/// The longest realm, in octets.
pub const MAX_REALM: usize = 64;
/// The longest user name, in octets.
pub const MAX_USERNAME: usize = 128;

/// The key of a user by MD5: `MD5(name ":" realm ":" password)` (RFC 8489, Section
/// 9.2.2).
pub type UserKey = [u8; 16];

/// How much a server holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Allocations in all. More are answered with 508.
    pub allocations: usize,
    /// Allocations of one user. More are answered with 486.
    pub allocations_per_user: usize,
    /// Addresses that one allocation may reach. More are answered with 508.
    pub permissions: usize,
    /// Channels of one allocation. More are answered with 508.
    pub channels: usize,
    /// Answers per second, longer than their questions, to whoever has not shown
    /// who they are. More are not given: such answers go to addresses that
    /// anybody can write on a datagram.
    pub unauthenticated_per_second: u32,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self {
        allocations: 4,
        allocations_per_user: 4,
        permissions: 4,
        channels: 4,
        unauthenticated_per_second: 20,
    };
    /// For a developer's machine.
    pub const DEFAULT: Self = Self {
        allocations: 256,
        allocations_per_user: 64,
        permissions: 16,
        channels: 16,
        unauthenticated_per_second: 200,
    };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Allocation>::heap_bytes(self.allocations)
            + self.allocations * Allocation::heap_bytes(self)
            + Index::heap_bytes(self.allocations)
    }
}

/// How a server behaves.
#[derive(Debug, Clone, Copy)]
pub struct Config<'a> {
    /// The realm of its users; short, since strangers are told it.
    pub realm: &'a str,
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
    /// The longest life of an allocation that is not refreshed.
    pub max_lifetime: Duration,
    /// Whether users may prove themselves by SHA-256 (RFC 8489, Section 9.2):
    /// clients that can are bound to it, others go on as before. Every user has
    /// [`Users::key_sha256`] then. A refusal of a stranger becomes 28 octets
    /// longer by it.
    pub sha256: bool,
    /// Whether IPv4 relays are given out.
    pub ipv4: bool,
    /// Whether IPv6 relays are given out.
    pub ipv6: bool,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Self {
            realm: "picortc",
            nonce_lifetime: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(3600),
            sha256: false,
            ipv4: true,
            ipv6: true,
        }
    }
}

/// Why a server could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BuildError {
    /// The allocator refused memory.
    OutOfMemory,
    /// The realm is empty, or longer than [`MAX_REALM`] octets.
    Realm,
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfMemory => OutOfMemory.fmt(f),
            Self::Realm => f.write_str("the realm must have 1 to 64 octets"),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<OutOfMemory> for BuildError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// A relay of a [`TurnServer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RelayId {
    index: u32,
    generation: u32,
}

/// What socket a relay wants: UDP, at a port that cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Socket {
    /// The family of its address.
    pub family: AddressFamily,
    /// Whether the number of its port must be even.
    pub even_port: bool,
}

/// What the owner of the sockets is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// Bind such a socket, and tell of it by
    /// [`TurnServer::handle_relay_opened`].
    OpenRelay(RelayId, Socket),
    /// Close the socket of this relay.
    CloseRelay(RelayId),
}

/// What a datagram that came leads to: one datagram, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send the first `len` octets of `out` to a client.
    Client(Transmit),
    /// Send a part of the datagram that came from the socket of a relay.
    Peer {
        /// Which relay.
        relay: RelayId,
        /// To whom.
        peer: SocketAddr,
        /// Which part.
        range: Range<usize>,
    },
}

/// What was done and what was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Datagrams that are no STUN and no ChannelData, or of nobody.
    pub noise: u64,
    /// Requests that were refused: with an error, or for want of it.
    pub refused: u64,
    /// Requests of strangers that were not answered at all.
    pub unanswered: u64,
    /// Datagrams to or from peers that have no permission.
    pub not_permitted: u64,
    /// Datagrams carried to peers, and their octets.
    pub to_peers: (u64, u64),
    /// Datagrams carried to clients, and their octets.
    pub to_clients: (u64, u64),
}

/// A STUN and TURN server, without I/O.
///
/// Each datagram that comes leads to one datagram at most, which is built in
/// the caller's buffer at once: nothing is queued, so there is nothing that a
/// stranger could fill. The loop around it:
///
/// 1. a datagram of a client goes to [`handle_read`](Self::handle_read), one
///    that came to a relay's socket to
///    [`handle_relay_read`](Self::handle_relay_read), and what they say is
///    sent;
/// 2. sockets are opened and closed as [`poll_event`](Self::poll_event) says;
/// 3. [`handle_timeout`](Self::handle_timeout) at
///    [`poll_timeout`](Self::poll_timeout).
///
/// Over TCP and TLS the caller takes streams apart with
/// [`Deframer`](crate::stun::Deframer); what is to be sent is padded already.
pub struct TurnServer<U> {
    now: Instant,
    hashes: &'static dyn Hashes,
    users: U,
    filter: PeerFilter,
    realm: heapless::String<MAX_REALM>,
    nonces: Nonces,
    max_lifetime: Duration,
    families: [bool; 2],
    per_user: usize,
    per_second: u32,
    /// Answers to strangers that are left in this second.
    left: u32,
    second: u64,
    allocations: FixedVec<Allocation>,
    by_client: Index,
    hash: KeyedHash,
    counters: Counters,
}

impl<U> core::fmt::Debug for TurnServer<U> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TurnServer")
            .field("realm", &self.realm)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl<U: Users> TurnServer<U> {
    /// A server without allocations. All its memory is taken here. `seed` must
    /// come from a cryptographic source.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(
        config: &Config<'_>,
        limits: &Limits,
        users: U,
        filter: PeerFilter,
        hashes: &'static dyn Hashes,
        seed: [u8; 32],
    ) -> Result<Self, BuildError> {
        let mut rng = Rng::new(seed);
        let mut allocations = FixedVec::new(limits.allocations)?;
        while !allocations.is_full() {
            allocations.push(Allocation::new(limits)?).map_err(|_| OutOfMemory)?;
        }
        if config.realm.is_empty() {
            return Err(BuildError::Realm);
        }
        Ok(Self {
            now: Instant::ZERO,
            hashes,
            users,
            filter,
            realm: heapless::String::try_from(config.realm).map_err(|_| BuildError::Realm)?,
            nonces: Nonces { secret: rng.array(), lifetime: config.nonce_lifetime, cookie: config.sha256 },
            max_lifetime: config.max_lifetime,
            families: [config.ipv4, config.ipv6],
            per_user: limits.allocations_per_user,
            per_second: limits.unauthenticated_per_second,
            left: limits.unauthenticated_per_second,
            second: 0,
            allocations,
            by_client: Index::new(limits.allocations)?,
            hash: KeyedHash::new(&mut rng),
            counters: Counters::default(),
        })
    }

    /// What the owner of the sockets is to do. Call until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        for (index, allocation) in self.allocations.iter_mut().enumerate() {
            let relay = RelayId { index: index as u32, generation: allocation.generation };
            match &mut allocation.state {
                State::Opening { told: told @ false, socket, .. } => {
                    *told = true;
                    return Some(Event::OpenRelay(relay, *socket));
                }
                State::Closing => {
                    allocation.free();
                    return Some(Event::CloseRelay(relay));
                }
                State::Opening { .. } | State::Open { .. } | State::Free => {}
            }
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.allocations.iter().filter_map(Allocation::expiry).min()
    }

    /// Ends what is over. Permissions and channels are looked at when they are
    /// used.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        for index in 0..self.allocations.len() {
            if self.allocations.get(index).and_then(Allocation::expiry).is_some_and(|at| at <= self.now) {
                self.end(index);
            }
        }
    }

    /// Tells that the stream of a client ended: its allocation does too.
    pub fn handle_disconnect(&mut self, now: Instant, transport: &TransportContext) {
        self.tick(now);
        if let Some(index) = self.find(transport) {
            self.end(index);
        }
    }

    /// Allocations that there are.
    pub fn len(&self) -> usize {
        self.by_client.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_client.is_empty()
    }

    /// The address of a relay, when it is open.
    pub fn relay_addr(&self, relay: RelayId) -> Option<SocketAddr> {
        self.allocation(relay)?.relay_addr()
    }

    /// Counters, for statistics.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}
