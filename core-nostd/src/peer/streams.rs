//! Streams (TCP, and TLS over it), which the caller opens, reads and writes.
//! The core says which it wants, and finds and frames the datagrams on them.
//!
//! 1. [`OnStreamRequest`](super::RTCPeerConnectionEvent::OnStreamRequest) asks
//!    for one; [`stream_request`](RTCPeerConnection::stream_request) says where
//!    it goes.
//! 2. The caller opens it and tells
//!    [`StreamOpened`](super::RTCEvent::StreamOpened) or
//!    [`StreamFailed`](super::RTCEvent::StreamFailed). A stream that a listener
//!    accepted is told in the same way, without an id.
//! 3. What is read from it goes to `handle_read`, in pieces of any size, with
//!    the path that was told; what `poll_write` gives for that path is written
//!    to it, whole and in order.
//! 4. It ends by [`StreamClosed`](super::RTCEvent::StreamClosed), or by
//!    [`OnStreamClose`](super::RTCPeerConnectionEvent::OnStreamClose), which
//!    asks the caller to close it.
#![cfg_attr(not(feature = "turn"), allow(dead_code, unused_imports, reason = "for relays"))]

use super::connection::RTCPeerConnection;
use super::event::RTCPeerConnectionEvent;
use crate::env::{Env, Instant, TransportContext, TransportProtocol};
use crate::ice::PairId;
use crate::mem::{FixedDeque, FixedVec, OutOfMemory};
use crate::stun::Deframer;
use crate::wire::turn::Framing;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

/// How many streams a connection may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Streams at a time, those being opened among them. With none there is
    /// neither ICE over TCP nor TURN over TCP or TLS.
    pub streams: usize,
    /// The longest datagram on a stream, in octets, with its frame. A longer
    /// one is passed over.
    pub datagram: usize,
}

impl Limits {
    /// For microcontrollers: no streams.
    pub const TINY: Self = Self { streams: 0, datagram: 1536 };
    /// For applications.
    pub const DEFAULT: Self = Self { streams: 4, datagram: 2048 };
    /// For servers with many connections.
    pub const SERVER: Self = Self { streams: 2, datagram: 1536 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        FixedVec::<Stream>::heap_bytes(self.streams)
            + self.streams * self.datagram
            + FixedDeque::<TransportContext>::heap_bytes(self.refused())
    }

    /// How many streams that came unasked for are told of at a time. Who has
    /// no streams listens for none.
    const fn refused(&self) -> usize {
        if self.streams == 0 { 0 } else { 4 }
    }
}

/// A request for a stream, and the stream that came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCStreamId(u32);

impl RTCStreamId {
    /// A number that no other request of the connection has.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where a stream is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RTCStreamRequest<'a> {
    /// [`Tcp`](TransportProtocol::Tcp), or [`Tls`](TransportProtocol::Tls) over
    /// it, which is the caller's to speak.
    pub protocol: TransportProtocol,
    /// The other end.
    pub peer: RTCStreamPeer<'a>,
    /// The address of ours to open it from; `None` is any.
    pub local_ip: Option<IpAddr>,
    /// The port to open it from; `None` is any. Only with
    /// [`SettingEngine::ice_tcp_simultaneous_open`](super::SettingEngine::ice_tcp_simultaneous_open):
    /// a listener has it, and shares it (`SO_REUSEADDR` and `SO_REUSEPORT`).
    pub local_port: Option<u16>,
}

/// The other end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RTCStreamPeer<'a> {
    /// An address. With TLS the certificate is to be for the IP address.
    Addr(SocketAddr),
    /// A name to be resolved, which a certificate is to be for, and a port.
    Name(&'a str, u16),
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A candidate pair, opened by us.
    Pair(PairId),
    /// A candidate pair, opened by the peer.
    Accepted,
    /// The way to a server, of a task of gathering.
    Server(u16),
    /// A stream through a relay, and whether it is the peer that is heard on it.
    #[cfg(feature = "turn-tcp")]
    Relayed { client: u8, connection: crate::turn::ConnectionNumber, bound: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    /// To be asked for.
    Wanted,
    Opening,
    Open,
    /// To be told to close.
    Closing,
}

/// One place for a stream.
#[derive(Debug)]
struct Stream {
    id: RTCStreamId,
    state: State,
    purpose: Purpose,
    /// The path as it is, or as it is wanted.
    path: TransportContext,
    /// The path as ICE knows it, of a stream through a relay.
    #[cfg(feature = "turn-tcp")]
    carries: Option<TransportContext>,
    since: Instant,
    /// Taken out while a piece is read.
    deframer: Option<Deframer>,
}

impl Stream {
    /// The path as ICE knows it.
    fn ice_path(&self) -> &TransportContext {
        #[cfg(feature = "turn-tcp")]
        if let Some(path) = &self.carries {
            return path;
        }
        &self.path
    }
}

/// The streams of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    places: FixedVec<Stream>,
    next_id: u32,
    /// Streams that came unasked for and found no place.
    refused: FixedDeque<TransportContext>,
}

/// An accepted stream on which no check comes for this long is closed.
const GRACE: Duration = Duration::from_secs(15);

impl Streams {
    pub(super) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        let mut places = FixedVec::new(limits.streams)?;
        let nowhere = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::UNSPECIFIED), 0);
        for _ in 0..limits.streams {
            let place = Stream {
                id: RTCStreamId(0),
                state: State::Free,
                purpose: Purpose::Accepted,
                path: TransportContext::udp(nowhere, nowhere),
                #[cfg(feature = "turn-tcp")]
                carries: None,
                since: Instant::ZERO,
                deframer: Some(Deframer::new(Framing::Rfc4571, limits.datagram)?),
            };
            places.push(place).map_err(|_| OutOfMemory)?;
        }
        Ok(Self { places, next_id: 1, refused: FixedDeque::new(limits.refused())? })
    }

    /// Takes a free place. `None` when there is none.
    fn take(
        &mut self,
        now: Instant,
        purpose: Purpose,
        state: State,
        path: TransportContext,
    ) -> Option<RTCStreamId> {
        let place = self.places.iter_mut().find(|s| s.state == State::Free)?;
        let id = RTCStreamId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        (place.id, place.state, place.purpose, place.path, place.since) = (id, state, purpose, path, now);
        #[cfg(feature = "turn-tcp")]
        {
            place.carries = None;
        }
        if let Some(deframer) = &mut place.deframer {
            deframer.reset(framing(purpose));
        }
        Some(id)
    }

    /// Asks for a stream. `false` when there is no place for it.
    #[cfg(feature = "turn")]
    pub(super) fn request(&mut self, now: Instant, purpose: Purpose, path: TransportContext) -> bool {
        self.take(now, purpose, State::Wanted, path).is_some()
    }

    pub(super) fn is_full(&self) -> bool {
        self.places.iter().all(|s| s.state != State::Free)
    }

    /// Whether every place has a stream that is open, so that none becomes free
    /// by itself.
    #[cfg(feature = "turn")]
    pub(super) fn are_open(&self) -> bool {
        self.places.iter().all(|s| s.state == State::Open)
    }

    fn open(&self, path: &TransportContext) -> Option<&Stream> {
        self.places.iter().find(|s| s.state == State::Open && s.path.same_path(path))
    }

    fn open_mut(&mut self, path: &TransportContext) -> Option<&mut Stream> {
        self.places.iter_mut().find(|s| s.state == State::Open && s.path.same_path(path))
    }

    /// How datagrams along `path`, as ICE knows it, are framed; `None` when no
    /// stream is open there.
    pub(super) fn framing(&self, path: &TransportContext) -> Option<Framing> {
        self.carrying(path).map(|s| framing(s.purpose))
    }

    /// The framing, and the path as the caller knows it.
    pub(super) fn way(&self, path: &TransportContext) -> Option<(Framing, TransportContext)> {
        self.carrying(path).map(|s| (framing(s.purpose), s.path))
    }

    fn carrying(&self, path: &TransportContext) -> Option<&Stream> {
        self.places.iter().find(|s| s.state == State::Open && s.ice_path().same_path(path))
    }

    /// Asks the caller to close a stream that it knows.
    fn refuse(&mut self, path: TransportContext) {
        if self.refused.is_full() {
            self.refused.pop_front();
        }
        // There is room now.
        let _ = self.refused.push_back(path);
    }

    /// All streams are over.
    pub(super) fn close_all(&mut self) {
        for stream in self.places.iter_mut() {
            stream.state = match stream.state {
                State::Open => State::Closing,
                State::Wanted => State::Free,
                state => state,
            };
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<RTCPeerConnectionEvent> {
        use RTCPeerConnectionEvent as Event;
        if let Some(path) = self.refused.pop_front() {
            return Some(Event::OnStreamClose(path));
        }
        for stream in self.places.iter_mut() {
            match stream.state {
                State::Wanted => {
                    stream.state = State::Opening;
                    return Some(Event::OnStreamRequest(stream.id));
                }
                State::Closing => {
                    stream.state = State::Free;
                    return Some(Event::OnStreamClose(stream.path));
                }
                State::Free | State::Opening | State::Open => {}
            }
        }
        None
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let unproven = |s: &&Stream| s.state == State::Open && is_unproven(s.purpose);
        self.places.iter().filter(unproven).map(|s| s.since + GRACE).min()
    }
}

/// Whether the peer has opened it, and a check of its is waited for.
fn is_unproven(purpose: Purpose) -> bool {
    #[cfg(feature = "turn-tcp")]
    if let Purpose::Relayed { bound, .. } = purpose {
        return bound;
    }
    purpose == Purpose::Accepted
}

fn framing(purpose: Purpose) -> Framing {
    match purpose {
        Purpose::Pair(_) | Purpose::Accepted => Framing::Rfc4571,
        Purpose::Server(_) => Framing::Stun,
        #[cfg(feature = "turn-tcp")]
        Purpose::Relayed { bound, .. } if bound => Framing::Rfc4571,
        #[cfg(feature = "turn-tcp")]
        Purpose::Relayed { .. } => Framing::Stun,
    }
}

impl RTCPeerConnection {
    /// Where a requested stream is to go; `None` when it is no longer wanted.
    pub fn stream_request(&self, id: RTCStreamId) -> Option<RTCStreamRequest<'_>> {
        let wanted = |s: &&Stream| s.id == id && matches!(s.state, State::Wanted | State::Opening);
        let stream = self.streams.places.iter().find(wanted)?;
        let ip = stream.path.local_addr.ip();
        let peer = match stream.purpose {
            Purpose::Server(task) => self.server_stream(task)?,
            #[cfg(feature = "turn-tcp")]
            Purpose::Relayed { client, .. } => self.server_stream(self.task_of(client)?)?,
            Purpose::Pair(_) | Purpose::Accepted => RTCStreamPeer::Addr(stream.path.peer_addr),
        };
        Some(RTCStreamRequest {
            protocol: stream.path.transport_protocol,
            peer,
            local_ip: (!ip.is_unspecified()).then_some(ip),
            local_port: Some(stream.path.local_addr.port()).filter(|port| *port != 0),
        })
    }

    /// Whether a stream with this path is in use.
    pub fn has_stream(&self, path: &TransportContext) -> bool {
        self.streams.open(path).is_some()
    }

    pub(super) fn stream_opened(&mut self, id: Option<RTCStreamId>, path: TransportContext) {
        let Some(id) = id else {
            let taken = path.transport_protocol == TransportProtocol::Tcp
                && self.streams.take(self.now, Purpose::Accepted, State::Open, path).is_some();
            if !taken {
                self.streams.refuse(path);
            }
            return;
        };
        let asked = self.streams.places.iter_mut().find(|s| s.id == id && s.state == State::Opening);
        let Some(stream) = asked else {
            self.streams.refuse(path);
            return;
        };
        (stream.state, stream.path, stream.since) = (State::Open, path, self.now);
        match stream.purpose {
            Purpose::Pair(pair) => {
                if !self.ice.open_pair(&mut Env::new(self.now, &mut self.rng), pair, path) {
                    stream.state = State::Closing;
                }
            }
            Purpose::Server(task) => self.server_stream_opened(task, path),
            #[cfg(feature = "turn-tcp")]
            Purpose::Relayed { client, connection, .. } => {
                if !self.relayed_stream_opened(client, connection, path) {
                    self.close_stream(id);
                }
            }
            Purpose::Accepted => {}
        }
    }

    pub(super) fn stream_failed(&mut self, id: RTCStreamId) {
        let asked = self.streams.places.iter_mut().find(|s| s.id == id && s.state == State::Opening);
        let Some(stream) = asked else { return };
        stream.state = State::Free;
        match stream.purpose {
            Purpose::Pair(pair) => self.ice.fail_pair(&mut Env::new(self.now, &mut self.rng), pair),
            Purpose::Server(task) => self.server_stream_failed(task),
            #[cfg(feature = "turn-tcp")]
            Purpose::Relayed { client, connection, .. } => self.relayed_stream_ended(client, connection),
            Purpose::Accepted => {}
        }
    }

    pub(super) fn stream_closed(&mut self, path: &TransportContext) {
        if let Some(stream) = self.streams.open_mut(path) {
            stream.state = State::Free;
            let (purpose, path) = (stream.purpose, *stream.ice_path());
            self.stream_lost(purpose, &path);
        }
    }

    #[cfg(feature = "turn-tcp")]
    fn close_stream(&mut self, id: RTCStreamId) {
        if let Some(stream) = self.streams.places.iter_mut().find(|s| s.id == id && s.state == State::Open) {
            stream.state = State::Closing;
        }
    }

    /// A stream is gone, which ICE knows by `path`.
    fn stream_lost(&mut self, purpose: Purpose, path: &TransportContext) {
        #[cfg(feature = "turn-tcp")]
        if let Purpose::Relayed { client, connection, .. } = purpose {
            self.relayed_stream_ended(client, connection);
        }
        match purpose {
            #[cfg(feature = "turn")]
            Purpose::Server(task) => self.server_stream_lost(task),
            _ => self.ice.close_path(&mut Env::new(self.now, &mut self.rng), path),
        }
    }

    /// A piece of a stream: each datagram of it goes where one from UDP does.
    pub(super) fn handle_stream(&mut self, path: TransportContext, piece: &mut [u8]) {
        let Some(stream) = self.streams.open_mut(&path) else {
            self.counters.unknown += 1;
            return;
        };
        let Some(mut deframer) = stream.deframer.take() else { return };
        let oversized = deframer.oversized();
        #[cfg(feature = "turn-tcp")]
        let (mut purpose, mut carried) = (stream.purpose, *stream.ice_path());
        let mut rest = piece;
        let in_order = loop {
            match deframer.read(&mut rest) {
                #[cfg(feature = "turn-tcp")]
                Ok(Some(datagram)) if matches!(purpose, Purpose::Relayed { .. }) => {
                    let Purpose::Relayed { client, connection, bound } = purpose else { break false };
                    if bound {
                        let marks = TransportContext { ecn: path.ecn, dscp: path.dscp, ..carried };
                        self.handle_peer(&marks, datagram);
                    } else if let Some(path) = self.handle_bind(client, connection, datagram) {
                        // What follows is the peer's.
                        purpose = Purpose::Relayed { client, connection, bound: true };
                        carried = path;
                        deframer.reset(framing(purpose));
                        if let Some(place) = self.streams.places.iter_mut().find(|s| s.deframer.is_none()) {
                            (place.purpose, place.carries, place.since) = (purpose, Some(path), self.now);
                        }
                    }
                }
                Ok(Some(datagram)) => self.handle_datagram(&path, datagram),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        self.counters.unknown += u64::from(deframer.oversized() - oversized);
        if let Some(place) = self.streams.places.iter_mut().find(|s| s.deframer.is_none()) {
            place.deframer = Some(deframer);
        }
        if !in_order && let Some(stream) = self.streams.open_mut(&path) {
            stream.state = State::Closing;
            let (purpose, path) = (stream.purpose, *stream.ice_path());
            self.counters.unknown += 1;
            self.stream_lost(purpose, &path);
        }
    }

    /// Asks for streams that are wanted, and closes those that nobody needs:
    /// before events are read, which tell of it.
    pub(super) fn progress_streams(&mut self) {
        for index in 0..self.streams.places.len() {
            let Some(stream) = self.streams.places.get(index).filter(|s| s.state == State::Open) else {
                continue;
            };
            let used = match stream.purpose {
                Purpose::Pair(_) | Purpose::Accepted => self.ice.uses_path(&stream.path),
                Purpose::Server(task) => self.wants_server_stream(task),
                #[cfg(feature = "turn-tcp")]
                Purpose::Relayed { client, connection, bound } => {
                    self.wants_relayed_stream(client, connection)
                        && (!bound || self.ice.uses_path(stream.ice_path()))
                }
            };
            let waited_for = match stream.purpose {
                #[cfg(feature = "turn-tcp")]
                Purpose::Relayed { client, connection, .. }
                    if !self.wants_relayed_stream(client, connection) =>
                {
                    false
                }
                purpose => is_unproven(purpose) && self.now < stream.since + GRACE,
            };
            let Some(stream) = self.streams.places.get_mut(index) else { return };
            if used {
                stream.since = self.now;
            } else if !waited_for {
                stream.state = State::Closing;
                #[cfg(feature = "turn-tcp")]
                if let Purpose::Relayed { client, connection, .. } = stream.purpose {
                    self.relayed_stream_ended(client, connection);
                }
            }
        }
        self.request_server_streams();
        #[cfg(feature = "turn-tcp")]
        self.request_relayed_streams();
        while !self.closing && self.ice.wants_streams(self.now) && !self.streams.is_full() {
            #[cfg(feature = "turn-tcp")]
            let gather = &self.gather;
            let direct = |path: &TransportContext| {
                #[cfg(feature = "turn-tcp")]
                if gather.is_relayed_stream(path) {
                    return false;
                }
                path.transport_protocol == TransportProtocol::Tcp
            };
            let Some((pair, path)) = self.ice.next_blocked(direct) else { return };
            // An active candidate has no port of its own.
            let local = path.local_addr;
            let port = if self.ice.is_simultaneous(pair) { local.port() } else { 0 };
            let path = TransportContext { local_addr: SocketAddr::new(local.ip(), port), ..path };
            let _ = self.streams.take(self.now, Purpose::Pair(pair), State::Wanted, path);
        }
    }
}
