//! The example device on a W5500-EVB-Pico: an RP2040 with Ethernet.
//!
//! Two executors: connections and network in an interrupt, and public-key work
//! and the console below it, so that a handshake keeps nobody waiting.
#![no_std]
#![no_main]

use core::fmt::Write;
use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_net_wiznet::chip::W5500;
use embassy_net_wiznet::{Device, Runner as WiznetRunner, State};
use embassy_rp::clocks::RoscRng;
use embassy_rp::executor::InterruptExecutor;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::interrupt::{InterruptExt, Priority};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, SPI0, UART0};
use embassy_rp::spi::{Async, Spi};
use embassy_rp::uart::UartTx;
use embassy_rp::{Peripherals, bind_interrupts, dma, interrupt};
use embassy_time::Delay;
use embedded_alloc::LlffHeap;
use embedded_hal_bus::spi::ExclusiveDevice;
use picortc_embassy::Worker;
use picortc_example_app::Board;
use picortc_example_rp::{Console, Entropy, PEERS, RpBoard, heap, start_console};
use static_cell::StaticCell;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();
static WORKER: Worker = Worker::new();
static CONNECTIONS: InterruptExecutor = InterruptExecutor::new();

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
});

type TheBoard = RpBoard<fn(bool)>;
picortc_example_app::tasks!(Device<'static>, TheBoard, PEERS, 4096);

type Wiznet = WiznetRunner<
    'static,
    W5500,
    ExclusiveDevice<Spi<'static, SPI0, Async>, Output<'static>, Delay>,
    Input<'static>,
    Output<'static>,
>;

#[interrupt]
unsafe fn SWI_IRQ_1() {
    // SAFETY: from the handler, and `main` started it.
    unsafe { CONNECTIONS.on_interrupt() }
}

#[embassy_executor::main(executor = "embassy_rp::executor::Executor", entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) {
    heap!();
    let p = embassy_rp::init(Default::default());
    // SAFETY: the console has the UART alone, but for a panic's last words.
    let uart = unsafe { (UART0::steal(), embassy_rp::peripherals::PIN_0::steal()) };
    let console = start_console(UartTx::new_blocking(uart.0, uart.1, Default::default()));
    log::info!("picortc on a W5500-EVB-Pico");
    spawn(spawner, console_task(console));
    spawn(spawner, worker_task());
    interrupt::SWI_IRQ_1.set_priority(Priority::P3);
    let connections = CONNECTIONS.start(interrupt::SWI_IRQ_1);
    match start_task(p) {
        Ok(token) => connections.spawn(token),
        Err(_) => panic!("there is no room for the first task"),
    }
}

/// Starts everything that runs in the interrupt.
#[embassy_executor::task]
async fn start_task(p: Peripherals) {
    // SAFETY: this is a task of an embassy executor.
    let spawner = unsafe { Spawner::for_current_executor().await };
    let mut raw = [0; 512];
    RoscRng.fill_bytes(&mut raw);
    let mut entropy = Entropy::condense(&raw);

    let mut config = embassy_rp::spi::Config::default();
    config.frequency = 30_000_000;
    let spi = Spi::new(p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, p.DMA_CH0, p.DMA_CH1, Irqs, config);
    let select = Output::new(p.PIN_17, Level::High);
    // A chip select on a pin cannot fail.
    let Ok(spi) = ExclusiveDevice::new(spi, select, Delay);
    let interrupt = Input::new(p.PIN_21, Pull::Up);
    let reset = Output::new(p.PIN_20, Level::High);
    let mac = entropy.mac();
    static STATE: StaticCell<State<4, 4>> = StaticCell::new();
    let state = STATE.init(State::new());
    let Ok((device, wiznet)) = embassy_net_wiznet::new(mac, state, spi, interrupt, reset).await else {
        panic!("the W5500 does not answer: is SPI0 wired to GPIO 16 to 21?")
    };
    log::info!("W5500, MAC {mac:02x?}");

    static BOARD: StaticCell<TheBoard> = StaticCell::new();
    let board = BOARD.init(RpBoard::new("W5500-EVB-Pico", &HEAP, switch_led, p.ADC, p.ADC_TEMP_SENSOR));
    board.set_led(false);

    spawn(spawner, wiznet_task(wiznet));
    if start_device(spawner, device, board, entropy.setup(&WORKER)).is_err() {
        panic!("there is no room for the tasks");
    }
}

/// The LED on GPIO 25.
fn switch_led(on: bool) {
    // SAFETY: nothing else has this pin.
    let pin = unsafe { embassy_rp::peripherals::PIN_25::steal() };
    // Dropping an output would switch it off.
    core::mem::forget(Output::new(pin, Level::from(on)));
}

fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
    match task {
        Ok(token) => spawner.spawn(token),
        Err(_) => panic!("there is no room for a task"),
    }
}

#[embassy_executor::task]
async fn console_task(console: Console) -> ! {
    console.run().await
}

#[embassy_executor::task]
async fn worker_task() -> ! {
    WORKER.run().await
}

#[embassy_executor::task]
async fn wiznet_task(runner: Wiznet) -> ! {
    runner.run().await
}

/// The last words, past the console.
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: nothing else will run.
    let mut uart = unsafe {
        cortex_m::interrupt::disable();
        UartTx::new_blocking(UART0::steal(), embassy_rp::peripherals::PIN_0::steal(), Default::default())
    };
    struct Words<'a>(&'a mut UartTx<'static, embassy_rp::uart::Blocking>);
    impl Write for Words<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0.blocking_write(text.as_bytes()).map_err(|_| core::fmt::Error)
        }
    }
    let _ = write!(Words(&mut uart), "\r\n{info}\r\n");
    loop {
        cortex_m::asm::wfe();
    }
}
