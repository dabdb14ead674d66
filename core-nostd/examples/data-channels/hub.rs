//! Many peers on one socket: the event loop.

use crate::multicast::Multicast;
use crate::peer::{Fate, Peer, Wish};
use crate::socket::{Received, Socket};
use crate::streams::{News, Streams, What};
use crate::{Options, outward_address};
use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::mdns;
use picortc::peer::{
    ConnectionId, Demultiplexer, DemultiplexerError, DemultiplexerLimits, RTCEvent, RTCSdpType,
};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;

/// What the signalling asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answer an offer.
    Offer(Offer, oneshot::Sender<Result<Answer, Refusal>>),
    /// Make an offer and post it there.
    OfferTo(String),
    /// The answer to our offer.
    Answered(u64, Result<String, String>),
    /// A peer has opened a stream to us.
    Accepted(TcpStream, String),
}

/// A description that waits for its candidates, and where it goes.
enum Pending {
    Answer(oneshot::Sender<Result<Answer, Refusal>>),
    Offer(String),
}

/// An offer, for a new peer or for one that is known.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) sdp: String,
    pub(crate) peer: Option<String>,
}

/// An answer, and the name of the peer that it is for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) sdp: String,
    pub(crate) peer: String,
}

/// An HTTP status and the reason in words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) words: String,
}

/// The peers, and what their datagrams are told apart by.
pub(crate) struct Hub {
    options: Options,
    socket: Socket,
    local: SocketAddr,
    commands: UnboundedSender<Command>,
    inbox: UnboundedReceiver<Command>,
    streams: Streams,
    news: Receiver<News>,
    pending: HashMap<u64, (Pending, Instant)>,
    started: std::time::Instant,
    peers: HashMap<u64, Peer>,
    next_peer: u64,
    demux: Demultiplexer,
    by_connection: HashMap<ConnectionId, u64>,
    multicast: Option<Multicast>,
    received: Received,
    buf: Vec<u8>,
}

impl Hub {
    pub(crate) fn new(
        options: Options,
        socket: std::net::UdpSocket,
        commands: UnboundedSender<Command>,
        inbox: UnboundedReceiver<Command>,
        (streams, news): (Streams, Receiver<News>),
    ) -> io::Result<Self> {
        let socket = Socket::new(socket)?;
        let local = socket.local_addr()?;
        let started = std::time::Instant::now();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let multicast = match options.mdns.as_str() {
            "off" => None,
            _ => Some(Multicast::join(Instant::ZERO, local.ip(), &mdns::Limits::SERVER)?),
        };
        Ok(Self {
            options,
            socket,
            local,
            commands,
            inbox,
            streams,
            news,
            pending: HashMap::new(),
            started,
            peers: HashMap::new(),
            next_peer: 1,
            demux: Demultiplexer::new(&DemultiplexerLimits::SERVER, seed).map_err(io::Error::other)?,
            by_connection: HashMap::new(),
            multicast,
            received: Received::new(),
            // What UDP takes at most.
            buf: vec![0; 65_000],
        })
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    /// The event loop: datagrams, deadlines and the signalling.
    pub(crate) async fn run(&mut self) -> io::Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(100));
        loop {
            let deadlines = self.peers.values().filter_map(|p| p.pc.poll_timeout());
            let names = self.multicast.as_ref().and_then(|m| m.mdns.poll_timeout());
            let pending = self.pending.values().map(|p| p.1);
            let deadline = deadlines.chain(names).chain(pending).min();
            let wait = deadline.map_or(Duration::from_secs(3600), |at| at.saturating_since(self.now()));
            let names = async {
                match &self.multicast {
                    Some(multicast) => multicast.readable().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ready = names => {
                    ready?;
                    let now = self.now();
                    if let Some(multicast) = &mut self.multicast {
                        multicast.receive(now);
                    }
                    self.find_names().await?;
                }
                ready = self.socket.readable() => {
                    ready?;
                    self.receive().await?;
                }
                Some(command) = self.inbox.recv() => self.handle(command).await?,
                Some(news) = self.news.recv() => self.hear(news).await?,
                () = tokio::time::sleep(wait) => self.expire().await?,
                _ = look.tick(), if self.options.roam => self.roam().await?,
            }
        }
    }

    /// Moves to the interface that leads outside, when it has become another.
    /// The old address is given up: its interface leads nowhere any more.
    async fn roam(&mut self) -> io::Result<()> {
        let (old, ip) = (self.local, outward_address());
        if ip == old.ip() || ip.is_loopback() {
            return Ok(());
        }
        self.socket = Socket::new(std::net::UdpSocket::bind(SocketAddr::new(ip, 0))?)?;
        self.local = self.socket.local_addr()?;
        println!("moved from {old} to {}", self.local);
        let now = self.now();
        let ids: Vec<u64> = self.peers.keys().copied().collect();
        for id in ids {
            if let Some(peer) = self.peers.get_mut(&id) {
                let protocol = TransportProtocol::Udp;
                peer.pc.handle_event(now, RTCEvent::LocalAddressAdded { addr: self.local, protocol });
                peer.pc.handle_event(now, RTCEvent::LocalAddressRemoved { addr: old, protocol });
            }
            self.drive(id).await?;
        }
        Ok(())
    }

    /// Takes in what the socket has, then lets those peers go on.
    async fn receive(&mut self) -> io::Result<()> {
        let (mut touched, mut strangers) = (Vec::new(), Vec::new());
        let now = self.now();
        let count = match self.socket.try_receive(&mut self.received) {
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // What an ICMP message says of an earlier datagram.
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(e) => return Err(e),
        };
        for (from, ecn, datagram) in self.received.datagrams(count) {
            let path = TransportContext { ecn, ..TransportContext::udp(self.local, from) };
            let Some(connection) = self.demux.route(&path, datagram) else {
                strangers.push((path, datagram.to_vec()));
                continue;
            };
            let Some(&id) = self.by_connection.get(&connection) else { continue };
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.pc.handle_read(now, path, datagram);
            if peer.pc.is_validated_path(&path) {
                self.demux.learn(connection, &path, true);
            } else if peer.pc.is_expected_path(&path) {
                self.demux.learn(connection, &path, false);
            }
            if !touched.contains(&id) {
                touched.push(id);
            }
        }
        for id in touched {
            self.drive(id).await?;
        }
        if self.options.roam || !self.options.ice_server.is_empty() {
            for (path, datagram) in strangers {
                self.ask_all(path, &datagram).await?;
            }
        }
        Ok(())
    }

    /// What is from none of the peers may be from a server that one of them has
    /// asked, or answer the first check from a new address: each knows its own transactions.
    async fn ask_all(&mut self, path: TransportContext, datagram: &[u8]) -> io::Result<()> {
        let now = self.now();
        let ids: Vec<u64> = self.peers.keys().copied().collect();
        for id in ids {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.pc.handle_read(now, path, &mut datagram.to_vec());
            }
            self.drive(id).await?;
        }
        Ok(())
    }

    async fn expire(&mut self) -> io::Result<()> {
        let now = self.now();
        let due = |p: &Peer| p.pc.poll_timeout().is_some_and(|at| at <= now);
        let due: Vec<u64> = self.peers.iter().filter(|(_, p)| due(p)).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.pc.handle_timeout(now);
            }
            self.drive(id).await?;
        }
        let waited: Vec<u64> = self.pending.iter().filter(|(_, p)| p.1 <= now).map(|(id, _)| *id).collect();
        for id in waited {
            self.describe(id);
        }
        self.find_names().await
    }

    /// Lets peers look up and publish names.
    async fn find_names(&mut self) -> io::Result<()> {
        let now = self.now();
        let Some(multicast) = &mut self.multicast else { return Ok(()) };
        multicast.send(now).await;
        let ids: Vec<u64> = self.peers.keys().copied().collect();
        while let Some(event) = multicast.mdns.poll_event() {
            if event == mdns::Event::LookupChange {
                for id in ids {
                    self.drive(id).await?;
                }
                break;
            }
        }
        Ok(())
    }

    /// Takes in what happened to a stream.
    async fn hear(&mut self, news: News) -> io::Result<()> {
        self.streams.note(&news);
        let now = self.now();
        let id = news.owner;
        if let Some(peer) = self.peers.get_mut(&id) {
            match news.what {
                What::Opened(id, transport) => {
                    peer.pc.handle_event(now, RTCEvent::StreamOpened { id, transport });
                }
                What::Failed(id) => peer.pc.handle_event(now, RTCEvent::StreamFailed { id }),
                What::Octets(transport, mut octets) => peer.pc.handle_read(now, transport, &mut octets),
                What::Closed(transport) => peer.pc.handle_event(now, RTCEvent::StreamClosed { transport }),
                What::Room => {}
                What::Resolved(id, found) if found.is_empty() => {
                    peer.pc.handle_event(now, RTCEvent::ServerUnresolved { id });
                }
                What::Resolved(id, found) => {
                    for addr in found {
                        peer.pc.handle_event(now, RTCEvent::ServerResolved { id, addr: addr.ip() });
                    }
                }
            }
        }
        self.drive(id).await
    }

    /// Does what a peer's connection wants.
    fn grant(&mut self, id: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        for wish in std::mem::take(&mut peer.wishes) {
            match wish {
                Wish::Stream(stream) => {
                    if let Some(request) = peer.pc.stream_request(stream) {
                        self.streams.open(id, stream, request);
                    }
                }
                Wish::Close(path) => self.streams.close(id, &path),
                Wish::Name(name) => {
                    if let Some(host) = peer.pc.server_name_request(name) {
                        self.streams.resolve(id, name, host);
                    }
                }
            }
        }
    }

    /// Sends a description off, with the candidates that there are.
    fn describe(&mut self, id: u64) {
        let Some((pending, _)) = self.pending.remove(&id) else { return };
        let Some(peer) = self.peers.get(&id) else { return };
        let sdp = peer.description();
        match pending {
            // Whoever asked may be gone.
            Pending::Answer(reply) => drop(reply.send(Ok(Answer { sdp, peer: id.to_string() }))),
            Pending::Offer(url) => self.post(id, url, sdp),
        }
    }

    /// Lets a peer say and send what it has; forgets it when it is gone.
    async fn drive(&mut self, id: u64) -> io::Result<()> {
        loop {
            let now = self.now();
            let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
            if let Some(multicast) = &mut self.multicast {
                if let Err(e) = peer.pc.handle_mdns(now, &mut multicast.mdns) {
                    eprintln!("peer {id}: {e}");
                }
                multicast.send(now).await;
            }
            let fate = peer.serve(now);
            self.grant(id);
            let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
            if self.pending.contains_key(&id) && peer.has_gathered() {
                self.describe(id);
            }
            let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
            let sent = send_all(id, peer, now, &self.socket, &mut self.streams, &mut self.buf).await?;
            if let Fate::Gone(why) = fate {
                println!("peer {id} gone: {why}");
                peer.pc.close(now);
                send_all(id, peer, now, &self.socket, &mut self.streams, &mut self.buf).await?;
                if let Some(multicast) = &mut self.multicast {
                    let _ = peer.pc.handle_mdns(now, &mut multicast.mdns);
                    multicast.send(now).await;
                }
                self.forget(id);
                return Ok(());
            }
            if !sent {
                return Ok(());
            }
        }
    }

    async fn handle(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Offer(offer, reply) => {
                match self.answer(offer) {
                    Ok(id) => {
                        let until = self.now() + Duration::from_millis(self.options.gather_ms);
                        self.pending.insert(id, (Pending::Answer(reply), until));
                        self.drive(id).await?;
                    }
                    // Whoever asked may be gone.
                    Err(refusal) => drop(reply.send(Err(refusal))),
                }
            }
            Command::OfferTo(url) => {
                if let Some(id) = self.offer_to(url) {
                    self.drive(id).await?;
                }
            }
            Command::Accepted(stream, ufrag) => {
                let now = self.now();
                let theirs = self.peers.iter_mut().find(|(_, p)| p.pc.local_ufrag() == ufrag);
                if let Some((&id, peer)) = theirs
                    && let Ok(transport) = self.streams.accept(id, stream, self.local)
                {
                    peer.pc.handle_event(now, RTCEvent::StreamOpened { id: None, transport });
                    self.drive(id).await?;
                }
            }
            Command::Answered(id, Ok(sdp)) => {
                let now = self.now();
                if let Some(peer) = self.peers.get_mut(&id)
                    && let Err(e) = peer.pc.set_remote_description(now, RTCSdpType::Answer, &sdp)
                {
                    eprintln!("peer {id}: the answer is of no use: {e}");
                }
                self.drive(id).await?;
            }
            Command::Answered(id, Err(words)) => {
                eprintln!("peer {id}: {words}");
                self.forget(id);
            }
        }
        Ok(())
    }

    /// Tells the demultiplexer of a peer, or of its new ufrag.
    fn keep(&mut self, id: u64, mut peer: Peer) -> Result<(), DemultiplexerError> {
        let ufrag = peer.pc.local_ufrag();
        match peer.connection {
            Some(connection) => self.demux.set_ufrag(connection, ufrag)?,
            None => {
                let connection = self.demux.add(ufrag)?;
                peer.connection = Some(connection);
                self.by_connection.insert(connection, id);
            }
        }
        self.peers.insert(id, peer);
        Ok(())
    }

    fn forget(&mut self, id: u64) {
        self.streams.close_all(id);
        self.pending.remove(&id);
        if let Some(connection) = self.peers.remove(&id).and_then(|p| p.connection) {
            self.demux.remove(connection);
            self.by_connection.remove(&connection);
        }
    }

    fn answer(&mut self, offer: Offer) -> Result<u64, Refusal> {
        let refuse = |status, words: String| Refusal { status, words };
        let now = self.now();
        let (id, mut peer) = match offer.peer {
            Some(name) => {
                let id = name.parse().ok();
                let known = id.and_then(|id| self.peers.remove_entry(&id));
                known.ok_or_else(|| refuse(404, format!("there is no peer {name:?}, or it is gone")))?
            }
            None => {
                let id = self.next_peer;
                self.next_peer += 1;
                let peer = Peer::new(id, now, self.local, &self.options);
                (id, peer.map_err(|e| refuse(500, e.to_string()))?)
            }
        };
        let is_new = peer.pc.remote_description().is_none();
        let answer = peer.answer(now, &offer.sdp);
        if answer.is_ok() || !is_new {
            self.keep(id, peer).map_err(|e| refuse(503, e.to_string()))?;
        }
        answer.map_err(|words| refuse(400, words))?;
        Ok(id)
    }

    fn offer_to(&mut self, url: String) -> Option<u64> {
        let id = self.next_peer;
        self.next_peer += 1;
        let now = self.now();
        let offered = Peer::new(id, now, self.local, &self.options)
            .map_err(|e| e.to_string())
            .and_then(|mut peer| peer.offer(now, &self.options.label).map(|()| peer));
        let peer = match offered {
            Ok(peer) => peer,
            Err(words) => {
                eprintln!("cannot make an offer: {words}");
                return None;
            }
        };
        if let Err(e) = self.keep(id, peer) {
            eprintln!("cannot make an offer: {e}");
            return None;
        }
        let until = now + Duration::from_millis(self.options.gather_ms);
        self.pending.insert(id, (Pending::Offer(url), until));
        Some(id)
    }

    fn post(&self, id: u64, url: String, sdp: String) {
        let commands = self.commands.clone();
        std::thread::spawn(move || {
            let request = ureq::post(&url)
                .header("Content-Type", "application/sdp")
                .header("X-From-Peer", id.to_string());
            let answer = request
                .send(sdp)
                .and_then(|mut response| response.body_mut().read_to_string())
                .map_err(|e| format!("{url} did not answer the offer: {e}"));
            // The hub may be gone.
            let _ = commands.send(Command::Answered(id, answer));
        });
    }

    /// Says goodbye to every peer: channels first, so that what was sent
    /// arrives, then connections.
    pub(crate) async fn close(&mut self) {
        let ids: Vec<u64> = self.peers.keys().copied().collect();
        let now = self.now();
        for id in &ids {
            if let Some(peer) = self.peers.get_mut(id) {
                peer.close_channels(now);
            }
        }
        let open = |hub: &Self| hub.peers.values().any(|p| p.pc.data_channels().next().is_some());
        let closing = async {
            for id in &ids {
                self.drive(*id).await?;
            }
            while open(self) {
                let deadline = self.peers.values().filter_map(|p| p.pc.poll_timeout()).min();
                let wait = deadline.map_or(Duration::from_secs(1), |at| at.saturating_since(self.now()));
                tokio::select! {
                    ready = self.socket.readable() => {
                        ready?;
                        self.receive().await?;
                    }
                    Some(news) = self.news.recv() => self.hear(news).await?,
                    () = tokio::time::sleep(wait) => self.expire().await?,
                }
            }
            io::Result::Ok(())
        };
        // A peer that does not answer is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
        let now = self.now();
        for (id, peer) in &mut self.peers {
            peer.pc.close(now);
            // Nobody is left to tell of an error.
            let _ = send_all(*id, peer, now, &self.socket, &mut self.streams, &mut self.buf).await;
            self.streams.close_all(*id);
        }
        // What was written last is to leave.
        tokio::task::yield_now().await;
    }
}

/// Sends all that a peer has to send; says whether there was anything.
async fn send_all(
    id: u64,
    peer: &mut Peer,
    now: Instant,
    socket: &Socket,
    streams: &mut Streams,
    buf: &mut [u8],
) -> io::Result<bool> {
    let mut any = false;
    // A stream that takes nothing more tells when it does.
    while streams.have_room(id)
        && let Some(transmit) = peer.pc.poll_write_segments(now, buf, socket.max_segments())
    {
        any = true;
        let Some(octets) = buf.get(..transmit.len) else { break };
        if transmit.transport.transport_protocol == TransportProtocol::Udp {
            socket.send(&transmit, octets).await?;
        } else {
            streams.write(id, &transmit.transport, octets);
        }
    }
    Ok(any)
}
