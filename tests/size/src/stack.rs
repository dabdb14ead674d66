//! How deep the stack went: it is painted, and later looked at.

use core::ptr;

const PAINT: u32 = 0x5a5a_a5a5;
/// Left alone below the painter's own frame.
const MARGIN: usize = 256;

unsafe extern "C" {
    /// The end of what is not stack.
    static mut __sheap: u8;
}

fn floor() -> *mut u32 {
    // The linker aligns it to words.
    (&raw mut __sheap).cast()
}

#[inline(never)]
fn here() -> usize {
    let marker = 0_u32;
    ptr::from_ref(&marker) as usize
}

/// Paints all that lies below the caller's frame, and returns where that is.
#[inline(never)]
pub fn paint() -> usize {
    let top = here();
    let mut at = floor();
    while (at as usize) < top - MARGIN {
        // SAFETY: between the end of the data and the stack in use is nothing.
        unsafe {
            at.write_volatile(PAINT);
            at = at.add(1);
        }
    }
    top
}

/// The octets below `top` that were used since it was painted.
#[inline(never)]
pub fn used(top: usize) -> usize {
    let mut at = floor();
    // SAFETY: as in `paint`; reading ends where the stack in use begins.
    while (at as usize) < top && unsafe { at.read_volatile() } == PAINT {
        at = unsafe { at.add(1) };
    }
    top - at as usize
}
