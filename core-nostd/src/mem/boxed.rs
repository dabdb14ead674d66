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

/// A value with a place of its own on the heap; it derefs to the value.
///
/// A value is made on the stack and then moved. Where the large parts of a
/// struct are placed one by one, making the struct takes no more stack than
/// its largest part.
#[derive(Debug)]
pub struct Placed<T>(Boxed<[T; 1]>);

impl<T> Placed<T> {
    /// Makes a value and moves it to the heap.
    ///
    /// # Errors
    /// What `make` says, or [`OutOfMemory`] when the allocator refuses.
    #[inline(never)]
    pub fn new<E: From<OutOfMemory>>(make: impl FnOnce() -> Result<T, E>) -> Result<Self, E> {
        Ok(Self(boxed(make()?)?))
    }
}

impl<T> core::ops::Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let [value] = &*self.0;
        value
    }
}

impl<T> core::ops::DerefMut for Placed<T> {
    fn deref_mut(&mut self) -> &mut T {
        let [value] = &mut *self.0;
        value
    }
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

/// A boxed slice of `len` octets of zero.
///
/// On hosts they are the allocator's own zeroed pages, which take neither time
/// nor memory before they are written: most of an idle connection's arenas
/// never are.
///
/// # Errors
/// [`OutOfMemory`] when the allocator refuses.
pub fn zeroed_slice(len: usize) -> Result<Box<[u8]>, OutOfMemory> {
    if cfg!(not(target_pointer_width = "64")) {
        return boxed_slice(len, || 0);
    }
    // Only `vec!` asks the allocator for zeroes, and it cannot fail but by
    // aborting. So the memory is asked for and given back first; on these
    // targets nothing is likely to come in between.
    let mut probe = Vec::<u8>::new();
    probe.try_reserve_exact(len).map_err(|_| OutOfMemory)?;
    drop(core::hint::black_box(probe));
    Ok(alloc::vec![0; len].into_boxed_slice())
}
