//! What the boards with an ESP32 share: everything but the chip's name, its
//! LED and its heap.
#![no_std]

use core::cell::{Cell, RefCell};
use core::fmt::Write;
use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_net::{DhcpConfig, Stack, StackResources};
use embassy_time::{Duration, Timer};
use esp_hal::gpio::Output;
use esp_hal::peripherals::{FROM_CPU_INTR0, TIMG0, TSENS, WIFI};
use esp_hal::rng::Rng as ChipRng;
use esp_hal::timer::timg::TimerGroup;
use esp_hal::tsens::TemperatureSensor;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config as WifiConfig, Interface, WifiController};
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
use picortc_embassy::{Config, Resources, Rtc, Runner, Worker};
use picortc_example_app::{Board, HttpBuffers, LIMITS, Site, serve_http, serve_peers};
use static_cell::{ConstStaticCell, StaticCell};

/// How many peers are served at once.
pub const PEERS: usize = 2;

static WORKER: Worker = Worker::new();

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
    /// The temperature sensor.
    pub sensor: TSENS<'static>,
}

/// Starts the device. The network's name and password are those of the
/// environment when the board was built.
pub fn start(spawner: Spawner, parts: Parts, ssid: &'static str, password: &'static str) {
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
    static STACK: StaticCell<StackResources<8>> = StaticCell::new();
    let net = embassy_net::Config::dhcpv4(DhcpConfig::default());
    let stack = STACK.init(StackResources::new());
    let (stack, net) = embassy_net::new(Interface::station(), net, stack, rng.next_u64());

    static BOARD: StaticCell<EspBoard> = StaticCell::new();
    let sensor = TemperatureSensor::new(parts.sensor, Default::default()).ok();
    let (led, low) = parts.led;
    let led = RefCell::new(led);
    let board = BOARD.init(EspBoard { name: parts.name, led, low, lit: Cell::new(true), sensor });
    board.set_led(false);

    let Ok(certificate) = Certificate::generate(&CHIP, &mut rng) else {
        panic!("no certificate could be made")
    };
    let config =
        Config { port: 5000, limits: LIMITS, worker: Some(&WORKER), ..Config::new(rng.array(), certificate) };
    log::info!("identity {}", config.certificate.fingerprint());
    let pin = pin(&mut rng);
    log::info!("the PIN is {pin}");
    static RESOURCES: ConstStaticCell<Resources<PEERS>> = ConstStaticCell::new(Resources::new());
    let (rtc, runner) = picortc_embassy::new(stack, RESOURCES.take(), config);
    static SITE: StaticCell<Site<'static>> = StaticCell::new();
    let site = SITE.init(Site::new(rtc, parts.name, pin));
    static HTTP: ConstStaticCell<[HttpBuffers; 2]> = ConstStaticCell::new([const { HttpBuffers::new() }; 2]);
    let [first, second] = HTTP.take();

    spawn(spawner, wifi_task(wifi, ssid));
    spawn(spawner, net_task(net));
    spawn(spawner, rtc_task(runner));
    spawn(spawner, worker_task());
    spawn(spawner, http_task(stack, site, first));
    spawn(spawner, http_task(stack, site, second));
    for _ in 0..PEERS {
        spawn(spawner, peer_task(rtc, board));
    }
    spawn(spawner, address_task(rtc));
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

/// Connects, and connects again whenever the network is gone.
#[embassy_executor::task]
async fn wifi_task(mut wifi: WifiController<'static>, ssid: &'static str) -> ! {
    loop {
        log::info!("connecting to {ssid:?}");
        match wifi.connect_async().await {
            Ok(_) => {
                log::info!("connected to {ssid:?}");
                let why = wifi.wait_for_disconnect_async().await;
                log::warn!("the network is gone: {why:?}");
            }
            // A wrong password is among them: the reason says so.
            Err(e) => log::error!("no connection to {ssid:?}: {e:?}"),
        }
        Timer::after(Duration::from_secs(3)).await;
    }
}

#[embassy_executor::task]
async fn net_task(mut net: embassy_net::Runner<'static, Interface>) -> ! {
    net.run().await
}

#[embassy_executor::task]
async fn rtc_task(mut runner: Runner<'static>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn worker_task() -> ! {
    WORKER.run().await
}

#[embassy_executor::task(pool_size = 2)]
async fn http_task(
    stack: Stack<'static>,
    site: &'static Site<'static>,
    buffers: &'static mut HttpBuffers,
) -> ! {
    serve_http(stack, site, buffers).await
}

#[embassy_executor::task(pool_size = PEERS)]
async fn peer_task(rtc: Rtc<'static>, board: &'static EspBoard) -> ! {
    serve_peers(rtc, board).await
}

/// Says where the page is.
#[embassy_executor::task]
async fn address_task(rtc: Rtc<'static>) {
    let addr = rtc.wait_for_address().await;
    log::info!("the page is at http://{addr}/");
}
