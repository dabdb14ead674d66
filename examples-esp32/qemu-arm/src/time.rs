//! embassy-time over two CMSDK timers: one counts, the other one wakes.

use core::cell::{Cell, RefCell};
use core::ptr::{read_volatile, write_volatile};
use core::task::Waker;
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

/// Ticks of the board's timers per microsecond.
const TICKS: u64 = 25;
/// The interrupt's numbers.
pub const COUNTER_IRQ: u8 = 8;
pub const ALARM_IRQ: u8 = 9;

#[derive(Clone, Copy)]
#[repr(usize)]
enum Timer {
    Counter = 0x4000_0000,
    Alarm = 0x4000_1000,
}

const CONTROL: usize = 0x0;
const VALUE: usize = 0x4;
const RELOAD: usize = 0x8;
const INTERRUPT: usize = 0xc;

impl Timer {
    fn read(self, reg: usize) -> u32 {
        // SAFETY: a register of the timer; nobody else touches it.
        unsafe { read_volatile((self as usize + reg) as *const u32) }
    }

    fn write(self, reg: usize, value: u32) {
        // SAFETY: as above.
        unsafe { write_volatile((self as usize + reg) as *mut u32, value) }
    }
}

struct Time {
    /// How often the counter came around.
    wraps: Mutex<Cell<u32>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TIME: Time = Time {
    wraps: Mutex::new(Cell::new(0)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts the counter.
pub fn start() {
    Timer::Counter.write(RELOAD, u32::MAX);
    Timer::Counter.write(VALUE, u32::MAX);
    Timer::Counter.write(CONTROL, 1 | 1 << 3);
}

/// The counter came around.
pub fn on_counter() {
    critical_section::with(|cs| TIME.count(cs));
}

/// Something is due.
pub fn on_alarm() {
    Timer::Alarm.write(INTERRUPT, 1);
    critical_section::with(|cs| TIME.arm(cs));
}

impl Time {
    fn count(&self, cs: CriticalSection<'_>) {
        if Timer::Counter.read(INTERRUPT) & 1 != 0 {
            Timer::Counter.write(INTERRUPT, 1);
            let wraps = self.wraps.borrow(cs);
            wraps.set(wraps.get() + 1);
        }
    }

    /// Wakes what is due, and sets the alarm for what is next.
    fn arm(&self, cs: CriticalSection<'_>) {
        let mut queue = self.queue.borrow_ref_mut(cs);
        loop {
            let now = self.now();
            let next = queue.next_expiration(now);
            Timer::Alarm.write(CONTROL, 0);
            if next == u64::MAX {
                return;
            }
            if next > now {
                let ticks = ((next - now) * TICKS).min(u64::from(u32::MAX));
                Timer::Alarm.write(RELOAD, ticks as u32);
                Timer::Alarm.write(VALUE, ticks as u32);
                Timer::Alarm.write(CONTROL, 1 | 1 << 3);
                return;
            }
        }
    }
}

impl Driver for Time {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            self.count(cs);
            let mut value = Timer::Counter.read(VALUE);
            if Timer::Counter.read(INTERRUPT) & 1 != 0 {
                self.count(cs);
                value = Timer::Counter.read(VALUE);
            }
            // It counts down.
            (u64::from(self.wraps.borrow(cs).get()) << 32 | u64::from(u32::MAX - value)) / TICKS
        })
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
