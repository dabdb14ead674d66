//! What TURN adds to STUN (RFC 8656): ChannelData, and how messages follow
//! each other on a stream. RFC 4571's frames, which ICE-TCP speaks (RFC 6544),
//! are here too, since one reader serves both.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |         Channel Number        |            Length             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                                                               |
//! /                       Application Data                        /
//! /                                                               /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::stun::{AttributeType, Builder, Class, HEADER_LEN, MAGIC_COOKIE, Message, Method, TransactionId};
use super::{Malformed, Reader, ShortBuffer, Writer};
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

/// Octets before the data of ChannelData.
pub const CHANNEL_HEADER_LEN: usize = 4;
/// Octets of the length before a frame of RFC 4571.
pub const RFC4571_HEADER_LEN: usize = 2;

/// A channel's number. "0x4000 through 0x4FFF: These values are the allowed
/// channel numbers" (RFC 8656, Section 12); there is no other value of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChannelNumber(u16);

impl ChannelNumber {
    /// The lowest.
    pub const MIN: Self = Self(0x4000);
    /// The highest.
    pub const MAX: Self = Self(0x4fff);

    /// The channel of this number, if it is one of the allowed.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= Self::MIN.0 && number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The value of a CHANNEL-NUMBER attribute (RFC 8656, Section 18.1).
    pub const fn to_attribute(self) -> [u8; 4] {
        let [a, b] = self.0.to_be_bytes();
        [a, b, 0, 0]
    }
}

/// The IANA protocol number in REQUESTED-TRANSPORT (RFC 8656, Section 18.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RequestedTransport(pub u8);

impl RequestedTransport {
    /// TCP (RFC 6062).
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);

    /// The attribute's value.
    pub const fn to_attribute(self) -> [u8; 4] {
        [self.0, 0, 0, 0]
    }
}

/// The family in REQUESTED-ADDRESS-FAMILY and its kin (RFC 8656, Section 18.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AddressFamily(pub u8);

impl AddressFamily {
    /// IPv4.
    pub const IPV4: Self = Self(1);
    /// IPv6.
    pub const IPV6: Self = Self(2);

    /// The family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::IPV4,
            IpAddr::V6(_) => Self::IPV6,
        }
    }

    /// The attribute's value.
    pub const fn to_attribute(self) -> [u8; 4] {
        [self.0, 0, 0, 0]
    }
}

/// The CHANNEL-NUMBER of a message; `None` also for a number that is not
/// allowed.
pub fn channel_number(message: &Message<'_>) -> Option<ChannelNumber> {
    let [a, b, _, _] = *message.get(AttributeType::CHANNEL_NUMBER)? else { return None };
    ChannelNumber::new(u16::from_be_bytes([a, b]))
}

/// The REQUESTED-TRANSPORT of a message.
pub fn requested_transport(message: &Message<'_>) -> Option<RequestedTransport> {
    let [protocol, _, _, _] = *message.get(AttributeType::REQUESTED_TRANSPORT)? else { return None };
    Some(RequestedTransport(protocol))
}

/// A family attribute of a message, such as REQUESTED-ADDRESS-FAMILY.
pub fn address_family(message: &Message<'_>, kind: AttributeType) -> Option<AddressFamily> {
    let [family, _, _, _] = *message.get(kind)? else { return None };
    Some(AddressFamily(family))
}

/// The address with an IPv4-mapped IPv6 one as the IPv4 address that it means,
/// and without flow label and scope: what permissions and deny lists compare,
/// so that `::ffff:127.0.0.1` is not another host than `127.0.0.1`.
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The header of ChannelData that carries `len` octets.
///
/// # Errors
/// [`ShortBuffer`] when the length does not fit its field.
pub fn channel_header(channel: ChannelNumber, len: usize) -> Result<[u8; CHANNEL_HEADER_LEN], ShortBuffer> {
    let [a, b] = channel.0.to_be_bytes();
    let [c, d] = u16::try_from(len).map_err(|_| ShortBuffer)?.to_be_bytes();
    Ok([a, b, c, d])
}

/// Reads ChannelData: the channel, and where in `datagram` the data lies.
/// Octets behind it are padding, which "SHOULD NOT" but may be there over UDP
/// (RFC 8656, Section 12.5).
///
/// # Errors
/// [`Malformed`].
pub fn channel_data(datagram: &[u8]) -> Result<(ChannelNumber, Range<usize>), Malformed> {
    let mut r = Reader::new(datagram);
    let channel = ChannelNumber::new(r.u16()?).ok_or(Malformed)?;
    let data = r.vec16()?;
    if r.len() > 3 {
        return Err(Malformed);
    }
    Ok((channel, CHANNEL_HEADER_LEN..CHANNEL_HEADER_LEN + data.len()))
}

/// Octets in front of the data of a Send indication to `peer`.
pub const fn send_head_room(peer: SocketAddr) -> usize {
    HEADER_LEN + 4 + if peer.is_ipv4() { 8 } else { 20 } + 4
}

/// Wraps in place the `len` octets of data that lie behind
/// [`send_head_room`] octets in `buf` as a Send indication (RFC 8656, Section
/// 11.1); returns its length.
///
/// # Errors
/// [`ShortBuffer`].
pub fn write_send(
    buf: &mut [u8],
    id: TransactionId,
    peer: SocketAddr,
    len: usize,
) -> Result<usize, ShortBuffer> {
    let mut b = Builder::new(buf, Class::Indication, Method::SEND, id)?;
    b.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)?;
    b.attribute_in_place(AttributeType::DATA, len)?;
    Ok(b.finish())
}

/// How the datagrams on a stream are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Framing {
    /// To a STUN or TURN server: messages tell their own length (RFC 8489,
    /// Section 6.2.2), and ChannelData is padded to four octets (RFC 8656,
    /// Section 12.5).
    Stun,
    /// To an ICE-TCP peer: 16 bits of length before each (RFC 4571, Section 2).
    Rfc4571,
}

/// One datagram on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Octets on the stream, with header and padding.
    pub whole: usize,
    /// Which of them are the datagram.
    pub start: usize,
    /// And how many.
    pub len: usize,
}

impl Framing {
    /// Octets that [`frame`](Self::frame) needs to see.
    pub const fn header_len(self) -> usize {
        match self {
            // As far as the magic cookie.
            Self::Stun => 8,
            Self::Rfc4571 => RFC4571_HEADER_LEN,
        }
    }

    /// The frame at the beginning of a stream, or `None` when `head` is too
    /// short to tell.
    ///
    /// # Errors
    /// [`Malformed`] when nothing that begins so belongs on such a stream: it
    /// has lost its rhythm and should be closed.
    pub fn frame(self, head: &[u8]) -> Result<Option<Frame>, Malformed> {
        let mut r = Reader::new(head);
        let (Ok(first), second) = (r.u16(), r.u16()) else { return Ok(None) };
        if self == Self::Rfc4571 {
            let len = usize::from(first);
            let whole = RFC4571_HEADER_LEN + len;
            return Ok(Some(Frame { whole, start: RFC4571_HEADER_LEN, len }));
        }
        // Clients of RFC 5766 have channels up to 0x7FFF: whoever does not know
        // those passes over them, and the stream goes on.
        if first >= 0x8000 {
            return Err(Malformed);
        }
        let Ok(length) = second.map(usize::from) else { return Ok(None) };
        if first >= 0x4000 {
            let len = CHANNEL_HEADER_LEN + length;
            return Ok(Some(Frame { whole: len.next_multiple_of(4), start: 0, len }));
        }
        // "the magic cookie ... to distinguish STUN packets from packets of
        // other protocols" (RFC 8489, Section 5).
        let Ok(cookie) = r.u32() else { return Ok(None) };
        if cookie != MAGIC_COOKIE || !length.is_multiple_of(4) {
            return Err(Malformed);
        }
        let len = HEADER_LEN + length;
        Ok(Some(Frame { whole: len, start: 0, len }))
    }

    /// Octets to leave in front of a datagram that is to be framed in place.
    pub const fn head_room(self) -> usize {
        match self {
            Self::Stun => 0,
            Self::Rfc4571 => RFC4571_HEADER_LEN,
        }
    }

    /// Frames in place the datagram of `len` octets that lies behind
    /// [`head_room`](Self::head_room) octets in `buf`; returns how many octets
    /// of `buf` go onto the stream. Padding is zero.
    ///
    /// # Errors
    /// [`ShortBuffer`] when the padding does not fit, or the length does not fit
    /// its field.
    pub fn write(self, buf: &mut [u8], len: usize) -> Result<usize, ShortBuffer> {
        let mut w = Writer::new(buf);
        match self {
            Self::Rfc4571 => w.u16(u16::try_from(len).map_err(|_| ShortBuffer)?)?,
            Self::Stun => {}
        }
        w.reserve(len)?;
        if self == Self::Stun {
            w.zeros(len.next_multiple_of(4) - len)?;
        }
        Ok(w.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_data_reads_as_it_was_written() {
        let channel = ChannelNumber::new(0x4abc).unwrap();
        let mut buf = [0xff; 16];
        buf[..4].copy_from_slice(&channel_header(channel, 5).unwrap());
        assert_eq!(buf[..4], [0x4a, 0xbc, 0, 5]);
        assert_eq!(Framing::Stun.write(&mut buf, 9), Ok(12));
        assert_eq!(buf[8..13], [0xff, 0, 0, 0, 0xff], "padded with zeros, and no further");
        for n in 0..buf.len() {
            let want = if (9..=12).contains(&n) { Ok((channel, 4..9)) } else { Err(Malformed) };
            assert_eq!(channel_data(&buf[..n]), want, "{n} octets");
        }
        assert_eq!(channel_header(channel, 65536), Err(ShortBuffer));
        assert_eq!(Framing::Stun.write(&mut [0; 11], 9), Err(ShortBuffer));
    }

    #[test]
    fn a_send_indication_is_put_around_the_data_where_it_lies() {
        for (peer, head) in [("192.0.2.7:9", 36), ("[2001:db8::7]:9", 48)] {
            let peer = peer.parse().unwrap();
            assert_eq!(send_head_room(peer), head);
            let mut buf = [0xee; 64];
            buf[head..head + 5].copy_from_slice(b"hello");
            let n = write_send(&mut buf, TransactionId([4; 12]), peer, 5).unwrap();
            assert_eq!(n, head + 8);
            let m = Message::parse(&buf[..n]).unwrap();
            assert_eq!((m.class, m.method), (Class::Indication, Method::SEND));
            assert_eq!(m.xor_address(AttributeType::XOR_PEER_ADDRESS), Some(peer));
            assert_eq!(m.range(AttributeType::DATA), Some(head..head + 5));
            assert_eq!(buf[head..head + 8], *b"hello\0\0\0");
            assert_eq!(write_send(&mut buf[..head + 7], TransactionId([4; 12]), peer, 5), Err(ShortBuffer));
        }
    }

    #[test]
    fn only_the_allowed_numbers_are_channels() {
        for number in 0..=u16::MAX {
            let allowed = (0x4000..=0x4fff).contains(&number);
            assert_eq!(ChannelNumber::new(number).is_some(), allowed, "{number:#x}");
            let head = [number.to_be_bytes(), [0, 0]].concat();
            assert_eq!(channel_data(&head).is_ok(), allowed, "{number:#x}");
            if number >= 0x4000 {
                assert_eq!(Framing::Stun.frame(&head).is_ok(), number < 0x8000, "{number:#x}");
            }
        }
    }

    /// A 16-bit sum of length and header would wrap to a few octets here, and
    /// the stream would go on in the middle of a message.
    #[test]
    fn lengths_near_the_end_of_their_field_do_not_wrap() {
        for length in 0xffe8..=0xffffu16 {
            let [a, b] = length.to_be_bytes();
            let stun = [0, 1, a, b, 0x21, 0x12, 0xa4, 0x42];
            let len = 20 + usize::from(length);
            let want =
                if length % 4 == 0 { Ok(Some(Frame { whole: len, start: 0, len })) } else { Err(Malformed) };
            assert_eq!(Framing::Stun.frame(&stun), want, "{length:#x}");
            let len = 4 + usize::from(length);
            let want = Frame { whole: len.next_multiple_of(4), start: 0, len };
            assert_eq!(Framing::Stun.frame(&[0x40, 0, a, b]), Ok(Some(want)));
            let want = Frame { whole: 2 + usize::from(length), start: 2, len: length.into() };
            assert_eq!(Framing::Rfc4571.frame(&[a, b]), Ok(Some(want)));
        }
    }

    #[test]
    fn a_frame_is_told_as_soon_as_its_header_is_there() {
        let stun = [0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42];
        for n in 0..8 {
            assert_eq!(Framing::Stun.frame(&stun[..n]), Ok(None), "{n} octets");
        }
        assert_eq!(Framing::Stun.frame(&stun), Ok(Some(Frame { whole: 28, start: 0, len: 28 })));
        assert_eq!(Framing::Stun.frame(&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x43]), Err(Malformed));
        assert_eq!(Framing::Stun.frame(b"HT"), Ok(None), "0x4854 may be a channel");
        assert_eq!(Framing::Stun.frame(&[0x16, 0x03, 1, 0, 1, 0, 0, 0]), Err(Malformed), "TLS");
        assert_eq!(Framing::Rfc4571.frame(&[0]), Ok(None));
        let mut buf = [9; 8];
        assert_eq!(Framing::Rfc4571.write(&mut buf, 3), Ok(5));
        assert_eq!(buf, [0, 3, 9, 9, 9, 9, 9, 9]);
        assert_eq!(Framing::Rfc4571.write(&mut buf, 7), Err(ShortBuffer));
    }

    #[test]
    fn attributes_read_as_they_were_written() {
        let mut buf = [0; 128];
        let id = TransactionId([3; 12]);
        let mut b = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id).unwrap();
        let channel = ChannelNumber::MAX;
        b.attribute(AttributeType::CHANNEL_NUMBER, &[&channel.to_attribute()]).unwrap();
        let transport = RequestedTransport::UDP;
        b.attribute(AttributeType::REQUESTED_TRANSPORT, &[&transport.to_attribute()]).unwrap();
        let family = AddressFamily::of("2001:db8::1".parse().unwrap());
        b.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[&family.to_attribute()]).unwrap();
        let n = b.finish();
        let m = Message::parse(&buf[..n]).unwrap();
        assert_eq!(channel_number(&m), Some(channel));
        assert_eq!(requested_transport(&m), Some(RequestedTransport::UDP));
        let family = address_family(&m, AttributeType::REQUESTED_ADDRESS_FAMILY);
        assert_eq!(family, Some(AddressFamily::IPV6));

        let mut b = Builder::new(&mut buf, Class::Request, Method::ALLOCATE, id).unwrap();
        b.attribute(AttributeType::CHANNEL_NUMBER, &[&[0x3f, 0xff, 0, 0]]).unwrap();
        b.attribute(AttributeType::REQUESTED_TRANSPORT, &[&[17]]).unwrap();
        let n = b.finish();
        let m = Message::parse(&buf[..n]).unwrap();
        assert_eq!(channel_number(&m), None, "not an allowed number");
        assert_eq!(requested_transport(&m), None, "not four octets");
    }

    #[test]
    fn a_mapped_address_is_the_one_that_it_means() {
        for (addr, want) in [
            ("[::ffff:127.0.0.1]:7", "127.0.0.1:7"),
            ("[::ffff:0.0.0.0]:7", "0.0.0.0:7"),
            ("[::1]:7", "[::1]:7"),
            ("192.0.2.1:7", "192.0.2.1:7"),
            ("[2001:db8::1]:7", "[2001:db8::1]:7"),
        ] {
            assert_eq!(canonical(addr.parse().unwrap()), want.parse().unwrap(), "{addr}");
        }
    }
}
