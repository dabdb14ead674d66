use super::{Full, OutOfMemory, boxed_slice, zeroed_slice};
use alloc::boxed::Box;

/// A pool of equal blocks of octets, linked into [`Chain`]s.
///
/// Messages of any length are kept as chains; freeing one, from the front or
/// whole, gives its blocks back at once, in whatever order messages end. There
/// is no fragmentation and no moving; the price is at most one partly filled
/// block at the end of each chain, and a gap at its front.
#[derive(Debug)]
pub struct BlockPool {
    data: Box<[u8]>,
    next: Box<[Link]>,
    free: Link,
    free_blocks: usize,
    block: usize,
}

/// The index of a block, or the end of a chain.
type Link = u32;
const END: Link = Link::MAX;

/// A run of octets in a [`BlockPool`]. It does not free itself: whoever drops
/// one calls [`BlockPool::release`] first.
#[derive(Debug, Default)]
#[must_use = "a chain that is dropped keeps its blocks for ever"]
pub struct Chain {
    /// First and last block; meaningless when `len` is 0 and `blocks` is 0.
    head: Link,
    tail: Link,
    blocks: u32,
    /// Octets of the first block that are already consumed.
    offset: u32,
    len: usize,
}

impl Chain {
    /// A chain of no octets and no blocks.
    pub const EMPTY: Self = Self { head: END, tail: END, blocks: 0, offset: 0, len: 0 };

    /// How many octets it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Where in a chain one stands, so that reading on costs nothing. It stays
/// valid while the octets behind it are in the chain.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    block: Link,
    offset: u32,
}

impl BlockPool {
    /// A pool of `blocks` blocks of `block` octets each.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(blocks: usize, block: usize) -> Result<Self, OutOfMemory> {
        let blocks = blocks.min(END as usize - 1);
        let bytes = blocks.checked_mul(block).ok_or(OutOfMemory)?;
        let mut i = 0;
        let next = boxed_slice(blocks, || {
            i += 1;
            if i == blocks { END } else { i as Link }
        })?;
        let free = if blocks == 0 { END } else { 0 };
        Ok(Self { data: zeroed_slice(bytes)?, next, free, free_blocks: blocks, block })
    }

    /// The octets of heap that such a pool takes.
    pub const fn heap_bytes(blocks: usize, block: usize) -> usize {
        blocks * (block + size_of::<Link>())
    }

    /// The octets of one block.
    pub fn block_size(&self) -> usize {
        self.block
    }

    /// How many blocks are free.
    pub fn free_blocks(&self) -> usize {
        self.free_blocks
    }

    /// The octets of free blocks.
    pub fn free_bytes(&self) -> usize {
        self.free_blocks * self.block
    }

    /// The octets of all blocks.
    pub fn total_bytes(&self) -> usize {
        self.data.len()
    }

    /// Appends `bytes` to `chain`.
    ///
    /// # Errors
    /// [`Full`] when the pool has not enough free blocks; nothing is appended.
    pub fn append(&mut self, chain: &mut Chain, mut bytes: &[u8]) -> Result<(), Full> {
        if chain.blocks == 0 {
            *chain = Chain::EMPTY;
        }
        let used = chain.offset as usize + chain.len;
        let mut tail_used = used - (chain.blocks.saturating_sub(1)) as usize * self.block;
        let tail_room = if chain.blocks == 0 { 0 } else { self.block - tail_used };
        let needed = bytes.len().saturating_sub(tail_room).div_ceil(self.block.max(1));
        if needed > self.free_blocks {
            return Err(Full);
        }
        chain.len += bytes.len();
        while !bytes.is_empty() {
            if chain.blocks == 0 || tail_used == self.block {
                self.grow(chain)?;
                tail_used = 0;
            }
            let n = bytes.len().min(self.block - tail_used);
            let (now, later) = bytes.split_at(n);
            if let Some(room) = self.slice_mut(chain.tail, tail_used, n) {
                room.copy_from_slice(now);
            }
            tail_used += n;
            bytes = later;
        }
        Ok(())
    }

    /// Copies `out.len()` octets of `chain`, from `at` on, to `out`. `false`
    /// when the chain is too short; `out` is unspecified then.
    #[must_use]
    pub fn copy_to(&self, chain: &Chain, at: usize, out: &mut [u8]) -> bool {
        if at.checked_add(out.len()).is_none_or(|end| end > chain.len) {
            return false;
        }
        self.read(self.place(chain, at), out).is_some()
    }

    /// The place of the first octet of `chain`.
    pub fn start(&self, chain: &Chain) -> Place {
        Place { block: chain.head, offset: chain.offset }
    }

    /// Copies `out.len()` octets from `place` on to `out` and returns the place
    /// of the octet behind them, which must be in the chain already to be read
    /// from there. `None` when the blocks end before; the caller knows how
    /// many octets of the last block are its chain's.
    #[must_use]
    pub fn read(&self, mut place: Place, mut out: &mut [u8]) -> Option<Place> {
        while !out.is_empty() {
            if place.offset as usize == self.block {
                place = Place { block: self.next_of(place.block), offset: 0 };
            }
            let n = out.len().min(self.block - place.offset as usize);
            let (now, later) = core::mem::take(&mut out).split_at_mut(n);
            now.copy_from_slice(self.slice(place.block, place.offset as usize, n)?);
            out = later;
            place.offset += n as u32;
        }
        // What is read may be consumed, and its block be freed.
        if place.offset as usize == self.block {
            place = Place { block: self.next_of(place.block), offset: 0 };
        }
        Some(place)
    }

    /// Appends `back` to `front` without taking a block: octets move up within
    /// the blocks they are in, each at most once.
    pub fn join(&mut self, front: &mut Chain, mut back: Chain) {
        if front.blocks == 0 {
            *front = back;
            return;
        }
        while back.blocks > 0 {
            let tail_used = front.offset as usize + front.len - (front.blocks - 1) as usize * self.block;
            let offset = back.offset as usize;
            let n = back.len.min(self.block - offset);
            let fits = n.min(self.block - tail_used);
            let (from, to) = (back.head as usize * self.block, front.tail as usize * self.block);
            self.data.copy_within(from + offset..from + offset + fits, to + tail_used);
            front.len += n;
            back.len -= n;
            back.offset = 0;
            if fits == n {
                self.drop_head(&mut back);
                continue;
            }
            self.data.copy_within(from + offset + fits..from + offset + n, from);
            let block = back.head;
            back.head = self.next_of(block);
            back.blocks -= 1;
            if let Some(link) = self.next.get_mut(block as usize) {
                *link = END;
            }
            if let Some(link) = self.next.get_mut(front.tail as usize) {
                *link = block;
            }
            front.tail = block;
            front.blocks += 1;
        }
    }

    /// The octets of `chain` as one slice, when they lie in one block.
    pub fn as_slice(&self, chain: &Chain) -> Option<&[u8]> {
        if chain.len == 0 {
            return Some(&[]);
        }
        self.slice(chain.head, chain.offset as usize, chain.len)
            .filter(|_| chain.offset as usize + chain.len <= self.block)
    }

    /// Drops the first `n` octets of `chain` and frees the blocks that held
    /// nothing else.
    pub fn consume(&mut self, chain: &mut Chain, n: usize) {
        let n = n.min(chain.len);
        chain.len -= n;
        let mut offset = chain.offset as usize + n;
        while offset >= self.block && chain.blocks > 0 {
            self.drop_head(chain);
            offset -= self.block;
        }
        chain.offset = offset as u32;
        if chain.len == 0 {
            self.release(core::mem::take(chain));
        }
    }

    /// Gives all blocks of `chain` back.
    pub fn release(&mut self, mut chain: Chain) {
        while chain.blocks > 0 {
            self.drop_head(&mut chain);
        }
    }

    fn grow(&mut self, chain: &mut Chain) -> Result<(), Full> {
        let block = self.free;
        let next = self.next.get_mut(block as usize).ok_or(Full)?;
        self.free = *next;
        *next = END;
        self.free_blocks -= 1;
        if chain.blocks == 0 {
            chain.head = block;
        } else if let Some(link) = self.next.get_mut(chain.tail as usize) {
            *link = block;
        }
        chain.tail = block;
        chain.blocks += 1;
        Ok(())
    }

    fn drop_head(&mut self, chain: &mut Chain) {
        let block = chain.head;
        if let Some(link) = self.next.get_mut(block as usize) {
            chain.head = *link;
            *link = self.free;
            self.free = block;
            self.free_blocks += 1;
        }
        chain.blocks -= 1;
    }

    fn place(&self, chain: &Chain, at: usize) -> Place {
        let mut offset = chain.offset as usize + at;
        let mut block = chain.head;
        while offset >= self.block {
            offset -= self.block;
            block = self.next_of(block);
        }
        Place { block, offset: offset as u32 }
    }

    fn next_of(&self, block: Link) -> Link {
        self.next.get(block as usize).copied().unwrap_or(END)
    }

    fn slice(&self, block: Link, offset: usize, len: usize) -> Option<&[u8]> {
        let at = (block as usize).checked_mul(self.block)?.checked_add(offset)?;
        self.data.get(at..at.checked_add(len)?)
    }

    fn slice_mut(&mut self, block: Link, offset: usize, len: usize) -> Option<&mut [u8]> {
        let at = (block as usize).checked_mul(self.block)?.checked_add(offset)?;
        self.data.get_mut(at..at.checked_add(len)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| i as u8).collect()
    }

    fn read(pool: &BlockPool, chain: &Chain) -> Vec<u8> {
        let mut out = std::vec![0; chain.len()];
        assert!(pool.copy_to(chain, 0, &mut out));
        out
    }

    #[test]
    fn a_chain_reads_as_it_was_written_and_frees_what_is_consumed() {
        let mut pool = BlockPool::new(8, 10).unwrap();
        let mut chain = Chain::EMPTY;
        pool.append(&mut chain, &bytes(25)).unwrap();
        pool.append(&mut chain, &bytes(9)).unwrap();
        assert_eq!(pool.free_bytes(), 40);
        let mut middle = [0; 12];
        assert!(pool.copy_to(&chain, 8, &mut middle));
        assert_eq!(&middle[..], &bytes(25)[8..20]);
        pool.consume(&mut chain, 19);
        assert_eq!(pool.free_bytes(), 50);
        assert_eq!(read(&pool, &chain)[..6], bytes(25)[19..]);
        assert_eq!(pool.append(&mut chain, &bytes(57)), Err(Full));
        pool.append(&mut chain, &bytes(56)).unwrap();
        assert_eq!(pool.free_bytes(), 0);
        let n = chain.len();
        pool.consume(&mut chain, n);
        assert_eq!(pool.free_bytes(), 80);
    }

    #[test]
    fn joined_chains_read_as_one_and_take_no_block() {
        for (a, b, skip) in [(25, 25, 0), (20, 13, 0), (7, 40, 3), (30, 1, 9), (1, 29, 12), (0, 9, 0)] {
            let mut pool = BlockPool::new(8, 10).unwrap();
            let (mut front, mut back) = (Chain::EMPTY, Chain::EMPTY);
            pool.append(&mut front, &bytes(a)).unwrap();
            pool.append(&mut back, &bytes(b + skip)[..b + skip]).unwrap();
            pool.consume(&mut front, skip.min(a));
            pool.consume(&mut back, skip);
            let free = pool.free_blocks();
            let want = [&bytes(a)[skip.min(a)..], &bytes(b + skip)[skip..]].concat();
            pool.join(&mut front, back);
            assert!(pool.free_blocks() >= free);
            assert_eq!(read(&pool, &front), want, "{a} and {b} octets, {skip} consumed");
            pool.append(&mut front, b"tail").unwrap();
            assert_eq!(read(&pool, &front), [&want[..], b"tail"].concat());
            pool.release(front);
            assert_eq!(pool.free_blocks(), 8);
        }
    }

    #[test]
    fn reading_goes_on_where_it_stopped() {
        let mut pool = BlockPool::new(4, 10).unwrap();
        let mut chain = Chain::EMPTY;
        pool.append(&mut chain, &bytes(33)).unwrap();
        let mut place = pool.start(&chain);
        let mut all = Vec::new();
        for n in [10, 3, 20] {
            let mut out = std::vec![0; n];
            place = pool.read(place, &mut out).unwrap();
            all.extend(out);
            pool.consume(&mut chain, n);
            let mut other = Chain::EMPTY;
            pool.append(&mut other, &[0xee; 5]).unwrap();
            pool.release(other);
        }
        assert_eq!(all, bytes(33));
        assert_eq!(pool.free_blocks(), 4);
    }

    #[test]
    fn a_short_message_is_one_slice() {
        let mut pool = BlockPool::new(2, 10).unwrap();
        let mut chain = Chain::EMPTY;
        assert_eq!(pool.as_slice(&chain), Some(&[][..]));
        pool.append(&mut chain, b"hello").unwrap();
        assert_eq!(pool.as_slice(&chain), Some(&b"hello"[..]));
        pool.append(&mut chain, b"world!").unwrap();
        assert_eq!(pool.as_slice(&chain), None);
        pool.release(chain);
    }
}
