//! The example device on QEMU's mps2-an385.
#![no_std]
#![no_main]

mod executors;
mod lan9118;
mod time;

use crate::executors::Irq;
use crate::lan9118::Lan9118;
use cortex_m::peripheral::NVIC;
use picortc_example_qemu::{die, start_console};

picortc_example_qemu::device!(Lan9118);

#[cortex_m_rt::entry]
fn main() -> ! {
    take_heap();
    time::start();
    start_console();
    let driver = Lan9118::start();
    let [.., last, least] = driver.mac();
    log::info!("picortc on mps2-an385, {last:02x}{least:02x}");

    start(executors::in_interrupt(), "mps2-an385", driver);
    // SAFETY: everything is in place, and no critical section is on.
    unsafe {
        let mut core = cortex_m::Peripherals::steal();
        // Devices interrupt the connections, which interrupt the public-key work.
        core.NVIC.set_priority(Irq(executors::IRQ), 0xc0);
        for irq in [time::COUNTER_IRQ, time::ALARM_IRQ, lan9118::IRQ, executors::IRQ] {
            NVIC::unmask(Irq(irq));
        }
    }
    executors::run(work)
}

/// Interrupts without a handler of their own: all of them.
#[cortex_m_rt::exception]
unsafe fn DefaultHandler(irq: i16) {
    match u8::try_from(irq) {
        Ok(time::COUNTER_IRQ) => time::on_counter(),
        Ok(time::ALARM_IRQ) => time::on_alarm(),
        Ok(lan9118::IRQ) => Lan9118::on_interrupt(),
        Ok(executors::IRQ) => executors::on_interrupt(),
        _ => die("an interrupt that is not expected"),
    }
}
