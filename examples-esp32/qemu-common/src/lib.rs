//! What the emulated boards share. Their serial console, their options and
//! their entropy come from the host, by semihosting; a real board has a UART,
//! a settings page and a generator instead.
#![no_std]

use core::cell::Cell;
use critical_section::Mutex;
use embassy_time::Instant;
pub use embedded_alloc::LlffHeap;
use picortc_embassy::Config;
pub use picortc_embassy::Worker;
use picortc_embassy::picortc::crypto::rust_crypto::CHIP;
use picortc_embassy::picortc::dtls::Certificate;
use picortc_embassy::picortc::env::Rng;
pub use picortc_example_app;
use picortc_example_app::{Board, Dial, LIMITS, Setup};
use semihosting::experimental::env::{Args, args};
use semihosting::{eprintln, println};
use static_cell::StaticCell;

/// The heap of the device, in octets.
pub const HEAP: usize = 104 * 1024;

/// What an emulated board with a `$card` has besides its drivers: the heap, the
/// tasks, the worker, and the end; and `start`, which starts the device in the
/// executor of an interrupt, and `work`, which starts the worker below it.
#[macro_export]
macro_rules! device {
    ($card:ty) => {
        #[global_allocator]
        static HEAP: $crate::LlffHeap = $crate::LlffHeap::empty();
        static WORKER: $crate::Worker = $crate::Worker::new();

        $crate::picortc_example_app::tasks!($card, $crate::QemuBoard, 2, 8192, $crate::Options::read().dial);

        /// Takes memory for the heap. Once, before anything else.
        fn take_heap() {
            static MEMORY: static_cell::ConstStaticCell<[u8; $crate::HEAP]> =
                static_cell::ConstStaticCell::new([0; $crate::HEAP]);
            let memory = MEMORY.take();
            // SAFETY: the memory is the heap's alone, and this is called once.
            unsafe { HEAP.init(memory.as_mut_ptr().addr(), memory.len()) };
        }

        /// Starts everything but the worker.
        fn start(spawner: embassy_executor::Spawner, name: &'static str, card: $card) {
            static BOARD: static_cell::StaticCell<$crate::QemuBoard> = static_cell::StaticCell::new();
            let board = BOARD.init($crate::QemuBoard::new(name, &HEAP));
            if start_device(spawner, card, board, $crate::setup(&WORKER)).is_err() {
                $crate::die("there is no room for the tasks");
            }
        }

        /// Starts the worker.
        fn work(spawner: embassy_executor::Spawner) {
            match worker_task() {
                Ok(token) => spawner.spawn(token),
                Err(_) => $crate::die("there is no room for the worker"),
            }
        }

        #[embassy_executor::task]
        async fn worker_task() -> ! {
            WORKER.run().await
        }

        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::last_words(info);
            $crate::die("panic")
        }
    };
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
    /// Where to dial, and what the server there wants to hear.
    pub dial: Option<Dial>,
}

impl Options {
    /// Reads them from the host, the first time.
    pub fn read() -> Self {
        static OPTIONS: Mutex<Cell<Option<Options>>> = Mutex::new(Cell::new(None));
        critical_section::with(|cs| {
            let options = OPTIONS.borrow(cs).get().unwrap_or_else(Self::ask);
            OPTIONS.borrow(cs).set(Some(options));
            options
        })
    }

    fn ask() -> Self {
        static ARGS: StaticCell<Args<512>> = StaticCell::new();
        let (mut pin, mut url, mut token) = ("", None, "");
        if let Ok(args) = args() {
            let args: &'static _ = ARGS.init(args);
            for arg in args.flatten() {
                match arg.split_once('=') {
                    Some(("pin", it)) => pin = it,
                    Some(("dial", it)) => url = Some(it),
                    Some(("token", it)) => token = it,
                    _ => {}
                }
            }
        }
        Self { pin, dial: url.map(|url| Dial { url, token }) }
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

/// What the device is started with.
pub fn setup(worker: &'static Worker) -> Setup {
    let seed = seed();
    let mut rng = Rng::new(seed);
    let Ok(certificate) = Certificate::generate(&CHIP, &mut rng) else {
        die("no certificate could be made")
    };
    let config =
        Config { port: 5000, limits: LIMITS, worker: Some(worker), ..Config::new(rng.array(), certificate) };
    Setup { config, pin: Options::read().pin, noise: rng.next_u64() }
}

/// What a panic has to say.
pub fn last_words(info: &core::panic::PanicInfo<'_>) {
    eprintln!("{info}");
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
