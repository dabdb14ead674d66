//! The device's identity, kept over a reboot.

use picortc::crypto::CryptoProvider;
use picortc::dtls::{Certificate, CertificateError, MAX_IMPORTED_CERTIFICATE};
use picortc::env::Rng;

/// What an identity is stored as: this, the private key, and the certificate.
const MAGIC: &[u8; 8] = b"picortc1";
const KEY: usize = 32;

/// The octets of the longest identity that is stored.
pub const MAX_IDENTITY: usize = MAGIC.len() + KEY + MAX_IMPORTED_CERTIFICATE;

/// A place that outlasts a reboot: flash, an EEPROM, a file. What is kept there
/// is a private key.
#[allow(async_fn_in_trait, reason = "one executor: nothing here need be Send")]
pub trait IdentityStore {
    /// Why it could not be read or written.
    type Error;

    /// Reads what was saved last into `buf` ([`MAX_IDENTITY`] octets) and
    /// returns its length; `None` when nothing was ever saved.
    ///
    /// # Errors
    /// The store's own.
    async fn load(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Self::Error>;

    /// Saves `octets` in the place of what was there.
    ///
    /// # Errors
    /// The store's own.
    async fn save(&mut self, octets: &[u8]) -> Result<(), Self::Error>;
}

/// How a device came by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Origin {
    /// It was stored.
    Kept,
    /// Nothing was stored: it was made, and stored.
    Made,
    /// What was stored is none: it was made, and stored in its place. Peers
    /// that know the device by its fingerprint do not know it any more.
    Replaced,
}

/// Why a device has no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IdentityError<E> {
    /// The store could not be read or written.
    Store(E),
    /// The crypto provider could make none.
    Certificate(CertificateError),
}

impl<E: core::fmt::Display> core::fmt::Display for IdentityError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Store(e) => write!(f, "the identity could not be read or written: {e}"),
            Self::Certificate(e) => write!(f, "no identity could be made: {e}"),
        }
    }
}

impl<E: core::fmt::Debug + core::fmt::Display> core::error::Error for IdentityError<E> {}

/// The identity of the device: the one in `store`, or a new one, which is then
/// stored, so that the fingerprint is the same after a reboot.
///
/// # Errors
/// [`IdentityError`].
pub async fn identity<S: IdentityStore>(
    store: &mut S,
    provider: &CryptoProvider,
    rng: &mut Rng,
) -> Result<(Certificate, Origin), IdentityError<S::Error>> {
    let mut buf = [0; MAX_IDENTITY];
    let stored = store.load(&mut buf).await.map_err(IdentityError::Store)?;
    let kept = stored.and_then(|len| read(provider, buf.get(..len)?));
    if let Some(certificate) = kept {
        return Ok((certificate, Origin::Kept));
    }
    let certificate = Certificate::generate(provider, rng).map_err(IdentityError::Certificate)?;
    let len = write(&certificate, &mut buf);
    store.save(buf.get(..len).unwrap_or_default()).await.map_err(IdentityError::Store)?;
    buf.fill(0);
    let origin = if stored.is_some() { Origin::Replaced } else { Origin::Made };
    Ok((certificate, origin))
}

fn read(provider: &CryptoProvider, octets: &[u8]) -> Option<Certificate> {
    let (key, der) = octets.strip_prefix(MAGIC)?.split_first_chunk::<KEY>()?;
    Certificate::import(provider, key, der).ok()
}

fn write(certificate: &Certificate, buf: &mut [u8; MAX_IDENTITY]) -> usize {
    let mut len = 0;
    for part in [&MAGIC[..], certificate.private_key(), certificate.der()] {
        // The buffer has room for the longest of each.
        if let Some(room) = buf.get_mut(len..len + part.len()) {
            room.copy_from_slice(part);
            len += part.len();
        }
    }
    len
}

#[cfg(feature = "flash")]
pub use flash::FlashStore;

#[cfg(feature = "flash")]
mod flash {
    use super::{IdentityStore, MAX_IDENTITY};
    use core::ops::Range;
    use embedded_storage_async::nor_flash::NorFlash;
    use sequential_storage::Error;
    use sequential_storage::cache::Cache;
    use sequential_storage::map::{MapConfig, MapConfigError, MapStorage};

    /// The item in flash.
    const ITEM: u8 = 0;
    /// A key, an identity, and what the words of the flash round it up to.
    const ROOM: usize = MAX_IDENTITY + 1 + 32;

    /// An identity in two pages or more of flash, by `sequential-storage`: power
    /// may fail while it is written.
    #[derive(Debug)]
    pub struct FlashStore<F> {
        flash: F,
        range: Range<u32>,
    }

    impl<F: NorFlash> FlashStore<F> {
        /// Keeps the identity in `range` of the flash, which nothing else uses:
        /// two pages at least, from and to a page's boundary.
        ///
        /// # Errors
        /// [`MapConfigError`], which says what is wrong with the range.
        pub fn new(flash: F, range: Range<u32>) -> Result<Self, MapConfigError> {
            MapConfig::<F>::try_new(range.clone())?;
            Ok(Self { flash, range })
        }

        /// The flash.
        pub fn into_inner(self) -> F {
            self.flash
        }
    }

    /// The store for one access: without a cache it costs no memory between.
    macro_rules! map {
        ($store:expr) => {{
            let config = MapConfig::try_new($store.range.clone()).map_err(|_| Error::FullStorage)?;
            MapStorage::<u8, _, _>::new(&mut $store.flash, config, Cache::new_uncached())
        }};
    }

    impl<F: NorFlash> IdentityStore for FlashStore<F> {
        type Error = Error<F::Error>;

        async fn load(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Self::Error> {
            let mut room = [0; ROOM];
            let stored = map!(self).fetch_item::<&[u8]>(&mut room, &ITEM).await?;
            let Some(octets) = stored else { return Ok(None) };
            let place = buf.get_mut(..octets.len()).ok_or(Error::BufferTooSmall(octets.len()))?;
            place.copy_from_slice(octets);
            Ok(Some(octets.len()))
        }

        async fn save(&mut self, octets: &[u8]) -> Result<(), Self::Error> {
            map!(self).store_item(&mut [0; ROOM], &ITEM, &octets).await
        }
    }
}
