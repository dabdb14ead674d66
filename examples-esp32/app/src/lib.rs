//! What every board of these examples does. A page is served; whoever knows
//! the PIN connects with it, peer to peer; then there are three kinds of data
//! channel, by their label:
//!
//! | label | what the device does |
//! | --- | --- |
//! | `device` | `led on` and `led off` switch the LED; the temperature comes every second, and the other side's is logged; `status` is answered |
//! | `bulk` | takes `bytes N`, N octets and `sha256 HEX`; or sends so after `send N` |
//! | any other | sends every message back |
//!
//! A device that is told where to dial also offers a connection to a server
//! there; another device's `POST /offer` will do.
#![no_std]

#[macro_use]
mod fmt;

mod bulk;
mod dial;
mod http;
#[cfg(feature = "flash")]
mod keep;
mod session;
mod tasks;
mod wifi;

use picortc_embassy::picortc::peer::Limits;

pub use dial::{DIAL, Dial, dial_out};
pub use http::{HTTP_BUFFER, HttpBuffers, Site, serve_http};
#[cfg(feature = "flash")]
pub use keep::kept_identity;
pub use session::serve_peers;
pub use tasks::{Setup, introduce, tell_address};
pub use wifi::{NEXT_ATTEMPT, NoNetwork, Station, stay_connected};

/// What [`tasks!`] names, so that a board need not.
#[doc(hidden)]
pub mod parts {
    pub use embassy_net;
    pub use picortc_embassy;
    pub use static_cell::{ConstStaticCell, StaticCell};
}

/// The longest message that the examples' devices take, in octets.
pub const MAX_MESSAGE: usize = LIMITS.sctp.max_message_size;

/// How much memory a connection takes: the smallest preset, with buffers for
/// two messages to send, and for a burst of a browser's.
pub const LIMITS: Limits = {
    let mut limits = Limits::TINY;
    limits.jsep.description_bytes = 4096;
    limits.sctp.send_buffer = 2560;
    limits.sctp.receive_buffer = 16 * 1024;
    limits
};

/// What a board has.
pub trait Board {
    /// What it is called.
    fn name(&self) -> &'static str;
    /// Switches its LED.
    fn set_led(&self, on: bool);
    /// Its temperature in tenths of a degree Celsius.
    fn temperature(&self) -> i32;
    /// Octets of heap in use.
    fn heap_used(&self) -> usize;
}
