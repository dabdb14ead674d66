//! Two executors: one in an interrupt, for the network and the connections,
//! and one in thread mode, which it interrupts, for the public-key work.
//!
//! embassy-executor's own for this architecture wait with `wfe`, which QEMU
//! does not; these wait with `wfi`.

use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use static_cell::StaticCell;

/// An interrupt that no device of the board has.
pub const IRQ: u8 = 30;

static POLLED: AtomicPtr<Executor> = AtomicPtr::new(core::ptr::null_mut());
static PENDING: AtomicBool = AtomicBool::new(false);
static IN_THREAD: StaticCell<Executor> = StaticCell::new();
static IN_INTERRUPT: StaticCell<Executor> = StaticCell::new();

#[derive(Clone, Copy)]
pub struct Irq(pub u8);

// SAFETY: numbers of the board's interrupts.
unsafe impl InterruptNumber for Irq {
    fn number(self) -> u16 {
        u16::from(self.0)
    }
}

/// embassy-executor says that an executor has something to do.
#[unsafe(export_name = "__pender")]
fn pend(context: *mut ()) {
    if context.is_null() {
        PENDING.store(true, Ordering::SeqCst);
    } else {
        NVIC::pend(Irq(IRQ));
    }
}

/// Makes the executor in the interrupt. Once; unmask the interrupt when its
/// tasks are spawned.
pub fn in_interrupt() -> Spawner {
    let executor: &'static Executor = IN_INTERRUPT.init(Executor::new(1 as *mut ()));
    POLLED.store(core::ptr::from_ref(executor).cast_mut(), Ordering::SeqCst);
    executor.spawner()
}

/// Its interrupt: runs what can run.
pub fn on_interrupt() {
    // SAFETY: what is stored there lives for ever.
    if let Some(executor) = unsafe { POLLED.load(Ordering::SeqCst).as_ref() } {
        // SAFETY: called from its interrupt only, which does not interrupt
        // itself.
        unsafe { executor.poll() };
    }
}

/// Runs the executor in thread mode, for ever.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    let executor: &'static Executor = IN_THREAD.init(Executor::new(core::ptr::null_mut()));
    spawn(executor.spawner());
    loop {
        // SAFETY: called from here only.
        unsafe { executor.poll() };
        critical_section::with(|_| {
            if !PENDING.load(Ordering::SeqCst) {
                // An interrupt ends it, although it is served afterwards only.
                cortex_m::asm::wfi();
            }
            PENDING.store(false, Ordering::SeqCst);
        });
    }
}
