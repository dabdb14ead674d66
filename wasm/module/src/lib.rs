//! `picortc-wasm`, linked into one module.
//!
//! The optimisation at link time runs at the level of the crate that is linked,
//! and keeps what each function was compiled for: loops of the ciphers become
//! vectors at level 2 only, and all else stays small. Hence a crate without
//! functions of its own.
#![no_std]
#![forbid(unsafe_code)]

pub use picortc_wasm::*;
