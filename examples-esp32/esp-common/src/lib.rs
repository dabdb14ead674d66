//! What the boards with an ESP32 share: everything but the chip's name, its
//! LED and its heap.
#![no_std]

mod accelerators;

use core::cell::{Cell, RefCell};
use core::fmt::Write;
use embassy_embedded_hal::adapter::BlockingAsync;
use embassy_executor::{SpawnError, SpawnToken, Spawner};
use esp_bootloader_esp_idf::partitions::{
    DataPartitionSubType, PARTITION_TABLE_MAX_LEN, PartitionType, read_partition_table,
};
use esp_hal::gpio::Output;
#[cfg(feature = "ecc")]
use esp_hal::peripherals::ECC;
use esp_hal::peripherals::{AES, FLASH, FROM_CPU_INTR0, SHA, TIMG0, TSENS, WIFI};
use esp_hal::rng::Rng as ChipRng;
use esp_hal::timer::timg::TimerGroup;
use esp_hal::tsens::TemperatureSensor;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config as WifiConfig, ConnectionError, DisconnectReason, Interface,
    WifiController,
};
use esp_storage::FlashStorage;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{Config, Worker};
use picortc_example_app::{
    Board, DIAL, LIMITS, NEXT_ATTEMPT, NoNetwork, Setup, Station, kept_identity, stay_connected,
};
use static_cell::StaticCell;

/// How many peers are served at once.
pub const PEERS: usize = 2;

static WORKER: Worker = Worker::new();

picortc_example_app::tasks!(Interface, EspBoard, PEERS, 4096, DIAL);

/// The `main` of a board with the chip `$name`.
///
/// The network's name and password are those of the environment when the board
/// is built.
#[macro_export]
macro_rules! board {
    ($name:literal $(, $accelerator:ident: $peripheral:ident)*) => {
        use esp_backtrace as _;

        // What the second-stage boot loader looks for.
        esp_bootloader_esp_idf::esp_app_desc!();

        #[esp_rtos::main]
        async fn main(spawner: embassy_executor::Spawner) {
            let clock = esp_hal::clock::CpuClock::max();
            let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(clock));
            // The radio's and the connections': what the boot loader leaves, and more.
            esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
            esp_alloc::heap_allocator!(size: 96 * 1024);
            let led = esp_hal::gpio::Output::new(p.GPIO8, esp_hal::gpio::Level::High, Default::default());
            let parts = $crate::Parts {
                name: $name,
                led: (led, true),
                timer: p.TIMG0,
                interrupt: p.FROM_CPU_INTR0,
                wifi: p.WIFI,
                flash: p.FLASH,
                sensor: p.TSENS,
                aes: p.AES,
                sha: p.SHA,
                $($accelerator: p.$peripheral,)*
            };
            $crate::start(spawner, parts, env!("SSID"), env!("PASSWORD")).await;
        }
    };
}

/// What the device needs of the chip.
pub struct Parts {
    /// What the board is called.
    pub name: &'static str,
    /// Its LED, and whether it is lit when the pin is low.
    pub led: (Output<'static>, bool),
    /// The scheduler's timer.
    pub timer: TIMG0<'static>,
    /// The scheduler's interrupt.
    pub interrupt: FROM_CPU_INTR0<'static>,
    /// The radio.
    pub wifi: WIFI<'static>,
    /// Where the identity is kept.
    pub flash: FLASH<'static>,
    /// The temperature sensor.
    pub sensor: TSENS<'static>,
    /// What computes AES.
    pub aes: AES<'static>,
    /// What computes hashes.
    pub sha: SHA<'static>,
    /// What multiplies on P-256.
    #[cfg(feature = "ecc")]
    pub ecc: ECC<'static>,
}

/// Starts the device. The network's name and password are those of the
/// environment when the board was built.
pub async fn start(spawner: Spawner, parts: Parts, ssid: &'static str, password: &'static str) {
    esp_println::logger::init_logger(log::LevelFilter::Info);
    log::info!("picortc on an {}", parts.name);
    esp_rtos::start(TimerGroup::new(parts.timer).timer0, parts.interrupt);
    let mut wifi = match WifiController::new(parts.wifi, Default::default()) {
        Ok(wifi) => wifi,
        Err(e) => panic!("the radio does not start: {e:?}"),
    };
    // With the radio on, the generator has a source of entropy (ESP32-C3
    // Technical Reference Manual, "Random Number Generator").
    let mut seed = [0; 32];
    ChipRng::new().read(&mut seed);
    let mut rng = Rng::new(seed);

    configure(&mut wifi, ssid, password);
    static BOARD: StaticCell<EspBoard> = StaticCell::new();
    let sensor = TemperatureSensor::new(parts.sensor, Default::default()).ok();
    let (led, low) = parts.led;
    let led = RefCell::new(led);
    let board = BOARD.init(EspBoard { name: parts.name, led, low, lit: Cell::new(true), sensor });
    board.set_led(false);

    let Some(certificate) = identity(parts.flash, &mut rng).await else {
        panic!("no certificate could be made")
    };
    let provider = accelerators::start(
        parts.aes,
        parts.sha,
        #[cfg(feature = "ecc")]
        parts.ecc,
    );
    let config = Config {
        port: 5000,
        limits: LIMITS,
        worker: Some(&WORKER),
        provider,
        ..Config::new(rng.array(), certificate)
    };
    let setup = Setup { config, pin: pin(&mut rng), noise: rng.next_u64() };
    spawn(spawner, wifi_task(wifi, ssid));
    spawn(spawner, worker_task());
    if start_device(spawner, Interface::station(), board, setup).is_err() {
        panic!("there is no room for the tasks");
    }
}

/// The identity of the device: kept in the partition for such things, `nvs`.
async fn identity(flash: FLASH<'static>, rng: &mut Rng) -> Option<Certificate> {
    let mut flash = FlashStorage::new(flash);
    let mut table = [0; PARTITION_TABLE_MAX_LEN];
    let nvs = PartitionType::Data(DataPartitionSubType::Nvs);
    let found =
        read_partition_table(&mut flash, &mut table).ok().and_then(|table| table.find_partition(nvs).ok()?);
    let range = match found {
        Some(partition) => partition.offset()..partition.offset() + partition.len(),
        None => {
            log::warn!("there is no partition nvs: the identity is not kept");
            return Certificate::generate(&CHIP, rng).ok();
        }
    };
    kept_identity(BlockingAsync::new(flash), range, rng).await
}

fn configure(wifi: &mut WifiController<'static>, ssid: &'static str, password: &'static str) {
    let (Ok(name), Ok(secret)) = (ssid.try_into(), password.try_into()) else {
        panic!("SSID has more than 32 octets, or PASSWORD more than 64")
    };
    let method = match password {
        "" => AuthenticationMethodConfig::Open,
        _ => AuthenticationMethodConfig::Wpa2Personal(secret),
    };
    let station = StationConfig::default().with_ssid(name).with_authentication(method);
    if let Err(e) = wifi.set_config(&WifiConfig::Station(station)) {
        panic!("the radio refuses the network's name or password: {e:?}");
    }
}

/// The PIN of the page: what the environment variable `PIN` was when this was
/// built, or six digits, new at each start.
fn pin(rng: &mut Rng) -> &'static str {
    if let Some(pin) = option_env!("PIN") {
        return pin;
    }
    static PIN: StaticCell<heapless::String<6>> = StaticCell::new();
    let pin = PIN.init(heapless::String::new());
    // Six digits fit.
    let _ = write!(pin, "{:06}", rng.below(1_000_000));
    pin
}

struct EspBoard {
    name: &'static str,
    led: RefCell<Output<'static>>,
    low: bool,
    lit: Cell<bool>,
    sensor: Option<TemperatureSensor<'static>>,
}

impl Board for EspBoard {
    fn name(&self) -> &'static str {
        self.name
    }

    fn set_led(&self, on: bool) {
        if self.lit.replace(on) != on {
            log::info!("LED {}", if on { "on" } else { "off" });
            self.led.borrow_mut().set_level((on != self.low).into());
        }
    }

    fn temperature(&self) -> i32 {
        self.sensor.as_ref().map_or(0, |sensor| (sensor.get_temperature().to_celsius() * 10.0) as i32)
    }

    fn heap_used(&self) -> usize {
        esp_alloc::HEAP.used()
    }
}

fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
    match task {
        Ok(token) => spawner.spawn(token),
        Err(_) => panic!("there is no room for a task"),
    }
}

struct Radio(WifiController<'static>);

impl Station for Radio {
    async fn connect(&mut self) -> Result<(), NoNetwork> {
        let Err(why) = self.0.connect_async().await else { return Ok(()) };
        // What the driver says is the console's, too.
        log::info!("{why:?}");
        let ConnectionError::Failed(info) = why else {
            return Err(NoNetwork::Other("the radio does not connect"));
        };
        Err(match info.reason {
            DisconnectReason::NoAccessPointFound => NoNetwork::NotFound,
            // A wrong password has no reason of its own: the handshake comes to
            // no end.
            DisconnectReason::AuthenticationFailed
            | DisconnectReason::AuthenticationExpired
            | DisconnectReason::HandshakeTimeout
            | DisconnectReason::FourWayHandshakeTimeout
            | DisconnectReason::MicFailure => NoNetwork::Refused,
            _ => NoNetwork::Other("the access point or the radio ended it"),
        })
    }

    async fn lost(&mut self) {
        let why = self.0.wait_for_disconnect_async().await;
        log::info!("{why:?}");
    }
}

#[embassy_executor::task]
async fn wifi_task(wifi: WifiController<'static>, ssid: &'static str) -> ! {
    stay_connected(&mut Radio(wifi), ssid, NEXT_ATTEMPT).await
}

#[embassy_executor::task]
async fn worker_task() -> ! {
    WORKER.run().await
}
