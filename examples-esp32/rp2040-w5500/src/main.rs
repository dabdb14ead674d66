//! The example device on a W5500-EVB-Pico: an RP2040 with Ethernet.
#![no_std]
#![no_main]

use embassy_executor::Spawner;

#[embassy_executor::main(executor = "embassy_rp::executor::Executor", entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) {
    picortc_example_rp::w5500::run(spawner, "W5500-EVB-Pico");
}
