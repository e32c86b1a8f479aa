//! Plain arrays, which a compiler turns into whatever vectors its target has.

use core::array;

use super::{Arithmetic, LANES, STEP, Simd};

/// No instructions in particular.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

#[inline(always)]
fn each<T: Copy, U>(x: [T; LANES], f: impl Fn(T) -> U) -> [U; LANES] {
    x.map(f)
}

#[inline(always)]
fn both(x: [f32; LANES], y: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    array::from_fn(|lane| f(x[lane], y[lane]))
}

impl Simd for Portable {
    type Floats = [f32; LANES];
    type Sums = [i32; LANES];
    type Weights = [i8; LANES * STEP];
    type Input = i16;

    fn arithmetic(self) -> Arithmetic {
        Arithmetic::Words
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; LANES] {
        [x; LANES]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [f32; LANES] {
        *from
    }

    #[inline(always)]
    fn store(self, x: [f32; LANES], to: &mut [f32; LANES]) {
        *to = x;
    }

    #[inline(always)]
    fn add(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| x + y)
    }

    #[inline(always)]
    fn sub(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| x - y)
    }

    #[inline(always)]
    fn mul(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| x * y)
    }

    #[inline(always)]
    fn div(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| x / y)
    }

    #[inline(always)]
    fn mul_add(self, x: [f32; LANES], y: [f32; LANES], z: [f32; LANES]) -> [f32; LANES] {
        self.add(self.mul(x, y), z)
    }

    #[inline(always)]
    fn min(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| if y < x { y } else { x })
    }

    #[inline(always)]
    fn max(self, x: [f32; LANES], y: [f32; LANES]) -> [f32; LANES] {
        both(x, y, |x, y| if x < y { y } else { x })
    }

    #[inline(always)]
    fn abs(self, x: [f32; LANES]) -> [f32; LANES] {
        each(x, f32::abs)
    }

    #[inline(always)]
    fn with_sign(self, x: [f32; LANES], sign: [f32; LANES]) -> [f32; LANES] {
        both(x, sign, f32::copysign)
    }

    #[inline(always)]
    fn sqrt(self, x: [f32; LANES]) -> [f32; LANES] {
        each(x, f32::sqrt)
    }

    #[inline(always)]
    fn sum(self, [a, b, c, d, e, f, g, h]: [f32; LANES]) -> f32 {
        ((a + b) + (c + d)) + ((e + f) + (g + h))
    }

    #[inline(always)]
    fn largest(self, x: [f32; LANES]) -> f32 {
        x.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    fn power_of_two(self, rounded: [f32; LANES]) -> [f32; LANES] {
        each(rounded, |rounded| f32::from_bits(rounded.to_bits().wrapping_add(127) << 23))
    }

    #[inline(always)]
    fn to_inputs(self, x: [f32; LANES], offset: i32, to: &mut [i16; LANES]) {
        *to = each(x, |x| (x.round_ties_even() as i32 + offset) as i16);
    }

    #[inline(always)]
    fn weights(self, from: &[i8; LANES * STEP]) -> [i8; LANES * STEP] {
        *from
    }

    #[inline(always)]
    fn load_sums(self, from: &[i32; LANES]) -> [i32; LANES] {
        *from
    }

    #[inline(always)]
    fn dot(
        self,
        sums: [i32; LANES],
        weights: [i8; LANES * STEP],
        &[a, b, c, d]: &[i16; STEP],
    ) -> [i32; LANES] {
        let pair = |at: usize, x: i16, y: i16| {
            i32::from(weights[at]) * i32::from(x) + i32::from(weights[at + 1]) * i32::from(y)
        };
        array::from_fn(|lane| sums[lane] + pair(2 * lane, a, b) + pair(2 * (LANES + lane), c, d))
    }

    #[inline(always)]
    fn to_floats(self, sums: [i32; LANES]) -> [f32; LANES] {
        each(sums, |sum| sum as f32)
    }
}
