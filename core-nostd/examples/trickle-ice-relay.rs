//! Trickle ICE with relayed candidates only: neither end tells the other its
//! own address.
//!
//! ```text
//! cargo run --release --example trickle-ice-relay -- turn:turn.example.org USER PASSWORD 192.0.2.1
//! ```
//!
//! The URL may have `?transport=tcp`, or begin with `turns:`. The last argument
//! is the address of the interface, by default loopback.
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]
#![allow(dead_code, reason = "what the examples have in common")]

#[path = "common/node.rs"]
mod node;
#[path = "common/streams.rs"]
mod streams;

use node::{Meeting, Node, Result};
use picortc::peer::{RTCConfiguration, RTCIceServer, RTCIceTransportPolicy};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [url, username, credential, bind @ ..] = args.as_slice() else {
        return Err("the URL of a TURN server, a user name and a password are wanted".into());
    };
    let bind = format!("{}:0", bind.first().map_or("127.0.0.1", String::as_str));
    let servers = [RTCIceServer { urls: &[url], username, credential }];
    let configuration = RTCConfiguration {
        ice_servers: &servers,
        ice_transport_policy: RTCIceTransportPolicy::Relay,
        ..RTCConfiguration::default()
    };
    let mut offerer = Node::new("offerer", configuration)?;
    let mut answerer = Node::new("answerer", configuration)?;
    offerer.bind_udp(&bind).await?;
    answerer.bind_udp(&bind).await?;
    Meeting::new(offerer, answerer).await?.talk().await
}
