//! A device that waits at a WebSocket (RFC 6455) for offers. Messages are JSON,
//! each in a text frame:
//!
//! | from | message |
//! | --- | --- |
//! | the server | `{"type":"offer","sdp":…,"id":…,"peer":…}` |
//! | the device | `{"type":"answer","sdp":…,"id":…,"peer":…}` or `{"type":"error","status":503,"message":…,"id":…}` |
//!
//! `id` is the server's, and comes back as it was. `peer` names a connection
//! that is there, for an ICE restart; an answer says what it is.

use super::{Again, Dial, Failure, PATIENCE, bearer};
use edge_http::io::Error as HttpError;
use edge_http::ws::{MAX_BASE64_KEY_LEN, MAX_BASE64_KEY_RESPONSE_LEN, NONCE_LEN};
use edge_http::{RequestHeaders, ResponseHeaders};
use edge_ws::io::{Error as SocketError, send};
use edge_ws::{FrameHeader, FrameType};
use embassy_net::Stack;
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{Error as TcpError, TcpSocket};
use embassy_time::{Duration, TimeoutError, with_timeout};
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{PeerId, Refusal, Rtc};
use serde::{Deserialize, Serialize};
use serde_json_core::str::{EscapedStr, EscapedStringFragment};

/// Room for a message of the server's, and for the response's head.
const MESSAGE: usize = 4096;
/// Room for an offer, and for a message of ours.
const TEXT: usize = 3072;
/// Headers of a request or a response.
const HEADERS: usize = 16;
/// The longest payload of a ping, a pong or a close (RFC 6455, Section 5.5).
const CONTROL: usize = 125;
/// How often is asked whether a silent server is still there, which also keeps
/// a NAT's mapping.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const PORT: u16 = 80;

/// "1003 indicates that an endpoint is terminating the connection because it has
/// received a type of data it cannot accept"; "1009 … a message that is too big
/// for it to process" (RFC 6455, Section 7.4.1).
const NOT_TEXT: [u8; 2] = 1003_u16.to_be_bytes();
const TOO_BIG: [u8; 2] = 1009_u16.to_be_bytes();

#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow, default)]
    sdp: EscapedStr<'a>,
    #[serde(borrow, default)]
    id: EscapedStr<'a>,
    #[serde(default)]
    peer: Option<&'a str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: EscapedStr<'a>,
    peer: &'a str,
    sdp: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: EscapedStr<'a>,
    status: u16,
    message: &'a str,
}

/// Answers the offers that come from the server at `place`, which is the URL
/// without its scheme.
pub(super) async fn answer_offers(stack: Stack<'_>, rtc: Rtc<'_>, dial: Dial, place: &str, noise: u64) -> ! {
    let (mut rx, mut tx) = ([0; 1024], [0; 1536]);
    let (mut message, mut text) = ([0; MESSAGE], [0; TEXT]);
    let mut seed = [0; 32];
    for (to, from) in seed.iter_mut().zip(noise.to_be_bytes()) {
        *to = from;
    }
    let mut rng = Rng::new(seed);
    let mut again = Again::new();
    loop {
        rtc.wait_for_address().await;
        info!("dialling {}", dial.url);
        let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
        socket.set_timeout(Some(PATIENCE));
        socket.set_keep_alive(Some(KEEP_ALIVE));
        let opened =
            with_timeout(PATIENCE, open(stack, &mut socket, dial, place, &mut rng, &mut message)).await;
        let failure = match opened {
            Ok(Ok(())) => {
                info!("waiting for offers at {}", dial.url);
                again = Again::new();
                let mut line = Line { socket: &mut socket, rng: &mut rng, text: &mut text };
                line.serve(rtc, &mut message).await
            }
            Ok(Err(failure)) => failure,
            Err(TimeoutError) => Failure::Silence,
        };
        socket.abort();
        again.wait(Some(&failure)).await;
    }
}

/// Connects, and asks for a WebSocket (RFC 6455, Section 4.1).
async fn open(
    stack: Stack<'_>,
    socket: &mut TcpSocket<'_>,
    Dial { token, .. }: Dial,
    place: &str,
    rng: &mut Rng,
    buf: &mut [u8],
) -> Result<(), Failure> {
    let at = place.find('/').unwrap_or(place.len());
    let (authority, path) = place.split_at(at);
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().map_err(|_| Failure::Url)?),
        None => (authority, PORT),
    };
    if name.is_empty() {
        return Err(Failure::Url);
    }
    let found = stack.dns_query(name, DnsQueryType::A).await.map_err(|_| Failure::Name)?;
    let address = *found.first().ok_or(Failure::Name)?;
    socket.connect((address, port)).await.map_err(|_| Failure::Lost)?;

    let nonce: [u8; NONCE_LEN] = rng.array();
    let mut key = [0; MAX_BASE64_KEY_LEN];
    let authorization = bearer(token);
    let mut request = RequestHeaders::<HEADERS>::new();
    request.path = if path.is_empty() { "/" } else { path };
    request.headers.set_ws_upgrade_request_headers(Some(authority), None, None, &nonce, &mut key);
    request.headers.set("Authorization", &authorization);
    request.send(false, &mut *socket).await?;
    socket.flush().await.map_err(|_| Failure::Lost)?;

    let mut response = ResponseHeaders::<HEADERS>::new();
    // What comes behind the head is the socket's.
    response.receive(buf, &mut *socket, true).await?;
    match response.code {
        101 if response.is_ws_upgrade_accepted(&nonce, &mut [0; MAX_BASE64_KEY_RESPONSE_LEN]) => Ok(()),
        101 | 200..300 => Err(Failure::NoSocket),
        status => Err(Failure::Status(status)),
    }
}

/// An open WebSocket.
struct Line<'a, 's> {
    socket: &'a mut TcpSocket<'s>,
    rng: &'a mut Rng,
    text: &'a mut [u8; TEXT],
}

impl Line<'_, '_> {
    /// Answers until there is an end.
    async fn serve(&mut self, rtc: Rtc<'_>, message: &mut [u8; MESSAGE]) -> Failure {
        loop {
            let served = match self.next(message).await {
                Ok(len) => self.reply(rtc, message.get(..len).unwrap_or_default()).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = served {
                return failure;
            }
        }
    }

    /// The next message, in one frame or several, and its length.
    async fn next(&mut self, message: &mut [u8; MESSAGE]) -> Result<usize, Failure> {
        let mut filled = 0;
        loop {
            let header = FrameHeader::recv(&mut *self.socket).await?;
            let mut control = [0; CONTROL];
            match header.frame_type {
                FrameType::Text(_) | FrameType::Continue(_) => {
                    let room = message.get_mut(filled..).unwrap_or_default();
                    match header.recv_payload(&mut *self.socket, room).await {
                        Ok(payload) => filled += payload.len(),
                        Err(SocketError::BufferOverflow) => {
                            warn!("a message of more than {} octets came by the WebSocket", MESSAGE);
                            return Err(self.close(&TOO_BIG).await);
                        }
                        Err(e) => return Err(e.into()),
                    }
                    if header.frame_type.is_final() {
                        return Ok(filled);
                    }
                }
                FrameType::Binary(_) => return Err(self.close(&NOT_TEXT).await),
                // "A Pong frame sent in response to a Ping frame must have
                // identical 'Application data'" (RFC 6455, Section 5.5.3).
                FrameType::Ping => {
                    let payload = header.recv_payload(&mut *self.socket, &mut control).await?;
                    self.send(FrameType::Pong, payload).await?;
                }
                FrameType::Pong => _ = header.recv_payload(&mut *self.socket, &mut control).await?,
                FrameType::Close => {
                    let reason = header.recv_payload(&mut *self.socket, &mut control).await?;
                    return Err(self.close(reason.get(..2).unwrap_or_default()).await);
                }
            }
        }
    }

    /// Answers one message.
    async fn reply(&mut self, rtc: Rtc<'_>, message: &[u8]) -> Result<(), Failure> {
        let Ok((asked, _)) = serde_json_core::from_slice::<Asked<'_>>(message) else {
            return self.refuse(EscapedStr(""), 400, "the message is no offer in JSON").await;
        };
        if asked.kind != "offer" {
            // What a later server may say besides.
            return Ok(());
        }
        let Some(offer) = unescape(asked.sdp, self.text) else {
            return self.refuse(asked.id, 413, "the offer is too long, or is no text").await;
        };
        let peer = asked.peer.map(|name| name.parse::<PeerId>().map_err(|_| Refusal::NoSuchPeer));
        match peer.transpose().and_then(|peer| rtc.answer(peer, offer)) {
            Ok((id, answer)) => {
                let mut peer = heapless::String::<12>::new();
                // Two small numbers fit.
                let _ = core::fmt::Write::write_fmt(&mut peer, format_args!("{id}"));
                let answer = Answer { kind: "answer", id: asked.id, peer: &peer, sdp: &answer.sdp };
                match self.send_json(&answer).await {
                    Ok(true) => Ok(()),
                    Ok(false) => {
                        rtc.close(id);
                        self.refuse(asked.id, 413, "the answer is too long").await
                    }
                    Err(failure) => {
                        rtc.close(id);
                        Err(failure)
                    }
                }
            }
            Err(refusal) => {
                let mut words = heapless::String::<128>::new();
                // What does not fit is left out.
                let _ = core::fmt::Write::write_fmt(&mut words, format_args!("{refusal}"));
                self.refuse(asked.id, refusal.status(), &words).await
            }
        }
    }

    async fn refuse(&mut self, id: EscapedStr<'_>, status: u16, message: &str) -> Result<(), Failure> {
        info!("an offer by the WebSocket is refused with {}: {}", status, message);
        self.send_json(&Error { kind: "error", id, status, message }).await.map(|_| ())
    }

    /// Sends a message; `false` when it is too long.
    async fn send_json(&mut self, message: &impl Serialize) -> Result<bool, Failure> {
        let Ok(len) = serde_json_core::to_slice(message, self.text) else { return Ok(false) };
        let mask = Some(self.rng.next_u64() as u32);
        let text = self.text.get(..len).unwrap_or_default();
        send(&mut *self.socket, FrameType::Text(false), mask, text).await?;
        self.socket.flush().await.map_err(|_| Failure::Lost)?;
        Ok(true)
    }

    async fn send(&mut self, kind: FrameType, payload: &[u8]) -> Result<(), Failure> {
        // "A client MUST mask all frames that it sends" (RFC 6455, Section 5.1).
        let mask = Some(self.rng.next_u64() as u32);
        send(&mut *self.socket, kind, mask, payload).await?;
        self.socket.flush().await.map_err(|_| Failure::Lost)
    }

    /// Says why it ends, and ends.
    async fn close(&mut self, reason: &[u8]) -> Failure {
        match self.send(FrameType::Close, reason).await {
            Ok(()) => Failure::Closed,
            Err(failure) => failure,
        }
    }
}

/// What a JSON string means, written to `out`.
fn unescape<'o>(text: EscapedStr<'_>, out: &'o mut [u8]) -> Option<&'o str> {
    let mut len = 0;
    for fragment in text.fragments() {
        let mut buf = [0; 4];
        let part = match fragment.ok()? {
            EscapedStringFragment::NotEscaped(part) => part,
            EscapedStringFragment::Escaped(character) => character.encode_utf8(&mut buf),
        };
        out.get_mut(len..len + part.len())?.copy_from_slice(part.as_bytes());
        len += part.len();
    }
    str::from_utf8(out.get(..len)?).ok()
}

impl From<HttpError<TcpError>> for Failure {
    fn from(error: HttpError<TcpError>) -> Self {
        match error {
            HttpError::Io(_) | HttpError::ConnectionClosed | HttpError::IncompleteHeaders => Self::Lost,
            _ => Self::NoSocket,
        }
    }
}

impl From<SocketError<TcpError>> for Failure {
    fn from(error: SocketError<TcpError>) -> Self {
        match error {
            SocketError::Io(_) => Self::Lost,
            _ => Self::Closed,
        }
    }
}
