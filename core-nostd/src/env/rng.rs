use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng as _, SeedableRng};

/// The connection's generator: ChaCha20 over a seed that the caller gave once.
///
/// The seed must come from a cryptographic source. Everything that must not be
/// guessed (keys, tags, transaction ids, passwords) is drawn from here, which
/// also makes a run repeatable: same seed and same inputs, same bytes out.
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// A generator over `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Fills `out` with random octets.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// A random array.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A random 32-bit number.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A random 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound` (0 when `bound` is 0). The bias is at most
    /// `bound / 2^64`, which is of no concern for the jitter it is used for.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// An independent generator, seeded from this one.
    pub fn fork(&mut self) -> Self {
        Self::new(self.array())
    }
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(..)") // the state is a secret
    }
}
