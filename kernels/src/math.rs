//! Exponentials and activation functions of eight numbers. Names and formulas of activations: transformers'
//! `activations.py`; they are numbered as the engine numbers them for the shaders.

use crate::simd::{ROUNDER, Simd};

/// `eˣ`, within 3 units of the last place; next to nothing below -87, and never infinite.
///
/// `x = n ln 2 + r`, `eˣ = 2ⁿ eʳ`, and the Taylor series of `eʳ` to the sixth power.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    // ln 2 in two parts, of which the first has few bits, so that its product with n is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TAYLOR: [f32; 6] = [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let x = s.min(s.max(x, s.splat(-87.3)), s.splat(88.0));
    let rounded = s.mul_add(x, s.splat(core::f32::consts::LOG2_E), s.splat(ROUNDER));
    let n = s.sub(rounded, s.splat(ROUNDER));
    let r = s.mul_add(n, s.splat(-LN_2[0]), x);
    let r = s.mul_add(n, s.splat(-LN_2[1]), r);
    let mut series = s.splat(1.0 / 720.0);
    for coefficient in TAYLOR {
        series = s.mul_add(series, r, s.splat(coefficient));
    }
    s.mul(series, s.power_of_two(rounded))
}

/// Abramowitz and Stegun 7.1.26; at most 1.5e-7 off.
#[inline(always)]
fn erf<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    const P: [f32; 4] = [-1.453_152_1, 1.421_413_7, -0.284_496_72, 0.254_829_6];
    let magnitude = s.abs(x);
    let one = s.splat(1.0);
    let t = s.div(one, s.mul_add(magnitude, s.splat(0.327_591_1), one));
    let mut polynomial = s.splat(1.061_405_4);
    for coefficient in P {
        polynomial = s.mul_add(polynomial, t, s.splat(coefficient));
    }
    let gauss = exp(s, s.sub(s.splat(0.0), s.mul(x, x)));
    s.with_sign(s.sub(one, s.mul(s.mul(polynomial, t), gauss)), x)
}

#[inline(always)]
fn sigmoid<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    let one = s.splat(1.0);
    s.div(one, s.add(one, exp(s, s.sub(s.splat(0.0), x))))
}

/// `2 σ(2x) - 1`.
#[inline(always)]
fn tanh<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    s.mul_add(s.splat(2.0), sigmoid(s, s.add(x, x)), s.splat(-1.0))
}

#[inline(always)]
fn gelu<S: Simd>(s: S, x: S::Floats) -> S::Floats {
    let half = s.mul(x, s.splat(0.5));
    s.mul_add(half, erf(s, s.mul(x, s.splat(core::f32::consts::FRAC_1_SQRT_2))), half)
}

/// The activation function of a number; the identity for any that is not known.
#[inline(always)]
pub fn activate<S: Simd>(s: S, activation: u32, x: S::Floats) -> S::Floats {
    let zero = s.splat(0.0);
    match activation {
        1 => gelu(s, x),
        2 => s.min(s.max(gelu(s, x), s.splat(-10.0)), s.splat(10.0)),
        3 => {
            // √(2/π)
            let cubic = s.mul_add(s.mul(s.mul(x, x), x), s.splat(0.044_715), x);
            let half = s.mul(x, s.splat(0.5));
            s.mul_add(half, tanh(s, s.mul(cubic, s.splat(0.797_884_6))), half)
        }
        4 => s.mul(x, sigmoid(s, s.mul(x, s.splat(1.702)))),
        5 => s.max(x, zero),
        6 => s.min(s.max(x, zero), s.splat(6.0)),
        7 => {
            let positive = s.max(x, zero);
            s.mul(positive, positive)
        }
        8 => s.max(x, s.mul(x, s.splat(0.01))),
        9 => s.mul(x, sigmoid(s, x)),
        10 => {
            // tanh(ln(1 + n)) = (n² + 2n) / (n² + 2n + 2); where n² would be too large, it is 1.
            let n = exp(s, s.min(x, s.splat(20.0)));
            let upper = s.mul(n, s.add(n, s.splat(2.0)));
            s.mul(x, s.div(upper, s.add(upper, s.splat(2.0))))
        }
        11 => {
            // transformers' own constants, near to 1/√2 and 1/√(4π).
            let scale = 1.0 / (0.282_095 * core::f32::consts::SQRT_2);
            let x = s.mul(s.sub(x, s.splat(707_107e-6)), s.splat(scale));
            s.mul_add(s.splat(0.5), erf(s, x), s.splat(0.5))
        }
        12 => tanh(s, x),
        13 => sigmoid(s, x),
        _ => x,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::simd::{LANES, Portable, lanes};

    fn worst<S: Simd>(s: S) -> f64 {
        let steps = (-8700_i32..=8800).map(|step| step as f32 * 0.01);
        let error = |x: f32| {
            let [found, ..]: [f32; LANES] = lanes(s, exp(s, s.splat(x)));
            (f64::from(found) / f64::from(x).exp() - 1.0).abs()
        };
        steps.map(error).fold(0.0, f64::max)
    }

    #[test]
    fn the_exponential_is_good_to_three_units_of_the_last_place() {
        let bound = 3.0 * f64::from(f32::EPSILON);
        assert!(worst(Portable) <= bound, "{:e}", worst(Portable));
        #[cfg(target_arch = "x86_64")]
        if let Some(s) = crate::simd::Avx2::new() {
            assert!(worst(s) <= bound, "{:e}", worst(s));
        }
    }

    #[test]
    fn the_exponential_has_no_infinities() {
        for x in [f32::NEG_INFINITY, -1e30, -88.0, 89.0, 1e30, f32::INFINITY] {
            let [found, ..] = lanes(Portable, exp(Portable, [x; LANES]));
            assert!(found.is_finite() && found >= 0.0 && (x > 0.0 || found < 1e-37), "{x}: {found}");
        }
    }
}
