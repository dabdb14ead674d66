//! Streams to and from peers through a relay (RFC 6062): asking for one, taking
//! one in, and the stream of ours, to the server, that carries it.

use super::login::Nonce;
use super::{Client, Permission};
use crate::env::{Env, Instant, Transmit, TransportContext};
use crate::stun::{Due, Schedule, Transaction};
use crate::wire::ShortBuffer;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, error_code};
use core::net::SocketAddr;
use core::time::Duration;

/// A stream through a relay, by a number that no other of its client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionNumber(u32);

/// In the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A Connect waits for its answer.
    Connecting,
    /// The server has the peer on the line, and wants a stream of ours for it.
    Offered,
    /// That one is being opened.
    Opening,
    /// A ConnectionBind waits for its answer on it.
    Binding(TransportContext),
    /// Octets pass.
    Bound,
    /// It came to nothing, and is not tried again for a while.
    Failed,
}

/// One stream through the relay.
#[derive(Debug)]
pub(super) struct Connection {
    number: ConnectionNumber,
    peer: SocketAddr,
    state: State,
    /// The CONNECTION-ID.
    id: [u8; 4],
    request: Option<Transaction>,
    /// What the server wants to hear on the stream, if it is not what it wants
    /// to hear on the allocation's.
    nonce: Nonce,
    /// Answers in a row that did nothing but ask again.
    rounds: u8,
    /// When the state ends by itself.
    deadline: Instant,
}

/// "The timeout value MUST be at least 30 seconds" until the server gives up.
const CONNECT_SCHEDULE: Schedule = Schedule { transmissions: 1, last_wait: 70, ..Schedule::RFC };
/// "If no ConnectionBind request ... is received after 30 seconds, the peer data
/// connection MUST be closed."
const BIND_WITHIN: Duration = Duration::from_secs(30);
/// "The client MAY retry with the same XOR-PEER-ADDRESS attribute, but MUST wait
/// at least 10 seconds."
const RETRY_AFTER: Duration = Duration::from_secs(10);
const MAX_ROUNDS: u8 = 3;

impl Client {
    /// Asks for a stream to `peer`, or says how that stands: `Granted` when
    /// octets pass. `None` when there is no allocation of its family, or no room
    /// for it.
    pub fn connect(&mut self, env: &mut Env<'_>, peer: SocketAddr) -> Option<Permission> {
        if let Some(known) = self.connections.iter().find(|c| c.peer == peer) {
            return Some(match known.state {
                State::Bound => Permission::Granted,
                State::Failed => Permission::Refused,
                _ => Permission::Asked,
            });
        }
        self.relay_for(peer).filter(|_| self.is_allocated())?;
        let request = Some(Transaction::new(env.rng, env.now));
        self.add_connection(peer, State::Connecting, [0; 4], request, env.now).then_some(Permission::Asked)
    }

    fn add_connection(
        &mut self,
        peer: SocketAddr,
        state: State,
        id: [u8; 4],
        request: Option<Transaction>,
        now: Instant,
    ) -> bool {
        if self.connections.is_full() {
            self.connections.retain(|c| c.state != State::Failed);
        }
        let number = ConnectionNumber(self.next_connection);
        self.next_connection = self.next_connection.wrapping_add(1);
        let nonce = Nonce::new();
        let deadline = now + BIND_WITHIN;
        self.connections
            .push(Connection { number, peer, state, id, request, nonce, rounds: 0, deadline })
            .is_ok()
    }

    fn connection(&mut self, number: ConnectionNumber) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|c| c.number == number)
    }

    /// A connection that wants a stream of ours to the server. Asked for from
    /// now on: [`connection_opened`](Self::connection_opened) or
    /// [`end_connection`](Self::end_connection) follows.
    pub fn next_connection(&mut self) -> Option<ConnectionNumber> {
        let connection = self.connections.iter_mut().find(|c| c.state == State::Offered)?;
        connection.state = State::Opening;
        Some(connection.number)
    }

    /// The stream for a connection is open. `false` when it is no longer wanted.
    pub fn connection_opened(
        &mut self,
        env: &mut Env<'_>,
        number: ConnectionNumber,
        path: TransportContext,
    ) -> bool {
        let Some(connection) = self.connection(number).filter(|c| c.state == State::Opening) else {
            return false;
        };
        connection.state = State::Binding(path);
        connection.request = Some(Transaction::new(env.rng, env.now));
        true
    }

    /// The stream of a connection has ended, or could not be opened.
    pub fn end_connection(&mut self, env: &mut Env<'_>, number: ConnectionNumber) {
        let bound = |c: &Connection| c.number == number && c.state == State::Bound;
        if self.connections.iter().any(bound) {
            // Whoever wants it again may have it at once.
            self.connections.retain(|c| c.number != number);
        } else if let Some(connection) = self.connection(number) {
            fail(connection, env.now);
        }
    }

    /// Whether a connection is there, or on its way.
    pub fn has_connection(&self, number: ConnectionNumber) -> bool {
        self.connections.iter().any(|c| c.number == number && c.state != State::Failed)
    }

    pub(super) fn connections_deadline(&self) -> Option<Instant> {
        let deadline = |c: &Connection| match (c.state, c.request) {
            (State::Bound, _) => None,
            (_, Some(request)) => Some(request.deadline().min(c.deadline)),
            (_, None) => Some(c.deadline),
        };
        self.connections.iter().filter_map(deadline).min()
    }

    pub(super) fn expire_connections(&mut self, now: Instant) {
        self.connections.retain(|c| c.state != State::Failed || now < c.deadline);
        for connection in self.connections.iter_mut() {
            let late = match connection.state {
                State::Connecting => {
                    connection.request.is_none_or(|r| r.due(&CONNECT_SCHEDULE, now) == Due::TimedOut)
                }
                State::Offered | State::Opening | State::Binding(_) => now >= connection.deadline,
                State::Bound | State::Failed => false,
            };
            if late {
                fail(connection, now);
            }
        }
    }

    /// The next Connect.
    pub(super) fn poll_connect(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<usize> {
        let due = |c: &&mut Connection| {
            let waits = c.request.is_some_and(|r| r.due(&CONNECT_SCHEDULE, env.now) == Due::Send);
            waits && c.state == State::Connecting
        };
        let connection = self.connections.iter_mut().find(due)?;
        let request = connection.request.as_mut()?;
        request.sent(&CONNECT_SCHEDULE, env.now);
        // The server may take all the time that it has for this, and a nonce
        // that was too old must not have used it up.
        connection.deadline = env.now + CONNECT_SCHEDULE.rto * CONNECT_SCHEDULE.last_wait;
        let (id, peer) = (request.id, connection.peer);
        let mut write = || -> Result<usize, ShortBuffer> {
            let mut b = Builder::new(out, Class::Request, Method::CONNECT, id)?;
            b.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)?;
            self.login.finish(self.hashes, b)
        };
        write().ok()
    }

    /// The next ConnectionBind, which goes along the stream that was opened for
    /// it. Call until `None`.
    pub fn poll_bind(&mut self, env: &mut Env<'_>, out: &mut [u8]) -> Option<Transmit> {
        let due = |c: &&mut Connection| {
            let waits = c.request.is_some_and(|r| r.due(&CONNECT_SCHEDULE, env.now) == Due::Send);
            waits && matches!(c.state, State::Binding(_))
        };
        let connection = self.connections.iter_mut().find(due)?;
        let State::Binding(path) = connection.state else { return None };
        let request = connection.request.as_mut()?;
        request.sent(&CONNECT_SCHEDULE, env.now);
        let mut write = || -> Result<usize, ShortBuffer> {
            let mut b = Builder::new(out, Class::Request, Method::CONNECTION_BIND, request.id)?;
            b.attribute(AttributeType::CONNECTION_ID, &[&connection.id])?;
            self.login.finish_with(self.hashes, b, &connection.nonce)
        };
        Some(Transmit::datagram(path, write().ok()?))
    }

    /// The index of the connection whose Connect has this transaction.
    pub(super) fn connection_of(&self, message: &Message<'_>) -> Option<usize> {
        let asked = |c: &Connection| {
            c.state == State::Connecting && c.request.is_some_and(|r| r.id == message.transaction_id)
        };
        self.connections.iter().position(asked)
    }

    /// The answer to a Connect.
    pub(super) fn handle_connect(&mut self, env: &mut Env<'_>, index: usize, message: &Message<'_>) {
        let code = message.error_code().or((message.class == Class::Success).then_some(0));
        let (Some(code), Method::CONNECT) = (code, message.method) else {
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
        let Some(connection) = self.connections.get_mut(index) else { return };
        connection.rounds = if code == 0 { 0 } else { connection.rounds.saturating_add(1) };
        let rounds = connection.rounds;
        let retry = matches!(code, error_code::UNAUTHENTICATED | error_code::STALE_NONCE)
            && self.may_retry(code, rounds, message);
        let Some(connection) = self.connections.get_mut(index) else { return };
        match connection_id(message) {
            Some(id) if code == 0 => {
                (connection.state, connection.id, connection.request) = (State::Offered, id, None);
                connection.deadline = env.now + BIND_WITHIN;
            }
            _ if retry => connection.request = Some(Transaction::new(env.rng, env.now)),
            _ => fail(connection, env.now),
        }
    }

    /// A peer has opened a stream to the relayed address. Whether it may, the
    /// server has looked; so do we.
    pub(super) fn handle_attempt(&mut self, env: &mut Env<'_>, message: &Message<'_>) {
        let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        let (Some(peer), Some(id)) = (peer, connection_id(message)) else {
            self.counters.noise += 1;
            return;
        };
        let permitted = |p: &super::Peer| p.addr.ip() == peer.ip() && p.permission == Permission::Granted;
        self.connections.retain(|c| c.peer != peer || c.state != State::Failed);
        let known = self.connections.iter().any(|c| c.peer == peer || c.id == id && c.state != State::Failed);
        if known || !self.is_allocated() || !self.peers.iter().any(permitted) {
            self.counters.unpermitted += 1;
        } else if !self.add_connection(peer, State::Offered, id, None, env.now) {
            // The server gives it up after a while, and the peer with it.
            self.counters.refused += 1;
        }
    }

    /// What came on the stream of a connection that is not bound: once it is,
    /// the relayed address and the peer that the stream leads between.
    pub fn handle_bind(
        &mut self,
        env: &mut Env<'_>,
        number: ConnectionNumber,
        datagram: &[u8],
    ) -> Option<(SocketAddr, SocketAddr)> {
        let at = self.connections.iter().position(|c| c.number == number)?;
        let connection = self.connections.get_mut(at)?;
        let expected = |m: &Message<'_>| {
            let ours = connection.request.is_some_and(|r| r.id == m.transaction_id);
            ours && m.method == Method::CONNECTION_BIND && matches!(m.class, Class::Success | Class::Error)
        };
        let Some(message) = Message::parse(datagram).ok().filter(expected) else {
            self.counters.noise += 1;
            return None;
        };
        if message.class == Class::Success {
            if !self.login.believes(self.hashes, &message) {
                self.counters.unauthentic += 1;
                return None;
            }
            (connection.state, connection.request) = (State::Bound, None);
            let peer = connection.peer;
            return Some((self.relay_for(peer)?, peer));
        }
        // Servers have a nonce for each stream.
        let again =
            matches!(message.error_code(), Some(error_code::UNAUTHENTICATED | error_code::STALE_NONCE));
        connection.rounds += 1;
        connection.nonce.clear();
        let nonce = message.get(AttributeType::NONCE).unwrap_or_default();
        if again && connection.rounds <= MAX_ROUNDS && connection.nonce.extend_from_slice(nonce).is_ok() {
            connection.request = Some(Transaction::new(env.rng, env.now));
        } else {
            fail(connection, env.now);
        }
        None
    }
}

fn connection_id(message: &Message<'_>) -> Option<[u8; 4]> {
    message.get(AttributeType::CONNECTION_ID)?.try_into().ok()
}

fn fail(connection: &mut Connection, now: Instant) {
    (connection.state, connection.request) = (State::Failed, None);
    connection.deadline = now + RETRY_AFTER;
}
