//! Records that came before they could be read.

use super::record::Records;
use crate::mem::{Boxed, OutOfMemory, boxed_slice};
use core::ops::Range;

/// Octets of length in front of each record.
const LEN: usize = 2;

/// The records, each behind its length, in the order in which they came.
#[derive(Default)]
pub(super) struct Early {
    octets: Boxed<[u8]>,
    used: usize,
}

impl Early {
    pub(super) fn new(octets: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { octets: boxed_slice(octets, || 0)?, used: 0 })
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.octets.len()
    }

    /// Keeps the records of a datagram, with connection IDs of that length;
    /// `false` when there is no room for all.
    pub(super) fn push(&mut self, datagram: &mut [u8], connection_id: usize) -> bool {
        let before = self.used;
        let mut records = Records::new(datagram);
        while let Some(record) = records.next(connection_id) {
            let end = self.used + LEN + record.len();
            let (Some(room), Ok(len)) = (self.octets.get_mut(self.used..end), u16::try_from(record.len()))
            else {
                self.used = before;
                return false;
            };
            if let Some((front, rest)) = room.split_first_chunk_mut::<LEN>() {
                *front = len.to_be_bytes();
                rest.copy_from_slice(record);
            }
            self.used = end;
        }
        true
    }

    /// Where the record behind octet `at` lies.
    pub(super) fn entry(&self, at: usize) -> Option<Range<usize>> {
        let (front, _) = self.octets.get(at..self.used)?.split_first_chunk::<LEN>()?;
        let start = at + LEN;
        Some(start..start + usize::from(u16::from_be_bytes(*front)))
    }

    pub(super) fn get(&self, range: Range<usize>) -> &[u8] {
        self.octets.get(range).unwrap_or_default()
    }

    pub(super) fn get_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.octets.get_mut(range).unwrap_or_default()
    }

    /// Forgets the record at `range`.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        if range.start >= LEN && range.end <= self.used {
            self.octets.copy_within(range.end..self.used, range.start - LEN);
            self.used -= range.len() + LEN;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    /// Puts back what was taken, in front of what was kept meanwhile, which
    /// had no room.
    pub(super) fn restore(&mut self, taken: Self) {
        *self = taken;
    }
}
