//! Trickle ICE with host candidates: they are told one by one while the checks
//! already run.
//!
//! ```text
//! cargo run --release --example trickle-ice-host
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]
#![allow(dead_code, reason = "what the examples have in common")]

#[path = "common/node.rs"]
mod node;
#[path = "common/streams.rs"]
mod streams;

use node::{Meeting, Node, Result};
use picortc::peer::RTCConfiguration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut offerer = Node::new("offerer", RTCConfiguration::default())?;
    let mut answerer = Node::new("answerer", RTCConfiguration::default())?;
    offerer.bind_udp("127.0.0.1:0").await?;
    answerer.bind_udp("127.0.0.1:0").await?;
    // Machines without IPv6 do without.
    let _ = offerer.bind_udp("[::1]:0").await;
    let _ = answerer.bind_udp("[::1]:0").await;
    Meeting::new(offerer, answerer).await?.talk().await
}
