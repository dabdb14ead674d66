//! Optional and variable-length parameters (RFC 9260, Section 3.2.1), and
//! error causes, which have the same form (Section 3.3.10).

use super::{Malformed, Reader, skip_padding};

/// A parameter or an error cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its type or cause code.
    pub kind: u16,
    /// Its value without padding.
    pub value: &'a [u8],
}

impl Param<'_> {
    /// "Skip this parameter and continue processing" rather than "stop
    /// processing this parameter" and those after it (RFC 9260, Table 3).
    pub const fn skip_if_unknown(&self) -> bool {
        self.kind & 0x8000 != 0
    }

    /// Whether an unknown parameter is to be reported.
    pub const fn report_if_unknown(&self) -> bool {
        self.kind & 0x4000 != 0
    }
}

/// The one walker over parameters and causes. Ends at the first whose length
/// is impossible, as an `Err`.
#[derive(Debug, Clone)]
pub struct Params<'a>(Reader<'a>);

impl<'a> Params<'a> {
    /// The parameters in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let param = param(&mut self.0);
        if param.is_err() {
            self.0.take_rest();
        }
        Some(param)
    }
}

fn param<'a>(r: &mut Reader<'a>) -> Result<Param<'a>, Malformed> {
    let kind = r.u16()?;
    let len = usize::from(r.u16()?).checked_sub(4).ok_or(Malformed)?;
    let value = r.take(len)?;
    skip_padding(r, len);
    Ok(Param { kind, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn lengths_stay_within_bounds() {
        let bytes = [0x80, 8, 0, 6, 130, 192, 0, 0, 0xc0, 0, 0, 4];
        let params: Vec<_> = Params::new(&bytes).map(Result::unwrap).collect();
        assert_eq!(params[0], Param { kind: 0x8008, value: &[130, 192] });
        assert_eq!(params[1], Param { kind: 0xc000, value: &[] });
        for len in [0, 1, 2, 3, 13, 255] {
            let mut bytes = bytes;
            bytes[3] = len;
            assert_eq!(Params::new(&bytes).collect::<Vec<_>>(), [Err(Malformed)], "length {len}");
        }
    }
}
