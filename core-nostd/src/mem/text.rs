use super::{Full, OutOfMemory};
use alloc::string::String as HeapString;
use core::fmt::{self, Display, Write};

/// A text that the caller owns: what negotiation returns.
pub type String = HeapString;

/// Writes `value` to a heap string of exactly its length.
///
/// # Errors
/// [`OutOfMemory`] when the allocator refuses, or when `value` does not display
/// alike twice.
pub fn string(value: &impl Display) -> Result<String, OutOfMemory> {
    let mut length = Length(0);
    write!(length, "{value}").map_err(|_| OutOfMemory)?;
    let mut text = Text::new(length.0)?;
    write!(text, "{value}").map_err(|_| OutOfMemory)?;
    Ok(text.text)
}

/// Counts what is written.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(s.len());
        Ok(())
    }
}

/// A text whose capacity in octets is fixed at construction.
#[derive(Debug)]
pub struct Text {
    text: HeapString,
    capacity: usize,
}

impl Text {
    /// An empty text with room for `capacity` octets.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses.
    pub fn new(capacity: usize) -> Result<Self, OutOfMemory> {
        let mut text = HeapString::new();
        text.try_reserve_exact(capacity).map_err(|_| OutOfMemory)?;
        Ok(Self { text, capacity })
    }

    /// The octets of heap that a text of `capacity` octets takes.
    pub const fn heap_bytes(capacity: usize) -> usize {
        capacity
    }

    /// How many octets fit.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends `text`.
    ///
    /// # Errors
    /// [`Full`] when not all of it fits; nothing is appended then.
    pub fn push_str(&mut self, text: &str) -> Result<(), Full> {
        if self.capacity - self.text.len() < text.len() {
            return Err(Full);
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Removes `length` octets from `start` on; what is behind moves up. What
    /// does not lie between two characters is left as it is.
    pub fn remove(&mut self, start: usize, length: usize) {
        let end = start.saturating_add(length);
        if self.text.get(start..end).is_some() {
            self.text.replace_range(start..end, "");
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.text.clear();
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        self.push_str(s).map_err(|Full| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_an_error_and_changes_nothing() {
        let mut text = Text::new(4).unwrap();
        text.push_str("abc").unwrap();
        assert_eq!(text.push_str("de"), Err(Full));
        assert!(write!(text, "{}", 12).is_err());
        text.push_str("d").unwrap();
        assert_eq!(text.as_str(), "abcd");
    }

    #[test]
    fn what_is_removed_leaves_no_gap() {
        let mut text = Text::new(8).unwrap();
        text.push_str("abüde").unwrap();
        for (start, length) in [(3, 1), (5, 9), (usize::MAX, 2)] {
            text.remove(start, length);
            assert_eq!(text.as_str(), "abüde");
        }
        text.remove(1, 3);
        assert_eq!((text.as_str(), text.capacity()), ("ade", 8));
    }

    #[test]
    fn a_string_is_exactly_as_long_as_what_it_shows() {
        let text = string(&format_args!("{}-{:03}", "a", 7)).unwrap();
        assert_eq!((text.as_str(), text.capacity()), ("a-007", 5));
    }
}
