/// A datagram under construction in the caller's buffer, with exact room kept
/// in front of the payload for the headers of the layers below and behind it
/// for their trailers, so that nothing moves when a header is put in front.
///
/// ```text
///  buf: | head room ... | payload | ... tail room |
///       0            start       end        capacity
/// ```
#[derive(Debug)]
pub struct Datagram<'a> {
    buf: &'a mut [u8],
    start: usize,
    end: usize,
}

impl<'a> Datagram<'a> {
    /// A datagram over `buf` with `head` octets kept in front. `None` when
    /// `buf` is shorter than that.
    pub fn new(buf: &'a mut [u8], head: usize) -> Option<Self> {
        (head <= buf.len()).then_some(Self { buf, start: head, end: head })
    }

    /// The room for payload when `tail` octets are to stay free behind it and
    /// the payload is at most `max` long.
    pub fn payload_room(&mut self, tail: usize, max: usize) -> &mut [u8] {
        let limit = self.buf.len().saturating_sub(tail).min(self.start.saturating_add(max));
        self.buf.get_mut(self.start..limit).unwrap_or_default()
    }

    /// Says that the first `len` octets of [`payload_room`](Self::payload_room)
    /// were written. `false` (and nothing changes) when they do not fit.
    #[must_use]
    pub fn set_payload_len(&mut self, len: usize) -> bool {
        match self.start.checked_add(len) {
            Some(end) if end <= self.buf.len() => {
                self.end = end;
                true
            }
            _ => false,
        }
    }

    /// Takes `n` octets of head room into the datagram and returns it whole.
    pub fn grow_front(&mut self, n: usize) -> Option<&mut [u8]> {
        self.start = self.start.checked_sub(n)?;
        self.buf.get_mut(self.start..self.end)
    }

    /// Takes `n` octets of tail room into the datagram and returns it whole.
    pub fn grow_back(&mut self, n: usize) -> Option<&mut [u8]> {
        let end = self.end.checked_add(n).filter(|&e| e <= self.buf.len())?;
        self.end = end;
        self.buf.get_mut(self.start..end)
    }

    /// The octets as they stand.
    pub fn bytes(&mut self) -> &mut [u8] {
        self.buf.get_mut(self.start..self.end).unwrap_or_default()
    }

    /// How much head room is left. A finished datagram has none.
    pub fn head_room(&self) -> usize {
        self.start
    }

    /// How many octets the datagram has.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_trailers_go_around_a_payload_that_does_not_move() {
        let mut buf = [0; 12];
        let mut d = Datagram::new(&mut buf, 4).unwrap();
        assert_eq!(d.payload_room(3, 99).len(), 5);
        d.payload_room(3, 99)[..2].copy_from_slice(b"hi");
        assert!(d.set_payload_len(2));
        d.grow_front(4).unwrap()[..4].copy_from_slice(b"head");
        d.grow_back(3).unwrap()[6..].copy_from_slice(b"tag");
        assert_eq!(d.bytes(), b"headhitag");
        assert!(d.grow_front(1).is_none());
        assert!(d.grow_back(4).is_none());
    }
}
