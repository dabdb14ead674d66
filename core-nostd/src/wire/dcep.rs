//! The data channel establishment protocol (RFC 8832).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Message Type |  Channel Type |            Priority           |
//! |                    Reliability Parameter                      |
//! |         Label Length          |       Protocol Length         |
//! \                             Label                             /
//! \                            Protocol                           /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{Malformed, Reader};

/// Octets of an OPEN message in front of the label.
pub const OPEN_HEADER_LEN: usize = 12;

const TYPE_ACK: u8 = 0x02;
const TYPE_OPEN: u8 = 0x03;

/// A DATA_CHANNEL_ACK message (RFC 8832, Section 5.2).
pub const ACK: [u8; 1] = [TYPE_ACK];

/// How a channel delivers (RFC 8832, Section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChannelType(pub u8);

const UNORDERED: u8 = 0x80;

/// What a [`ChannelType`] says about retransmissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// Until it arrives.
    Reliable,
    /// At most as often as the reliability parameter says.
    Retransmits,
    /// For at most as many milliseconds as the reliability parameter says.
    Lifetime,
}

impl ChannelType {
    /// DATA_CHANNEL_RELIABLE.
    pub const RELIABLE: Self = Self(0x00);
    /// DATA_CHANNEL_PARTIAL_RELIABLE_REXMIT.
    pub const PARTIAL_RELIABLE_REXMIT: Self = Self(0x01);
    /// DATA_CHANNEL_PARTIAL_RELIABLE_TIMED.
    pub const PARTIAL_RELIABLE_TIMED: Self = Self(0x02);

    /// The same without order.
    #[must_use]
    pub const fn unordered(self) -> Self {
        Self(self.0 | UNORDERED)
    }

    /// Whether messages keep their order.
    pub const fn ordered(self) -> bool {
        self.0 & UNORDERED == 0
    }

    /// What it says about retransmissions; `None` for types that nobody has
    /// assigned.
    pub const fn kind(self) -> Option<Kind> {
        match self.0 & !UNORDERED {
            0x00 => Some(Kind::Reliable),
            0x01 => Some(Kind::Retransmits),
            0x02 => Some(Kind::Lifetime),
            _ => None,
        }
    }
}

/// The part of an OPEN message in front of its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OpenHeader {
    /// How the channel delivers.
    pub channel_type: ChannelType,
    /// The channel's weight (RFC 8831, Section 6.4).
    pub priority: u16,
    /// Retransmissions or milliseconds, by the channel type.
    pub reliability: u32,
    /// Octets of the label.
    pub label_len: u16,
    /// Octets of the protocol.
    pub protocol_len: u16,
}

impl OpenHeader {
    /// The header's octets; label and protocol follow them.
    pub fn emit(&self) -> [u8; OPEN_HEADER_LEN] {
        let [p0, p1] = self.priority.to_be_bytes();
        let [r0, r1, r2, r3] = self.reliability.to_be_bytes();
        let [l0, l1] = self.label_len.to_be_bytes();
        let [q0, q1] = self.protocol_len.to_be_bytes();
        [TYPE_OPEN, self.channel_type.0, p0, p1, r0, r1, r2, r3, l0, l1, q0, q1]
    }
}

/// A received OPEN message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open<'a> {
    /// How the channel delivers.
    pub channel_type: ChannelType,
    /// The channel's weight (RFC 8831, Section 6.4).
    pub priority: u16,
    /// Retransmissions or milliseconds, by the channel type.
    pub reliability: u32,
    /// The label: UTF-8, unless the peer errs.
    pub label: &'a [u8],
    /// The subprotocol: UTF-8, unless the peer errs.
    pub protocol: &'a [u8],
}

impl Open<'_> {
    /// Whether messages keep their order.
    pub const fn ordered(&self) -> bool {
        self.channel_type.ordered()
    }
}

/// A received message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// DATA_CHANNEL_ACK.
    Ack,
    /// DATA_CHANNEL_OPEN.
    Open(Open<'a>),
}

impl<'a> Message<'a> {
    /// Parses the payload of a message with the DCEP PPID.
    ///
    /// # Errors
    /// [`Malformed`] for unknown types and lengths that do not add up.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        match r.u8()? {
            TYPE_ACK => Ok(Self::Ack),
            TYPE_OPEN => {
                let channel_type = ChannelType(r.u8()?);
                let priority = r.u16()?;
                let reliability = r.u32()?;
                let label_len = r.u16()?;
                let protocol_len = r.u16()?;
                let label = r.take(label_len.into())?;
                let protocol = r.take(protocol_len.into())?;
                r.finish()?;
                Ok(Self::Open(Open { channel_type, priority, reliability, label, protocol }))
            }
            _ => Err(Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_message_reads_as_it_was_written() {
        let header = OpenHeader {
            channel_type: ChannelType::PARTIAL_RELIABLE_TIMED.unordered(),
            priority: 256,
            reliability: 1500,
            label_len: 4,
            protocol_len: 2,
        };
        let mut bytes = header.emit().to_vec();
        bytes.extend_from_slice(b"chatv1");
        let Ok(Message::Open(open)) = Message::parse(&bytes) else { panic!("no OPEN") };
        assert_eq!((open.label, open.protocol), (&b"chat"[..], &b"v1"[..]));
        assert_eq!((open.priority, open.reliability, open.ordered()), (256, 1500, false));
        assert_eq!(open.channel_type.kind(), Some(Kind::Lifetime));
        for cut in 0..bytes.len() {
            assert_eq!(Message::parse(&bytes[..cut]), Err(Malformed), "cut at {cut}");
        }
        bytes.push(0);
        assert_eq!(Message::parse(&bytes), Err(Malformed));
    }

    #[test]
    fn an_ack_is_one_octet_and_unknown_types_are_malformed() {
        assert_eq!(Message::parse(&ACK), Ok(Message::Ack));
        assert_eq!(Message::parse(&[0]), Err(Malformed));
        assert_eq!(ChannelType(0x83).kind(), None);
    }
}
