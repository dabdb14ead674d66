//! Streams through relays (RFC 6062): which peers may open them, which pairs
//! want them, and the streams of ours that carry them.

use super::connection::RTCPeerConnection;
use super::gather::Gatherer;
use super::relay::is_at;
use super::streams::Purpose;
use crate::env::{Env, TransportContext, TransportProtocol};
use crate::turn::{ConnectionNumber, Permission};
use core::net::SocketAddr;

impl Gatherer {
    /// Whether the stream of a pair goes through a relay.
    pub(super) fn is_relayed_stream(&self, path: &TransportContext) -> bool {
        let tcp = path.transport_protocol == TransportProtocol::Tcp;
        tcp && self.relaying && self.clients.iter().any(|c| is_at(c, TransportProtocol::Tcp, path.local_addr))
    }
}

impl RTCPeerConnection {
    /// Lets the peer's streams through, and asks for those that pairs want.
    pub(super) fn progress_relayed_streams(&mut self) {
        for client in self.gather.clients.iter_mut() {
            if client.is_idle() || client.relays() != TransportProtocol::Tcp {
                continue;
            }
            let env = &mut Env::new(self.now, &mut self.rng);
            for ip in self.ice.remote_ips() {
                // "the port portion ... is ignored" (RFC 8656, Section 10.1).
                client.permit(env, SocketAddr::new(ip, 0));
            }
        }
        if self.ice.wants_streams(self.now) {
            let gather = &self.gather;
            while self.ice.next_blocked(|path| gather.is_relayed_stream(path)).is_some() {}
        }
        let mut at = 0;
        loop {
            let gather = &self.gather;
            let next = self.ice.asked().filter(|(_, path)| gather.is_relayed_stream(path)).nth(at);
            let Some((pair, path)) = next else { return };
            let env = &mut Env::new(self.now, &mut self.rng);
            let mut clients = self.gather.clients.iter_mut();
            let client = clients.find(|c| is_at(c, TransportProtocol::Tcp, path.local_addr));
            match client.and_then(|c| c.connect(env, path.peer_addr)) {
                Some(Permission::Granted) => {
                    self.ice.open_pair(env, pair, path);
                }
                Some(Permission::Asked) => at += 1,
                Some(Permission::Refused) | None => self.ice.fail_pair(env, pair),
            }
        }
    }

    /// Asks for the streams that carry connections through relays.
    pub(super) fn request_relayed_streams(&mut self) {
        for index in 0..self.gather.clients.len() {
            let Some(client) = self.gather.clients.get_mut(index) else { return };
            let path = *client.path();
            while !self.streams.is_full()
                && let Some(connection) = client.next_connection()
            {
                let purpose = Purpose::Relayed { client: index as u8, connection, bound: false };
                let local_addr = SocketAddr::new(path.local_addr.ip(), 0);
                self.streams.request(self.now, purpose, TransportContext { local_addr, ..path });
            }
        }
    }

    /// The task whose allocation a client keeps.
    pub(super) fn task_of(&self, client: u8) -> Option<u16> {
        use super::gather::TaskState;
        let of = |s: &TaskState| matches!(s, TaskState::Relay(c) if *c == client);
        self.gather.tasks.iter().find(|t| of(&t.state)).map(|t| t.id)
    }

    /// `false` when the stream came too late.
    pub(super) fn relayed_stream_opened(
        &mut self,
        client: u8,
        connection: ConnectionNumber,
        path: TransportContext,
    ) -> bool {
        let env = &mut Env::new(self.now, &mut self.rng);
        let client = self.gather.clients.get_mut(usize::from(client));
        client.is_some_and(|c| c.connection_opened(env, connection, path))
    }

    /// A stream has ended, or could not be opened.
    pub(super) fn relayed_stream_ended(&mut self, client: u8, connection: ConnectionNumber) {
        let env = &mut Env::new(self.now, &mut self.rng);
        if let Some(client) = self.gather.clients.get_mut(usize::from(client)) {
            client.end_connection(env, connection);
        }
    }

    pub(super) fn wants_relayed_stream(&self, client: u8, connection: ConnectionNumber) -> bool {
        let client = self.gather.clients.get(usize::from(client));
        client.is_some_and(|c| c.has_connection(connection))
    }

    /// What came on a stream that is not bound: once it is, the path that it
    /// carries, as ICE knows it.
    pub(super) fn handle_bind(
        &mut self,
        client: u8,
        connection: ConnectionNumber,
        datagram: &[u8],
    ) -> Option<TransportContext> {
        let env = &mut Env::new(self.now, &mut self.rng);
        let client = self.gather.clients.get_mut(usize::from(client))?;
        let (relayed, peer) = client.handle_bind(env, connection, datagram)?;
        let transport_protocol = TransportProtocol::Tcp;
        Some(TransportContext { transport_protocol, ..TransportContext::udp(relayed, peer) })
    }
}
