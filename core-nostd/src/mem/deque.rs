use super::{Full, OutOfMemory};
use alloc::collections::VecDeque;

/// A queue whose capacity is fixed at construction.
#[derive(Debug)]
pub struct FixedDeque<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> FixedDeque<T> {
    /// An empty queue with room for `capacity` items.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let mut items = VecDeque::new();
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

    /// How many items are queued.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
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

    /// Appends at the back.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn push_back(&mut self, item: T) -> Result<(), Full> {
        if self.is_full() || self.has_to_grow() {
            return Err(Full);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Prepends at the front.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub fn push_front(&mut self, item: T) -> Result<(), Full> {
        if self.is_full() || self.has_to_grow() {
            return Err(Full);
        }
        self.items.push_front(item);
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

    /// Removes and returns the front item.
    pub fn pop_front(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Removes and returns the back item.
    pub fn pop_back(&mut self) -> Option<T> {
        self.items.pop_back()
    }

    /// The front item.
    pub fn front(&self) -> Option<&T> {
        self.items.front()
    }

    /// The front item.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.items.front_mut()
    }

    /// The back item.
    pub fn back(&self) -> Option<&T> {
        self.items.back()
    }

    /// The back item.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    /// The item at `index`, counted from the front.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.items.get(index)
    }

    /// The item at `index`, counted from the front.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)
    }

    /// Removes the item at `index`.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        self.items.remove(index)
    }

    /// From front to back.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.items.iter()
    }

    /// From front to back.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> + ExactSizeIterator {
        self.items.iter_mut()
    }

    /// Index of the first item for which `less` is false, by binary search;
    /// the queue must be partitioned by it.
    pub fn partition_point(&self, less: impl FnMut(&T) -> bool) -> usize {
        self.items.partition_point(less)
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_an_error_and_changes_nothing() {
        let mut q = FixedDeque::new(2).unwrap();
        q.push_back(1).unwrap();
        q.push_front(0).unwrap();
        assert_eq!(q.push_back(2), Err(Full));
        assert_eq!(q.push_front(2), Err(Full));
        assert_eq!(q.insert(1, 2), Err(Full));
        assert_eq!(q.iter().copied().collect::<std::vec::Vec<_>>(), [0, 1]);
    }
}
