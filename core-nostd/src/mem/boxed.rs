use super::OutOfMemory;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An owned heap value whose allocation could fail. A one-element array,
/// because `Box::try_new` is not stable and `Vec::try_reserve_exact` is; it
/// derefs to the array and coerces to `Boxed<dyn Trait>` where the trait is
/// implemented for `[T; 1]`.
pub type Boxed<T> = Box<T>;

/// Moves `value` to the heap.
///
/// # Errors
/// [`OutOfMemory`] when the allocator refuses.
pub fn boxed<T>(value: T) -> Result<Boxed<[T; 1]>, OutOfMemory> {
    let mut v = Vec::new();
    v.try_reserve_exact(1).map_err(|_| OutOfMemory)?;
    v.push(value);
    // Capacity equals length, so neither conversion allocates or fails.
    v.into_boxed_slice().try_into().map_err(|_| OutOfMemory)
}

/// A boxed slice of `len` values made by `make`.
///
/// # Errors
/// [`OutOfMemory`] when the allocator refuses.
pub fn boxed_slice<T>(len: usize, make: impl FnMut() -> T) -> Result<Box<[T]>, OutOfMemory> {
    let mut v = Vec::new();
    v.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    v.resize_with(len, make);
    Ok(v.into_boxed_slice())
}
