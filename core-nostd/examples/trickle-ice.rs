//! Trickle ICE with all that there is: UDP, TCP, and a server if one is given.
//!
//! ```text
//! cargo run --release --example trickle-ice
//! cargo run --release --example trickle-ice -- turn:turn.example.org USER PASSWORD
//! ```
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
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize| args.get(i).map_or("", String::as_str);
    let urls = [arg(0)];
    let server = [RTCIceServer { urls: &urls, username: arg(1), credential: arg(2) }];
    let ice_servers: &[_] = if args.is_empty() { &[] } else { &server };
    let configuration = RTCConfiguration { ice_servers, ..RTCConfiguration::default() };
    let mut offerer = Node::new("offerer", configuration)?;
    let mut answerer = Node::new("answerer", configuration)?;
    for node in [&mut offerer, &mut answerer] {
        node.bind_udp("127.0.0.1:0").await?;
        node.bind_tcp("127.0.0.1:0", true).await?;
    }
    Meeting::new(offerer, answerer).await?.talk().await
}
