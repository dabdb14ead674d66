//! The Montgomery ladder of Curve25519 (RFC 7748), a few rungs at a time.

use super::words::{self, Words, multiply_add};
use zeroize::Zeroize;

/// "p = 2^255 - 19"
const P: Words = [0xffff_ffed, !0, !0, !0, !0, !0, !0, 0x7fff_ffff];

/// The base point's u-coordinate.
pub(super) const BASE: [u8; 32] = {
    let mut base = [0; 32];
    base[0] = 9;
    base
};

/// How many rungs a step climbs.
const RUNGS: u32 = 24;

/// Adds `38 * times` to a number that was `times * 2^256` larger: 2^256 is 38
/// modulo p.
fn fold(mut a: Words, times: u32) -> Words {
    let mut more = times * 38;
    // The second round is for a carry out of the first, after which the
    // number is small.
    for _ in 0..2 {
        let mut carry = u64::from(more);
        for word in &mut a {
            carry += u64::from(*word);
            *word = carry as u32;
            carry >>= 32;
        }
        more = carry as u32 * 38;
    }
    a
}

fn add(a: &Words, b: &Words) -> Words {
    let (sum, carry) = words::add(a, b);
    fold(sum, carry)
}

fn subtract(a: &Words, b: &Words) -> Words {
    let (mut out, mut borrow) = words::subtract(a, b);
    // As in `fold`, downwards.
    for _ in 0..2 {
        (out, borrow) = words::subtract(&out, &[borrow * 38, 0, 0, 0, 0, 0, 0, 0]);
    }
    out
}

fn multiply(a: &Words, b: &Words) -> Words {
    let product = words::product(a, b);
    let mut out = [0; 8];
    let mut carry = 0;
    for i in 0..8 {
        (out[i], carry) = multiply_add(product[i + 8], 38, product[i], carry);
    }
    fold(out, carry)
}

/// a^(p - 2), which is 1/a.
fn invert(a: &Words) -> Words {
    // p - 2 is all ones but bits 2 and 4.
    let mut out = *a;
    for bit in (0..254).rev() {
        out = multiply(&out, &out);
        if bit != 2 && bit != 4 {
            out = multiply(&out, a);
        }
    }
    out
}

/// The number below p.
fn freeze(a: &Words) -> Words {
    let mut out = *a;
    // Below 2^256, that is twice p and a little.
    for _ in 0..2 {
        let (less, borrow) = words::subtract(&out, &P);
        out = words::select(&less, &out, borrow);
    }
    out
}

fn swap(a: &mut Words, b: &mut Words, choice: u32) {
    let (x, y) = (words::select(a, b, choice), words::select(b, a, choice));
    (*a, *b) = (x, y);
}

fn from_le(octets: &[u8; 32]) -> Words {
    let mut reversed = *octets;
    reversed.reverse();
    words::from_be(&reversed)
}

/// A multiplication under way. Wiped when dropped.
pub(super) struct Ladder {
    scalar: Words,
    x1: Words,
    x2: Words,
    z2: Words,
    x3: Words,
    z3: Words,
    swapped: u32,
    /// Rungs to climb.
    left: u32,
}

impl Drop for Ladder {
    fn drop(&mut self) {
        for words in [&mut self.scalar, &mut self.x2, &mut self.z2, &mut self.x3, &mut self.z3] {
            words.zeroize();
        }
    }
}

impl Ladder {
    /// Begins `scalar` times the point with the u-coordinate `u`.
    pub(super) fn new(scalar: &[u8; 32], u: &[u8; 32]) -> Self {
        let mut scalar = from_le(scalar);
        // "Set the three least significant bits of the first byte and the
        // most significant bit of the last to zero, set the second most
        // significant bit of the last byte to 1" (RFC 7748, Section 5)
        scalar[0] &= !7;
        scalar[7] = scalar[7] & 0x7fff_ffff | 0x4000_0000;
        let mut x1 = from_le(u);
        // "implementations of X25519 [...] MUST mask the most significant bit
        // in the final byte"
        x1[7] &= 0x7fff_ffff;
        let mut one = [0; 8];
        one[0] = 1;
        Self { scalar, x1, x2: one, z2: [0; 8], x3: x1, z3: one, swapped: 0, left: 255 }
    }

    /// Goes on a little; the result at the end.
    pub(super) fn step(&mut self) -> Option<[u8; 32]> {
        if self.left > 0 {
            for _ in 0..RUNGS.min(self.left) {
                self.left -= 1;
                self.rung();
            }
            return None;
        }
        swap(&mut self.x2, &mut self.x3, self.swapped);
        swap(&mut self.z2, &mut self.z3, self.swapped);
        self.swapped = 0;
        let mut out = words::to_be(&freeze(&multiply(&self.x2, &invert(&self.z2))));
        out.reverse();
        Some(out)
    }

    /// The loop's body of RFC 7748, Section 5, with its names.
    fn rung(&mut self) {
        let k_t = (self.scalar[(self.left / 32) as usize] >> (self.left % 32)) & 1;
        swap(&mut self.x2, &mut self.x3, self.swapped ^ k_t);
        swap(&mut self.z2, &mut self.z3, self.swapped ^ k_t);
        self.swapped = k_t;
        let a = add(&self.x2, &self.z2);
        let aa = multiply(&a, &a);
        let b = subtract(&self.x2, &self.z2);
        let bb = multiply(&b, &b);
        let e = subtract(&aa, &bb);
        let da = multiply(&subtract(&self.x3, &self.z3), &a);
        let cb = multiply(&add(&self.x3, &self.z3), &b);
        let sum = add(&da, &cb);
        self.x3 = multiply(&sum, &sum);
        let difference = subtract(&da, &cb);
        self.z3 = multiply(&self.x1, &multiply(&difference, &difference));
        self.x2 = multiply(&aa, &bb);
        self.z2 = multiply(&e, &add(&aa, &scale(&e)));
    }
}

/// `a24` times a number.
fn scale(a: &Words) -> Words {
    let mut out = [0; 8];
    let mut carry = 0;
    for i in 0..8 {
        (out[i], carry) = multiply_add(a[i], 121_665, 0, carry);
    }
    fold(out, carry)
}
