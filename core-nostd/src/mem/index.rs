use super::{Boxed, OutOfMemory, boxed_slice};
use crate::env::{Rng, TransportContext};
use core::net::{IpAddr, SocketAddr};

/// A hash table of small numbers that name keys kept elsewhere: open
/// addressing, half empty at most, so that a search is a few steps however
/// many keys there are. The hashes are the caller's; where a stranger chooses
/// keys they must be keyed with a secret.
#[derive(Debug)]
pub struct Index {
    places: Boxed<[Place]>,
    len: usize,
    capacity: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Place {
    hash: u32,
    /// The number, plus one; 0 is an empty place.
    number: u32,
}

/// What a search found, and the places that it looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The number, if the key is there.
    pub number: Option<u32>,
    /// How many places were looked at.
    pub probes: u32,
}

impl Index {
    /// An empty index for up to `capacity` numbers.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let places = boxed_slice(Self::places(capacity), Place::default)?;
        Ok(Self { places, len: 0, capacity })
    }

    /// The octets of heap that an index for `capacity` numbers takes.
    pub const fn heap_bytes(capacity: usize) -> usize {
        Self::places(capacity) * size_of::<Place>()
    }

    const fn places(capacity: usize) -> usize {
        (2 * capacity + 1).next_power_of_two()
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of the key with `hash` for which `is_key` holds.
    pub fn find(&self, hash: u64, is_key: impl FnMut(u32) -> bool) -> Found {
        let (at, probes) = self.search(hash, is_key);
        let number = at.and_then(|at| self.places.get(at)).map(|p| p.number.wrapping_sub(1));
        Found { number, probes }
    }

    /// Adds a number, whose key must not be there. `false` when it is full.
    pub fn insert(&mut self, hash: u64, number: u32) -> bool {
        if self.len >= self.capacity || number == u32::MAX {
            return false;
        }
        let mut at = self.home(hash);
        while let Some(place) = self.places.get_mut(at) {
            if place.number == 0 {
                *place = Place { hash: fold(hash), number: number + 1 };
                self.len += 1;
                return true;
            }
            at = self.next(at);
        }
        false
    }

    /// Removes the number of the key with `hash` for which `is_key` holds.
    pub fn remove(&mut self, hash: u64, is_key: impl FnMut(u32) -> bool) -> bool {
        let (Some(mut hole), _) = self.search(hash, is_key) else { return false };
        self.len -= 1;
        // What follows moves up, unless it would come before its home: no
        // place is ever marked as having been used.
        let mut at = hole;
        loop {
            at = self.next(at);
            let Some(place) = self.places.get(at).copied().filter(|p| p.number != 0) else { break };
            let home = place.hash as usize & self.mask();
            if self.distance(home, at) >= self.distance(hole, at) {
                if let Some(free) = self.places.get_mut(hole) {
                    *free = place;
                }
                hole = at;
            }
        }
        if let Some(place) = self.places.get_mut(hole) {
            *place = Place::default();
        }
        true
    }

    fn search(&self, hash: u64, mut is_key: impl FnMut(u32) -> bool) -> (Option<usize>, u32) {
        let (mut at, mut probes) = (self.home(hash), 0);
        while let Some(place) = self.places.get(at).filter(|p| p.number != 0) {
            probes += 1;
            if place.hash == fold(hash) && is_key(place.number - 1) {
                return (Some(at), probes);
            }
            at = self.next(at);
        }
        (None, probes)
    }

    fn mask(&self) -> usize {
        self.places.len() - 1 // a power of two
    }

    fn home(&self, hash: u64) -> usize {
        fold(hash) as usize & self.mask()
    }

    fn next(&self, at: usize) -> usize {
        (at + 1) & self.mask()
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & self.mask()
    }
}

/// A keyed hash by folded multiplication: which keys collide cannot be told
/// without its secret.
#[derive(Debug, Clone)]
pub struct KeyedHash([u64; 3]);

impl KeyedHash {
    /// A hash with a secret of its own.
    pub fn new(rng: &mut Rng) -> Self {
        Self([rng.next_u64(), rng.next_u64() | 1, rng.next_u64()])
    }

    /// The hash of a text.
    pub fn text(&self, text: &str) -> u64 {
        self.octets(text.as_bytes())
    }

    /// The hash of octets.
    pub fn octets(&self, octets: &[u8]) -> u64 {
        self.words(octets.chunks(8).map(|chunk| {
            chunk.iter().fold(chunk.len() as u64, |word, octet| word.rotate_left(8) ^ u64::from(*octet))
        }))
    }

    /// The hash of a path.
    pub fn path(&self, path: &TransportContext) -> u64 {
        let address = |addr: SocketAddr| {
            let ip = match addr.ip() {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
                IpAddr::V6(ip) => ip.to_bits(),
            };
            [(ip >> 64) as u64, ip as u64, u64::from(addr.port())]
        };
        let ends = address(path.local_addr).into_iter().chain(address(path.peer_addr));
        self.words(ends.chain([path.transport_protocol as u64]))
    }

    fn words(&self, words: impl Iterator<Item = u64>) -> u64 {
        let [start, factor, end] = self.0;
        let mix = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product >> 64) as u64 ^ product as u64
        };
        mix(words.fold(start, |hash, word| mix(hash ^ word, factor)) ^ end, factor)
    }
}

fn fold(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::vec::Vec;

    #[test]
    fn it_does_as_a_map_does_with_hashes_good_and_bad() {
        let mut rng = crate::env::Rng::new([1; 32]);
        for bits in [64, 6, 2, 0] {
            let hash = |key: u32| u64::from(key).wrapping_mul(0x9e37_79b9_7f4a_7c15).checked_shr(64 - bits);
            let hash = |key| hash(key).unwrap_or(0);
            let mut index = Index::new(64).unwrap();
            let mut map = HashMap::new();
            for _ in 0..20_000 {
                let key = rng.below(100);
                let found = index.find(hash(key), |n| n == key).number;
                assert_eq!(found, map.get(&key).copied());
                if found.is_some() {
                    assert!(index.remove(hash(key), |n| n == key));
                    assert!(!index.remove(hash(key), |n| n == key));
                    map.remove(&key);
                } else if map.len() == 64 {
                    assert!(!index.insert(hash(key), key));
                } else {
                    assert!(index.insert(hash(key), key));
                    map.insert(key, key);
                }
                assert_eq!(index.len(), map.len());
            }
            let left: Vec<_> = map.keys().copied().collect();
            for key in left {
                assert!(index.remove(hash(key), |n| n == key));
            }
            assert!(index.is_empty() && index.places.iter().all(|p| p.number == 0));
        }
    }
}
