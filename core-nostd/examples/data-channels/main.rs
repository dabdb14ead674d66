//! Data channels with browsers: serves a page, answers offers over plain
//! HTTP, and echoes every message.
//!
//! ```text
//! cargo run --release --example data-channels
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]

mod accept;
mod bulk;
mod http;
mod hub;
mod multicast;
mod peer;
mod socket;
#[path = "../common/streams.rs"]
mod streams;

use clap::Parser;
use hub::{Command, Hub};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use streams::Streams;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;

/// Data channels with browsers.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// The address for UDP. Port 0 is any; without this option it is that of
    /// the interface that leads outside.
    #[arg(long)]
    bind: Option<SocketAddr>,
    /// Where the page and the signalling are served.
    #[arg(long, default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Make an offer and post it to this URL, which answers with the answer.
    #[arg(long, value_name = "URL")]
    offer_to: Option<String>,
    /// The label of the channel that we make ourselves.
    #[arg(long, default_value = "data")]
    label: String,
    /// Send every message back on its channel.
    #[arg(long, default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set)]
    echo: bool,
    /// A channel that exists on every connection with this number, by
    /// agreement. May be given several times.
    #[arg(long, value_name = "ID")]
    negotiated: Vec<u16>,
    /// Send so many octets on the first channel, and check the digest.
    #[arg(long, value_name = "BYTES", conflicts_with = "receive")]
    send: Option<u64>,
    /// Receive such a transfer, and tell the digest.
    #[arg(long)]
    receive: bool,
    /// A STUN or TURN server: `stun:…`, `turn:…` or `turns:…`. May be given
    /// several times.
    #[arg(long, value_name = "URL")]
    ice_server: Vec<String>,
    /// The user name for TURN servers.
    #[arg(long, default_value = "")]
    username: String,
    /// The password for TURN servers.
    #[arg(long, default_value = "")]
    credential: String,
    /// Use relayed candidates only.
    #[arg(long)]
    relay_only: bool,
    /// Let TURN servers that are reached over TCP or TLS relay TCP too (RFC
    /// 6062), to peers that have nothing else.
    #[arg(long)]
    tcp_relay: bool,
    /// Nominate a better path that comes to work later, with peers that do so
    /// too.
    #[arg(long)]
    renomination: bool,
    /// Wait so many milliseconds at most for servers before an answer or an
    /// offer is sent.
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    gather_ms: u64,
    /// Trust the certificates in this file too, for TURN over TLS.
    #[arg(long, value_name = "PEM")]
    tls_ca: Option<String>,
    /// Listen for ICE over TCP on the address for UDP too.
    #[arg(long)]
    tcp: bool,
    /// Open streams from the listener's port too, by both ends at once, where the
    /// other end does the same (simultaneous open).
    #[arg(long, requires = "tcp")]
    tcp_so: bool,
    /// No UDP at all, with --tcp or --relay-only.
    #[arg(long)]
    no_udp: bool,
    /// Go where the way outside goes: when another interface leads there, bind
    /// to its address and leave the one that was used.
    #[arg(long)]
    roam: bool,
    /// The DSCP that datagrams to peers are marked with.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..64))]
    dscp: u8,
    /// The ECN codepoint that data is marked with.
    #[arg(long, default_value = "not-ect", value_parser = ["not-ect", "ect0", "ect1"])]
    ecn: String,
    /// End after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    exit_after: Option<u64>,
    /// The only version of DTLS to speak: 1.3 and 1.2 when it is not given.
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3"])]
    dtls: Option<String>,

    /// Multicast DNS: `query` looks up the names that browsers hide behind,
    /// `gather` hides our own address behind one, too.
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = ["off", "query", "gather"])]
    mdns: String,
    /// Print each change of state.
    #[arg(long)]
    log: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let bind = options.bind.unwrap_or_else(|| SocketAddr::new(outward_address(), 0));
    if bind.ip().is_unspecified() {
        return Err("--bind wants the address of an interface: peers cannot send to 0.0.0.0".into());
    }
    let socket = UdpSocket::bind(bind).map_err(|e| format!("cannot bind UDP {bind}: {e}"))?;
    let (commands, inbox) = mpsc::unbounded_channel();
    let url = http::serve(options.http, commands.clone())?;
    println!("{url}");
    if let Some(url) = options.offer_to.clone() {
        commands.send(Command::OfferTo(url))?;
    }
    let local = socket.local_addr()?;
    if options.tcp {
        let listener = listen(local, options.tcp_so).map_err(|e| format!("cannot bind TCP {local}: {e}"))?;
        tokio::spawn(accept::accept(listener, commands.clone()));
    }
    let streams = Streams::new(options.tls_ca.as_deref())?;
    let mut hub = Hub::new(options.clone(), socket, commands, inbox, streams)?;
    let deadline = async {
        match options.exit_after {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        result = hub.run() => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
        () = deadline => Ok(()),
    };
    hub.close().await;
    Ok(ended?)
}

/// Listens for streams, on a port of its own or on a shared one.
fn listen(local: SocketAddr, shared: bool) -> std::io::Result<TcpListener> {
    let socket = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if shared {
        streams::share_port(&socket)?;
    }
    socket.bind(local)?;
    socket.listen(64)
}

/// The address of the interface by which the Internet is reached, or loopback.
/// Nothing is sent.
fn outward_address() -> IpAddr {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0") else { return loopback };
    match socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) {
        Ok(addr) if !addr.ip().is_unspecified() => addr.ip(),
        _ => loopback,
    }
}
