//! What both programs of this package stand on: a board, a heap that counts,
//! and a stack that is painted. Nothing here uses `core::fmt`, so that what
//! the core needs of it counts for the core.
#![no_std]

// The critical section of the only core.
#[cfg(target_arch = "arm")]
use cortex_m as _;

pub mod board;
mod heap;
pub mod stack;

pub use heap::{in_use, peak, reset_peak};

/// Takes the heap into use; before anything else.
pub fn start() {
    heap::start();
    board::start();
}

/// Prints `key value`.
pub fn report(key: &str, value: u32) {
    print(key);
    print(" ");
    // Ten digits and the end of the line.
    let mut text = [0; 11];
    let mut rest = value;
    let mut at = text.len() - 1;
    text[at] = b'\n';
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    for octet in &text[at..] {
        board::put(*octet);
    }
}

/// Prints text.
pub fn print(text: &str) {
    for octet in text.bytes() {
        board::put(octet);
    }
}

/// Says what went wrong, and ends with a failure.
pub fn fail(what: &str) -> ! {
    print("FAILED ");
    print(what);
    print("\n");
    board::exit(1)
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    // Where, without the machinery of formatting.
    if let Some(location) = info.location() {
        print(location.file());
        report(" line", location.line());
    }
    fail("by a panic")
}
