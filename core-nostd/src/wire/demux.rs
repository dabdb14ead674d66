//! Which protocol a datagram belongs to, by its first octet (RFC 7983,
//! Section 7, as updated by RFC 9443).
//!
//! ```text
//!                    +----------------+
//!                    |        [0..3] -+--> forward to STUN
//!                    |                |
//!                    |      [16..19] -+--> forward to ZRTP
//!                    |                |
//!        packet -->  |      [20..63] -+--> forward to DTLS
//!                    |                |
//!                    |      [64..79] -+--> forward to TURN Channel
//!                    |                |
//!                    |    [128..191] -+--> forward to RTP/RTCP
//!                    +----------------+
//! ```

/// The protocol of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PacketKind {
    /// A STUN message.
    Stun,
    /// DTLS records, with the unified header of DTLS 1.3 among them.
    Dtls,
    /// TURN ChannelData; only ever believed from a TURN server.
    TurnChannel,
    /// RTP (and, by the payload type, RTCP).
    Rtp,
    /// RTCP (RFC 5761, Section 4: payload types 64 to 95).
    Rtcp,
}

/// The protocol of `datagram`, or `None` for an empty one and for first octets
/// that nothing here speaks (ZRTP, QUIC and the unassigned ranges).
pub fn classify(datagram: &[u8]) -> Option<PacketKind> {
    match *datagram.first()? {
        0..=3 => Some(PacketKind::Stun),
        20..=63 => Some(PacketKind::Dtls),
        64..=79 => Some(PacketKind::TurnChannel),
        // The second octet holds the marker bit and the payload type; RTCP
        // types 192 to 223 show there as 64 to 95 without the marker.
        128..=191 => match datagram.get(1)? {
            192..=223 => Some(PacketKind::Rtcp),
            _ => Some(PacketKind::Rtp),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_octet_goes_where_the_table_says() {
        for first in 0..=255u8 {
            let want = match first {
                0..=3 => Some(PacketKind::Stun),
                20..=63 => Some(PacketKind::Dtls),
                64..=79 => Some(PacketKind::TurnChannel),
                128..=191 => Some(PacketKind::Rtp),
                _ => None,
            };
            assert_eq!(classify(&[first, 0]), want, "first octet {first}");
        }
        assert_eq!(classify(&[]), None);
        assert_eq!(classify(&[0x80]), None);
        assert_eq!(classify(&[0x80, 200]), Some(PacketKind::Rtcp));
    }
}
