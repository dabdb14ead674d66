//! The page, and signalling by `POST /offer`.

use core::cell::Cell;
use embassy_net::Stack;
use embassy_time::{Duration, Timer};
use picortc_embassy::{DeviceName, PeerId, Refusal, Rtc};
use picoserve::io::Read;
use picoserve::request::{Path, ReadAllBodyError, Request};
use picoserve::response::{IntoResponse, Response, ResponseWriter, StatusCode};
use picoserve::routing::{PathRouterService, Router};
use picoserve::{ResponseSent, Timeouts};

const PAGE: &str = include_str!("page.html");

/// Room for a request: its head and an offer.
pub const HTTP_BUFFER: usize = 4096;

/// The memory of one HTTP connection.
#[derive(Debug)]
pub struct HttpBuffers {
    request: [u8; HTTP_BUFFER],
    rx: [u8; 1536],
    tx: [u8; 2048],
}

impl HttpBuffers {
    /// Empty.
    pub const fn new() -> Self {
        Self { request: [0; HTTP_BUFFER], rx: [0; 1536], tx: [0; 2048] }
    }
}

impl Default for HttpBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// What is served, to whom.
#[derive(Debug)]
pub struct Site<'a> {
    rtc: Rtc<'a>,
    name: &'a str,
    host: &'a DeviceName,
    pin: &'a str,
    /// Wrong PINs since a right one.
    wrong: Cell<u8>,
}

impl<'a> Site<'a> {
    /// The page of the device `name`, which is `host` on its network; whoever
    /// connects needs the PIN.
    pub fn new(rtc: Rtc<'a>, name: &'a str, host: &'a DeviceName, pin: &'a str) -> Self {
        Self { rtc, name, host, pin, wrong: Cell::new(0) }
    }

    /// Whether `authorization` is `Bearer` and the PIN, compared in constant
    /// time.
    fn knows_pin(&self, authorization: Option<&[u8]>) -> bool {
        let Some(theirs) = authorization.and_then(|a| a.strip_prefix(b"Bearer ")) else { return false };
        let ours = self.pin.as_bytes();
        let differences = theirs.iter().zip(ours).fold(0, |all, (a, b)| all | (a ^ b));
        !ours.is_empty() && theirs.len() == ours.len() && core::hint::black_box(differences) == 0
    }
}

/// Serves one HTTP connection after another, on port 80. Run two or three of
/// these: a browser opens more than one.
pub async fn serve_http(stack: Stack<'_>, site: &Site<'_>, buffers: &mut HttpBuffers) -> ! {
    const CONFIG: picoserve::Config = picoserve::Config::new(Timeouts {
        // Browsers open connections that they may need, and say nothing.
        start_read_request: Duration::from_secs(1),
        persistent_start_read_request: Duration::from_secs(1),
        read_request: Duration::from_secs(5),
        write: Duration::from_secs(5),
    });
    let router = Router::from_service(site);
    let HttpBuffers { request, rx, tx } = buffers;
    loop {
        picoserve::Server::new(&router, &CONFIG, request).listen_and_serve("http", stack, 80, rx, tx).await;
    }
}

impl PathRouterService for &Site<'_> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        (): &(),
        (): (),
        path: Path<'_>,
        request: Request<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        match (request.parts.method(), path.encoded()) {
            ("GET" | "HEAD", "/") => {
                let page = Response::ok(PAGE)
                    .with_content_type("text/html; charset=utf-8")
                    .with_header("X-Device", self.name);
                page.write_to(request.body_connection.finalize().await?, writer).await
            }
            ("POST", "/offer") => self.offer(request, writer).await,
            (_, "/" | "/offer") => {
                let response = Response::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
                response.write_to(request.body_connection.finalize().await?, writer).await
            }
            _ => {
                let response = Response::new(StatusCode::NOT_FOUND, "not found\n");
                response.write_to(request.body_connection.finalize().await?, writer).await
            }
        }
    }
}

impl Site<'_> {
    async fn offer<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        mut request: Request<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let headers = request.parts.headers();
        if !self.knows_pin(headers.get("authorization").map(|h| h.as_raw())) {
            // So that trying all of them takes long.
            let wrong = self.wrong.get().saturating_add(1);
            self.wrong.set(wrong);
            info!("an offer without the PIN");
            Timer::after(Duration::from_millis(250) * u32::from(wrong.min(8))).await;
            let response = Response::new(StatusCode::UNAUTHORIZED, "the PIN is wrong or missing\n")
                .with_header("WWW-Authenticate", "Bearer");
            return response.write_to(request.body_connection.finalize().await?, writer).await;
        }
        self.wrong.set(0);
        let peer = headers.get("x-peer").map(|name| peer_id(name.as_raw()));
        let answered = match request.body_connection.body().read_all().await {
            Ok(body) => match str::from_utf8(body) {
                Ok(offer) => {
                    peer.transpose().and_then(|peer| self.rtc.answer(peer, offer)).map_err(Trouble::Refused)
                }
                Err(_) => Err(Trouble::NotText),
            },
            Err(ReadAllBodyError::BufferIsTooSmall { content_length, .. }) => {
                Err(Trouble::TooLong(content_length))
            }
            Err(_) => Err(Trouble::CutShort),
        };
        let connection = request.body_connection.finalize().await?;
        match answered {
            Ok((id, answer)) => {
                let host = self.host.with(|name| heapless::String::<24>::try_from(name.unwrap_or_default()));
                let host = host.unwrap_or_default();
                let response = Response::new(StatusCode::CREATED, answer.sdp.as_str())
                    .with_content_type("application/sdp")
                    .with_header("X-Host", host.as_str())
                    .with_header("X-Peer", id);
                response.write_to(connection, writer).await
            }
            Err(trouble) => {
                info!("an offer is refused with {}", trouble.status());
                let status = StatusCode::new(trouble.status());
                Response::new(status, format_args!("{trouble}\n")).write_to(connection, writer).await
            }
        }
    }
}

/// A name that is none is that of nobody.
fn peer_id(name: &[u8]) -> Result<PeerId, Refusal> {
    str::from_utf8(name).ok().and_then(|name| name.parse().ok()).ok_or(Refusal::NoSuchPeer)
}

/// Why an offer is not answered.
enum Trouble {
    Refused(Refusal),
    NotText,
    TooLong(usize),
    CutShort,
}

impl Trouble {
    fn status(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::NotText | Self::CutShort => 400,
            Self::TooLong(_) => 413,
        }
    }
}

impl core::fmt::Display for Trouble {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NotText => f.write_str("the offer is not text"),
            Self::TooLong(len) => write!(f, "the offer has {len} octets; this device takes 3,000"),
            Self::CutShort => f.write_str("the offer is cut short"),
        }
    }
}
