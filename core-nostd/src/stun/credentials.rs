//! The long-term credential mechanism (RFC 8489, Section 9.2).

use crate::crypto::{CryptoError, Digest as Hash, HashAlgorithm, Hashes};
use md5::{Digest, Md5};

/// "key = MD5(username ":" OpaqueString(realm) ":" OpaqueString(password))"
/// (RFC 8489, Section 9.2.2). The strings are taken as they are: whoever types
/// names outside of ASCII has them in the composed form already.
pub fn long_term_key(username: &[u8], realm: &[u8], password: &[u8]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in [username, b":", realm, b":", password] {
        hash.update(part);
    }
    hash.finalize().into()
}

/// "key = SHA-256(username ":" OpaqueString(realm) ":"
/// OpaqueString(password))" (RFC 8489, Section 18.5.1.2): 32 octets.
///
/// # Errors
/// [`CryptoError`] when the provider has no SHA-256.
pub fn long_term_key_sha256(
    hashes: &dyn Hashes,
    username: &[u8],
    realm: &[u8],
    password: &[u8],
) -> Result<Hash, CryptoError> {
    hashes.hash(HashAlgorithm::Sha256, &[username, b":", realm, b":", password])
}

/// The value of USERHASH, by which a user is known without a name: "userhash =
/// SHA-256(OpaqueString(username) ":" OpaqueString(realm))" (RFC 8489, Section
/// 14.4).
///
/// # Errors
/// [`CryptoError`] when the provider has no SHA-256.
pub fn userhash(hashes: &dyn Hashes, username: &[u8], realm: &[u8]) -> Result<Hash, CryptoError> {
    hashes.hash(HashAlgorithm::Sha256, &[username, b":", realm])
}

#[cfg(all(test, feature = "rust-crypto"))]
mod tests {
    use super::*;
    use crate::crypto::rust_crypto::PROVIDER;

    /// Appendix B.1 of RFC 8489, and the long-term sample of RFC 5769.
    #[test]
    fn keys_and_user_hashes_are_those_of_the_rfcs() {
        let text = include_str!("../../../tests/vectors/stun/rfc5769_rfc8489.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let hex =
            |octets: &[u8]| octets.iter().map(|o| std::format!("{o:02x}")).collect::<std::string::String>();
        let (mut md5, mut sha256) = (0, 0);
        for case in file.as_array().unwrap().iter().filter(|c| c["username_utf8"].is_string()) {
            let part = |name: &str| case[name].as_str().unwrap().as_bytes().to_vec();
            let (user, realm, password) = (part("username_utf8"), part("realm"), part("password"));
            if let Some(want) = case["userhash"].as_str() {
                let key = long_term_key_sha256(PROVIDER.hashes, &user, &realm, &password).unwrap();
                assert_eq!(hex(&key), case["key_hex"], "{}", case["name"]);
                assert_eq!(hex(&userhash(PROVIDER.hashes, &user, &realm).unwrap()), want);
                sha256 += 1;
            } else {
                assert_eq!(
                    hex(&long_term_key(&user, &realm, &password)),
                    case["key_hex"],
                    "{}",
                    case["name"]
                );
                md5 += 1;
            }
        }
        assert_eq!((md5, sha256), (1, 1));
    }

    #[test]
    fn the_key_is_that_of_the_rfc() {
        // "user", "realm" and "pass" (RFC 8489, Section 9.2.2).
        let key = long_term_key(b"user", b"realm", b"pass");
        assert_eq!(u128::from_be_bytes(key), 0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40eb);
    }
}
