//! SCTP packets, chunks and parameters (RFC 9260 and its extensions).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      Source Port Number       |    Destination Port Number    |
//! |                       Verification Tag                        |
//! |                           Checksum                            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Chunk Type   |  Chunk Flags  |         Chunk Length          |
//! \                          Chunk Value                          /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

mod control;
mod crc32c;
mod data;
mod forward;
mod init;
mod param;
mod reconfig;
mod sack;
#[cfg(feature = "snap")]
mod signalled;

use super::{Malformed, Reader, ShortBuffer, Writer};

pub use control::{Cause, heartbeat_info};
pub use crc32c::crc32c;
pub use data::Data;
pub use forward::{ForwardTsn, Skip};
pub use init::{Features, Init};
pub use param::{Param, Params};
pub use reconfig::{Reconfig, ResetResult, Streams, emit_outgoing_reset, emit_response};
pub use sack::{GapBlock, Sack};
#[cfg(feature = "snap")]
pub use signalled::SignalledInit;

/// A transmission sequence number.
pub use crate::mem::Serial32 as Tsn;

/// Octets of the common header.
pub const HEADER_LEN: usize = 12;
/// Octets of a chunk in front of its value.
pub const CHUNK_HEADER_LEN: usize = 4;

/// The common header (RFC 9260, Section 3.1), without its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// The sender's port.
    pub source: u16,
    /// The receiver's port.
    pub destination: u16,
    /// The verification tag.
    pub tag: u32,
}

/// How a packet's checksum stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Checksum {
    /// It is right.
    Correct,
    /// It is zero, so nobody computed it: acceptable to a receiver that said
    /// so (RFC 9653).
    Zero,
    /// It is wrong.
    Wrong,
}

/// A received packet.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The common header.
    pub header: Header,
    bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads the common header.
    ///
    /// # Errors
    /// [`Malformed`] when there is no whole header.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let header = Header { source: r.u16()?, destination: r.u16()?, tag: r.u32()? };
        r.u32()?;
        Ok(Self { header, bytes })
    }

    /// Checks the checksum. One that is zero costs nothing.
    pub fn checksum(&self) -> Checksum {
        let (Some(before), Some(field), Some(after)) =
            (self.bytes.get(..8), self.bytes.get(8..12), self.bytes.get(12..))
        else {
            return Checksum::Wrong;
        };
        if field == [0; 4] {
            return Checksum::Zero;
        }
        if field == crc32c(&[before, &[0; 4], after]) { Checksum::Correct } else { Checksum::Wrong }
    }

    /// The packet's chunks.
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks(Reader::new(self.bytes.get(HEADER_LEN..).unwrap_or_default()))
    }
}

/// Writes the common header, with a checksum of zero.
///
/// # Errors
/// [`ShortBuffer`].
pub fn emit_header(w: &mut Writer<'_>, header: &Header) -> Result<(), ShortBuffer> {
    // One step: it is written to find out whether anything is to be sent.
    let ([a, b], [c, d]) = (header.source.to_be_bytes(), header.destination.to_be_bytes());
    let [e, f, g, h] = header.tag.to_be_bytes();
    w.bytes(&[a, b, c, d, e, f, g, h, 0, 0, 0, 0])
}

/// Fills in the checksum of a whole packet that has zero there.
pub fn fill_checksum(packet: &mut [u8]) {
    let crc = crc32c(&[packet]);
    if let Some(field) = packet.get_mut(8..12) {
        field.copy_from_slice(&crc);
    }
}

/// The type of a chunk (RFC 9260, Section 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkType(pub u8);

impl ChunkType {
    /// Payload.
    pub const DATA: Self = Self(0);
    /// Initiation.
    pub const INIT: Self = Self(1);
    /// Initiation acknowledgement.
    pub const INIT_ACK: Self = Self(2);
    /// Selective acknowledgement.
    pub const SACK: Self = Self(3);
    /// Heartbeat request.
    pub const HEARTBEAT: Self = Self(4);
    /// Heartbeat acknowledgement.
    pub const HEARTBEAT_ACK: Self = Self(5);
    /// Abort.
    pub const ABORT: Self = Self(6);
    /// Shutdown.
    pub const SHUTDOWN: Self = Self(7);
    /// Shutdown acknowledgement.
    pub const SHUTDOWN_ACK: Self = Self(8);
    /// Operation error.
    pub const ERROR: Self = Self(9);
    /// State cookie.
    pub const COOKIE_ECHO: Self = Self(10);
    /// Cookie acknowledgement.
    pub const COOKIE_ACK: Self = Self(11);
    /// Shutdown complete.
    pub const SHUTDOWN_COMPLETE: Self = Self(14);
    /// Payload that may be interleaved (RFC 8260).
    pub const I_DATA: Self = Self(64);
    /// Re-configuration (RFC 6525).
    pub const RE_CONFIG: Self = Self(130);
    /// Padding (RFC 4820), which is skipped.
    pub const PAD: Self = Self(132);
    /// Forward TSN (RFC 3758).
    pub const FORWARD_TSN: Self = Self(192);
    /// Forward TSN with message identifiers (RFC 8260).
    pub const I_FORWARD_TSN: Self = Self(194);

    /// "Skip this chunk and continue processing" rather than "stop processing
    /// the SCTP packet" when the type is unknown (RFC 9260, Table 2).
    pub const fn skip_if_unknown(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Whether an unknown chunk of this type is reported in an ERROR chunk.
    pub const fn report_if_unknown(self) -> bool {
        self.0 & 0x40 != 0
    }
}

/// A chunk as it stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// What the value is.
    pub kind: ChunkType,
    /// Flags, by the type.
    pub flags: u8,
    /// The value without padding.
    pub value: &'a [u8],
}

/// The chunks of a packet. Ends at the first one whose length is impossible,
/// as an `Err`.
#[derive(Debug, Clone)]
pub struct Chunks<'a>(Reader<'a>);

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let chunk = chunk(&mut self.0);
        if chunk.is_err() {
            self.0.take_rest();
        }
        Some(chunk)
    }
}

fn chunk<'a>(r: &mut Reader<'a>) -> Result<Chunk<'a>, Malformed> {
    let (kind, flags) = (ChunkType(r.u8()?), r.u8()?);
    let len = usize::from(r.u16()?).checked_sub(CHUNK_HEADER_LEN).ok_or(Malformed)?;
    let value = r.take(len)?;
    skip_padding(r, len);
    Ok(Chunk { kind, flags, value })
}

/// Padding may be missing behind the last chunk or parameter.
fn skip_padding(r: &mut Reader<'_>, len: usize) {
    let _ = r.take(padding(len).min(r.len()));
}

/// Octets of padding behind `len` octets.
pub const fn padding(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// Octets of a chunk with a value of `len` octets, padding included.
pub const fn chunk_len(len: usize) -> usize {
    CHUNK_HEADER_LEN + len + padding(len)
}

/// Writes one chunk: its header, what `value` writes, and padding.
///
/// # Errors
/// [`ShortBuffer`]; nothing is left of the chunk then.
pub fn emit_chunk(
    w: &mut Writer<'_>,
    kind: ChunkType,
    flags: u8,
    value: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
) -> Result<(), ShortBuffer> {
    let start = w.len();
    let result = emit_tlv(w, u16::from_be_bytes([kind.0, flags]), value);
    if result.is_err() {
        w.truncate(start);
    }
    result
}

/// Writes one parameter or error cause: two octets of type, the length with
/// this header, what `value` writes, and padding.
fn emit_tlv(
    w: &mut Writer<'_>,
    kind: u16,
    value: impl FnOnce(&mut Writer<'_>) -> Result<(), ShortBuffer>,
) -> Result<(), ShortBuffer> {
    let start = w.len();
    w.u16(kind)?;
    w.u16(0)?;
    value(w)?;
    let len = w.len() - start;
    w.zeros(padding(len))?;
    let field = u16::try_from(len).map_err(|_| ShortBuffer)?.to_be_bytes();
    w.written_mut().get_mut(start + 2..start + 4).ok_or(ShortBuffer)?.copy_from_slice(&field);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn packet() -> Vec<u8> {
        let mut buf = [0; 64];
        let mut w = Writer::new(&mut buf);
        emit_header(&mut w, &Header { source: 5000, destination: 5001, tag: 0x0102_0304 }).unwrap();
        emit_chunk(&mut w, ChunkType::COOKIE_ECHO, 0, |w| w.bytes(b"biscuit")).unwrap();
        emit_chunk(&mut w, ChunkType::COOKIE_ACK, 3, |_| Ok(())).unwrap();
        let len = w.len();
        fill_checksum(&mut buf[..len]);
        buf[..len].to_vec()
    }

    #[test]
    fn a_packet_reads_as_it_was_written() {
        let mut bytes = packet();
        assert_eq!(bytes.len(), HEADER_LEN + 12 + 4);
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.header, Header { source: 5000, destination: 5001, tag: 0x0102_0304 });
        assert_eq!(packet.checksum(), Checksum::Correct);
        let chunks: Vec<_> = packet.chunks().map(Result::unwrap).collect();
        assert_eq!(chunks[0], Chunk { kind: ChunkType::COOKIE_ECHO, flags: 0, value: b"biscuit" });
        assert_eq!(chunks[1], Chunk { kind: ChunkType::COOKIE_ACK, flags: 3, value: b"" });
        bytes[20] ^= 1;
        assert_eq!(Packet::parse(&bytes).unwrap().checksum(), Checksum::Wrong);
        bytes[8..12].fill(0);
        assert_eq!(Packet::parse(&bytes).unwrap().checksum(), Checksum::Zero);
    }

    #[test]
    fn impossible_lengths_end_the_iteration() {
        let mut bytes = packet();
        for len in [0u16, 3, 17, u16::MAX] {
            bytes[14..16].copy_from_slice(&len.to_be_bytes());
            let found: Vec<_> = Packet::parse(&bytes).unwrap().chunks().collect();
            assert_eq!(found, [Err(Malformed)], "length {len}");
        }
        for cut in 0..HEADER_LEN {
            assert!(Packet::parse(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn captured_packets_parse_and_their_checksums_are_as_noted() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/vectors/corpora/libwebrtc/sctp-packet-corpus");
        let Ok(files) = std::fs::read_dir(&dir) else {
            std::println!("skipped: {} is absent", dir.display());
            return;
        };
        let (mut right, mut wrong) = (0, 0);
        for file in files {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let packet = Packet::parse(&bytes).unwrap();
            match packet.checksum() {
                Checksum::Correct => right += 1,
                _ => {
                    // Some of these are cut short, too.
                    wrong += 1;
                    continue;
                }
            }
            assert!(packet.chunks().count() > 0);
            for chunk in packet.chunks() {
                let chunk = chunk.unwrap();
                match chunk.kind {
                    ChunkType::DATA | ChunkType::I_DATA => drop(Data::parse(&chunk).unwrap()),
                    ChunkType::INIT | ChunkType::INIT_ACK => drop(Init::parse(chunk.value).unwrap()),
                    ChunkType::SACK => drop(Sack::parse(chunk.value).unwrap()),
                    ChunkType::FORWARD_TSN => drop(ForwardTsn::parse(&chunk).unwrap()),
                    ChunkType::RE_CONFIG => assert!(Reconfig::iter(chunk.value).all(|p| p.is_ok())),
                    _ => {}
                }
            }
        }
        assert_eq!((right, wrong), (8, 5));
    }
}
