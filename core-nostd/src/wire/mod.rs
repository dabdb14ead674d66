//! Bytes to meaning and back. Pure functions: no state, no time, no
//! allocation. State machines never touch an offset.

pub mod candidate;
pub mod dcep;
pub mod demux;
pub mod dns;
pub mod dtls;
pub mod ice_url;
mod reader;
pub mod sctp;
pub mod sdp;
pub mod stun;
pub mod turn;
mod writer;
pub mod x509;

pub use reader::Reader;
pub use writer::{ShortBuffer, Writer};

/// The bytes are not what the format says. Noise from the network: layers
/// count it and drop the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Malformed;

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("malformed")
    }
}

impl core::error::Error for Malformed {}
