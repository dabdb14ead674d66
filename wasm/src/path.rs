//! Addresses, as octets in memory that JavaScript sees: for each end the
//! family (4 or 6), the protocol, the port (little endian) and 16 octets of
//! address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use picortc::env::{TransportContext, TransportProtocol};

/// The octets of one end.
const END: usize = 20;
/// Both ends: ours, then the peer's.
pub(crate) const LEN: usize = 2 * END;

fn protocol_code(protocol: TransportProtocol) -> u8 {
    match protocol {
        TransportProtocol::Udp => 0,
        TransportProtocol::Tcp => 1,
        TransportProtocol::Tls => 2,
    }
}

pub(crate) fn protocol(code: u8) -> TransportProtocol {
    match code {
        0 => TransportProtocol::Udp,
        1 => TransportProtocol::Tcp,
        _ => TransportProtocol::Tls,
    }
}

fn write_end(octets: &mut [u8; END], addr: SocketAddr, protocol: TransportProtocol) {
    *octets = [0; END];
    octets[1] = protocol_code(protocol);
    octets[2..4].copy_from_slice(&addr.port().to_le_bytes());
    match addr.ip() {
        IpAddr::V4(ip) => {
            octets[0] = 4;
            octets[4..8].copy_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            octets[0] = 6;
            octets[4..20].copy_from_slice(&ip.octets());
        }
    }
}

fn read_end(octets: &[u8; END]) -> (SocketAddr, TransportProtocol) {
    let [family, code, low, high, ip @ ..] = *octets;
    let ip = match family {
        6 => IpAddr::V6(Ipv6Addr::from(ip)),
        _ => IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])),
    };
    (SocketAddr::new(ip, u16::from_le_bytes([low, high])), protocol(code))
}

/// Two ends in memory.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    ours: [u8; END],
    theirs: [u8; END],
}

impl Ends {
    pub(crate) fn from_octets(octets: &[u8; LEN]) -> Self {
        let mut ends = Self::default();
        ends.ours.copy_from_slice(&octets[..END]);
        ends.theirs.copy_from_slice(&octets[END..]);
        ends
    }

    pub(crate) fn to_octets(&self, octets: &mut [u8; LEN]) {
        octets[..END].copy_from_slice(&self.ours);
        octets[END..].copy_from_slice(&self.theirs);
    }

    pub(crate) fn of(path: &TransportContext) -> Self {
        let mut ends = Self::default();
        write_end(&mut ends.ours, path.local_addr, path.transport_protocol);
        write_end(&mut ends.theirs, path.peer_addr, path.transport_protocol);
        ends
    }

    /// One address, as our end.
    pub(crate) fn of_address(addr: SocketAddr) -> Self {
        let mut ends = Self::default();
        write_end(&mut ends.ours, addr, TransportProtocol::Udp);
        ends
    }

    /// Our end alone.
    pub(crate) fn local(&self) -> (SocketAddr, TransportProtocol) {
        read_end(&self.ours)
    }

    pub(crate) fn path(&self) -> TransportContext {
        let (local_addr, transport_protocol) = read_end(&self.ours);
        let (peer_addr, _) = read_end(&self.theirs);
        TransportContext { transport_protocol, ..TransportContext::udp(local_addr, peer_addr) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_way_through_octets() {
        for (ours, theirs) in [("192.0.2.1:1", "198.51.100.7:65535"), ("[2001:db8::1]:9", "[fe80::2]:256")] {
            let path = TransportContext::udp(ours.parse().unwrap(), theirs.parse().unwrap());
            let mut octets = [0; LEN];
            Ends::of(&path).to_octets(&mut octets);
            assert_eq!(Ends::from_octets(&octets).path(), path);
        }
    }
}
