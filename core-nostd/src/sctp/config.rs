//! What an association is told at construction, and how much it may hold.

use super::data_in::{Ready, Run};
use super::data_out::{Queued, Sent};
use super::streams::{InStream, OutStream};
use crate::crypto::Hashes;
use crate::mem::{BlockPool, FixedDeque, FixedVec};
use crate::wire::sctp::Tsn;
use core::time::Duration;

/// How an association behaves. Both ends of WebRTC use port 5000 and the
/// defaults unless their descriptions say otherwise.
#[derive(Clone, Copy)]
pub struct Config {
    /// Authenticates state cookies.
    pub hashes: &'static dyn Hashes,
    /// Our port, and the peer's until [`Remote`] says otherwise.
    pub port: u16,
    /// Offer message interleaving (RFC 8260).
    pub interleaving: bool,
    /// Offer to do without checksums, which DTLS makes superfluous (RFC 9653).
    pub zero_checksum: bool,
    /// The retransmission timeout before a round trip was measured.
    pub rto_initial: Duration,
    /// The least retransmission timeout. It must exceed the peer's
    /// acknowledgement delay, which is 200 ms at most implementations.
    pub rto_min: Duration,
    /// The greatest retransmission timeout.
    pub rto_max: Duration,
    /// For how long an acknowledgement may wait for a second packet.
    pub sack_delay: Duration,
    /// How long a path is idle before a HEARTBEAT; zero for never.
    pub heartbeat_interval: Duration,
    /// How often INIT and COOKIE ECHO are sent again before the association
    /// fails; `None` for without end.
    pub max_init_retransmits: Option<u16>,
    /// How many timeouts in a row fail the association; `None` for any number.
    pub max_retransmits: Option<u16>,
    /// The first congestion window, in packets. Ten is what TCP starts with
    /// (RFC 6928); RFC 9260 asks for about four.
    pub initial_window: u16,
    /// How many packets of data may leave between two acknowledgements; 0 for
    /// as many as the congestion window takes.
    pub max_burst: u16,
}

impl Config {
    /// The defaults, with the provider's hashes.
    pub const fn new(hashes: &'static dyn Hashes) -> Self {
        Self {
            hashes,
            port: 5000,
            interleaving: false,
            zero_checksum: true,
            rto_initial: Duration::from_millis(500),
            rto_min: Duration::from_millis(400),
            rto_max: Duration::from_secs(10),
            sack_delay: Duration::from_millis(200),
            heartbeat_interval: Duration::from_secs(30),
            max_init_retransmits: Some(8),
            max_retransmits: Some(10),
            initial_window: 10,
            max_burst: 0,
        }
    }
}

impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config").field("port", &self.port).finish_non_exhaustive()
    }
}

/// What the peer's description says (RFC 8841).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Remote {
    /// Its port (`a=sctp-port`).
    pub port: u16,
    /// The longest message it takes, in octets (`a=max-message-size`); 0 for
    /// any length.
    pub max_message_size: usize,
}

impl Default for Remote {
    fn default() -> Self {
        // "If the SDP 'max-message-size' attribute is not present, the default
        // value is 64K." (RFC 8841, Section 6.1)
        Self { port: 5000, max_message_size: 65536 }
    }
}

/// How much an association may hold. All of it is taken at construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Octets for messages that wait to be sent or acknowledged.
    pub send_buffer: usize,
    /// Octets for messages that are being received or wait to be read: the
    /// receive window. RFC 9260 knows none below 1,500.
    pub receive_buffer: usize,
    /// Both buffers are made of blocks of so many octets; a message takes a
    /// whole number of them.
    pub block: usize,
    /// The longest message that is received, in octets.
    pub max_message_size: usize,
    /// How many messages may wait to be sent or acknowledged.
    pub send_messages: u16,
    /// How many chunks may be in flight.
    pub in_flight: u16,
    /// How many streams may be in use at once, in each direction. Their
    /// numbers are 0 to 65534 whatever stands here.
    pub streams: u16,
    /// How many gaps among the received TSNs are kept track of.
    pub gaps: u16,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self {
        send_buffer: 1280,
        receive_buffer: 2048,
        block: 256,
        max_message_size: 1024,
        send_messages: 5,
        in_flight: 8,
        streams: 4,
        gaps: 8,
    };
    /// For applications.
    pub const DEFAULT: Self = Self {
        send_buffer: 1024 * 1024,
        // An eighth is kept back: a sender with a buffer like ours still
        // fills a path of a MiB.
        receive_buffer: 1280 * 1024,
        block: 1024,
        max_message_size: 256 * 1024,
        send_messages: 1024,
        in_flight: 2048,
        streams: 1024,
        gaps: 256,
    };
    /// For hubs with many connections.
    pub const SERVER: Self = Self {
        send_buffer: 64 * 1024,
        receive_buffer: 64 * 1024,
        block: 256,
        max_message_size: 16 * 1024,
        send_messages: 128,
        in_flight: 192,
        streams: 128,
        gaps: 64,
    };

    pub(super) const fn send_blocks(&self) -> usize {
        self.blocks(self.send_buffer)
    }

    pub(super) const fn receive_blocks(&self) -> usize {
        self.blocks(self.receive_buffer)
    }

    /// None of no octets: such limits are refused at construction.
    const fn blocks(&self, octets: usize) -> usize {
        match octets.checked_div(self.block) {
            Some(blocks) => blocks,
            None => 0,
        }
    }

    /// Messages to be read, and a reset of every stream behind them.
    pub(super) const fn ready(&self) -> usize {
        self.receive_blocks() + self.streams as usize
    }

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        let streams = self.streams as usize;
        BlockPool::heap_bytes(self.send_blocks(), self.block)
            + BlockPool::heap_bytes(self.receive_blocks(), self.block)
            + self.max_message_size
            + FixedVec::<Queued>::heap_bytes(self.send_messages as usize)
            + FixedDeque::<Sent>::heap_bytes(self.in_flight as usize)
            + FixedVec::<OutStream>::heap_bytes(streams)
            + FixedDeque::<u16>::heap_bytes(streams)
            + FixedVec::<InStream>::heap_bytes(streams)
            + FixedVec::<Run>::heap_bytes(self.receive_blocks())
            + FixedDeque::<Ready>::heap_bytes(self.ready())
            + FixedVec::<(Tsn, Tsn)>::heap_bytes(self.gaps as usize)
    }
}
