//! Relays: allocations that servers give, and what goes through them.

use super::connection::RTCPeerConnection;
use super::gather::{Gatherer, TaskState, UNREACHABLE, nowhere};
use crate::env::{Env, Instant, Transmit, TransportContext, TransportProtocol};
use crate::ice::{CandidateServer, LocalCandidate, ServerCandidate};
use crate::mem::{FixedVec, OutOfMemory};
use crate::turn::{Client, Event, Limits, Permission, Received};
use crate::wire::candidate::{CandidateType, TcpType};
use crate::wire::stun::error_code::{ALLOCATION_MISMATCH, ALLOCATION_QUOTA_REACHED};
use crate::wire::turn::RequestedTransport;
use core::net::SocketAddr;

impl Gatherer {
    /// Adds the memory for allocations.
    pub(super) fn with_clients(
        mut self,
        hashes: &'static dyn crate::crypto::Hashes,
        limits: &Limits,
    ) -> Result<Self, OutOfMemory> {
        self.clients = FixedVec::new(limits.allocations)?;
        for _ in 0..limits.allocations {
            self.clients.push(Client::new(hashes, limits)?).map_err(|_| OutOfMemory)?;
        }
        Ok(self)
    }

    /// The client whose relayed address for datagrams this is.
    pub(super) fn relay_at(&self, addr: SocketAddr) -> Option<&Client> {
        if !self.relaying {
            return None;
        }
        self.clients.iter().find(|c| is_at(c, TransportProtocol::Udp, addr))
    }

    fn relay_at_mut(&mut self, addr: SocketAddr) -> Option<&mut Client> {
        self.clients.iter_mut().find(|c| is_at(c, TransportProtocol::Udp, addr))
    }
}

pub(super) fn is_at(client: &Client, protocol: TransportProtocol, addr: SocketAddr) -> bool {
    !client.is_idle() && client.relays() == protocol && client.relayed().any(|r| r == addr)
}

impl RTCPeerConnection {
    /// Asks the server of a task for an allocation.
    pub(super) fn allocate(&mut self, id: u16, at: Instant) {
        let gather = &mut self.gather;
        let Some(task) = gather.tasks.iter_mut().find(|t| t.id == id) else { return };
        let Some(server) = gather.servers.get(task.server) else {
            task.state = TaskState::Failed;
            return;
        };
        let (username, credential) = gather.servers.login(server);
        let free = gather.clients.iter().position(|c| c.is_idle());
        let client = free.and_then(|i| Some((i, gather.clients.get_mut(i)?)));
        let Some((index, client)) = client else {
            // More than the limits allow.
            (task.state, task.error) = (TaskState::Failed, Some(UNREACHABLE));
            return;
        };
        gather.relaying = true;
        #[cfg(feature = "turn-tcp")]
        let relays = if task.relays_tcp { RequestedTransport::TCP } else { RequestedTransport::UDP };
        #[cfg(not(feature = "turn-tcp"))]
        let relays = RequestedTransport::UDP;
        let env = &mut Env::new(self.now, &mut self.rng);
        let begun = client.allocate(env, at, task.path, relays, username.as_bytes(), credential.as_bytes());
        task.state = if begun { TaskState::Relay(index as u8) } else { TaskState::Failed };
    }

    /// Allocations whose task is gone are given back.
    pub(super) fn release_strays(&mut self) {
        let gather = &mut self.gather;
        for (index, client) in gather.clients.iter_mut().enumerate() {
            let owned = gather
                .tasks
                .iter()
                .any(|t| matches!(t.state, TaskState::Relay(c) if usize::from(c) == index));
            if owned || client.is_idle() {
                continue;
            }
            for relayed in client.relayed() {
                let env = &mut Env::new(self.now, &mut self.rng);
                self.ice.remove_local_address(env, relayed, client.relays());
            }
            client.release();
        }
    }

    /// What happened to allocations, and what pairs want of them.
    pub(super) fn progress_relays(&mut self) {
        if !self.gather.relaying {
            return;
        }
        for index in 0..self.gather.clients.len() {
            while let Some(event) = self.gather.clients.get_mut(index).and_then(Client::poll_event) {
                self.handle_relay_event(index, event);
            }
        }
        if self.gather.clients.iter().all(|c| c.relayed().next().is_none()) {
            return;
        }
        if self.gather.generation != self.ice.generation() {
            self.gather.generation = self.ice.generation();
            for client in self.gather.clients.iter_mut() {
                client.forget_refusals();
                // Whose streams are let through is named by the peer's candidates,
                // which begin anew.
                if client.relays() == TransportProtocol::Tcp {
                    client.retain_peers(|_| false);
                }
            }
        }
        #[cfg(feature = "turn-tcp")]
        self.progress_relayed_streams();
        while self.ice.next_blocked(|path| path.transport_protocol == TransportProtocol::Udp).is_some() {}
        let mut at = 0;
        loop {
            let udp = |(_, p): &(_, TransportContext)| p.transport_protocol == TransportProtocol::Udp;
            let next = self.ice.asked().filter(udp).nth(at);
            let Some((pair, path)) = next else { break };
            let env = &mut Env::new(self.now, &mut self.rng);
            let mut client = self.gather.relay_at_mut(path.local_addr);
            if let Some(client) = client.as_mut().filter(|c| c.is_full()) {
                // Those of pairs that are gone, after restarts for one.
                client.retain_peers(|peer| self.ice.has_pair_with(peer));
            }
            match client.and_then(|c| c.permit(env, path.peer_addr)) {
                Some(Permission::Granted) => {
                    self.ice.open_pair(env, pair, path);
                }
                Some(Permission::Asked) => at += 1,
                Some(Permission::Refused) | None => {
                    self.ice.fail_pair(env, pair);
                }
            }
        }
        if let Some(path) = self.ice.selected_path()
            && let Some(client) = self.gather.relay_at_mut(path.local_addr)
        {
            client.bind(&mut Env::new(self.now, &mut self.rng), path.peer_addr);
        }
    }

    fn handle_relay_event(&mut self, index: usize, event: Event) {
        let task = self
            .gather
            .tasks
            .iter()
            .find(|t| matches!(t.state, TaskState::Relay(c) if usize::from(c) == index))
            .copied();
        let (Some(task), Some(client)) = (task, self.gather.clients.get(index)) else { return };
        let (mapped, path, relays) = (client.mapped(), *client.path(), client.relays());
        let relayed: heapless::Vec<SocketAddr, 2> = client.relayed().collect();
        let env = &mut Env::new(self.now, &mut self.rng);
        match event {
            Event::Allocated => {
                let hidden = self.gather.relay_only;
                for addr in relayed {
                    // A relay that claims an address of ours would take over
                    // what goes there.
                    let tcp = relays == TransportProtocol::Tcp;
                    let ours = |c: &&LocalCandidate| c.alive && c.base == addr && c.tcp_type.is_some() == tcp;
                    if self.ice.local_candidates().iter().find(ours).is_some() {
                        continue;
                    }
                    let related = if hidden { None } else { mapped };
                    let candidate = ServerCandidate {
                        kind: CandidateType::Relayed,
                        addr,
                        base: addr,
                        tcp_type: tcp.then_some(TcpType::Passive),
                        related: Some(related.unwrap_or(nowhere(addr.is_ipv4()))),
                        server: Some(CandidateServer { url: task.server, protocol: path.transport_protocol }),
                    };
                    self.ice.add_server_candidate(env, &candidate);
                    if tcp {
                        // "the port(s) MUST be set to 9 (i.e., Discard). For
                        // active relayed candidates, the value for
                        // connection-address MUST be identical to the IP
                        // address of a passive" one (RFC 6544, Section 4.5).
                        let addr = SocketAddr::new(addr.ip(), 9);
                        let active = ServerCandidate { addr, tcp_type: Some(TcpType::Active), ..candidate };
                        self.ice.add_server_candidate(env, &active);
                    }
                }
                if let (Some(base), Some(mapped)) = (task.base, mapped) {
                    self.add_reflexive(task.server, base, mapped);
                }
            }
            Event::Failed(code) => {
                let code = code.unwrap_or(UNREACHABLE);
                let passing = code >= 500 || [ALLOCATION_MISMATCH, ALLOCATION_QUOTA_REACHED].contains(&code);
                self.gather.fail_or_retry(task.id, code, passing, self.now);
            }
            Event::Lost => {
                for addr in relayed {
                    self.ice.remove_local_address(env, addr, relays);
                }
                if let Some(client) = self.gather.clients.get_mut(index) {
                    client.forget();
                }
                self.gather.retry_task(task.id, self.now);
            }
        }
    }

    /// A stream to a server has ended.
    pub(super) fn server_stream_lost(&mut self, id: u16) {
        let Some(task) = self.gather.task(id) else { return };
        if let TaskState::Relay(client) = task.state
            && let Some(client) = self.gather.clients.get_mut(usize::from(client))
        {
            client.path_lost();
        }
    }

    /// A datagram from a server with an allocation: `true` when it is one of
    /// TURN.
    pub(super) fn handle_relay(&mut self, client: u8, path: &TransportContext, datagram: &mut [u8]) -> bool {
        let Some(at) = self.gather.clients.get_mut(usize::from(client)) else { return false };
        let received = at.handle_read(&mut Env::new(self.now, &mut self.rng), datagram);
        let moved = *at.path();
        if !moved.same_path(path) {
            // To another server (RFC 8489, Section 10): its answers come from there.
            let own = |t: &&mut super::gather::Task| matches!(t.state, TaskState::Relay(c) if c == client);
            if let Some(task) = self.gather.tasks.iter_mut().find(own) {
                task.path = moved;
            }
        }
        match received {
            Received::Own => true,
            Received::Foreign => false,
            Received::Data { peer, relayed, range } => {
                let inner = TransportContext {
                    ecn: path.ecn,
                    dscp: path.dscp,
                    ..TransportContext::udp(relayed, peer)
                };
                if let Some(datagram) = datagram.get_mut(range) {
                    self.handle_peer(&inner, datagram);
                }
                true
            }
        }
    }

    pub(super) fn relay_timeout(&mut self) {
        let env = &mut Env::new(self.now, &mut self.rng);
        for client in self.gather.clients.iter_mut() {
            client.handle_timeout(env);
        }
        for index in 0..self.gather.tasks.len() {
            let Some(task) = self.gather.tasks.get_mut(index) else { return };
            if let TaskState::Retry(at) = task.state
                && self.now >= at
            {
                let id = task.id;
                match task.base {
                    Some(base) => {
                        // The server that was named, not one that it has sent us to.
                        let server = self.gather.servers.get(task.server);
                        if let Some(server) = server
                            && let Some(ip) = server.name.ip(base.is_ipv4())
                        {
                            task.path.peer_addr = SocketAddr::new(ip, server.port);
                        }
                        self.allocate(id, self.now);
                    }
                    None => task.state = TaskState::NoStream,
                }
            }
        }
    }

    pub(super) fn poll_relays(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        if !self.gather.relaying {
            return None;
        }
        for index in 0..self.gather.clients.len() {
            let client = self.gather.clients.get_mut(index)?;
            if client.is_idle() {
                continue;
            }
            let path = *client.path();
            #[cfg(feature = "turn-tcp")]
            if let Some(bind) = client.poll_bind(&mut Env::new(self.now, &mut self.rng), buf) {
                return Some(bind);
            }
            while let Some(len) = client.poll_write(&mut Env::new(self.now, &mut self.rng), buf) {
                match path.transport_protocol {
                    TransportProtocol::Udp => return Some(Transmit::datagram(path, len)),
                    // STUN messages are their own frames.
                    _ if self.streams.framing(&path).is_some() => return Some(Transmit::datagram(path, len)),
                    _ => {}
                }
            }
        }
        None
    }

    /// Gives all allocations back.
    pub(super) fn release_relays(&mut self) {
        for client in self.gather.clients.iter_mut().filter(|c| !c.is_idle()) {
            client.release();
        }
    }
}
