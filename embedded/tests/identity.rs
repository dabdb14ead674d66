//! An identity outlasts a reboot.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{FlashStore, IdentityError, IdentityStore, Origin, identity};

/// A flash as a chip's: erased in sectors to ones, and written in words, which
/// only clears bits.
#[derive(Debug, Clone)]
struct Flash(Vec<u8>);

#[derive(Debug)]
struct OutOfBounds;

impl NorFlashError for OutOfBounds {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::OutOfBounds
    }
}

impl ErrorType for Flash {
    type Error = OutOfBounds;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), OutOfBounds> {
        let from = offset as usize;
        bytes.copy_from_slice(self.0.get(from..from + bytes.len()).ok_or(OutOfBounds)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), OutOfBounds> {
        self.0.get_mut(from as usize..to as usize).ok_or(OutOfBounds)?.fill(0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let from = offset as usize;
        let words = self.0.get_mut(from..from + bytes.len()).ok_or(OutOfBounds)?;
        words.iter_mut().zip(bytes).for_each(|(word, new)| *word &= new);
        Ok(())
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_fingerprint_survives_a_reboot() {
    block_on(async {
        let mut flash = Flash(vec![0xff; 16 * 1024]);
        let mut boot = async |seed| {
            let mut store = FlashStore::new(flash.clone(), 4096..12 * 1024).unwrap();
            let (certificate, origin) = identity(&mut store, &CHIP, &mut Rng::new([seed; 32])).await.unwrap();
            flash = store.into_inner();
            (certificate.fingerprint().to_string(), origin)
        };
        let (first, made) = boot(1).await;
        let (second, kept) = boot(2).await;
        assert_eq!((made, kept), (Origin::Made, Origin::Kept));
        assert_eq!(first, second);
        // The pages around are untouched.
        assert!(flash.0[..4096].iter().chain(&flash.0[12 * 1024..]).all(|octet| *octet == 0xff));
    });
}

/// A store that holds what it is told to.
struct Fixed(Option<Vec<u8>>);

impl IdentityStore for Fixed {
    type Error = &'static str;

    async fn load(&mut self, buf: &mut [u8]) -> Result<Option<usize>, &'static str> {
        let Some(octets) = &self.0 else { return Err("worn out") };
        buf[..octets.len()].copy_from_slice(octets);
        Ok(Some(octets.len()))
    }

    async fn save(&mut self, octets: &[u8]) -> Result<(), &'static str> {
        self.0 = Some(octets.to_vec());
        Ok(())
    }
}

#[test]
fn what_is_no_identity_is_replaced_and_said() {
    block_on(async {
        let mut store = Fixed(Some(b"picortc1 but nothing else".to_vec()));
        let mut rng = Rng::new([3; 32]);
        let (made, origin) = identity(&mut store, &CHIP, &mut rng).await.unwrap();
        assert_eq!(origin, Origin::Replaced);
        // An octet of the key is another: it does not belong to the certificate.
        let (kept, origin) = identity(&mut store, &CHIP, &mut rng).await.unwrap();
        assert_eq!((kept.fingerprint(), origin), (made.fingerprint(), Origin::Kept));
        store.0.as_mut().unwrap()[20] ^= 1;
        let (_, origin) = identity(&mut store, &CHIP, &mut rng).await.unwrap();
        assert_eq!(origin, Origin::Replaced);
    });
}

#[test]
fn a_store_that_cannot_be_read_is_an_error() {
    let failed = block_on(identity(&mut Fixed(None), &CHIP, &mut Rng::new([4; 32])));
    assert_eq!(failed.map(|_| ()), Err(IdentityError::Store("worn out")));
}
