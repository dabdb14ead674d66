//! What the core is told by its surroundings: the time, randomness, and where
//! a datagram came from or goes to.
//!
//! Nothing in the core reads a clock or an RNG. A run is a function of its
//! 32-byte seed and its inputs, and can be replayed byte for byte.

mod instant;
mod rng;
mod transport;

pub use instant::Instant;
pub(crate) use instant::Span;
pub use rng::Rng;
pub use transport::{EcnCodepoint, Transmit, TransportContext, TransportProtocol};

/// The surroundings of one call: what time it is, and where randomness comes
/// from. Layers below the peer connection take it as their first argument.
#[derive(Debug)]
pub struct Env<'a> {
    /// The time of this call. Never earlier than that of the call before; a
    /// clock that steps back is treated as standing still.
    pub now: Instant,
    /// The connection's generator.
    pub rng: &'a mut Rng,
}

impl<'a> Env<'a> {
    /// Bundles the time of a call with the connection's generator.
    pub fn new(now: Instant, rng: &'a mut Rng) -> Self {
        Self { now, rng }
    }
}
