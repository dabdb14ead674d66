//! Nonces that the server need not remember (RFC 8489, Section 9.2).

use crate::crypto::{HashAlgorithm, Hashes, constant_time_eq};
use crate::env::{Instant, TransportContext};
use crate::wire::stun::SecurityFeatures;
use core::net::IpAddr;
use core::time::Duration;

/// Characters of a nonce behind its cookie: 96 bits.
const LEN: usize = 16;

/// Makes nonces and knows them again: the time, and a MAC over it and the
/// client's address.
pub(super) struct Nonces {
    pub(super) secret: [u8; 32],
    pub(super) lifetime: Duration,
    /// Whether they begin with the cookie of password algorithms.
    pub(super) cookie: bool,
}

impl Nonces {
    /// The nonce of a client at a time, in two parts. Short, since it goes to
    /// strangers.
    pub(super) fn make(
        &self,
        hashes: &dyn Hashes,
        now: Instant,
        client: &TransportContext,
    ) -> (&'static [u8], [u8; LEN]) {
        (self.cookie(), self.at(hashes, (now.as_millis() / 1000) as u32, client))
    }

    fn cookie(&self) -> &'static [u8] {
        if self.cookie { SecurityFeatures::PASSWORD_ALGORITHMS_COOKIE } else { &[] }
    }

    /// Whether a nonce is this client's and not too old.
    pub(super) fn is_valid(
        &self,
        hashes: &dyn Hashes,
        now: Instant,
        client: &TransportContext,
        nonce: &[u8],
    ) -> bool {
        // One whose cookie was taken away is nobody's.
        let Some(nonce) = nonce.strip_prefix(self.cookie()) else { return false };
        let digits = nonce.get(..6).unwrap_or_default();
        let Some(time) = digits.iter().try_fold(0u64, |time, c| Some(time << 6 | u64::from(value(*c)?)))
        else {
            return false;
        };
        let time = (time >> 4) as u32;
        let age = ((now.as_millis() / 1000) as u32).wrapping_sub(time);
        constant_time_eq(&self.at(hashes, time, client), nonce)
            && Duration::from_secs(age.into()) < self.lifetime
    }

    fn at(&self, hashes: &dyn Hashes, time: u32, client: &TransportContext) -> [u8; LEN] {
        let ip = match client.peer_addr.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (time, port) = (time.to_be_bytes(), client.peer_addr.port().to_be_bytes());
        let protocol = [client.transport_protocol as u8];
        let parts: [&[u8]; 4] = [&time, &ip, &port, &protocol];
        // Without SHA-1 nothing of STUN can be signed either.
        let mac = hashes.hmac(HashAlgorithm::Sha1, &self.secret, &parts).unwrap_or_default();
        let mut bits = 0u128;
        for octet in time.iter().chain(mac.iter().take(8)) {
            bits = bits << 8 | u128::from(*octet);
        }
        core::array::from_fn(|i| char_of((bits >> (90 - 6 * i)) as u8 & 63))
    }
}

const CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn char_of(value: u8) -> u8 {
    CHARS.get(usize::from(value)).copied().unwrap_or(b'A')
}

fn value(char: u8) -> Option<u8> {
    CHARS.iter().position(|c| *c == char).map(|i| i as u8)
}
