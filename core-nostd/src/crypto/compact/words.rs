//! 256-bit numbers as eight words, least significant first, in constant time.

/// A number below 2^256.
pub(super) type Words = [u32; 8];

/// `a * b`, as low and high word.
///
/// An ARMv6-M multiplies to 32 bits only, in one cycle, and the compiler's
/// way to 64 bits is a call that does more than is needed. What is known of
/// such a core at compile time is that it has no compare-and-swap.
#[cfg(all(target_arch = "arm", not(target_has_atomic = "ptr")))]
#[inline(always)]
fn wide(a: u32, b: u32) -> (u32, u32) {
    let (al, ah, bl, bh) = (a & 0xffff, a >> 16, b & 0xffff, b >> 16);
    let low = al * bl;
    // Neither sum exceeds (2^16 - 1)^2 + 2^16 - 1, which fits.
    let middle = ah * bl + (low >> 16);
    let cross = al * bh + (middle & 0xffff);
    (cross << 16 | low & 0xffff, ah * bh + (middle >> 16) + (cross >> 16))
}

/// `a * b`, as low and high word.
#[cfg(not(all(target_arch = "arm", not(target_has_atomic = "ptr"))))]
#[inline(always)]
fn wide(a: u32, b: u32) -> (u32, u32) {
    let product = u64::from(a) * u64::from(b);
    (product as u32, (product >> 32) as u32)
}

/// `a * b + c + d`, which fits in two words: low and high.
#[inline(always)]
pub(super) fn multiply_add(a: u32, b: u32, c: u32, d: u32) -> (u32, u32) {
    let (low, high) = wide(a, b);
    let sum = (u64::from(high) << 32 | u64::from(low)) + u64::from(c) + u64::from(d);
    (sum as u32, (sum >> 32) as u32)
}

/// Says something for each index of a number, so that no loop is left: with a
/// constant index there is no bound to check, and a carry stays in a register.
macro_rules! each {
    ($i:ident => $body:block) => {
        $crate::crypto::compact::words::each!(@ $i $body 0 1 2 3 4 5 6 7)
    };
    (@ $i:ident $body:block $($index:literal)+) => {
        $({
            const $i: usize = $index;
            $body
        })+
    };
}
pub(super) use each;

/// The whole product.
#[inline(never)]
pub(super) fn product(a: &Words, b: &Words) -> [u32; 16] {
    let mut out = [0; 16];
    for (i, word) in a.iter().enumerate() {
        if let Some(row) = out[i..].first_chunk_mut() {
            add_multiple(row, *word, b);
        }
    }
    out
}

/// Adds `a * b` to a row of a product, whose last word is still zero.
#[inline(always)]
fn add_multiple(row: &mut [u32; 9], a: u32, b: &Words) {
    let mut carry = 0;
    each!(J => {
        (row[J], carry) = multiply_add(a, b[J], row[J], carry);
    });
    row[8] = carry;
}

/// `a + b`, and the carry.
#[inline(always)]
pub(super) fn add(a: &Words, b: &Words) -> (Words, u32) {
    let mut out = [0; 8];
    let mut carry = false;
    each!(I => {
        (out[I], carry) = carrying_add(a[I], b[I], carry);
    });
    (out, u32::from(carry))
}

/// `a - b`, and the borrow: 0 or 1.
#[inline(always)]
pub(super) fn subtract(a: &Words, b: &Words) -> (Words, u32) {
    let mut out = [0; 8];
    let mut borrow = false;
    each!(I => {
        (out[I], borrow) = borrowing_sub(a[I], b[I], borrow);
    });
    (out, u32::from(borrow))
}

#[inline(always)]
fn carrying_add(a: u32, b: u32, carry: bool) -> (u32, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u32::from(carry));
    (sum, first | second)
}

#[inline(always)]
fn borrowing_sub(a: u32, b: u32, borrow: bool) -> (u32, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(u32::from(borrow));
    (difference, first | second)
}

/// `b` when `choice` is 1, `a` when it is 0.
#[inline(always)]
pub(super) fn select(a: &Words, b: &Words, choice: u32) -> Words {
    let mask = mask(choice);
    let mut out = [0; 8];
    each!(I => {
        out[I] = a[I] ^ (mask & (a[I] ^ b[I]));
    });
    out
}

/// All ones for 1, zero for 0; hidden from an optimiser that would branch.
#[inline(always)]
pub(super) fn mask(choice: u32) -> u32 {
    core::hint::black_box(choice).wrapping_neg()
}

/// 1 when the number is zero.
pub(super) fn is_zero(a: &Words) -> u32 {
    let any = a.iter().fold(0, |any, word| any | word);
    ((any | any.wrapping_neg()) >> 31) ^ 1
}

/// From 32 octets, most significant first.
pub(super) fn from_be(octets: &[u8; 32]) -> Words {
    core::array::from_fn(|i| {
        let at = 28 - 4 * i;
        u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
    })
}

/// To 32 octets, most significant first.
pub(super) fn to_be(words: &Words) -> [u8; 32] {
    core::array::from_fn(|i| (words[7 - i / 4] >> (24 - 8 * (i % 4))) as u8)
}
