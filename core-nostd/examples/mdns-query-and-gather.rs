//! Both halves of a connection hide their addresses behind names of multicast
//! DNS, publish them, and look up each other's.
//!
//! ```text
//! cargo run --release --example mdns-query-and-gather -- [ADDRESS]
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]

#[path = "data-channels/multicast.rs"]
mod multicast;

use multicast::Multicast;
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::mdns;
use picortc::peer::{
    MulticastDnsMode, RTCDataChannelEvent, RTCDataChannelInit, RTCEvent, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCSdpType, SettingEngine,
};
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// One end: a connection, its socket, and its multicast DNS.
struct End {
    name: &'static str,
    pc: RTCPeerConnection,
    socket: UdpSocket,
    multicast: Multicast,
    started: std::time::Instant,
    open: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let ip = match std::env::args().nth(1) {
        Some(ip) => ip.parse()?,
        None => own_address()?,
    };
    let (mut a, mut b) = (End::new("offerer", ip).await?, End::new("answerer", ip).await?);
    a.pc.create_data_channel(a.now(), "data", RTCDataChannelInit::default())?;
    let offer = a.pc.create_offer(None)?;
    a.pc.set_local_description(a.now(), RTCSdpType::Offer, &offer.sdp)?;
    b.pc.set_remote_description(b.now(), RTCSdpType::Offer, &offer.sdp)?;
    let answer = b.pc.create_answer(None)?;
    b.pc.set_local_description(b.now(), RTCSdpType::Answer, &answer.sdp)?;
    a.pc.set_remote_description(a.now(), RTCSdpType::Answer, &answer.sdp)?;
    for line in offer.sdp.lines().chain(answer.sdp.lines()).filter(|l| l.starts_with("a=candidate")) {
        println!("{line}");
    }
    let connected = async {
        while !(a.open && b.open) {
            tokio::select! {
                result = a.turn() => result?,
                result = b.turn() => result?,
            }
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::time::timeout(Duration::from_secs(30), connected)
        .await
        .map_err(|_| "no channel within 30 s")??;
    for end in [&a, &b] {
        let path = end.pc.selected_path().ok_or("no path")?;
        println!("{:>9}: {} reached {}", end.name, path.local_addr, path.peer_addr);
    }
    Ok(())
}

impl End {
    async fn new(name: &'static str, ip: IpAddr) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let settings = SettingEngine {
            multicast_dns_mode: MulticastDnsMode::QueryAndGather,
            include_loopback_candidate: ip.is_loopback(),
            ..SettingEngine::default()
        };
        let mut pc =
            RTCPeerConnectionBuilder::new().with_setting_engine(settings).build(Instant::ZERO, seed)?;
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0)).await?;
        let (addr, protocol) = (socket.local_addr()?, TransportProtocol::Udp);
        pc.handle_event(Instant::ZERO, RTCEvent::LocalAddressAdded { addr, protocol });
        pc.handle_event(Instant::ZERO, RTCEvent::EndOfLocalAddresses);
        let multicast = Multicast::join(Instant::ZERO, ip, &mdns::Limits::DEFAULT)?;
        Ok(Self { name, pc, socket, multicast, started: std::time::Instant::now(), open: false })
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    /// One turn of the event loop: names, datagrams, events, waiting.
    async fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        let mut buf = [0; 2048];
        self.pc.handle_timeout(self.now());
        self.pc.handle_mdns(self.now(), &mut self.multicast.mdns)?;
        self.multicast.send(self.now()).await;
        while let Some(transmit) = self.pc.poll_write(self.now(), &mut buf) {
            let datagram = buf.get(..transmit.len).unwrap_or_default();
            self.socket.send_to(datagram, transmit.transport.peer_addr).await?;
        }
        while let Some(event) = self.pc.poll_event() {
            if let RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(_)) = event {
                self.open = true;
            }
        }
        let deadlines = [self.pc.poll_timeout(), self.multicast.mdns.poll_timeout()];
        let deadline = deadlines.into_iter().flatten().min();
        let wait = deadline.map_or(Duration::from_secs(1), |at| at.saturating_since(self.now()));
        tokio::select! {
            received = self.socket.recv_from(&mut buf) => {
                let (len, from) = received?;
                let path = TransportContext::udp(self.socket.local_addr()?, from);
                self.pc.handle_read(self.now(), path, buf.get_mut(..len).unwrap_or_default());
            }
            ready = self.multicast.readable() => {
                ready?;
                self.multicast.receive(self.now());
            }
            () = tokio::time::sleep(wait) => {}
        }
        Ok(())
    }
}

/// An address of an interface that is no loopback, or else of one that is.
fn own_address() -> Result<IpAddr, Box<dyn Error>> {
    let all = if_addrs::get_if_addrs()?;
    let own = all.iter().find(|i| !i.is_loopback() && i.ip().is_ipv4()).or(all.first());
    Ok(own.ok_or("this machine has no address")?.ip())
}
