//! Public-key work at another priority or on another core.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::AtomicWaker;
use picortc::dtls::{Operation, Outcome};

/// Who the work is for.
type Who = crate::rtc::PeerId;

/// Does the public-key work of the connections, one computation at a time, so
/// that the executor of the connections goes on serving.
///
/// On a small chip a handshake is a few hundred milliseconds of computing. The
/// worker does it in slices of a few milliseconds
/// ([`Operation::run_in_slices`]), so that even in the executor of the
/// connections it keeps nobody waiting for long. Put it in a `static`, name it
/// in [`Config::worker`](crate::Config::worker), and spawn [`run`](Self::run).
/// Where there is an `InterruptExecutor` for network and connections, or a
/// second core, the worker's place is below the interrupt or on that core:
/// then it is interrupted, and nobody waits at all.
pub struct Worker {
    state: Mutex<CriticalSectionRawMutex, RefCell<State>>,
    asked: AtomicWaker,
    done: AtomicWaker,
}

#[allow(clippy::large_enum_variant, reason = "there is one of them, in a static")]
enum State {
    Idle,
    Asked(Who, Operation),
    Running,
    Done(Who, Outcome),
}

impl core::fmt::Debug for Worker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Worker(..)")
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// A worker with nothing to do.
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(RefCell::new(State::Idle)),
            asked: AtomicWaker::new(),
            done: AtomicWaker::new(),
        }
    }

    /// Works. One task only.
    pub async fn run(&self) -> ! {
        loop {
            let (who, operation) = poll_fn(|cx| {
                self.asked.register(cx.waker());
                match self.take_asked() {
                    Some(asked) => Poll::Ready(asked),
                    None => Poll::Pending,
                }
            })
            .await;
            debug!("{} for peer {}", operation.name(), who.slot);
            let outcome = operation.run_in_slices().await;
            self.state.lock(|state| state.replace(State::Done(who, outcome)));
            self.done.wake();
            embassy_futures::yield_now().await;
        }
    }

    fn take_asked(&self) -> Option<(Who, Operation)> {
        self.state.lock(|state| {
            let mut state = state.borrow_mut();
            match core::mem::replace(&mut *state, State::Idle) {
                State::Asked(who, operation) => {
                    *state = State::Running;
                    Some((who, operation))
                }
                other => {
                    *state = other;
                    None
                }
            }
        })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state.lock(|state| matches!(*state.borrow(), State::Idle))
    }

    pub(crate) fn ask(&self, who: Who, operation: Operation) {
        self.state.lock(|state| state.replace(State::Asked(who, operation)));
        self.asked.wake();
    }

    pub(crate) fn poll_done(&self, cx: &Context<'_>) -> Poll<()> {
        self.done.register(cx.waker());
        self.state.lock(|state| match *state.borrow() {
            State::Done(..) => Poll::Ready(()),
            _ => Poll::Pending,
        })
    }

    pub(crate) fn take_done(&self) -> Option<(Who, Outcome)> {
        self.state.lock(|state| {
            let mut state = state.borrow_mut();
            match core::mem::replace(&mut *state, State::Idle) {
                State::Done(who, outcome) => Some((who, outcome)),
                other => {
                    *state = other;
                    None
                }
            }
        })
    }
}
