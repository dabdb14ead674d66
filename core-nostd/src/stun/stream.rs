//! The datagrams of a stream, put together again from whatever pieces the
//! stream arrives in.

use crate::mem::{Boxed, OutOfMemory, boxed_slice};
use crate::wire::Malformed;
use crate::wire::turn::{Frame, Framing};

/// Takes a stream apart into datagrams. A datagram that arrives in one piece is
/// lent from that piece; only one that is cut in two is copied.
#[derive(Debug)]
pub struct Deframer {
    framing: Framing,
    buf: Boxed<[u8]>,
    /// How much of `buf` is the beginning of a frame.
    len: usize,
    /// How much of an oversized frame is still to come.
    skip: usize,
    /// The datagram in `buf` was handed out.
    handed: bool,
    broken: bool,
    oversized: u32,
}

impl Deframer {
    /// A reader of frames of at most `capacity` octets, header and padding
    /// included.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(framing: Framing, capacity: usize) -> Result<Self, OutOfMemory> {
        let buf = boxed_slice(capacity.max(framing.header_len()), || 0)?;
        Ok(Self { framing, buf, len: 0, skip: 0, handed: false, broken: false, oversized: 0 })
    }

    /// Starts over for another stream.
    pub fn reset(&mut self, framing: Framing) {
        self.framing = framing;
        (self.len, self.skip, self.handed, self.broken) = (0, 0, false, false);
    }

    /// How many frames were passed over because they exceed the capacity.
    pub fn oversized(&self) -> u32 {
        self.oversized
    }

    /// The next datagram. Takes from `piece` what belongs to it; call until
    /// `None`, which leaves `piece` empty.
    ///
    /// # Errors
    /// [`Malformed`] when the stream has lost its rhythm, now and for ever: it
    /// is to be closed.
    pub fn read<'a, 'p: 'a>(
        &'a mut self,
        piece: &mut &'p mut [u8],
    ) -> Result<Option<&'a mut [u8]>, Malformed> {
        if core::mem::take(&mut self.handed) {
            self.len = 0;
        }
        loop {
            self.skip_oversized(piece);
            if self.broken {
                return Err(Malformed);
            }
            let Some(frame) = self.next_frame(piece)? else { return Ok(None) };
            if frame.whole > self.buf.len() {
                self.oversized = self.oversized.saturating_add(1);
                self.skip = frame.whole - self.len;
                self.len = 0;
            } else if self.len == 0 && piece.len() >= frame.whole {
                let datagram = take(piece, frame.whole).get_mut(frame.start..frame.start + frame.len);
                // "a null packet" (RFC 4571, Section 2) is nobody's.
                if frame.len > 0 {
                    return Ok(datagram);
                }
            } else {
                self.fill(piece, frame.whole);
                if self.len < frame.whole {
                    return Ok(None);
                }
                if frame.len > 0 {
                    self.handed = true;
                    return Ok(self.buf.get_mut(frame.start..frame.start + frame.len));
                }
                self.len = 0;
            }
        }
    }

    /// The frame that begins in `buf`, or else in `piece`. Takes from `piece`
    /// only while its header is not whole in either.
    fn next_frame(&mut self, piece: &mut &mut [u8]) -> Result<Option<Frame>, Malformed> {
        loop {
            let head = match self.len {
                0 => &**piece,
                n => self.buf.get(..n).unwrap_or_default(),
            };
            match self.framing.frame(head) {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) if piece.is_empty() => return Ok(None),
                // One at a time: a frame may be shorter than the longest header.
                Ok(None) => self.fill(piece, self.len + 1),
                Err(malformed) => {
                    self.broken = true;
                    return Err(malformed);
                }
            }
        }
    }

    /// Moves octets from `piece` until `buf` holds `upto`.
    fn fill(&mut self, piece: &mut &mut [u8], upto: usize) {
        let n = upto.saturating_sub(self.len).min(piece.len());
        if let Some(room) = self.buf.get_mut(self.len..self.len + n) {
            room.copy_from_slice(take(piece, n));
            self.len += n;
        }
    }

    fn skip_oversized(&mut self, piece: &mut &mut [u8]) {
        let n = self.skip.min(piece.len());
        take(piece, n);
        self.skip -= n;
    }
}

/// Splits the first `n` octets (or all, if there are fewer) off `piece`.
fn take<'p>(piece: &mut &'p mut [u8], n: usize) -> &'p mut [u8] {
    let all = core::mem::take(piece);
    let n = n.min(all.len());
    let (head, rest) = all.split_at_mut(n);
    *piece = rest;
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    /// What comes out when `stream` arrives in pieces of `size` octets.
    fn read(deframer: &mut Deframer, stream: &[u8], size: usize) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut out = Vec::new();
        for piece in stream.to_vec().chunks_mut(size) {
            let mut piece = piece;
            while let Some(datagram) = deframer.read(&mut piece)? {
                out.push(datagram.to_vec());
            }
            assert!(piece.is_empty());
        }
        Ok(out)
    }

    fn stun(body: usize) -> Vec<u8> {
        let mut m = vec![0x01, 0x01, 0, body as u8, 0x21, 0x12, 0xa4, 0x42];
        m.resize(20 + body, 7);
        m
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let datagrams = [
            stun(0),
            vec![0x40, 1, 0, 1, 9],
            vec![0x40, 1, 0, 0],
            stun(8),
            vec![0x4f, 0xff, 0, 4, 1, 2, 3, 4],
        ];
        let mut stream = Vec::new();
        for d in &datagrams {
            stream.extend_from_slice(d);
            stream.resize(stream.len().next_multiple_of(4), 0);
        }
        let mut deframer = Deframer::new(Framing::Stun, 64).unwrap();
        for size in 1..=stream.len() {
            assert_eq!(read(&mut deframer, &stream, size).unwrap(), datagrams, "pieces of {size}");
        }
        assert_eq!(deframer.oversized(), 0);
    }

    #[test]
    fn null_packets_are_nobodys_and_oversized_ones_are_passed_over() {
        let mut stream = vec![0, 0, 0, 2, 5, 6, 0xff, 0xff];
        stream.resize(8 + 0xffff, 1);
        stream.extend_from_slice(&[0, 1, 7, 0, 0, 0, 3, 1, 2, 3]);
        let want = [vec![5, 6], vec![7], vec![1, 2, 3]];
        for (n, size) in [1, 2, 3, 7, 1000, 1_000_000].into_iter().enumerate() {
            let mut deframer = Deframer::new(Framing::Rfc4571, 16).unwrap();
            assert_eq!(read(&mut deframer, &stream, size).unwrap(), want, "pieces of {size}");
            assert_eq!(read(&mut deframer, &stream, size).unwrap(), want, "and again, {n}");
            assert_eq!(deframer.oversized(), 2);
        }
    }

    #[test]
    fn a_stream_without_rhythm_ends_and_the_next_begins_afresh() {
        let mut deframer = Deframer::new(Framing::Stun, 64).unwrap();
        let stream = [&stun(4)[..], &[0x16, 3, 1, 0, 0, 0, 0, 0], &stun(4)].concat();
        for size in 1..=stream.len() {
            assert!(read(&mut deframer, &stream, size).is_err(), "pieces of {size}");
            assert!(read(&mut deframer, &stun(0), size).is_err(), "it stays broken");
            deframer.reset(Framing::Stun);
            assert_eq!(read(&mut deframer, &stun(0), size).unwrap(), [stun(0)]);
        }
    }

    #[test]
    fn what_is_cut_off_in_the_middle_is_not_the_next_streams() {
        let mut deframer = Deframer::new(Framing::Rfc4571, 16).unwrap();
        assert!(read(&mut deframer, &[0, 9, 1, 2], 4).unwrap().is_empty());
        deframer.reset(Framing::Rfc4571);
        assert_eq!(read(&mut deframer, &[0, 1, 3], 1).unwrap(), [[3]]);
    }
}
