//! What the boards with an RP2040 or RP2350 share: the console, the identity,
//! the temperature.
#![no_std]

mod console;
#[cfg(feature = "picow")]
pub mod picow;
mod start;
#[cfg(feature = "w5500")]
pub mod w5500;

use console::{Console, start_console};

use core::cell::{Cell, RefCell};
use core::fmt::Write;
use embassy_embedded_hal::adapter::BlockingAsync;
use embassy_rp::Peri;
use embassy_rp::adc::{Adc, Blocking, Channel};
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::Flash;
use embassy_rp::peripherals::{ADC, ADC_TEMP_SENSOR, FLASH};
use embassy_time::Instant;
use embedded_alloc::LlffHeap;
use picortc_embassy::picortc::crypto::HashAlgorithm;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{Config, Worker};
use picortc_example_app::{Board, LIMITS, Setup, kept_identity};
use static_cell::StaticCell;

/// How many peers are served at once.
pub const PEERS: usize = 2;
/// The heap of the device, in octets: two peers, and what their descriptions
/// take for a moment.
pub const HEAP: usize = 112 * 1024;

/// The end of flash, in octets from its start, where the identity is kept: two
/// sectors. The linker's script leaves them out.
const FLASH_SIZE: usize = 2 * 1024 * 1024;
const IDENTITY: core::ops::Range<u32> = FLASH_SIZE as u32 - 2 * 4096..FLASH_SIZE as u32;

/// What is random on this board, from a seed that has entropy enough.
#[derive(Debug)]
pub struct Entropy(Rng);

impl Entropy {
    /// What the ring oscillator gives.
    pub fn gather() -> Self {
        let mut raw = [0; 512];
        RoscRng.fill_bytes(&mut raw);
        Self::condense(&raw)
    }

    /// Condenses what a generator gave, whose bits may be worth a tenth of a
    /// bit each: 4,096 of them make 256 good ones.
    fn condense(raw: &[u8; 512]) -> Self {
        let mut seed = [0; 32];
        if let Ok(digest) = CHIP.hashes.hash(HashAlgorithm::Sha256, &[raw]) {
            seed.copy_from_slice(&digest);
        }
        Self(Rng::new(seed))
    }

    /// What the device is started with. The identity is the one that is kept
    /// in flash.
    pub async fn setup(&mut self, worker: &'static Worker, flash: Peri<'static, FLASH>) -> Setup {
        let flash = Flash::<_, embassy_rp::flash::Blocking, FLASH_SIZE>::new_blocking(flash);
        let flash = BlockingAsync::new(flash);
        let Some(certificate) = kept_identity(flash, IDENTITY, &mut self.0).await else {
            panic!("no certificate could be made")
        };
        let seed = self.0.array();
        let config =
            Config { port: 5000, limits: LIMITS, worker: Some(worker), ..Config::new(seed, certificate) };
        Setup { config, pin: self.pin(), noise: self.0.next_u64() }
    }

    /// The PIN of the page: what the environment variable `PIN` was when this
    /// was built, or six digits, new at each start.
    fn pin(&mut self) -> &'static str {
        if let Some(pin) = option_env!("PIN") {
            return pin;
        }
        static PIN: StaticCell<heapless::String<6>> = StaticCell::new();
        let pin = PIN.init(heapless::String::new());
        // Six digits fit.
        let _ = write!(pin, "{:06}", self.0.below(1_000_000));
        pin
    }
}

/// A board whose LED is switched by a function of its own.
pub struct RpBoard<L> {
    name: &'static str,
    heap: &'static LlffHeap,
    led: L,
    lit: Cell<bool>,
    sensor: RefCell<(Adc<'static, Blocking>, Channel<'static>)>,
}

impl<L: Fn(bool)> RpBoard<L> {
    /// A board.
    pub fn new(
        name: &'static str,
        heap: &'static LlffHeap,
        led: L,
        adc: Peri<'static, ADC>,
        sensor: Peri<'static, ADC_TEMP_SENSOR>,
    ) -> Self {
        let adc = Adc::new_blocking(adc, embassy_rp::adc::Config::default());
        let sensor = RefCell::new((adc, Channel::new_temp_sensor(sensor)));
        Self { name, heap, led, lit: Cell::new(false), sensor }
    }
}

impl<L: Fn(bool)> Board for RpBoard<L> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn set_led(&self, on: bool) {
        if self.lit.replace(on) != on {
            log::info!("LED {}", if on { "on" } else { "off" });
        }
        (self.led)(on);
    }

    /// "T = 27 - (ADC_voltage - 0.706)/0.001721" (RP2040 datasheet, Section
    /// 4.9.5, at a reference of 3.3 V).
    fn temperature(&self) -> i32 {
        let (adc, sensor) = &mut *self.sensor.borrow_mut();
        let microvolts = adc.blocking_read(sensor).map_or(706_000, |raw| i32::from(raw) * 3300 / 4096 * 1000);
        270 - (microvolts - 706_000) * 10 / 1721
    }

    fn heap_used(&self) -> usize {
        self.heap.used()
    }
}

/// Milliseconds since the start, for the console.
fn millis() -> u64 {
    Instant::now().as_millis()
}
