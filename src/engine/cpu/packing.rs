//! Weights in the order in which the kernels read them: panels of 8 outputs.

use std::array;

use bytemuck::Pod;
use half::f16;
use specter_web_kernels::Arithmetic;
use specter_web_kernels::linear::{Format, Group};
use specter_web_kernels::simd::{LANES, STEP};

use crate::weights::Block;
use crate::weights::format::{GROUP, level};

/// 16 levels as integers of 8 bits: this many of them are the unit that the levels are 1024ths of.
const LEVELS_IN_8_BITS: f32 = 11.0;

const _: () = assert!(GROUP == specter_web_kernels::quantize::GROUP);

/// How the rows of a block are kept: integers of 4 bits become ones of 8.
pub(super) fn format(weights: crate::weights::Format) -> Format {
    use crate::weights::Format as Weights;
    match weights {
        Weights::F32 => Format::F32,
        Weights::F16 => Format::F16,
        Weights::Q8 | Weights::Q4 => Format::Groups,
    }
}

/// The bytes of a panel of so many inputs.
pub(super) fn panel_bytes(format: Format, inputs: usize) -> usize {
    match format {
        Format::Groups => inputs / GROUP * size_of::<Group>(),
        Format::F32 => inputs * LANES * 4,
        Format::F16 => inputs * LANES * 2,
    }
}

/// Rows of a matrix of so many columns as panels; what is missing in the last one is zero.
pub(super) fn panels(block: Block, columns: usize, arithmetic: Arithmetic) -> Vec<u8> {
    match block {
        Block::F32(values) => interleaved(&values, columns),
        Block::F16(values) => interleaved(&values, columns),
        Block::Q8 { quants, scales } => groups(&quants, &scales, columns, 1.0, arithmetic),
        Block::Q4 { quants, scales } => {
            let quants: Vec<i8> = quants
                .iter()
                .flat_map(|&pair| [pair & 15, pair >> 4])
                .map(|nibble| (level(nibble.cast_signed() - 8) * 1024.0 / LEVELS_IN_8_BITS).round() as i8)
                .collect();
            groups(&quants, &scales, columns, LEVELS_IN_8_BITS / 1024.0, arithmetic)
        }
    }
}

/// For each 8 rows, for each column, the values of the 8 rows.
fn interleaved<T: Pod>(values: &[T], columns: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len().next_multiple_of(LANES * columns) * size_of::<T>());
    for rows in values.chunks(LANES * columns) {
        for column in 0..columns {
            let value = |row: usize| rows.get(row * columns + column).copied().unwrap_or_else(T::zeroed);
            out.extend_from_slice(bytemuck::cast_slice(&array::from_fn::<_, LANES, _>(value)));
        }
    }
    out
}

/// For each 8 rows, for each 32 columns, a [`Group`].
fn groups(quants: &[i8], scales: &[f16], columns: usize, unit: f32, arithmetic: Arithmetic) -> Vec<u8> {
    let (across, together) = (columns / GROUP, arithmetic.inputs_together());
    let mut out = Vec::with_capacity(quants.len().div_ceil(LANES * GROUP) * size_of::<Group>());
    for (quants, scales) in quants.chunks(LANES * columns).zip(scales.chunks(LANES * across)) {
        for group in 0..across {
            let mut packed: Group = bytemuck::Zeroable::zeroed();
            let rows = quants.chunks(columns).zip(scales.chunks(across)).enumerate();
            for (output, (quants, scales)) in rows {
                let quants = quants.get(group * GROUP..(group + 1) * GROUP).unwrap_or_default();
                for (weights, quants) in packed.weights.iter_mut().zip(quants.chunks(STEP)) {
                    for (input, &quant) in quants.iter().enumerate() {
                        let at = input / together * LANES * together + output * together + input % together;
                        if let Some(weight) = weights.get_mut(at) {
                            *weight = quant;
                        }
                    }
                }
                let sum: i32 = quants.iter().map(|&quant| i32::from(quant)).sum();
                if let (Some(start), Some(scale)) =
                    (packed.start.get_mut(output), packed.scales.get_mut(output))
                {
                    *start = -sum * arithmetic.offset();
                    *scale = scales.get(group).map_or(0.0, |scale| scale.to_f32() * unit);
                }
            }
            out.extend_from_slice(bytemuck::bytes_of(&packed));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_holds_eight_outputs_of_each_input() {
        // Value 10 · row + column.
        let values: Vec<u32> = (0..12).flat_map(|row| (0..4).map(move |column| row * 10 + column)).collect();
        let packed: Vec<u32> = bytemuck::pod_collect_to_vec(&interleaved(&values, 4));
        assert_eq!(packed[..8], [0, 10, 20, 30, 40, 50, 60, 70]);
        assert_eq!(packed[8..10], [1, 11]);
        assert_eq!(packed[32..40], [80, 90, 100, 110, 0, 0, 0, 0]);
        assert_eq!(packed.len(), 64);
    }

    #[test]
    fn integers_lie_as_their_products_want_them() {
        let quants: Vec<i8> = (0..100).cycle().take(8 * GROUP).collect();
        let scales = vec![f16::ONE; 8];
        for arithmetic in [Arithmetic::Words, Arithmetic::Bytes { offset: 128 }] {
            let bytes = groups(&quants, &scales, GROUP, 2.0, arithmetic);
            let group: &Group = bytemuck::from_bytes(&bytes);
            let together = arithmetic.inputs_together();
            assert_eq!(group.weights[0][..together], quants[..together]);
            assert_eq!(group.weights[0][together..2 * together], quants[GROUP..GROUP + together]);
            assert_eq!(group.weights[7][31], quants[8 * GROUP - 1]);
            let sum: i32 = quants[..GROUP].iter().map(|&quant| i32::from(quant)).sum();
            assert_eq!((group.start[0], group.scales[0]), (-sum * arithmetic.offset(), 2.0));
        }
    }

    #[test]
    fn sixteen_levels_keep_their_distances_in_eight_bits() {
        let quants: Vec<u8> = (0..8).map(|pair| (2 * pair) | ((2 * pair + 1) << 4)).collect();
        let block = Block::Q4 { quants: quants.repeat(16), scales: vec![f16::ONE; 8] };
        let exact = block.to_f32();
        let bytes = panels(block, GROUP, Arithmetic::Words);
        let group: &Group = bytemuck::from_bytes(&bytes);
        for (at, exact) in exact.iter().take(STEP).enumerate() {
            let weight = f32::from(group.weights[0][at / 2 * 16 + at % 2]) * group.scales[0];
            assert!((weight - exact).abs() <= 0.5 * LEVELS_IN_8_BITS / 1024.0 + 1e-6, "{weight} for {exact}");
        }
    }
}
