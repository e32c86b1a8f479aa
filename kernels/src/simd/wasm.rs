//! Two vectors of 128 bits, as every browser has them.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_convert_i32x4, f32x4_div, f32x4_extract_lane, f32x4_mul, f32x4_pmax,
    f32x4_pmin, f32x4_splat, f32x4_sqrt, f32x4_sub, i32x4_add, i32x4_shl, i32x4_shuffle, i32x4_splat,
    i32x4_sub, v128, v128_bitselect,
};

use bytemuck::cast;

use super::{Arithmetic, LANES, ROUNDER, STEP, Simd};

/// The instructions of WebAssembly: simd128, and relaxed SIMD where the module is compiled with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wasm;

#[inline(always)]
fn both([a, b]: [v128; 2], [c, d]: [v128; 2], f: impl Fn(v128, v128) -> v128) -> [v128; 2] {
    [f(a, c), f(b, d)]
}

impl Simd for Wasm {
    type Floats = [v128; 2];
    type Sums = [v128; 2];
    type Weights = products::Weights;
    type Input = products::Input;

    #[inline(always)]
    fn arithmetic(self) -> Arithmetic {
        products::arithmetic(self)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [v128; 2] {
        [f32x4_splat(x); 2]
    }

    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [v128; 2] {
        cast(*from)
    }

    #[inline(always)]
    fn store(self, x: [v128; 2], to: &mut [f32; LANES]) {
        *to = cast(x);
    }

    #[inline(always)]
    fn add(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_add(x, y))
    }

    #[inline(always)]
    fn sub(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_sub(x, y))
    }

    #[inline(always)]
    fn mul(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_mul(x, y))
    }

    #[inline(always)]
    fn div(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_div(x, y))
    }

    #[inline(always)]
    fn mul_add(self, [a, b]: [v128; 2], [c, d]: [v128; 2], [e, f]: [v128; 2]) -> [v128; 2] {
        [products::mul_add(a, c, e), products::mul_add(b, d, f)]
    }

    #[inline(always)]
    fn min(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_pmin(x, y))
    }

    #[inline(always)]
    fn max(self, x: [v128; 2], y: [v128; 2]) -> [v128; 2] {
        both(x, y, |x, y| f32x4_pmax(x, y))
    }

    #[inline(always)]
    fn abs(self, x: [v128; 2]) -> [v128; 2] {
        x.map(|x| f32x4_abs(x))
    }

    #[inline(always)]
    fn with_sign(self, x: [v128; 2], sign: [v128; 2]) -> [v128; 2] {
        both(x, sign, |x, sign| v128_bitselect(sign, x, i32x4_splat(i32::MIN)))
    }

    #[inline(always)]
    fn sqrt(self, x: [v128; 2]) -> [v128; 2] {
        x.map(|x| f32x4_sqrt(x))
    }

    #[inline(always)]
    fn sum(self, [low, high]: [v128; 2]) -> f32 {
        let four = f32x4_add(low, high);
        let two = f32x4_add(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
        f32x4_extract_lane::<0>(f32x4_add(two, i32x4_shuffle::<1, 0, 3, 2>(two, two)))
    }

    #[inline(always)]
    fn largest(self, [low, high]: [v128; 2]) -> f32 {
        let four = f32x4_pmax(low, high);
        let two = f32x4_pmax(four, i32x4_shuffle::<2, 3, 0, 1>(four, four));
        f32x4_extract_lane::<0>(f32x4_pmax(two, i32x4_shuffle::<1, 0, 3, 2>(two, two)))
    }

    #[inline(always)]
    fn power_of_two(self, rounded: [v128; 2]) -> [v128; 2] {
        rounded.map(|rounded| i32x4_shl(i32x4_add(rounded, i32x4_splat(127)), 23))
    }

    #[inline(always)]
    fn to_inputs(self, x: [v128; 2], offset: i32, to: &mut [products::Input; LANES]) {
        let rest = i32x4_splat(ROUNDER.to_bits().cast_signed() - offset);
        let [low, high] = x.map(|x| i32x4_sub(f32x4_add(x, f32x4_splat(ROUNDER)), rest));
        *to = products::narrow(low, high);
    }

    #[inline(always)]
    fn weights(self, from: &[i8; LANES * STEP]) -> products::Weights {
        products::weights(from)
    }

    #[inline(always)]
    fn load_sums(self, from: &[i32; LANES]) -> [v128; 2] {
        cast(*from)
    }

    #[inline(always)]
    fn dot(self, sums: [v128; 2], weights: products::Weights, inputs: &[products::Input; STEP]) -> [v128; 2] {
        products::dot(sums, weights, inputs)
    }

    #[inline(always)]
    fn to_floats(self, sums: [v128; 2]) -> [v128; 2] {
        sums.map(|sum| f32x4_convert_i32x4(sum))
    }
}

/// Products as simd128 has them: of integers of 16 bits, and of f32 without fusing.
#[cfg(not(feature = "relaxed"))]
mod products {
    use core::arch::wasm32::{
        f32x4_add, f32x4_mul, i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i16x8_narrow_i32x4, i32x4_add,
        i32x4_dot_i16x8, i32x4_splat, v128,
    };

    use bytemuck::cast;

    use super::super::{Arithmetic, LANES, STEP};

    pub(super) type Input = i16;
    /// For each 2 inputs, the weights of 4 outputs and of 4 more.
    pub(super) type Weights = [[v128; 2]; 2];

    pub(super) fn arithmetic(_: super::Wasm) -> Arithmetic {
        Arithmetic::Words
    }

    #[inline(always)]
    pub(super) fn mul_add(x: v128, y: v128, z: v128) -> v128 {
        f32x4_add(f32x4_mul(x, y), z)
    }

    #[inline(always)]
    pub(super) fn narrow(low: v128, high: v128) -> [i16; LANES] {
        cast(i16x8_narrow_i32x4(low, high))
    }

    #[inline(always)]
    pub(super) fn weights(from: &[i8; LANES * STEP]) -> Weights {
        let pairs: [v128; 2] = cast(*from);
        pairs.map(|pair| [i16x8_extend_low_i8x16(pair), i16x8_extend_high_i8x16(pair)])
    }

    #[inline(always)]
    pub(super) fn dot([low, high]: [v128; 2], weights: Weights, inputs: &[i16; STEP]) -> [v128; 2] {
        // Each pair is loaded by itself, as there is one instruction that loads and repeats it.
        let (pairs, _) = inputs.as_chunks::<2>();
        let [first, second] = [0, 1].map(|at: usize| i32x4_splat(cast(pairs[at])));
        let [[low_first, high_first], [low_second, high_second]] = weights;
        let low = i32x4_add(low, i32x4_dot_i16x8(low_first, first));
        let high = i32x4_add(high, i32x4_dot_i16x8(high_first, first));
        [
            i32x4_add(low, i32x4_dot_i16x8(low_second, second)),
            i32x4_add(high, i32x4_dot_i16x8(high_second, second)),
        ]
    }
}

/// Products of relaxed SIMD: of integers of 8 bits, and fused ones of f32.
#[cfg(feature = "relaxed")]
mod products {
    use core::arch::wasm32::{
        f32x4_relaxed_madd, i8x16_shuffle, i32x4_extract_lane, i32x4_relaxed_dot_i8x16_i7x16_add,
        i32x4_splat, v128,
    };
    use core::hint::black_box;

    use bytemuck::cast;

    use super::super::{Arithmetic, LANES, STEP};

    pub(super) type Input = u8;
    /// The weights of 4 outputs and of 4 more.
    pub(super) type Weights = [v128; 2];

    /// What becomes of a second operand above 127 is the processor's choice: it may be positive or negative, and sums of
    /// two products may be cut at 16 bits. So a product is asked what it does.
    pub(super) fn arithmetic(_: super::Wasm) -> Arithmetic {
        let product = |weight: i8, input: u8| {
            let weights = black_box(cast([weight; 16]));
            i32x4_extract_lane::<0>(i32x4_relaxed_dot_i8x16_i7x16_add(
                weights,
                black_box(cast([input; 16])),
                i32x4_splat(0),
            ))
        };
        match (product(127, 255), product(-127, 255), product(127, 129)) {
            (129_540, -129_540, 65_532) => Arithmetic::Bytes { offset: 128 },
            (-508, 508, -64_516) => Arithmetic::Bytes { offset: 0 },
            // Not to be used; `module.rs` says so.
            _ => Arithmetic::Words,
        }
    }

    #[inline(always)]
    pub(super) fn mul_add(x: v128, y: v128, z: v128) -> v128 {
        f32x4_relaxed_madd(x, y, z)
    }

    #[inline(always)]
    pub(super) fn narrow(low: v128, high: v128) -> [u8; LANES] {
        let [bytes, _]: [u64; 2] =
            cast(i8x16_shuffle::<0, 4, 8, 12, 16, 20, 24, 28, 0, 0, 0, 0, 0, 0, 0, 0>(low, high));
        cast(bytes)
    }

    #[inline(always)]
    pub(super) fn weights(from: &[i8; LANES * STEP]) -> Weights {
        cast(*from)
    }

    #[inline(always)]
    pub(super) fn dot([low, high]: [v128; 2], weights: Weights, inputs: &[u8; STEP]) -> [v128; 2] {
        let inputs = i32x4_splat(cast(*inputs));
        let [low_weights, high_weights] = weights;
        [
            i32x4_relaxed_dot_i8x16_i7x16_add(low_weights, inputs, low),
            i32x4_relaxed_dot_i8x16_i7x16_add(high_weights, inputs, high),
        ]
    }
}
