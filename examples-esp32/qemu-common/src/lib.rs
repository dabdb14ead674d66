//! What the emulated boards share. Their serial console, their options and
//! their entropy come from the host, by semihosting; a real board has a UART,
//! a settings page and a generator instead.
#![no_std]

use core::cell::Cell;
use embassy_time::Instant;
use embedded_alloc::LlffHeap;
use picortc_embassy::Config;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
use picortc_example_app::{Board, LIMITS};
use semihosting::{eprintln, println};

/// The heap of the device, in octets.
pub const HEAP: usize = 104 * 1024;

/// Takes memory for the heap. Once.
#[macro_export]
macro_rules! heap {
    () => {{
        static MEMORY: static_cell::ConstStaticCell<[u8; $crate::HEAP]> =
            static_cell::ConstStaticCell::new([0; $crate::HEAP]);
        let memory = MEMORY.take();
        // SAFETY: the memory is the heap's alone, and this is called once.
        unsafe { HEAP.init(memory.as_mut_ptr().addr(), memory.len()) };
    }};
}

/// The console.
struct Console;

impl log::Log for Console {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        println!("{:8} {:5} {}", Instant::now().as_millis(), record.level(), record.args());
    }

    fn flush(&self) {}
}

/// Switches the console on.
pub fn start_console() {
    // SAFETY: called once, before there is anything else.
    if unsafe { log::set_logger_racy(&Console) }.is_ok() {
        // SAFETY: likewise.
        unsafe { log::set_max_level_racy(log::LevelFilter::Info) };
    }
}

/// What the board is started with: QEMU's `-semihosting-config arg=NAME=VALUE`.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The PIN of the page.
    pub pin: &'static str,
}

impl Options {
    /// Reads them.
    pub fn read() -> Self {
        static ARGS: static_cell::StaticCell<semihosting::experimental::env::Args<512>> =
            static_cell::StaticCell::new();
        let mut options = Self { pin: "" };
        let Ok(args) = semihosting::experimental::env::args() else { return options };
        let args: &'static _ = ARGS.init(args);
        for arg in args.flatten() {
            if let Some(("pin", pin)) = arg.split_once('=') {
                options.pin = pin;
            }
        }
        options
    }
}

/// 32 octets from the host's generator.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    if semihosting::experimental::random::fill_bytes(&mut seed).is_err() {
        die("the host gives no entropy");
    }
    seed
}

/// What the device decides once.
pub fn config() -> Config {
    let seed = seed();
    let Ok(certificate) = Certificate::generate(&CHIP, &mut Rng::new(seed)) else {
        die("no certificate could be made")
    };
    Config { port: 5000, limits: LIMITS, ..Config::new(seed, certificate) }
}

/// Ends the emulation.
pub fn die(why: &str) -> ! {
    eprintln!("{why}");
    semihosting::process::exit(101)
}

/// An emulated board: an LED that the console shows.
pub struct QemuBoard {
    name: &'static str,
    heap: &'static LlffHeap,
    led: Cell<bool>,
}

impl QemuBoard {
    /// A board.
    pub const fn new(name: &'static str, heap: &'static LlffHeap) -> Self {
        Self { name, heap, led: Cell::new(false) }
    }
}

impl Board for QemuBoard {
    fn name(&self) -> &'static str {
        self.name
    }

    fn set_led(&self, on: bool) {
        if self.led.replace(on) != on {
            log::info!("LED {}", if on { "on" } else { "off" });
        }
    }

    /// There is no sensor: a temperature that goes up and down.
    fn temperature(&self) -> i32 {
        let tenths = (Instant::now().as_secs() % 100) as i32;
        200 + (tenths - 50).abs()
    }

    fn heap_used(&self) -> usize {
        self.heap.used()
    }
}
