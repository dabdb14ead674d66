//! CRC32c (RFC 9260, Appendix A).

/// How many octets one step takes: a KiB of table for each. Chips have more
/// time than flash, and hosts the other way round.
const SLICES: usize = if cfg!(any(target_pointer_width = "64", target_arch = "wasm32")) { 8 } else { 1 };

/// A module for the web makes its tables when it first needs them: as data,
/// 8 KiB that nothing compresses would travel with it.
#[cfg(target_family = "wasm")]
use made::{entry, ready};

#[cfg(not(target_family = "wasm"))]
static TABLES: [[u32; 256]; SLICES] = tables();

#[cfg(not(target_family = "wasm"))]
fn ready() {}

#[cfg(not(target_family = "wasm"))]
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "an octet's value is in range, and slices are below SLICES")]
fn entry(slice: usize, octet: u8) -> u32 {
    TABLES[slice][usize::from(octet)]
}

#[cfg(any(target_family = "wasm", test))]
mod made {
    use super::{SLICES, tables};
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    static TABLES: [[AtomicU32; 256]; SLICES] = [const { [const { AtomicU32::new(0) }; 256] }; SLICES];
    static READY: AtomicBool = AtomicBool::new(false);

    /// Makes the tables unless they are there. Two threads write the same.
    pub(super) fn ready() {
        if READY.load(Ordering::Acquire) {
            return;
        }
        for (to, from) in TABLES.iter().flatten().zip(tables().as_flattened()) {
            to.store(*from, Ordering::Relaxed);
        }
        READY.store(true, Ordering::Release);
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "an octet's value is in range, and slices are below SLICES")]
    pub(super) fn entry(slice: usize, octet: u8) -> u32 {
        TABLES[slice][usize::from(octet)].load(Ordering::Relaxed)
    }
}

#[expect(clippy::indexing_slicing, reason = "the loops' bounds are the arrays'")]
const fn tables() -> [[u32; 256]; SLICES] {
    let mut tables = [[0; 256]; SLICES];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][i] = crc;
        i += 1;
    }
    let mut slice = 1;
    while slice < SLICES {
        let mut i = 0;
        while i < 256 {
            let before = tables[slice - 1][i];
            tables[slice][i] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            i += 1;
        }
        slice += 1;
    }
    tables
}

/// The CRC32c of the concatenation of `parts`, in the octet order in which it
/// stands in a packet.
pub fn crc32c(parts: &[&[u8]]) -> [u8; 4] {
    ready();
    (!parts.iter().fold(!0, |crc, part| update(crc, part))).to_le_bytes()
}

fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<SLICES>();
    for word in words {
        let mut next = 0;
        for (i, &octet) in word.iter().enumerate() {
            let mixed = if i < 4 { octet ^ (crc >> (8 * i)) as u8 } else { octet };
            next ^= entry(SLICES - 1 - i, mixed);
        }
        // One octet at a time leaves three of the old ones behind.
        crc = if SLICES < 4 { next ^ (crc >> (8 * SLICES)) } else { next };
    }
    for &octet in rest {
        crc = (crc >> 8) ^ entry(0, octet ^ crc as u8);
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// RFC 3720, Appendix B.4.
    #[test]
    fn the_vectors_of_rfc_3720() {
        assert_eq!(crc32c(&[&[0; 32]]), [0xaa, 0x36, 0x91, 0x8a]);
        assert_eq!(crc32c(&[&[0xff; 32]]), [0x43, 0xab, 0xa8, 0x62]);
        let rising: Vec<u8> = (0..32).collect();
        assert_eq!(crc32c(&[&rising]), [0x4e, 0x79, 0xdd, 0x46]);
    }

    #[test]
    fn the_tables_that_are_made_are_those_of_the_compiler() {
        made::ready();
        for (slice, table) in TABLES.iter().enumerate() {
            for (octet, entry) in (0..=255).zip(table) {
                assert_eq!(made::entry(slice, octet), *entry);
            }
        }
    }

    #[test]
    fn parts_and_whole_agree_at_every_cut() {
        let bytes: Vec<u8> = (0..61u8).map(|i| i.wrapping_mul(37)).collect();
        for cut in 0..bytes.len() {
            assert_eq!(crc32c(&[&bytes[..cut], &bytes[cut..]]), crc32c(&[&bytes]), "cut at {cut}");
        }
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283u32.to_le_bytes());
    }
}
