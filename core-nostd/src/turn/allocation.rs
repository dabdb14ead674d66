//! Getting, refreshing and giving back an allocation (RFC 8656, Sections 6 to 8).

use super::{Client, Event};
use crate::env::{Env, Instant, TransportContext, TransportProtocol};
use crate::stun::{Due, Transaction};
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, error_code};
use crate::wire::turn::{AddressFamily, RequestedTransport};
use core::net::SocketAddr;
use core::time::Duration;

/// In the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is wanted.
    Idle,
    /// An Allocate waits for its answer.
    Allocating,
    /// What an earlier run has left on our address is given back first.
    Clearing,
    /// There is one.
    Allocated,
    /// It is given back; one Refresh is still to be sent.
    Releasing,
}

/// "the default lifetime (10 minutes)".
const LIFETIME: Duration = Duration::from_secs(600);
/// A server that does nothing but ask for another nonce is not asked forever.
const MAX_ROUNDS: u8 = 5;

impl Client {
    /// Asks for an allocation along `path`, from `at` on. `false` when the
    /// credentials are too long. With `relays` of TCP the path has to be a
    /// stream: "TCP allocations cannot be obtained using a UDP association
    /// between client and server" (RFC 6062, Section 4.1).
    pub fn allocate(
        &mut self,
        env: &mut Env<'_>,
        at: Instant,
        path: TransportContext,
        relays: RequestedTransport,
        username: &[u8],
        password: &[u8],
    ) -> bool {
        self.forget();
        self.path = path;
        self.relays = relays;
        if !self.login.set(username, password) {
            return false;
        }
        // "random channel numbers" would tell nobody anything: they are our own.
        self.next_channel = 0;
        self.rounds = 0;
        self.cleared = false;
        self.ipv6_only = false;
        self.state = State::Allocating;
        self.request = Some(Transaction::new(env.rng, at.max(env.now)));
        true
    }

    /// Gives the allocation back. [`poll_write`](Self::poll_write) says so to
    /// the server once; whether it hears is not waited for.
    pub fn release(&mut self) {
        match self.state {
            State::Allocated => self.state = State::Releasing,
            State::Releasing => {}
            State::Idle | State::Allocating | State::Clearing => self.forget(),
        }
        self.request = None;
        self.event = None;
        self.clear_peers();
    }

    /// The path to the server is gone, and the allocation with it.
    pub fn path_lost(&mut self) {
        match self.state {
            State::Allocating | State::Clearing => self.fail(None),
            State::Allocated => self.lose(),
            State::Idle | State::Releasing => self.forget(),
        }
    }

    /// Back to rest.
    pub fn forget(&mut self) {
        self.state = State::Idle;
        self.request = None;
        self.relayed = [None; 2];
        self.mapped = None;
        self.event = None;
        self.clear_peers();
    }

    fn clear_peers(&mut self) {
        self.peers.clear();
        #[cfg(feature = "turn-tcp")]
        self.connections.clear();
    }

    fn fail(&mut self, code: Option<u16>) {
        self.forget();
        self.event = Some(Event::Failed(code));
    }

    pub(super) fn lose(&mut self) {
        self.state = State::Idle;
        self.request = None;
        self.clear_peers();
        self.event = Some(Event::Lost);
    }

    /// The relayed address of a peer's family.
    pub(super) fn relay_for(&self, peer: SocketAddr) -> Option<SocketAddr> {
        self.relayed.into_iter().flatten().find(|r| r.is_ipv4() == peer.is_ipv4())
    }

    pub(super) fn allocation_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle | State::Releasing => None,
            _ => self.request.map_or(Some(self.refresh_at), |r| Some(r.deadline())),
        }
    }

    pub(super) fn expire_allocation(&mut self, env: &mut Env<'_>) {
        let schedule = *self.schedule();
        if self.request.is_some_and(|r| r.due(&schedule, env.now) == Due::TimedOut) {
            match self.state {
                // The server may be back before it has let go.
                State::Allocated if env.now < self.expires_at => self.ask_again(env),
                State::Allocated => self.lose(),
                _ => self.fail(None),
            }
            return;
        }
        if self.state == State::Allocated && env.now >= self.expires_at {
            // The clock has jumped: the server has let go.
            self.lose();
        } else if self.state == State::Allocated && self.request.is_none() && env.now >= self.refresh_at {
            self.rounds = 0;
            self.request = Some(Transaction::new(env.rng, env.now));
        }
    }

    pub(super) fn poll_allocation(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        if self.state == State::Releasing {
            self.forget();
            let id = Transaction::new(env.rng, env.now).id;
            return self.write_refresh(id, 0, out).ok();
        }
        let schedule = *self.schedule();
        let request = self.request.as_mut()?;
        if request.due(&schedule, env.now) != Due::Send {
            return None;
        }
        request.sent(&schedule, env.now);
        let id = request.id;
        match self.state {
            State::Allocating => self.write_allocate(id, out),
            State::Clearing => self.write_refresh(id, 0, out),
            _ => self.write_refresh(id, LIFETIME.as_secs() as u32, out),
        }
        .ok()
    }

    fn write_allocate(
        &self,
        id: crate::wire::stun::TransactionId,
        out: &mut [u8],
    ) -> Result<usize, ShortBuffer> {
        let mut b = Builder::new(out, Class::Request, Method::ALLOCATE, id)?;
        let transport = self.relays.to_attribute();
        b.attribute(AttributeType::REQUESTED_TRANSPORT, &[&transport])?;
        // "to obtain a relayed transport address of each family" from one
        // request; comprehension-optional, so that older servers give IPv4.
        let family = AddressFamily::IPV6.to_attribute();
        let which = if self.ipv6_only {
            AttributeType::REQUESTED_ADDRESS_FAMILY
        } else {
            AttributeType::ADDITIONAL_ADDRESS_FAMILY
        };
        b.attribute(which, &[&family])?;
        self.login.finish(self.hashes, b)
    }

    fn write_refresh(
        &self,
        id: crate::wire::stun::TransactionId,
        lifetime: u32,
        out: &mut [u8],
    ) -> Result<usize, ShortBuffer> {
        let mut b = Builder::new(out, Class::Request, Method::REFRESH, id)?;
        b.attribute(AttributeType::LIFETIME, &[&lifetime.to_be_bytes()])?;
        self.login.finish(self.hashes, b)
    }

    /// An answer to the request that is under way.
    pub(super) fn handle_allocation(&mut self, env: &mut Env<'_>, message: &Message<'_>) {
        let expected = if self.state == State::Allocating { Method::ALLOCATE } else { Method::REFRESH };
        if message.method != expected {
            self.counters.noise += 1;
        } else if message.class == Class::Success {
            self.allocation_succeeded(env, message);
        } else {
            self.allocation_refused(env, message);
        }
    }

    fn allocation_succeeded(&mut self, env: &mut Env<'_>, message: &Message<'_>) {
        if !self.login.believes(self.hashes, message) {
            self.counters.unauthentic += 1;
            return;
        }
        match self.state {
            State::Clearing => {
                self.state = State::Allocating;
                self.ask_again(env);
                return;
            }
            State::Allocating => {
                // coturn 4.6 tells 0.0.0.0:0 for the family that it was not asked for.
                self.relayed = [false, true].map(|v6| {
                    message
                        .xor_addresses(AttributeType::XOR_RELAYED_ADDRESS)
                        .flatten()
                        .find(|a| a.is_ipv6() == v6 && a.port() != 0 && !a.ip().is_unspecified())
                });
                self.mapped = message.xor_address(AttributeType::XOR_MAPPED_ADDRESS);
                if self.relayed == [None; 2] {
                    self.fail(Some(error_code::BAD_REQUEST));
                    return;
                }
                self.state = State::Allocated;
                self.event = Some(Event::Allocated);
            }
            _ => {}
        }
        self.request = None;
        self.rounds = 0;
        let lifetime = message.u32(AttributeType::LIFETIME).map_or(LIFETIME, |s| {
            // Neither a server that has no time nor one that has all of it
            // makes us hurry or sleep.
            Duration::from_secs(u64::from(s.clamp(30, 3600)))
        });
        // A minute before the end, as with the RFC's own lifetime; sooner with
        // a short one.
        self.refresh_at =
            env.now + (lifetime - lifetime / 5).min(lifetime.saturating_sub(Duration::from_secs(15)));
        self.expires_at = env.now + lifetime;
    }

    fn allocation_refused(&mut self, env: &mut Env<'_>, message: &Message<'_>) {
        let Some(code) = message.error_code() else {
            self.counters.noise += 1;
            return;
        };
        match code {
            error_code::UNAUTHENTICATED | error_code::STALE_NONCE
                if self.may_retry(code, self.rounds.saturating_add(1), message) =>
            {
                self.rounds += 1;
                self.ask_again(env);
            }
            // "437 (Allocation Mismatch) ... the client ... MAY ... delete the
            // allocation" that its address still has (RFC 8656, Section 7.4, in
            // other words).
            error_code::ALLOCATION_MISMATCH if self.state == State::Allocating && !self.cleared => {
                self.cleared = true;
                self.state = State::Clearing;
                self.ask_again(env);
            }
            // Gone already.
            error_code::ALLOCATION_MISMATCH if self.state == State::Clearing => {
                self.state = State::Allocating;
                self.ask_again(env);
            }
            // A server without IPv4 may have the other (RFC 8656, Section 7.1).
            error_code::ADDRESS_FAMILY_NOT_SUPPORTED
                if self.state == State::Allocating && !self.ipv6_only =>
            {
                self.ipv6_only = true;
                self.ask_again(env);
            }
            error_code::TRY_ALTERNATE if self.state == State::Allocating => {
                let alternate = message.plain_address(AttributeType::ALTERNATE_SERVER);
                match alternate.filter(|_| self.may_move()) {
                    Some(addr) if addr.is_ipv4() == self.path.peer_addr.is_ipv4() => {
                        self.path.peer_addr = addr;
                        self.ask_again(env);
                    }
                    _ => self.fail(Some(code)),
                }
            }
            _ if self.state == State::Allocated => self.lose(),
            _ => self.fail(Some(code)),
        }
    }

    /// Whether another server can be tried without another stream.
    fn may_move(&mut self) -> bool {
        self.rounds += 1;
        self.path.transport_protocol == TransportProtocol::Udp && self.rounds <= MAX_ROUNDS
    }

    /// Whether a request is worth repeating with what this refusal tells, which
    /// is so many in a row.
    pub(super) fn may_retry(&mut self, code: u16, rounds: u8, message: &Message<'_>) -> bool {
        // "If the response is an error response with 401 ... and the client
        // has already tried" the credentials are wrong.
        let tried = code == error_code::UNAUTHENTICATED && self.login.is_known();
        !tried && rounds <= MAX_ROUNDS && self.login.learn(self.hashes, message)
    }

    fn ask_again(&mut self, env: &mut Env<'_>) {
        self.request = Some(Transaction::new(env.rng, env.now));
    }

    pub(super) fn is_allocated(&self) -> bool {
        self.state == State::Allocated
    }
}
