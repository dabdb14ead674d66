use bytes::BufMut;

/// The output buffer is too short for what is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ShortBuffer;

impl core::fmt::Display for ShortBuffer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the output buffer is too short")
    }
}

impl core::error::Error for ShortBuffer {}

/// A cursor over a buffer to be filled. Every step is checked.
#[derive(Debug)]
pub struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
}

/// A length field that was left open by [`Writer::open8`] and its kin.
#[derive(Debug)]
#[must_use = "an open length field is wrong until it is closed"]
pub struct Open {
    at: usize,
    width: usize,
}

impl<'a> Writer<'a> {
    /// A cursor at the start of `buf`.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// How many octets were written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none were.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many more fit.
    pub fn room(&self) -> usize {
        self.buf.len() - self.len
    }

    /// What was written.
    pub fn written(&self) -> &[u8] {
        self.buf.get(..self.len).unwrap_or_default()
    }

    /// What was written, to be patched in place.
    pub fn written_mut(&mut self) -> &mut [u8] {
        self.buf.get_mut(..self.len).unwrap_or_default()
    }

    /// Takes back all but the first `len` octets.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The next `n` octets, to be filled by the caller. Their content is
    /// whatever the buffer held.
    pub fn reserve(&mut self, n: usize) -> Result<&mut [u8], ShortBuffer> {
        let end = self.len.checked_add(n).ok_or(ShortBuffer)?;
        let room = self.buf.get_mut(self.len..end).ok_or(ShortBuffer)?;
        self.len = end;
        Ok(room)
    }

    /// Octets as they are.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), ShortBuffer> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// `n` octets of zero.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn zeros(&mut self, n: usize) -> Result<(), ShortBuffer> {
        self.reserve(n)?.fill(0);
        Ok(())
    }

    /// One octet.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u8(&mut self, v: u8) -> Result<(), ShortBuffer> {
        self.reserve(1)?.put_u8(v);
        Ok(())
    }

    /// A 16-bit number, big-endian.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u16(&mut self, v: u16) -> Result<(), ShortBuffer> {
        self.reserve(2)?.put_u16(v);
        Ok(())
    }

    /// The low 24 bits of a number, big-endian.
    pub fn u24(&mut self, v: u32) -> Result<(), ShortBuffer> {
        let [_, a, b, c] = v.to_be_bytes();
        self.bytes(&[a, b, c])
    }

    /// A 32-bit number, big-endian.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u32(&mut self, v: u32) -> Result<(), ShortBuffer> {
        self.reserve(4)?.put_u32(v);
        Ok(())
    }

    /// The low 48 bits of a number, big-endian.
    pub fn u48(&mut self, v: u64) -> Result<(), ShortBuffer> {
        let [_, _, rest @ ..] = v.to_be_bytes();
        self.bytes(&rest)
    }

    /// A 64-bit number, big-endian.
    pub fn u64(&mut self, v: u64) -> Result<(), ShortBuffer> {
        self.reserve(8)?.put_u64(v);
        Ok(())
    }

    /// An 8-bit length, to be filled in by [`close`](Self::close).
    pub fn open8(&mut self) -> Result<Open, ShortBuffer> {
        self.open(1)
    }

    /// A 16-bit length, to be filled in by [`close`](Self::close).
    pub fn open16(&mut self) -> Result<Open, ShortBuffer> {
        self.open(2)
    }

    /// A 24-bit length, to be filled in by [`close`](Self::close).
    pub fn open24(&mut self) -> Result<Open, ShortBuffer> {
        self.open(3)
    }

    /// Fills in the length of what was written since the field was opened.
    ///
    /// # Errors
    /// [`ShortBuffer`] when the length does not fit its field.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn close(&mut self, open: Open) -> Result<(), ShortBuffer> {
        let n = self.len.checked_sub(open.at + open.width).ok_or(ShortBuffer)?;
        let n = u32::try_from(n).map_err(|_| ShortBuffer)?;
        if n >> (8 * open.width) != 0 {
            return Err(ShortBuffer);
        }
        let be = n.to_be_bytes();
        let field = self.buf.get_mut(open.at..open.at + open.width).ok_or(ShortBuffer)?;
        field.copy_from_slice(be.get(4 - open.width..).ok_or(ShortBuffer)?);
        Ok(())
    }

    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn open(&mut self, width: usize) -> Result<Open, ShortBuffer> {
        let at = self.len;
        self.zeros(width)?;
        Ok(Open { at, width })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_filled_in_and_nothing_is_written_past_the_end() {
        let mut buf = [0xff; 8];
        let mut w = Writer::new(&mut buf);
        let open = w.open16().unwrap();
        w.u24(0x010203).unwrap();
        w.close(open).unwrap();
        assert_eq!(w.u32(0), Err(ShortBuffer));
        assert_eq!(w.room(), 3);
        assert_eq!(w.written(), [0, 3, 1, 2, 3]);
    }
}
