//! CRC32c (RFC 9260, Appendix A).

/// How many octets one step takes: a KiB of table for each. Chips have more
/// time than flash, and hosts the other way round.
const SLICES: usize = if cfg!(any(target_pointer_width = "64", target_arch = "wasm32")) { 8 } else { 1 };

static TABLES: [[u32; 256]; SLICES] = tables();

#[expect(clippy::indexing_slicing, reason = "runs at compile time")]
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
    (!parts.iter().fold(!0, |crc, part| update(crc, part))).to_le_bytes()
}

#[expect(
    clippy::indexing_slicing,
    reason = "an octet's value is in range of 256 entries, i of SLICES tables"
)]
fn update(mut crc: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<SLICES>();
    for word in words {
        let mut next = 0;
        for (i, &octet) in word.iter().enumerate() {
            let mixed = if i < 4 { octet ^ (crc >> (8 * i)) as u8 } else { octet };
            next ^= TABLES[SLICES - 1 - i][usize::from(mixed)];
        }
        // One octet at a time leaves three of the old ones behind.
        crc = if SLICES < 4 { next ^ (crc >> (8 * SLICES)) } else { next };
    }
    for &octet in rest {
        crc = (crc >> 8) ^ TABLES[0][usize::from(octet ^ crc as u8)];
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
    fn parts_and_whole_agree_at_every_cut() {
        let bytes: Vec<u8> = (0..61u8).map(|i| i.wrapping_mul(37)).collect();
        for cut in 0..bytes.len() {
            assert_eq!(crc32c(&[&bytes[..cut], &bytes[cut..]]), crc32c(&[&bytes]), "cut at {cut}");
        }
        assert_eq!(crc32c(&[b"123456789"]), 0xe306_9283u32.to_le_bytes());
    }
}
