//! The curve P-256 (FIPS 186-5, SP 800-186), a few bits of a scalar at a time.
//!
//! The formulas are the complete ones of Renes, Costello and Batina ("Complete
//! addition formulas for prime order elliptic curves", Algorithms 4 and 6):
//! there is no case to tell apart, neither for secrets to leak nor for an
//! attacker to hit.

use super::table::COMB;
use super::words::{self, Words, multiply_add};
use zeroize::Zeroize;

/// "p = 2^256 - 2^224 + 2^192 + 2^96 - 1"
const P: Words = [!0, !0, !0, 0, 0, 0, 1, !0];
/// The number of points.
pub(super) const N: Words = [0xfc63_2551, 0xf3b9_cac2, 0xa717_9e84, 0xbce6_faad, !0, !0, 0, !0];
/// -1/n modulo 2^32.
const N_INVERSE: u32 = 0xee00_bc4f;
/// 2^512 modulo p, and modulo n: what brings a number into Montgomery's form.
const P_SQUARE: Words =
    [0x0000_0003, 0x0000_0000, 0xffff_ffff, 0xffff_fffb, 0xffff_fffe, 0xffff_ffff, 0xffff_fffd, 0x0000_0004];
const N_SQUARE: Words =
    [0xbe79_eea2, 0x8324_4c95, 0x49bd_6fa6, 0x4699_799c, 0x2b6b_ec59, 0x2845_b239, 0xf3d9_5620, 0x66e1_2d94];

// ---------------------------------------------------------- modulo p and n

/// A number modulo p, times 2^256.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Element(pub(super) Words);

const ZERO: Element = Element([0; 8]);
/// 2^256 modulo p.
pub(super) const ONE: Element = Element([1, 0, 0, !0, !0, !0, !1, 0]);
/// The curve's b.
const B: Element = Element([
    0x29c4_bddf,
    0xd89c_df62,
    0x7884_3090,
    0xacf0_05cd,
    0xf721_2ed6,
    0xe5a2_20ab,
    0x0487_4834,
    0xdc30_061d,
]);

/// The sum below 2 * `modulus` that `words` and `carry` are, below it.
fn reduce_once(words: &Words, carry: u32, modulus: &Words) -> Words {
    let (less, borrow) = words::subtract(words, modulus);
    // It was below the modulus when taking it off goes below zero.
    words::select(&less, words, borrow & (carry ^ 1))
}

impl Element {
    /// From octets, most significant first; `None` from p on.
    fn from_be(octets: &[u8; 32]) -> Option<Self> {
        let words = words::from_be(octets);
        let (_, below) = words::subtract(&words, &P);
        (below == 1).then(|| Self(words) * Self(P_SQUARE))
    }

    pub(super) fn to_words(self) -> Words {
        (self * Self([1, 0, 0, 0, 0, 0, 0, 0])).0
    }

    pub(super) fn invert(self) -> Self {
        let mut exponent = P;
        exponent[0] -= 2;
        let mut power = ONE;
        for at in (0..256).rev() {
            power = power * power;
            if bit(&exponent, at) == 1 {
                power = power * self;
            }
        }
        power
    }
}

/// What stands behind the operators takes references, so that no operand is
/// copied.
impl core::ops::Add for Element {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(add(&self.0, &other.0))
    }
}

impl core::ops::Sub for Element {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(subtract(&self.0, &other.0))
    }
}

impl core::ops::Mul for Element {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(multiply(&self.0, &other.0))
    }
}

#[inline(never)]
fn add(a: &Words, b: &Words) -> Words {
    let (sum, carry) = words::add(a, b);
    reduce_once(&sum, carry, &P)
}

#[inline(never)]
fn subtract(a: &Words, b: &Words) -> Words {
    let (difference, borrow) = words::subtract(a, b);
    let mask = words::mask(borrow);
    let mut p = P;
    words::each!(I => { p[I] &= mask; });
    words::add(&difference, &p).0
}

/// Montgomery's reduction. p is -1 modulo 2^32, so what is added to make a
/// column vanish is that column itself times p, and p's words are so simple
/// that no multiplication is left. Columns are summed from the lowest up.
#[inline(never)]
fn multiply(a: &Words, b: &Words) -> Words {
    let t = words::product(a, b);
    // With zeros on both sides, which the optimiser sees.
    let mut q = [0_i64; 24];
    let mut out = [0; 8];
    let mut sum = 0_i64;
    // q * p = q * (2^256 - 2^224 + 2^192 + 2^96 - 1)
    words::each!(K => {
        sum += i64::from(t[K]) - q[K + 1] + q[K + 2] + q[K + 5];
        q[K + 8] = i64::from(sum as u32);
        // Taking off q at its own column leaves zero there.
        sum >>= 32;
    });
    words::each!(K => {
        sum += i64::from(t[K + 8]) + q[K + 8] - q[K + 9] + q[K + 10] + q[K + 13];
        out[K] = sum as u32;
        sum >>= 32;
    });
    reduce_once(&out, sum as u32, &P)
}

/// A number modulo n, times 2^256.
#[derive(Clone, Copy)]
pub(super) struct Scalar(Words);

impl Scalar {
    /// From a number below 2^256.
    pub(super) fn new(words: &Words) -> Self {
        Self(reduce_once(words, 0, &N)) * Self(N_SQUARE)
    }

    pub(super) fn to_words(self) -> Words {
        (self * Self([1, 0, 0, 0, 0, 0, 0, 0])).0
    }
}

/// 1/a modulo n under way: a^(n - 2). Wiped when dropped.
pub(super) struct Inversion {
    base: Scalar,
    power: Scalar,
    /// How many bits of the exponent are still to do.
    left: u32,
}

impl Drop for Inversion {
    fn drop(&mut self) {
        self.base.0.zeroize();
        self.power.0.zeroize();
    }
}

impl Inversion {
    pub(super) fn new(of: Scalar) -> Self {
        Self { base: of, power: Scalar::new(&[1, 0, 0, 0, 0, 0, 0, 0]), left: 256 }
    }

    /// Goes on a little; the inverse at the end.
    pub(super) fn step(&mut self) -> Option<Scalar> {
        let mut exponent = N;
        exponent[0] -= 2;
        for _ in 0..64 {
            self.left = self.left.saturating_sub(1);
            self.power = self.power * self.power;
            if bit(&exponent, self.left) == 1 {
                self.power = self.power * self.base;
            }
        }
        (self.left == 0).then_some(self.power)
    }
}

impl core::ops::Add for Scalar {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (sum, carry) = words::add(&self.0, &other.0);
        Self(reduce_once(&sum, carry, &N))
    }
}

impl core::ops::Mul for Scalar {
    type Output = Self;

    #[inline(never)]
    fn mul(self, other: Self) -> Self {
        let mut t = words::product(&self.0, &other.0);
        let mut carries = 0;
        for i in 0..8 {
            let q = t[i].wrapping_mul(N_INVERSE);
            let mut carry = 0;
            for j in 0..8 {
                (t[i + j], carry) = multiply_add(q, N[j], t[i + j], carry);
            }
            let sum = u64::from(t[i + 8]) + u64::from(carry) + carries;
            t[i + 8] = sum as u32;
            carries = sum >> 32;
        }
        let high = core::array::from_fn(|i| t[i + 8]);
        Self(reduce_once(&high, carries as u32, &N))
    }
}

/// A scalar from 1 to n - 1, as octets; `None` for others.
pub(super) fn private_key(octets: &[u8; 32]) -> Option<Words> {
    let words = words::from_be(octets);
    let (_, below) = words::subtract(&words, &N);
    (below == 1 && words::is_zero(&words) == 0).then_some(words)
}

// ------------------------------------------------------------------ points

/// A point in projective coordinates; the neutral one is (0 : 1 : 0).
#[derive(Clone, Copy)]
pub(super) struct Point {
    x: Element,
    y: Element,
    z: Element,
}

pub(super) const NEUTRAL: Point = Point { x: ZERO, y: ONE, z: ZERO };

impl Point {
    /// From an uncompressed point (SEC 1, Section 2.3.4) that lies on the
    /// curve.
    pub(super) fn from_sec1(octets: &[u8]) -> Option<Self> {
        let (form, coordinates) = octets.split_first()?;
        let (x, y) = coordinates.split_first_chunk()?;
        let (x, y) = (Element::from_be(x)?, Element::from_be(y.try_into().ok()?)?);
        let on_curve = y * y == x * x * x - (x + x + x) + B;
        (*form == 4 && on_curve).then_some(Self { x, y, z: ONE })
    }

    /// The affine coordinates, or `None` for the neutral point.
    pub(super) fn to_affine(self) -> Option<(Words, Words)> {
        if words::is_zero(&self.z.0) == 1 {
            return None;
        }
        let inverse = self.z.invert();
        Some(((self.x * inverse).to_words(), (self.y * inverse).to_words()))
    }

    #[inline(never)]
    pub(super) fn double(&self) -> Self {
        let Self { x, y, z } = *self;
        let (xx, yy, zz) = (x * x, y * y, z * z);
        let (xy, xz, yz) = (x * y, x * z, y * z);
        let (xy, xz, yz) = (xy + xy, xz + xz, yz + yz);
        let d = B * zz - xz;
        let d = d + d + d;
        let zz = zz + zz + zz;
        let e = B * xz - zz - xx;
        let e = e + e + e;
        let f = xx + xx + xx - zz;
        let (lower, upper) = (yy - d, yy + d);
        let z = yz * yy;
        let z = z + z;
        Self { x: lower * xy - yz * e, y: lower * upper + f * e, z: z + z }
    }

    #[inline(never)]
    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b) = (self, other);
        let (xx, yy, zz) = (a.x * b.x, a.y * b.y, a.z * b.z);
        let xy = (a.x + a.y) * (b.x + b.y) - (xx + yy);
        let yz = (a.y + a.z) * (b.y + b.z) - (yy + zz);
        let xz = (a.x + a.z) * (b.x + b.z) - (xx + zz);
        let d = xz - B * zz;
        let d = d + d + d;
        let (lower, upper) = (yy - d, yy + d);
        let zz = zz + zz + zz;
        let e = B * xz - zz - xx;
        let e = e + e + e;
        let f = xx + xx + xx - zz;
        Self { x: xy * upper - yz * e, y: upper * lower + f * e, z: yz * lower + xy * f }
    }

    fn select(a: &Self, b: &Self, choice: u32) -> Self {
        Self {
            x: Element(words::select(&a.x.0, &b.x.0, choice)),
            y: Element(words::select(&a.y.0, &b.y.0, choice)),
            z: Element(words::select(&a.z.0, &b.z.0, choice)),
        }
    }
}

/// 1 when both are equal.
fn equal(a: u32, b: u32) -> u32 {
    let different = a ^ b;
    ((different | different.wrapping_neg()) >> 31) ^ 1
}

// ------------------------------------------------- multiplication by steps

/// How many bits of the scalars a step takes.
const BITS: u32 = 8;

/// `base * G + scalar * point` under way. Wiped when dropped.
pub(super) struct Multiplication {
    sum: Point,
    /// What multiplies the generator.
    base: Words,
    /// What multiplies the other point.
    scalar: Words,
    /// 1 to 8 times the other point, once the first step has made them of the
    /// first.
    multiples: [Point; 8],
    multiplied: bool,
    /// Whether there is another point.
    by_point: bool,
    /// How many bits are still to do.
    left: u32,
}

impl Drop for Multiplication {
    fn drop(&mut self) {
        self.base.zeroize();
        self.scalar.zeroize();
        self.sum = NEUTRAL;
    }
}

impl Multiplication {
    /// Begins `base * G`: 64 doublings.
    pub(super) fn of_base(base: Words) -> Self {
        Self {
            sum: NEUTRAL,
            base,
            scalar: [0; 8],
            multiples: [NEUTRAL; 8],
            multiplied: true,
            by_point: false,
            left: 64,
        }
    }

    /// Begins `base * G + scalar * point`: 256 doublings.
    pub(super) fn of_point(base: Words, scalar: Words, point: &Point) -> Self {
        Self {
            sum: NEUTRAL,
            base,
            scalar,
            multiples: [*point; 8],
            multiplied: false,
            by_point: true,
            left: 257,
        }
    }

    /// Goes on a little; the sum at the end.
    pub(super) fn step(&mut self) -> Option<Point> {
        if !self.multiplied {
            let [point, others @ ..] = &mut self.multiples;
            let mut sum = *point;
            for multiple in others {
                sum = sum.add(point);
                *multiple = sum;
            }
            self.multiplied = true;
            return None;
        }
        for _ in 0..BITS.min(self.left) {
            self.left -= 1;
            self.sum = self.sum.double();
            if self.by_point && self.left.is_multiple_of(4) {
                self.sum = self.sum.add(&signed(&self.multiples, digit(&self.scalar, self.left)));
            }
            if self.left < 64 {
                self.sum = self.sum.add(&comb(&self.base, self.left));
            }
        }
        (self.left == 0).then_some(self.sum)
    }
}

/// Bit `at` of a number; 0 beyond its ends.
fn bit(words: &Words, at: u32) -> u32 {
    words.get((at / 32) as usize).map_or(0, |word| (word >> (at % 32)) & 1)
}

/// The signed digit at bit `at`, from -8 to 8, of Booth's recoding with four
/// bits: as magnitude, and 1 for negative.
fn digit(scalar: &Words, at: u32) -> (u32, u32) {
    let below = if at == 0 { 0 } else { bit(scalar, at - 1) };
    let four = (0..4).fold(0, |all, i| all | bit(scalar, at + i) << i);
    let negative = four >> 3;
    let sum = four + below;
    // 16 - sum where negative.
    (words::mask(negative) & (16_u32.wrapping_sub(sum)) | !words::mask(negative) & sum, negative)
}

/// A multiple of a point by a signed digit.
fn signed(multiples: &[Point; 8], (magnitude, negative): (u32, u32)) -> Point {
    let mut out = NEUTRAL;
    for (i, multiple) in (1..).zip(multiples) {
        out = Point::select(&out, multiple, equal(i, magnitude));
    }
    out.y = Element(words::select(&out.y.0, &(ZERO - out.y).0, negative));
    out
}

/// What the bits `at`, 64 + `at`, 128 + `at` and 192 + `at` of a number make
/// of the generator.
fn comb(scalar: &Words, at: u32) -> Point {
    let index = (0..4).fold(0, |all, i| all | bit(scalar, at + 64 * i) << i);
    let mut out = NEUTRAL;
    for (i, [x, y]) in (1..).zip(&COMB) {
        let entry = Point { x: Element(*x), y: Element(*y), z: ONE };
        out = Point::select(&out, &entry, equal(i, index));
    }
    out
}
