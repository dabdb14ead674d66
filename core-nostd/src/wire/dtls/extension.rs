//! Extensions of hello messages (RFC 8446, Section 4.2).

use crate::crypto::NamedGroup;
use crate::wire::{Malformed, Reader};

/// Which extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ExtensionType(pub u16);

#[allow(missing_docs, reason = "the names are the IANA registry's")]
impl ExtensionType {
    pub const SUPPORTED_GROUPS: Self = Self(10);
    pub const EC_POINT_FORMATS: Self = Self(11);
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    pub const USE_SRTP: Self = Self(14);
    pub const EXTENDED_MASTER_SECRET: Self = Self(23);
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    pub const COOKIE: Self = Self(44);
    pub const KEY_SHARE: Self = Self(51);
    pub const CONNECTION_ID: Self = Self(54);
    pub const RENEGOTIATION_INFO: Self = Self(0xff01);
}

/// The extensions of a message, checked to be well formed as a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions<'a>(&'a [u8]);

impl<'a> Extensions<'a> {
    /// Checks a list of extensions.
    ///
    /// # Errors
    /// [`Malformed`] when an extension is cut short or one comes twice
    /// ("There MUST NOT be more than one extension of the same type").
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let all = Self(bytes);
        let mut r = Reader::new(bytes);
        while !r.is_empty() {
            let kind = ExtensionType(r.u16()?);
            r.vec16()?;
            // What lies behind is not checked yet, but a twin found there is
            // a twin all the same.
            if Self(r.rest()).get(kind).is_some() {
                return Err(Malformed);
            }
        }
        Ok(all)
    }

    /// The content of one extension.
    pub fn get(&self, wanted: ExtensionType) -> Option<&'a [u8]> {
        self.iter().find(|(kind, _)| *kind == wanted).map(|(_, data)| data)
    }

    /// All of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (ExtensionType, &'a [u8])> {
        let mut r = Reader::new(self.0);
        core::iter::from_fn(move || Some((ExtensionType(r.u16().ok()?), r.vec16().ok()?)))
    }
}

/// The 16-bit numbers of a list, which must be whole ones.
///
/// # Errors
/// [`Malformed`] for an odd number of octets.
pub fn list16(bytes: &[u8]) -> Result<impl Iterator<Item = u16> + Clone + '_, Malformed> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Malformed);
    }
    Ok(pairs.iter().map(|p| u16::from_be_bytes(*p)))
}

/// One share of a key exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyShareEntry<'a> {
    /// Of which group.
    pub group: NamedGroup,
    /// The share.
    pub key_exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    /// Reads one entry.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(r: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { group: NamedGroup(r.u16()?), key_exchange: r.vec16()? })
    }
}

/// The shares of a ClientHello.
#[derive(Debug, Clone, Copy)]
pub struct KeyShares<'a>(&'a [u8]);

impl<'a> KeyShares<'a> {
    /// Checks the content of a ClientHello's key_share extension.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(extension: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(extension);
        let shares = r.vec16()?;
        r.finish()?;
        let mut r = Reader::new(shares);
        while !r.is_empty() {
            KeyShareEntry::parse(&mut r)?;
        }
        Ok(Self(shares))
    }

    /// The share of one group.
    pub fn get(&self, group: NamedGroup) -> Option<&'a [u8]> {
        let mut r = Reader::new(self.0);
        while let Ok(entry) = KeyShareEntry::parse(&mut r) {
            if entry.group == group {
                return Some(entry.key_exchange);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_and_twins_refused() {
        let two = [0, 10, 0, 1, 9, 0, 23, 0, 0];
        let all = Extensions::parse(&two).unwrap();
        assert_eq!(all.get(ExtensionType::SUPPORTED_GROUPS), Some(&[9][..]));
        assert_eq!(all.get(ExtensionType::EXTENDED_MASTER_SECRET), Some(&[][..]));
        assert_eq!(all.get(ExtensionType::USE_SRTP), None);
        assert_eq!(Extensions::parse(&[0, 23, 0, 0, 0, 23, 0, 0]), Err(Malformed));
        assert_eq!(Extensions::parse(&[0, 23, 0, 1]), Err(Malformed));
    }
}
