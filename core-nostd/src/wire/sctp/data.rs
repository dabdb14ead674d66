//! DATA (RFC 9260, Section 3.3.1) and I-DATA (RFC 8260, Section 2.1).
//!
//! ```text
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Type = 0    | Res   |I|U|B|E|   |   Type = 64   | Res   |I|U|B|E|
//! |              TSN              |   |              TSN              |
//! |   Stream      |  Stream Seq.  |   |   Stream      |   Reserved    |
//! | Payload Protocol Identifier   |   |      Message Identifier       |
//! \           User Data           /   |    PPID (B) or FSN (not B)    |
//!                                     \           User Data           /
//! ```

use super::{Chunk, ChunkType, Malformed, Reader, ShortBuffer, Tsn, Writer, emit_chunk};

const IMMEDIATE: u8 = 0x08;
const UNORDERED: u8 = 0x04;
const BEGIN: u8 = 0x02;
const END: u8 = 0x01;

/// The head of a DATA or I-DATA chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Data {
    /// The chunk's transmission sequence number.
    pub tsn: Tsn,
    /// The stream.
    pub stream: u16,
    /// The stream sequence number of DATA, or the message identifier of
    /// I-DATA.
    pub seq: u32,
    /// The payload protocol identifier. I-DATA has it in its first fragment
    /// only; it is 0 in the others.
    pub ppid: u32,
    /// The fragment's number within its message, for I-DATA; 0 for DATA.
    pub fsn: u32,
    /// An acknowledgement is wanted at once (RFC 7053).
    pub immediate: bool,
    /// The message may be delivered out of order.
    pub unordered: bool,
    /// First fragment of a message.
    pub begin: bool,
    /// Last fragment of a message.
    pub end: bool,
}

impl Data {
    /// Octets of a DATA chunk in front of the user data.
    pub const HEADER_LEN: usize = 16;
    /// Octets of an I-DATA chunk in front of the user data.
    pub const I_HEADER_LEN: usize = 20;

    /// Reads a DATA or I-DATA chunk; returns the user data, too.
    ///
    /// # Errors
    /// [`Malformed`] when the head is not whole.
    pub fn parse<'a>(chunk: &Chunk<'a>) -> Result<(Self, &'a [u8]), Malformed> {
        let mut r = Reader::new(chunk.value);
        let (tsn, stream, short) = (Tsn(r.u32()?), r.u16()?, r.u16()?);
        let begin = chunk.flags & BEGIN != 0;
        let (seq, ppid, fsn) = if chunk.kind == ChunkType::I_DATA {
            match (r.u32()?, r.u32()?) {
                (mid, ppid) if begin => (mid, ppid, 0),
                (mid, fsn) => (mid, 0, fsn),
            }
        } else {
            (short.into(), r.u32()?, 0)
        };
        let head = Self {
            tsn,
            stream,
            seq,
            ppid,
            fsn,
            immediate: chunk.flags & IMMEDIATE != 0,
            unordered: chunk.flags & UNORDERED != 0,
            begin,
            end: chunk.flags & END != 0,
        };
        Ok((head, r.take_rest()))
    }

    /// Writes the chunk with `len` octets of user data, which `fill` puts in
    /// their place.
    ///
    /// # Errors
    /// [`ShortBuffer`]; nothing is left of the chunk then.
    pub fn emit(
        &self,
        w: &mut Writer<'_>,
        interleaved: bool,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), ShortBuffer> {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(self.immediate, IMMEDIATE)
            | flag(self.unordered, UNORDERED)
            | flag(self.begin, BEGIN)
            | flag(self.end, END);
        let kind = if interleaved { ChunkType::I_DATA } else { ChunkType::DATA };
        emit_chunk(w, kind, flags, |w| {
            w.u32(self.tsn.0)?;
            w.u16(self.stream)?;
            if interleaved {
                w.u16(0)?;
                w.u32(self.seq)?;
                w.u32(if self.begin { self.ppid } else { self.fsn })?;
            } else {
                w.u16(self.seq as u16)?;
                w.u32(self.ppid)?;
            }
            fill(w.reserve(len)?);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sctp::Chunks;

    #[test]
    fn both_forms_read_as_they_were_written() {
        let head = Data {
            tsn: Tsn(0xffff_fffe),
            stream: 7,
            seq: 9,
            ppid: 51,
            fsn: 0,
            immediate: true,
            unordered: true,
            begin: true,
            end: false,
        };
        let later = Data { begin: false, end: true, ppid: 0, fsn: 3, seq: 0x1_0009, ..head };
        for (interleaved, head) in [(false, head), (true, head), (true, later)] {
            let mut buf = [0xee; 64];
            let mut w = Writer::new(&mut buf);
            head.emit(&mut w, interleaved, 5, |room| room.copy_from_slice(b"hello")).unwrap();
            assert_eq!(w.len(), if interleaved { 28 } else { 24 });
            let chunk = Chunks(Reader::new(w.written())).next().unwrap().unwrap();
            assert_eq!(Data::parse(&chunk), Ok((head, &b"hello"[..])));
            for cut in 0..if interleaved { 16 } else { 12 } {
                assert!(Data::parse(&Chunk { value: &chunk.value[..cut], ..chunk }).is_err());
            }
        }
    }
}
