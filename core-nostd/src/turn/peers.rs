//! Permissions and channels (RFC 8656, Sections 9 and 12).

use super::Client;
use crate::env::{Env, Instant};
use crate::stun::{Due, Transaction};
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, error_code};
use crate::wire::turn::ChannelNumber;
use core::net::SocketAddr;
use core::time::Duration;

/// Whether a peer may send to us through the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Permission {
    /// The server was asked.
    Asked,
    /// It may, and we may send to it.
    Granted,
    /// It may not.
    Refused,
}

/// A peer on the other side of the relay.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) addr: SocketAddr,
    pub(super) permission: Permission,
    /// Its channel, once one is wanted.
    channel: Option<ChannelNumber>,
    /// Until when it is bound.
    bound_until: Option<Instant>,
    granted_until: Instant,
    request: Option<Transaction>,
    /// Answers in a row that did nothing but ask again.
    rounds: u8,
    /// The server has refused it a channel: it is not asked for another.
    no_channel: bool,
    refresh_at: Instant,
}

impl Peer {
    /// The channel that data may take.
    pub(super) fn bound(&self) -> Option<ChannelNumber> {
        self.channel.filter(|_| self.bound_until.is_some())
    }
}

/// "The Permission Lifetime MUST be 300 seconds".
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// "channel binding lasts for 10 minutes".
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// Binding a channel renews its permission too, so one interval serves both.
const REFRESH: Duration = Duration::from_secs(240);

impl Client {
    /// Lets `peer` through, or says whether it is let through. `None` when
    /// there is no allocation of its family or no room for it.
    pub fn permit(&mut self, env: &mut Env<'_>, peer: SocketAddr) -> Option<Permission> {
        if let Some(known) = self.peers.iter().find(|p| p.addr == peer) {
            return Some(known.permission);
        }
        self.relay_for(peer).filter(|_| self.is_allocated())?;
        // "a permission ... by IP address": one that is there serves every port.
        let granted = self
            .peers
            .iter()
            .filter(|p| p.addr.ip() == peer.ip() && p.permission == Permission::Granted)
            .map(|p| p.granted_until)
            .max();
        let peer = Peer {
            addr: peer,
            permission: if granted.is_some() { Permission::Granted } else { Permission::Asked },
            channel: None,
            bound_until: None,
            granted_until: granted.unwrap_or(env.now),
            request: granted.is_none().then(|| Transaction::new(env.rng, env.now)),
            rounds: 0,
            no_channel: false,
            refresh_at: granted.map_or(env.now, |until| until - (PERMISSION_LIFETIME - REFRESH)),
        };
        let permission = peer.permission;
        self.peers.push(peer).ok().map(|()| permission)
    }

    /// Binds a channel to a permitted peer, so that its data has four octets of
    /// header and no more.
    pub fn bind(&mut self, env: &mut Env<'_>, peer: SocketAddr) {
        let next = self.next_channel;
        let wanting = |p: &&mut Peer| p.addr == peer && p.permission == Permission::Granted;
        let Some(peer) = self.peers.iter_mut().find(wanting) else { return };
        if peer.channel.is_none()
            && !peer.no_channel
            && let Some(channel) = ChannelNumber::new(ChannelNumber::MIN.get().saturating_add(next))
        {
            peer.channel = Some(channel);
            peer.request = Some(Transaction::new(env.rng, env.now));
            self.next_channel = next + 1;
        }
    }

    /// Whether there is no room for another peer.
    pub fn is_full(&self) -> bool {
        self.peers.is_full()
    }

    /// Lets go of the peers that were refused: whoever asks again may do better.
    pub fn forget_refusals(&mut self) {
        self.peers.retain(|p| p.permission != Permission::Refused);
    }

    /// Lets go of the peers for which `keep` does not hold. Their permissions
    /// end by themselves.
    pub fn retain_peers(&mut self, mut keep: impl FnMut(SocketAddr) -> bool) {
        self.peers.retain(|p| keep(p.addr));
    }

    pub(super) fn peers_deadline(&self) -> Option<Instant> {
        let deadline = |p: &Peer| match p.request {
            Some(request) => Some(request.deadline()),
            None => (p.permission == Permission::Granted).then_some(p.refresh_at),
        };
        self.peers.iter().filter_map(deadline).min()
    }

    pub(super) fn expire_peers(&mut self, env: &mut Env<'_>) {
        let schedule = *self.schedule();
        for peer in self.peers.iter_mut() {
            match peer.request {
                Some(request) if request.due(&schedule, env.now) == Due::TimedOut => {
                    // The server may be back before what it has granted ends.
                    let lasts = peer.permission == Permission::Granted && env.now < peer.granted_until;
                    peer.request = lasts.then(|| Transaction::new(env.rng, env.now));
                    if !lasts {
                        refuse(peer, env.now);
                    }
                }
                None if peer.permission == Permission::Granted && env.now >= peer.refresh_at => {
                    peer.request = Some(Transaction::new(env.rng, env.now));
                }
                _ => {}
            }
            if peer.bound_until.is_some_and(|at| env.now >= at) {
                peer.bound_until = None;
            }
        }
    }

    pub(super) fn poll_peers(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        let schedule = *self.schedule();
        let due = |p: &&mut Peer| p.request.is_some_and(|r| r.due(&schedule, env.now) == Due::Send);
        let peer = self.peers.iter_mut().find(due)?;
        let request = peer.request.as_mut()?;
        request.sent(&schedule, env.now);
        let (id, addr, channel) = (request.id, peer.addr, peer.channel);
        let mut write = || -> Result<usize, ShortBuffer> {
            let method = if channel.is_some() { Method::CHANNEL_BIND } else { Method::CREATE_PERMISSION };
            let mut b = Builder::new(out, Class::Request, method, id)?;
            if let Some(channel) = channel {
                b.attribute(AttributeType::CHANNEL_NUMBER, &[&channel.to_attribute()])?;
            }
            b.xor_address(AttributeType::XOR_PEER_ADDRESS, addr)?;
            self.login.finish(self.hashes, b)
        };
        write().ok()
    }

    /// The index of the peer whose request has this transaction.
    pub(super) fn peer_of(&self, message: &Message<'_>) -> Option<usize> {
        self.peers.iter().position(|p| p.request.is_some_and(|r| r.id == message.transaction_id))
    }

    /// An answer about a peer.
    pub(super) fn handle_peer(&mut self, env: &mut Env<'_>, index: usize, message: &Message<'_>) {
        let Some(code) = message.error_code().or((message.class == Class::Success).then_some(0)) else {
            self.counters.noise += 1;
            return;
        };
        if code == 0 && !self.login.believes(self.hashes, message) {
            self.counters.unauthentic += 1;
            return;
        }
        if code == error_code::ALLOCATION_MISMATCH {
            // The server has forgotten us.
            self.lose();
            return;
        }
        let Some(peer) = self.peers.get_mut(index) else { return };
        // Each has its own count: a nonce that is too old is too old for all of
        // them at once.
        peer.rounds = if code == 0 { 0 } else { peer.rounds.saturating_add(1) };
        let rounds = peer.rounds;
        let retry = matches!(code, error_code::UNAUTHENTICATED | error_code::STALE_NONCE)
            && self.may_retry(code, rounds, message);
        let Some(peer) = self.peers.get_mut(index) else { return };
        peer.request = retry.then(|| Transaction::new(env.rng, env.now));
        if code == 0 {
            peer.permission = Permission::Granted;
            peer.granted_until = env.now + PERMISSION_LIFETIME;
            peer.refresh_at = env.now + REFRESH;
            if message.method == Method::CHANNEL_BIND {
                peer.bound_until = Some(env.now + CHANNEL_LIFETIME);
            }
        } else if !retry {
            refuse(peer, env.now);
        }
    }
}

/// A request about a peer came to nothing. Without a channel Send indications
/// still do, as long as the permission lasts.
fn refuse(peer: &mut Peer, now: Instant) {
    if peer.channel.is_some() && peer.bound_until.is_none() && now < peer.granted_until {
        (peer.channel, peer.no_channel) = (None, true);
        peer.refresh_at = peer.refresh_at.max(now + Duration::from_secs(1));
    } else {
        peer.permission = Permission::Refused;
        peer.bound_until = None;
    }
}
