//! Which peers may be reached through a relay.

use crate::mem::{FixedVec, Full, OutOfMemory};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    prefix_len: u8,
}

/// The text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NetworkError;

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a range of addresses is ADDRESS/BITS or ADDRESS, such as 192.0.2.0/24")
    }
}

impl core::error::Error for NetworkError {}

impl Network {
    /// The addresses that begin with the first `prefix_len` bits of `ip`.
    pub const fn new(ip: IpAddr, prefix_len: u8) -> Self {
        Self { ip, prefix_len }
    }

    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix_len: u8) -> Self {
        Self::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix_len)
    }

    const fn v6(high: u128, prefix_len: u8) -> Self {
        Self::new(IpAddr::V6(Ipv6Addr::from_bits(high)), prefix_len)
    }

    /// Whether `ip` is in the range. IPv4 addresses in the form of IPv6 are to
    /// be made canonical before.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let shift = |bits: u32| bits.saturating_sub(u32::from(self.prefix_len));
        match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits()).checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.parse().map_err(|_| NetworkError)?;
        let all = if ip.is_ipv4() { 32 } else { 128 };
        let prefix_len = bits.map_or(Ok(all), str::parse).map_err(|_| NetworkError)?;
        if prefix_len > all {
            return Err(NetworkError);
        }
        Ok(Self { ip, prefix_len })
    }
}

/// What no relay leads to unless it is allowed by name: the host itself, its
/// link, groups, and the ways to write an IPv4 address as an IPv6 one (which
/// a router or the host's own stack may take for what is written there).
const REFUSED: [Network; 15] = [
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(127, 0, 0, 0, 8),
    Network::v4(169, 254, 0, 0, 16),
    // Multicast, what is reserved, and broadcast.
    Network::v4(224, 0, 0, 0, 3),
    // `::`, `::1`, and IPv4-compatible addresses.
    Network::v6(0, 96),
    // IPv4-mapped, and IPv4-translated.
    Network::v6(0xffff << 32, 96),
    Network::v6(0xffff << 48, 96),
    // NAT64: well known, and local.
    Network::v6(0x64_ff9b << 96, 96),
    Network::v6(0x64_ff9b_0001 << 80, 48),
    // 6to4, Teredo, ISATAP's is link-local.
    Network::v6(0x2002 << 112, 16),
    Network::v6(0x2001_0000 << 96, 32),
    Network::v6(0xfe80 << 112, 10),
    // Site-local, which is no more.
    Network::v6(0xfec0 << 112, 10),
    Network::v6(0xff00 << 112, 8),
    // Discard.
    Network::v6(0x0100 << 112, 64),
];

/// Allow and deny lists over the built-in one. Denied is denied; else allowed
/// is allowed; else the host itself, its link, and disguised addresses are
/// denied, and the rest is allowed.
#[derive(Debug)]
pub struct PeerFilter {
    allow: FixedVec<Network>,
    deny: FixedVec<Network>,
}

impl PeerFilter {
    /// A filter with the built-in list only, and room for `capacity` ranges of
    /// each kind.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { allow: FixedVec::new(capacity)?, deny: FixedVec::new(capacity)? })
    }

    /// Allows a range, also where the built-in list does not.
    ///
    /// # Errors
    /// [`Full`].
    pub fn allow(&mut self, network: Network) -> Result<(), Full> {
        self.allow.push(network)
    }

    /// Denies a range.
    ///
    /// # Errors
    /// [`Full`].
    pub fn deny(&mut self, network: Network) -> Result<(), Full> {
        self.deny.push(network)
    }

    /// Whether a peer at `ip` may be reached. `ip` is taken as it was written:
    /// an IPv4 address in disguise is never allowed by what is said of that
    /// address.
    pub fn allows(&self, ip: IpAddr) -> bool {
        let any = |list: &[Network]| list.iter().any(|n| n.contains(ip));
        let disguised = ip.to_canonical() != ip;
        let denied = any(&self.deny) || self.deny.iter().any(|n| n.contains(ip.to_canonical()));
        !denied && !disguised && (any(&self.allow) || !any(&REFUSED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_host_its_link_and_disguises_are_refused() {
        let filter = PeerFilter::new(0).unwrap();
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::10.0.0.1",
            "::ffff:0.0.0.0",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:192.0.2.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "fe80::1",
            "fe80::5efe:127.0.0.1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff05::2",
            "ff0e::1",
            "100::1",
        ] {
            assert!(!filter.allows(ip(refused)), "{refused}");
        }
        for allowed in [
            "192.0.2.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.253.255.255",
            "128.0.0.1",
            "223.255.255.255",
            "2001:db8::1",
            "2001:1::1",
            "fd00::1",
            "64:ff9c::1",
            "2003::1",
        ] {
            assert!(filter.allows(ip(allowed)), "{allowed}");
        }
    }

    #[test]
    fn lists_come_before_what_is_built_in_and_denied_is_denied() {
        let mut filter = PeerFilter::new(2).unwrap();
        filter.allow("127.0.0.0/8".parse().unwrap()).unwrap();
        filter.deny("192.0.2.0/25".parse().unwrap()).unwrap();
        filter.deny("127.0.0.2".parse().unwrap()).unwrap();
        assert_eq!(filter.deny("::/0".parse().unwrap()), Err(Full));
        for (text, allowed) in [
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:127.0.0.1", false),
            ("::1", false),
            ("192.0.2.127", false),
            ("192.0.2.128", true),
        ] {
            assert_eq!(filter.allows(ip(text)), allowed, "{text}");
        }
        for bad in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/-1"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains(ip("255.1.2.3")));
    }
}
