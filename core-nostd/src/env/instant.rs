use core::num::NonZeroU64;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time, in microseconds since an epoch of the caller's choosing
/// (boot, program start, the Unix epoch).
///
/// Only differences matter to the core. 64 bits of microseconds last half a
/// million years, so arithmetic saturates instead of wrapping.
///
/// An `Option<Instant>` takes no more room than an `Instant`: there are dozens
/// in a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// One more than the microseconds.
    NonZeroU64,
);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// A point `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// A point `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_micros(millis.saturating_mul(1000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.as_micros() / 1000
    }

    /// The time since `earlier`, or zero when `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl core::fmt::Debug for Instant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Instant").field(&self.as_micros()).finish()
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Instant {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=u64:us}", self.as_micros());
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn sub(self, d: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(micros(d)))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

/// Arithmetic with lengths of time that saturates, where `Duration`'s own
/// operators panic; differences are in whole microseconds. On a chip it is there once, and not at every place.
pub(crate) trait Span {
    fn times(self, n: u32) -> Self;
    fn plus(self, more: Self) -> Self;
    fn less(self, some: Self) -> Self;
}

impl Span for Duration {
    #[cfg_attr(target_os = "none", inline(never))]
    fn times(self, n: u32) -> Self {
        self.saturating_mul(n)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }

    #[cfg_attr(target_os = "none", inline(never))]
    fn less(self, some: Self) -> Self {
        Self::from_micros(micros(self).saturating_sub(micros(some)))
    }
}

fn micros(d: Duration) -> u64 {
    d.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(d.subsec_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let t = Instant::from_millis(5);
        assert_eq!(t + Duration::from_micros(1), Instant::from_micros(5001));
        assert_eq!(Instant::ZERO - t, Duration::ZERO);
        assert_eq!(t - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::from_micros(0), Instant::default());
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
        assert_eq!(Instant::from_micros(u64::MAX) + Duration::MAX, Instant::from_micros(u64::MAX));
    }
}
