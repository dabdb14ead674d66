//! How a datagram travels along its path: as it is, in a frame on a stream, or
//! wrapped for a relay.

use super::connection::RTCPeerConnection;
#[cfg(any(feature = "turn", feature = "path-mtu"))]
use crate::env::Env;
use crate::env::{Transmit, TransportContext, TransportProtocol};
#[cfg(feature = "path-mtu")]
use crate::wire::candidate::CandidateType;
use crate::wire::turn::RFC4571_HEADER_LEN;

/// The most that a relay adds: a Send indication to an IPv6 peer, and its
/// padding.
const RELAY_OVERHEAD: usize = 48 + 3;

/// What every peer takes in that runs over Ethernet: longer datagrams are for
/// peers whose description asks for them.
#[cfg(feature = "path-mtu")]
const UNTOLD_DATAGRAM: usize = 1500 - 20 - 8;

impl RTCPeerConnection {
    /// Octets to leave free in front of a datagram along `path`; `None` when
    /// nothing can be sent along it now.
    pub(super) fn head_room(&self, path: &TransportContext) -> Option<usize> {
        match path.transport_protocol {
            TransportProtocol::Udp => {
                #[cfg(feature = "turn")]
                if let Some(relay) = self.gather.relay_at(path.local_addr) {
                    return relay.head_room(path.peer_addr);
                }
                Some(0)
            }
            TransportProtocol::Tcp | TransportProtocol::Tls => {
                self.streams.framing(path).map(|framing| framing.head_room())
            }
        }
    }

    /// The most octets that [`wrap`](Self::wrap) adds to what the layers above
    /// write, by what is known of this connection's candidates.
    pub(super) fn way_overhead(&self) -> usize {
        if self.gather.servers.has_turn() {
            return RELAY_OVERHEAD;
        }
        if self.ice.local_candidates().iter().any(|c| c.tcp_type.is_some()) { RFC4571_HEADER_LEN } else { 0 }
    }

    /// The largest datagram of SCTP's that may be; SCTP has its own limit.
    pub(super) fn largest_datagram(&self) -> usize {
        #[cfg(feature = "path-mtu")]
        return self.mtu.max(self.path_mtu.max).max(self.path_mtu.max_within_host);
        #[cfg(not(feature = "path-mtu"))]
        self.mtu
    }

    /// The largest datagram that is taken in, when it is worth telling.
    #[cfg(feature = "path-mtu")]
    pub(super) fn told_datagram_size(&self) -> Option<usize> {
        Some(self.largest_datagram()).filter(|&octets| octets > UNTOLD_DATAGRAM)
    }

    /// Tells SCTP of the selected path when it is another one: how long packets
    /// may be is to be found out anew. Cheap when discovery is off.
    #[cfg(feature = "path-mtu")]
    pub(super) fn follow_path(&mut self) {
        if self.largest_datagram() <= self.mtu || !self.dtls.is_connected() {
            return;
        }
        let Some(path) = self.ice.selected_path() else { return };
        if self.path_mtu.path.is_some_and(|known| known.same_path(&path)) {
            return;
        }
        self.path_mtu.path = Some(path);
        let way = self.head_room(&path);
        let most = match (path.transport_protocol, way) {
            (TransportProtocol::Udp, Some(0)) if self.is_within_host(&path) => self.path_mtu.max_within_host,
            (TransportProtocol::Udp, Some(0)) => self.path_mtu.max,
            // Streams have no datagrams, and a relay's next hop is another
            // path yet.
            _ => 0,
        };
        // A probe must do no harm: libwebrtc gives a connection up for a record
        // that is longer than its buffer of 2,048 octets.
        let told = self.jsep.remote().and_then(|remote| remote.max_datagram_size());
        let most = most.min(told.unwrap_or(0).max(UNTOLD_DATAGRAM));
        let (head, tail) = self.dtls.overhead();
        let overhead = head + tail + self.way_overhead().max(way.unwrap_or(0));
        let env = &mut Env::new(self.now, &mut self.rng);
        self.sctp.set_path(env, self.mtu.saturating_sub(overhead), most.saturating_sub(overhead));
    }

    /// Whether the peer is at an address of our own, so that nothing leaves the
    /// machine.
    #[cfg(feature = "path-mtu")]
    fn is_within_host(&self, path: &TransportContext) -> bool {
        let ip = path.peer_addr.ip();
        ip.is_loopback()
            || self.ice.local_candidates().iter().any(|c| {
                c.alive && c.kind == CandidateType::Host && c.tcp_type.is_none() && c.base.ip() == ip
            })
    }

    /// Sends the datagram of `len` octets that lies behind
    /// [`head_room`](Self::head_room) octets in `buf`.
    pub(super) fn wrap(&mut self, path: TransportContext, buf: &mut [u8], len: usize) -> Option<Transmit> {
        match path.transport_protocol {
            TransportProtocol::Udp => {
                #[cfg(feature = "turn")]
                if let Some(relay) = self.gather.relay_at(path.local_addr) {
                    let env = &mut Env::new(self.now, &mut self.rng);
                    let len = relay.wrap(env, path.peer_addr, buf, len)?;
                    let path = TransportContext { dscp: path.dscp, ecn: path.ecn, ..*relay.path() };
                    if path.transport_protocol == TransportProtocol::Udp {
                        return Some(Transmit::datagram(path, len));
                    }
                    let len = self.streams.framing(&path)?.write(buf, len).ok()?;
                    return Some(Transmit::datagram(path, len));
                }
                Some(Transmit::datagram(path, len))
            }
            TransportProtocol::Tcp | TransportProtocol::Tls => {
                let (framing, way) = self.streams.way(&path)?;
                let len = framing.write(buf, len).ok()?;
                Some(Transmit::datagram(TransportContext { dscp: path.dscp, ecn: path.ecn, ..way }, len))
            }
        }
    }

    /// The same for one that lies at the beginning of `buf`.
    pub(super) fn wrap_moved(&mut self, transmit: Transmit, buf: &mut [u8]) -> Option<Transmit> {
        let head = self.head_room(&transmit.transport)?;
        if head > 0 {
            let end = transmit.len.checked_add(head).filter(|end| *end <= buf.len())?;
            buf.get_mut(..end)?.copy_within(..transmit.len, head);
        }
        self.wrap(transmit.transport, buf, transmit.len)
    }
}
