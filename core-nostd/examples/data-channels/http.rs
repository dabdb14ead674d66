//! The page, and signalling by `POST /offer`.

use crate::hub::{Answer, Command, Offer, Refusal};
use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use tiny_http::{Header, Method, Request, Response, Server};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

/// No session description is longer.
const MAX_OFFER: u64 = 256 * 1024;
/// Offers that are answered at the same time.
const WORKERS: usize = 4;

/// Serves in threads of its own; returns the URL of the page.
pub(crate) fn serve(addr: SocketAddr, commands: UnboundedSender<Command>) -> Result<String, Box<dyn Error>> {
    let server = Server::http(addr).map_err(|e| format!("cannot serve HTTP on {addr}: {e}"))?;
    let url = format!("http://{}/", server.server_addr());
    let server = Arc::new(server);
    for _ in 0..WORKERS {
        let (server, commands) = (server.clone(), commands.clone());
        std::thread::spawn(move || {
            while let Ok(request) = server.recv() {
                handle(request, &commands);
            }
        });
    }
    Ok(url)
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("a header of letters and digits")
}

fn handle(mut request: Request, commands: &UnboundedSender<Command>) {
    let response = match (request.method(), request.url()) {
        (Method::Get | Method::Head, "/") => Response::from_string(include_str!("page.html"))
            .with_header(header("Content-Type", "text/html; charset=utf-8")),
        (Method::Post, "/offer") => match answer(&mut request, commands) {
            Ok(answer) => Response::from_string(answer.sdp)
                .with_status_code(201)
                .with_header(header("Content-Type", "application/sdp"))
                .with_header(header("X-Peer", &answer.peer)),
            Err(Refusal { status, words }) => Response::from_string(words + "\n")
                .with_status_code(status)
                .with_header(header("Content-Type", "text/plain")),
        },
        (_, "/" | "/offer") => Response::from_string("method not allowed\n").with_status_code(405),
        _ => Response::from_string("not found\n").with_status_code(404),
    };
    // Whoever asked may be gone.
    let _ = request.respond(response);
}

fn answer(request: &mut Request, commands: &UnboundedSender<Command>) -> Result<Answer, Refusal> {
    let peer = request.headers().iter().find(|h| h.field.equiv("X-Peer")).map(|h| h.value.to_string());
    let refuse = |status, words: &str| Refusal { status, words: words.to_string() };
    let mut sdp = String::new();
    let read = request.as_reader().take(MAX_OFFER + 1).read_to_string(&mut sdp);
    if sdp.len() as u64 > MAX_OFFER {
        return Err(refuse(413, "the offer is longer than any session description"));
    }
    read.map_err(|_| refuse(400, "the offer is not text"))?;
    let (reply, answer) = oneshot::channel();
    let gone = |_| refuse(503, "the program is about to end");
    commands.send(Command::Offer(Offer { sdp, peer }, reply)).map_err(|_| gone(()))?;
    answer.blocking_recv().map_err(|_| gone(()))?
}
