//! Vectors of 256 bits on processors of Intel and AMD.

use core::arch::x86_64::{
    __m256, __m256i, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_loadu_si128, _mm_max_ps, _mm_max_ss,
    _mm_movehdup_ps, _mm_movehl_ps, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_andnot_ps,
    _mm256_castps256_ps128, _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_cvtps_epi32, _mm256_div_ps,
    _mm256_dpbusd_avx_epi32, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_madd_epi16, _mm256_max_ps,
    _mm256_min_ps, _mm256_mul_ps, _mm256_or_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi32,
    _mm256_sqrt_ps, _mm256_sub_ps,
};

use bytemuck::cast;

use super::{Arithmetic, LANES, STEP, Simd};

/// AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub struct Avx2(());

/// AVX2, FMA, and dot products of integers of 8 bits.
#[derive(Clone, Copy, Debug)]
pub struct AvxVnni(());

impl Avx2 {
    /// Where the processor has them.
    #[must_use]
    pub fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl AvxVnni {
    /// Where the processor has them.
    #[must_use]
    pub fn new() -> Option<Self> {
        let _ = Avx2::new()?;
        is_x86_feature_detected!("avxvnni").then_some(Self(()))
    }
}

/// What both have in common.
macro_rules! floats {
    () => {
        type Floats = __m256;
        type Sums = __m256i;

        #[inline(always)]
        fn splat(self, x: f32) -> __m256 {
            // SAFETY: `new` has found these instructions; so it is below.
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        fn load(self, from: &[f32; LANES]) -> __m256 {
            cast(*from)
        }

        #[inline(always)]
        fn store(self, x: __m256, to: &mut [f32; LANES]) {
            *to = cast(x);
        }

        #[inline(always)]
        fn add(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_add_ps(x, y) }
        }

        #[inline(always)]
        fn sub(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_sub_ps(x, y) }
        }

        #[inline(always)]
        fn mul(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_mul_ps(x, y) }
        }

        #[inline(always)]
        fn div(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_div_ps(x, y) }
        }

        #[inline(always)]
        fn mul_add(self, x: __m256, y: __m256, z: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_fmadd_ps(x, y, z) }
        }

        #[inline(always)]
        fn min(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above. Of NaN and a number it is the second one.
            unsafe { _mm256_min_ps(y, x) }
        }

        #[inline(always)]
        fn max(self, x: __m256, y: __m256) -> __m256 {
            // SAFETY: as above. Of NaN and a number it is the second one.
            unsafe { _mm256_max_ps(y, x) }
        }

        #[inline(always)]
        fn abs(self, x: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), x) }
        }

        #[inline(always)]
        fn with_sign(self, x: __m256, sign: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_or_ps(x, _mm256_and_ps(sign, _mm256_set1_ps(-0.0))) }
        }

        #[inline(always)]
        fn sqrt(self, x: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_sqrt_ps(x) }
        }

        #[inline(always)]
        fn sum(self, x: __m256) -> f32 {
            // SAFETY: as above.
            unsafe {
                let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
                let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
            }
        }

        #[inline(always)]
        fn largest(self, x: __m256) -> f32 {
            // SAFETY: as above.
            unsafe {
                let four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
                let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
            }
        }

        #[inline(always)]
        fn power_of_two(self, rounded: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe { cast(_mm256_slli_epi32::<23>(_mm256_add_epi32(cast(rounded), _mm256_set1_epi32(127)))) }
        }

        #[inline(always)]
        fn load_sums(self, from: &[i32; LANES]) -> __m256i {
            cast(*from)
        }

        #[inline(always)]
        fn to_floats(self, sums: __m256i) -> __m256 {
            // SAFETY: as above.
            unsafe { _mm256_cvtepi32_ps(sums) }
        }
    };
}

/// Rounded to integers.
#[inline(always)]
#[expect(unsafe_code, reason = "who calls it has found these instructions")]
fn integers(x: __m256, offset: i32) -> [i32; LANES] {
    // SAFETY: as said above.
    unsafe { cast(_mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(offset))) }
}

#[expect(unsafe_code, reason = "each of these instructions was found in this processor")]
impl Simd for Avx2 {
    floats!();
    /// For each 2 inputs, the weights of 8 outputs.
    type Weights = [__m256i; 2];
    type Input = i16;

    fn arithmetic(self) -> Arithmetic {
        Arithmetic::Words
    }

    #[inline(always)]
    fn to_inputs(self, x: __m256, offset: i32, to: &mut [i16; LANES]) {
        *to = integers(x, offset).map(|integer| integer as i16);
    }

    #[inline(always)]
    fn weights(self, from: &[i8; LANES * STEP]) -> [__m256i; 2] {
        let (halves, _) = from.as_chunks::<16>();
        let wide = |at: usize| {
            let half = halves.get(at).unwrap_or(&[0; 16]);
            // SAFETY: as above; the half has 16 bytes.
            unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(half.as_ptr().cast())) }
        };
        [wide(0), wide(1)]
    }

    #[inline(always)]
    fn dot(self, sums: __m256i, [first, second]: [__m256i; 2], inputs: &[i16; STEP]) -> __m256i {
        let [a, b]: [i32; 2] = cast(*inputs);
        // SAFETY: as above.
        unsafe {
            let sums = _mm256_add_epi32(sums, _mm256_madd_epi16(first, _mm256_set1_epi32(a)));
            _mm256_add_epi32(sums, _mm256_madd_epi16(second, _mm256_set1_epi32(b)))
        }
    }
}

#[expect(unsafe_code, reason = "each of these instructions was found in this processor")]
impl Simd for AvxVnni {
    floats!();
    type Weights = __m256i;
    type Input = u8;

    fn arithmetic(self) -> Arithmetic {
        Arithmetic::Bytes { offset: 128 }
    }

    #[inline(always)]
    fn to_inputs(self, x: __m256, offset: i32, to: &mut [u8; LANES]) {
        *to = integers(x, offset).map(|integer| integer.cast_unsigned() as u8);
    }

    #[inline(always)]
    fn weights(self, from: &[i8; LANES * STEP]) -> __m256i {
        cast(*from)
    }

    #[inline(always)]
    fn dot(self, sums: __m256i, weights: __m256i, inputs: &[u8; STEP]) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_dpbusd_avx_epi32(sums, _mm256_set1_epi32(cast(*inputs)), weights) }
    }
}
