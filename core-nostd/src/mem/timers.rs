use crate::env::Instant;

/// A key of a [`Timers`] table: an enum whose variants are numbered from 0.
pub trait Timer: Copy {
    /// The place of this timer in the table, below `N`.
    fn index(self) -> usize;
}

/// A table of deadlines, one place per timer of an enum.
#[derive(Debug, Clone, Copy)]
pub struct Timers<const N: usize>([Option<Instant>; N]);

impl<const N: usize> Default for Timers<N> {
    fn default() -> Self {
        Self([None; N])
    }
}

impl<const N: usize> Timers<N> {
    /// Sets (or moves) a timer.
    pub fn set(&mut self, timer: impl Timer, at: Instant) {
        if let Some(slot) = self.0.get_mut(timer.index()) {
            *slot = Some(at);
        }
    }

    /// Stops a timer.
    pub fn stop(&mut self, timer: impl Timer) {
        if let Some(slot) = self.0.get_mut(timer.index()) {
            *slot = None;
        }
    }

    /// Stops every timer.
    pub fn stop_all(&mut self) {
        self.0 = [None; N];
    }

    /// When a timer is due, if it runs.
    pub fn get(&self, timer: impl Timer) -> Option<Instant> {
        self.0.get(timer.index()).copied().flatten()
    }

    /// Whether a timer runs.
    pub fn is_running(&self, timer: impl Timer) -> bool {
        self.get(timer).is_some()
    }

    /// Stops a timer that is due at `now` and says whether it was.
    pub fn expire(&mut self, timer: impl Timer, now: Instant) -> bool {
        match self.0.get_mut(timer.index()) {
            Some(slot) if slot.is_some_and(|at| at <= now) => {
                *slot = None;
                true
            }
            _ => false,
        }
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }
}
