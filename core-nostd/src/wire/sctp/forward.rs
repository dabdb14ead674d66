//! FORWARD TSN (RFC 3758, Section 3.2) and I-FORWARD-TSN (RFC 8260, Section
//! 2.3.1).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type = 192   |  Flags = 0    |   |  Type = 194   |  Flags = 0    |
//! |      New Cumulative TSN       |   |      New Cumulative TSN       |
//! |   Stream-1    |  Sequence-1   |   |   Stream-1    |   Reserved  |U|
//! \              ...              /   |     Message Identifier-1      |
//! |   Stream-N    |  Sequence-N   |   \              ...              /
//! ```

use super::{Chunk, ChunkType, Malformed, Reader, ShortBuffer, Tsn, Writer, emit_chunk};

/// A stream whose messages up to one are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Skip {
    /// The stream.
    pub stream: u16,
    /// The message is one of the unordered ones (I-FORWARD-TSN only).
    pub unordered: bool,
    /// Stream sequence number or message identifier of the last one.
    pub seq: u32,
}

/// A received FORWARD TSN or I-FORWARD-TSN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardTsn<'a> {
    /// All up to here counts as received.
    pub tsn: Tsn,
    skips: Skips<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Skips<'a> {
    bytes: &'a [u8],
    interleaved: bool,
}

impl<'a> ForwardTsn<'a> {
    /// Reads either chunk. What is left over behind the last whole entry is
    /// ignored.
    ///
    /// # Errors
    /// [`Malformed`] when the TSN is not whole.
    pub fn parse(chunk: &Chunk<'a>) -> Result<Self, Malformed> {
        let mut r = Reader::new(chunk.value);
        let tsn = Tsn(r.u32()?);
        let interleaved = chunk.kind == ChunkType::I_FORWARD_TSN;
        Ok(Self { tsn, skips: Skips { bytes: r.rest(), interleaved } })
    }

    /// The streams whose messages are given up.
    pub fn skips(&self) -> impl Iterator<Item = Skip> + use<'a> {
        let Skips { bytes, interleaved } = self.skips;
        let mut r = Reader::new(bytes);
        core::iter::from_fn(move || {
            let (stream, short) = (r.u16().ok()?, r.u16().ok()?);
            Some(if interleaved {
                Skip { stream, unordered: short & 1 != 0, seq: r.u32().ok()? }
            } else {
                Skip { stream, unordered: false, seq: short.into() }
            })
        })
    }

    /// Writes the chunk.
    ///
    /// # Errors
    /// [`ShortBuffer`]; nothing is left of the chunk then.
    pub fn emit(w: &mut Writer<'_>, interleaved: bool, tsn: Tsn, skips: &[Skip]) -> Result<(), ShortBuffer> {
        let kind = if interleaved { ChunkType::I_FORWARD_TSN } else { ChunkType::FORWARD_TSN };
        emit_chunk(w, kind, 0, |w| {
            w.u32(tsn.0)?;
            for skip in skips {
                w.u16(skip.stream)?;
                if interleaved {
                    w.u16(skip.unordered.into())?;
                    w.u32(skip.seq)?;
                } else {
                    w.u16(skip.seq as u16)?;
                }
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

    #[test]
    fn both_forms_read_as_they_were_written() {
        let skips = [
            Skip { stream: 1, unordered: false, seq: 0xffff },
            Skip { stream: 65534, unordered: true, seq: 0x1_0000 },
        ];
        for (interleaved, skips) in [(false, &skips[..1]), (true, &skips[..])] {
            let mut buf = [0; 64];
            let mut w = Writer::new(&mut buf);
            ForwardTsn::emit(&mut w, interleaved, Tsn(5), skips).unwrap();
            let chunk = Chunks(Reader::new(w.written())).next().unwrap().unwrap();
            let back = ForwardTsn::parse(&chunk).unwrap();
            assert_eq!(back.tsn, Tsn(5));
            assert_eq!(back.skips().collect::<Vec<_>>(), skips);
            assert!(ForwardTsn::parse(&Chunk { value: &chunk.value[..3], ..chunk }).is_err());
        }
    }
}
