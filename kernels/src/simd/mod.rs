//! Eight numbers at a time, on every kind of processor.
//!
//! A type that implements [`Simd`] stands for the instructions that it uses: who has one may use them. All kernels are
//! generic over it, and inline to the last line into a function that is compiled for these instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod wasm;

use bytemuck::Pod;

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, AvxVnni};
#[cfg(not(target_arch = "wasm32"))]
pub use portable::Portable;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
pub use wasm::Wasm;

/// How many numbers there are at a time.
pub const LANES: usize = 8;

/// How many inputs of a dense layer are multiplied at a time.
pub const STEP: usize = 4;

/// How inputs of a dense layer are rounded before they are multiplied by weights of 8 bits, and in which order weights
/// lie for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// To 16 bits. Weights: for each 2 inputs those of 8 outputs.
    Words,
    /// To 8 bits, with 128 added where the processor's product takes them for positive. Weights: for each 4 inputs those
    /// of 8 outputs.
    Bytes {
        /// 0 or 128.
        offset: i32,
    },
}

impl Arithmetic {
    /// Its number where only numbers can be said.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Words => 0,
            Self::Bytes { offset: 0 } => 1,
            Self::Bytes { .. } => 2,
        }
    }

    /// The one of a number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Words,
            1 => Self::Bytes { offset: 0 },
            _ => Self::Bytes { offset: 128 },
        }
    }

    /// The largest integer that is rounded to. Sums of 32 products stay far inside 32 bits.
    #[must_use]
    pub fn largest(self) -> f32 {
        match self {
            Self::Words => 32767.0,
            Self::Bytes { .. } => 127.0,
        }
    }

    /// What is added to each integer.
    #[must_use]
    pub fn offset(self) -> i32 {
        match self {
            Self::Words => 0,
            Self::Bytes { offset } => offset,
        }
    }

    /// The bytes of an integer.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Words => 2,
            Self::Bytes { .. } => 1,
        }
    }

    /// How many weights of an output lie together.
    #[must_use]
    pub fn inputs_together(self) -> usize {
        match self {
            Self::Words => 2,
            Self::Bytes { .. } => 4,
        }
    }
}

/// 3 · 2²². Numbers about this large are integers, so what is added to it is rounded to the nearest one, which then lies
/// in the lowest bits.
pub const ROUNDER: f32 = 12_582_912.0;

/// Instructions for eight numbers at a time.
pub trait Simd: Copy {
    /// Eight f32.
    type Floats: Copy;
    /// Eight i32.
    type Sums: Copy;
    /// 4 inputs' weights for 8 outputs.
    type Weights: Copy;
    /// A rounded input.
    type Input: Pod;

    /// How inputs are rounded.
    fn arithmetic(self) -> Arithmetic;

    /// The same number eight times.
    fn splat(self, x: f32) -> Self::Floats;
    /// Numbers from memory.
    fn load(self, from: &[f32; LANES]) -> Self::Floats;
    /// Numbers into memory.
    fn store(self, x: Self::Floats, to: &mut [f32; LANES]);
    /// `x + y`.
    fn add(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// `x - y`.
    fn sub(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// `x · y`.
    fn mul(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// `x / y`.
    fn div(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// `x · y + z`, rounded once or twice.
    fn mul_add(self, x: Self::Floats, y: Self::Floats, z: Self::Floats) -> Self::Floats;
    /// The smaller of two; NaN where the first one is.
    fn min(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// The larger of two; NaN where the first one is.
    fn max(self, x: Self::Floats, y: Self::Floats) -> Self::Floats;
    /// `|x|`.
    fn abs(self, x: Self::Floats) -> Self::Floats;
    /// `x` with the sign of `sign`; `x` is not negative.
    fn with_sign(self, x: Self::Floats, sign: Self::Floats) -> Self::Floats;
    /// The square root.
    fn sqrt(self, x: Self::Floats) -> Self::Floats;
    /// The sum of all eight.
    fn sum(self, x: Self::Floats) -> f32;
    /// The largest of all eight.
    fn largest(self, x: Self::Floats) -> f32;
    /// `2ⁿ` for integers from -126 to 127, given `n +` [`ROUNDER`].
    fn power_of_two(self, rounded: Self::Floats) -> Self::Floats;

    /// Rounds to the nearest integers and adds an offset; numbers are within ±2²¹.
    fn to_inputs(self, x: Self::Floats, offset: i32, to: &mut [Self::Input; LANES]);
    /// Weights of 4 inputs for 8 outputs, in the order that the arithmetic says.
    fn weights(self, from: &[i8; LANES * STEP]) -> Self::Weights;
    /// Sums from memory.
    fn load_sums(self, from: &[i32; LANES]) -> Self::Sums;
    /// `sums + weights · inputs`, for each of 8 outputs.
    fn dot(self, sums: Self::Sums, weights: Self::Weights, inputs: &[Self::Input; STEP]) -> Self::Sums;
    /// As f32.
    fn to_floats(self, sums: Self::Sums) -> Self::Floats;
}

/// The first numbers of a slice, of which there may be fewer than eight; the rest are 0.
#[inline(always)]
pub fn load_some<S: Simd>(s: S, from: &[f32]) -> S::Floats {
    if let Some(all) = from.first_chunk() {
        return s.load(all);
    }
    let mut some = [0.0; LANES];
    for (to, &from) in some.iter_mut().zip(from) {
        *to = from;
    }
    s.load(&some)
}

/// As many numbers as the slice has room for.
#[inline(always)]
pub fn store_some<S: Simd>(s: S, x: S::Floats, to: &mut [f32]) {
    if let Some(all) = to.first_chunk_mut() {
        return s.store(x, all);
    }
    for (to, from) in to.iter_mut().zip(lanes(s, x)) {
        *to = from;
    }
}

/// The eight numbers.
#[inline(always)]
pub fn lanes<S: Simd>(s: S, x: S::Floats) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    s.store(x, &mut lanes);
    lanes
}
