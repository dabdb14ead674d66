//! The sockets around the server.

use crate::Options;
use crate::streams::{self, News};
use picortc::env::{Instant, Transmit, TransportContext, TransportProtocol};
use picortc::stun::Deframer;
use picortc::turn_server::{Event, Output, RelayId, Socket as Wanted, TurnServer, Users};
use picortc::wire::turn::{AddressFamily, Framing};
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// What relays received and nobody looked at yet; more is dropped.
const BACKLOG: usize = 1024;

type FromPeer = (RelayId, SocketAddr, Vec<u8>);

struct Stream {
    queue: Sender<Vec<u8>>,
    deframer: Deframer,
}

struct Relay {
    socket: Arc<UdpSocket>,
    reader: JoinHandle<()>,
}

struct Sockets {
    udp: UdpSocket,
    streams: HashMap<TransportContext, Stream>,
    relays: HashMap<RelayId, Relay>,
    from_peers: Sender<FromPeer>,
    out: Vec<u8>,
}

/// Serves until something of the system fails.
pub(crate) async fn serve<U: Users>(
    options: &Options,
    mut server: TurnServer<U>,
) -> Result<(), Box<dyn Error>> {
    let started = std::time::Instant::now();
    let now = || Instant::from_micros(started.elapsed().as_micros() as u64);
    let cannot = |what, addr, e| format!("cannot listen at {what} {addr}: {e}");
    let udp = UdpSocket::bind(options.listen).await.map_err(|e| cannot("UDP", options.listen, e))?;
    let local = udp.local_addr()?;
    let (news, mut inbox): (_, Receiver<News>) = channel(BACKLOG);
    let tcp = TcpListener::bind(local).await.map_err(|e| cannot("TCP", local, e))?;
    tokio::spawn(streams::accept(tcp, None, news.clone()));
    println!("stun:{local} turn:{local} over UDP and TCP");
    if let (Some(addr), Some(cert), Some(key)) = (options.tls, &options.cert, &options.key) {
        let listener = TcpListener::bind(addr).await.map_err(|e| cannot("TCP", addr, e))?;
        println!("turns:{}", listener.local_addr()?);
        tokio::spawn(streams::accept(listener, Some(streams::tls(cert, key)?), news));
    }
    let (from_peers, mut peers): (_, Receiver<FromPeer>) = channel(BACKLOG);
    let (streams, relays) = (HashMap::new(), HashMap::new());
    let mut sockets = Sockets { udp, streams, relays, from_peers, out: vec![0; DATAGRAM + 64] };
    let mut buf = vec![0; DATAGRAM];
    loop {
        while let Some(event) = server.poll_event() {
            sockets.change(options, &mut server, now(), event).await;
        }
        let wait = server.poll_timeout().map_or(Duration::from_secs(3600), |at| at.saturating_since(now()));
        tokio::select! {
            received = sockets.udp.recv_from(&mut buf) => match received {
                Ok((len, from)) => {
                    let datagram = buf.get(..len).unwrap_or_default();
                    sockets.client(&mut server, now(), TransportContext::udp(local, from), datagram).await;
                }
                // What an ICMP message says of an earlier datagram.
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => {}
                Err(e) => return Err(e.into()),
            },
            Some(news) = inbox.recv() => sockets.stream(&mut server, now(), news).await,
            Some((relay, from, datagram)) = peers.recv() => {
                let transmit = server.handle_relay_read(now(), relay, from, &datagram, &mut sockets.out);
                if let Some(transmit) = transmit {
                    sockets.send(transmit).await;
                }
            }
            () = tokio::time::sleep(wait) => server.handle_timeout(now()),
        }
    }
}

impl Sockets {
    /// A datagram of a client.
    async fn client<U: Users>(
        &mut self,
        server: &mut TurnServer<U>,
        now: Instant,
        client: TransportContext,
        datagram: &[u8],
    ) {
        match server.handle_read(now, client, datagram, &mut self.out) {
            Some(Output::Client(transmit)) => self.send(transmit).await,
            Some(Output::Peer { relay, peer, range }) => {
                if let (Some(relay), Some(data)) = (self.relays.get(&relay), datagram.get(range)) {
                    // What is lost on the way is lost, as always with UDP.
                    let _ = relay.socket.send_to(data, peer).await;
                }
            }
            None => {}
        }
    }

    async fn send(&mut self, transmit: Transmit) {
        let Transmit { transport, len, .. } = transmit;
        let octets = self.out.get(..len).unwrap_or_default();
        if transport.transport_protocol == TransportProtocol::Udp {
            let _ = self.udp.send_to(octets, transport.peer_addr).await;
        } else if let Some(stream) = self.streams.get(&transport) {
            let _ = stream.queue.try_send(octets.to_vec());
        }
    }

    async fn stream<U: Users>(&mut self, server: &mut TurnServer<U>, now: Instant, news: News) {
        match news {
            News::Opened(transport, queue) => {
                // Nothing to be relayed is longer than a datagram.
                if let Ok(deframer) = Deframer::new(Framing::Stun, 2048) {
                    self.streams.insert(transport, Stream { queue, deframer });
                }
            }
            News::Octets(transport, mut octets) => {
                let mut piece = octets.as_mut_slice();
                let Some(mut stream) = self.streams.remove(&transport) else { return };
                let mut datagrams = Vec::new();
                let rhythm = loop {
                    match stream.deframer.read(&mut piece) {
                        Ok(Some(datagram)) => datagrams.push(datagram.to_vec()),
                        Ok(None) => break true,
                        Err(_) => break false,
                    }
                };
                if rhythm {
                    self.streams.insert(transport, stream);
                } else {
                    server.handle_disconnect(now, &transport);
                }
                for datagram in datagrams {
                    self.client(server, now, transport, &datagram).await;
                }
            }
            News::Closed(transport) => {
                self.streams.remove(&transport);
                server.handle_disconnect(now, &transport);
            }
        }
    }

    async fn change<U: Users>(
        &mut self,
        options: &Options,
        server: &mut TurnServer<U>,
        now: Instant,
        event: Event,
    ) {
        match event {
            Event::OpenRelay(id, socket) => {
                let addr = self.open(options, id, socket).await;
                if let Some(transmit) = server.handle_relay_opened(now, id, addr, &mut self.out) {
                    self.send(transmit).await;
                }
                match addr {
                    Some(addr) => println!("relay {addr} opened"),
                    None => println!("a relay could not be opened"),
                }
            }
            Event::CloseRelay(id) => {
                if let Some(relay) = self.relays.remove(&id) {
                    relay.reader.abort();
                    println!("a relay closed");
                }
            }
        }
    }

    /// Opens the socket of a relay, at a port that the system chooses.
    async fn open(&mut self, options: &Options, id: RelayId, wanted: Wanted) -> Option<SocketAddr> {
        let ip = options.relay.iter().find(|ip| AddressFamily::of(**ip) == wanted.family)?;
        let mut socket = UdpSocket::bind(SocketAddr::new(*ip, 0)).await.ok()?;
        let mut odd = Vec::new();
        while wanted.even_port && socket.local_addr().ok()?.port() % 2 == 1 && odd.len() < 32 {
            // Kept until another one is found, so that it is another.
            odd.push(std::mem::replace(&mut socket, UdpSocket::bind(SocketAddr::new(*ip, 0)).await.ok()?));
        }
        let socket = Arc::new(socket);
        let addr = socket.local_addr().ok()?;
        let (from_peers, reading) = (self.from_peers.clone(), socket.clone());
        let reader = tokio::spawn(async move {
            let mut buf = vec![0; DATAGRAM];
            loop {
                let Ok((len, from)) = reading.recv_from(&mut buf).await else { continue };
                let datagram = buf.get(..len).unwrap_or_default().to_vec();
                let _ = from_peers.try_send((id, from, datagram));
            }
        });
        self.relays.insert(id, Relay { socket, reader });
        Some(addr)
    }
}
