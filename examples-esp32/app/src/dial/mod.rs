//! Dialling out: a device that nobody can reach, behind a NAT, finds its peers
//! by way of a server.
//!
//! | URL | what happens | file |
//! | --- | --- | --- |
//! | `http://…` | the device posts an offer, as WHIP does, and gets an answer | `post` |
//! | `ws://…` | the device waits at a WebSocket for offers, and answers them | `socket` |

mod post;
mod socket;

use core::fmt;
use embassy_net::Stack;
use embassy_time::{Duration, Timer};
use picortc_embassy::{Refusal, Rtc};

/// For how long a server may hold what it was asked.
const PATIENCE: Duration = Duration::from_secs(60);
/// When a call came to nothing, the next one is this much later, and then after
/// twice as long each time.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_AT_MOST: Duration = Duration::from_secs(30);

/// Where to dial.
#[derive(Debug, Clone, Copy)]
pub struct Dial {
    /// The server's URL: `http://…`, where offers are posted, or `ws://…`, where
    /// they come from.
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

/// Dials, and again when it is over. `noise` is a random number.
pub async fn dial_out(stack: Stack<'_>, rtc: Rtc<'_>, dial: Dial, noise: u64) -> ! {
    match dial.url.strip_prefix("ws://") {
        Some(place) => socket::answer_offers(stack, rtc, dial, place, noise).await,
        None => post::post_offers(stack, rtc, dial).await,
    }
}

/// `Authorization` for a token.
fn bearer(token: &str) -> heapless::String<80> {
    let mut authorization = heapless::String::new();
    if fmt::Write::write_fmt(&mut authorization, format_args!("Bearer {token}")).is_err() {
        warn!("the token has more than 73 octets: it is cut short");
    }
    authorization
}

/// Waits before the next call, ever longer.
struct Again(Duration);

impl Again {
    const fn new() -> Self {
        Self(AGAIN)
    }

    async fn wait(&mut self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            #[cfg(feature = "defmt")]
            let failure = defmt::Display2Format(failure);
            info!("{}; dialling again in {} s", failure, self.0.as_secs());
        }
        Timer::after(self.0).await;
        self.0 = (self.0 * 2).min(AGAIN_AT_MOST);
    }
}

/// Why a call came to nothing.
enum Failure {
    Refused(Refusal),
    Http(reqwless::Error),
    Status(u16),
    NotText,
    Silence,
    Url,
    Name,
    /// No TCP connection, or it was lost.
    Lost,
    /// What speaks no WebSocket.
    NoSocket,
    /// The server closed.
    Closed,
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
            Self::Url | Self::Http(reqwless::Error::InvalidUrl(_)) => f.write_str(
                "the URL to dial is none that this device can: http://HOST[:PORT]/PATH or ws://HOST[:PORT]/PATH",
            ),
            Self::Name | Self::Http(reqwless::Error::Dns) => f.write_str("the server's name is not known"),
            Self::Http(reqwless::Error::BufferTooSmall) => f.write_str("the answer is too long"),
            Self::Http(e) => write!(f, "the server cannot be reached: {e}"),
            Self::Status(401 | 403) => f.write_str("the server does not take the token"),
            Self::Status(204 | 404 | 408 | 504) => f.write_str("nobody is there to answer"),
            Self::Status(status) => write!(f, "the server says {status}"),
            Self::NotText => f.write_str("the answer is not text"),
            Self::Lost => f.write_str("the server cannot be reached, or is gone"),
            Self::NoSocket => f.write_str("the server speaks no WebSocket there"),
            Self::Closed => f.write_str("the server has closed"),
            Self::Silence => write!(f, "no answer within {} s", PATIENCE.as_secs()),
        }
    }
}
