//! One peer: its connection, and what is done with its messages.

use crate::Options;
use crate::bulk::Bulk;
use picortc::dtls::ProtocolVersion;
use picortc::env::{EcnCodepoint, Instant, TransportContext, TransportProtocol};
use picortc::peer::{
    ConnectionId, Limits, MulticastDnsMode, RTCConfiguration, RTCDataChannelEvent, RTCDataChannelId,
    RTCDataChannelInit, RTCDataChannelMessage, RTCDataChannelState, RTCDtlsTransportState, RTCEvent,
    RTCIceGatheringState, RTCIceServer, RTCIceTransportPolicy, RTCMessage, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCPeerConnectionState, RTCSctpTransportState,
    RTCSdpType, RTCServerNameId, RTCStreamId, SettingEngine, WriteError,
};
use std::collections::VecDeque;
use std::error::Error;
use std::net::SocketAddr;

/// A peer and its messages.
pub(crate) struct Peer {
    pub(crate) pc: RTCPeerConnection,
    /// Its place in the demultiplexer.
    pub(crate) connection: Option<ConnectionId>,
    name: u64,
    echo: bool,
    log: bool,
    /// Messages that met a full send buffer, to be sent first.
    backlog: VecDeque<Message>,
    bulk: Option<Bulk>,
    was_up: bool,
    /// The path that was told last.
    path: Option<TransportContext>,
    pub(crate) wishes: Vec<Wish>,
}

/// What a connection wants of its surroundings.
pub(crate) enum Wish {
    Stream(RTCStreamId),
    Close(TransportContext),
    Name(RTCServerNameId),
}

/// A message, kept.
struct Message {
    channel: RTCDataChannelId,
    is_string: bool,
    data: Vec<u8>,
}

/// Whether a peer is still there.
pub(crate) enum Fate {
    Here,
    Gone(&'static str),
}

impl Peer {
    pub(crate) fn new(
        name: u64,
        now: Instant,
        local: SocketAddr,
        options: &Options,
    ) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let (dtls_min_version, dtls_max_version) = match options.dtls.as_deref() {
            Some("1.2") => (ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_2),
            Some(_) => (ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_3),
            None => (ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3),
        };
        let settings = SettingEngine {
            dtls_min_version,
            dtls_max_version,
            turn_tcp_allocations: options.tcp_relay,
            ice_tcp_simultaneous_open: options.tcp_so,
            ice_renomination: options.renomination,
            dscp: options.dscp,
            ecn: match options.ecn.as_str() {
                "ect0" => EcnCodepoint::Ect0,
                "ect1" => EcnCodepoint::Ect1,
                _ => EcnCodepoint::NotEct,
            },
            include_loopback_candidate: local.ip().is_loopback(),
            multicast_dns_mode: match options.mdns.as_str() {
                "gather" => MulticastDnsMode::QueryAndGather,
                "query" => MulticastDnsMode::QueryOnly,
                _ => MulticastDnsMode::Disabled,
            },
            ..SettingEngine::default()
        };
        let urls: Vec<&str> = options.ice_server.iter().map(String::as_str).collect();
        let servers =
            [RTCIceServer { urls: &urls, username: &options.username, credential: &options.credential }];
        let policy =
            if options.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
        let configuration = RTCConfiguration {
            ice_servers: if urls.is_empty() { &[] } else { &servers },
            ice_transport_policy: policy,
            ..RTCConfiguration::default()
        };
        let mut pc = RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .with_limits(Limits::DEFAULT)
            .build(now, seed)?;
        let protocols = [(TransportProtocol::Udp, !options.no_udp), (TransportProtocol::Tcp, options.tcp)];
        for (protocol, _) in protocols.into_iter().filter(|(_, wanted)| *wanted) {
            pc.handle_event(now, RTCEvent::LocalAddressAdded { addr: local, protocol });
        }
        pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        for id in &options.negotiated {
            let init = RTCDataChannelInit { negotiated: Some(*id), ..RTCDataChannelInit::default() };
            pc.create_data_channel(now, &options.label, init)?;
        }
        Ok(Self {
            pc,
            connection: None,
            name,
            echo: options.echo,
            log: options.log,
            backlog: VecDeque::new(),
            bulk: Bulk::new(options),
            was_up: false,
            path: None,
            wishes: Vec::new(),
        })
    }

    /// Whether there is nothing left to gather.
    pub(crate) fn has_gathered(&self) -> bool {
        self.pc.ice_gathering_state() == RTCIceGatheringState::Complete
    }

    /// Our description, with the candidates that are known by now.
    pub(crate) fn description(&self) -> String {
        self.pc.local_description().map(|d| d.sdp).unwrap_or_default()
    }

    /// Answers an offer; an error is told in words.
    pub(crate) fn answer(&mut self, now: Instant, offer: &str) -> Result<(), String> {
        let applied = self.pc.set_remote_description(now, RTCSdpType::Offer, offer);
        applied.map_err(|e| format!("the offer is of no use: {e}"))?;
        if self.pc.candidate_section().is_none() {
            return Err("the offer has no section for data channels (m=application)".to_string());
        }
        let answer = self.pc.create_answer(None).map_err(|e| e.to_string())?;
        self.pc.set_local_description(now, RTCSdpType::Answer, &answer.sdp).map_err(|e| e.to_string())
    }

    /// Makes an offer with a channel.
    pub(crate) fn offer(&mut self, now: Instant, label: &str) -> Result<(), String> {
        self.pc.create_data_channel(now, label, RTCDataChannelInit::default()).map_err(|e| e.to_string())?;
        let offer = self.pc.create_offer(None).map_err(|e| e.to_string())?;
        self.pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp).map_err(|e| e.to_string())
    }

    /// Events and messages, until there are none.
    pub(crate) fn serve(&mut self, now: Instant) -> Fate {
        loop {
            while let Some(event) = self.pc.poll_event() {
                self.handle_event(now, event);
            }
            self.send_backlog(now);
            if let Some(bulk) = &mut self.bulk {
                bulk.send(&mut self.pc, now);
            }
            // What cannot be sent back is not read: that slows the peer down.
            if !self.backlog.is_empty() || !self.read_one(now) {
                break;
            }
        }
        while let Some(event) = self.pc.poll_event() {
            self.handle_event(now, event);
        }
        self.tell_path();
        self.fate()
    }

    fn tell_path(&mut self) {
        let path = self.pc.selected_path();
        if let Some(p) = path.filter(|_| path != self.path) {
            self.tell(format_args!("path {} -> {}", p.local_addr, p.peer_addr));
        }
        self.path = path;
    }

    fn fate(&mut self) -> Fate {
        match self.pc.dtls_transport_state() {
            RTCDtlsTransportState::Failed => {
                if let Some(error) = self.pc.dtls_error() {
                    self.tell(format_args!("{error}"));
                }
                return Fate::Gone("DTLS failed");
            }
            RTCDtlsTransportState::Closed => return Fate::Gone("it said goodbye"),
            _ => {}
        }
        match self.pc.connection_state() {
            RTCPeerConnectionState::Failed => Fate::Gone("it does not answer"),
            _ if self.pc.sctp_transport_state() == RTCSctpTransportState::Closed => {
                Fate::Gone("it ended its association")
            }
            _ => Fate::Here,
        }
    }

    fn handle_event(&mut self, now: Instant, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) => {
                if state == RTCPeerConnectionState::Connected && !self.was_up {
                    self.was_up = true;
                    if !self.log {
                        println!("peer {} connected", self.name);
                    }
                    if let (Some((ours, theirs)), Some(path)) =
                        (self.pc.selected_types(), self.pc.selected_path())
                    {
                        let protocol = path.transport_protocol;
                        self.tell(format_args!("pair {} {} {protocol:?}", ours.as_str(), theirs.as_str()));
                    }
                }
                self.tell(format_args!("connection {state}"));
                let stats = self.pc.get_stats(now).transport();
                if let (
                    RTCPeerConnectionState::Connected,
                    Some(version),
                    Some(cipher),
                    Some(group),
                    Some(role),
                ) = (state, stats.tls_version, stats.dtls_cipher, stats.tls_group, stats.dtls_role)
                {
                    self.tell(format_args!("DTLS {version} {cipher} {group} {role}"));
                }
            }
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) => {
                self.tell(format_args!("ICE {state}"))
            }
            RTCPeerConnectionEvent::OnDataChannel(event) => self.handle_channel(event),
            RTCPeerConnectionEvent::OnStreamRequest(id) => self.wishes.push(Wish::Stream(id)),
            RTCPeerConnectionEvent::OnStreamClose(path) => self.wishes.push(Wish::Close(path)),
            RTCPeerConnectionEvent::OnServerNameRequest(id) => self.wishes.push(Wish::Name(id)),
            RTCPeerConnectionEvent::OnIceCandidateErrorEvent(e) => {
                let url = self.pc.ice_server_url(e.server).map_or("", |s| s.url);
                eprintln!("peer {}: {url}: {} ({})", self.name, e.error_text(), e.error_code);
            }
            RTCPeerConnectionEvent::OnMilestone(m) => {
                self.tell(format_args!("{:?} after {} ms", m.step, m.millis))
            }
            _ => {}
        }
    }

    fn handle_channel(&mut self, event: RTCDataChannelEvent) {
        if let RTCDataChannelEvent::OnOpen(id) = event {
            let label = self.pc.data_channel(id).map(|c| c.label().to_string()).unwrap_or_default();
            self.tell(format_args!("channel {label:?} open"));
            if let Some(bulk) = &mut self.bulk {
                bulk.open(id);
            }
        } else if !matches!(event, RTCDataChannelEvent::OnBufferedAmountLow(_)) {
            self.tell(format_args!("{event:?}"));
        }
    }

    fn tell(&self, what: std::fmt::Arguments<'_>) {
        if self.log {
            println!("peer {}: {what}", self.name);
        }
    }

    /// Reads a message, if there is one, and does with it what is to be done.
    fn read_one(&mut self, now: Instant) -> bool {
        let Some(RTCMessage::DataChannelMessage(channel, message)) = self.pc.poll_read() else {
            return false;
        };
        if let Some(bulk) = &mut self.bulk
            && bulk.wants(channel)
        {
            if let Some(reply) = bulk.receive(message) {
                self.backlog.push_back(Message { channel, is_string: true, data: reply.into_bytes() });
            }
        } else if self.echo {
            // Kept, since the connection lends the octets only until it is
            // called again.
            let (is_string, data) = (message.is_string, message.data.to_vec());
            self.backlog.push_back(Message { channel, is_string, data });
        }
        self.send_backlog(now);
        true
    }

    fn send_backlog(&mut self, now: Instant) {
        while let Some(Message { channel, is_string, data }) = self.backlog.front() {
            let message = RTCDataChannelMessage { is_string: *is_string, data };
            match self.pc.handle_write(now, RTCMessage::DataChannelMessage(*channel, message)) {
                // The BufferedAmountLow event brings us back here.
                Err(WriteError::Full) => return,
                Err(e) => {
                    let words = format!("a message is lost: {e}");
                    self.tell(format_args!("{words}"));
                }
                Ok(()) => {}
            }
            self.backlog.pop_front();
        }
    }

    pub(crate) fn close_channels(&mut self, now: Instant) {
        let ids: Vec<_> = self.pc.data_channels().collect();
        for id in ids {
            if let Some(mut channel) = self.pc.data_channel(id)
                && channel.ready_state() == RTCDataChannelState::Open
            {
                channel.close(now);
            }
        }
    }
}
