//! One peer after another: what is done with its channels.

use crate::bulk::{Bulk, Line};
use crate::{Board, MAX_MESSAGE};
use core::fmt::Write;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Ticker};
use picortc_embassy::picortc::peer::{
    RTCDataChannelEvent, RTCDataChannelId, RTCPeerConnectionEvent, WriteError,
};
use picortc_embassy::{CloseReason, Peer, PeerEvent, Rtc};

/// Serves one peer after another. Run as many of these as there are places for
/// peers.
pub async fn serve_peers(rtc: Rtc<'_>, board: &impl Board) -> ! {
    let mut buf = [0; MAX_MESSAGE];
    loop {
        let peer = rtc.accept().await;
        let id = peer.id();
        info!("peer {} is served", id);
        let mut session = Session { rtc, board, peer, device: None, bulk: None };
        let reason = session.run(&mut buf).await;
        match session.peer.with(|pc, _| pc.dtls_error()).flatten() {
            Some(error) => info!("peer {}: {}: {:?}", id, reason, error),
            None => info!("peer {}: {}", id, reason),
        }
    }
}

struct Session<'a, 'd, B> {
    rtc: Rtc<'d>,
    board: &'a B,
    peer: Peer<'d>,
    /// The channel for the LED and the temperature.
    device: Option<RTCDataChannelId>,
    bulk: Option<Bulk>,
}

impl<B: Board> Session<'_, '_, B> {
    async fn run(&mut self, buf: &mut [u8]) -> CloseReason {
        let mut second = Ticker::every(Duration::from_secs(1));
        loop {
            if let Some(bulk) = &mut self.bulk
                && let Err(e) = bulk.send(&mut self.peer, buf)
                && e != WriteError::Full
            {
                self.bulk = None;
            }
            let event = match self.device {
                None => self.peer.next(buf).await,
                Some(_) => match select(self.peer.next(buf), second.next()).await {
                    Either::First(event) => event,
                    Either::Second(()) => {
                        self.tell_temperature();
                        continue;
                    }
                },
            };
            match event {
                PeerEvent::Signal(RTCPeerConnectionEvent::OnDataChannel(event)) => self.channel(event),
                PeerEvent::Signal(RTCPeerConnectionEvent::OnMilestone(m)) => {
                    info!("peer {}: {:?} after {} ms", self.peer.id(), m.step, m.millis);
                }
                PeerEvent::Message { channel, is_string, len } => {
                    self.message(channel, is_string, &buf[..len]).await;
                }
                PeerEvent::Closed(reason) => return reason,
                _ => {}
            }
        }
    }

    fn channel(&mut self, event: RTCDataChannelEvent) {
        match event {
            RTCDataChannelEvent::OnOpen(id) => {
                if self.has_label(id, "device") {
                    self.device = Some(id);
                    self.tell_temperature();
                }
                // A transfer goes on when half of what is buffered has left.
                self.peer.with(|pc, _| {
                    if let Some(mut channel) = pc.data_channel(id) {
                        channel.set_buffered_amount_low_threshold(MAX_MESSAGE / 2);
                    }
                });
            }
            RTCDataChannelEvent::OnClose(id) => {
                self.device.take_if(|device| *device == id);
                self.bulk.take_if(|bulk| bulk.is_on(id));
            }
            _ => {}
        }
    }

    fn has_label(&mut self, id: RTCDataChannelId, label: &str) -> bool {
        self.peer.with_label(id, |theirs| theirs == label) == Some(true)
    }

    async fn message(&mut self, channel: RTCDataChannelId, is_string: bool, data: &[u8]) {
        if self.device == Some(channel) {
            return self.command(channel, str::from_utf8(data).unwrap_or_default()).await;
        }
        if self.has_label(channel, "bulk") {
            return self.transfer(channel, is_string, data).await;
        }
        // An error is a channel that closed meanwhile.
        let _ = self.peer.send(channel, is_string, data).await;
    }

    async fn command(&mut self, channel: RTCDataChannelId, text: &str) {
        let mut reply = Line::new();
        let written = match text {
            // Another device tells what we tell it, and answers as we do.
            _ if text.starts_with("temperature ") => {
                info!("peer {}: {}", self.peer.id(), text);
                return;
            }
            "what?" => return,
            "led on" | "led off" => {
                self.board.set_led(text == "led on");
                reply.push_str(text).map_err(|_| core::fmt::Error)
            }
            "status" => {
                let (heap, peers) = (self.board.heap_used(), self.rtc.peers());
                write!(reply, "status heap {heap} peers {peers} uptime {}", Instant::now().as_secs())
            }
            _ => reply.push_str("what?").map_err(|_| core::fmt::Error),
        };
        if written.is_ok() {
            let _ = self.peer.send(channel, true, reply.as_bytes()).await;
        }
    }

    async fn transfer(&mut self, channel: RTCDataChannelId, is_string: bool, data: &[u8]) {
        if !is_string {
            if let Some(bulk) = &mut self.bulk {
                bulk.receive(data);
            }
            return;
        }
        let text = str::from_utf8(data).unwrap_or_default();
        if let Some(bulk) = Bulk::begin(channel, text) {
            self.bulk = Some(bulk);
        } else if text.starts_with("sha256 ")
            && let Some(bulk) = &self.bulk
        {
            let _ = self.peer.send(channel, true, bulk.verdict().as_bytes()).await;
        }
    }

    /// Skipped when there is no room: the next one is fresher.
    fn tell_temperature(&mut self) {
        let tenths = self.board.temperature();
        let mut line = Line::new();
        let sign = if tenths < 0 { "-" } else { "" };
        let written = write!(line, "temperature {sign}{}.{}", tenths.abs() / 10, tenths.abs() % 10);
        if let (Ok(()), Some(device)) = (written, self.device) {
            let _ = self.peer.try_send(device, true, line.as_bytes());
        }
    }
}
