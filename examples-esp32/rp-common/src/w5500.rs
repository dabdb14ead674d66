//! A board with a W5500 at SPI0.

use crate::start::{ALLOCATOR, WORKER, begin, spawn};
use crate::{Entropy, PEERS, RpBoard};
use embassy_executor::Spawner;
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, Runner as WiznetRunner, State};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, SPI0};
use embassy_rp::spi::{Async, Spi};
use embassy_rp::{Peripherals, bind_interrupts, dma};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use picortc_example_app::{Board, DIAL, Setup};
use static_cell::StaticCell;

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
});

type TheBoard = RpBoard<fn(bool)>;
picortc_example_app::tasks!(Device<'static>, TheBoard, PEERS, 4096, DIAL);

type Wiznet = WiznetRunner<
    'static,
    W5500,
    ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>,
    Input<'static>,
    Output<'static>,
>;

/// Starts the device on the board `name`, from its `main`.
pub fn run(spawner: Spawner, name: &'static str) {
    let (p, connections) = begin(spawner, name);
    match start_task(p, name) {
        Ok(token) => connections.spawn(token),
        Err(_) => panic!("there is no room for the first task"),
    }
}

/// Starts everything that runs in the interrupt.
#[embassy_executor::task]
async fn start_task(p: Peripherals, name: &'static str) {
    // SAFETY: this is a task of an embassy executor.
    let spawner = unsafe { Spawner::for_current_executor().await };
    let setup = Entropy::gather().setup(&WORKER, p.FLASH).await;
    let mac = mac(&setup);
    let mut config = embassy_rp::spi::Config::default();
    config.frequency = 30_000_000;
    let spi = Spi::new(p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, p.DMA_CH0, p.DMA_CH1, Irqs, config);
    let select = Output::new(p.PIN_17, Level::High);
    // A chip select on a pin cannot fail.
    let Ok(spi) = ExclusiveDevice::new(spi, select, Delay);
    let interrupt = Input::new(p.PIN_21, Pull::Up);
    let reset = Output::new(p.PIN_20, Level::High);
    static STATE: StaticCell<State<4, 4>> = StaticCell::new();
    let state = STATE.init(State::new());
    let Ok((device, wiznet)) = embassy_net_wiznet::new(mac, state, spi, interrupt, reset).await else {
        panic!("the W5500 does not answer: is SPI0 wired to GPIO 16 to 21?")
    };
    log::info!("W5500, MAC {mac:02x?}");

    static BOARD: StaticCell<TheBoard> = StaticCell::new();
    let board = BOARD.init(RpBoard::new(name, &ALLOCATOR, switch_led, p.ADC, p.ADC_TEMP_SENSOR));
    board.set_led(false);
    spawn(spawner, wiznet_task(wiznet));
    if start_device(spawner, device, board, setup).is_err() {
        panic!("there is no room for the tasks");
    }
}

/// A MAC address that stays as long as the identity does, so that the lease of
/// an address does too: the fingerprint's start, locally administered, for one
/// host.
fn mac(setup: &Setup) -> [u8; 6] {
    let mut mac = *setup.config.certificate.fingerprint().digest().first_chunk().unwrap_or(&[0; 6]);
    mac[0] = mac[0] & 0xfc | 2;
    mac
}

/// The LED on GPIO 25.
fn switch_led(on: bool) {
    // SAFETY: nothing else has this pin.
    let pin = unsafe { embassy_rp::peripherals::PIN_25::steal() };
    // Dropping an output would switch it off.
    core::mem::forget(Output::new(pin, Level::from(on)));
}

#[embassy_executor::task]
async fn wiznet_task(runner: Wiznet) -> ! {
    runner.run().await
}
