use super::Accelerator;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use picortc::crypto::rust_crypto::CHIP;
use picortc::crypto::{
    AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError, Secret, constant_time_eq,
};
use picortc::mem::{Boxed, OutOfMemory, boxed};

/// Blocks of the key stream that are made at a time.
const AT_A_TIME: usize = 8;

/// AES-128-GCM (SP 800-38D) with AES in hardware, and ChaCha20-Poly1305.
#[derive(Clone, Copy)]
pub struct Sealing(
    /// What computes AES.
    pub &'static dyn Accelerator,
);

impl core::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sealing(..)")
    }
}

impl Aeads for Sealing {
    fn supports(&self, algorithm: AeadAlgorithm) -> bool {
        CHIP.aeads.supports(algorithm)
    }

    fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
        Ok(boxed(Keyed { accelerator: self.0, software: CHIP.aeads.context()?, aes: None, number: None })?)
    }
}

/// A key. The software has it too: what it is for when the hardware is busy.
struct Keyed {
    accelerator: &'static dyn Accelerator,
    software: Boxed<dyn AeadContext>,
    /// AES, and the key of GHASH that follows from it.
    aes: Option<(Secret<16>, GHash)>,
    number: Option<Secret<16>>,
}

impl Keyed {
    /// AES of blocks; `false` without such a key, or without the hardware.
    fn encrypt(&self, key: &Secret<16>, blocks: &mut [[u8; 16]]) -> bool {
        key.as_slice().try_into().is_ok_and(|key| self.accelerator.aes128(key, blocks))
    }

    /// The octets of the tag, but for the key stream.
    fn authenticate(hash: &GHash, aad: &[u8], data: &[u8]) -> [u8; AEAD_TAG_LEN] {
        let mut hash = hash.clone();
        hash.update_padded(aad);
        hash.update_padded(data);
        let [aad, data] = [aad, data].map(|part| (part.len() as u64 * 8).to_be_bytes());
        let mut lengths = ghash::Block::default();
        for (to, from) in lengths.iter_mut().zip(aad.into_iter().chain(data)) {
            *to = from;
        }
        hash.update(&[lengths]);
        hash.finalize().into()
    }

    /// Applies the key stream; `false` when the hardware is not there any more.
    fn apply(&self, key: &Secret<16>, nonce: &[u8; AEAD_NONCE_LEN], data: &mut [u8]) -> bool {
        // "inc32(J0)": the first block is the tag's.
        let mut number = 2_u32;
        for piece in data.chunks_mut(AT_A_TIME * 16) {
            let mut blocks = [[0; 16]; AT_A_TIME];
            let count = piece.len().div_ceil(16);
            let used = blocks.get_mut(..count).unwrap_or_default();
            for block in &mut *used {
                *block = counter(nonce, number);
                number = number.wrapping_add(1);
            }
            if !self.encrypt(key, used) {
                return false;
            }
            for (octet, key) in piece.iter_mut().zip(used.as_flattened()) {
                *octet ^= key;
            }
        }
        true
    }

    /// What the tag is masked with; `None` when the software is to compute.
    fn mask(&self, nonce: &[u8; AEAD_NONCE_LEN]) -> Option<(&Secret<16>, &GHash, [u8; 16])> {
        let (key, hash) = self.aes.as_ref()?;
        let mut mask = [counter(nonce, 1)];
        self.encrypt(key, &mut mask).then_some((key, hash, mask[0]))
    }
}

/// "J0 = IV || 0^31 || 1", counted on.
fn counter(nonce: &[u8; AEAD_NONCE_LEN], number: u32) -> [u8; 16] {
    let mut block = [0; 16];
    for (to, from) in block.iter_mut().zip(nonce.iter().copied().chain(number.to_be_bytes())) {
        *to = from;
    }
    block
}

fn masked(tag: [u8; AEAD_TAG_LEN], mask: [u8; 16]) -> [u8; AEAD_TAG_LEN] {
    let mut tag = tag;
    tag.iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
    tag
}

impl AeadContext for Keyed {
    fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
        (self.aes, self.number) = (None, None);
        self.software.set_key(algorithm, key)?;
        if algorithm == AeadAlgorithm::Aes128Gcm {
            let key = Secret::new(key).ok_or(CryptoError::Invalid)?;
            let mut zero = [[0; 16]];
            if self.encrypt(&key, &mut zero) {
                self.aes = Some((key, GHash::new(&zero[0].into())));
            }
        }
        Ok(())
    }

    fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError> {
        self.software.set_number_key(key)?;
        self.number = self.aes.as_ref().and_then(|_| Secret::new(key));
        Ok(())
    }

    fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError> {
        if let Some(key) = &self.number {
            let mut block = [*sample];
            if self.encrypt(key, &mut block) {
                let [[a, b, c, d, e, ..]] = block;
                return Ok([a, b, c, d, e]);
            }
        }
        self.software.record_number_mask(sample)
    }

    fn clear(&mut self) {
        (self.aes, self.number) = (None, None);
        self.software.clear();
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
        let Some((key, hash, mask)) = self.mask(nonce) else { return self.software.seal(nonce, aad, data) };
        if !self.apply(key, nonce, data) {
            return Err(CryptoError::Unsupported);
        }
        Ok(masked(Keyed::authenticate(hash, aad, data), mask))
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), CryptoError> {
        let Some((key, hash, mask)) = self.mask(nonce) else {
            return self.software.open(nonce, aad, data, tag);
        };
        // Nothing is decrypted that is not authentic.
        let ours = masked(Keyed::authenticate(hash, aad, data), mask);
        if !constant_time_eq(&ours, tag) {
            return Err(CryptoError::Unauthentic);
        }
        if !self.apply(key, nonce, data) {
            data.fill(0);
            return Err(CryptoError::Unauthentic);
        }
        Ok(())
    }
}
