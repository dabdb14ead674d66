//! The long-term credential mechanism (RFC 8489, Section 9.2).

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_the_rfc() {
        // "user", "realm" and "pass" (RFC 8489, Section 9.2.2).
        let key = long_term_key(b"user", b"realm", b"pass");
        assert_eq!(u128::from_be_bytes(key), 0x8493_fbc5_3ba5_82fb_4c04_4c45_6bdc_40eb);
    }
}
