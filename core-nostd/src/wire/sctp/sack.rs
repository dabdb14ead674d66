//! SACK (RFC 9260, Section 3.3.4).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Type = 3    |  Chunk Flags  |         Chunk Length          |
//! |                      Cumulative TSN Ack                       |
//! |          Advertised Receiver Window Credit (a_rwnd)           |
//! | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
//! |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
//! \                              ...                              /
//! |                        Duplicate TSN 1                        |
//! \                              ...                              /
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{ChunkType, Malformed, Reader, ShortBuffer, Tsn, Writer, emit_chunk};

/// A run of received TSNs, as offsets from the cumulative TSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GapBlock {
    /// Offset of the first.
    pub start: u16,
    /// Offset of the last.
    pub end: u16,
}

/// A received SACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sack<'a> {
    /// All up to here has arrived.
    pub cumulative: Tsn,
    /// The receive window, in octets.
    pub window: u32,
    gaps: &'a [[u8; 4]],
    duplicates: &'a [[u8; 4]],
}

impl<'a> Sack<'a> {
    /// Octets of a chunk without gap blocks and duplicates.
    pub const MIN_LEN: usize = 16;

    /// Reads the value of a SACK chunk.
    ///
    /// # Errors
    /// [`Malformed`] when the counts and the length disagree.
    pub fn parse(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(value);
        let (cumulative, window) = (Tsn(r.u32()?), r.u32()?);
        let (gaps, duplicates) = (usize::from(r.u16()?), usize::from(r.u16()?));
        let (gaps, _) = r.take(gaps * 4)?.as_chunks();
        let (duplicates, _) = r.take(duplicates * 4)?.as_chunks();
        Ok(Self { cumulative, window, gaps, duplicates })
    }

    /// What arrived beyond the cumulative TSN.
    pub fn gaps(&self) -> impl Iterator<Item = GapBlock> + Clone + use<'a> {
        self.gaps.iter().map(|&[a, b, c, d]| GapBlock {
            start: u16::from_be_bytes([a, b]),
            end: u16::from_be_bytes([c, d]),
        })
    }

    /// What arrived once more since the last SACK.
    pub fn duplicates(&self) -> impl Iterator<Item = Tsn> + use<'a> {
        self.duplicates.iter().map(|octets| Tsn(u32::from_be_bytes(*octets)))
    }

    /// Writes a SACK with as many of the gap blocks, and then of the
    /// duplicates, as there is room for.
    ///
    /// # Errors
    /// [`ShortBuffer`]; nothing is left of the chunk then.
    pub fn emit(
        w: &mut Writer<'_>,
        cumulative: Tsn,
        window: u32,
        gaps: impl ExactSizeIterator<Item = GapBlock>,
        duplicates: &[Tsn],
    ) -> Result<(), ShortBuffer> {
        let room = w.room().checked_sub(Self::MIN_LEN).ok_or(ShortBuffer)? / 4;
        let n = gaps.len().min(room);
        let m = duplicates.len().min(room - n);
        emit_chunk(w, ChunkType::SACK, 0, |w| {
            w.u32(cumulative.0)?;
            w.u32(window)?;
            w.u16(n as u16)?;
            w.u16(m as u16)?;
            for gap in gaps.take(n) {
                w.u16(gap.start)?;
                w.u16(gap.end)?;
            }
            for tsn in duplicates.iter().take(m) {
                w.u32(tsn.0)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sctp::Chunks;
    use std::vec::Vec;

    const GAPS: [GapBlock; 2] = [GapBlock { start: 2, end: 3 }, GapBlock { start: 5, end: 9 }];

    #[test]
    fn a_sack_reads_as_it_was_written_and_never_exceeds_the_room() {
        for (len, gaps) in [(15, None), (16, Some(0)), (20, Some(1)), (24, Some(2)), (64, Some(2))] {
            let mut buf = std::vec![0; len];
            let mut w = Writer::new(&mut buf);
            let result = Sack::emit(&mut w, Tsn(8), 5000, GAPS.into_iter(), &[Tsn(1)]);
            assert_eq!(result.is_ok(), gaps.is_some(), "room {len}");
            let Some(gaps) = gaps else { continue };
            let chunk = Chunks(Reader::new(w.written())).next().unwrap().unwrap();
            let sack = Sack::parse(chunk.value).unwrap();
            assert_eq!((sack.cumulative, sack.window), (Tsn(8), 5000));
            assert_eq!(sack.gaps().collect::<Vec<_>>(), GAPS[..gaps]);
        }
    }

    #[test]
    fn counts_are_checked_against_the_length() {
        for (gaps, duplicates) in [(0, 0), (1, 0), (0, 1), (2, 1), (0xffff, 0xffff), (3, 0), (0, 3)] {
            let mut value = std::vec![0; 12 + 8];
            value[8..10].copy_from_slice(&u16::to_be_bytes(gaps));
            value[10..12].copy_from_slice(&u16::to_be_bytes(duplicates));
            let fits = u32::from(gaps) + u32::from(duplicates) <= 2;
            assert_eq!(Sack::parse(&value).is_ok(), fits, "{gaps} gaps, {duplicates} duplicates");
        }
    }
}
