//! The core behind wasm-bindgen: what the npm package `picortc` carries.
//!
//! | file | what it is about |
//! | --- | --- |
//! | `setup` | what a connection is told at construction; certificates |
//! | `connection` | the verbs |
//! | `negotiation` | descriptions and candidates |
//! | `reach` | servers' names, and streams |
//! | `provider` | the crypto provider |
//! | `path` | addresses, as octets in memory that JavaScript sees |
//! | `event` | events as two numbers |
//! | `relay` | an allocation on a TURN server that connections share |
//! | `stats` | statistics as JSON |
//!
//! JavaScript reads and writes datagrams and messages where they lie: the
//! calls return addresses within the wasm memory, and the caller makes a view.
//! Nothing here reads a clock or draws randomness: both are arguments.
//!
//! `std` is not linked: its panics carry formatting and places in the source,
//! a tenth of the module. Without it a panic is a trap, which JavaScript makes
//! an `RTCError` of; with the feature `panic-messages` it tells its message.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "panic-messages", not(target_family = "wasm")))]
extern crate std;

mod connection;
mod event;
mod negotiation;
mod path;
mod provider;
mod reach;
mod relay;
mod setup;
mod stats;

pub use connection::Connection;
pub use relay::Relay;
pub use setup::{Certificate, Setup};

use alloc::format;
use alloc::string::String;
use picortc::env::Instant;
use wasm_bindgen::prelude::*;

/// Half the size of the allocator of `std`.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Ignores the message, so that the linker drops what would make it.
#[cfg(all(target_family = "wasm", not(feature = "panic-messages")))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// Milliseconds, as JavaScript's clocks have them.
fn instant(millis: f64) -> Instant {
    // A float that is out of range saturates, and NaN is 0.
    Instant::from_micros((millis * 1000.0) as u64)
}

fn millis(at: Instant) -> f64 {
    at.as_micros() as f64 / 1000.0
}

/// An exception: `Name: message`, which JavaScript makes a `DOMException` of.
fn exception(name: &str, message: &dyn core::fmt::Display) -> JsValue {
    JsValue::from_str(&format!("{name}: {message}"))
}

/// Called once, when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    #[cfg(feature = "panic-messages")]
    std::panic::set_hook(alloc::boxed::Box::new(|info| {
        LAST_PANIC.with(|last| last.replace(format!("{info}")));
    }));
}

#[cfg(feature = "panic-messages")]
std::thread_local! {
    static LAST_PANIC: core::cell::RefCell<String> = const { core::cell::RefCell::new(String::new()) };
}

/// What the last panic said; empty unless built with `panic-messages`.
#[wasm_bindgen]
pub fn last_panic() -> String {
    #[cfg(feature = "panic-messages")]
    return LAST_PANIC.with(|last| last.take());
    #[cfg(not(feature = "panic-messages"))]
    String::new()
}
