//! The example device on an ESP32-C3, in a Wi-Fi network.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use esp_backtrace as _;
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use picortc_example_esp::{Parts, start};

// What the second-stage boot loader looks for.
esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // The radio's and the connections': what the boot loader leaves, and more.
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 96 * 1024);
    let parts = Parts {
        name: "ESP32-C3",
        led: (Output::new(p.GPIO8, Level::High, OutputConfig::default()), true),
        timer: p.TIMG0,
        interrupt: p.FROM_CPU_INTR0,
        wifi: p.WIFI,
        flash: p.FLASH,
        sensor: p.TSENS,
    };
    start(spawner, parts, env!("SSID"), env!("PASSWORD")).await;
}
