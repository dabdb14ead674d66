//! The heap, with the octets in use counted as they were asked for.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::mem::MaybeUninit;
use critical_section::Mutex;
use embedded_alloc::LlffHeap;

/// More than two connections with everything around them.
const SIZE: usize = 96 * 1024;

struct Counting {
    heap: LlffHeap,
    in_use: Mutex<Cell<usize>>,
    peak: Mutex<Cell<usize>>,
}

#[global_allocator]
static HEAP: Counting =
    Counting { heap: LlffHeap::empty(), in_use: Mutex::new(Cell::new(0)), peak: Mutex::new(Cell::new(0)) };

// SAFETY: every call is passed on to an allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|cs| {
            let now = self.in_use.borrow(cs).get() + layout.size();
            self.in_use.borrow(cs).set(now);
            let peak = self.peak.borrow(cs);
            peak.set(peak.get().max(now));
        });
        // SAFETY: the caller's promise.
        unsafe { self.heap.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        critical_section::with(|cs| {
            let in_use = self.in_use.borrow(cs);
            in_use.set(in_use.get() - layout.size());
        });
        // SAFETY: the caller's promise.
        unsafe { self.heap.dealloc(ptr, layout) }
    }
}

pub(crate) fn start() {
    static mut MEMORY: [MaybeUninit<u8>; SIZE] = [MaybeUninit::uninit(); SIZE];
    // SAFETY: called once, at the start, by the only thread.
    unsafe { HEAP.heap.init(&raw mut MEMORY as usize, SIZE) }
}

/// Octets in use.
pub fn in_use() -> usize {
    critical_section::with(|cs| HEAP.in_use.borrow(cs).get())
}

/// The most octets in use since [`reset_peak`].
pub fn peak() -> usize {
    critical_section::with(|cs| HEAP.peak.borrow(cs).get())
}

/// Begins a new measurement of the peak.
pub fn reset_peak() {
    critical_section::with(|cs| HEAP.peak.borrow(cs).set(HEAP.in_use.borrow(cs).get()));
}
