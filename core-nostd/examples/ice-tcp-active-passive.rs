//! ICE over TCP with one end that listens (passive) and one that only opens
//! streams (active), as a runtime without listeners does; each end in both
//! parts.
//!
//! ```text
//! cargo run --release --example ice-tcp-active-passive
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
    for offerer_listens in [false, true] {
        println!("the {} listens", if offerer_listens { "offerer" } else { "answerer" });
        let mut offerer = Node::new("offerer", RTCConfiguration::default())?;
        let mut answerer = Node::new("answerer", RTCConfiguration::default())?;
        offerer.bind_tcp("127.0.0.1:0", offerer_listens).await?;
        answerer.bind_tcp("127.0.0.1:0", !offerer_listens).await?;
        Meeting::new(offerer, answerer).await?.talk().await?;
    }
    Ok(())
}
