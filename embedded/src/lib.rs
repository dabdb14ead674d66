//! picortc as an async task over embassy-net: a microcontroller as a WebRTC
//! data-channel peer.
//!
//! | module | what it is for |
//! | --- | --- |
//! | `accelerated` | a provider out of a chip's accelerators (feature `accelerator`) |
//! | `config` | what a device decides once; the memory |
//! | `identity` | the certificate and its key, kept over a reboot |
//! | `name` | `DeviceName`, the device's name on its network (feature `mdns`) |
//! | `rtc` | [`Rtc`], the handle that signalling talks to |
//! | `peer` | [`Peer`], one connection, as its task sees it |
//! | `runner` | [`Runner`], the task between the socket and the connections |
//! | `worker` | [`Worker`], public-key work at another priority or on another core |
//!
//! [`new`] gives a handle and a runner. Spawn [`Runner::run`]; hand offers to
//! [`Rtc::answer`]; serve what [`Rtc::accept`] gives. All of them live in one
//! executor; only the [`Worker`] may live in another.
//!
//! ```no_run
//! use picortc::dtls::Certificate;
//! use picortc::{crypto::rust_crypto::CHIP, env::Rng};
//! use picortc_embassy::{Config, PeerEvent, Resources, Rtc};
//!
//! async fn echo(rtc: Rtc<'_>) {
//!     let mut buf = [0; 1024];
//!     loop {
//!         let mut peer = rtc.accept().await;
//!         loop {
//!             match peer.next(&mut buf).await {
//!                 PeerEvent::Message { channel, is_string, len } => {
//!                     // An error is a channel that closed meanwhile.
//!                     let _ = peer.send(channel, is_string, &buf[..len]).await;
//!                 }
//!                 PeerEvent::Closed(_) => break,
//!                 _ => {}
//!             }
//!         }
//!     }
//! }
//!
//! async fn device(stack: embassy_net::Stack<'_>, seed: [u8; 32]) -> ! {
//!     let certificate = Certificate::generate(&CHIP, &mut Rng::new(seed)).unwrap();
//!     let mut resources = Resources::<2>::new();
//!     let config = Config::new(seed, certificate);
//!     let (rtc, mut runner) = picortc_embassy::new(stack, &mut resources, config);
//!     // … and the signalling: an HTTP server that calls `rtc.answer`.
//!     embassy_futures::join::join(runner.run(), echo(rtc)).await.0
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]
// A device runs for years: nothing that a peer does ends it by way of these.
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

#[macro_use]
mod fmt;

#[cfg(feature = "accelerator")]
pub mod accelerated;
mod config;
mod identity;
#[cfg(feature = "mdns")]
mod name;
mod peer;
mod rtc;
mod runner;
mod slot;
mod worker;

pub use config::{Config, MAX_PEERS, Resources, new};
#[cfg(feature = "flash")]
pub use identity::FlashStore;
pub use identity::{IdentityError, IdentityStore, MAX_IDENTITY, Origin, identity};
#[cfg(feature = "mdns")]
pub use name::DeviceName;
pub use peer::{CloseReason, Peer, PeerEvent};
pub use picortc;
pub use rtc::{Addresses, PeerId, Refusal, Rtc};
pub use runner::{Counters, Runner};
pub use worker::Worker;

/// The time, as the core counts it: since boot.
pub fn now() -> picortc::env::Instant {
    picortc::env::Instant::from_micros(embassy_time::Instant::now().as_micros())
}
