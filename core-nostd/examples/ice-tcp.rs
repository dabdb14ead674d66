//! ICE over TCP (RFC 6544), where UDP does not get through: both ends listen,
//! and both open streams.
//!
//! ```text
//! cargo run --release --example ice-tcp
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
    offerer.bind_tcp("127.0.0.1:0", true).await?;
    answerer.bind_tcp("127.0.0.1:0", true).await?;
    Meeting::new(offerer, answerer).await?.talk().await
}
