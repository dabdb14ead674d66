//! Which octets of a message are there, or have arrived.

/// Up to `N` runs of octets, `from..to`: disjoint, in order, and not adjacent.
#[derive(Debug, Default)]
pub(super) struct Runs<const N: usize>(heapless::Vec<(u32, u32), N>);

impl<const N: usize> Runs<N> {
    /// Notes `from..to`; `false`, and nothing changes, when there would be
    /// too many runs.
    pub(super) fn note(&mut self, from: u32, to: u32) -> bool {
        let mut joined = (from, to);
        let mut runs = heapless::Vec::<(u32, u32), N>::new();
        let mut placed = from == to;
        for &run in &self.0 {
            if run.1 < joined.0 {
                if runs.push(run).is_err() {
                    return false;
                }
            } else if run.0 > joined.1 {
                if (!placed && runs.push(joined).is_err()) || runs.push(run).is_err() {
                    return false;
                }
                placed = true;
            } else {
                joined = (run.0.min(joined.0), run.1.max(joined.1));
            }
        }
        if !placed && runs.push(joined).is_err() {
            return false;
        }
        self.0 = runs;
        true
    }

    /// Whether `from..to` is there.
    pub(super) fn cover(&self, from: u32, to: u32) -> bool {
        from == to || self.0.iter().any(|r| r.0 <= from && to <= r.1)
    }

    /// The first run of `at..len` that is not there.
    pub(super) fn gap(&self, at: u32, len: u32) -> Option<(u32, u32)> {
        let mut from = at;
        for run in &self.0 {
            if run.0 > from {
                return Some((from, run.0.min(len))).filter(|gap| gap.0 < gap.1);
            }
            from = from.max(run.1);
        }
        (from < len).then_some((from, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_was_not_noted() {
        let mut runs = Runs::<8>::default();
        assert_eq!(runs.gap(0, 10), Some((0, 10)));
        assert!(runs.note(2, 4) && runs.note(6, 8));
        assert_eq!(runs.gap(0, 10), Some((0, 2)));
        assert_eq!(runs.gap(2, 10), Some((4, 6)));
        assert_eq!(runs.gap(7, 10), Some((8, 10)));
        assert!(runs.note(0, 2) && runs.note(4, 6) && runs.note(8, 10));
        assert_eq!(runs.gap(0, 10), None);
        assert!(runs.cover(0, 10) && runs.cover(3, 3) && !runs.cover(0, 11));
    }
}
