//! Two executors: connections and network in an interrupt, and public-key work
//! and the console below it, so that a handshake keeps nobody waiting.

use crate::console::take_waiting;
use crate::{Console, HEAP, start_console};
use core::fmt::Write;
use embassy_executor::{SendSpawner, SpawnError, SpawnToken, Spawner};
use embassy_rp::executor::InterruptExecutor;
use embassy_rp::interrupt::{InterruptExt, Priority};
use embassy_rp::peripherals::{PIN_0, UART0};
use embassy_rp::uart::{Blocking, UartTx};
use embassy_rp::{Peripherals, interrupt};
use embedded_alloc::LlffHeap;
use picortc_embassy::Worker;
use static_cell::ConstStaticCell;

#[global_allocator]
pub(crate) static ALLOCATOR: LlffHeap = LlffHeap::empty();
pub(crate) static WORKER: Worker = Worker::new();
static CONNECTIONS: InterruptExecutor = InterruptExecutor::new();

#[interrupt]
unsafe fn SWI_IRQ_1() {
    // SAFETY: from the handler, and `begin` started it.
    unsafe { CONNECTIONS.on_interrupt() }
}

/// Starts console and worker in thread mode, and the executor for everything
/// else. Once.
pub(crate) fn begin(spawner: Spawner, name: &str) -> (Peripherals, SendSpawner) {
    static MEMORY: ConstStaticCell<[u8; HEAP]> = ConstStaticCell::new([0; HEAP]);
    let memory = MEMORY.take();
    // SAFETY: the memory is the heap's alone, and it is taken once.
    unsafe { ALLOCATOR.init(memory.as_mut_ptr().addr(), memory.len()) };
    let p = embassy_rp::init(Default::default());
    // SAFETY: the console has the UART alone, but for a panic's last words.
    let (uart, pin) = unsafe { (UART0::steal(), PIN_0::steal()) };
    let console = start_console(UartTx::new_blocking(uart, pin, Default::default()));
    log::info!("picortc on a {name}");
    spawn(spawner, console_task(console));
    spawn(spawner, worker_task());
    interrupt::SWI_IRQ_1.set_priority(Priority::P3);
    (p, CONNECTIONS.start(interrupt::SWI_IRQ_1))
}

pub(crate) fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
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

/// The last words, past the console.
#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: nothing else will run.
    let mut uart = unsafe {
        cortex_m::interrupt::disable();
        UartTx::new_blocking(UART0::steal(), PIN_0::steal(), Default::default())
    };
    struct Words<'a>(&'a mut UartTx<'static, Blocking>);
    impl Write for Words<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0.blocking_write(text.as_bytes()).map_err(|_| core::fmt::Error)
        }
    }
    // What was logged before comes first.
    let mut chunk = [0; 32];
    loop {
        match take_waiting(&mut chunk) {
            [] => break,
            octets => _ = uart.blocking_write(octets),
        }
    }
    let _ = write!(Words(&mut uart), "\r\n{info}\r\n");
    loop {
        cortex_m::asm::wfe();
    }
}
