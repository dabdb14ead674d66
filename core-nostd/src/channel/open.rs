//! Opening: in-band by DCEP from either side, or negotiated by the
//! application.

use super::table::{Owed, Signal};
use super::{Channels, Parity, RTCDataChannelId, RTCDataChannelState, ppid};
use crate::env::Instant;
use crate::sctp::{self, Association, Reliability};
use crate::wire::dcep;
use core::time::Duration;

/// The largest stream number: 65535 is reserved (RFC 8832, Section 6).
const MAX_STREAM: u16 = 65534;

/// How a channel is to be (W3C WebRTC, Section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RTCDataChannelInit<'a> {
    /// Whether messages arrive in the order in which they were sent.
    pub ordered: bool,
    /// For how many milliseconds a message is (re)transmitted. Excludes
    /// `max_retransmits`.
    pub max_packet_life_time: Option<u16>,
    /// How often a message is retransmitted. Excludes `max_packet_life_time`.
    pub max_retransmits: Option<u16>,
    /// The subprotocol, for the application's use.
    pub protocol: &'a str,
    /// The stream number, when both applications open the channel by
    /// themselves with the same number; `None` to announce it to the peer.
    pub negotiated: Option<u16>,
    /// The DCEP priority (RFC 8831, Section 6.4): 128 below normal, 256
    /// normal, 512 high, 1024 extra high.
    pub priority: u16,
}

impl Default for RTCDataChannelInit<'_> {
    fn default() -> Self {
        Self {
            ordered: true,
            max_packet_life_time: None,
            max_retransmits: None,
            protocol: "",
            negotiated: None,
            priority: 256,
        }
    }
}

/// Why a channel cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChannelError {
    /// Both a lifetime and a number of retransmissions were given (TypeError).
    TwoReliabilities,
    /// The label or the protocol is longer than 65,535 octets (TypeError), or
    /// there is no room left for both within `Limits`.
    TextTooLong {
        /// What there is room for, in octets.
        max: usize,
    },
    /// The stream number is 65535 (TypeError).
    StreamNumber,
    /// A channel has that stream number (OperationError).
    StreamInUse,
    /// As many channels exist as `Limits` allow (OperationError).
    TooMany,
    /// The connection or its association is closed (InvalidStateError).
    Closed,
}

impl core::fmt::Display for ChannelError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TwoReliabilities => {
                f.write_str("max_packet_life_time and max_retransmits exclude each other")
            }
            Self::TextTooLong { max } => write!(f, "the label or the protocol is longer than {max} octets"),
            Self::StreamNumber => f.write_str("stream number 65535 is reserved"),
            Self::StreamInUse => f.write_str("another data channel has this stream number"),
            Self::TooMany => f.write_str("no more data channels within the limits"),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for ChannelError {}

impl Channels {
    /// Makes a channel of our own.
    pub(crate) fn create(
        &mut self,
        now: Instant,
        label: &str,
        init: &RTCDataChannelInit<'_>,
        sctp: &mut Association,
    ) -> Result<RTCDataChannelId, ChannelError> {
        let reliability = match (init.max_packet_life_time, init.max_retransmits) {
            (Some(_), Some(_)) => return Err(ChannelError::TwoReliabilities),
            (Some(ms), None) => Reliability::Lifetime(Duration::from_millis(ms.into())),
            (None, Some(n)) => Reliability::Retransmits(n),
            (None, None) => Reliability::Reliable,
        };
        let text = label.len().max(init.protocol.len());
        if text > usize::from(u16::MAX) || label.len() + init.protocol.len() > self.table.text_room() {
            return Err(ChannelError::TextTooLong { max: self.table.text_room().min(u16::MAX.into()) });
        }
        if let Some(stream) = init.negotiated {
            if stream > MAX_STREAM {
                return Err(ChannelError::StreamNumber);
            }
            if self.table.by_stream(stream).is_some() {
                return Err(ChannelError::StreamInUse);
            }
        }
        let id = self.table.insert(label, init.protocol).ok_or(ChannelError::TooMany)?;
        if let Some(slot) = self.table.get_mut(id) {
            slot.ordered = init.ordered;
            slot.reliability = reliability;
            slot.negotiated = init.negotiated.is_some();
            slot.priority = init.priority;
            // The peer of a negotiated channel knows of it.
            slot.acknowledged = slot.negotiated;
        }
        if let Some(stream) = init.negotiated {
            self.table.bind(id, stream);
        } else {
            self.table.owe(id, Owed::Open);
        }
        if self.parity.is_some() && !self.assign_stream(id) {
            self.table.remove(id);
            return Err(ChannelError::TooMany);
        }
        if self.established {
            if init.negotiated.is_some() {
                self.opened(id, sctp);
            } else {
                self.send_pending(now, sctp);
            }
        }
        Ok(id)
    }

    /// The DTLS role is known, and with it which stream numbers are ours: the
    /// channels that wait for one get theirs ("set the data channel ids", W3C
    /// WebRTC, Section 4.4.1.5).
    pub(crate) fn set_parity(&mut self, parity: Parity) {
        self.parity = Some(parity);
        let mut next = 0;
        while let Some(id) = self.table.next_id(next) {
            next = id.index.saturating_add(1);
            if !self.assign_stream(id) {
                self.fail(id);
            }
        }
    }

    /// The association is up.
    pub(crate) fn established(&mut self, now: Instant, sctp: &mut Association) {
        if self.established {
            return;
        }
        self.established = true;
        let mut next = 0;
        while let Some(id) = self.table.next_id(next) {
            next = id.index.saturating_add(1);
            if self.table.get(id).is_some_and(|s| s.negotiated) {
                self.opened(id, sctp);
            }
        }
        self.send_pending(now, sctp);
    }

    /// Sends the DCEP messages that are owed, as far as there is room.
    pub(super) fn send_pending(&mut self, now: Instant, sctp: &mut Association) {
        let mut next = 0;
        while self.table.has_pending() {
            let owing = |id: &RTCDataChannelId| {
                id.index >= next && self.table.get(*id).is_some_and(|s| s.owed != Owed::Nothing)
            };
            let Some(id) = self.table.ids().find(owing) else { return };
            next = id.index.saturating_add(1);
            if !self.send_owed(now, id, sctp) {
                return;
            }
        }
    }

    fn send_owed(&mut self, now: Instant, id: RTCDataChannelId, sctp: &mut Association) -> bool {
        let Some(slot) = self.table.get(id) else { return true };
        let (owed, Some(stream)) = (slot.owed, slot.stream) else { return true };
        let (kind, reliability) = channel_type(slot.reliability);
        let header = dcep::OpenHeader {
            channel_type: if slot.ordered { kind } else { kind.unordered() },
            priority: slot.priority,
            reliability,
            label_len: slot.text.label_len,
            protocol_len: slot.text.protocol_len,
        };
        let data: &[u8] = match owed {
            Owed::Nothing => return true,
            Owed::Ack => &dcep::ACK,
            Owed::Open => {
                let Some(message) = self.table.open_message(id) else { return true };
                if let Some(room) = message.first_chunk_mut() {
                    *room = header.emit();
                }
                message
            }
        };
        // DCEP messages are sent "reliably and in order" (RFC 8832, Section
        // 5), on the very stream that they speak of.
        let message = sctp::Message {
            stream,
            ppid: ppid::DCEP,
            data,
            unordered: false,
            reliability: Reliability::Reliable,
        };
        match sctp.handle_write(now, message) {
            Ok(()) => {
                self.table.owe(id, Owed::Nothing);
                if owed == Owed::Open {
                    self.opened(id, sctp);
                }
                true
            }
            // Its texts are longer than the peer takes, or than we can hold.
            Err(sctp::WriteError::TooLarge { .. }) => {
                self.fail(id);
                true
            }
            Err(_) => false,
        }
    }

    /// The DCEP message at the head of the receive queue.
    pub(super) fn handle_dcep(&mut self, now: Instant, sctp: &mut Association) {
        let Some(stream) = sctp.peek_read().map(|head| head.stream) else { return };
        self.finish_close(now, stream, sctp);
        let Some(received) = sctp.poll_read() else { return };
        let mut announce = None;
        match dcep::Message::parse(received.data) {
            Ok(dcep::Message::Ack) => {
                let slot = self.table.by_stream(stream).and_then(|id| self.table.get_mut(id));
                match slot {
                    Some(slot) => slot.acknowledged = true,
                    None => self.counters.dropped += 1,
                }
                return;
            }
            Ok(dcep::Message::Open(open)) => {
                let label = core::str::from_utf8(open.label);
                let protocol = core::str::from_utf8(open.protocol);
                // A number of the wrong parity, or one that is taken, is a
                // peer's mistake: it gets its stream reset, nothing else.
                let free = self.table.by_stream(stream).is_none() && stream <= MAX_STREAM;
                if let (Ok(label), Ok(protocol), true) = (label, protocol, free) {
                    announce = self.table.insert(label, protocol).map(|id| {
                        (
                            id,
                            open.ordered(),
                            {
                                match open.channel_type.kind() {
                                    // An unknown type is at least no less than that.
                                    Some(dcep::Kind::Reliable) | None => Reliability::Reliable,
                                    Some(dcep::Kind::Retransmits) => Reliability::Retransmits(
                                        u16::try_from(open.reliability).unwrap_or(u16::MAX),
                                    ),
                                    Some(dcep::Kind::Lifetime) => {
                                        Reliability::Lifetime(Duration::from_millis(open.reliability.into()))
                                    }
                                }
                            },
                            open.priority,
                        )
                    });
                }
            }
            Err(_) => {}
        }
        let Some((id, ordered, reliability, priority)) = announce else {
            self.counters.dropped += 1;
            if self.table.by_stream(stream).is_none() {
                sctp.reset_stream(stream);
            }
            return;
        };
        self.table.bind(id, stream);
        if let Some(slot) = self.table.get_mut(id) {
            slot.ordered = ordered;
            slot.reliability = reliability;
            slot.priority = priority;
            slot.acknowledged = true;
        }
        self.table.owe(id, Owed::Ack);
        self.table.signal(id, Signal::Announced);
        self.opened(id, sctp);
        self.send_pending(now, sctp);
    }

    fn assign_stream(&mut self, id: RTCDataChannelId) -> bool {
        if self.table.get(id).is_some_and(|s| s.stream.is_some()) {
            return true;
        }
        let parity = match self.parity {
            Some(Parity::Even) => 0,
            Some(Parity::Odd) => 1,
            None => return false,
        };
        self.table.free_stream(parity, MAX_STREAM).is_some_and(|stream| self.table.bind(id, stream))
    }

    fn opened(&mut self, id: RTCDataChannelId, sctp: &mut Association) {
        let Some(slot) = self.table.get_mut(id) else { return };
        if slot.state != RTCDataChannelState::Connecting {
            return;
        }
        slot.state = RTCDataChannelState::Open;
        slot.was_open = true;
        if let Some(stream) = slot.stream {
            sctp.set_priority(stream, slot.priority);
            sctp.set_buffered_amount_low_threshold(stream, slot.low_threshold);
        }
        self.counters.opened += 1;
        self.table.signal(id, Signal::Open);
    }
}

fn channel_type(reliability: Reliability) -> (dcep::ChannelType, u32) {
    match reliability {
        Reliability::Reliable => (dcep::ChannelType::RELIABLE, 0),
        Reliability::Retransmits(n) => (dcep::ChannelType::PARTIAL_RELIABLE_REXMIT, n.into()),
        Reliability::Lifetime(d) => {
            (dcep::ChannelType::PARTIAL_RELIABLE_TIMED, u32::try_from(d.as_millis()).unwrap_or(u32::MAX))
        }
    }
}
