//! AES, SHA and, where the chip has it, P-256 in hardware.
//!
//! No emulator has them: what is made of them is tested over stand-ins
//! (`embedded/tests/accelerated.rs`), and on the chip they are asked for known
//! answers before they are trusted.

use core::cell::Cell;
use critical_section::Mutex;
use esp_hal::aes::Aes;
#[cfg(feature = "ecc")]
use esp_hal::ecc::{Ecc, EllipticCurve};
use esp_hal::peripherals::{AES, SHA};
use esp_hal::sha::{Sha, Sha1, Sha256, ShaAlgorithm};
#[cfg(feature = "ecc")]
use esp_hal::{Blocking, peripherals::ECC};
use picortc_embassy::accelerated::{Accelerator, Hashing, Sealing, self_test};
#[cfg(feature = "ecc")]
use picortc_embassy::accelerated::{Affine, EcdsaP256Sha256, P256, P256Signer};
#[cfg(feature = "ecc")]
use picortc_embassy::picortc::crypto::compact;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::crypto::{CryptoProvider, Digest, HashAlgorithm};

/// A driver that is taken while it computes. Nobody waits for it: who finds it
/// taken computes in software.
struct Lent<T>(Mutex<Cell<Option<T>>>);

impl<T> Lent<T> {
    const fn none() -> Self {
        Self(Mutex::new(Cell::new(None)))
    }

    fn give(&self, driver: T) {
        critical_section::with(|cs| self.0.borrow(cs).set(Some(driver)));
    }

    fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut driver = critical_section::with(|cs| self.0.borrow(cs).take())?;
        let result = work(&mut driver);
        self.give(driver);
        Some(result)
    }
}

struct Hardware {
    aes: Lent<Aes<'static>>,
    sha: Lent<Sha<'static>>,
    #[cfg(feature = "ecc")]
    ecc: Lent<Ecc<'static, Blocking>>,
}

static HARDWARE: Hardware = Hardware {
    aes: Lent::none(),
    sha: Lent::none(),
    #[cfg(feature = "ecc")]
    ecc: Lent::none(),
};

/// ChaCha20-Poly1305 stays before AES-GCM: GHASH is left to software, and costs
/// more than all of the former. With multiplication in hardware P-256 is the
/// first of the key exchanges.
static PROVIDER: CryptoProvider = CryptoProvider {
    name: "esp",
    hashes: &Hashing(&HARDWARE),
    aeads: &Sealing(&HARDWARE),
    #[cfg(feature = "ecc")]
    key_exchanges: &[&P256(&HARDWARE), &compact::X25519],
    #[cfg(feature = "ecc")]
    signer: &P256Signer(&HARDWARE),
    #[cfg(feature = "ecc")]
    verifiers: &[&EcdsaP256Sha256(&HARDWARE)],
    ..CHIP
};

/// Takes the accelerators, and says what to compute with: with them, if they
/// compute what they should.
pub(crate) fn start(
    aes: AES<'static>,
    sha: SHA<'static>,
    #[cfg(feature = "ecc")] ecc: ECC<'static>,
) -> &'static CryptoProvider {
    HARDWARE.aes.give(Aes::new(aes));
    HARDWARE.sha.give(Sha::new(sha));
    #[cfg(feature = "ecc")]
    HARDWARE.ecc.give(Ecc::new(ecc, Default::default()));
    match self_test(&HARDWARE) {
        Ok(()) => {
            let what = if cfg!(feature = "ecc") { "AES, SHA and P-256" } else { "AES and SHA" };
            log::info!("{what} are the hardware's");
            &PROVIDER
        }
        Err(fault) => {
            log::warn!("{fault}: all is computed in software");
            &CHIP
        }
    }
}

impl Accelerator for Hardware {
    fn aes128(&self, key: &[u8; 16], blocks: &mut [[u8; 16]]) -> bool {
        self.aes.with(|aes| blocks.iter_mut().for_each(|block| aes.encrypt(block, *key))).is_some()
    }

    fn hash(&self, algorithm: HashAlgorithm, head: &[u8], parts: &[&[u8]]) -> Option<Digest> {
        let all = core::iter::once(head).chain(parts.iter().copied());
        match algorithm {
            HashAlgorithm::Sha1 => self.sha.with(|sha| hash::<Sha1, 20>(sha, all))?,
            HashAlgorithm::Sha256 => self.sha.with(|sha| hash::<Sha256, 32>(sha, all))?,
            HashAlgorithm::Sha384 => None,
        }
    }

    #[cfg(feature = "ecc")]
    fn multiply(&self, scalar: &[u8; 32], point: &Affine) -> Option<Affine> {
        // The hardware's numbers have the least significant octet first.
        let turned = |octets: &[u8]| -> Option<[u8; 32]> {
            let mut octets: [u8; 32] = octets.try_into().ok()?;
            octets.reverse();
            Some(octets)
        };
        let (x, y) = point.split_at(32);
        let (k, px, py) = (turned(scalar)?, turned(x)?, turned(y)?);
        let (mut qx, mut qy) = ([0; 32], [0; 32]);
        self.ecc.with(|ecc| {
            let curve = EllipticCurve::P256;
            let product = ecc.affine_point_verification_multiplication(curve, &k, &px, &py).ok()?;
            product.read_affine_point_result(&mut qx, &mut qy).ok()
        })??;
        let mut out = [0; 64];
        let both = qx.iter().rev().chain(qy.iter().rev());
        out.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        Some(out)
    }
}

/// How often is asked at most whether a hash's blocks are computed, each of which
/// takes some dozens of cycles.
const PATIENCE: u32 = 100_000;

fn hash<'a, A: ShaAlgorithm, const N: usize>(
    sha: &mut Sha<'static>,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Option<Digest> {
    let mut left = PATIENCE;
    let mut running = sha.start::<A>();
    for mut part in parts {
        while !part.is_empty() {
            match running.update(part) {
                Ok(rest) => part = rest,
                Err(_) => left = left.checked_sub(1)?,
            }
        }
    }
    let mut out = [0; N];
    while running.finish(&mut out).is_err() {
        left = left.checked_sub(1)?;
    }
    Digest::from_slice(&out).ok()
}
