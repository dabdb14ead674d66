//! Peers with certificates of kinds that we have none of ourselves: P-384, and
//! RSA, which signs with PSS in DTLS 1.3. OpenSSL makes them; the engine is
//! dimpl, to which OpenSSL also lends its RSA.

use super::dimpl::{Theirs, roles, run, talk};
use super::*;
use ::dimpl::DtlsCertificate;
use ::dimpl::crypto::rust_crypto::default_provider;
use ::dimpl::crypto::{Buf, HashAlgorithm as TheirHash, KeyProvider, SignatureAlgorithm, SigningKey};
use ::dimpl::{CryptoError, CryptoOperation};
use picortc::crypto::HashAlgorithm;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A certificate in DER, and where its private key is in PEM.
fn certificate(name: &str, kind: &[&str]) -> (Vec<u8>, PathBuf) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, key) = (dir.join(format!("{name}.der")), dir.join(format!("{name}.key")));
    let done = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-subj", "/CN=WebRTC", "-days", "2", "-outform", "DER"])
        .args(kind)
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .output()
        .expect("openssl runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    (std::fs::read(certificate).expect("it was written"), key)
}

/// Runs OpenSSL over `input`.
fn openssl(args: &[&str], key: &Path, input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl runs");
    child.stdin.take().expect("a pipe").write_all(input).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    assert!(done.status.success(), "openssl {args:?}");
    done.stdout
}

/// Gives dimpl RSA keys, which it has a place for and no code: the octets of the
/// private key are the name of OpenSSL's file.
#[derive(Debug)]
struct RsaKeys;

#[derive(Debug)]
struct RsaKey(PathBuf);

impl KeyProvider for RsaKeys {
    fn load_private_key(&self, name: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(RsaKey(String::from_utf8_lossy(name).into_owned().into())))
    }
}

impl SigningKey for RsaKey {
    fn sign(&mut self, data: &[u8], hash: TheirHash, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != TheirHash::SHA256 {
            return Err(CryptoError::OperationFailed(CryptoOperation::Sign));
        }
        let pss = ["dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
        out.clear();
        out.extend_from_slice(&openssl(&[&pss[..], &["-sign"]].concat(), &self.0, data));
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }

    fn hash_algorithm(&self) -> TheirHash {
        TheirHash::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[TheirHash] {
        &[TheirHash::SHA256]
    }
}

/// Both roles with a peer that has this certificate, over a good network and a
/// bad one.
fn shake(what: &str, der: &[u8], key: &[u8], keys: Option<&'static dyn KeyProvider>) {
    for (role, active) in roles() {
        for loss in [0, 100] {
            let mut ours = Ours::new(|_| (), &PROVIDER);
            let expected = Fingerprint::of(&PROVIDER, HashAlgorithm::Sha256, der).expect("SHA-256");
            ours.peer = Fingerprints::from_iter([expected]);
            let certificate = DtlsCertificate { certificate: der.to_vec(), private_key: key.to_vec() };
            let mut provider = default_provider();
            provider.key_provider = keys.unwrap_or(provider.key_provider);
            let adapt = |config: ::dimpl::ConfigBuilder| config.with_crypto_provider(provider);
            let mut theirs = Theirs::with(adapt, certificate, V13, active);
            run(&mut ours, &mut theirs, role, loss, 2);
            assert_eq!(ours.negotiated().version, V13.0);
            talk(&mut ours, &mut theirs);
        }
        println!("{role:?}, the peer has {what} ({} octets)", der.len());
    }
}

#[test]
fn a_peer_with_a_p384_certificate() {
    let (der, key) = certificate("p384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let key = openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in"], &key, b"");
    shake("P-384", &der, &key, None);
}

#[test]
fn a_peer_with_an_rsa_certificate_signs_with_pss() {
    for bits in ["2048", "4096"] {
        let (der, key) = certificate(&format!("rsa{bits}"), &["-newkey", &format!("rsa:{bits}")]);
        let key = key.to_str().expect("a name").as_bytes();
        shake(&format!("RSA-{bits}"), &der, key, Some(&RsaKeys));
    }
}
