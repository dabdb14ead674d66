//! Both halves of a connection over UDP on loopback, in one program: an
//! offerer and an answerer exchange a few messages, and print each change of
//! state with the time it took.
//!
//! ```text
//! cargo run --release --example data-channels-offer-answer
//! ```
#![allow(clippy::disallowed_methods, reason = "programs around the core have a clock")]

use picortc::env::{Instant, TransportContext, TransportProtocol};
use picortc::peer::{
    RTCDataChannelEvent, RTCDataChannelInit, RTCEvent, RTCMessage, RTCPeerConnection,
    RTCPeerConnectionBuilder, RTCPeerConnectionEvent, RTCSdpType, SettingEngine,
};
use std::error::Error;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// How many messages the offerer sends and gets back.
const MESSAGES: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    // Stands in for the signalling: two text messages, one each way.
    let (to_answerer, offers) = channel();
    let (to_offerer, answers) = channel();
    let answerer = thread::spawn(move || {
        Half::new("answerer").and_then(|half| half.answer(&offers, &to_offerer)).map_err(|e| e.to_string())
    });
    Half::new("offerer")?.offer(&to_answerer, &answers)?;
    answerer.join().map_err(|_| "the answerer panicked")??;
    println!("{MESSAGES} messages there and back");
    Ok(())
}

/// One end: a connection, its socket and its clock.
struct Half {
    name: &'static str,
    pc: RTCPeerConnection,
    socket: UdpSocket,
    started: std::time::Instant,
    /// Messages that came.
    received: usize,
    closed: bool,
}

impl Half {
    fn new(name: &'static str) -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let settings = SettingEngine { include_loopback_candidate: true, ..SettingEngine::default() };
        let mut pc =
            RTCPeerConnectionBuilder::new().with_setting_engine(settings).build(Instant::ZERO, seed)?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let (addr, protocol) = (socket.local_addr()?, TransportProtocol::Udp);
        pc.handle_event(Instant::ZERO, RTCEvent::LocalAddressAdded { addr, protocol });
        pc.handle_event(Instant::ZERO, RTCEvent::EndOfLocalAddresses);
        Ok(Self { name, pc, socket, started: std::time::Instant::now(), received: 0, closed: false })
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.started.elapsed().as_micros() as u64)
    }

    fn offer(mut self, offers: &Sender<String>, answers: &Receiver<String>) -> Result<(), Box<dyn Error>> {
        let now = self.now();
        let channel = self.pc.create_data_channel(now, "chat", RTCDataChannelInit::default())?;
        let offer = self.pc.create_offer(None)?;
        self.pc.set_local_description(now, RTCSdpType::Offer, &offer.sdp)?;
        offers.send(offer.sdp)?;
        let answer = answers.recv()?;
        self.pc.set_remote_description(self.now(), RTCSdpType::Answer, &answer)?;
        let mut sent = 0;
        while self.received < MESSAGES {
            self.turn()?;
            let now = self.now();
            let mut channel = self.pc.data_channel(channel).ok_or("the channel closed")?;
            // One after the other: each waits for the echo of the one before.
            if sent == self.received
                && sent < MESSAGES
                && channel.send_text(now, &format!("message {sent}")).is_ok()
            {
                sent += 1;
            }
        }
        self.pc.close(self.now());
        self.turn()
    }

    fn answer(mut self, offers: &Receiver<String>, answers: &Sender<String>) -> Result<(), Box<dyn Error>> {
        let offer = offers.recv()?;
        let now = self.now();
        self.pc.set_remote_description(now, RTCSdpType::Offer, &offer)?;
        let answer = self.pc.create_answer(None)?;
        self.pc.set_local_description(now, RTCSdpType::Answer, &answer.sdp)?;
        answers.send(answer.sdp)?;
        while !self.closed {
            self.turn()?;
        }
        Ok(())
    }

    /// One turn of the event loop: send, tell, read, wait.
    fn turn(&mut self) -> Result<(), Box<dyn Error>> {
        let mut buf = [0; 2048];
        let before = self.received;
        loop {
            while let Some(transmit) = self.pc.poll_write(self.now(), &mut buf) {
                self.socket
                    .send_to(buf.get(..transmit.len).unwrap_or_default(), transmit.transport.peer_addr)?;
            }
            while let Some(event) = self.pc.poll_event() {
                self.tell(event);
            }
            let Some(RTCMessage::DataChannelMessage(id, message)) = self.pc.poll_read() else { break };
            self.received += 1;
            let text = message.as_str().unwrap_or("(binary)").to_string();
            println!("{:>9} {:>8.1?} received {text:?}", self.name, self.started.elapsed());
            if self.name == "answerer" {
                let now = self.now();
                self.pc.data_channel(id).ok_or("the channel closed")?.send_text(now, &text)?;
            }
        }
        if self.received > before {
            return Ok(()); // there may be something to say before waiting
        }
        let wait = self.pc.poll_timeout().map(|at| at.saturating_since(self.now()));
        let wait = wait.unwrap_or(Duration::from_millis(100)).max(Duration::from_micros(1));
        self.socket.set_read_timeout(Some(wait))?;
        if let Ok((len, from)) = self.socket.recv_from(&mut buf) {
            let path = TransportContext::udp(self.socket.local_addr()?, from);
            self.pc.handle_read(self.now(), path, buf.get_mut(..len).unwrap_or_default());
        }
        self.pc.handle_timeout(self.now());
        Ok(())
    }

    fn tell(&mut self, event: RTCPeerConnectionEvent) {
        let what = match event {
            RTCPeerConnectionEvent::OnSignalingStateChangeEvent(s) => format!("signaling {}", s.as_str()),
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(s) => format!("ICE {s}"),
            RTCPeerConnectionEvent::OnConnectionStateChangeEvent(s) => format!("connection {s}"),
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(_)) => {
                "channel open".to_string()
            }
            RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnClose(_)) => {
                self.closed = true;
                "channel closed".to_string()
            }
            RTCPeerConnectionEvent::OnMilestone(m) => format!("{:?}", m.step),
            _ => return,
        };
        println!("{:>9} {:>8.1?} {what}", self.name, self.started.elapsed());
    }
}
