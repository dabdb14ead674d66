//! ICE restart while messages flow, and a change of network under way: every
//! message arrives.
//!
//! ```text
//! cargo run --release --example ice-restart
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]
#![allow(dead_code, reason = "what the examples have in common")]

#[path = "common/node.rs"]
mod node;
#[path = "common/streams.rs"]
mod streams;

use node::{Meeting, Node, Result};
use picortc::peer::RTCConfiguration;
use std::time::Instant;

/// Messages in each part.
const MESSAGES: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut offerer = Node::new("offerer", RTCConfiguration::default())?;
    let mut answerer = Node::new("answerer", RTCConfiguration::default())?;
    let home = offerer.bind_udp("127.0.0.1:0").await?;
    answerer.bind_udp("127.0.0.1:0").await?;
    let mut meeting = Meeting::new(offerer, answerer).await?;

    let ufrag = meeting.offerer.pc.local_ufrag().to_string();
    stream(&mut meeting, |m| m.negotiate(true)).await?;
    if meeting.offerer.pc.local_ufrag() == ufrag {
        return Err("the ufrag is the old one".into());
    }
    println!("restarted: {MESSAGES} messages, none lost");

    // From one interface to another, as from Wi-Fi to Ethernet.
    let away = meeting.offerer.bind_udp("127.0.0.2:0").await?;
    let leave = |m: &mut Meeting| {
        m.offerer.lose_udp(home);
        Ok(())
    };
    stream(&mut meeting, leave).await?;
    let path = meeting.offerer.pc.selected_path().ok_or("there is no path")?;
    if path.local_addr != away {
        return Err("the path is the old one".into());
    }
    println!("moved: {MESSAGES} messages, none lost");
    Ok(())
}

/// Sends messages, and in the middle of them something happens.
async fn stream(meeting: &mut Meeting, mut happen: impl FnMut(&mut Meeting) -> Result<()>) -> Result<()> {
    let already = meeting.answerer.received.len();
    let (mut sent, mut last, mut gap) = (0, already, std::time::Duration::ZERO);
    let mut since = Instant::now();
    let mut happened = Ok(());
    meeting
        .until(|m| {
            // A few at a time, so that some are always on their way.
            let arrived = m.answerer.received.len();
            while sent < MESSAGES
                && sent < arrived - already + 8
                && m.offerer.send(&format!("message {sent}"))
            {
                sent += 1;
                if sent == MESSAGES / 2 {
                    happened = happen(m);
                }
            }
            if arrived != last {
                (gap, last, since) = (gap.max(since.elapsed()), arrived, Instant::now());
            }
            arrived == already + MESSAGES || happened.is_err()
        })
        .await?;
    happened?;
    for (i, text) in meeting.answerer.received.iter().skip(already).enumerate() {
        if *text != format!("message {i}") {
            return Err(format!("{text:?} came in the place of message {i}").into());
        }
    }
    println!("longest silence {} ms", gap.as_millis());
    Ok(())
}
