//! The example device on an ESP32-C6, in a Wi-Fi network.
#![no_std]
#![no_main]

picortc_example_esp::board!("ESP32-C6", ecc: ECC);
