//! How weights are kept: f32, f16, or q8, which is int8 in groups of 32 along the input with an f16 scale each.
//!
//! One scale for 32 weights costs half a bit a weight and keeps an outlier's damage within its group.

use half::f16;

use crate::error::{Error, Result};

/// How many weights along the input dimension share a scale.
pub const GROUP: usize = 32;

/// The dtype that a model's matrices are kept in; vectors (biases, `LayerNorm`) stay f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// 32 bits a weight, as published.
    F32,
    /// 16 bits a weight.
    F16,
    /// 8.5 bits a weight: int8 in groups of 32 with an f16 scale.
    Q8,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::Q8];

    /// The name in options and files: `f32`, `f16`, `q8`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8 => "q8",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "f32" | "fp32" => Ok(Self::F32),
            "f16" | "fp16" => Ok(Self::F16),
            "q8" => Ok(Self::Q8),
            other => Err(Error::InvalidOption {
                problem: format!("dtype is {other:?}; this version takes 'q8', 'f16' or 'f32'"),
            }),
        }
    }

    /// Whether groups of weights share scales.
    #[must_use]
    pub fn has_groups(self) -> bool {
        matches!(self, Self::Q8)
    }

    /// Bytes that `rows × columns` weights take on a device.
    #[must_use]
    pub fn bytes(self, rows: usize, columns: usize) -> usize {
        match self {
            Self::F32 => rows * columns * 4,
            Self::F16 => rows * columns * 2,
            Self::Q8 => rows * columns + rows * (columns / GROUP) * 2,
        }
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
}

impl Block {
    /// The same rows in another format. `columns` must be a multiple of 32 where q8 is asked for.
    #[must_use]
    pub fn into_format(self, format: Format) -> Self {
        match (self, format) {
            (block @ Self::F32(_), Format::F32)
            | (block @ Self::F16(_), Format::F16)
            | (block @ Self::Q8 { .. }, Format::Q8) => block,
            (block, Format::F32) => Self::F32(block.to_f32()),
            (block, Format::F16) => Self::F16(block.to_f32().into_iter().map(f16::from_f32).collect()),
            (block, Format::Q8) => quantize(&block.to_f32()),
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
fn quantize(values: &[f32]) -> Block {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantized_weight_is_within_half_a_step_of_its_group(
            values in prop::collection::vec(-100.0_f32..100.0, GROUP * 3),
        ) {
            let restored = quantize(&values).to_f32();
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

    #[test]
    fn a_group_of_zeros_stays_zero() {
        assert_eq!(quantize(&[0.0; GROUP]).to_f32(), [0.0; GROUP]);
    }

    #[test]
    fn bytes_count_weights_and_scales() {
        assert_eq!(Format::Q8.bytes(4, 64), 4 * 64 + 4 * 2 * 2);
        assert_eq!(Format::F16.bytes(4, 64), 512);
    }
}
