//! The connection, and what can be asked of it.

use super::configuration::{Nat1To1, RTCDtlsRole};
use super::data_channel::RTCDataChannel;
use super::event::RTCEvent;
use super::gather::Gatherer;
use super::jsep::{Jsep, RTCSignalingState};
use super::mdns::Names;
use super::message::{RTCDataChannelMessage, RTCMessage};
use super::reconfigure::Policies;
use super::signals::Signals;
use super::state::{
    RTCDtlsTransportState, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
    RTCSctpTransportState,
};
use super::stats::EcnCounts;
use super::streams::Streams;
use crate::channel::{ChannelError, Channels, RTCDataChannelId, RTCDataChannelInit, WriteError};
use crate::dtls::{self, Certificate, Operation, Outcome};
use crate::env::{EcnCodepoint, Env, Instant, Rng, TransportContext, TransportProtocol};
use crate::ice::{self, LocalCandidate, ServerCandidate};
use crate::mem::Placed;
use crate::sctp;
use crate::wire::candidate::CandidateType;
use crate::wire::sdp::Setup;
use core::net::{IpAddr, SocketAddr};

/// A connection to one peer (W3C WebRTC, Section 4.4), without I/O.
///
/// The loop around it, in this order, whenever something happened:
///
/// 1. give it what came: a datagram to [`handle_read`](Self::handle_read), an
///    address that came or went to [`handle_event`](Self::handle_event), a
///    deadline that passed to [`handle_timeout`](Self::handle_timeout);
/// 2. send what [`poll_write`](Self::poll_write) gives, until `None`;
/// 3. look at what [`poll_event`](Self::poll_event) says, until `None`;
/// 4. read what [`poll_read`](Self::poll_read) gives, until `None`; not
///    reading closes the receive window, which slows the peer down;
/// 5. wait for a datagram, or until [`poll_timeout`](Self::poll_timeout).
///
/// Polling late delays; it loses nothing.
#[derive(Debug)]
pub struct RTCPeerConnection {
    pub(super) now: Instant,
    pub(super) rng: Rng,
    pub(super) ice: Placed<ice::Agent>,
    pub(super) dtls: Placed<dtls::Connection>,
    pub(super) sctp: Placed<sctp::Association>,
    pub(super) channels: Channels,
    pub(super) jsep: Jsep,
    pub(super) signals: Signals,
    pub(super) streams: Streams,
    pub(super) names: Names,
    pub(super) gather: Gatherer,
    pub(super) addresses: AddressPolicy,
    pub(super) policies: Policies,
    pub(super) max_message_size: usize,
    pub(super) mtu: usize,
    #[cfg(feature = "path-mtu")]
    pub(super) path_mtu: PathMtu,
    pub(super) marks: Marks,
    pub(super) answer_setup: Setup,
    pub(super) dtls_role: Option<dtls::Role>,
    pub(super) dtls_ended: Option<dtls::Event>,
    pub(super) sctp_closed: bool,
    /// The path of DTLS datagrams that are held until it is validated.
    pub(super) held: Option<TransportContext>,
    /// Closed by its owner; the goodbyes are still to be sent.
    pub(super) closing: bool,
    pub(super) closed: bool,
    /// Whether there is or was a data channel, so that offers have a section
    /// for them.
    pub(super) wants_data: bool,
    /// Whether the end of candidates is to be told.
    pub(super) end_of_candidates: bool,
    pub(super) counters: Counters,
}

/// Which addresses become candidates, and how they are told.
#[derive(Debug, Clone, Copy)]
pub(super) struct AddressPolicy {
    pub(super) include_loopback: bool,
    pub(super) filter: Option<fn(IpAddr) -> bool>,
    pub(super) nat_1to1: [Option<Nat1To1>; 2],
}

/// How long datagrams may become.
#[cfg(feature = "path-mtu")]
#[derive(Debug, Clone, Copy)]
pub(super) struct PathMtu {
    pub(super) max: usize,
    pub(super) max_within_host: usize,
    /// The path that SCTP knows of.
    pub(super) path: Option<TransportContext>,
}

/// What leaves is marked with these.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) dscp: u8,
    pub(super) ecn: EcnCodepoint,
}

/// What was received and not understood or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counters {
    /// Datagrams of no protocol spoken here.
    pub(super) unknown: u64,
    /// Datagrams along paths that ICE has not validated.
    pub(super) unvalidated: u64,
    /// The peer's datagrams by their ECN codepoints.
    pub(super) ecn: EcnCounts,
}

impl RTCPeerConnection {
    /// Sets the clock; it never goes back.
    pub(super) fn tick(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Tells what happened outside: see [`RTCEvent`].
    pub fn handle_event(&mut self, now: Instant, event: RTCEvent) {
        self.tick(now);
        if self.closing {
            // Nothing is wanted any more.
            if let RTCEvent::StreamOpened { id, transport } = event {
                self.stream_opened(id, transport);
                self.streams.close_all();
            }
            return;
        }
        let env = &mut Env::new(self.now, &mut self.rng);
        match event {
            RTCEvent::LocalAddressAdded { addr, protocol } => self.local_address_added(addr, protocol),
            RTCEvent::LocalAddressRemoved { addr, protocol } => {
                self.ice.remove_local_address(env, addr, protocol);
                self.local_address_removed(addr);
            }
            RTCEvent::EndOfLocalAddresses => self.local_addresses_ended(),
            RTCEvent::ServerResolved { id, addr } => self.server_resolved(id, addr),
            RTCEvent::ServerUnresolved { id } => self.server_unresolved(id),
            RTCEvent::StreamOpened { id, transport } => self.stream_opened(id, transport),
            RTCEvent::StreamFailed { id } => self.stream_failed(id),
            RTCEvent::StreamClosed { transport } => self.stream_closed(&transport),
            RTCEvent::HiddenNameResolved { name, addr } => self.hidden_name_resolved(name, addr),
        }
        self.progress();
    }

    fn local_address_added(&mut self, addr: SocketAddr, protocol: TransportProtocol) {
        let AddressPolicy { include_loopback, filter, nat_1to1 } = self.addresses;
        if addr.ip().is_loopback() && !include_loopback || filter.is_some_and(|wanted| !wanted(addr.ip())) {
            return;
        }
        let mapping = nat_1to1.into_iter().flatten().find(|m| m.is_for(addr.ip()));
        let replaced = mapping.filter(|m| m.replaces_host).map(|m| m.external);
        let env = &mut Env::new(self.now, &mut self.rng);
        self.ice.add_local_address(env, addr, protocol, replaced);
        if let Some(mapping) = mapping.filter(|m| !m.replaces_host && protocol == TransportProtocol::Udp) {
            let candidate = ServerCandidate {
                tcp_type: None,
                kind: CandidateType::ServerReflexive,
                addr: SocketAddr::new(mapping.external, addr.port()),
                base: addr,
                related: Some(addr),
                server: None,
            };
            self.ice.add_server_candidate(env, &candidate);
        }
        self.local_addresses_changed();
    }

    /// Makes a data channel (W3C WebRTC, Section 6.1.1). It opens when the
    /// connection is up; the first one wants a negotiation.
    ///
    /// # Errors
    /// [`ChannelError`].
    pub fn create_data_channel(
        &mut self,
        now: Instant,
        label: &str,
        init: RTCDataChannelInit<'_>,
    ) -> Result<RTCDataChannelId, ChannelError> {
        self.tick(now);
        if self.closing || self.sctp_closed {
            return Err(ChannelError::Closed);
        }
        let id = self.channels.create(self.now, label, &init, &mut self.sctp)?;
        self.wants_data = true;
        self.update_negotiation_needed();
        self.progress();
        Ok(id)
    }

    /// A data channel, for a few calls. `None` when the handle is no longer
    /// valid.
    pub fn data_channel(&mut self, id: RTCDataChannelId) -> Option<RTCDataChannel<'_>> {
        self.channels.contains(id).then_some(RTCDataChannel { pc: self, id })
    }

    /// The handles of all data channels.
    pub fn data_channels(&self) -> impl Iterator<Item = RTCDataChannelId> {
        self.channels.ids()
    }

    pub(super) fn close_channel(&mut self, now: Instant, id: RTCDataChannelId) {
        self.tick(now);
        self.channels.close(id, &mut self.sctp);
        self.progress();
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`WriteError`]; nothing was taken then. After `Full` an
    /// `OnBufferedAmountLow` event says when to try again.
    pub fn handle_write(&mut self, now: Instant, message: RTCMessage<'_>) -> Result<(), WriteError> {
        self.tick(now);
        let RTCMessage::DataChannelMessage(id, RTCDataChannelMessage { is_string, data }) = message;
        self.channels.write(self.now, id, is_string, data, &mut self.sctp)
    }

    /// The next message of any data channel. Its octets lie in the
    /// connection's memory, until the next call.
    pub fn poll_read(&mut self) -> Option<RTCMessage<'_>> {
        let inbound = self.channels.next_read(self.now, &mut self.sctp)?;
        let received = self.sctp.poll_read()?;
        let data = if inbound.empty { &[] } else { received.data };
        let message = RTCDataChannelMessage { is_string: inbound.is_string, data };
        Some(RTCMessage::DataChannelMessage(inbound.id, message))
    }

    /// The next message of any data channel, and nothing else: so that whoever
    /// is slow to read data need not be slow to read media.
    pub fn poll_data_read(&mut self) -> Option<RTCMessage<'_>> {
        self.poll_read()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` when
    /// nothing is waited for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closing {
            return None;
        }
        let deadlines = [
            self.ice.poll_timeout(),
            self.dtls.poll_timeout(),
            self.sctp.poll_timeout(),
            self.streams.poll_timeout(),
            self.gather.poll_timeout(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due. Calling it early or often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        if self.closing {
            return;
        }
        let env = &mut Env::new(self.now, &mut self.rng);
        self.ice.handle_timeout(env);
        self.dtls.handle_timeout(env);
        self.sctp.handle_timeout(env);
        self.gather_timeout();
        self.progress();
    }

    /// Closes the connection (W3C WebRTC, Section 4.4.2): all channels close
    /// at once. [`poll_write`](Self::poll_write) then gives the goodbyes, so
    /// that the peer need not find out by silence.
    pub fn close(&mut self, now: Instant) {
        self.tick(now);
        if self.closing {
            return;
        }
        self.closing = true;
        self.sctp.abort();
        self.jsep.close();
        self.channels.transport_closed(false);
        self.progress();
        self.signals.silence();
    }

    /// Public-key work to be done elsewhere, with
    /// [`SettingEngine::defer_public_key_operations`](super::SettingEngine::defer_public_key_operations).
    pub fn pending_operation(&mut self) -> Option<Operation> {
        self.dtls.pending_operation()
    }

    /// Goes on with what came of a [`pending_operation`](Self::pending_operation).
    pub fn handle_operation(&mut self, now: Instant, outcome: Outcome) {
        self.tick(now);
        self.dtls.handle_operation(&mut Env::new(self.now, &mut self.rng), outcome);
        self.progress();
    }

    /// The signalling state.
    pub fn signaling_state(&self) -> RTCSignalingState {
        self.jsep.state()
    }

    /// The state of the whole.
    pub fn connection_state(&self) -> RTCPeerConnectionState {
        self.signals.connection()
    }

    /// The state of ICE.
    pub fn ice_connection_state(&self) -> RTCIceConnectionState {
        if self.closing { RTCIceConnectionState::Closed } else { self.ice.connection_state().into() }
    }

    /// The state of gathering.
    pub fn ice_gathering_state(&self) -> RTCIceGatheringState {
        self.ice.gathering_state().into()
    }

    /// The state of DTLS.
    pub fn dtls_transport_state(&self) -> RTCDtlsTransportState {
        match self.dtls_ended {
            Some(dtls::Event::Failed(_)) => RTCDtlsTransportState::Failed,
            Some(_) => RTCDtlsTransportState::Closed,
            None if self.closing => RTCDtlsTransportState::Closed,
            None if self.dtls.is_connected() => RTCDtlsTransportState::Connected,
            None if self.dtls.is_started() => RTCDtlsTransportState::Connecting,
            None => RTCDtlsTransportState::New,
        }
    }

    /// Why DTLS failed, if it did.
    pub fn dtls_error(&self) -> Option<dtls::Error> {
        match self.dtls_ended {
            Some(dtls::Event::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// The state of SCTP.
    pub fn sctp_transport_state(&self) -> RTCSctpTransportState {
        if self.sctp_closed || self.closing {
            RTCSctpTransportState::Closed
        } else if self.sctp.is_established() {
            RTCSctpTransportState::Connected
        } else {
            RTCSctpTransportState::Connecting
        }
    }

    /// Our DTLS role, once it is negotiated.
    pub fn dtls_role(&self) -> Option<RTCDtlsRole> {
        self.dtls_role.map(|role| match role {
            dtls::Role::Client => RTCDtlsRole::Client,
            dtls::Role::Server => RTCDtlsRole::Server,
        })
    }

    /// The longest message that can be sent, in octets.
    pub fn sctp_max_message_size(&self) -> usize {
        self.channels.max_message(&self.sctp)
    }

    /// Our identity.
    pub fn certificate(&self) -> &Certificate {
        self.dtls.certificate()
    }

    /// A local candidate, by the index that its event gave.
    pub fn local_candidate(&self, index: u16) -> Option<&LocalCandidate> {
        self.ice.local_candidates().get(usize::from(index))
    }

    /// Our ufrag: what a server that shares one socket among many connections
    /// tells their first packets apart by
    /// (see [`peek_local_ufrag`](crate::wire::stun::peek_local_ufrag)).
    pub fn local_ufrag(&self) -> &str {
        self.ice.local_credentials().ufrag()
    }

    /// The path that data takes, when there is one.
    pub fn selected_path(&self) -> Option<TransportContext> {
        self.ice.selected_path()
    }

    /// The types of the selected pair's candidates, ours first.
    pub fn selected_types(&self) -> Option<(CandidateType, CandidateType)> {
        self.ice.selected_types()
    }

    /// Whether ICE has shown that this peer is at the other end of `path`.
    pub fn is_validated_path(&self, path: &TransportContext) -> bool {
        self.ice.is_validated(path)
    }

    /// Whether `path` is one that ICE is checking, or along which this peer
    /// has shown that it knows our password. Not yet
    /// [validated](Self::is_validated_path).
    pub fn is_expected_path(&self, path: &TransportContext) -> bool {
        self.ice.is_expected(path)
    }
}
