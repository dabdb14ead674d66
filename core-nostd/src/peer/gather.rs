//! Gathering from STUN and TURN servers (RFC 8445, Section 5.1.1): which server
//! is asked from which address, and what came of it.
#![cfg_attr(not(feature = "turn"), allow(dead_code, unused_imports, reason = "for relays"))]

use super::connection::RTCPeerConnection;
use super::event::{RTCPeerConnectionEvent, RTCPeerConnectionIceErrorEvent};
use super::ice_servers::{Name, Servers};
use super::streams::{Purpose, RTCStreamPeer};
use crate::env::{Env, Instant, Transmit, TransportContext, TransportProtocol};
use crate::ice::{CandidateServer, ConnectionState, ServerCandidate};
use crate::mem::{FixedVec, OutOfMemory};
use crate::stun::{Due, Schedule, Transaction};
use crate::wire::candidate::CandidateType;
use crate::wire::ice_url::ServerKind;
use crate::wire::stun::{AttributeType, Builder, Class, Message, Method};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

/// How many servers a connection may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// URLs of STUN and TURN servers.
    pub servers: usize,
    /// Octets of those URLs, of user names and passwords.
    pub text: usize,
    /// Pairs of a server and an address of ours.
    pub tasks: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { servers: 2, text: 256, tasks: 2 };
    /// For applications.
    pub const DEFAULT: Self = Self { servers: 16, text: 4096, tasks: 24 };
    /// For servers with many connections.
    pub const SERVER: Self = Self { servers: 2, text: 512, tasks: 4 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        Servers::heap_bytes(self.servers, self.text) + FixedVec::<Task>::heap_bytes(self.tasks)
    }
}

/// A name of a server whose address is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCServerNameId {
    epoch: u8,
    server: u8,
}

/// "errorCode ... 701 ... if the server could not be reached" (W3C WebRTC,
/// Section 4.8.2).
pub(super) const UNREACHABLE: u16 = 701;

/// As with TURN: a server that is silent for so long is not waited for.
const SCHEDULE: Schedule = Schedule { transmissions: 5, last_wait: 8, ..Schedule::RFC };
/// "a Tr value of 15 seconds": what keeps a NAT's mapping (RFC 8445, Section 11).
const KEEPALIVE: Duration = Duration::from_secs(15);
/// "Ta", between two servers that are asked for the first time.
const PACING: Duration = Duration::from_millis(20);
/// An allocation that was lost is asked for anew after this, then twice this…
const RETRY: Duration = Duration::from_millis(500);

/// One server, asked from one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) id: u16,
    pub(super) server: u8,
    /// The socket; `None` is a stream.
    pub(super) base: Option<SocketAddr>,
    /// Whether an allocation of TCP is asked for (RFC 6062).
    #[cfg(feature = "turn-tcp")]
    pub(super) relays_tcp: bool,
    pub(super) path: TransportContext,
    pub(super) state: TaskState,
    /// To be told.
    pub(super) error: Option<u16>,
    tries: u8,
}

/// In the order in which they come.
#[derive(Debug, Clone, Copy)]
pub(super) enum TaskState {
    /// A place for a stream is waited for.
    #[cfg(feature = "turn")]
    NoStream,
    /// A stream is being opened.
    #[cfg(feature = "turn")]
    Stream,
    /// A Binding request is under way.
    Binding(Transaction),
    /// Our address is known; it is asked for again then.
    Bound(Instant),
    /// So it is.
    Rebinding(Transaction),
    /// The affair of a TURN client.
    #[cfg(feature = "turn")]
    Relay(u8),
    /// It begins anew then.
    #[cfg(feature = "turn")]
    Retry(Instant),
    /// It came to nothing.
    Failed,
}

impl Task {
    fn transaction(&self) -> Option<Transaction> {
        match self.state {
            TaskState::Binding(t) | TaskState::Rebinding(t) => Some(t),
            _ => None,
        }
    }
}

/// The servers and what is under way with them.
#[derive(Debug)]
pub(super) struct Gatherer {
    pub(super) servers: Servers,
    pub(super) tasks: FixedVec<Task>,
    #[cfg(feature = "turn")]
    pub(super) clients: FixedVec<crate::turn::Client>,
    /// Some client was asked for an allocation: before, datagrams need not
    /// look at them.
    #[cfg(feature = "turn")]
    pub(super) relaying: bool,
    /// The generation of ICE that peers were permitted for.
    #[cfg(feature = "turn")]
    pub(super) generation: u8,
    epoch: u8,
    next_task: u16,
    next_start: Instant,
    started: bool,
    addresses_ended: bool,
    /// Whether servers or addresses have changed.
    dirty: bool,
    pub(super) relay_only: bool,
    /// Whether servers that are reached by streams are asked for allocations of
    /// TCP too.
    #[cfg(feature = "turn-tcp")]
    pub(super) relays_tcp: bool,
}

impl Gatherer {
    pub(super) fn new(limits: &Limits, now: Instant) -> Result<Self, OutOfMemory> {
        Ok(Self {
            servers: Servers::new(limits.servers, limits.text)?,
            tasks: FixedVec::new(limits.tasks)?,
            #[cfg(feature = "turn")]
            clients: FixedVec::new(0)?,
            #[cfg(feature = "turn")]
            relaying: false,
            #[cfg(feature = "turn")]
            generation: 0,
            epoch: 0,
            next_task: 0,
            next_start: now,
            started: false,
            addresses_ended: false,
            dirty: false,
            relay_only: false,
            #[cfg(feature = "turn-tcp")]
            relays_tcp: false,
        })
    }

    /// Whether nothing more is to be waited for.
    fn is_settled(&self) -> bool {
        let waits = |t: &Task| match t.state {
            TaskState::Binding(_) => true,
            #[cfg(feature = "turn")]
            TaskState::NoStream => true,
            #[cfg(feature = "turn")]
            _ => self.is_asking(t),
            #[cfg(not(feature = "turn"))]
            _ => false,
        };
        let asking = self.servers.list.iter().any(|s| matches!(s.name, Name::Asked { .. }));
        self.servers.list.is_empty()
            || self.started && !self.dirty && !asking && !self.tasks.iter().any(waits)
    }

    /// Whether an allocation is being asked for.
    #[cfg(feature = "turn")]
    fn is_asking(&self, task: &Task) -> bool {
        match task.state {
            TaskState::Stream => true,
            TaskState::Relay(client) => {
                self.clients.get(usize::from(client)).is_some_and(|c| c.relayed().next().is_none())
            }
            _ => false,
        }
    }

    pub(super) fn add_task(
        &mut self,
        server: u8,
        base: Option<SocketAddr>,
        peer: SocketAddr,
        state: TaskState,
    ) -> Option<&mut Task> {
        let local = base.unwrap_or(nowhere(peer.is_ipv4()));
        let task = Task {
            id: self.next_task,
            server,
            base,
            #[cfg(feature = "turn-tcp")]
            relays_tcp: false,
            path: TransportContext::udp(local, peer),
            state,
            error: None,
            tries: 0,
        };
        self.next_task = self.next_task.wrapping_add(1);
        // What exceeds the limits is not asked.
        self.tasks.push(task).ok()?;
        self.tasks.last_mut()
    }

    /// When the next task may begin.
    pub(super) fn next_start(&mut self, now: Instant) -> Instant {
        let at = self.next_start.max(now);
        self.next_start = at + PACING;
        at
    }

    pub(super) fn task(&mut self, id: u16) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|t| t.id == id)
    }

    pub(super) fn fail_task(&mut self, id: u16, code: u16) {
        if let Some(task) = self.task(id) {
            task.state = TaskState::Failed;
            task.error = Some(code);
        }
    }

    /// A request came to nothing. What was there once is asked for again and again
    /// as long as the reason may pass, and is told of once; what never was is not.
    pub(super) fn fail_or_retry(&mut self, id: u16, code: u16, passing: bool, now: Instant) {
        match self.task(id).map(|t| t.tries) {
            #[cfg(feature = "turn")]
            Some(tries) if tries > 0 && passing => {
                if tries == 1
                    && let Some(task) = self.task(id)
                {
                    task.error = Some(code);
                }
                self.retry_task(id, now);
            }
            _ => self.fail_task(id, code),
        }
        let _ = (passing, now);
    }

    /// A task begins anew after a while, a longer one each time.
    #[cfg(feature = "turn")]
    pub(super) fn retry_task(&mut self, id: u16, now: Instant) {
        if let Some(task) = self.task(id) {
            task.state = TaskState::Retry(now + RETRY * (1 << task.tries.min(6)));
            task.tries = task.tries.saturating_add(1);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let deadline = |t: &Task| match t.state {
            TaskState::Bound(at) => Some(at),
            #[cfg(feature = "turn")]
            TaskState::Retry(at) => Some(at),
            _ => t.transaction().map(|t| t.deadline()),
        };
        let tasks = self.tasks.iter().filter_map(deadline).min();
        #[cfg(feature = "turn")]
        if self.relaying {
            return self.clients.iter().filter_map(|c| c.poll_timeout()).chain(tasks).min();
        }
        tasks
    }

    pub(super) fn poll_event(&mut self) -> Option<RTCPeerConnectionEvent> {
        use RTCPeerConnectionEvent as Event;
        let asked = |s: &super::ice_servers::Server| s.name == Name::Asked { told: false };
        if let Some(server) = self.servers.list.iter().position(asked) {
            if let Some(s) = self.servers.list.get_mut(server) {
                s.name = Name::Asked { told: true };
            }
            return Some(Event::OnServerNameRequest(RTCServerNameId {
                epoch: self.epoch,
                server: server as u8,
            }));
        }
        for task in self.tasks.iter_mut() {
            if let Some(error_code) = task.error.take() {
                return Some(Event::OnIceCandidateErrorEvent(RTCPeerConnectionIceErrorEvent {
                    server: task.server,
                    address: task.base,
                    error_code,
                }));
            }
        }
        None
    }
}

pub(super) fn nowhere(is_ipv4: bool) -> SocketAddr {
    let ip = if is_ipv4 { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    SocketAddr::new(ip, 0)
}

impl RTCPeerConnection {
    /// The name that an `OnServerNameRequest` wants the addresses of; `None` when
    /// they are no longer wanted.
    pub fn server_name_request(&self, id: RTCServerNameId) -> Option<&str> {
        self.name_asked(id).then(|| self.gather.servers.host(id.server))
    }

    fn name_asked(&self, id: RTCServerNameId) -> bool {
        let server = self.gather.servers.get(id.server);
        id.epoch == self.gather.epoch
            && server.is_some_and(|s| matches!(s.name, Name::Asked { .. } | Name::Known { .. }))
    }

    pub(super) fn server_resolved(&mut self, id: RTCServerNameId, ip: IpAddr) {
        if self.name_asked(id)
            && let Some(server) = self.gather.servers.list.get_mut(usize::from(id.server))
        {
            server.name = server.name.with(ip.to_canonical());
            self.gather.dirty = true;
        }
    }

    pub(super) fn server_unresolved(&mut self, id: RTCServerNameId) {
        if self.name_asked(id)
            && let Some(server) = self.gather.servers.list.get_mut(usize::from(id.server))
            && matches!(server.name, Name::Asked { .. })
        {
            server.name = Name::Unknown;
            if let Some(task) = self.gather.add_task(id.server, None, nowhere(true), TaskState::Failed) {
                task.error = Some(UNREACHABLE);
            }
        }
    }

    /// A URL of the configuration, by the number that an error or a candidate
    /// gives.
    pub fn ice_server_url(&self, server: u8) -> Option<super::RTCIceServerUrl<'_>> {
        self.gather.servers.url(server)
    }

    /// Gathering begins, or begins anew after a restart: what has failed is
    /// tried again.
    pub(super) fn start_gathering(&mut self) {
        self.ice.set_relay_only(self.gather.relay_only);
        self.gather.started = true;
        self.gather.dirty = true;
        self.gather.tasks.retain(|t| !matches!(t.state, TaskState::Failed));
        for server in self.gather.servers.list.iter_mut().filter(|s| s.name == Name::Unknown) {
            server.name = Name::Unasked;
        }
        self.progress_gather();
        if !self.gather.is_settled() {
            self.ice.more_local_addresses();
        }
    }

    /// Before there is anything to gather for.
    pub(super) fn start_pool(&mut self) {
        self.gather.started = true;
    }

    pub(super) fn servers_changed(&mut self) {
        let gather = &mut self.gather;
        gather.epoch = gather.epoch.wrapping_add(1);
        // What was found stays; what is under way was for servers of before.
        for task in gather.tasks.iter_mut() {
            #[cfg(feature = "turn")]
            if let TaskState::Relay(client) = task.state
                && let Some(client) = gather.clients.get_mut(usize::from(client))
                && client.relayed().next().is_some()
            {
                task.server = u8::MAX;
                continue;
            }
            task.state = TaskState::Failed;
            task.error = None;
        }
        gather.tasks.retain(|t| !matches!(t.state, TaskState::Failed));
        #[cfg(feature = "turn")]
        self.release_strays();
    }

    pub(super) fn local_address_removed(&mut self, addr: SocketAddr) {
        self.gather.tasks.retain(|t| t.base != Some(addr));
        #[cfg(feature = "turn")]
        self.release_strays();
        self.gather.dirty = true;
    }

    pub(super) fn local_addresses_changed(&mut self) {
        self.gather.dirty = true;
    }

    pub(super) fn local_addresses_ended(&mut self) {
        self.gather.addresses_ended = true;
    }

    /// Asks servers that were not asked, takes in what became of others, and
    /// says when all are done.
    pub(super) fn progress_gather(&mut self) {
        if self.closing {
            return;
        }
        if self.gather.started && core::mem::take(&mut self.gather.dirty) && !self.ice.is_lite() {
            self.ask_servers();
        }
        #[cfg(feature = "turn")]
        self.progress_relays();
        #[cfg(feature = "turn")]
        self.give_up_streams();
        if self.gather.addresses_ended && !self.ice.is_local_ended() && self.gather.is_settled() {
            self.ice.end_of_local_addresses();
        }
    }

    fn ask_servers(&mut self) {
        for index in 0..self.gather.servers.list.len() {
            let number = index as u8;
            let Some(server) = self.gather.servers.list.get(index).cloned() else { return };
            if server.protocol != TransportProtocol::Udp {
                #[cfg(feature = "turn")]
                if !self.gather.tasks.iter().any(|t| t.server == number) {
                    let ip = server.name.ip(true).or(server.name.ip(false));
                    let peer = ip.map_or(nowhere(true), |ip| SocketAddr::new(ip, server.port));
                    self.gather.add_task(number, None, peer, TaskState::NoStream);
                    #[cfg(feature = "turn-tcp")]
                    if self.gather.relays_tcp {
                        let task = self.gather.add_task(number, None, peer, TaskState::NoStream);
                        if let Some(task) = task {
                            task.relays_tcp = true;
                        }
                    }
                }
                continue;
            }
            for local in 0..self.ice.local_candidates().len() {
                let Some(local) = self.ice.local_candidates().get(local).copied() else { break };
                let base = local.base;
                if local.kind != CandidateType::Host || !local.alive || local.tcp_type.is_some() {
                    continue;
                }
                if server.name == Name::Unasked {
                    if let Some(server) = self.gather.servers.list.get_mut(index) {
                        server.name = Name::Asked { told: false };
                    }
                    break;
                }
                let asked = self.gather.tasks.iter().any(|t| t.server == number && t.base == Some(base));
                if let Some(ip) = server.name.ip(base.is_ipv4())
                    && can_reach(base.ip(), ip)
                    && !asked
                {
                    self.ask_server(number, server.kind, base, SocketAddr::new(ip, server.port));
                }
            }
        }
    }

    fn ask_server(&mut self, number: u8, kind: ServerKind, base: SocketAddr, peer: SocketAddr) {
        let at = self.gather.next_start(self.now);
        let first = Transaction::new(&mut self.rng, at);
        match kind {
            ServerKind::Stun => {
                self.gather.add_task(number, Some(base), peer, TaskState::Binding(first));
            }
            #[cfg(feature = "turn")]
            ServerKind::Turn => {
                let task = self.gather.add_task(number, Some(base), peer, TaskState::Retry(at));
                if let Some(id) = task.map(|t| t.id) {
                    self.allocate(id, at);
                }
            }
            #[cfg(not(feature = "turn"))]
            ServerKind::Turn => {}
        }
    }

    /// Where the stream of a task is to go.
    pub(super) fn server_stream(&self, task: u16) -> Option<RTCStreamPeer<'_>> {
        let task = self.gather.tasks.iter().find(|t| t.id == task)?;
        #[cfg(feature = "turn-tcp")]
        if let TaskState::Relay(_) = task.state
            && task.path.transport_protocol == TransportProtocol::Tcp
        {
            // "utilizing the same destination transport address to which the
            // control connection was established" (RFC 6062, Section 4.3). With
            // TLS the certificate's name counts for more.
            return Some(RTCStreamPeer::Addr(task.path.peer_addr));
        }
        let server = self.gather.servers.get(task.server)?;
        Some(match server.name.ip(true).or(server.name.ip(false)) {
            Some(ip) => RTCStreamPeer::Addr(SocketAddr::new(ip, server.port)),
            None => RTCStreamPeer::Name(self.gather.servers.host(task.server), server.port),
        })
    }

    /// A STUN message or ChannelData: `true` when it is a server's.
    pub(super) fn handle_server(&mut self, path: &TransportContext, datagram: &mut [u8]) -> bool {
        // A server may be asked for candidates of both kinds along one path.
        for index in 0..self.gather.tasks.len() {
            let task = self.gather.tasks.get(index).filter(|t| t.path.same_path(path)).copied();
            if task.is_some_and(|task| self.handle_task(&task, path, datagram)) {
                return true;
            }
        }
        false
    }

    #[cfg_attr(not(feature = "turn"), allow(unused_variables, reason = "a relay's client wants the path"))]
    fn handle_task(&mut self, task: &Task, path: &TransportContext, datagram: &mut [u8]) -> bool {
        match task.state {
            TaskState::Binding(t) | TaskState::Rebinding(t) => {
                let Ok(message) = Message::parse(datagram) else { return false };
                let ours = message.transaction_id == t.id && message.method == Method::BINDING;
                if ours && matches!(message.class, Class::Success | Class::Error) {
                    self.handle_binding(task, &message);
                }
                ours
            }
            #[cfg(feature = "turn")]
            TaskState::Relay(client) => self.handle_relay(client, path, datagram),
            _ => false,
        }
    }

    fn handle_binding(&mut self, task: &Task, message: &Message<'_>) {
        let mapped = message
            .xor_address(AttributeType::XOR_MAPPED_ADDRESS)
            .or_else(|| message.plain_address(AttributeType::MAPPED_ADDRESS));
        let (Some(mapped), Class::Success, Some(base)) = (mapped, message.class, task.base) else {
            self.gather.fail_task(task.id, message.error_code().unwrap_or(UNREACHABLE));
            return;
        };
        if let Some(task) = self.gather.task(task.id) {
            task.state = TaskState::Bound(self.now + KEEPALIVE);
        }
        self.add_reflexive(task.server, base, mapped);
    }

    /// Our address as a server sees it.
    pub(super) fn add_reflexive(&mut self, server: u8, base: SocketAddr, mapped: SocketAddr) {
        let candidate = ServerCandidate {
            kind: CandidateType::ServerReflexive,
            addr: SocketAddr::new(mapped.ip().to_canonical(), mapped.port()),
            base,
            tcp_type: None,
            related: Some(base),
            server: Some(CandidateServer { url: server, protocol: TransportProtocol::Udp }),
        };
        self.ice.add_server_candidate(&mut Env::new(self.now, &mut self.rng), &candidate);
    }

    pub(super) fn gather_timeout(&mut self) {
        let settled = matches!(
            self.ice.connection_state(),
            ConnectionState::Connected | ConnectionState::Completed | ConnectionState::Failed
        );
        for task in self.gather.tasks.iter_mut() {
            match task.state {
                TaskState::Binding(t) if t.due(&SCHEDULE, self.now) == Due::TimedOut => {
                    task.state = TaskState::Failed;
                    task.error = Some(UNREACHABLE);
                }
                TaskState::Rebinding(t) if t.due(&SCHEDULE, self.now) == Due::TimedOut => {
                    task.state = TaskState::Bound(self.now + KEEPALIVE);
                }
                // A path that is in use keeps itself open.
                TaskState::Bound(at) if self.now >= at && settled => {
                    task.state = TaskState::Bound(self.now + KEEPALIVE);
                }
                TaskState::Bound(at) if self.now >= at => {
                    task.state = TaskState::Rebinding(Transaction::new(&mut self.rng, self.now));
                }
                _ => {}
            }
        }
        #[cfg(feature = "turn")]
        self.relay_timeout();
    }

    /// The next request to a server.
    pub(super) fn poll_gather(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        let now = self.now;
        let due = |t: &&mut Task| t.transaction().is_some_and(|t| t.due(&SCHEDULE, now) == Due::Send);
        if let Some(task) = self.gather.tasks.iter_mut().find(due)
            && let TaskState::Binding(t) | TaskState::Rebinding(t) = &mut task.state
        {
            t.sent(&SCHEDULE, now);
            let b = Builder::new(buf, Class::Request, Method::BINDING, t.id).ok()?;
            let len = b.finish_with_fingerprint().ok()?;
            return Some(Transmit::datagram(task.path, len));
        }
        #[cfg(feature = "turn")]
        return self.poll_relays(buf);
        #[cfg(not(feature = "turn"))]
        None
    }

    /// Whether a stream to a server is still of use.
    pub(super) fn wants_server_stream(&self, task: u16) -> bool {
        self.gather.tasks.iter().any(|t| {
            t.id == task
                && match t.state {
                    #[cfg(feature = "turn")]
                    TaskState::Stream | TaskState::Relay(_) => true,
                    _ => false,
                }
        })
    }

    /// What a stream is for was decided elsewhere; here is what became of it.
    pub(super) fn server_stream_opened(&mut self, id: u16, path: TransportContext) {
        #[cfg(feature = "turn")]
        if let Some(task) = self.gather.task(id) {
            task.path = path;
            self.allocate(id, self.now);
        }
        let _ = (id, path);
    }

    pub(super) fn server_stream_failed(&mut self, id: u16) {
        self.gather.fail_or_retry(id, UNREACHABLE, true, self.now);
    }

    /// Servers for which there is no stream, now that all places are taken by
    /// allocations that stay, are not waited for.
    #[cfg(feature = "turn")]
    fn give_up_streams(&mut self) {
        if self.streams.are_open() && !self.gather.tasks.iter().any(|t| self.gather.is_asking(t)) {
            for task in self.gather.tasks.iter_mut().filter(|t| matches!(t.state, TaskState::NoStream)) {
                (task.state, task.error) = (TaskState::Failed, Some(UNREACHABLE));
            }
        }
    }

    /// Asks for the streams that servers are reached by.
    pub(super) fn request_server_streams(&mut self) {
        #[cfg(feature = "turn")]
        for index in 0..self.gather.tasks.len() {
            let Some(task) = self.gather.tasks.get_mut(index) else { return };
            let Some(server) = self.gather.servers.get(task.server) else { continue };
            if matches!(task.state, TaskState::NoStream) {
                let path = TransportContext { transport_protocol: server.protocol, ..task.path };
                if !self.streams.request(self.now, Purpose::Server(task.id), path) {
                    return;
                }
                task.state = TaskState::Stream;
            }
        }
    }
}

/// Whether a server can be reached from an address at all.
fn can_reach(base: IpAddr, server: IpAddr) -> bool {
    let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    base.is_ipv4() == server.is_ipv4()
        && (!base.is_loopback() || server.is_loopback())
        && (!link_local(base) || link_local(server))
}
