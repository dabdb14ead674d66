use picortc_ciphers::ChaCha20;
use zeroize::{Zeroize, Zeroizing};

/// The connection's generator: ChaCha20 over a seed that the caller gave once.
///
/// The seed must come from a cryptographic source. Everything that must not be
/// guessed (keys, tags, transaction ids, passwords) is drawn from here, which
/// also makes a run repeatable: same seed and same inputs, same bytes out.
///
/// The first octets of each keystream are the key of the next ("fast key
/// erasure"): who reads the memory of a device learns nothing of what was drawn
/// before. And there is no buffer of random octets, which every connection
/// would have to have room for.
pub struct Rng(Zeroizing<[u8; 32]>);

impl Rng {
    /// A generator over `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// Fills `out` with random octets.
    pub fn fill(&mut self, out: &mut [u8]) {
        let mut stream = ChaCha20::new(&self.0, &[0; 12], 0);
        self.0.zeroize();
        out.fill(0);
        // A keystream ends after 256 GiB.
        let _ = stream.apply(&mut *self.0);
        let _ = stream.apply(out);
    }

    /// A random array.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A random 32-bit number.
    pub fn next_u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// A random 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By the keystream of RFC 8439, Appendix A.1, vectors 1 and 2: the zero
    /// key's first block and its second.
    #[test]
    fn what_is_drawn_follows_the_next_key() {
        let mut rng = Rng::new([0; 32]);
        assert_eq!(rng.array::<4>(), [0xda, 0x41, 0x59, 0x7c]);
        let key = [
            0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
            0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
        ];
        assert_eq!(*rng.0, key);
        let mut long = [0; 36];
        Rng::new([0; 32]).fill(&mut long);
        assert_eq!(long[32..], [0x9f, 0x07, 0xe7, 0xbe]);
        assert_eq!(rng.next_u64(), Rng::new(key).next_u64());
        assert_ne!(rng.next_u64(), Rng::new(key).next_u64());
    }
}
