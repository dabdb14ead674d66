use super::Malformed;
use bytes::Buf;

/// A cursor over received octets. Every step is checked: what is not there is
/// [`Malformed`], never a panic.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A cursor at the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many octets are left.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none are left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left, without taking it.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// One octet.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.0.try_get_u8().map_err(|_| Malformed)
    }

    /// A big-endian 16-bit number.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.0.try_get_u16().map_err(|_| Malformed)
    }

    /// A big-endian 24-bit number.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u24(&mut self) -> Result<u32, Malformed> {
        let [a, b, c] = self.array()?;
        Ok(u32::from_be_bytes([0, a, b, c]))
    }

    /// A big-endian 32-bit number.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.0.try_get_u32().map_err(|_| Malformed)
    }

    /// A big-endian 48-bit number.
    pub fn u48(&mut self) -> Result<u64, Malformed> {
        let [a, b, c, d, e, f] = self.array()?;
        Ok(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// A big-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.0.try_get_u64().map_err(|_| Malformed)
    }

    /// The next `N` octets.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (now, later) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = later;
        Ok(*now)
    }

    /// The next `n` octets.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (now, later) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = later;
        Ok(now)
    }

    /// All that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Octets behind an 8-bit length.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn vec8(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u8()?;
        self.take(n.into())
    }

    /// Octets behind a 16-bit length.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn vec16(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u16()?;
        self.take(n.into())
    }

    /// Octets behind a 24-bit length.
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn vec24(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.u24()?;
        self.take(n as usize)
    }

    /// [`Malformed`] unless everything was read.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut r = Reader::new(&[1, 0, 2, 9, 9, 0, 5, 1]);
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.vec16(), Ok(&[9, 9][..]));
        assert_eq!(r.vec16(), Err(Malformed));
        assert_eq!(r.take(2), Err(Malformed));
        assert_eq!(r.u8(), Ok(1));
        assert_eq!(r.finish(), Ok(()));
    }
}
