//! How weights are kept: f32, f16, or in groups of 32 along the input with an f16 scale each, as int8 (q8) or as one of
//! 16 levels (q4).
//!
//! One scale for 32 weights costs half a bit a weight and keeps an outlier's damage within its group. Scales are searched
//! for the least squared error, from the weights alone; `docs/quantization.md` has what was tried.

use half::f16;
use serde::Serialize;

use crate::error::{Error, Result};

/// How many weights along the input dimension share a scale.
pub const GROUP: usize = 32;

/// The dtype that a model's matrices are kept in; vectors (biases, `LayerNorm`) stay f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// 32 bits a weight, as published.
    F32,
    /// 16 bits a weight.
    F16,
    /// 8.5 bits a weight: int8 in groups of 32 with an f16 scale.
    Q8,
    /// 4.5 bits a weight: 16 levels in groups of 32 with an f16 scale. Tensors that need it stay [`Q8`](Self::Q8).
    Q4,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Q8, Self::Q4];

    /// The name in options and files: `f32`, `f16`, `q8`, `q4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "f32" | "fp32" => Ok(Self::F32),
            "f16" | "fp16" => Ok(Self::F16),
            "q8" => Ok(Self::Q8),
            "q4" => Ok(Self::Q4),
            other => Err(Error::InvalidOption {
                problem: format!("dtype is {other:?}; this version takes 'q8', 'q4', 'f16' or 'f32'"),
            }),
        }
    }

    /// Whether groups of weights share scales.
    #[must_use]
    pub fn has_groups(self) -> bool {
        matches!(self, Self::Q8 | Self::Q4)
    }

    /// Bytes that `rows × columns` weights take on a device.
    #[must_use]
    pub fn bytes(self, rows: usize, columns: usize) -> usize {
        self.value_bytes(rows, columns) + self.scale_bytes(rows, columns)
    }

    /// How many of these bytes are the weights themselves.
    #[must_use]
    pub fn value_bytes(self, rows: usize, columns: usize) -> usize {
        match self {
            Self::F32 => rows * columns * 4,
            Self::F16 => rows * columns * 2,
            Self::Q8 => rows * columns,
            Self::Q4 => rows * columns / 2,
        }
    }

    /// How many of these bytes are scales.
    #[must_use]
    pub fn scale_bytes(self, rows: usize, columns: usize) -> usize {
        if self.has_groups() { rows * (columns / GROUP) * 2 } else { 0 }
    }
}

/// Some consecutive rows of a matrix, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// `rows × columns` values.
    F32(Vec<f32>),
    /// `rows × columns` values.
    F16(Vec<f16>),
    /// A weight is `quants[i] * scales[i / 32]`.
    Q8 {
        /// `rows × columns` integers from -127 to 127.
        quants: Vec<i8>,
        /// `rows × columns / 32` scales.
        scales: Vec<f16>,
    },
    /// A weight is [`level`]`(quant) * scales[i / 32]`.
    Q4 {
        /// `rows × columns` quants from -8 to 7, two a byte, each plus 8, the first in the lower half.
        quants: Vec<u8>,
        /// `rows × columns / 32` scales, which may be negative.
        scales: Vec<f16>,
    },
}

impl Block {
    /// The same rows in another format. `columns` must be a multiple of 32 where there are groups.
    #[must_use]
    pub fn into_format(self, format: Format) -> Self {
        match (self, format) {
            (block @ Self::F32(_), Format::F32)
            | (block @ Self::F16(_), Format::F16)
            | (block @ Self::Q8 { .. }, Format::Q8)
            | (block @ Self::Q4 { .. }, Format::Q4) => block,
            (block, Format::F32) => Self::F32(block.to_f32()),
            (block, Format::F16) => Self::F16(block.to_f32().into_iter().map(f16::from_f32).collect()),
            (block, Format::Q8) => quantize_to_8_bits(&block.to_f32()),
            (block, Format::Q4) => quantize_to_4_bits(&block.to_f32()),
        }
    }

    /// The values as f32, row-major.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::Q8 { quants, scales } => quants
                .chunks(GROUP)
                .zip(scales)
                .flat_map(|(group, scale)| group.iter().map(|&quant| f32::from(quant) * scale.to_f32()))
                .collect(),
            Self::Q4 { quants, scales } => quants
                .chunks(GROUP / 2)
                .zip(scales)
                .flat_map(|(group, scale)| {
                    let quants = group.iter().flat_map(|&pair| [pair & 15, pair >> 4]);
                    quants.map(|quant| level(quant.cast_signed() - 8) * scale.to_f32())
                })
                .collect(),
        }
    }
}

impl Block {
    /// The bytes of the values as a file has them, and of the scales. All targets of this crate are little-endian, as
    /// the files are.
    #[must_use]
    pub fn into_bytes(self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::F32(values) => (bytemuck::cast_slice(&values).to_vec(), Vec::new()),
            Self::F16(values) => (bytemuck::cast_slice(&values).to_vec(), Vec::new()),
            Self::Q8 { quants, scales } => {
                (bytemuck::cast_slice(&quants).to_vec(), bytemuck::cast_slice(&scales).to_vec())
            }
            Self::Q4 { quants, scales } => (quants, bytemuck::cast_slice(&scales).to_vec()),
        }
    }
}

/// The scales that are tried for a group, as multiples of the smallest one that holds its largest weight.
///
/// Rounding is a matter of luck that a slightly larger step changes for all 32 weights at once: the best of eight draws
/// has less error than the first, at the cost of load time only.
const STRETCHES: [f32; 8] = [1.0, 1.006, 1.011, 1.017, 1.023, 1.029, 1.034, 1.04];

/// Int8 in groups of 32, with the scale of the least squared error. A scale is rounded to f16 first, so that what is
/// rounded to is what will be multiplied by.
fn quantize_to_8_bits(values: &[f32]) -> Block {
    let mut quants = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / GROUP);
    for group in values.chunks(GROUP) {
        let largest = group.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        // Of a group that f16 scales cannot reach, the scale stays infinite and is refused where it was read.
        let mut best = (f16::from_f32(largest / 127.0), f32::INFINITY);
        for stretch in STRETCHES {
            let scale = f16::from_f32(largest / 127.0 * stretch);
            let error = squared_error(group, scale.to_f32());
            if error < best.1 {
                best = (scale, error);
            }
        }
        let (scale, _) = best;
        quants.extend(group.iter().map(|&value| nearest(value, scale.to_f32()) as i8));
        scales.push(scale);
    }
    Block::Q8 { quants, scales }
}

/// The multiple of a scale that is nearest to a value, from -127 to 127.
fn nearest(value: f32, scale: f32) -> f32 {
    if scale == 0.0 { 0.0 } else { (value / scale).round_ties_even().clamp(-127.0, 127.0) }
}

fn squared_error(group: &[f32], scale: f32) -> f32 {
    group.iter().map(|&value| (nearest(value, scale) * scale - value).powi(2)).sum()
}

/// What a quant from -8 to 7 stands for, before it is scaled: `t (t² + 110) / 1024`.
///
/// Weights gather around zero, and so do these levels; a cubic comes as close to the weights of a trained encoder as
/// levels that were fitted to them, and a kernel computes it instead of looking it up.
#[must_use]
pub fn level(quant: i8) -> f32 {
    let t = f32::from(quant);
    t * (t * t + 110.0) / 1024.0
}

const QUANTS: [i8; 16] = [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7];

/// The levels in the order of their quants, and the values half way between neighbours, above which the next one is
/// nearer.
struct Levels {
    levels: [f32; 16],
    between: [f32; 15],
}

impl Levels {
    fn new() -> Self {
        let levels = QUANTS.map(level);
        let mut between = [0.0; 15];
        for (middle, (lower, upper)) in between.iter_mut().zip(levels.iter().zip(levels.iter().skip(1))) {
            *middle = f32::midpoint(*lower, *upper);
        }
        Self { levels, between }
    }

    /// The level that is nearest to a value.
    fn nearest(&self, value: f32) -> usize {
        self.between.iter().map(|&middle| usize::from(value > middle)).sum()
    }

    fn level(&self, at: usize) -> f32 {
        self.levels.get(at).copied().unwrap_or(0.0)
    }

    /// A group's levels at a scale with their squared error.
    fn fit(&self, group: &[f32], scale: f16) -> Fit {
        let inverse = if scale == f16::ZERO { 0.0 } else { scale.to_f32().recip() };
        let mut fit = Fit { scale, error: 0.0, quants: [8; GROUP], dot: 0.0, square: 0.0 };
        for (&value, quant) in group.iter().zip(&mut fit.quants) {
            let at = self.nearest(value * inverse);
            let level = self.level(at);
            *quant = at as u8;
            fit.error += (level * scale.to_f32() - value).powi(2);
            fit.dot += level * value;
            fit.square += level * level;
        }
        fit
    }
}

/// The levels of a group at a scale.
struct Fit {
    scale: f16,
    error: f32,
    quants: [u8; GROUP],
    /// `Σ level · weight` and `Σ level²`, whose ratio is the best scale for these levels.
    dot: f32,
    square: f32,
}

/// The scales that are tried for a group of q4, as multiples of the one at which its largest weight is the outermost
/// level.
const STRETCHES_OF_4_BITS: [f32; 8] = [0.75, 0.807, 0.864, 0.921, 0.979, 1.036, 1.093, 1.15];

/// 16 levels in groups of 32. Of several scales, with the largest weight at either end of the levels, the one of the
/// least squared error is taken, and then the best scale for its levels.
fn quantize_to_4_bits(values: &[f32]) -> Block {
    let levels = Levels::new();
    let mut quants = Vec::with_capacity(values.len() / 2);
    let mut scales = Vec::with_capacity(values.len() / GROUP);
    for group in values.chunks(GROUP) {
        let largest = group
            .iter()
            .fold(0.0_f32, |largest, &value| if value.abs() > largest.abs() { value } else { largest });
        let ends = [level(-8), level(7)].map(|end| largest / end);
        let starts =
            ends.iter().flat_map(|end| STRETCHES_OF_4_BITS.map(|stretch| f16::from_f32(end * stretch)));
        let mut best = levels.fit(group, f16::from_f32(largest));
        for scale in starts {
            let fit = levels.fit(group, scale);
            if fit.error < best.error {
                best = fit;
            }
        }
        if best.square > 0.0 {
            let fit = levels.fit(group, f16::from_f32(best.dot / best.square));
            if fit.error < best.error {
                best = fit;
            }
        }
        let (pairs, _) = best.quants.as_chunks::<2>();
        quants.extend(pairs.iter().map(|[low, high]| low | (high << 4)));
        scales.push(best.scale);
    }
    Block::Q4 { quants, scales }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantized_weight_is_within_half_a_step_of_its_group(
            values in prop::collection::vec(-100.0_f32..100.0, GROUP * 3),
        ) {
            let restored = quantize_to_8_bits(&values).to_f32();
            for (group, restored) in values.chunks(GROUP).zip(restored.chunks(GROUP)) {
                let largest = group.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                // Half of the largest step, plus the f16 rounding of the scale (2^-11) on the largest weights.
                let bound = largest * (0.5 * 1.04 / 127.0 + 1.0 / 2048.0) * 1.001;
                for (value, restored) in group.iter().zip(restored) {
                    prop_assert!((value - restored).abs() <= bound);
                }
                let first = f16::from_f32(largest / 127.0).to_f32();
                let error: f32 = group.iter().zip(restored).map(|(value, restored)| (value - restored).powi(2)).sum();
                prop_assert!(error <= squared_error(group, first));
            }
        }
    }

    proptest! {
        #[test]
        fn a_weight_in_four_bits_is_within_half_a_step_of_the_widest(
            values in prop::collection::vec(-100.0_f32..100.0, GROUP * 3),
        ) {
            let restored = quantize_to_4_bits(&values).to_f32();
            prop_assert_eq!(restored.len(), values.len());
            for (group, restored) in values.chunks(GROUP).zip(restored.chunks(GROUP)) {
                let largest = group.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                let error: f32 = group.iter().zip(restored).map(|(value, restored)| (value - restored).powi(2)).sum();
                // The widest step at the smallest range that holds all weights.
                let step = (level(-7) - level(-8)) / level(7) * largest;
                prop_assert!(error <= GROUP as f32 * (step / 2.0).powi(2), "{error} with steps of {step}");
            }
        }
    }

    #[test]
    fn levels_lie_in_order_and_the_nearest_is_found() {
        let levels = Levels::new();
        for (at, quant) in QUANTS.into_iter().enumerate() {
            assert_eq!(levels.nearest(level(quant)), at);
            assert_eq!(levels.nearest(level(quant) + 1e-3), at);
        }
        assert_eq!((level(-8), level(0), level(7)), (-1392.0 / 1024.0, 0.0, 1113.0 / 1024.0));
        assert_eq!((levels.nearest(-9.0), levels.nearest(9.0)), (0, 15));
    }

    #[test]
    fn a_group_of_zeros_stays_zero() {
        for format in Format::ALL {
            assert_eq!(Block::F32(vec![0.0; GROUP]).into_format(format).to_f32(), [0.0; GROUP]);
        }
    }

    #[test]
    fn bytes_count_weights_and_scales() {
        assert_eq!(Format::Q8.bytes(4, 64), 4 * 64 + 4 * 2 * 2);
        assert_eq!(Format::Q4.bytes(4, 64), 4 * 32 + 4 * 2 * 2);
        assert_eq!(Format::F16.bytes(4, 64), 512);
    }
}
