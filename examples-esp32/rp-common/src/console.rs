//! The console: what is logged waits in a pipe, and leaves through the UART
//! whenever nothing else is to be done.

use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use embassy_rp::uart::{Blocking, UartTx};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;

/// Octets of log that may wait.
const WAITING: usize = 1024;

static PIPE: Pipe<CriticalSectionRawMutex, WAITING> = Pipe::new();
/// Whether something was not logged because the pipe was full.
static LOST: AtomicBool = AtomicBool::new(false);

struct Logger;

struct Line(heapless::String<160>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for c in text.chars() {
            // What is too long is cut, not lost.
            if self.0.push(c).is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let mut line = Line(heapless::String::new());
        let _ = write!(line, "{:8} {:5} {}", crate::millis(), record.level(), record.args());
        for mut rest in [line.0.as_bytes(), b"\r\n"] {
            while !rest.is_empty() {
                match PIPE.try_write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(_) => return LOST.store(true, Ordering::Relaxed),
                }
            }
        }
    }

    fn flush(&self) {}
}

/// Gives what still waits, for a panic's last words: octets, or none.
pub(crate) fn take_waiting(chunk: &mut [u8]) -> &[u8] {
    let n = PIPE.try_read(chunk).unwrap_or(0);
    &chunk[..n]
}

/// The task behind the console.
pub struct Console(UartTx<'static, Blocking>);

/// Switches the console on. Once, before there is anything else.
pub fn start_console(uart: UartTx<'static, Blocking>) -> Console {
    // SAFETY: nothing else runs yet.
    unsafe {
        if log::set_logger_racy(&Logger).is_ok() {
            log::set_max_level_racy(log::LevelFilter::Info);
        }
    }
    Console(uart)
}

impl Console {
    /// Writes what was logged. It waits for the UART: run it where everything
    /// else interrupts it.
    pub async fn run(mut self) -> ! {
        let mut chunk = [0; 32];
        loop {
            let n = PIPE.read(&mut chunk).await;
            let _ = self.0.blocking_write(&chunk[..n]);
            // An RP2040 cannot swap; only this task clears it.
            if LOST.load(Ordering::Relaxed) {
                LOST.store(false, Ordering::Relaxed);
                let _ = self.0.blocking_write(b"(some lines were lost)\r\n");
            }
        }
    }
}
