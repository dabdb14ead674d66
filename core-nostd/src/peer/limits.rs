//! How much memory a connection takes, all of it at construction.

use super::mdns::Names;
use crate::{channel, dtls, ice, sctp};

/// The large parts of a connection, which are not in its struct.
const PLACED: usize = size_of::<ice::Agent>() + dtls::Connection::SIZE + size_of::<sctp::Association>();

/// The bounds of one peer connection, a small struct per layer. Plain data:
/// start from a preset and change what the application knows better.
///
/// ```
/// use picortc::peer::Limits;
///
/// let mut limits = Limits::DEFAULT;
/// limits.channel.channels = 1000;
/// println!("{} octets of heap", limits.heap_bytes());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Limits {
    /// Candidates and pairs.
    pub ice: ice::Limits,
    /// Handshake reassembly and flights.
    pub dtls: dtls::Limits,
    /// Message arenas and streams.
    pub sctp: sctp::Limits,
    /// Data channels.
    pub channel: channel::Limits,
    /// Descriptions.
    pub jsep: super::jsep::Limits,
    /// STUN and TURN servers.
    pub gather: super::gather::Limits,
    /// Allocations on relays.
    #[cfg(feature = "turn")]
    pub turn: crate::turn::Limits,
    /// TCP and TLS.
    pub streams: super::streams::Limits,
}

impl Limits {
    /// For microcontrollers: four channels, messages of a kilobyte.
    pub const TINY: Self = Self {
        ice: ice::Limits::TINY,
        dtls: dtls::Limits::TINY,
        sctp: sctp::Limits::TINY,
        channel: channel::Limits::TINY,
        jsep: super::jsep::Limits::TINY,
        gather: super::gather::Limits::TINY,
        #[cfg(feature = "turn")]
        turn: crate::turn::Limits::TINY,
        streams: super::streams::Limits::TINY,
    };

    /// For applications: messages of 256 KiB, as browsers have them.
    pub const DEFAULT: Self = Self {
        ice: ice::Limits::DEFAULT,
        dtls: dtls::Limits::DEFAULT,
        sctp: sctp::Limits::DEFAULT,
        channel: channel::Limits::DEFAULT,
        jsep: super::jsep::Limits::DEFAULT,
        gather: super::gather::Limits::DEFAULT,
        #[cfg(feature = "turn")]
        turn: crate::turn::Limits::DEFAULT,
        streams: super::streams::Limits::DEFAULT,
    };

    /// For hubs that hold thousands of connections.
    pub const SERVER: Self = Self {
        ice: ice::Limits::SERVER,
        dtls: dtls::Limits::SERVER,
        sctp: sctp::Limits::SERVER,
        channel: channel::Limits::SERVER,
        jsep: super::jsep::Limits::SERVER,
        gather: super::gather::Limits::SERVER,
        #[cfg(feature = "turn")]
        turn: crate::turn::Limits::SERVER,
        streams: super::streams::Limits::SERVER,
    };

    /// The octets of heap that one connection takes with these limits until it
    /// is connected, beside the running contexts of its crypto provider and its
    /// certificate (one to four kilobytes, the same for all limits). Much of
    /// what only a handshake needs is given back afterwards.
    pub const fn heap_bytes(&self) -> usize {
        #[cfg(feature = "turn")]
        let turn = self.turn.heap_bytes();
        #[cfg(not(feature = "turn"))]
        let turn = 0;
        turn + PLACED
            + self.gather.heap_bytes()
            + self.ice.heap_bytes()
            + Names::heap_bytes(&self.ice)
            + self.dtls.heap_bytes()
            + self.sctp.heap_bytes()
            + self.channel.heap_bytes()
            + self.jsep.heap_bytes()
            + self.streams.heap_bytes()
    }
}
