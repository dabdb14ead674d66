//! rtc of webrtc-rs, the stack whose shape picortc has; with its default
//! crypto (ring).

use super::{End, Ends, Got, Micros, Options, Stack};
use bytes::BytesMut;
use rtc::data_channel::RTCDataChannelId;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::setting_engine::{SctpMaxMessageSize, SettingEngineBuilder};
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const STACK: Stack = Stack { name: "rtc", about: "webrtc-rs rtc, ring", pair, sctp_only: false };

fn at(now: Micros) -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now) + Duration::from_micros(now)
}

struct Peer {
    pc: RTCPeerConnection,
    local: SocketAddr,
    peer: SocketAddr,
    channel: Option<RTCDataChannelId>,
    open: bool,
    buffer: usize,
}

fn build(addr: SocketAddr) -> RTCPeerConnection {
    // Its default is 64 KiB.
    let settings =
        SettingEngineBuilder::new().with_sctp_max_message_size(SctpMaxMessageSize::Bounded(256 * 1024));
    let mut pc = RTCPeerConnectionBuilder::new()
        .with_setting_engine(settings.build())
        .with_configuration(RTCConfigurationBuilder::new().build())
        .build(at(0))
        .expect("a connection");
    let candidate = CandidateHostConfig {
        base_config: CandidateConfig {
            network: "udp".to_owned(),
            address: addr.ip().to_string(),
            port: addr.port(),
            component: 1,
            ..Default::default()
        },
        ..Default::default()
    };
    let candidate = candidate.new_candidate_host().expect("a candidate");
    pc.add_local_candidate(RTCIceCandidate::from(&candidate).to_json().expect("JSON")).expect("a candidate");
    pc
}

fn pair(options: &Options) -> Ends {
    let addrs: [SocketAddr; 2] = [([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 2000).into()];
    let (mut a, mut b) = (build(addrs[0]), build(addrs[1]));
    let channel = a.create_data_channel("data", None).expect("a channel").id();
    let offer = a.create_offer(None).expect("an offer");
    a.set_local_description(at(0), offer.clone()).expect("our offer");
    b.set_remote_description(at(0), offer).expect("the offer");
    let answer = b.create_answer(None).expect("an answer");
    b.set_local_description(at(0), answer.clone()).expect("our answer");
    a.set_remote_description(at(0), answer).expect("the answer");
    let end = |pc, from: usize, channel| {
        let (local, peer) = (addrs[from], addrs[1 - from]);
        Box::new(Peer { pc, local, peer, channel, open: false, buffer: options.buffer }) as Box<dyn End>
    };
    [end(a, 0, Some(channel)), end(b, 1, None)]
}

impl End for Peer {
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]) {
        let transport = TransportContext {
            local_addr: self.local,
            peer_addr: self.peer,
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        let message = BytesMut::from(&*datagram);
        let _ = self.pc.handle_read(TaggedBytesMut { now: at(now), transport, message });
    }

    fn poll_write(&mut self, _: Micros, buf: &mut [u8]) -> Option<usize> {
        let datagram = self.pc.poll_write()?.message;
        buf[..datagram.len()].copy_from_slice(&datagram);
        Some(datagram.len())
    }

    fn poll_timeout(&mut self) -> Option<Micros> {
        let micros = self.pc.poll_timeout()?.saturating_duration_since(at(0)).as_nanos().div_ceil(1000);
        u64::try_from(micros).ok()
    }

    fn handle_timeout(&mut self, now: Micros) {
        let _ = self.pc.handle_timeout(at(now));
    }

    fn read(&mut self, _: Micros) -> Got {
        while let Some(event) = self.pc.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) = event {
                self.channel = Some(id);
                self.open = true;
            }
        }
        let mut got = Got::default();
        while let Some(TaggedRTCMessage { message, .. }) = self.pc.poll_read() {
            if let RTCMessage::DataChannelMessage(_, message) = message {
                got.messages += 1;
                got.octets += message.data.len() as u64;
            }
        }
        got
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn write(&mut self, now: Micros, message: &[u8]) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.pc.data_channel(id)) else { return false };
        let buffered = channel.outstanding_bytes();
        if buffered > 0 && buffered + message.len() > self.buffer {
            return false;
        }
        channel.send(at(now), BytesMut::from(message)).is_ok()
    }
}
