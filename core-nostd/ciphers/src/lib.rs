//! The symmetric ciphers of `picortc`, from the RustCrypto crates.
//!
//! Generic code is compiled in the crate that uses it, with that crate's
//! options. Hence this one, which names the types: firmware and modules for the
//! web are compiled for size, and of this crate alone the profile asks for
//! speed, since every octet that is sent or received goes through it.
//!
//! ```toml
//! [profile.release]
//! opt-level = "z"
//!
//! [profile.release.package.picortc-ciphers]
//! opt-level = 3
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "aead")]
mod aead;

#[cfg(feature = "aead")]
pub use aead::{Aes128, Aes128Gcm, Aes256, Aes256Gcm, ChaCha20Poly1305};

use chacha20::cipher::{KeyIvInit, StreamCipher, StreamCipherSeek};

/// Why a cipher did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// A key of another length, or more data than one key or nonce may see.
    Length,
    /// The data was not sealed with this key, nonce, and additional data.
    Unauthentic,
}

/// A keystream of ChaCha20 (RFC 8439, Section 2.4).
pub struct ChaCha20(chacha20::ChaCha20);

impl ChaCha20 {
    /// From a block on, counted from 0.
    pub fn new(key: &[u8; 32], nonce: &[u8; 12], block: u32) -> Self {
        let mut stream = chacha20::ChaCha20::new(key.into(), nonce.into());
        // Every number of 32 bits is a block's.
        let _ = stream.try_seek(u64::from(block) * 64);
        Self(stream)
    }

    /// Adds what comes next of the keystream to `data`.
    ///
    /// # Errors
    /// [`Error::Length`] where it ends, after 256 GiB: `data` is then as it was.
    pub fn apply(&mut self, data: &mut [u8]) -> Result<(), Error> {
        self.0.try_apply_keystream(data).map_err(|_| Error::Length)
    }
}

impl core::fmt::Debug for ChaCha20 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ChaCha20(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, Appendix A.1, vectors 1 and 2: the zero key's first block and
    /// its second.
    #[test]
    fn the_keystream_is_that_of_the_rfc() {
        let mut both = [0; 68];
        ChaCha20::new(&[0; 32], &[0; 12], 0).apply(&mut both).unwrap();
        assert_eq!(both[..4], [0x76, 0xb8, 0xe0, 0xad]);
        assert_eq!(both[64..], [0x9f, 0x07, 0xe7, 0xbe]);
        let mut second = [0; 4];
        ChaCha20::new(&[0; 32], &[0; 12], 1).apply(&mut second).unwrap();
        assert_eq!(second, [0x9f, 0x07, 0xe7, 0xbe]);
        assert_eq!(ChaCha20::new(&[0; 32], &[0; 12], u32::MAX).apply(&mut [0; 65]), Err(Error::Length));
    }
}
