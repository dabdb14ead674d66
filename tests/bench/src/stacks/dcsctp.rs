//! dcSCTP, the SCTP of libwebrtc, in Rust.

use super::{End, Ends, Got, Micros, Options, Stack};
use dcsctp::api::{
    DcSctpSocket, Message, Options as Config, PpId, SendOptions, SocketEvent, SocketState, SocketTime,
    StreamId, ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
};
use std::collections::VecDeque;
use std::time::Duration;

pub const STACK: Stack = Stack { name: "dcsctp", about: "dcSCTP, SCTP alone", pair, sctp_only: true };

fn at(now: Micros) -> SocketTime {
    SocketTime::zero() + Duration::from_micros(now)
}

struct Peer {
    socket: Box<dyn DcSctpSocket>,
    out: VecDeque<Vec<u8>>,
    buffer: usize,
}

fn pair(options: &Options) -> Ends {
    let config = Config {
        max_receiver_window_buffer_size: 1024 * 1024,
        zero_checksum_alternate_error_detection_method:
            ZERO_CHECKSUM_ALTERNATE_ERROR_DETECTION_METHOD_LOWER_LAYER_DTLS,
        ..Config::default()
    };
    let end = |connect: bool| {
        let mut socket = dcsctp::new_socket("", &config);
        if connect {
            socket.connect();
        }
        Box::new(Peer { socket, out: VecDeque::new(), buffer: options.buffer }) as Box<dyn End>
    };
    [end(true), end(false)]
}

impl Peer {
    fn drain(&mut self) {
        while let Some(event) = self.socket.poll_event() {
            if let SocketEvent::SendPacket(packet) = event {
                self.out.push_back(packet);
            }
        }
    }
}

impl End for Peer {
    fn handle_read(&mut self, now: Micros, datagram: &mut [u8]) {
        self.socket.advance_time(at(now));
        self.socket.handle_input(datagram);
    }

    fn poll_write(&mut self, _: Micros, buf: &mut [u8]) -> Option<usize> {
        self.drain();
        let datagram = self.out.pop_front()?;
        buf[..datagram.len()].copy_from_slice(&datagram);
        Some(datagram.len())
    }

    fn poll_timeout(&mut self) -> Option<Micros> {
        let timeout = self.socket.poll_timeout();
        if timeout == SocketTime::infinite_future() {
            return None;
        }
        u64::try_from((timeout - SocketTime::zero()).as_nanos().div_ceil(1000)).ok()
    }

    fn handle_timeout(&mut self, now: Micros) {
        self.socket.advance_time(at(now));
    }

    fn read(&mut self, _: Micros) -> Got {
        let mut got = Got::default();
        while let Some(message) = self.socket.get_next_message() {
            got.messages += 1;
            got.octets += message.payload.len() as u64;
        }
        got
    }

    fn is_open(&self) -> bool {
        self.socket.state() == SocketState::Connected
    }

    fn write(&mut self, now: Micros, message: &[u8]) -> bool {
        let buffered = self.socket.buffered_amount(StreamId(1));
        if buffered > 0 && buffered + message.len() > self.buffer {
            return false;
        }
        self.socket.advance_time(at(now));
        let message = Message::new(StreamId(1), PpId(53), message.to_vec());
        self.socket.send(message, &SendOptions::default()).is_ok()
    }
}
