//! What one layer's state means for the next, and what the application is
//! told of it.

use super::connection::RTCPeerConnection;
use super::event::{
    RTCDataChannelEvent, RTCMilestoneStep, RTCPeerConnectionEvent, RTCPeerConnectionIceEvent,
};
use super::jsep::RTCSignalingState;
use super::state::{
    RTCDtlsTransportState, RTCIceConnectionState, RTCIceGatheringState, RTCPeerConnectionState,
};
use crate::channel;
use crate::dtls;
use crate::env::Env;
use crate::ice;
use crate::sctp;

impl RTCPeerConnection {
    /// Carries what happened in one layer on to the others. Cheap when
    /// nothing did.
    pub(super) fn progress(&mut self) {
        self.progress_gather();
        self.progress_ice();
        #[cfg(feature = "path-mtu")]
        self.follow_path();
        self.progress_dtls();
        self.progress_sctp();
        self.update_connection_state();
    }

    fn progress_ice(&mut self) {
        let path = self.ice.selected_path();
        if path.is_some() {
            self.signals.milestone(self.now, RTCMilestoneStep::PairValid);
        }
        if let Some(held) = self.held
            && self.ice.is_validated(&held)
        {
            self.held = None;
            self.dtls.replay_early(&mut Env::new(self.now, &mut self.rng));
        }
        if let (Some(role), Some(_), false) = (self.dtls_role, path, self.dtls.is_started())
            && !self.closing
        {
            if self.held.take().is_some() {
                // Along a path that came to nothing.
                self.dtls.forget_early();
            }
            let mut fingerprints = dtls::Fingerprints::new();
            for octets in self.jsep.remote().iter().flat_map(|r| r.fingerprints()) {
                if fingerprints.push(dtls::Fingerprint::sha256(&octets)).is_err() {
                    break;
                }
            }
            self.signals.milestone(self.now, RTCMilestoneStep::DtlsStarted);
            self.dtls.start(&mut Env::new(self.now, &mut self.rng), role, fingerprints);
        }
    }

    fn progress_dtls(&mut self) {
        while let Some(event) = self.dtls.poll_event() {
            match event {
                dtls::Event::Connected => self.connect_sctp(),
                dtls::Event::Closed | dtls::Event::Failed(_) => {
                    self.dtls_ended.get_or_insert(event);
                    let by_error = matches!(event, dtls::Event::Failed(_));
                    self.end_sctp(by_error);
                }
            }
        }
        let env = &mut Env::new(self.now, &mut self.rng);
        while let Some(data) = self.dtls.poll_held(env) {
            self.sctp.handle_read(env, data);
        }
    }

    fn connect_sctp(&mut self) {
        self.signals.milestone(self.now, RTCMilestoneStep::DtlsConnected);
        let (head, tail) = self.dtls.overhead();
        let overhead = head + tail + self.way_overhead();
        self.sctp.set_max_packet(self.mtu.saturating_sub(overhead));
        #[cfg(feature = "path-mtu")]
        self.follow_path();
        let Some(remote) = self.jsep.remote() else { return };
        let max_message_size = match remote.max_message_size() {
            usize::MAX => 0,
            size => size,
        };
        #[cfg(feature = "snap")]
        let init = remote.sctp_init().filter(|_| self.jsep.snap());
        let remote = sctp::Remote { port: remote.sctp_port(), max_message_size };
        self.channels.set_max_message(max_message_size);
        #[cfg(feature = "snap")]
        {
            let env = &mut Env::new(self.now, &mut self.rng);
            if init.is_some_and(|init| self.sctp.connect_signalled(env, &remote, &init)) {
                return;
            }
            // "Attempting to add an sctp-init attribute to an existing SCTP
            // association results in an error." (draft-hancke-tsvwg-snap-00,
            // Section 5.6)
            self.jsep.set_snap(false);
        }
        self.sctp.connect(&mut Env::new(self.now, &mut self.rng), &remote);
    }

    /// The association is gone.
    pub(super) fn end_sctp(&mut self, by_error: bool) {
        if !self.sctp_closed {
            self.sctp_closed = true;
            self.sctp.abort();
            self.channels.transport_closed(by_error);
        }
    }

    fn progress_sctp(&mut self) {
        while let Some(event) = self.sctp.poll_event() {
            match event {
                sctp::Event::Connected => {
                    self.signals.milestone(self.now, RTCMilestoneStep::SctpConnected);
                    self.channels.established(self.now, &mut self.sctp);
                }
                // All streams are new: what the peer knew of our channels is
                // gone, and so are they.
                sctp::Event::Restarted => {
                    self.channels.transport_closed(true);
                    self.channels.established(self.now, &mut self.sctp);
                }
                sctp::Event::PeerReset { stream } => self.channels.peer_reset(stream, &mut self.sctp),
                sctp::Event::OwnResetDone { stream } => self.channels.own_reset_done(stream),
                sctp::Event::BufferedAmountLow { stream } => {
                    self.channels.buffered_amount_low(stream, &self.sctp);
                }
                sctp::Event::Closed(reason) => {
                    let in_order = matches!(
                        reason,
                        sctp::CloseReason::Shutdown
                            | sctp::CloseReason::Aborted
                            // What a browser's close() sends.
                            | sctp::CloseReason::AbortedByPeer { cause: 0 | 12 }
                    );
                    self.end_sctp(!in_order);
                }
            }
        }
        self.channels.service(self.now, &mut self.sctp);
    }

    fn update_connection_state(&mut self) {
        use RTCDtlsTransportState as Dtls;
        use RTCIceConnectionState as Ice;
        let dtls = self.dtls_transport_state();
        let state = match (self.ice_connection_state(), dtls) {
            _ if self.closing => RTCPeerConnectionState::Closed,
            (Ice::Failed, _) | (_, Dtls::Failed) => RTCPeerConnectionState::Failed,
            (Ice::Disconnected, _) => RTCPeerConnectionState::Disconnected,
            (Ice::New, Dtls::New) => RTCPeerConnectionState::New,
            (Ice::Connected | Ice::Completed, Dtls::Connected | Dtls::Closed) => {
                RTCPeerConnectionState::Connected
            }
            (Ice::Closed, _) => RTCPeerConnectionState::Closed,
            _ => RTCPeerConnectionState::Connecting,
        };
        self.signals.set_connection(state);
        self.signals.set_signaling(self.jsep.state());
    }

    /// Whether an offer should be made (W3C WebRTC, Section 4.7.3).
    pub(super) fn update_negotiation_needed(&mut self) {
        let stable = self.jsep.state() == RTCSignalingState::Stable;
        if stable && self.wants_data && self.jsep.data_section().is_none() && !self.closing {
            self.signals.negotiation_needed();
        }
    }

    /// What happened since the last call. Signals coalesce: the last state
    /// counts.
    pub fn poll_event(&mut self) -> Option<RTCPeerConnectionEvent> {
        use RTCPeerConnectionEvent as Event;
        self.progress_sctp(); // resets come up when what was before is read
        if let Some(event) = self.signals.poll_states() {
            return Some(event);
        }
        if self.closed {
            self.streams.close_all();
        }
        if !self.closing
            && let Some(event) = self.gather.poll_event()
        {
            return Some(event);
        }
        if !self.closed {
            self.progress_streams();
        }
        if let Some(event) = self.streams.poll_event() {
            return Some(event);
        }
        if core::mem::take(&mut self.end_of_candidates) {
            return Some(Event::OnIceGatheringStateChangeEvent(RTCIceGatheringState::Complete));
        }
        if !self.closing
            && let Some(event) = self.ice.poll_event()
        {
            return Some(match event {
                ice::Event::LocalCandidate(index) => {
                    self.signals.milestone(self.now, RTCMilestoneStep::LocalCandidate);
                    Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate: Some(index) })
                }
                ice::Event::GatheringStateChange(ice::GatheringState::Complete) => {
                    self.end_of_candidates = true;
                    Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate: None })
                }
                ice::Event::GatheringStateChange(state) => {
                    Event::OnIceGatheringStateChangeEvent(state.into())
                }
                ice::Event::ConnectionStateChange(state) => {
                    Event::OnIceConnectionStateChangeEvent(state.into())
                }
                ice::Event::SelectedPathChange => Event::OnSelectedCandidatePairChangeEvent,
            });
        }
        if let Some(event) = self.channels.poll_event() {
            return Some(Event::OnDataChannel(match event {
                channel::Event::Announced(id) => RTCDataChannelEvent::OnDataChannel(id),
                channel::Event::Open(id) => {
                    self.signals.milestone(self.now, RTCMilestoneStep::ChannelOpen);
                    RTCDataChannelEvent::OnOpen(id)
                }
                channel::Event::BufferedAmountHigh(id) => RTCDataChannelEvent::OnBufferedAmountHigh(id),
                channel::Event::BufferedAmountLow(id) => RTCDataChannelEvent::OnBufferedAmountLow(id),
                channel::Event::Closing(id) => RTCDataChannelEvent::OnClosing(id),
                channel::Event::Error(id) => RTCDataChannelEvent::OnError(id),
                channel::Event::Closed(id) => RTCDataChannelEvent::OnClose(id),
            }));
        }
        self.signals.poll_milestone()
    }
}

impl From<ice::ConnectionState> for RTCIceConnectionState {
    fn from(state: ice::ConnectionState) -> Self {
        match state {
            ice::ConnectionState::New => Self::New,
            ice::ConnectionState::Checking => Self::Checking,
            ice::ConnectionState::Connected => Self::Connected,
            ice::ConnectionState::Completed => Self::Completed,
            ice::ConnectionState::Disconnected => Self::Disconnected,
            ice::ConnectionState::Failed => Self::Failed,
            ice::ConnectionState::Closed => Self::Closed,
        }
    }
}

impl From<ice::GatheringState> for RTCIceGatheringState {
    fn from(state: ice::GatheringState) -> Self {
        match state {
            ice::GatheringState::New => Self::New,
            ice::GatheringState::Gathering => Self::Gathering,
            ice::GatheringState::Complete => Self::Complete,
        }
    }
}
