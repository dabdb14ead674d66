//! The example device on QEMU's RISC-V `virt` machine.
#![no_std]
#![no_main]

mod executors;
mod time;
mod virtio;

use crate::virtio::{Buffers, Virtio};
use picortc_example_qemu::{die, start_console};
use static_cell::ConstStaticCell;

picortc_example_qemu::device!(Virtio);

#[riscv_rt::entry]
fn main() -> ! {
    take_heap();
    time::start();
    start_console();
    static BUFFERS: ConstStaticCell<Buffers> = ConstStaticCell::new(Buffers::new());
    let Some(driver) = Virtio::start(BUFFERS.take()) else { die("there is no virtio-net device") };
    let [.., last, least] = driver.mac();
    log::info!("picortc on virt, {last:02x}{least:02x}");

    start(executors::in_interrupt(), "riscv-virt", driver);
    // SAFETY: everything is in place, and no critical section is on.
    unsafe {
        riscv::register::mie::set_msoft();
        riscv::register::mie::set_mtimer();
        riscv::register::mie::set_mext();
        riscv::interrupt::enable();
    }
    executors::run(work)
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineSoft)]
fn on_software() {
    executors::on_interrupt();
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineTimer)]
fn on_timer() {
    time::on_alarm();
}

#[riscv_rt::core_interrupt(riscv::interrupt::Interrupt::MachineExternal)]
fn on_external() {
    Virtio::on_interrupt();
}
