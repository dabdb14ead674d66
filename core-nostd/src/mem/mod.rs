//! Fixed-capacity storage. All memory is taken at construction, fallibly, and
//! never grows; full is an answer, not a reason to allocate.
//!
//! This is the only module that names `alloc`. Bounds that come from a
//! protocol table are inline `heapless` collections; bounds that are policy
//! come from a `Limits` value and live here.

mod blocks;
mod boxed;
mod datagram;
mod deque;
mod index;
mod serial;
mod text;
mod timers;
mod vec;

pub use blocks::{BlockPool, Chain, Place};
pub use boxed::{Boxed, Placed, boxed, boxed_slice, zeroed_slice};
pub use datagram::Datagram;
pub use deque::FixedDeque;
pub use index::{Found, Index, KeyedHash};
pub use serial::{Serial16, Serial32};
pub use text::{String, Text, string};
pub use timers::{Timer, Timers};
pub use vec::FixedVec;

/// The allocator refused memory at construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OutOfMemory;

impl core::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("out of memory: the limits ask for more than the allocator has")
    }
}

impl core::error::Error for OutOfMemory {}

/// A fixed-capacity store has no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Full;

impl core::fmt::Display for Full {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("full")
    }
}

impl core::error::Error for Full {}
