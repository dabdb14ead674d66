//! The example device on an ESP32-C3, in a Wi-Fi network.
#![no_std]
#![no_main]

picortc_example_esp::board!("ESP32-C3");
