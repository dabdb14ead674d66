//! The identity, kept in flash.

use core::ops::Range;
use embedded_storage_async::nor_flash::NorFlash;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{FlashStore, Origin, identity};

/// The identity that is kept in `range` of `flash`, which nothing else uses; a
/// new one, which is then kept, where there is none; or one for this time, when
/// the flash is of no use. `None` when none can be made.
pub async fn kept_identity<F: NorFlash>(flash: F, range: Range<u32>, rng: &mut Rng) -> Option<Certificate> {
    match FlashStore::new(flash, range) {
        Ok(mut store) => match identity(&mut store, &CHIP, rng).await {
            Ok((certificate, origin)) => {
                match origin {
                    Origin::Kept => info!("the identity is the one kept in flash"),
                    Origin::Made => info!("the identity is new, and kept in flash"),
                    Origin::Replaced => warn!("what flash kept is no identity: it is a new one"),
                }
                return Some(certificate);
            }
            Err(_) => warn!("flash cannot be read or written: the identity is not kept"),
        },
        Err(_) => warn!("flash has not the room: the identity is not kept"),
    }
    Certificate::generate(&CHIP, rng).ok()
}
