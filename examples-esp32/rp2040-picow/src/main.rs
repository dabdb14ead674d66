//! The example device on a Raspberry Pi Pico W: an RP2040 with Wi-Fi.
#![no_std]
#![no_main]

use cyw43::{A4, Aligned};
use embassy_executor::Spawner;
use picortc_example_rp::picow::{Blobs, run};

static FIRMWARE: &Aligned<A4, [u8]> = &Aligned(*cyw43_firmware::CYW43_43439A0);
/// Empty when `CYW43_NVRAM` named no file.
static NVRAM: &Aligned<A4, [u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/nvram.bin")));

#[embassy_executor::main(executor = "embassy_rp::executor::Executor", entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) {
    let blobs = Blobs { firmware: FIRMWARE, clm: cyw43_firmware::CYW43_43439A0_CLM, nvram: NVRAM };
    run(spawner, "Raspberry Pi Pico W", blobs, (env!("SSID"), env!("PASSWORD")));
}
