//! Requests: who asks, and what is answered.

use super::allocations::{Bound, State};
use super::data::{frame, is_channel};
use super::users::{ALGORITHMS, Key};
use super::{MAX_USERNAME, Output, RelayId, Socket, TurnServer, Users};
use crate::env::{Instant, Transmit, TransportContext, TransportProtocol};
use crate::wire::ShortBuffer;
use crate::wire::demux::{PacketKind, classify};
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method, TransactionId, error_code};
use crate::wire::turn::{AddressFamily, RequestedTransport, address_family, canonical, requested_transport};
use core::net::SocketAddr;
use core::time::Duration;

/// "The default lifetime ... 600 seconds" (RFC 8656, Section 3.2).
const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);
/// How long a socket may take to be opened.
const OPENING: Duration = Duration::from_secs(10);

/// What is understood of the attributes that must be. EVEN-PORT and
/// RESERVATION-TOKEN are, so that they can be refused by the right number.
const KNOWN: [AttributeType; 16] = [
    AttributeType::USERNAME,
    AttributeType::MESSAGE_INTEGRITY,
    AttributeType::MESSAGE_INTEGRITY_SHA256,
    AttributeType::PASSWORD_ALGORITHM,
    AttributeType::REALM,
    AttributeType::NONCE,
    AttributeType::LIFETIME,
    AttributeType::REQUESTED_TRANSPORT,
    AttributeType::REQUESTED_ADDRESS_FAMILY,
    AttributeType::XOR_PEER_ADDRESS,
    AttributeType::CHANNEL_NUMBER,
    AttributeType::EVEN_PORT,
    AttributeType::RESERVATION_TOKEN,
    AttributeType::DATA,
    // Binding requests of ICE agents.
    AttributeType::PRIORITY,
    AttributeType::USE_CANDIDATE,
];

/// A request, and who sent it.
struct Request<'a> {
    message: Message<'a>,
    client: TransportContext,
    user: &'a [u8],
    key: Key,
}

/// A number of an error, by which a request is refused.
pub(super) type Refusal = u16;

impl<U: Users> TurnServer<U> {
    /// Takes in a datagram of a client. What it leads to is built in `out`,
    /// which should have room for the largest datagram and 36 octets.
    pub fn handle_read(
        &mut self,
        now: Instant,
        client: TransportContext,
        datagram: &[u8],
        out: &mut [u8],
    ) -> Option<Output> {
        self.tick(now);
        let client = client.unmarked();
        match classify(datagram) {
            _ if datagram.first().is_some_and(|first| (0x40..0x80).contains(first)) => {
                return self.handle_channel_data(&client, datagram);
            }
            Some(PacketKind::Stun) => {}
            _ => {
                self.counters.noise += 1;
                return None;
            }
        }
        let Ok(message) = Message::parse(datagram) else {
            self.counters.noise += 1;
            return None;
        };
        let answer = match (message.class, message.method) {
            (Class::Request, Method::BINDING) => self.answer_binding(&client, datagram.len(), &message, out),
            (Class::Request, _) => self.answer(client, datagram.len(), message, out),
            (Class::Indication, Method::SEND) => return self.handle_send(&client, datagram, &message),
            // A Binding indication keeps a NAT awake.
            (Class::Indication, Method::BINDING) => return None,
            _ => {
                self.counters.noise += 1;
                return None;
            }
        };
        // Into a buffer that is too short nothing can be answered.
        let len = answer.and_then(|len| len.map(|len| frame(&client, out, len)).transpose()).ok()??;
        Some(Output::Client(Transmit::datagram(client, len)))
    }

    /// Whether a stranger is given an answer of `out` octets to a question of
    /// `octets`: over UDP longer ones only so many times a second. One that is no
    /// longer than the question is of no use to who writes another's address on
    /// it, and a flood of shorter ones keeps nobody from being answered.
    fn may_answer_stranger(&mut self, client: &TransportContext, octets: usize, out: usize) -> bool {
        if client.transport_protocol != TransportProtocol::Udp {
            return true; // the handshake has shown that somebody is there
        }
        if out <= octets {
            return true;
        }
        let second = self.now.as_millis() / 1000;
        if self.second != second {
            (self.second, self.left) = (second, self.per_second);
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        self.counters.unanswered += u64::from(!may);
        may
    }

    fn answer_binding(
        &mut self,
        client: &TransportContext,
        octets: usize,
        message: &Message<'_>,
        out: &mut [u8],
    ) -> Result<Option<usize>, ShortBuffer> {
        let mut b = Builder::new(out, Class::Success, Method::BINDING, message.transaction_id)?;
        b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, client.peer_addr)?;
        let len =
            if message.has(AttributeType::FINGERPRINT) { b.finish_with_fingerprint()? } else { b.finish() };
        Ok(Some(len).filter(|len| self.may_answer_stranger(client, octets, *len)))
    }

    /// Answers what only users may ask (RFC 8489, Section 9.2.4).
    fn answer(
        &mut self,
        client: TransportContext,
        octets: usize,
        message: Message<'_>,
        out: &mut [u8],
    ) -> Result<Option<usize>, ShortBuffer> {
        let refused = match self.authenticate(&client, &message) {
            Ok((user, key)) => {
                let request = Request { message, client, user, key };
                return self.answer_user(&request, out);
            }
            Err(code) => code,
        };
        self.counters.refused += 1;
        let mut b = Builder::new(out, Class::Error, message.method, message.transaction_id)?;
        b.error_code(refused)?;
        if refused != error_code::BAD_REQUEST {
            let (cookie, nonce) = self.nonces.make(self.hashes, self.now, &client);
            b.attribute(AttributeType::REALM, &[self.realm.as_bytes()])?;
            b.attribute(AttributeType::NONCE, &[cookie, &nonce])?;
            if self.nonces.cookie {
                b.attribute(AttributeType::PASSWORD_ALGORITHMS, &[&ALGORITHMS])?;
            }
        }
        let len = b.finish();
        Ok(Some(len).filter(|len| self.may_answer_stranger(&client, octets, *len)))
    }

    fn answer_user(&mut self, request: &Request<'_>, out: &mut [u8]) -> Result<Option<usize>, ShortBuffer> {
        let message = &request.message;
        if message.unknown_required(&KNOWN).next().is_some() {
            self.counters.refused += 1;
            return self.refuse_unknown(request, out).map(Some);
        }
        let index = self.find(&request.client);
        let other = index.and_then(|i| self.allocations.get(i)).is_some_and(|a| a.user != request.user);
        let done = match (message.method, index) {
            // "If the username ... differs from that of the request that
            // created the allocation ... 441" (RFC 8656, Section 5).
            (_, Some(_)) if other => Err(error_code::WRONG_CREDENTIALS),
            (Method::ALLOCATE, _) => match self.allocate(request, index) {
                Ok(Some(index)) => {
                    let Some(id) = self.id(index) else { return Ok(None) };
                    return self.answer_allocated(id, request.message.transaction_id, out);
                }
                // The answer waits for the socket.
                Ok(None) => return Ok(None),
                Err(code) => Err(code),
            },
            (Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND, None) => {
                Err(error_code::ALLOCATION_MISMATCH)
            }
            (Method::REFRESH, Some(index)) => self.refresh(request, index).map(Some),
            (Method::CREATE_PERMISSION, Some(index)) => self.create_permission(request, index).map(|()| None),
            (Method::CHANNEL_BIND, Some(index)) => self.channel_bind(request, index).map(|()| None),
            _ => Err(error_code::BAD_REQUEST),
        };
        self.counters.refused += u64::from(done.is_err());
        let class = if done.is_ok() { Class::Success } else { Class::Error };
        let mut b = Builder::new(out, class, message.method, message.transaction_id)?;
        match done {
            Ok(Some(lifetime)) => lifetime_attribute(&mut b, lifetime)?,
            Ok(None) => {}
            Err(code) => b.error_code(code)?,
        }
        request.key.sign(self.hashes, &mut b)?;
        Ok(Some(b.finish()))
    }

    fn refuse_unknown(&self, request: &Request<'_>, out: &mut [u8]) -> Result<usize, ShortBuffer> {
        let message = &request.message;
        let mut list = heapless::Vec::<u8, 16>::new();
        for kind in message.unknown_required(&KNOWN).take(8) {
            // It has room for eight.
            let _ = list.extend_from_slice(&kind.0.to_be_bytes());
        }
        let mut b = Builder::new(out, Class::Error, message.method, message.transaction_id)?;
        b.error_code(error_code::UNKNOWN_ATTRIBUTE)?;
        b.attribute(AttributeType::UNKNOWN_ATTRIBUTES, &[&list])?;
        request.key.sign(self.hashes, &mut b)?;
        Ok(b.finish())
    }

    /// Makes an allocation (RFC 8656, Section 7.2). Returns the place of one
    /// that is open already, for the same request come again.
    fn allocate(&mut self, request: &Request<'_>, index: Option<usize>) -> Result<Option<usize>, Refusal> {
        let message = &request.message;
        if let Some(allocation) = index.and_then(|i| self.allocations.get(i)) {
            return match allocation.state {
                State::Open { request, .. } if request == message.transaction_id => Ok(index),
                State::Opening { request, .. } if request == message.transaction_id => Ok(None),
                _ => Err(error_code::ALLOCATION_MISMATCH),
            };
        }
        match requested_transport(message) {
            Some(RequestedTransport::UDP) => {}
            Some(_) => return Err(error_code::UNSUPPORTED_TRANSPORT),
            None => return Err(error_code::BAD_REQUEST),
        }
        let family = match address_family(message, AttributeType::REQUESTED_ADDRESS_FAMILY) {
            None | Some(AddressFamily::IPV4)
                if self.families == [true, true] || self.families == [true, false] =>
            {
                AddressFamily::IPV4
            }
            None | Some(AddressFamily::IPV6) if self.families == [false, true] => AddressFamily::IPV6,
            Some(AddressFamily::IPV6) if self.families == [true, true] => AddressFamily::IPV6,
            _ => return Err(error_code::ADDRESS_FAMILY_NOT_SUPPORTED),
        };
        // An even port may be had; the one behind it is reserved for nobody.
        let even_port =
            message.get(AttributeType::EVEN_PORT).map(|v| v.first().is_some_and(|r| r & 0x80 != 0));
        if even_port == Some(true) || message.has(AttributeType::RESERVATION_TOKEN) {
            return Err(error_code::INSUFFICIENT_CAPACITY);
        }
        let user = heapless::Vec::<u8, MAX_USERNAME>::from_slice(request.user);
        let user = user.map_err(|_| error_code::BAD_REQUEST)?;
        if self.allocations.iter().filter(|a| a.is_live() && a.user == user).count() >= self.per_user {
            return Err(error_code::ALLOCATION_QUOTA_REACHED);
        }
        let lifetime = self.lifetime(message).max(DEFAULT_LIFETIME).min(self.max_lifetime);
        let until = self.now + OPENING;
        let index = self.occupy(&request.client).ok_or(error_code::INSUFFICIENT_CAPACITY)?;
        if let Some(allocation) = self.allocations.get_mut(index) {
            (allocation.user, allocation.key) = (user, request.key);
            let request = message.transaction_id;
            let socket = Socket { family, even_port: even_port.is_some() };
            allocation.state = State::Opening { socket, request, lifetime, told: false, until };
        }
        Ok(None)
    }

    fn lifetime(&self, message: &Message<'_>) -> Duration {
        let asked = message.u32(AttributeType::LIFETIME).map(|s| Duration::from_secs(s.into()));
        asked.unwrap_or(DEFAULT_LIFETIME).min(self.max_lifetime)
    }

    /// Tells that a relay's socket is open, at which address, or that it
    /// cannot be. What the client is answered is built in `out`.
    pub fn handle_relay_opened(
        &mut self,
        now: Instant,
        relay: RelayId,
        addr: Option<SocketAddr>,
        out: &mut [u8],
    ) -> Option<Transmit> {
        self.tick(now);
        let now = self.now;
        let index = relay.index as usize;
        let allocation = self.allocations.get_mut(index).filter(|a| a.generation == relay.generation)?;
        let State::Opening { request, lifetime, .. } = allocation.state else { return None };
        let client = allocation.client;
        let answer = match addr {
            Some(addr) => {
                allocation.state = State::Open { relay: canonical(addr), request, until: now + lifetime };
                self.answer_allocated(relay, request, out)
            }
            None => {
                let key = allocation.key;
                self.counters.refused += 1;
                // There is no socket to be closed.
                let answer = self.refuse_allocation(request, &key, out);
                if let Some(allocation) = self.allocations.get_mut(index) {
                    allocation.state = State::Free;
                    allocation.free();
                }
                self.by_client.remove(self.hash.path(&client), |n| n as usize == index);
                answer
            }
        };
        let len = answer.and_then(|len| len.map(|len| frame(&client, out, len)).transpose()).ok()??;
        Some(Transmit::datagram(client, len))
    }

    fn refuse_allocation(
        &self,
        request: TransactionId,
        key: &Key,
        out: &mut [u8],
    ) -> Result<Option<usize>, ShortBuffer> {
        let mut b = Builder::new(out, Class::Error, Method::ALLOCATE, request)?;
        b.error_code(error_code::INSUFFICIENT_CAPACITY)?;
        key.sign(self.hashes, &mut b)?;
        Ok(Some(b.finish()))
    }

    fn answer_allocated(
        &self,
        relay: RelayId,
        request: TransactionId,
        out: &mut [u8],
    ) -> Result<Option<usize>, ShortBuffer> {
        let Some(allocation) = self.allocation(relay) else { return Ok(None) };
        let State::Open { relay, until, .. } = allocation.state else { return Ok(None) };
        let mut b = Builder::new(out, Class::Success, Method::ALLOCATE, request)?;
        b.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relay)?;
        lifetime_attribute(&mut b, until - self.now)?;
        b.xor_address(AttributeType::XOR_MAPPED_ADDRESS, allocation.client.peer_addr)?;
        allocation.key.sign(self.hashes, &mut b)?;
        Ok(Some(b.finish()))
    }

    /// RFC 8656, Section 8.2.
    fn refresh(&mut self, request: &Request<'_>, index: usize) -> Result<Duration, Refusal> {
        let message = &request.message;
        let wanted = self.lifetime(message);
        let now = self.now;
        let allocation = self.allocations.get_mut(index).ok_or(error_code::ALLOCATION_MISMATCH)?;
        let State::Open { relay, request, .. } = allocation.state else {
            return Err(error_code::ALLOCATION_MISMATCH);
        };
        let family = address_family(message, AttributeType::REQUESTED_ADDRESS_FAMILY);
        if family.is_some_and(|f| f != AddressFamily::of(relay.ip())) {
            return Err(error_code::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        if wanted.is_zero() {
            self.end(index);
            return Ok(Duration::ZERO);
        }
        let lifetime = wanted.max(DEFAULT_LIFETIME).min(self.max_lifetime);
        allocation.state = State::Open { relay, request, until: now + lifetime };
        Ok(lifetime)
    }

    /// RFC 8656, Section 9.2: all of the addresses, or none.
    fn create_permission(&mut self, request: &Request<'_>, index: usize) -> Result<(), Refusal> {
        let now = self.now;
        let peers = || request.message.xor_addresses(AttributeType::XOR_PEER_ADDRESS);
        let mut any = false;
        for peer in peers() {
            any = true;
            self.check_peer(index, peer.ok_or(error_code::BAD_REQUEST)?)?;
        }
        if !any {
            return Err(error_code::BAD_REQUEST);
        }
        let allocation = self.allocations.get_mut(index).ok_or(error_code::ALLOCATION_MISMATCH)?;
        if !allocation.can_permit(now, peers().flatten().map(|p| p.ip())) {
            return Err(error_code::INSUFFICIENT_CAPACITY);
        }
        for peer in peers().flatten() {
            allocation.permit(now, peer.ip()).map_err(|_| error_code::INSUFFICIENT_CAPACITY)?;
        }
        Ok(())
    }

    /// RFC 8656, Section 12.2.
    fn channel_bind(&mut self, request: &Request<'_>, index: usize) -> Result<(), Refusal> {
        let now = self.now;
        let number = request.message.u32(AttributeType::CHANNEL_NUMBER).map(|n| (n >> 16) as u16);
        let number = number.filter(|n| is_channel(*n)).ok_or(error_code::BAD_REQUEST)?;
        let peer = request.message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        let peer = peer.ok_or(error_code::BAD_REQUEST)?;
        self.check_peer(index, peer)?;
        let allocation = self.allocations.get_mut(index).ok_or(error_code::ALLOCATION_MISMATCH)?;
        if !allocation.can_permit(now, core::iter::once(peer.ip())) {
            return Err(error_code::INSUFFICIENT_CAPACITY);
        }
        allocation
            .bind(now, number, peer)
            .map_err(|Bound| error_code::BAD_REQUEST)?
            .and_then(|()| allocation.permit(now, peer.ip()))
            .map_err(|_| error_code::INSUFFICIENT_CAPACITY)
    }

    fn check_peer(&self, index: usize, peer: SocketAddr) -> Result<(), Refusal> {
        let allocation = self.allocations.get(index).ok_or(error_code::ALLOCATION_MISMATCH)?;
        let relay = allocation.relay_addr().ok_or(error_code::ALLOCATION_MISMATCH)?;
        if !self.filter.allows(peer.ip()) {
            return Err(error_code::FORBIDDEN);
        }
        if AddressFamily::of(relay.ip()) != AddressFamily::of(peer.ip()) {
            return Err(error_code::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        Ok(())
    }
}

fn lifetime_attribute(b: &mut Builder<'_>, lifetime: Duration) -> Result<(), ShortBuffer> {
    let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
    b.attribute(AttributeType::LIFETIME, &[&seconds.to_be_bytes()])
}
