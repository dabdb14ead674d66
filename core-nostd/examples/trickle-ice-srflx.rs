//! Trickle ICE with server-reflexive candidates: a STUN server tells each end
//! its address as seen from outside.
//!
//! ```text
//! cargo run --release --example trickle-ice-srflx -- stun:stun.example.org 192.0.2.1
//! ```
//!
//! The second argument is the address of the interface, by default loopback.
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]
#![allow(dead_code, reason = "what the examples have in common")]

#[path = "common/node.rs"]
mod node;
#[path = "common/streams.rs"]
mod streams;

use node::{Meeting, Node, Result};
use picortc::peer::{RTCConfiguration, RTCIceServer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("the URL of a STUN server is wanted")?;
    let bind = format!("{}:0", args.next().as_deref().unwrap_or("127.0.0.1"));
    let servers = [RTCIceServer { urls: &[&url], ..RTCIceServer::default() }];
    let configuration = RTCConfiguration { ice_servers: &servers, ..RTCConfiguration::default() };
    let mut offerer = Node::new("offerer", configuration)?;
    let mut answerer = Node::new("answerer", configuration)?;
    offerer.bind_udp(&bind).await?;
    answerer.bind_udp(&bind).await?;
    Meeting::new(offerer, answerer).await?.talk().await
}
