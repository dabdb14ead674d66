use super::{Full, OutOfMemory};
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// A vector whose capacity is fixed at construction.
#[derive(Debug)]
pub struct FixedVec<T> {
    items: Vec<T>,
    capacity: usize,
}

impl<T> FixedVec<T> {
    /// An empty vector with room for `capacity` items.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let mut items = Vec::new();
        items.try_reserve_exact(capacity).map_err(|_| OutOfMemory)?;
        Ok(Self { items, capacity })
    }

    /// The octets of heap that `capacity` items take.
    pub const fn heap_bytes(capacity: usize) -> usize {
        capacity * size_of::<T>()
    }

    /// How many items fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether no further item fits.
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.capacity
    }

    /// Never so when it is not full. The compiler does not know, and leaves out
    /// the code that grows where this is asked before.
    fn has_to_grow(&self) -> bool {
        self.items.len() == self.items.capacity()
    }

    /// Appends an item.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn push(&mut self, item: T) -> Result<(), Full> {
        if self.is_full() || self.has_to_grow() {
            return Err(Full);
        }
        self.items.push(item);
        Ok(())
    }

    /// Inserts at `index`, or at the end when `index` is past it.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn insert(&mut self, index: usize, item: T) -> Result<(), Full> {
        if self.is_full() || self.has_to_grow() {
            return Err(Full);
        }
        self.items.insert(index.min(self.items.len()), item);
        Ok(())
    }

    /// Appends as many octets as there are.
    ///
    /// # Errors
    /// [`Full`] when not all of `items` fit; none is appended then.
    pub fn extend_from_slice(&mut self, items: &[T]) -> Result<(), Full>
    where
        T: Clone,
    {
        if self.capacity - self.items.len() < items.len() {
            return Err(Full);
        }
        self.items.extend_from_slice(items);
        Ok(())
    }

    /// Removes and returns the last item.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop()
    }

    /// Removes the item at `index`, keeping the order of the rest.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        (index < self.items.len()).then(|| self.items.remove(index))
    }

    /// Removes the item at `index` and puts the last one in its place.
    pub fn swap_remove(&mut self, index: usize) -> Option<T> {
        (index < self.items.len()).then(|| self.items.swap_remove(index))
    }

    /// Keeps the items for which `keep` holds.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    /// Shortens to `len` items.
    pub fn truncate(&mut self, len: usize) {
        self.items.truncate(len);
    }

    /// Removes all items and gives back the memory: none fits any more.
    pub fn release(&mut self) {
        (self.items, self.capacity) = (Vec::new(), 0);
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}

impl<T> Deref for FixedVec<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for FixedVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_an_error_and_changes_nothing() {
        let mut v = FixedVec::new(2).unwrap();
        v.push(1).unwrap();
        v.push(2).unwrap();
        assert_eq!(v.push(3), Err(Full));
        assert_eq!(v.insert(0, 3), Err(Full));
        assert_eq!(v.extend_from_slice(&[3]), Err(Full));
        assert_eq!(&v[..], &[1, 2]);
        assert_eq!(v.remove(7), None);
        assert_eq!(v.remove(0), Some(1));
    }
}
