use crate::crypto::{AEAD_NONCE_LEN, AEAD_TAG_LEN, AeadAlgorithm, AeadContext, Aeads, CryptoError, Secret};
use crate::mem::{Boxed, OutOfMemory, boxed};
use picortc_ciphers::{Aes128, Aes128Gcm, Aes256, Aes256Gcm, ChaCha20, ChaCha20Poly1305, Error};

/// AES-GCM and ChaCha20-Poly1305.
pub(super) struct Sealing;

/// The same without AES-256, which a chip does not offer.
pub(super) struct ShortSealing;

/// [`Aeads`] for a table with the algorithms named, each with the types of its
/// key and of its key of record numbers.
macro_rules! aeads {
    ($table:ident, $key:ident, $number:ident, $($algorithm:ident $cipher:ident $numbers:ident,)+) => {
        impl Aeads for $table {
            fn supports(&self, algorithm: AeadAlgorithm) -> bool {
                matches!(algorithm, $(AeadAlgorithm::$algorithm)|+)
            }

            fn context(&self) -> Result<Boxed<dyn AeadContext>, OutOfMemory> {
                Ok(boxed(($key::None, $number::None))?)
            }
        }

        /// A key with its schedule. All variants share one slot, taken at
        /// construction.
        #[allow(clippy::large_enum_variant, reason = "the slot has room for the largest")]
        enum $key {
            None,
            $($algorithm($cipher),)+
        }

        /// The key of record numbers.
        enum $number {
            None,
            $($algorithm($numbers),)+
        }

        impl AeadContext for [($key, $number); 1] {
            fn set_key(&mut self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<(), CryptoError> {
                let [(this, number)] = self;
                (*this, *number) = ($key::None, $number::None);
                *this = match algorithm {
                    $(AeadAlgorithm::$algorithm => {
                        $key::$algorithm($cipher::new(key).map_err(invalid)?)
                    })+
                    #[allow(unreachable_patterns, reason = "one of the tables has them all")]
                    _ => return Err(CryptoError::Unsupported),
                };
                Ok(())
            }

            fn set_number_key(&mut self, key: &[u8]) -> Result<(), CryptoError> {
                let [(this, number)] = self;
                *number = match this {
                    $key::None => return Err(CryptoError::Unsupported),
                    $($key::$algorithm(_) => $number::$algorithm($numbers::for_numbers(key)?),)+
                };
                Ok(())
            }

            fn record_number_mask(&self, sample: &[u8; 16]) -> Result<[u8; 5], CryptoError> {
                let [(_, number)] = self;
                let [a, b, c, d, e, ..] = match number {
                    $number::None => return Err(CryptoError::Unsupported),
                    $($number::$algorithm(key) => key.block(sample)?,)+
                };
                Ok([a, b, c, d, e])
            }

            fn clear(&mut self) {
                *self = [($key::None, $number::None)];
            }

            fn seal(
                &self,
                nonce: &[u8; AEAD_NONCE_LEN],
                aad: &[u8],
                data: &mut [u8],
            ) -> Result<[u8; AEAD_TAG_LEN], CryptoError> {
                let [(this, _)] = self;
                match this {
                    $key::None => Err(CryptoError::Unsupported),
                    $($key::$algorithm(key) => key.seal(nonce, aad, data).map_err(invalid),)+
                }
            }

            fn open(
                &self,
                nonce: &[u8; AEAD_NONCE_LEN],
                aad: &[u8],
                data: &mut [u8],
                tag: &[u8; AEAD_TAG_LEN],
            ) -> Result<(), CryptoError> {
                let [(this, _)] = self;
                match this {
                    $key::None => Err(CryptoError::Unauthentic),
                    $($key::$algorithm(key) => {
                        key.open(nonce, aad, data, tag).map_err(|_| CryptoError::Unauthentic)
                    })+
                }
            }
        }
    };
}

fn invalid(_: Error) -> CryptoError {
    CryptoError::Invalid
}

aeads!(Sealing, Key, Number,
    Aes128Gcm Aes128Gcm Aes128,
    Aes256Gcm Aes256Gcm Aes256,
    ChaCha20Poly1305 ChaCha20Poly1305 ChaChaKey,
);
aeads!(ShortSealing, ShortKey, ShortNumber,
    Aes128Gcm LateAes128Gcm LateAes128,
    ChaCha20Poly1305 ChaCha20Poly1305 ChaChaKey,
);

/// A key of record numbers.
trait Numbers: Sized {
    fn for_numbers(key: &[u8]) -> Result<Self, CryptoError>;

    /// The block that a mask is taken from.
    fn block(&self, sample: &[u8; 16]) -> Result<[u8; 16], CryptoError>;
}

macro_rules! aes_numbers {
    ($($aes:ident)+) => {$(
        impl Numbers for $aes {
            fn for_numbers(key: &[u8]) -> Result<Self, CryptoError> {
                Self::new(key).map_err(invalid)
            }

            fn block(&self, sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
                let mut block = *sample;
                self.encrypt(&mut block);
                Ok(block)
            }
        }
    )+};
}

aes_numbers!(Aes128 Aes256);

/// AES-128-GCM whose schedule, of some hundred octets, is made for each record
/// anew: what a chip has least of is memory.
struct LateAes128Gcm(Secret<16>);

impl LateAes128Gcm {
    fn new(key: &[u8]) -> Result<Self, Error> {
        Aes128Gcm::new(key)?;
        Secret::new(key).map(Self).ok_or(Error::Length)
    }

    fn seal(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; AEAD_TAG_LEN], Error> {
        Aes128Gcm::new(self.0.as_slice())?.seal(nonce, aad, data)
    }

    fn open(
        &self,
        nonce: &[u8; AEAD_NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; AEAD_TAG_LEN],
    ) -> Result<(), Error> {
        Aes128Gcm::new(self.0.as_slice())?.open(nonce, aad, data, tag)
    }
}

/// AES-128, likewise.
struct LateAes128(Secret<16>);

impl Numbers for LateAes128 {
    fn for_numbers(key: &[u8]) -> Result<Self, CryptoError> {
        Aes128::for_numbers(key)?;
        Ok(Self(Secret::new(key).ok_or(CryptoError::Invalid)?))
    }

    fn block(&self, sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
        Aes128::for_numbers(self.0.as_slice())?.block(sample)
    }
}

/// ChaCha20, which has no schedule.
struct ChaChaKey(Secret<32>);

impl Numbers for ChaChaKey {
    fn for_numbers(key: &[u8]) -> Result<Self, CryptoError> {
        let key = Secret::new(key).filter(|key| key.as_slice().len() == 32);
        Ok(Self(key.ok_or(CryptoError::Invalid)?))
    }

    fn block(&self, sample: &[u8; 16]) -> Result<[u8; 16], CryptoError> {
        let [c0, c1, c2, c3, nonce @ ..] = sample;
        let key = self.0.as_slice().try_into().map_err(|_| CryptoError::Invalid)?;
        let mut block = [0; 16];
        let at = u32::from_le_bytes([*c0, *c1, *c2, *c3]);
        ChaCha20::new(key, nonce, at).apply(&mut block).map_err(invalid)?;
        Ok(block)
    }
}
