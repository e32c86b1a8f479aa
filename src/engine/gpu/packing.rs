//! Weights in the order in which the kernels read them.
//!
//! A linear layer reads tiles of 4 outputs × 4 inputs, all tiles of the same 4 outputs in a row; a table is looked up
//! row by row and stays row-major. Four rows of a matrix are a whole number of tiles, so blocks of rows land in
//! consecutive bytes either way.

use half::f16;

use crate::model::Layout;
use crate::model::adapter::BottleneckWeights;
use crate::weights::Block;
use crate::weights::format::GROUP;

const TILE: usize = 4;

/// The bytes of a block's values, and of its scales where it has any.
pub(super) fn pack(block: Block, columns: usize, layout: Layout) -> (Vec<u8>, Option<Vec<u8>>) {
    match (block, layout) {
        (Block::F32(values), Layout::Table) => (bytes(&values), None),
        (Block::F16(values), Layout::Table) => (bytes(&values), None),
        (Block::Q8 { quants, scales }, Layout::Table) => (bytes(&quants), Some(padded_bytes(&scales))),
        (Block::Q4 { quants, scales }, Layout::Table) => (quants, Some(padded_bytes(&scales))),
        (Block::F32(values), Layout::Linear) => (bytes(&tiles(&values, columns, TILE)), None),
        (Block::F16(values), Layout::Linear) => (bytes(&tiles(&values, columns, TILE)), None),
        (Block::Q8 { quants, scales }, Layout::Linear) => {
            let scales: Vec<f16> = tiles(&scales, columns / GROUP, 1);
            (bytes(&tiles(&quants, columns, TILE)), Some(padded_bytes(&scales)))
        }
        (Block::Q4 { quants, scales }, Layout::Linear) => {
            let scales: Vec<f16> = tiles(&scales, columns / GROUP, 1);
            // Two quants a byte.
            (tiles(&quants, columns / 2, TILE / 2), Some(padded_bytes(&scales)))
        }
    }
}

/// For each 4 rows, for each `step` columns, `step` values of each of the 4 rows.
fn tiles<T: Copy>(values: &[T], columns: usize, step: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(values.len());
    for rows in values.chunks(TILE * columns) {
        for column in (0..columns).step_by(step) {
            for row in rows.chunks(columns) {
                out.extend(row.iter().skip(column).take(step));
            }
        }
    }
    out
}

fn bytes<T: bytemuck::NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

/// Copies to the device are in words of 4 bytes; an odd number of f16 gets one more.
fn padded_bytes(values: &[f16]) -> Vec<u8> {
    let mut bytes = bytes(values);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The same bottleneck with units that do nothing, up to a multiple of 4: their up-projection is zero, and so is
/// what they add.
pub(super) fn pad_bottleneck(weights: &BottleneckWeights) -> BottleneckWeights {
    let width = weights.width.next_multiple_of(TILE);
    let mut padded = weights.clone();
    padded.width = width;
    padded.down.resize(width * weights.hidden, 0.0);
    padded.down_bias.resize(width, 0.0);
    padded.up = weights
        .up
        .chunks(weights.width)
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, width - weights.width)))
        .collect();
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_hold_four_inputs_of_each_of_four_outputs() {
        // Value 10 · row + column.
        let values: Vec<u32> = (0..8).flat_map(|row| (0..8).map(move |column| row * 10 + column)).collect();
        let packed = tiles(&values, 8, TILE);
        assert_eq!(packed[..8], [0, 1, 2, 3, 10, 11, 12, 13]);
        assert_eq!(packed[16..20], [4, 5, 6, 7]);
        assert_eq!(packed[32..36], [40, 41, 42, 43]);
        assert_eq!(tiles(&values[..16], 4, 1)[..8], [0, 4, 10, 14, 1, 5, 11, 15]);
    }

    #[test]
    fn blocks_of_four_rows_land_end_to_end() {
        let values: Vec<f32> = (0..8 * 32).map(|value| value as f32).collect();
        let whole = pack(Block::F32(values.clone()), 32, Layout::Linear).0;
        let halves =
            values.chunks(4 * 32).flat_map(|half| pack(Block::F32(half.to_vec()), 32, Layout::Linear).0);
        assert_eq!(whole, halves.collect::<Vec<u8>>());
    }
}
