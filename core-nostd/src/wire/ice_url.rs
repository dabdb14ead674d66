//! The URLs of STUN and TURN servers (RFC 7064, RFC 7065).
//!
//! ```text
//! stunURI = scheme ":" host [ ":" port ]                  scheme = "stun" / "stuns"
//! turnURI = scheme ":" host [ ":" port ]                  scheme = "turn" / "turns"
//!           [ "?transport=" ( "udp" / "tcp" / ext ) ]
//! ```

use crate::env::TransportProtocol;
use core::fmt;
use core::net::IpAddr;

/// What a server is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ServerKind {
    /// It tells our address as it sees it.
    Stun,
    /// It relays.
    Turn,
}

/// A server's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IceUrl<'a> {
    /// What it is for.
    pub kind: ServerKind,
    /// A name or an address, IPv6 without its brackets.
    pub host: &'a str,
    /// The port, by default 3478, or 5349 with TLS.
    pub port: u16,
    /// How the octets travel to it.
    pub protocol: TransportProtocol,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IceUrlError {
    /// It does not begin with `stun:`, `stuns:`, `turn:` or `turns:`.
    Scheme,
    /// There is no host, or it is neither a name nor an address.
    Host,
    /// The port is no number from 1 to 65535.
    Port,
    /// Something stands behind that does not belong there: a path, a user, or
    /// a query of a `stun:` URL.
    Trailing,
    /// The query is not `transport=udp` or `transport=tcp`.
    Transport,
    /// TURN over DTLS (`turns:` with `transport=udp`) and STUN over TLS or
    /// TCP (`stuns:`) are not spoken here.
    Unsupported,
}

impl IceUrlError {
    /// The name of the exception that the W3C's interface has for it.
    pub const fn name(&self) -> &'static str {
        if matches!(self, Self::Unsupported) { "NotSupportedError" } else { "SyntaxError" }
    }
}

impl fmt::Display for IceUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it must begin with stun:, turn: or turns:",
            Self::Host => "its host is neither a name nor an address",
            Self::Port => "its port must be a number from 1 to 65535",
            Self::Trailing => {
                "nothing may follow the host and the port but, for turn: and turns:, ?transport=udp or ?transport=tcp"
            }
            Self::Transport => "its transport must be udp or tcp",
            Self::Unsupported => "STUN over TLS (stuns:) and TURN over DTLS (turns: with udp) are not supported",
        })
    }
}

impl core::error::Error for IceUrlError {}

impl<'a> IceUrl<'a> {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`IceUrlError`].
    pub fn parse(text: &'a str) -> Result<Self, IceUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(IceUrlError::Scheme)?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let (kind, secure) = match () {
            () if is("stun") => (ServerKind::Stun, false),
            () if is("turn") => (ServerKind::Turn, false),
            () if is("turns") => (ServerKind::Turn, true),
            () if is("stuns") => return Err(IceUrlError::Unsupported),
            () => return Err(IceUrlError::Scheme),
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let protocol = match (query, kind) {
            (None, _) if secure => TransportProtocol::Tls,
            (None, _) => TransportProtocol::Udp,
            (Some(_), ServerKind::Stun) => return Err(IceUrlError::Trailing),
            (Some(query), ServerKind::Turn) => {
                // "ABNF strings are case insensitive" (RFC 5234, Section 2.3).
                let is = |text: &str| query.eq_ignore_ascii_case(text);
                match (is("transport=udp"), is("transport=tcp")) {
                    (true, _) if secure => return Err(IceUrlError::Unsupported),
                    (true, _) => TransportProtocol::Udp,
                    (_, true) if secure => TransportProtocol::Tls,
                    (_, true) => TransportProtocol::Tcp,
                    _ => return Err(IceUrlError::Transport),
                }
            }
        };
        let (host, port) = split_port(place)?;
        let port = match port {
            // "The default port is 3478 ... or 5349 with TLS".
            None => {
                if secure {
                    5349
                } else {
                    3478
                }
            }
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => {
                port.parse().ok().filter(|p| *p > 0).ok_or(IceUrlError::Port)?
            }
            Some(_) => return Err(IceUrlError::Port),
        };
        Ok(Self { kind, host, port, protocol })
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), IceUrlError> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(IceUrlError::Host)?;
        let v6 = host.parse().is_ok_and(|ip: IpAddr| ip.is_ipv6());
        return match (v6, rest.strip_prefix(':')) {
            (true, Some(port)) => Ok((host, Some(port))),
            (true, None) if rest.is_empty() => Ok((host, None)),
            (true, None) => Err(IceUrlError::Trailing),
            (false, _) => Err(IceUrlError::Host),
        };
    }
    if place.contains(['/', '@', '#']) {
        return Err(IceUrlError::Trailing);
    }
    let (host, port) = match place.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (place, None),
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    // The longest name that DNS has.
    if host.is_empty() || host.len() > 253 || !host.bytes().all(is_name) {
        return Err(IceUrlError::Host);
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_of_the_rfcs_are_read() {
        use ServerKind::{Stun, Turn};
        use TransportProtocol::{Tcp, Tls, Udp};
        for (text, kind, host, port, protocol) in [
            ("stun:example.org", Stun, "example.org", 3478, Udp),
            ("stun:example.org:8000", Stun, "example.org", 8000, Udp),
            ("STUN:192.0.2.1", Stun, "192.0.2.1", 3478, Udp),
            ("turn:example.org", Turn, "example.org", 3478, Udp),
            ("turn:example.org:8000", Turn, "example.org", 8000, Udp),
            ("turn:example.org:8000?transport=udp", Turn, "example.org", 8000, Udp),
            ("turn:example.org?transport=tcp", Turn, "example.org", 3478, Tcp),
            ("turns:example.org", Turn, "example.org", 5349, Tls),
            ("turns:example.org:443?transport=tcp", Turn, "example.org", 443, Tls),
            ("turn:[2001:db8::1]:3479?transport=tcp", Turn, "2001:db8::1", 3479, Tcp),
            ("Turns:example.org?Transport=TCP", Turn, "example.org", 5349, Tls),
            ("turn:example.org?transport=UDP", Turn, "example.org", 3478, Udp),
            ("stun:[::1]", Stun, "::1", 3478, Udp),
        ] {
            assert_eq!(IceUrl::parse(text), Ok(IceUrl { kind, host, port, protocol }), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused_with_its_reason() {
        for (text, why) in [
            ("", IceUrlError::Scheme),
            ("example.org", IceUrlError::Scheme),
            ("http:example.org", IceUrlError::Scheme),
            ("stuns:example.org", IceUrlError::Unsupported),
            ("turns:example.org?transport=udp", IceUrlError::Unsupported),
            ("stun:", IceUrlError::Host),
            ("stun::3478", IceUrlError::Host),
            ("stun:exa mple.org", IceUrlError::Host),
            ("turn:[2001:db8::1", IceUrlError::Host),
            ("turn:[192.0.2.1]", IceUrlError::Host),
            ("turn:2001:db8::1", IceUrlError::Port),
            ("turn:example.org:", IceUrlError::Port),
            ("turn:example.org:0", IceUrlError::Port),
            ("turn:example.org:65536", IceUrlError::Port),
            ("turn:example.org:+80", IceUrlError::Port),
            ("stun://example.org", IceUrlError::Trailing),
            ("turn:user@example.org", IceUrlError::Trailing),
            ("turn:[::1]x", IceUrlError::Trailing),
            ("stun:example.org?transport=udp", IceUrlError::Trailing),
            ("turn:example.org?transport=sctp", IceUrlError::Transport),
            ("turn:example.org?foo=bar", IceUrlError::Transport),
            ("turn:example.org?transport=udp&x=y", IceUrlError::Transport),
        ] {
            assert_eq!(IceUrl::parse(text), Err(why), "{text}");
        }
        assert!(IceUrl::parse(&std::format!("stun:{}", "a".repeat(254))).is_err());
    }
}
