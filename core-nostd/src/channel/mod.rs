//! Data channels (RFC 8831) and their establishment (RFC 8832).
//!
//! A channel is a pair of SCTP streams with one number, one in each direction.
//! `Channels` keeps the table, speaks DCEP, and turns stream resets into
//! closes; the octets stay in the association's arenas.

mod close;
mod open;
mod table;

use crate::env::Instant;
use crate::mem::OutOfMemory;
use crate::sctp::{self, Association, Reliability};
use table::{Signal, Slot, Table};

pub use open::{ChannelError, RTCDataChannelInit};

/// A handle to a data channel. It is valid from creation to the channel's
/// close signal; afterwards it names nothing, even when its place is reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RTCDataChannelId {
    index: u16,
    generation: u16,
}

impl RTCDataChannelId {
    /// The handle as one number, for foreign interfaces.
    pub const fn to_u32(self) -> u32 {
        (self.generation as u32) << 16 | self.index as u32
    }

    /// The handle that [`to_u32`](Self::to_u32) gave.
    pub const fn from_u32(n: u32) -> Self {
        Self { index: n as u16, generation: (n >> 16) as u16 }
    }
}

/// The state of a data channel (W3C WebRTC, Section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RTCDataChannelState {
    /// The association is not up yet, or the OPEN message could not be sent.
    #[default]
    Connecting,
    /// Messages can be sent.
    Open,
    /// One end asked to close; what was sent before is still delivered.
    Closing,
    /// Closed.
    Closed,
}

impl RTCDataChannelState {
    /// The value's name in the W3C's interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// How much the channel layer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// How many channels may exist at once.
    pub channels: u16,
    /// Octets for the labels and protocols of all channels, and 12 octets for
    /// each. A channel whose texts do not fit is refused, whoever made it.
    pub text_bytes: usize,
}

impl Limits {
    /// For microcontrollers.
    pub const TINY: Self = Self { channels: 4, text_bytes: 160 };
    /// For applications.
    pub const DEFAULT: Self = Self { channels: 256, text_bytes: 16 * 1024 };
    /// For hubs with many connections.
    pub const SERVER: Self = Self { channels: 128, text_bytes: 8 * 1024 };

    /// The octets of heap that these limits take.
    pub const fn heap_bytes(&self) -> usize {
        Table::heap_bytes(self)
    }
}

/// The PPIDs of WebRTC (RFC 8831, Section 8).
pub(crate) mod ppid {
    pub(crate) const DCEP: u32 = 50;
    pub(crate) const STRING: u32 = 51;
    pub(crate) const BINARY_PARTIAL: u32 = 52;
    pub(crate) const BINARY: u32 = 53;
    pub(crate) const STRING_PARTIAL: u32 = 54;
    pub(crate) const STRING_EMPTY: u32 = 56;
    pub(crate) const BINARY_EMPTY: u32 = 57;
}

/// What a message could not be sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WriteError {
    /// The handle names no channel.
    NoSuchChannel,
    /// The channel is not open.
    NotOpen,
    /// The message is longer than the peer accepts or than the send buffer can
    /// ever hold.
    TooLarge {
        /// The longest message that can be sent, in octets.
        max: usize,
    },
    /// The send buffer is full, of this channel's messages or of others', not
    /// yet sent or not yet acknowledged: an `OnBufferedAmountLow` event of this
    /// channel says when there is room for the message.
    Full,
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchChannel => f.write_str("no such data channel"),
            Self::NotOpen => f.write_str("the data channel is not open"),
            Self::TooLarge { max } => write!(f, "the message is longer than {max} octets"),
            Self::Full => f.write_str("the send buffer is full; wait for OnBufferedAmountLow"),
        }
    }
}

impl core::error::Error for WriteError {}

/// What happened to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Announced(RTCDataChannelId),
    Open(RTCDataChannelId),
    BufferedAmountHigh(RTCDataChannelId),
    BufferedAmountLow(RTCDataChannelId),
    Closing(RTCDataChannelId),
    Error(RTCDataChannelId),
    Closed(RTCDataChannelId),
}

/// Counters of the channel layer, for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChannelCounters {
    /// Channels that ever opened.
    pub opened: u32,
    /// Channels that closed after they had opened.
    pub closed: u32,
    /// Messages on streams without a channel, malformed DCEP messages, OPENs
    /// that could not be served.
    pub dropped: u32,
}

/// The data channels of one connection.
#[derive(Debug)]
pub(crate) struct Channels {
    table: Table,
    /// Set when the association is up.
    established: bool,
    /// Which stream numbers are ours to give; known with the DTLS role.
    parity: Option<Parity>,
    /// The longest message the peer takes; 0 is "any length" (RFC 8841,
    /// Section 6.1).
    max_message: usize,
    counters: ChannelCounters,
}

/// "The side acting as the DTLS client MUST send DATA_CHANNEL_OPEN messages
/// with even stream identifiers; the side acting as the DTLS server MUST"
/// use odd ones (RFC 8832, Section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parity {
    Even,
    Odd,
}

impl Channels {
    pub(crate) fn new(limits: &Limits) -> Result<Self, OutOfMemory> {
        Ok(Self {
            table: Table::new(limits)?,
            established: false,
            parity: None,
            max_message: 65536,
            counters: ChannelCounters::default(),
        })
    }

    /// The longest message that the peer takes, in octets; 0 for any length.
    pub(crate) fn set_max_message(&mut self, max: usize) {
        self.max_message = max;
    }

    pub(crate) fn counters(&self) -> ChannelCounters {
        self.counters
    }

    pub(crate) fn get(&self, id: RTCDataChannelId) -> Option<Channel<'_>> {
        let slot = self.table.get(id)?;
        Some(Channel { slot, label: self.table.label(id), protocol: self.table.protocol(id) })
    }

    /// Whether a handle is valid.
    pub(crate) fn contains(&self, id: RTCDataChannelId) -> bool {
        self.table.get(id).is_some()
    }

    /// Every channel, in no particular order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = RTCDataChannelId> {
        self.table.ids()
    }

    /// The longest message that can be sent now, in octets.
    pub(crate) fn max_message(&self, sctp: &Association) -> usize {
        match self.max_message {
            0 => sctp.max_send_message(),
            n => n.min(sctp.max_send_message()),
        }
    }

    /// Sends a message.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        id: RTCDataChannelId,
        is_string: bool,
        data: &[u8],
        sctp: &mut Association,
    ) -> Result<(), WriteError> {
        let max = self.max_message(sctp);
        let slot = self.table.get_mut(id).ok_or(WriteError::NoSuchChannel)?;
        let (RTCDataChannelState::Open, Some(stream)) = (slot.state, slot.stream) else {
            return Err(WriteError::NotOpen);
        };
        if data.len() > max {
            return Err(WriteError::TooLarge { max });
        }
        // "SCTP does not support the sending of empty user messages.
        // Therefore, if an empty message has to be sent, the appropriate PPID
        // is used, and the SCTP user message of one zero byte is sent." (RFC
        // 8831, Section 6.6)
        let (ppid, octets) = match (is_string, data.is_empty()) {
            (true, false) => (ppid::STRING, data),
            (true, true) => (ppid::STRING_EMPTY, &[0][..]),
            (false, false) => (ppid::BINARY, data),
            (false, true) => (ppid::BINARY_EMPTY, &[0][..]),
        };
        // "before the DATA_CHANNEL_ACK message or any other message has been
        // received on a data channel, all other messages [...] MUST be sent
        // ordered" (RFC 8832, Section 6).
        let unordered = !slot.ordered && slot.acknowledged;
        let message = sctp::Message { stream, ppid, data: octets, unordered, reliability: slot.reliability };
        sctp.handle_write(now, message).map_err(|e| match e {
            sctp::WriteError::TooLarge { max } => WriteError::TooLarge { max },
            sctp::WriteError::Full => WriteError::Full,
            _ => WriteError::NotOpen,
        })?;
        slot.messages_sent += 1;
        slot.bytes_sent += data.len() as u64;
        let buffered = sctp.buffered_amount(stream);
        let rose = slot.high_threshold != 0 && !slot.above_high && buffered >= slot.high_threshold;
        slot.above_low |= buffered > slot.low_threshold;
        slot.above_high |= rose;
        if rose {
            self.table.signal(id, Signal::BufferedAmountHigh);
        }
        Ok(())
    }

    /// The octets that wait to be sent on a channel.
    pub(crate) fn buffered_amount(&self, id: RTCDataChannelId, sctp: &Association) -> usize {
        self.table.get(id).and_then(|s| s.stream).map_or(0, |stream| sctp.buffered_amount(stream))
    }

    pub(crate) fn set_low_threshold(&mut self, id: RTCDataChannelId, octets: usize, sctp: &mut Association) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.low_threshold = octets;
            if let Some(stream) = slot.stream {
                sctp.set_buffered_amount_low_threshold(stream, octets);
            }
        }
    }

    pub(crate) fn set_high_threshold(&mut self, id: RTCDataChannelId, octets: usize) {
        if let Some(slot) = self.table.get_mut(id) {
            slot.high_threshold = octets;
        }
    }

    /// The association says that a stream's buffered amount fell.
    pub(crate) fn buffered_amount_low(&mut self, stream: u16, sctp: &Association) {
        let Some(id) = self.table.by_stream(stream) else { return };
        let Some(slot) = self.table.get_mut(id) else { return };
        let buffered = sctp.buffered_amount(stream);
        slot.above_high &= buffered >= slot.high_threshold;
        slot.above_low = false;
        self.table.signal(id, Signal::BufferedAmountLow);
    }

    /// Next in the receive queue: consumes DCEP messages and messages that
    /// belong to no channel, and says to whom the message at the head belongs,
    /// if one is left.
    pub(crate) fn next_read(&mut self, now: Instant, sctp: &mut Association) -> Option<Inbound> {
        while let Some(head) = sctp.peek_read() {
            let id = self.table.by_stream(head.stream);
            let is_string = match head.ppid {
                ppid::DCEP => {
                    self.handle_dcep(now, sctp);
                    continue;
                }
                ppid::STRING | ppid::STRING_PARTIAL | ppid::STRING_EMPTY => true,
                ppid::BINARY | ppid::BINARY_PARTIAL | ppid::BINARY_EMPTY => false,
                _ => {
                    self.drop_message(sctp);
                    continue;
                }
            };
            let Some(slot) = id.and_then(|id| self.table.get_mut(id)) else {
                self.drop_message(sctp);
                continue;
            };
            // A message sent before a close is delivered while the peer's
            // close is under way, and not after our own.
            if slot.state != RTCDataChannelState::Open {
                self.drop_message(sctp);
                continue;
            }
            slot.acknowledged = true;
            let empty = matches!(head.ppid, ppid::STRING_EMPTY | ppid::BINARY_EMPTY);
            slot.messages_received += 1;
            slot.bytes_received += if empty { 0 } else { head.len as u64 };
            return id.map(|id| Inbound { id, is_string, empty });
        }
        None
    }

    /// Takes up what could not be done before: OPEN and ACK messages that met
    /// a full send buffer. DCEP messages at the head of the receive queue are
    /// consumed, so that channels open without the application reading.
    pub(crate) fn service(&mut self, now: Instant, sctp: &mut Association) {
        while sctp.peek_read().is_some_and(|head| head.ppid == ppid::DCEP) {
            self.handle_dcep(now, sctp);
        }
        if self.table.has_pending() && self.established {
            self.send_pending(now, sctp);
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        let (id, signal) = self.table.next_signal()?;
        Some(match signal {
            Signal::Announced => Event::Announced(id),
            Signal::Open => Event::Open(id),
            Signal::BufferedAmountHigh => Event::BufferedAmountHigh(id),
            Signal::BufferedAmountLow => Event::BufferedAmountLow(id),
            Signal::Closing => Event::Closing(id),
            Signal::Error => Event::Error(id),
            Signal::Closed => {
                self.table.remove(id);
                Event::Closed(id)
            }
        })
    }

    fn drop_message(&mut self, sctp: &mut Association) {
        let _ = sctp.poll_read();
        self.counters.dropped = self.counters.dropped.saturating_add(1);
    }
}

/// Whose the message at the head of the receive queue is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inbound {
    pub(crate) id: RTCDataChannelId,
    pub(crate) is_string: bool,
    /// The message is empty, whatever octets carry it.
    pub(crate) empty: bool,
}

/// A channel, to be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel<'a> {
    pub(crate) slot: &'a Slot,
    pub(crate) label: &'a str,
    pub(crate) protocol: &'a str,
}

impl Channel<'_> {
    pub(crate) fn max_retransmits(&self) -> Option<u16> {
        match self.slot.reliability {
            Reliability::Retransmits(n) => Some(n),
            _ => None,
        }
    }

    pub(crate) fn max_packet_life_time(&self) -> Option<u16> {
        match self.slot.reliability {
            Reliability::Lifetime(d) => u16::try_from(d.as_millis()).ok(),
            _ => None,
        }
    }
}
