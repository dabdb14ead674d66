//! The streams and names that connections ask for, over tokio: TCP, TLS with
//! rustls, and the system's resolver. What happens to them arrives as [`News`].

use picortc::env::{TransportContext, TransportProtocol};
use picortc::peer::{RTCServerNameId, RTCStreamId, RTCStreamPeer, RTCStreamRequest};
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What happened, and to which connection.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) owner: u64,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum What {
    Opened(Option<RTCStreamId>, TransportContext),
    Failed(RTCStreamId),
    Octets(TransportContext, Vec<u8>),
    /// A stream takes octets again.
    Room,
    Closed(TransportContext),
    Resolved(RTCServerNameId, Vec<SocketAddr>),
}

/// Connecting takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Datagrams that wait to be written; while there are so many, a connection is
/// not asked for more.
const BACKLOG: usize = 32;

type Key = (u64, SocketAddr, SocketAddr);

/// All streams.
pub(crate) struct Streams {
    news: Sender<News>,
    open: HashMap<Key, Sender<Vec<u8>>>,
    tls: Arc<ClientConfig>,
}

impl Streams {
    /// No streams yet. `ca` is a file with certificates to trust besides the
    /// usual ones.
    pub(crate) fn new(ca: Option<&str>) -> Result<(Self, Receiver<News>), Box<dyn Error>> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in ca.map(CertificateDer::pem_file_iter).transpose()?.into_iter().flatten() {
            roots.add(certificate?)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let (news, inbox) = channel(64);
        Ok((Self { news, open: HashMap::new(), tls: Arc::new(tls) }, inbox))
    }

    /// Opens what a connection asks for.
    pub(crate) fn open(&mut self, owner: u64, id: RTCStreamId, request: RTCStreamRequest<'_>) {
        let (host, port) = match request.peer {
            RTCStreamPeer::Addr(addr) => (addr.ip().to_string(), addr.port()),
            RTCStreamPeer::Name(name, port) => (name.to_string(), port),
        };
        let protocol = request.protocol;
        let from = request.local_ip.map(|ip| SocketAddr::new(ip, request.local_port.unwrap_or(0)));
        let (news, tls) = (self.news.clone(), self.tls.clone());
        let (to, backlog) = channel(BACKLOG);
        // The writer is handed over with the news, by way of a map of ours: it
        // is kept from now on under the request's own number.
        self.open.insert(request_key(owner, id), to);
        tokio::spawn(async move {
            let opened = tokio::time::timeout(PATIENCE, async {
                let stream = connect(&host, port, from).await?;
                stream.set_nodelay(true)?;
                let addrs = (stream.local_addr()?, stream.peer_addr()?);
                let name = ServerName::try_from(host).map_err(io::Error::other)?;
                let stream: Box<dyn Stream> = match protocol {
                    TransportProtocol::Tls => Box::new(TlsConnector::from(tls).connect(name, stream).await?),
                    _ => Box::new(stream),
                };
                io::Result::Ok((addrs, stream))
            })
            .await;
            let what = match opened {
                Ok(Ok(((local, peer), stream))) => {
                    let transport = TransportContext {
                        transport_protocol: protocol,
                        ..TransportContext::udp(local, peer)
                    };
                    let _ = news.send(News { owner, what: What::Opened(Some(id), transport) }).await;
                    return carry(owner, transport, stream, backlog, news).await;
                }
                Ok(Err(e)) => {
                    eprintln!("a stream cannot be opened: {e}");
                    What::Failed(id)
                }
                Err(_) => What::Failed(id),
            };
            let _ = news.send(News { owner, what }).await;
        });
    }

    /// Takes in a stream that a listener accepted.
    pub(crate) fn accept(
        &mut self,
        owner: u64,
        stream: TcpStream,
        listener: SocketAddr,
    ) -> io::Result<TransportContext> {
        stream.set_nodelay(true)?;
        let transport = TransportContext {
            transport_protocol: TransportProtocol::Tcp,
            ..TransportContext::udp(listener, stream.peer_addr()?)
        };
        let (to, backlog) = channel(BACKLOG);
        self.open.insert(key(owner, &transport), to);
        tokio::spawn(carry(owner, transport, Box::new(stream), backlog, self.news.clone()));
        Ok(transport)
    }

    /// To be called with each piece of news before the connection hears it.
    pub(crate) fn note(&mut self, news: &News) {
        let owner = news.owner;
        match news.what {
            What::Opened(Some(id), transport) => {
                if let Some(writer) = self.open.remove(&request_key(owner, id)) {
                    self.open.insert(key(owner, &transport), writer);
                }
            }
            What::Failed(id) => {
                self.open.remove(&request_key(owner, id));
            }
            What::Closed(transport) => self.close(owner, &transport),
            _ => {}
        }
    }

    /// Writes a datagram; one for a stream that has ended is lost, as it would
    /// be on its way.
    pub(crate) fn write(&mut self, owner: u64, transport: &TransportContext, octets: &[u8]) {
        if let Some(stream) = self.open.get(&key(owner, transport)) {
            let _ = stream.try_send(octets.to_vec());
        }
    }

    /// Whether all streams of a connection take octets. If not, `Room` comes
    /// when they do.
    pub(crate) fn have_room(&self, owner: u64) -> bool {
        self.open.iter().filter(|(key, _)| key.0 == owner).all(|(_, s)| s.capacity() > 0)
    }

    /// Closes a stream, once what was written is on its way.
    pub(crate) fn close(&mut self, owner: u64, transport: &TransportContext) {
        self.open.remove(&key(owner, transport));
    }

    /// Closes all streams of a connection.
    pub(crate) fn close_all(&mut self, owner: u64) {
        self.open.retain(|key, _| key.0 != owner);
    }

    /// Asks the system's resolver.
    pub(crate) fn resolve(&self, owner: u64, id: RTCServerNameId, name: &str) {
        let (news, name) = (self.news.clone(), name.to_string());
        tokio::spawn(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map(Iterator::collect).unwrap_or_default();
            let _ = news.send(News { owner, what: What::Resolved(id, found) }).await;
        });
    }
}

fn key(owner: u64, transport: &TransportContext) -> Key {
    (owner, transport.local_addr, transport.peer_addr)
}

/// Where the writer of a stream is kept that is not open yet.
fn request_key(owner: u64, id: RTCStreamId) -> Key {
    let nowhere = SocketAddr::from(([0; 16], 0));
    let number = SocketAddr::from((u128::from(id.number()).to_be_bytes(), 0));
    (owner, nowhere, number)
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Lets a listener and streams have one port, for simultaneous open.
pub(crate) fn share_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    Ok(())
}

async fn connect(host: &str, port: u16, from: Option<SocketAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for addr in tokio::net::lookup_host((host, port)).await? {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = from.filter(|from| from.is_ipv4() == addr.is_ipv4()) {
            if from.port() != 0 {
                share_port(&socket)?;
            }
            socket.bind(from)?;
        }
        match socket.connect(addr).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Reads and writes a stream until either end has had enough.
async fn carry(
    owner: u64,
    transport: TransportContext,
    mut stream: Box<dyn Stream>,
    mut backlog: Receiver<Vec<u8>>,
    news: Sender<News>,
) {
    let tell = |what| news.send(News { owner, what });
    let mut buf = vec![0; 16 * 1024];
    loop {
        let full = backlog.len() >= BACKLOG;
        tokio::select! {
            octets = backlog.recv() => {
                let Some(octets) = octets else {
                    let _ = stream.shutdown().await;
                    return;
                };
                if stream.write_all(&octets).await.and(stream.flush().await).is_err() {
                    break;
                }
                if full && tell(What::Room).await.is_err() {
                    return;
                }
            }
            read = stream.read(&mut buf) => match read {
                Ok(n) if n > 0 => {
                    let octets = buf.get(..n).unwrap_or_default().to_vec();
                    if tell(What::Octets(transport, octets)).await.is_err() {
                        return;
                    }
                }
                _ => break,
            }
        }
    }
    let _ = tell(What::Closed(transport)).await;
}
