//! Two executors: one in the software interrupt, for the network and the
//! connections, and one outside of interrupts, for the public-key work.

use core::ptr::write_volatile;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use embassy_executor::Spawner;
use embassy_executor::raw::Executor;
use static_cell::StaticCell;

static POLLED: AtomicPtr<Executor> = AtomicPtr::new(core::ptr::null_mut());
static PENDING: AtomicBool = AtomicBool::new(false);
static OUTSIDE: StaticCell<Executor> = StaticCell::new();
static IN_INTERRUPT: StaticCell<Executor> = StaticCell::new();

/// Sets or clears the machine's software interrupt.
fn software_interrupt(on: bool) {
    // SAFETY: the register of the core-local interruptor for this hart.
    unsafe { write_volatile(0x0200_0000 as *mut u32, u32::from(on)) }
}

/// embassy-executor says that an executor has something to do.
#[unsafe(export_name = "__pender")]
fn pend(context: *mut ()) {
    if context.is_null() {
        PENDING.store(true, Ordering::SeqCst);
    } else {
        software_interrupt(true);
    }
}

/// Makes the executor in the interrupt. Once; switch interrupts on when its
/// tasks are spawned.
pub fn in_interrupt() -> Spawner {
    let executor: &'static Executor = IN_INTERRUPT.init(Executor::new(1 as *mut ()));
    POLLED.store(core::ptr::from_ref(executor).cast_mut(), Ordering::SeqCst);
    executor.spawner()
}

/// Its interrupt: runs what can run.
pub fn on_interrupt() {
    software_interrupt(false);
    // SAFETY: what is stored there lives for ever.
    if let Some(executor) = unsafe { POLLED.load(Ordering::SeqCst).as_ref() } {
        // SAFETY: called from its interrupt only, which does not interrupt
        // itself.
        unsafe { executor.poll() };
    }
}

/// Runs the executor outside of interrupts, for ever.
pub fn run(spawn: impl FnOnce(Spawner)) -> ! {
    let executor: &'static Executor = OUTSIDE.init(Executor::new(core::ptr::null_mut()));
    spawn(executor.spawner());
    loop {
        // SAFETY: called from here only.
        unsafe { executor.poll() };
        critical_section::with(|_| {
            if !PENDING.load(Ordering::SeqCst) {
                // An interrupt ends it, although it is served afterwards only.
                riscv::asm::wfi();
            }
            PENDING.store(false, Ordering::SeqCst);
        });
    }
}
