//! The STUN and TURN servers of a configuration, kept.
#![cfg_attr(not(feature = "turn"), allow(dead_code, unused_imports, reason = "for relays"))]

use super::configuration::RTCIceServer;
use crate::env::TransportProtocol;
use crate::mem::{FixedVec, OutOfMemory, Text};
use crate::wire::ice_url::{IceUrl, IceUrlError, ServerKind};
use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

/// What is wrong with a list of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IceServerError {
    /// A URL is of no use: of which server, which of its URLs, and why.
    Url {
        /// The index in `ice_servers`.
        server: usize,
        /// The index in its `urls`.
        url: usize,
        /// What is wrong.
        reason: IceUrlError,
    },
    /// A server has no URL (W3C: SyntaxError).
    NoUrl {
        /// The index in `ice_servers`.
        server: usize,
    },
    /// A TURN server without a user name or a password (W3C:
    /// InvalidAccessError).
    NoCredentials {
        /// The index in `ice_servers`.
        server: usize,
    },
    /// A user name or a password is longer than 256 or 128 octets.
    CredentialsTooLong {
        /// The index in `ice_servers`.
        server: usize,
    },
    /// More URLs, or longer ones, than [`gather::Limits`](super::gather::Limits)
    /// have room for.
    TooMany,
    /// TURN servers need the feature `turn`.
    TurnUnsupported {
        /// The index in `ice_servers`.
        server: usize,
    },
}

impl IceServerError {
    /// The name of the exception that the W3C's interface has for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Url { reason, .. } => reason.name(),
            Self::NoUrl { .. } => "SyntaxError",
            Self::NoCredentials { .. } => "InvalidAccessError",
            Self::CredentialsTooLong { .. } | Self::TooMany => "OperationError",
            Self::TurnUnsupported { .. } => "NotSupportedError",
        }
    }
}

impl fmt::Display for IceServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { server, url, reason } => {
                write!(f, "URL {url} of ICE server {server} is of no use: {reason}")
            }
            Self::NoUrl { server } => write!(f, "ICE server {server} has no URL"),
            Self::NoCredentials { server } => {
                write!(f, "ICE server {server} relays, and wants a username and a credential")
            }
            Self::CredentialsTooLong { server } => write!(
                f,
                "the username or the credential of ICE server {server} is longer than 256 or 128 octets"
            ),
            Self::TooMany => {
                f.write_str("there are more ICE server URLs, or longer ones, than the limits allow")
            }
            Self::TurnUnsupported { server } => {
                write!(f, "ICE server {server} relays, which needs the feature turn")
            }
        }
    }
}

impl core::error::Error for IceServerError {}

/// A URL of the configuration and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RTCIceServerUrl<'a> {
    /// The URL.
    pub url: &'a str,
    /// The TURN user name.
    pub username: &'a str,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) kind: ServerKind,
    pub(super) protocol: TransportProtocol,
    pub(super) port: u16,
    url: Range<usize>,
    host: Range<usize>,
    username: Range<usize>,
    credential: Range<usize>,
    pub(super) name: Name,
}

/// What is known of the host's addresses: one of each family at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// A name that nobody was asked about.
    Unasked,
    /// The caller was asked, or is to be.
    Asked {
        told: bool,
    },
    Known {
        v4: Option<IpAddr>,
        v6: Option<IpAddr>,
    },
    Unknown,
}

impl Name {
    fn of(ip: IpAddr) -> Self {
        let none = Self::Known { v4: None, v6: None };
        none.with(ip)
    }

    pub(super) fn with(self, ip: IpAddr) -> Self {
        let (v4, v6) = if let Self::Known { v4, v6 } = self { (v4, v6) } else { (None, None) };
        match ip {
            IpAddr::V4(_) => Self::Known { v4: v4.or(Some(ip)), v6 },
            IpAddr::V6(_) => Self::Known { v4, v6: v6.or(Some(ip)) },
        }
    }

    /// The address of a family.
    pub(super) fn ip(self, is_ipv4: bool) -> Option<IpAddr> {
        match self {
            Self::Known { v4, .. } if is_ipv4 => v4,
            Self::Known { v6, .. } => v6,
            _ => None,
        }
    }
}

/// The servers, one per URL.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) list: FixedVec<Server>,
    text: Text,
}

impl Servers {
    pub(super) fn new(servers: usize, text: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { list: FixedVec::new(servers)?, text: Text::new(text)? })
    }

    pub(super) const fn heap_bytes(servers: usize, text: usize) -> usize {
        FixedVec::<Server>::heap_bytes(servers) + Text::heap_bytes(text)
    }

    /// Takes the place of what was there; an error changes nothing.
    pub(super) fn set(&mut self, servers: &[RTCIceServer<'_>]) -> Result<(), IceServerError> {
        let (mut count, mut text) = (0, 0);
        for (index, server) in servers.iter().enumerate() {
            check(index, server)?;
            count += server.urls.len();
            text += server.urls.iter().map(|u| u.len()).sum::<usize>();
            text += server.username.len() + server.credential.len();
        }
        // The number of a server has eight bits.
        if count > self.list.capacity().min(250) || text > self.text.capacity() {
            return Err(IceServerError::TooMany);
        }
        self.list.clear();
        self.text.clear();
        for server in servers {
            let username = self.keep(server.username);
            let credential = self.keep(server.credential);
            for text in server.urls {
                let Ok(url) = IceUrl::parse(text) else { continue };
                let kept = self.keep(text);
                let host = text.find(url.host).unwrap_or(0) + kept.start;
                // There is room: it was counted.
                let _ = self.list.push(Server {
                    kind: url.kind,
                    protocol: url.protocol,
                    port: url.port,
                    url: kept,
                    host: host..host + url.host.len(),
                    username: username.clone(),
                    credential: credential.clone(),
                    name: url.ip().map_or(Name::Unasked, Name::of),
                });
            }
        }
        Ok(())
    }

    fn keep(&mut self, text: &str) -> Range<usize> {
        let start = self.text.as_str().len();
        // There is room: it was counted.
        let _ = self.text.push_str(text);
        start..self.text.as_str().len()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        self.text.as_str().get(range.clone()).unwrap_or_default()
    }

    pub(super) fn get(&self, index: u8) -> Option<&Server> {
        self.list.get(usize::from(index))
    }

    pub(super) fn host(&self, index: u8) -> &str {
        self.get(index).map_or("", |s| self.text(&s.host))
    }

    pub(super) fn url(&self, index: u8) -> Option<RTCIceServerUrl<'_>> {
        let server = self.get(index)?;
        Some(RTCIceServerUrl { url: self.text(&server.url), username: self.text(&server.username) })
    }

    #[cfg(feature = "turn")]
    pub(super) fn login(&self, server: &Server) -> (&str, &str) {
        (self.text(&server.username), self.text(&server.credential))
    }

    pub(super) fn has_turn(&self) -> bool {
        self.list.iter().any(|s| s.kind == ServerKind::Turn)
    }
}

fn check(index: usize, server: &RTCIceServer<'_>) -> Result<(), IceServerError> {
    if server.urls.is_empty() {
        return Err(IceServerError::NoUrl { server: index });
    }
    for (at, text) in server.urls.iter().enumerate() {
        let url =
            IceUrl::parse(text).map_err(|reason| IceServerError::Url { server: index, url: at, reason })?;
        if url.kind == ServerKind::Stun {
            continue;
        }
        if cfg!(not(feature = "turn")) {
            return Err(IceServerError::TurnUnsupported { server: index });
        }
        if server.username.is_empty() || server.credential.is_empty() {
            return Err(IceServerError::NoCredentials { server: index });
        }
        if server.username.len() > MAX_USERNAME || server.credential.len() > MAX_PASSWORD {
            return Err(IceServerError::CredentialsTooLong { server: index });
        }
    }
    Ok(())
}

#[cfg(feature = "turn")]
use crate::turn::{MAX_PASSWORD, MAX_USERNAME};
#[cfg(not(feature = "turn"))]
const MAX_USERNAME: usize = 0;
#[cfg(not(feature = "turn"))]
const MAX_PASSWORD: usize = 0;
