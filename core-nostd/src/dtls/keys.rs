//! Key derivation of TLS 1.2 (RFC 5246, Section 5 and 6.3).

use crate::crypto::{AeadAlgorithm, CryptoError, Digest, HashAlgorithm, Hashes, Secret};

/// What a cipher suite stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) id: u16,
    pub(super) aead: AeadAlgorithm,
    pub(super) hash: HashAlgorithm,
    pub(super) kind: SuiteKind,
}

/// Which handshakes a cipher suite is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SuiteKind {
    /// TLS 1.3.
    V13,
    /// TLS 1.2, ECDHE with an ECDSA certificate.
    Ecdsa,
    /// TLS 1.2, ECDHE with an RSA certificate.
    Rsa,
}

impl Suite {
    /// The suite of an IANA number.
    pub(super) const fn of(id: u16) -> Option<Self> {
        use AeadAlgorithm::{Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
        use HashAlgorithm::{Sha256, Sha384};
        use SuiteKind::{Ecdsa, Rsa, V13};
        let (aead, hash, kind) = match id {
            0x1301 => (Aes128Gcm, Sha256, V13),
            0x1302 => (Aes256Gcm, Sha384, V13),
            0x1303 => (ChaCha20Poly1305, Sha256, V13),
            0xc02b => (Aes128Gcm, Sha256, Ecdsa),
            0xc02c => (Aes256Gcm, Sha384, Ecdsa),
            0xcca9 => (ChaCha20Poly1305, Sha256, Ecdsa),
            0xc02f => (Aes128Gcm, Sha256, Rsa),
            0xc030 => (Aes256Gcm, Sha384, Rsa),
            0xcca8 => (ChaCha20Poly1305, Sha256, Rsa),
            _ => return None,
        };
        Some(Self { id, aead, hash, kind })
    }
}

/// The IANA name of a cipher suite.
pub(super) const fn name(id: u16) -> &'static str {
    match id {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xcca9 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xc030 => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xcca8 => "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => "unknown",
    }
}

/// The master secret of TLS 1.2.
pub(super) type MasterSecret = Secret<48>;

/// `PRF(secret, label, seed)`, as long as `out`.
///
/// # Errors
/// As the provider's HMAC.
pub(super) fn prf(
    hashes: &dyn Hashes,
    algorithm: HashAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: [&[u8]; 2],
    out: &mut [u8],
) -> Result<(), CryptoError> {
    let [seed1, seed2] = seed;
    // "A(0) = seed; A(i) = HMAC_hash(secret, A(i-1))"
    let mut a = hashes.hmac(algorithm, secret, &[label, seed1, seed2])?;
    for chunk in out.chunks_mut(algorithm.output_len()) {
        let block = hashes.hmac(algorithm, secret, &[&a, label, seed1, seed2])?;
        for (to, from) in chunk.iter_mut().zip(&block) {
            *to = *from;
        }
        a = hashes.hmac(algorithm, secret, &[&a])?;
    }
    Ok(())
}

/// "master_secret = PRF(pre_master_secret, "extended master secret",
/// session_hash) [0..47];" (RFC 7627, Section 4)
pub(super) fn extended_master_secret(
    hashes: &dyn Hashes,
    algorithm: HashAlgorithm,
    pre_master: &[u8],
    session_hash: &Digest,
) -> Result<MasterSecret, CryptoError> {
    let mut master = MasterSecret::zeroed(48);
    let seed = [&session_hash[..], &[]];
    prf(hashes, algorithm, pre_master, b"extended master secret", seed, master.as_mut_slice())?;
    Ok(master)
}

/// The keys of both directions.
pub(super) struct KeyBlock {
    pub(super) client_key: Secret<32>,
    pub(super) server_key: Secret<32>,
    pub(super) client_iv: [u8; 12],
    pub(super) server_iv: [u8; 12],
}

/// "key_block = PRF(SecurityParameters.master_secret, "key expansion",
/// SecurityParameters.server_random + SecurityParameters.client_random);"
///
/// GCM has 4 octets of fixed nonce and 8 in each record (RFC 5288, Section 3);
/// ChaCha20-Poly1305 has 12 fixed ones (RFC 7905, Section 2).
pub(super) fn key_block(
    hashes: &dyn Hashes,
    suite: Suite,
    master: &MasterSecret,
    client_random: &[u8],
    server_random: &[u8],
) -> Result<KeyBlock, CryptoError> {
    let key_len = suite.aead.key_len();
    let iv_len = fixed_iv_len(suite.aead);
    let mut block = Secret::<88>::zeroed(2 * (key_len + iv_len));
    let seed = [server_random, client_random];
    prf(hashes, suite.hash, master.as_slice(), b"key expansion", seed, block.as_mut_slice())?;
    let short = CryptoError::ShortBuffer;
    let (client_key, rest) = block.as_slice().split_at_checked(key_len).ok_or(short)?;
    let (server_key, rest) = rest.split_at_checked(key_len).ok_or(short)?;
    let (client_iv, server_iv) = rest.split_at_checked(iv_len).ok_or(short)?;
    Ok(KeyBlock {
        client_key: Secret::new(client_key).ok_or(short)?,
        server_key: Secret::new(server_key).ok_or(short)?,
        client_iv: padded(client_iv),
        server_iv: padded(server_iv),
    })
}

/// Octets of nonce that the key block fixes in TLS 1.2.
pub(super) const fn fixed_iv_len(aead: AeadAlgorithm) -> usize {
    match aead {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => 4,
        AeadAlgorithm::ChaCha20Poly1305 => 12,
    }
}

fn padded(iv: &[u8]) -> [u8; 12] {
    let mut out = [0; 12];
    for (to, from) in out.iter_mut().zip(iv) {
        *to = *from;
    }
    out
}

/// Octets of `verify_data`.
pub(super) const VERIFY_DATA_LEN: usize = 12;

/// "verify_data = PRF(master_secret, finished_label, Hash(handshake_messages))
/// [0..verify_data_length-1];"
pub(super) fn verify_data(
    hashes: &dyn Hashes,
    algorithm: HashAlgorithm,
    master: &MasterSecret,
    label: &[u8],
    transcript: &Digest,
) -> Result<[u8; VERIFY_DATA_LEN], CryptoError> {
    let mut out = [0; VERIFY_DATA_LEN];
    prf(hashes, algorithm, master.as_slice(), label, [transcript, &[]], &mut out)?;
    Ok(out)
}

#[cfg(all(test, feature = "rust-crypto"))]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::PROVIDER;

    fn hex(s: &str) -> std::vec::Vec<u8> {
        (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn prf_vectors() {
        let text = include_str!("../../../tests/vectors/dtls/tls12_prf.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut seen = 0;
        for case in file.as_array().unwrap() {
            let algorithm = match case["hash"].as_str().unwrap() {
                "SHA256" => HashAlgorithm::Sha256,
                "SHA384" => HashAlgorithm::Sha384,
                _ => continue,
            };
            let field = |name: &str| hex(case[name].as_str().unwrap());
            let want = field("output");
            let mut out = std::vec![0; want.len()];
            let label = case["label"].as_str().unwrap();
            let label = label.as_bytes();
            prf(PROVIDER.hashes, algorithm, &field("secret"), label, [&field("seed"), &[]], &mut out)
                .unwrap();
            assert_eq!(out, want);
            seen += 1;
        }
        assert!(seen >= 2, "saw {seen} vectors");
    }
}
