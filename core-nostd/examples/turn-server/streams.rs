//! Clients over TCP and TLS: a task per stream, which reads and writes.

use picortc::env::{TransportContext, TransportProtocol};
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// What happens on a stream.
pub(crate) enum News {
    /// It is open; what is to be written goes there.
    Opened(TransportContext, Sender<Vec<u8>>),
    /// Octets came.
    Octets(TransportContext, Vec<u8>),
    /// It ended.
    Closed(TransportContext),
}

/// What waits to be written to one client; more is dropped, as on any path
/// that is too slow.
const BACKLOG: usize = 64;
/// Streams at once. Further ones are closed.
const MAX_STREAMS: usize = 1024;

/// Who has opened a stream and says nothing for so long wants nothing.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// Later: permissions last half as long, so that a relay of such a client carries
/// nothing any more.
const SILENCE: Duration = Duration::from_secs(660);

/// Accepts what comes for `listener`, for ever.
pub(crate) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, news: Sender<News>) {
    let places = Arc::new(tokio::sync::Semaphore::new(MAX_STREAMS));
    loop {
        let Ok((stream, peer_addr)) = listener.accept().await else {
            // Out of file descriptors, most likely: not for long.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (Ok(place), Ok(local_addr)) = (places.clone().try_acquire_owned(), listener.local_addr()) else {
            continue;
        };
        let (tls, news) = (tls.clone(), news.clone());
        let _ = stream.set_nodelay(true);
        tokio::spawn(async move {
            let _place = place;
            match tls {
                Some(tls) => {
                    let transport = path(local_addr, peer_addr, TransportProtocol::Tls);
                    let limit = Duration::from_secs(10);
                    if let Ok(Ok(stream)) = tokio::time::timeout(limit, tls.accept(stream)).await {
                        carry(transport, stream, news).await;
                    }
                }
                None => carry(path(local_addr, peer_addr, TransportProtocol::Tcp), stream, news).await,
            }
        });
    }
}

fn path(local_addr: SocketAddr, peer_addr: SocketAddr, protocol: TransportProtocol) -> TransportContext {
    TransportContext { transport_protocol: protocol, ..TransportContext::udp(local_addr, peer_addr) }
}

async fn carry(transport: TransportContext, stream: impl AsyncRead + AsyncWrite, news: Sender<News>) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (queue, mut queued): (_, Receiver<Vec<u8>>) = channel(BACKLOG);
    if news.send(News::Opened(transport, queue)).await.is_err() {
        return;
    }
    let read = async {
        let mut buf = vec![0; 4096];
        let mut patience = FIRST_WORD;
        while let Ok(Ok(len @ 1..)) = tokio::time::timeout(patience, reader.read(&mut buf)).await {
            patience = SILENCE;
            let octets = buf.get(..len).unwrap_or_default().to_vec();
            if news.send(News::Octets(transport, octets)).await.is_err() {
                break;
            }
        }
    };
    let write = async {
        // Ends when the server forgets the stream.
        while let Some(octets) = queued.recv().await {
            if writer.write_all(&octets).await.is_err() || writer.flush().await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
    let _ = news.send(News::Closed(transport)).await;
}

/// TLS with the certificates and the key of two files.
pub(crate) fn tls(cert: &Path, key: &Path) -> Result<TlsAcceptor, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
