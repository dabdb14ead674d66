//! The boards: an entry, a counter of instructions or cycles, and semihosting.

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

const SYS_WRITEC: usize = 0x03;
const SYS_EXIT: usize = 0x18;
/// What the emulated RP2040 answers with its count of cycles.
#[cfg(feature = "rp2040")]
const SYS_ELAPSED: usize = 0x30;

/// Asks the emulator.
#[cfg(target_arch = "arm")]
fn semihosting(operation: usize, argument: usize) {
    // SAFETY: the emulator reads what `argument` points to, and returns in r0.
    unsafe {
        core::arch::asm!("bkpt 0xab", inout("r0") operation => _, in("r1") argument, options(nostack));
    }
}

/// Asks the emulator. The three instructions are the mark, and must not be
/// torn apart by compression.
#[cfg(target_arch = "riscv32")]
fn semihosting(operation: usize, argument: usize) {
    // SAFETY: the emulator reads what `argument` points to, and returns in a0.
    unsafe {
        core::arch::asm!(
            ".balign 16", ".option push", ".option norvc",
            "slli x0, x0, 0x1f", "ebreak", "srai x0, x0, 7",
            ".option pop",
            inout("a0") operation => _, in("a1") argument, options(nostack)
        );
    }
}

/// Prints one octet.
pub fn put(octet: u8) {
    semihosting(SYS_WRITEC, &raw const octet as usize);
}

/// Ends the program: 0 is success.
pub fn exit(code: u32) -> ! {
    // "ADP_Stopped_ApplicationExit", or another reason, which is a failure.
    let reason = if code == 0 { 0x2_0026 } else { 0x2_0023 };
    semihosting(SYS_EXIT, reason);
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(all(target_arch = "arm", not(feature = "rp2040")))]
mod counter {
    /// Timer 0 of the MPS2's CMSDK: counts down, at 25 MHz.
    const CTRL: *mut u32 = 0x4000_0000 as *mut u32;
    const VALUE: *mut u32 = 0x4000_0004 as *mut u32;
    const RELOAD: *mut u32 = 0x4000_0008 as *mut u32;

    pub(super) fn start() {
        // SAFETY: registers of this board.
        unsafe {
            RELOAD.write_volatile(u32::MAX);
            VALUE.write_volatile(u32::MAX);
            CTRL.write_volatile(1);
        }
    }

    /// With `-icount shift=6` an instruction takes 64 ns, and a tick is 40 ns.
    pub(super) fn now() -> u64 {
        // SAFETY: a register of this board.
        u64::from(u32::MAX - unsafe { VALUE.read_volatile() }) * 40 / 64
    }
}

#[cfg(feature = "rp2040")]
mod counter {
    pub(super) fn start() {}

    pub(super) fn now() -> u64 {
        let mut elapsed = [0_u32; 2];
        super::semihosting(super::SYS_ELAPSED, &raw mut elapsed as usize);
        // SAFETY: the emulator wrote there, which the compiler cannot know.
        let [low, high] = unsafe { (&raw const elapsed).read_volatile() };
        u64::from(high) << 32 | u64::from(low)
    }
}

#[cfg(target_arch = "riscv32")]
mod counter {
    pub(super) fn start() {}

    pub(super) fn now() -> u64 {
        riscv::register::minstret::read64()
    }
}

pub(crate) fn start() {
    counter::start();
}

/// Instructions since the start; cycles on the RP2040.
pub fn count() -> u64 {
    counter::now()
}
