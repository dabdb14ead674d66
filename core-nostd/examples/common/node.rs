//! A connection with its sockets, over tokio, and two of them that meet: what
//! the examples of ICE have in common.

use crate::streams::{News, Streams, What};
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::*;
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc::{Receiver, Sender, channel};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A connection, its sockets and its clock.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) pc: RTCPeerConnection,
    /// Messages that came.
    pub(crate) received: Vec<String>,
    /// Our candidates that the other end has not been told, as texts; empty is
    /// the end of them.
    candidates: Vec<String>,
    channel: Option<RTCDataChannelId>,
    streams: Streams,
    news: Receiver<News>,
    sockets: HashMap<SocketAddr, Arc<UdpSocket>>,
    packets: (Sender<Packet>, Receiver<Packet>),
    accepted: (Sender<Accepted>, Receiver<Accepted>),
    started: std::time::Instant,
}

type Packet = (TransportContext, Vec<u8>);
type Accepted = (TcpStream, SocketAddr);

impl Node {
    pub(crate) fn new(name: &'static str, configuration: RTCConfiguration<'_>) -> Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let settings = SettingEngine { include_loopback_candidate: true, ..SettingEngine::default() };
        let pc = RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .build(Instant::ZERO, seed)?;
        let (streams, news) = Streams::new(None)?;
        Ok(Self {
            name,
            pc,
            received: Vec::new(),
            candidates: Vec::new(),
            channel: None,
            streams,
            news,
            sockets: HashMap::new(),
            packets: channel(64),
            accepted: channel(4),
            started: std::time::Instant::now(),
        })
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    fn tell(&mut self, event: RTCEvent) {
        let now = self.now();
        self.pc.handle_event(now, event);
    }

    /// Binds a UDP socket and gathers from it.
    pub(crate) async fn bind_udp(&mut self, addr: &str) -> Result<SocketAddr> {
        let socket = Arc::new(UdpSocket::bind(addr).await?);
        let addr = socket.local_addr()?;
        socket.writable().await?;
        self.sockets.insert(addr, socket.clone());
        let packets = self.packets.0.clone();
        tokio::spawn(async move {
            let mut buf = [0; 2048];
            while let Ok((n, from)) = socket.recv_from(&mut buf).await {
                let octets = buf.get(..n).unwrap_or_default().to_vec();
                if packets.send((TransportContext::udp(addr, from), octets)).await.is_err() {
                    return;
                }
            }
        });
        self.tell(RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Udp });
        Ok(addr)
    }

    /// Closes a UDP socket, as a network does that goes away.
    pub(crate) fn lose_udp(&mut self, addr: SocketAddr) {
        self.sockets.remove(&addr);
        self.tell(RTCEvent::LocalAddressRemoved { addr, protocol: TransportProtocol::Udp });
    }

    /// Listens for streams and gathers from there; with port 0 nothing listens,
    /// and streams are opened only.
    pub(crate) async fn bind_tcp(&mut self, addr: &str, listen: bool) -> Result<()> {
        let mut addr: SocketAddr = addr.parse()?;
        if listen {
            let listener = TcpListener::bind(addr).await?;
            addr = listener.local_addr()?;
            let accepted = self.accepted.0.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if accepted.send((stream, addr)).await.is_err() {
                        return;
                    }
                }
            });
        }
        self.tell(RTCEvent::LocalAddressAdded { addr, protocol: TransportProtocol::Tcp });
        Ok(())
    }

    /// Sends a text, if there is room.
    pub(crate) fn send(&mut self, text: &str) -> bool {
        let now = self.now();
        let channel = self.channel.and_then(|id| self.pc.data_channel(id));
        channel.is_some_and(|mut channel| channel.send_text(now, text).is_ok())
    }

    pub(crate) fn is_open(&mut self) -> bool {
        let channel = self.channel.and_then(|id| self.pc.data_channel(id));
        channel.is_some_and(|c| c.ready_state() == RTCDataChannelState::Open)
    }

    /// Events, messages and datagrams, until there are none.
    fn drive(&mut self) {
        while let Some(event) = self.pc.poll_event() {
            self.handle(event);
        }
        while let Some(RTCMessage::DataChannelMessage(_, message)) = self.pc.poll_read() {
            self.received.extend(message.as_str().map(str::to_string));
        }
        let mut buf = [0; 1200];
        let now = self.now();
        while self.streams.have_room(0)
            && let Some(transmit) = self.pc.poll_write(now, &mut buf)
        {
            let octets = buf.get(..transmit.len).unwrap_or_default();
            let path = transmit.transport;
            if path.transport_protocol != TransportProtocol::Udp {
                self.streams.write(0, &path, octets);
            } else if let Some(socket) = self.sockets.get(&path.local_addr) {
                // What the socket does not take is lost, as on the way.
                let _ = socket.try_send_to(octets, path.peer_addr);
            }
        }
    }

    fn handle(&mut self, event: RTCPeerConnectionEvent) {
        use RTCPeerConnectionEvent as Event;
        match event {
            Event::OnIceCandidateEvent(RTCPeerConnectionIceEvent { candidate }) => {
                let text =
                    candidate.and_then(|index| self.pc.local_candidate(index)).map(ToString::to_string);
                println!("{}: {}", self.name, text.as_deref().unwrap_or("no more candidates"));
                self.candidates.push(text.unwrap_or_default());
            }
            Event::OnIceCandidateErrorEvent(e) => {
                let url = self.pc.ice_server_url(e.server).map_or("", |s| s.url);
                println!("{}: {url}: {}", self.name, e.error_text());
            }
            Event::OnConnectionStateChangeEvent(state) => println!("{}: {state}", self.name),
            Event::OnDataChannel(RTCDataChannelEvent::OnDataChannel(id)) => self.channel = Some(id),
            Event::OnStreamRequest(id) => {
                if let Some(request) = self.pc.stream_request(id) {
                    self.streams.open(0, id, request);
                }
            }
            Event::OnStreamClose(path) => self.streams.close(0, &path),
            Event::OnServerNameRequest(id) => {
                if let Some(name) = self.pc.server_name_request(id) {
                    self.streams.resolve(0, id, name);
                }
            }
            _ => {}
        }
    }

    /// Tells the other end of our candidates.
    fn pass_candidates(&mut self, to: &mut Self) -> Result<()> {
        for candidate in self.candidates.drain(..) {
            let now = to.now();
            let (line, mid) = self.pc.candidate_section().unwrap_or_default();
            let init = RTCIceCandidateInit {
                candidate: &candidate,
                sdp_mid: mid,
                sdp_mline_index: u16::try_from(line).ok(),
                username_fragment: None,
            };
            to.pc.add_remote_candidate(now, init)?;
        }
        Ok(())
    }

    /// Waits for the next thing to happen.
    async fn step(&mut self) -> Result<()> {
        self.drive();
        let wait = self.pc.poll_timeout().map_or(Duration::from_secs(60), |at| at - self.now());
        tokio::select! {
            Some(news) = self.news.recv() => self.hear(news),
            Some((path, mut octets)) = self.packets.1.recv() => {
                let now = self.now();
                self.pc.handle_read(now, path, &mut octets);
            }
            Some((stream, listener)) = self.accepted.1.recv() => {
                let transport = self.streams.accept(0, stream, listener)?;
                self.tell(RTCEvent::StreamOpened { id: None, transport });
            }
            () = tokio::time::sleep(wait) => {
                let now = self.now();
                self.pc.handle_timeout(now);
            }
        }
        self.drive();
        Ok(())
    }

    fn hear(&mut self, news: News) {
        self.streams.note(&news);
        match news.what {
            What::Opened(id, transport) => self.tell(RTCEvent::StreamOpened { id, transport }),
            What::Failed(id) => self.tell(RTCEvent::StreamFailed { id }),
            What::Closed(transport) => self.tell(RTCEvent::StreamClosed { transport }),
            What::Octets(transport, mut octets) => {
                let now = self.now();
                self.pc.handle_read(now, transport, &mut octets);
            }
            What::Resolved(id, found) if found.is_empty() => self.tell(RTCEvent::ServerUnresolved { id }),
            What::Resolved(id, found) => {
                for addr in found {
                    self.tell(RTCEvent::ServerResolved { id, addr: addr.ip() });
                }
            }
            What::Room => {}
        }
    }
}

/// Two nodes, and the signalling between them: function calls.
pub(crate) struct Meeting {
    pub(crate) offerer: Node,
    pub(crate) answerer: Node,
}

impl Meeting {
    /// Both ends negotiate, tell each other their candidates one by one, and
    /// wait until a channel is open.
    pub(crate) async fn new(mut offerer: Node, mut answerer: Node) -> Result<Self> {
        let now = offerer.now();
        offerer.channel = Some(offerer.pc.create_data_channel(now, "data", RTCDataChannelInit::default())?);
        for node in [&mut offerer, &mut answerer] {
            node.tell(RTCEvent::EndOfLocalAddresses);
        }
        let mut meeting = Self { offerer, answerer };
        meeting.negotiate(false)?;
        meeting.until(|m| m.offerer.is_open() && m.answerer.is_open()).await?;
        Ok(meeting)
    }

    /// An offer and its answer.
    pub(crate) fn negotiate(&mut self, ice_restart: bool) -> Result<()> {
        let Self { offerer: a, answerer: b } = self;
        let (now_a, now_b) = (a.now(), b.now());
        let offer = a.pc.create_offer(Some(RTCOfferOptions { ice_restart }))?.sdp;
        a.pc.set_local_description(now_a, RTCSdpType::Offer, &offer)?;
        b.pc.set_remote_description(now_b, RTCSdpType::Offer, &offer)?;
        let answer = b.pc.create_answer(None)?.sdp;
        b.pc.set_local_description(now_b, RTCSdpType::Answer, &answer)?;
        a.pc.set_remote_description(now_a, RTCSdpType::Answer, &answer)?;
        Ok(())
    }

    /// Runs both until `done`, half a minute at most.
    pub(crate) async fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> Result<()> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            self.offerer.drive();
            self.answerer.drive();
            self.trickle()?;
            if done(self) {
                return Ok(());
            }
            tokio::select! {
                stepped = self.offerer.step() => stepped?,
                stepped = self.answerer.step() => stepped?,
                () = tokio::time::sleep_until(deadline) => return Err("not done within 30 s".into()),
            }
        }
    }

    fn trickle(&mut self) -> Result<()> {
        self.offerer.pass_candidates(&mut self.answerer)?;
        self.answerer.pass_candidates(&mut self.offerer)
    }

    /// Three messages there and three back.
    pub(crate) async fn talk(&mut self) -> Result<()> {
        for i in 1..=3 {
            self.offerer.send(&format!("question {i}"));
            self.answerer.send(&format!("answer {i}"));
        }
        let want = (self.offerer.received.len() + 3, self.answerer.received.len() + 3);
        self.until(|m| (m.offerer.received.len(), m.answerer.received.len()) == want).await?;
        let (path, types) = (self.offerer.pc.selected_path(), self.offerer.pc.selected_types());
        if let (Some(path), Some((ours, theirs))) = (path, types) {
            let (local, peer) = (path.local_addr, path.peer_addr);
            println!(
                "{} {local} to {} {peer} over {:?}",
                ours.as_str(),
                theirs.as_str(),
                path.transport_protocol
            );
        }
        Ok(())
    }
}
