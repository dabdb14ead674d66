//! The header of protected DTLS 1.3 records (RFC 9147, Section 4).

use crate::wire::{Malformed, Reader, ShortBuffer, Writer};

/// The longest connection ID that is used here, in octets.
pub const MAX_CONNECTION_ID: usize = 20;

/// The header in front of a protected record.
///
/// ```text
///  0 1 2 3 4 5 6 7
/// +-+-+-+-+-+-+-+-+
/// |0|0|1|C|S|L|E E|
/// +-+-+-+-+-+-+-+-+
/// | Connection ID |  C: as long as was negotiated
/// +-+-+-+-+-+-+-+-+
/// | 8 or 16 bit   |  S: 16 bits
/// |sequence number|
/// +-+-+-+-+-+-+-+-+
/// | 16-bit length |  L: present
/// +-+-+-+-+-+-+-+-+
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnifiedHeader<'a> {
    /// The low two bits of the epoch.
    pub epoch_bits: u8,
    /// The connection id, when there is one.
    pub connection_id: &'a [u8],
    /// Where the sequence number begins.
    pub number_at: usize,
    /// Octets of sequence number: 1 or 2.
    pub number_len: usize,
    /// Octets of the header.
    pub len: usize,
    /// Octets behind the header.
    pub body: usize,
}

const FIXED: u8 = 0b0010_0000;
const CONNECTION_ID: u8 = 0b0001_0000;
const LONG_NUMBER: u8 = 0b0000_1000;
const LENGTH: u8 = 0b0000_0100;

impl<'a> UnifiedHeader<'a> {
    /// Octets of a header that [`emit`](Self::emit) writes, behind no
    /// connection id.
    pub const LEN: usize = 5;

    /// Whether `record` begins like one with such a header.
    pub fn begins(record: &[u8]) -> bool {
        record.first().is_some_and(|first| first & 0b1110_0000 == FIXED)
    }

    /// Whether a record whose first octet this is has a connection ID.
    pub const fn has_connection_id(first: u8) -> bool {
        first & CONNECTION_ID != 0
    }

    /// Reads the header at the front of `datagram`; a record without a length
    /// reaches to its end. `connection_id` is the length of ours.
    ///
    /// # Errors
    /// [`Malformed`] when it is another kind of header, or the record is cut
    /// short.
    pub fn parse(datagram: &'a [u8], connection_id: usize) -> Result<Self, Malformed> {
        let mut r = Reader::new(datagram);
        let first = r.u8()?;
        if first & 0b1110_0000 != FIXED {
            return Err(Malformed);
        }
        let connection_id = r.take(if first & CONNECTION_ID != 0 { connection_id } else { 0 })?;
        let number_at = datagram.len() - r.len();
        let number_len = if first & LONG_NUMBER != 0 { 2 } else { 1 };
        r.take(number_len)?;
        let length = if first & LENGTH != 0 { Some(r.u16()?.into()) } else { None };
        let len = datagram.len() - r.len();
        let body = length.unwrap_or(r.len());
        if body > r.len() {
            return Err(Malformed);
        }
        Ok(Self { epoch_bits: first & 3, connection_id, number_at, number_len, len, body })
    }

    /// Writes a header with a 16-bit number and a length, which are what goes
    /// through every path.
    ///
    /// # Errors
    /// [`ShortBuffer`].
    pub fn emit(
        w: &mut Writer<'_>,
        epoch: u64,
        connection_id: &[u8],
        number: u64,
        length: u16,
    ) -> Result<(), ShortBuffer> {
        let with_id = if connection_id.is_empty() { 0 } else { CONNECTION_ID };
        w.u8(FIXED | with_id | LONG_NUMBER | LENGTH | (epoch & 3) as u8)?;
        w.bytes(connection_id)?;
        w.u16((number & 0xffff) as u16)?;
        w.u16(length)
    }
}

/// The number that ends in the `octets` low octets `low`, "numerically closest
/// to one plus the sequence number of the highest successfully deprotected
/// record" (RFC 9147, Section 4.2.2), which is `next`.
pub fn reconstruct(low: u64, octets: usize, next: u64) -> u64 {
    let span = 1u64 << (8 * octets.min(4));
    let near = next & !(span - 1) | low;
    if near + span / 2 < next {
        near + span
    } else if near > next + span / 2 && near >= span {
        near - span
    } else {
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_every_form_parses() {
        let mut buf = [0; 32];
        for id in [&[][..], b"id"] {
            let mut w = Writer::new(&mut buf);
            UnifiedHeader::emit(&mut w, 7, id, 0x1_2345, 9).unwrap();
            let head = w.len();
            assert_eq!(head, UnifiedHeader::LEN + id.len());
            let header = UnifiedHeader::parse(&buf[..head + 9], 2).unwrap();
            assert_eq!((header.epoch_bits, header.connection_id, header.len, header.body), (3, id, head, 9));
            assert_eq!(buf[header.number_at..header.number_at + header.number_len], [0x23, 0x45]);
            for cut in 0..head + 9 {
                assert_eq!(UnifiedHeader::parse(&buf[..cut], 2), Err(Malformed), "cut at {cut}");
            }
        }
        // An 8-bit number and no length.
        let header = UnifiedHeader::parse(&[0x22, 5, 1, 2, 3], 0).unwrap();
        assert_eq!((header.number_len, header.len, header.body, header.epoch_bits), (1, 2, 3, 2));
        assert_eq!(UnifiedHeader::parse(&[22, 0xfe, 0xfd], 0), Err(Malformed));
    }

    #[test]
    fn numbers_are_taken_to_be_near_what_is_expected() {
        for (low, octets, next, want) in [
            (0, 1, 0, 0),
            (255, 1, 0, 255),
            (255, 1, 256, 255),
            (0, 1, 255, 256),
            (1, 2, 0xffff, 0x1_0001),
            (0xfffe, 2, 0x1_0001, 0xfffe),
            (0x8000, 2, 0x1_0000, 0x1_8000),
            (3, 2, 0x7_0002, 0x7_0003),
        ] {
            assert_eq!(reconstruct(low, octets, next), want, "{low} {octets} {next}");
        }
    }
}
