//! Datagrams in: each to the layer that its first octet names (RFC 7983).

use super::connection::RTCPeerConnection;
use crate::dtls::Records;
use crate::env::{Env, Instant, TransportContext, TransportProtocol};
use crate::wire::demux::{PacketKind, classify};

impl RTCPeerConnection {
    /// Takes in a datagram that came along `transport`, and decrypts it in
    /// place; or a piece of a stream, of any size. What does not belong to this connection is dropped and counted.
    pub fn handle_read(&mut self, now: Instant, transport: TransportContext, datagram: &mut [u8]) {
        self.tick(now);
        if self.closing {
            return;
        }
        match transport.transport_protocol {
            TransportProtocol::Udp => self.handle_datagram(&transport, datagram),
            TransportProtocol::Tcp | TransportProtocol::Tls => self.handle_stream(transport, datagram),
        }
        self.progress();
    }

    /// A datagram, by itself or from a stream: a server's, or the peer's.
    pub(super) fn handle_datagram(&mut self, transport: &TransportContext, datagram: &mut [u8]) {
        let server = !self.gather.tasks.is_empty()
            && matches!(classify(datagram), Some(PacketKind::Stun | PacketKind::TurnChannel))
            && self.handle_server(transport, datagram);
        if !server {
            self.handle_peer(transport, datagram);
        }
    }

    /// A datagram of the peer, by itself, from a stream or through a relay.
    pub(super) fn handle_peer(&mut self, transport: &TransportContext, datagram: &mut [u8]) {
        match classify(datagram) {
            Some(PacketKind::Stun) => {
                self.ice.handle_read(&mut Env::new(self.now, &mut self.rng), transport, datagram);
            }
            Some(PacketKind::Dtls) => self.handle_dtls(transport, datagram),
            // Media has its place here.
            Some(PacketKind::Rtp | PacketKind::Rtcp | PacketKind::TurnChannel) | None => {
                self.counters.unknown += 1;
            }
        }
    }

    /// "the DTLS handshake ... only on validated pairs": what comes along
    /// another path may be the peer's, whose checks are a little behind; it
    /// is kept, and not looked at before the path is validated.
    fn handle_dtls(&mut self, transport: &TransportContext, datagram: &mut [u8]) {
        if self.ice.is_validated(transport) {
            self.ice.note_received(self.now, transport, datagram.len());
            self.counters.ecn.count(transport.ecn);
        } else if !self.dtls.has_own_connection_id(datagram) {
            let kept = self.held.is_none_or(|path| path.same_path(transport))
                && self.ice.is_expected(transport)
                && self.dtls.hold(datagram);
            if kept {
                self.held = Some(*transport);
            } else {
                self.counters.unvalidated += 1;
            }
            return;
        }
        // "datagrams that pass the DTLS cryptographic verification procedures
        // but do not trigger a change of peer address are still valid DTLS
        // records and are still to be passed to the application" (RFC 9146,
        // Section 6).
        let mut records = Records::new(datagram);
        let env = &mut Env::new(self.now, &mut self.rng);
        while let Some(data) = self.dtls.handle_read(env, &mut records) {
            self.sctp.handle_read(env, data);
        }
    }
}
