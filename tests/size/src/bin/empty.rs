//! Everything that `peer` has apart from the core: what is taken off its size.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use picortc_size::{board, in_use, peak, report, reset_peak, stack, start};

#[board::entry]
fn main() -> ! {
    start();
    let top = stack::paint();
    let before = board::count();
    reset_peak();
    let mut v: Vec<u8> = Vec::new();
    if v.try_reserve_exact(black_box(64)).is_err() {
        picortc_size::fail("without memory");
    }
    v.push(black_box(1));
    report("heap", in_use() as u32);
    drop(black_box(v));
    report("heap-peak", peak() as u32);
    report("stack", stack::used(top) as u32);
    report("count", (board::count() - before) as u32);
    board::exit(0)
}
