//! Serial number arithmetic (RFC 1982): the one place that knows about wrap.

use core::cmp::Ordering;

macro_rules! serial {
    ($name:ident, $int:ty, $signed:ty, $bits:literal) => {
        /// A serial number of
        #[doc = $bits]
        /// bits. Comparison is that of RFC 1982: `a < b` when the way forward
        /// from `a` to `b` is the shorter one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name(pub $int);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.wrapping_add(1))
            }

            /// The number before this one.
            #[must_use]
            pub const fn prev(self) -> Self {
                Self(self.0.wrapping_sub(1))
            }

            /// The number `n` after this one.
            #[must_use]
            pub const fn add(self, n: $int) -> Self {
                Self(self.0.wrapping_add(n))
            }

            /// How far it is forward from `earlier` to here.
            pub const fn since(self, earlier: Self) -> $int {
                self.0.wrapping_sub(earlier.0)
            }

            /// Whether this one comes before `other`.
            pub const fn before(self, other: Self) -> bool {
                (self.0.wrapping_sub(other.0) as $signed) < 0
            }

            /// Whether this one comes after `other`.
            pub const fn after(self, other: Self) -> bool {
                other.before(self)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some((self.0.wrapping_sub(other.0) as $signed).cmp(&0))
            }
        }
    };
}

serial!(Serial16, u16, i16, "16");
serial!(Serial32, u32, i32, "32");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        let last = Serial32(u32::MAX);
        assert!(last.before(last.next()));
        assert!(last.next().after(last));
        assert!(last < last.next() && last.next() > last);
        assert_eq!(last.next().since(Serial32(u32::MAX - 1)), 2);
        assert_eq!(Serial16(3).since(Serial16(0xffff)), 4);
        assert!(!Serial16(7).before(Serial16(7)));
    }
}
