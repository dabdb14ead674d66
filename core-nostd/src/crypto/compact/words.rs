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

/// The whole product.
#[inline(never)]
pub(super) fn product(a: &Words, b: &Words) -> [u32; 16] {
    let mut out = [0; 16];
    for i in 0..8 {
        let mut carry = 0;
        for j in 0..8 {
            (out[i + j], carry) = multiply_add(a[i], b[j], out[i + j], carry);
        }
        out[i + 8] = carry;
    }
    out
}

/// `a + b`, and the carry.
pub(super) fn add(a: &Words, b: &Words) -> (Words, u32) {
    let mut out = [0; 8];
    let mut carry = 0;
    for i in 0..8 {
        let sum = u64::from(a[i]) + u64::from(b[i]) + carry;
        out[i] = sum as u32;
        carry = sum >> 32;
    }
    (out, carry as u32)
}

/// `a - b`, and the borrow: 0 or 1.
pub(super) fn subtract(a: &Words, b: &Words) -> (Words, u32) {
    let mut out = [0; 8];
    let mut borrow = 0;
    for i in 0..8 {
        let difference = i64::from(a[i]) - i64::from(b[i]) + borrow;
        out[i] = difference as u32;
        borrow = difference >> 32;
    }
    (out, (borrow as u32) & 1)
}

/// `b` when `choice` is 1, `a` when it is 0.
pub(super) fn select(a: &Words, b: &Words, choice: u32) -> Words {
    let mask = mask(choice);
    core::array::from_fn(|i| a[i] ^ (mask & (a[i] ^ b[i])))
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
