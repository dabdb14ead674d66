//! A board with a CYW43439, as the Pico W: Wi-Fi.

use crate::start::{ALLOCATOR, WORKER, begin, spawn};
use crate::{Entropy, PEERS, RpBoard};
use core::pin::pin;
use cyw43::{A4, Aligned, Control, JoinError, JoinOptions, NetDriver, PowerManagementMode, SpiBus, State};
use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIO0};
use embassy_rp::pio::Pio;
use embassy_rp::{Peripherals, bind_interrupts, dma, pio};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use picortc_example_app::{Board, DIAL, NEXT_ATTEMPT, NoNetwork, Station, stay_connected};
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
});

type TheBoard = RpBoard<fn(bool)>;
picortc_example_app::tasks!(NetDriver<'static>, TheBoard, PEERS, 4096, DIAL);

type Radio = cyw43::Runner<'static, SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>>;

/// What the radio needs that is not in this repository.
#[derive(Clone, Copy)]
pub struct Blobs {
    /// Its firmware.
    pub firmware: &'static Aligned<A4, [u8]>,
    /// What it has to know of countries.
    pub clm: &'static [u8],
    /// What it has to know of the board; empty when it was not there when the
    /// board was built.
    pub nvram: &'static Aligned<A4, [u8]>,
}

/// The network, and its password; none for an open one.
pub type Network = (&'static str, &'static str);

/// The hardware address of 224.0.0.251.
const MULTICAST_DNS: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb];

/// How the LED, which is the radio's, is to be.
static LED: Signal<CriticalSectionRawMutex, bool> = Signal::new();

/// Starts the device on the board `name`, from its `main`.
pub fn run(spawner: Spawner, name: &'static str, blobs: Blobs, network: Network) {
    let (p, connections) = begin(spawner, name);
    match start_task(p, name, blobs, network) {
        Ok(token) => connections.spawn(token),
        Err(_) => panic!("there is no room for the first task"),
    }
}

/// Starts everything that runs in the interrupt.
#[embassy_executor::task]
async fn start_task(p: Peripherals, name: &'static str, blobs: Blobs, network: Network) {
    // SAFETY: this is a task of an embassy executor.
    let spawner = unsafe { Spawner::for_current_executor().await };
    if blobs.nvram.is_empty() {
        panic!("built without the radio's nvram: set CYW43_NVRAM, see the README");
    }
    let mut entropy = Entropy::gather();
    let power = Output::new(p.PIN_23, Level::Low);
    let select = Output::new(p.PIN_25, Level::High);
    let mut pio = Pio::new(p.PIO0, Irqs);
    let dma = dma::Channel::new(p.DMA_CH0, Irqs);
    let clock = DEFAULT_CLOCK_DIVIDER;
    let spi = PioSpi::new(&mut pio.common, pio.sm0, clock, pio.irq0, select, p.PIN_24, p.PIN_29, dma);
    static STATE: StaticCell<State> = StaticCell::new();
    let state = STATE.init(State::new());
    let (device, mut control, radio) = cyw43::new(state, power, spi, blobs.firmware, blobs.nvram).await;
    spawn(spawner, radio_task(radio));
    control.init(blobs.clm).await;
    // Where names are asked for.
    if control.add_multicast_address(MULTICAST_DNS).await.is_err() {
        log::warn!("the radio lets no multicast in: the device has no name");
    }
    // Answers within milliseconds, at the price of some current.
    control.set_power_management(PowerManagementMode::Performance).await;

    static BOARD: StaticCell<TheBoard> = StaticCell::new();
    let board = BOARD.init(RpBoard::new(name, &ALLOCATOR, |on| LED.signal(on), p.ADC, p.ADC_TEMP_SENSOR));
    board.set_led(false);
    let setup = entropy.setup(&WORKER, p.FLASH).await;
    spawn(spawner, wifi_task(control, network));
    if start_device(spawner, device, board, setup).is_err() {
        panic!("there is no room for the tasks");
    }
}

#[embassy_executor::task]
async fn radio_task(radio: Radio) -> ! {
    radio.run().await
}

/// How often is looked whether the network is still there.
const LOOK: Duration = Duration::from_secs(5);

/// The radio in its network; the LED hangs on it.
struct InNetwork {
    control: Control<'static>,
    network: Network,
}

impl InNetwork {
    async fn switch_led(&mut self, on: bool) {
        self.control.gpio_set(0, on).await;
    }
}

impl Station for InNetwork {
    async fn connect(&mut self) -> Result<(), NoNetwork> {
        let (ssid, password) = self.network;
        let options = match password {
            "" => JoinOptions::new_open(),
            _ => JoinOptions::new(password.as_bytes()),
        };
        self.control.join(ssid, options).await.map_err(|why| match why {
            JoinError::NetworkNotFound => NoNetwork::NotFound,
            JoinError::AuthenticationFailure => NoNetwork::Refused,
            JoinError::JoinFailure(_) => NoNetwork::Other("the radio does not join"),
        })
    }

    async fn lost(&mut self) {
        loop {
            match select(LED.wait(), Timer::after(LOOK)).await {
                Either::First(on) => self.switch_led(on).await,
                // A radio without a network hears nobody.
                Either::Second(()) if self.control.get_rssi().await == 0 => return,
                Either::Second(()) => {}
            }
        }
    }

    async fn idle(&mut self, time: Duration) {
        let over = Timer::after(time);
        let mut over = pin!(over);
        while let Either::First(on) = select(LED.wait(), over.as_mut()).await {
            self.switch_led(on).await;
        }
    }
}

#[embassy_executor::task]
async fn wifi_task(control: Control<'static>, network: Network) -> ! {
    stay_connected(&mut InNetwork { control, network }, network.0, NEXT_ATTEMPT).await
}
