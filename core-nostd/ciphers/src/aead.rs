use crate::Error;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::cipher::BlockCipherEncrypt;
use aes_gcm::aes::{Aes128Enc, Aes256Enc};

macro_rules! aeads {
    ($($(#[$doc:meta])* $name:ident($of:ty);)+) => {$(
        $(#[$doc])*
        pub struct $name($of);

        impl $name {
            /// With a key, from which its schedule is made.
            ///
            /// # Errors
            /// [`Error::Length`] for a key that is shorter or longer.
            pub fn new(key: &[u8]) -> Result<Self, Error> {
                <$of>::new_from_slice(key).map(Self).map_err(|_| Error::Length)
            }

            /// Encrypts `data` in place, and gives the tag. A nonce must not
            /// be used a second time.
            ///
            /// # Errors
            /// [`Error::Length`] for more than the cipher can take at once.
            pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Result<[u8; 16], Error> {
                let tag = self.0.encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(data));
                tag.map(Into::into).map_err(|_| Error::Length)
            }

            /// Decrypts `data` in place.
            ///
            /// # Errors
            /// [`Error::Unauthentic`]: `data` is not to be used then.
            pub fn open(
                &self,
                nonce: &[u8; 12],
                aad: &[u8],
                data: &mut [u8],
                tag: &[u8; 16],
            ) -> Result<(), Error> {
                let data = InOutBuf::from(data);
                let opened = self.0.decrypt_inout_detached(nonce.into(), aad, data, tag.into());
                opened.map_err(|_| Error::Unauthentic)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

aeads! {
    /// AES-GCM with a key of 16 octets (RFC 5116, Section 5.1).
    Aes128Gcm(aes_gcm::Aes128Gcm);
    /// AES-GCM with a key of 32 octets (RFC 5116, Section 5.2).
    Aes256Gcm(aes_gcm::Aes256Gcm);
    /// ChaCha20-Poly1305 with a key of 32 octets (RFC 8439, Section 2.8).
    ChaCha20Poly1305(chacha20poly1305::ChaCha20Poly1305);
}

macro_rules! blocks {
    ($($(#[$doc:meta])* $name:ident($of:ty);)+) => {$(
        $(#[$doc])*
        pub struct $name($of);

        impl $name {
            /// With a key, from which its schedule is made.
            ///
            /// # Errors
            /// [`Error::Length`] for a key that is shorter or longer.
            pub fn new(key: &[u8]) -> Result<Self, Error> {
                <$of>::new_from_slice(key).map(Self).map_err(|_| Error::Length)
            }

            /// Encrypts a block in place.
            pub fn encrypt(&self, block: &mut [u8; 16]) {
                self.0.encrypt_block(block.into());
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )+};
}

blocks! {
    /// AES of single blocks, with a key of 16 octets.
    Aes128(Aes128Enc);
    /// AES of single blocks, with a key of 32 octets.
    Aes256(Aes256Enc);
}
