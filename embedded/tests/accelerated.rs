//! What is made of accelerators, over accelerators that are none: AES, hashes
//! and points as the libraries compute them, through the same functions as a
//! chip's. The cases are those of the core's own providers.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::{AffinePoint, NonZeroScalar, ProjectivePoint, Sec1Point};
use picortc::crypto::{AeadAlgorithm, CryptoProvider, Digest, HashAlgorithm, compact, rust_crypto};
use picortc_embassy::accelerated::{
    Accelerator, Affine, EcdsaP256Sha256, Fault, Hashing, P256, P256Signer, Sealing, self_test,
};
use picortc_embassy::picortc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "../../core-nostd/tests/providers/cases.rs"]
mod cases;

/// Does what hardware would, and counts how often it was asked.
struct Library(AtomicUsize);

impl Accelerator for Library {
    fn aes128(&self, key: &[u8; 16], blocks: &mut [[u8; 16]]) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        let aes = aes::Aes128Enc::new(key.into());
        blocks.iter_mut().for_each(|block| aes.encrypt_block(block.into()));
        true
    }

    fn hash(&self, algorithm: HashAlgorithm, head: &[u8], parts: &[&[u8]]) -> Option<Digest> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let all = [&[head], parts].concat().concat();
        rust_crypto::PROVIDER.hashes.hash(algorithm, &[&all]).ok()
    }

    fn multiply(&self, scalar: &[u8; 32], point: &Affine) -> Option<Affine> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let scalar = NonZeroScalar::try_from(&scalar[..]).unwrap();
        let point = Sec1Point::from_bytes([&[4], &point[..]].concat()).ok()?;
        let point = AffinePoint::from_sec1_point(&point).into_option()?;
        let product = (ProjectivePoint::from(point) * *scalar).to_affine().to_sec1_point(false);
        product.as_bytes()[1..].try_into().ok()
    }
}

struct Absent;

impl Accelerator for Absent {}

static LIBRARY: Library = Library(AtomicUsize::new(0));
static ABSENT: Absent = Absent;

static ACCELERATED: CryptoProvider = CryptoProvider {
    name: "accelerated",
    hashes: &Hashing(&LIBRARY),
    aeads: &Sealing(&LIBRARY),
    key_exchanges: &[&P256(&LIBRARY), &compact::X25519],
    signer: &P256Signer(&LIBRARY),
    verifiers: &[&EcdsaP256Sha256(&LIBRARY)],
    cipher_suites: &[0x1301, 0x1303, 0xc02b, 0xcca9],
};

/// The same with accelerators that are always busy.
static BUSY: CryptoProvider = CryptoProvider {
    name: "busy",
    hashes: &Hashing(&ABSENT),
    aeads: &Sealing(&ABSENT),
    key_exchanges: &[&P256(&ABSENT), &compact::X25519],
    signer: &P256Signer(&ABSENT),
    verifiers: &[&EcdsaP256Sha256(&ABSENT)],
    cipher_suites: &[0x1301, 0x1303, 0xc02b, 0xcca9],
};

fn providers() -> Vec<&'static CryptoProvider> {
    vec![&ACCELERATED, &BUSY, &rust_crypto::PROVIDER]
}

#[test]
fn the_accelerators_are_asked() {
    let asked = || LIBRARY.0.load(Ordering::Relaxed);
    let mut before = asked();
    let mut is_asked = |what: &str| {
        assert!(asked() > before, "{what} is computed elsewhere");
        before = asked();
    };
    ACCELERATED.hashes.hmac(HashAlgorithm::Sha1, b"key", &[b"text"]).unwrap();
    is_asked("HMAC");
    let mut context = ACCELERATED.aeads.context().unwrap();
    context.set_key(AeadAlgorithm::Aes128Gcm, &[7; 16]).unwrap();
    context.seal(&[0; 12], b"", &mut [0; 40]).unwrap();
    is_asked("AES-GCM");
}

/// Answers as [`Library`], but for one octet of one answer.
struct Broken(Fault);

impl Accelerator for Broken {
    fn aes128(&self, key: &[u8; 16], blocks: &mut [[u8; 16]]) -> bool {
        LIBRARY.aes128(key, blocks);
        blocks[0][3] ^= u8::from(self.0 == Fault::Aes);
        true
    }

    fn hash(&self, algorithm: HashAlgorithm, head: &[u8], parts: &[&[u8]]) -> Option<Digest> {
        let mut hash = LIBRARY.hash(algorithm, head, parts)?;
        let is_wrong = match algorithm {
            HashAlgorithm::Sha1 => self.0 == Fault::Sha1,
            _ => self.0 == Fault::Sha256,
        };
        hash[5] ^= u8::from(is_wrong);
        Some(hash)
    }

    fn multiply(&self, scalar: &[u8; 32], point: &Affine) -> Option<Affine> {
        let mut product = LIBRARY.multiply(scalar, point)?;
        product[40] ^= u8::from(self.0 == Fault::P256);
        Some(product)
    }
}

/// Takes points that are none.
struct Credulous;

impl Accelerator for Credulous {
    fn multiply(&self, scalar: &[u8; 32], point: &Affine) -> Option<Affine> {
        LIBRARY.multiply(scalar, point).or(Some(*point))
    }
}

#[test]
fn hardware_that_computes_something_else_is_found_out() {
    assert_eq!(self_test(&LIBRARY), Ok(()));
    assert_eq!(self_test(&ABSENT), Ok(()));
    for fault in [Fault::Aes, Fault::Sha1, Fault::Sha256, Fault::P256] {
        assert_eq!(self_test(&Broken(fault)), Err(fault));
    }
    assert_eq!(self_test(&Credulous), Err(Fault::P256));
}
