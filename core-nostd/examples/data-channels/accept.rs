//! Streams that peers open to us: whose one is, its first check says.

use crate::hub::Command;
use picortc::wire::stun;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;

/// Hands accepted streams to the hub.
pub(crate) async fn accept(listener: TcpListener, commands: UnboundedSender<Command>) {
    while let Ok((stream, _)) = listener.accept().await {
        let commands = commands.clone();
        tokio::spawn(async move {
            let first = tokio::time::timeout(Duration::from_secs(5), first_ufrag(&stream)).await;
            if let Ok(Ok(Some(ufrag))) = first {
                // The hub may be gone.
                let _ = commands.send(Command::Accepted(stream, ufrag));
            }
        });
    }
}

/// The ufrag of the check that comes first, left in the stream.
async fn first_ufrag(stream: &TcpStream) -> io::Result<Option<String>> {
    let mut buf = [0; 1024];
    loop {
        let n = stream.peek(&mut buf).await?;
        let [a, b, rest @ ..] = buf.get(..n).unwrap_or_default() else {
            if n == 0 {
                return Ok(None);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let len = usize::from(u16::from_be_bytes([*a, *b]));
        match rest.get(..len) {
            Some(datagram) => return Ok(stun::peek_local_ufrag(datagram).map(str::to_string)),
            None if len + 2 > buf.len() => return Ok(None),
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
