//! Diagnostics that cost nothing when neither `log` nor `defmt` is on.

macro_rules! level {
    ($($name:ident),*) => { level!(@ ($) $($name),*); };
    (@ ($d:tt) $($name:ident),*) => { $(
        #[allow(unused_macros)]
        macro_rules! $name {
            ($d s:literal $d(, $d x:expr)* $d(,)?) => {{
                #[cfg(feature = "defmt")]
                ::defmt::$name!($d s $d(, $d x)*);
                #[cfg(all(feature = "log", not(feature = "defmt")))]
                ::log::$name!($d s $d(, $d x)*);
                #[cfg(not(any(feature = "log", feature = "defmt")))]
                { let _ = ($d(&$d x),*); }
            }};
        }
    )* };
}

level!(debug, info, warn);
