//! embassy-time over the core-local timer: 10 MHz, 64 bits.

use core::cell::RefCell;
use core::ptr::{read_volatile, write_volatile};
use core::task::Waker;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Ticks per microsecond.
const TICKS: u64 = 10;
const COMPARE: usize = 0x0200_4000;
const TIME: usize = 0x0200_bff8;

struct Time {
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static DRIVER: Time = Time { queue: Mutex::new(RefCell::new(Queue::new())) });

fn read(addr: usize) -> u32 {
    // SAFETY: a register of the timer.
    unsafe { read_volatile(addr as *const u32) }
}

fn set_alarm(at: u64) {
    // SAFETY: the timer's registers, which are this module's. Highest first, so
    // that no moment in between lies in the past.
    unsafe {
        write_volatile((COMPARE + 4) as *mut u32, u32::MAX);
        write_volatile(COMPARE as *mut u32, at as u32);
        write_volatile((COMPARE + 4) as *mut u32, (at >> 32) as u32);
    }
}

/// No alarm yet.
pub fn start() {
    set_alarm(u64::MAX);
}

/// Something is due.
pub fn on_alarm() {
    critical_section::with(|cs| DRIVER.arm(cs));
}

impl Time {
    /// Wakes what is due, and sets the alarm for what is next.
    fn arm(&self, cs: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(cs);
        loop {
            let next = queue.next_expiration(self.now());
            set_alarm(next.saturating_mul(TICKS));
            // One that is due by now would interrupt at once, too.
            if next > self.now() {
                return;
            }
        }
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        loop {
            let high = read(TIME + 4);
            let low = read(TIME);
            if read(TIME + 4) == high {
                return (u64::from(high) << 32 | u64::from(low)) / TICKS;
            }
        }
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            let earlier = self.queue.borrow_ref_mut(cs).schedule_wake(at, waker);
            if earlier {
                self.arm(cs);
            }
        });
    }
}
