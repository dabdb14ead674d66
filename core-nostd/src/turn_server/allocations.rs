//! Relays, their permissions and channels.

use super::users::Key;
use super::{Limits, MAX_USERNAME, RelayId, Socket, TurnServer};
use crate::env::{Instant, TransportContext};
use crate::mem::{FixedVec, Full, OutOfMemory};
use crate::wire::stun::TransactionId;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// "The Permission Lifetime MUST be 300 seconds" (RFC 8656, Section 9).
const PERMISSION: Duration = Duration::from_secs(300);
/// "channel bindings last for 10 minutes" (Section 12).
const CHANNEL: Duration = Duration::from_secs(600);

/// A place for an allocation.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) generation: u32,
    pub(super) state: State,
    /// The client's path, which is the allocation's name: "the 5-tuple".
    pub(super) client: TransportContext,
    pub(super) user: heapless::Vec<u8, MAX_USERNAME>,
    /// That of the user when it was made. Never shown.
    pub(super) key: Key,
    permissions: FixedVec<Permission>,
    channels: FixedVec<Channel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's.
    Free,
    /// Waits for its socket; then `request` is answered.
    Opening { socket: Socket, request: TransactionId, lifetime: Duration, told: bool, until: Instant },
    /// In use, made by `request`.
    Open { relay: SocketAddr, request: TransactionId, until: Instant },
    /// Its socket is to be closed.
    Closing,
}

#[derive(Debug, Clone, Copy)]
struct Permission {
    ip: IpAddr,
    until: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    until: Instant,
}

/// A channel number or a peer is bound otherwise already.
pub(super) struct Bound;

impl Allocation {
    pub(super) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        let nowhere = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
        Ok(Self {
            generation: 0,
            state: State::Free,
            client: TransportContext::udp(nowhere, nowhere),
            user: heapless::Vec::new(),
            key: Key::default(),
            permissions: FixedVec::new(limits.permissions)?,
            channels: FixedVec::new(limits.channels)?,
        })
    }

    pub(super) const fn heap_bytes(limits: &Limits) -> usize {
        FixedVec::<Permission>::heap_bytes(limits.permissions)
            + FixedVec::<Channel>::heap_bytes(limits.channels)
    }

    /// Makes the place free for another.
    pub(super) fn free(&mut self) {
        self.state = State::Free;
        self.generation = self.generation.wrapping_add(1);
        self.key = Key::default();
        self.permissions.clear();
        self.channels.clear();
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, State::Opening { .. } | State::Open { .. })
    }

    pub(super) fn relay_addr(&self) -> Option<SocketAddr> {
        match self.state {
            State::Open { relay, .. } => Some(relay),
            _ => None,
        }
    }

    pub(super) fn expiry(&self) -> Option<Instant> {
        match self.state {
            State::Opening { until, .. } | State::Open { until, .. } => Some(until),
            State::Free | State::Closing => None,
        }
    }

    pub(super) fn permit(&mut self, now: Instant, ip: IpAddr) -> Result<(), Full> {
        let until = now + PERMISSION;
        if let Some(known) = self.permissions.iter_mut().find(|p| p.ip == ip) {
            known.until = until;
            return Ok(());
        }
        self.permissions.retain(|p| p.until > now);
        self.permissions.push(Permission { ip, until })
    }

    pub(super) fn is_permitted(&self, now: Instant, ip: IpAddr) -> bool {
        self.permissions.iter().any(|p| p.ip == ip && p.until > now)
    }

    /// How many more addresses could be permitted if none of `ips` is yet.
    pub(super) fn can_permit(&self, now: Instant, ips: impl Iterator<Item = IpAddr>) -> bool {
        let live = self.permissions.iter().filter(|p| p.until > now).count();
        let new = ips.filter(|ip| !self.is_permitted(now, *ip)).count();
        live + new <= self.permissions.capacity()
    }

    /// Binds a channel, or refreshes it: "the channel number is not currently
    /// bound to a different transport address ... the transport address is not
    /// currently bound to a different channel number" (RFC 8656, Section 12.1).
    pub(super) fn bind(
        &mut self,
        now: Instant,
        number: u16,
        peer: SocketAddr,
    ) -> Result<Result<(), Full>, Bound> {
        self.channels.retain(|c| c.until > now);
        let until = now + CHANNEL;
        if let Some(known) = self.channels.iter_mut().find(|c| c.number == number || c.peer == peer) {
            if known.number != number || known.peer != peer {
                return Err(Bound);
            }
            known.until = until;
            return Ok(Ok(()));
        }
        Ok(self.channels.push(Channel { number, peer, until }))
    }

    pub(super) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        self.channels.iter().find(|c| c.number == number && c.until > now).map(|c| c.peer)
    }

    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        self.channels.iter().find(|c| c.peer == peer && c.until > now).map(|c| c.number)
    }
}

impl<U> TurnServer<U> {
    /// The allocation of a client.
    pub(super) fn find(&self, client: &TransportContext) -> Option<usize> {
        let is = |n: u32| self.allocations.get(n as usize).is_some_and(|a| a.client.same_path(client));
        self.by_client.find(self.hash.path(client), is).number.map(|n| n as usize)
    }

    pub(super) fn allocation(&self, relay: RelayId) -> Option<&Allocation> {
        let live = |a: &&Allocation| a.generation == relay.generation && a.is_live();
        self.allocations.get(relay.index as usize).filter(live)
    }

    pub(super) fn id(&self, index: usize) -> Option<RelayId> {
        let generation = self.allocations.get(index)?.generation;
        Some(RelayId { index: index as u32, generation })
    }

    /// Takes a free place for a client.
    pub(super) fn occupy(&mut self, client: &TransportContext) -> Option<usize> {
        let index = self.allocations.iter().position(|a| a.state == State::Free)?;
        let allocation = self.allocations.get_mut(index)?;
        allocation.client = *client;
        self.by_client.insert(self.hash.path(client), index as u32).then_some(index)
    }

    /// Ends an allocation.
    pub(super) fn end(&mut self, index: usize) {
        let Some(allocation) = self.allocations.get_mut(index).filter(|a| a.is_live()) else { return };
        match allocation.state {
            // Nobody was asked to open a socket yet.
            State::Opening { told: false, .. } => allocation.free(),
            _ => allocation.state = State::Closing,
        }
        let client = allocation.client;
        self.by_client.remove(self.hash.path(&client), |n| n as usize == index);
    }
}
