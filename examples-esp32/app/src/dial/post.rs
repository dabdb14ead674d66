//! A device that posts its offer to a server, as WHIP does (RFC 9725, Section
//! 4.2), and gets an answer.

use super::{Again, Dial, Failure, PATIENCE, bearer};
use embassy_net::Stack;
use embassy_net::dns::DnsSocket;
use embassy_net::tcp::client::{TcpClient, TcpClientState};
use embassy_time::{Instant, TimeoutError, with_timeout};
use picortc_embassy::picortc::peer::RTCDataChannelInit;
use picortc_embassy::{PeerId, Rtc};
use reqwless::client::HttpClient;
use reqwless::request::{Method, RequestBuilder};

/// Room for the head of a response and an answer.
const RESPONSE: usize = 4096;

/// Offers a connection with a channel `device` to whom the server finds, and
/// again when it has ended.
pub(super) async fn post_offers(stack: Stack<'_>, rtc: Rtc<'_>, Dial { url, token }: Dial) -> ! {
    let pool = TcpClientState::<1, 1024, 1536>::new();
    let mut tcp = TcpClient::new(stack, &pool);
    tcp.set_timeout(Some(PATIENCE));
    let dns = DnsSocket::new(stack);
    let mut http = HttpClient::new(&tcp, &dns);
    let authorization = bearer(token);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/sdp")];
    let mut response = [0; RESPONSE];
    let mut again = Again::new();
    loop {
        rtc.wait_for_address().await;
        info!("dialling {}", url);
        let since = Instant::now();
        match call(&mut http, rtc, url, &headers, &mut response).await {
            Ok(peer) => {
                info!("peer {} was found by {} after {} ms", peer, url, since.elapsed().as_millis());
                again = Again::new();
                rtc.wait_until_gone(peer).await;
                again.wait(None).await;
            }
            Err(failure) => again.wait(Some(&failure)).await,
        }
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
