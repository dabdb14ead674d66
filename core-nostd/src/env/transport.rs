use core::net::SocketAddr;

/// How the octets of a [`TransportContext`] travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TransportProtocol {
    /// Datagrams.
    #[default]
    Udp,
    /// A TCP stream, framed by RFC 4571 for ICE-TCP and by RFC 8656 for TURN.
    Tcp,
    /// TLS over TCP. The stream is the caller's; the core frames.
    Tls,
}

/// The ECN field of an IP header (RFC 3168, Section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EcnCodepoint {
    /// Not ECN-capable.
    #[default]
    NotEct,
    /// ECN-capable, codepoint 1 (L4S).
    Ect1,
    /// ECN-capable, codepoint 0.
    Ect0,
    /// Congestion experienced.
    Ce,
}

impl EcnCodepoint {
    /// The codepoint of the two low bits of `bits`, as of an octet of TOS or
    /// traffic class.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            1 => Self::Ect1,
            2 => Self::Ect0,
            3 => Self::Ce,
            _ => Self::NotEct,
        }
    }

    /// The two bits.
    pub const fn to_bits(self) -> u8 {
        match self {
            Self::NotEct => 0,
            Self::Ect1 => 1,
            Self::Ect0 => 2,
            Self::Ce => 3,
        }
    }
}

/// The path of one datagram, in either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportContext {
    /// Our end: the address of the local socket.
    pub local_addr: SocketAddr,
    /// The other end.
    pub peer_addr: SocketAddr,
    /// How the octets travel.
    pub transport_protocol: TransportProtocol,
    /// The ECN field, as received or to be sent.
    pub ecn: EcnCodepoint,
    /// The DSCP to send with (RFC 8837); 0 when received and unknown.
    pub dscp: u8,
}

impl TransportContext {
    /// A UDP path between two addresses.
    pub const fn udp(local_addr: SocketAddr, peer_addr: SocketAddr) -> Self {
        Self {
            local_addr,
            peer_addr,
            transport_protocol: TransportProtocol::Udp,
            ecn: EcnCodepoint::NotEct,
            dscp: 0,
        }
    }

    /// The octet of TOS or traffic class: DSCP above ECN.
    pub const fn traffic_class(&self) -> u8 {
        self.dscp << 2 | self.ecn.to_bits()
    }

    /// The path without the marks: what is sent back does not carry the marks of
    /// what came.
    pub const fn unmarked(self) -> Self {
        Self { ecn: EcnCodepoint::NotEct, dscp: 0, ..self }
    }

    /// Whether both name the same path, whatever the marks on the datagram.
    pub fn same_path(&self, other: &Self) -> bool {
        self.local_addr == other.local_addr
            && self.peer_addr == other.peer_addr
            && self.transport_protocol == other.transport_protocol
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for TransportContext {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "{} {} -> {}",
            self.transport_protocol,
            defmt::Display2Format(&self.local_addr),
            defmt::Display2Format(&self.peer_addr)
        );
    }
}

/// What a `poll_write` left in the caller's buffer, and where it goes.
///
/// It borrows nothing: the octets are the first `len` of the buffer that the
/// caller passed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transmit {
    /// The path to send along.
    pub transport: TransportContext,
    /// How many octets of the buffer are to be sent.
    pub len: usize,
    /// When several datagrams lie back to back, the size of each but the last
    /// (which may be shorter): what UDP segmentation offload wants. `None`
    /// when the buffer holds one datagram.
    pub segment_size: Option<usize>,
}

impl Transmit {
    /// One datagram of `len` octets along `transport`.
    pub const fn datagram(transport: TransportContext, len: usize) -> Self {
        Self { transport, len, segment_size: None }
    }
}
