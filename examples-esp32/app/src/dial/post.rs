//! Dialling out: a device that nobody can reach, behind a NAT, posts its offer
//! to a server, as WHIP does (RFC 9725, Section 4.2), and gets an answer.

use core::fmt;
use embassy_net::Stack;
use embassy_net::dns::DnsSocket;
use embassy_net::tcp::client::{TcpClient, TcpClientState};
use embassy_time::{Duration, Instant, TimeoutError, Timer, with_timeout};
use picortc_embassy::picortc::peer::RTCDataChannelInit;
use picortc_embassy::{PeerId, Refusal, Rtc};
use reqwless::client::HttpClient;
use reqwless::request::{Method, RequestBuilder};

/// For how long a server may hold the offer until somebody answers it.
const PATIENCE: Duration = Duration::from_secs(60);
/// When there was no answer, the next call is this much later, and then after
/// twice as long each time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);
/// Room for the head of a response and an answer.
const RESPONSE: usize = 4096;

/// Where to dial.
#[derive(Debug, Clone, Copy)]
pub struct Dial {
    /// The server's URL, `http://…`: offers are posted there.
    pub url: &'static str,
    /// What is said to the server to be let in, as `Authorization: Bearer …`.
    pub token: &'static str,
}

/// Where to dial, as the environment variables `DIAL` and `DIAL_TOKEN` said when
/// this was built.
pub const DIAL: Option<Dial> = match option_env!("DIAL") {
    Some(url) => Some(Dial {
        url,
        token: match option_env!("DIAL_TOKEN") {
            Some(token) => token,
            None => "",
        },
    }),
    None => None,
};

/// Offers a connection with a channel `device` to whom the server finds, and
/// again when it has ended.
pub async fn dial_out(stack: Stack<'_>, rtc: Rtc<'_>, Dial { url, token }: Dial) -> ! {
    let pool = TcpClientState::<1, 1024, 1536>::new();
    let mut tcp = TcpClient::new(stack, &pool);
    tcp.set_timeout(Some(PATIENCE));
    let dns = DnsSocket::new(stack);
    let mut http = HttpClient::new(&tcp, &dns);
    let mut authorization = heapless::String::<80>::new();
    if fmt::Write::write_fmt(&mut authorization, format_args!("Bearer {token}")).is_err() {
        warn!("the token has more than 73 octets: it is cut short");
    }
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/sdp")];
    let mut response = [0; RESPONSE];
    let mut again = AGAIN;
    loop {
        rtc.wait_for_address().await;
        info!("dialling {}", url);
        let since = Instant::now();
        match call(&mut http, rtc, url, &headers, &mut response).await {
            Ok(peer) => {
                info!("peer {} was found by {} after {} ms", peer, url, since.elapsed().as_millis());
                again = AGAIN;
                rtc.wait_until_gone(peer).await;
            }
            Err(failure) => {
                #[cfg(feature = "defmt")]
                let failure = defmt::Display2Format(&failure);
                info!("{}; dialling again in {} s", failure, again.as_secs());
            }
        }
        Timer::after(again).await;
        again = (again * 2).min(AGAIN_AT_MOST);
    }
}

/// One offer and its answer.
async fn call(
    http: &mut HttpClient<'_, TcpClient<'_, 1, 1024, 1536>, DnsSocket<'_>>,
    rtc: Rtc<'_>,
    url: &str,
    headers: &[(&str, &str)],
    response: &mut [u8],
) -> Result<PeerId, Failure> {
    let (peer, offer) = rtc.offer("device", RTCDataChannelInit::default())?;
    let answered = with_timeout(PATIENCE, post(http, url, headers, &offer.sdp, response)).await;
    // Nobody else knows the peer yet: without an answer it is over.
    let accepted = match answered {
        Ok(Ok(answer)) => rtc.accept_answer(peer, answer).map_err(Failure::from),
        Ok(Err(failure)) => Err(failure),
        Err(TimeoutError) => Err(Failure::Silence),
    };
    if accepted.is_err() {
        rtc.close(peer);
        // Its place is free before there is another one.
        rtc.wait_until_gone(peer).await;
    }
    accepted.map(|()| peer)
}

async fn post<'b>(
    http: &mut HttpClient<'_, TcpClient<'_, 1, 1024, 1536>, DnsSocket<'_>>,
    url: &str,
    headers: &[(&str, &str)],
    offer: &str,
    buf: &'b mut [u8],
) -> Result<&'b str, Failure> {
    let request = http.request(Method::POST, url).await?;
    let mut request = request.headers(headers).body(offer.as_bytes());
    let response = request.send(buf).await?;
    let status = response.status.0;
    // "201 Created" with the answer (RFC 9725, Section 4.2).
    if !(200..300).contains(&status) || status == 204 {
        return Err(Failure::Status(status));
    }
    let answer = response.body().read_to_end().await?;
    str::from_utf8(answer).map_err(|_| Failure::NotText)
}

/// Why a call came to nothing.
enum Failure {
    Refused(Refusal),
    Http(reqwless::Error),
    Status(u16),
    NotText,
    Silence,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<reqwless::Error> for Failure {
    fn from(error: reqwless::Error) -> Self {
        Self::Http(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Http(reqwless::Error::InvalidUrl(_)) => {
                f.write_str("the URL to dial is none that this device can: http://HOST[:PORT]/PATH")
            }
            Self::Http(reqwless::Error::Dns) => f.write_str("the server's name is not known"),
            Self::Http(reqwless::Error::BufferTooSmall) => f.write_str("the answer is too long"),
            Self::Http(e) => write!(f, "the server cannot be reached: {e}"),
            Self::Status(401 | 403) => f.write_str("the server does not take the token"),
            Self::Status(204 | 404 | 408 | 504) => f.write_str("nobody is there to answer"),
            Self::Status(status) => write!(f, "the server says {status}"),
            Self::NotText => f.write_str("the answer is not text"),
            Self::Silence => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}
