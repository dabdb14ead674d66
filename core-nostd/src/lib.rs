//! A sans-I/O WebRTC stack. Every protocol state machine runs without `std`,
//! without a clock, without an RNG of its own, and, once constructed, without
//! allocating.
//!
//! # The layers, from the bytes up
//!
//! A module imports from lower ranks only; `tests/layering.rs` holds the table
//! and fails, naming the file, when one reaches upwards.
//!
//! | rank | module | what it is for |
//! | --- | --- | --- |
//! | 0 | [`env`](mod@env) | time and randomness as arguments; addresses; what a datagram's path is |
//! | 0 | [`mem`] | fixed-capacity storage; the only module that names `alloc` |
//! | 0 | [`crypto`] | the provider table, and RustCrypto as the default |
//! | 0 | [`wire`] | bytes to meaning and back: pure functions, no state, no time |
//! | 1 | [`stun`] | client transactions and server replies |
//! | 2 | [`ice`] | candidates, connectivity checks, nomination, consent |
//! | 2 | `turn` | an allocation on a relay, permissions and channels |
//! | 2 | [`dtls`] | handshake, records, exported keys |
//! | 2 | [`mdns`] | names on the local link |
//! | 2 | [`sctp`] | associations, ordered and partially reliable messages |
//! | 2 | `turn_server` | a STUN and TURN server (feature `turn-server`) |
//! | 3 | [`channel`] | data channels |
//! | 4 | [`peer`] | `RTCPeerConnection` |
#![no_std]
#![forbid(unsafe_code)]
// No packet can make the core panic by way of these.
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable
    )
)]

extern crate alloc;

#[cfg(test)]
extern crate std;

// First, and with its macros in textual scope for every module below.
#[macro_use]
mod fmt;

pub mod env;
pub mod mem;

pub mod crypto;
pub mod wire;

pub mod stun;

pub mod dtls;
pub mod ice;
pub mod mdns;
#[cfg(feature = "data")]
pub mod sctp;
#[cfg(feature = "turn")]
pub mod turn;
#[cfg(feature = "turn-server")]
pub mod turn_server;

#[cfg(feature = "data")]
pub mod channel;

pub mod peer;

/// The README's listings compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
