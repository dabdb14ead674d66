//! The candidate attribute (RFC 8839, Section 5.1).

use super::Malformed;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

/// How a candidate came about (RFC 8445, Section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CandidateType {
    /// An address of the host itself.
    Host,
    /// An address that a server saw.
    ServerReflexive,
    /// An address that the peer saw.
    PeerReflexive,
    /// An address on a relay.
    Relayed,
}

impl CandidateType {
    /// "The RECOMMENDED values for type preferences are 126 for host
    /// candidates, 110 for peer-reflexive candidates, 100 for
    /// server-reflexive candidates, and 0 for relayed candidates."
    pub const fn preference(self) -> u32 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The word in the attribute, which is also the W3C's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

/// Which end of an ICE-TCP candidate opens the connection (RFC 6544).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TcpType {
    /// It opens connections.
    Active,
    /// It waits for them.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

impl TcpType {
    /// The word in the attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::SimultaneousOpen => "so",
        }
    }
}

/// Where a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateAddress<'a> {
    /// At an address.
    Ip(IpAddr),
    /// At a name: that of mDNS, ending in `.local`, or another.
    Name(&'a str),
}

/// A candidate as the signalling carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Equal for candidates of one type, base and server.
    pub foundation: &'a str,
    /// 1 for all that WebRTC has today.
    pub component: u16,
    /// `None` is UDP.
    pub tcp_type: Option<TcpType>,
    /// RFC 8445, Section 5.1.2.
    pub priority: u32,
    /// Where it is.
    pub address: CandidateAddress<'a>,
    /// The port.
    pub port: u16,
    /// How it came about.
    pub kind: CandidateType,
    /// Its base, or the address that the server saw.
    pub related: Option<SocketAddr>,
    /// Of which ICE generation it is.
    pub ufrag: Option<&'a str>,
}

impl<'a> Candidate<'a> {
    /// Reads `candidate:…`, with or without `a=` in front. `Ok(None)` for a
    /// well-formed one whose transport or type nothing here knows: it is to be
    /// ignored.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(text: &'a str) -> Result<Option<Self>, Malformed> {
        let text = text.trim();
        let text = text.strip_prefix("a=").unwrap_or(text);
        Self::parse_value(text.strip_prefix("candidate:").ok_or(Malformed)?)
    }

    /// Reads what stands behind `candidate:`.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse_value(text: &'a str) -> Result<Option<Self>, Malformed> {
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next().ok_or(Malformed);
        let foundation = word()?;
        let component = word()?.parse().map_err(|_| Malformed)?;
        let transport = word()?;
        let priority = word()?.parse().map_err(|_| Malformed)?;
        let address = word()?;
        let port = word()?.parse().map_err(|_| Malformed)?;
        if foundation.len() > 32 || word()? != "typ" {
            return Err(Malformed);
        }
        let kind = match word()? {
            "host" => CandidateType::Host,
            "srflx" => CandidateType::ServerReflexive,
            "prflx" => CandidateType::PeerReflexive,
            "relay" => CandidateType::Relayed,
            _ => return Ok(None),
        };
        let address = match address.parse() {
            Ok(ip) => CandidateAddress::Ip(ip),
            Err(_) => CandidateAddress::Name(address),
        };
        let (mut raddr, mut rport, mut tcp_type, mut ufrag) = (None, None, None, None);
        // "extension-att-name SP extension-att-value", unknown ones ignored.
        while let Some(name) = words.next() {
            let value = words.next().ok_or(Malformed)?;
            match name {
                "raddr" => raddr = value.parse().ok(),
                "rport" => rport = value.parse().ok(),
                "ufrag" => ufrag = Some(value),
                "tcptype" => {
                    tcp_type = match value {
                        "active" => Some(TcpType::Active),
                        "passive" => Some(TcpType::Passive),
                        "so" => Some(TcpType::SimultaneousOpen),
                        _ => return Ok(None),
                    }
                }
                _ => {}
            }
        }
        if transport.eq_ignore_ascii_case("udp") {
            tcp_type = None;
        } else if !transport.eq_ignore_ascii_case("tcp") || tcp_type.is_none() {
            return Ok(None);
        }
        let related = match (raddr, rport) {
            (Some(ip), Some(port)) => Some(SocketAddr::new(ip, port)),
            _ => None,
        };
        Ok(Some(Self { foundation, component, tcp_type, priority, address, port, kind, related, ufrag }))
    }
}

impl fmt::Display for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.tcp_type.is_some() { "tcp" } else { "udp" };
        write!(f, "candidate:{} {} {transport} {} ", self.foundation, self.component, self.priority)?;
        match self.address {
            CandidateAddress::Ip(ip) => write!(f, "{ip}")?,
            CandidateAddress::Name(name) => f.write_str(name)?,
        }
        write!(f, " {} typ {}", self.port, self.kind.as_str())?;
        if let Some(related) = self.related {
            write!(f, " raddr {} rport {}", related.ip(), related.port())?;
        }
        if let Some(tcp_type) = self.tcp_type {
            write!(f, " tcptype {}", tcp_type.as_str())?;
        }
        if let Some(ufrag) = self.ufrag {
            write!(f, " ufrag {ufrag}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn what_browsers_send_is_read() {
        let c = "candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 10.0.17.1 rport 50000 \
                 generation 0 ufrag EEtu network-id 1 network-cost 10";
        let c = Candidate::parse(c).unwrap().unwrap();
        assert_eq!((c.foundation, c.component, c.priority, c.port), ("842163049", 1, 1677729535, 46154));
        assert_eq!(c.related, Some("10.0.17.1:50000".parse().unwrap()));
        assert_eq!((c.kind, c.ufrag, c.tcp_type), (CandidateType::ServerReflexive, Some("EEtu"), None));
        let firefox =
            "candidate:0 1 UDP 2122252543 4f3b1a5c-9a4c-4b6b-8b6c-1e9d0a3f2b1c.local 60417 typ host";
        let c = Candidate::parse(firefox).unwrap().unwrap();
        assert!(matches!(c.address, CandidateAddress::Name(n) if n.ends_with(".local")));
        let tcp = "a=candidate:2 1 TCP 2105524479 192.0.2.2 9 typ host tcptype active";
        assert_eq!(Candidate::parse(tcp).unwrap().unwrap().tcp_type, Some(TcpType::Active));
        assert_eq!(Candidate::parse("candidate:1 1 sctp 1 192.0.2.2 9 typ host"), Ok(None));
        assert_eq!(Candidate::parse("candidate:1 1 udp 1 192.0.2.2 9 typ new"), Ok(None));
    }

    #[test]
    fn what_is_written_reads_the_same_and_no_cut_one_is_whole() {
        for text in [
            "candidate:1 1 udp 2130706431 192.0.2.2 5000 typ host",
            "candidate:2 1 udp 1 2001:db8::1 5000 typ relay raddr 192.0.2.2 rport 7",
            "candidate:3 1 tcp 1 192.0.2.2 9 typ host tcptype active ufrag abcd",
        ] {
            let c = Candidate::parse(text).unwrap().unwrap();
            assert_eq!(c.to_string(), text);
            let host = text.find(" typ ").unwrap() + 5;
            for n in 0..host {
                assert_eq!(Candidate::parse(&text[..n]), Err(Malformed), "{}", &text[..n]);
            }
        }
        for bad in [
            "",
            "candidate:",
            "candidate:1 1 udp x 1.2.3.4 5 typ host",
            "candidate:1 1 udp 1 1.2.3.4 65536 typ host",
        ] {
            assert_eq!(Candidate::parse(bad), Err(Malformed), "{bad}");
        }
    }

    #[test]
    fn what_browsers_were_seen_to_send_reads_the_same_when_written() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/captures/sdp/");
        let mut read = 0;
        for name in ["chromium156-candidates.txt", "firefox153esr-candidates.txt"] {
            let Ok(text) = std::fs::read_to_string(std::format!("{folder}{name}")) else {
                std::println!("skipped: {name} is not there");
                continue;
            };
            for line in text.lines().filter(|l| l.starts_with("candidate:")) {
                let candidate = Candidate::parse(line).unwrap().expect(line);
                let written = candidate.to_string();
                assert_eq!(Candidate::parse(&written), Ok(Some(candidate)), "{line}");
                read += 1;
            }
            assert!(read > 0, "{name} holds candidates");
        }
    }
}
