//! Weights in the order in which the kernels read them.
//!
//! A linear layer reads tiles of 4 outputs × 4 inputs, all tiles of the same 4 outputs in a row. Four rows of a matrix are
//! a whole number of tiles, so blocks of rows land in consecutive bytes.

use half::f16;

use crate::weights::Block;
use crate::weights::format::GROUP;

/// Outputs and inputs of a tile.
pub(super) const TILE: usize = 4;

/// The order of the 4 inputs of an output within a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// 0 1 2 3.
    Natural,
    /// That in which an invocation of a quad meets them: its own first, then by exclusive or with its number in the
    /// quad, which is that of the tile of 4 outputs, modulo 4.
    Quads,
}

impl Order {
    /// Which of the 4 inputs comes at a place.
    fn input(self, tile: usize, place: usize) -> usize {
        match self {
            Self::Natural => place,
            Self::Quads => place ^ (tile % TILE),
        }
    }
}

/// The bytes of a block's values, and of its scales where it has any. The block begins with row `first_row`, which is
/// a multiple of 4.
pub(super) fn pack(
    block: Block,
    columns: usize,
    order: Order,
    first_row: usize,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let first_tile = first_row / TILE;
    match block {
        Block::F32(values) => {
            let mut tiles = tiles(&values, columns, TILE);
            reorder(&mut tiles, columns, order, first_tile);
            (bytes(&tiles), None)
        }
        Block::F16(values) => {
            let mut tiles = tiles(&values, columns, TILE);
            reorder(&mut tiles, columns, order, first_tile);
            (bytes(&tiles), None)
        }
        Block::Q8 { quants, scales } => {
            let mut quants = tiles(&quants, columns, TILE);
            reorder(&mut quants, columns, order, first_tile);
            let scales: Vec<f16> = tiles(&scales, columns / GROUP, 1);
            (bytes(&quants), Some(padded_bytes(&scales)))
        }
        Block::Q4 { quants, scales } => {
            let scales: Vec<f16> = tiles(&scales, columns / GROUP, 1);
            // Two quants a byte.
            let mut quants = tiles(&quants, columns / 2, TILE / 2);
            reorder_halves(&mut quants, columns, order, first_tile);
            (quants, Some(padded_bytes(&scales)))
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

/// Brings the 4 inputs of each output of each tile into an order.
fn reorder<T: Copy>(tiles: &mut [T], columns: usize, order: Order, first_tile: usize) {
    if order == Order::Natural {
        return;
    }
    for (tile, values) in (first_tile..).zip(tiles.chunks_mut(TILE * columns)) {
        for inputs in values.as_chunks_mut::<TILE>().0 {
            let natural = *inputs;
            for (place, input) in inputs.iter_mut().enumerate() {
                if let Some(&value) = natural.get(order.input(tile, place)) {
                    *input = value;
                }
            }
        }
    }
}

/// The same for values of 4 bits, the first of a byte in its lower half.
fn reorder_halves(tiles: &mut [u8], columns: usize, order: Order, first_tile: usize) {
    if order == Order::Natural {
        return;
    }
    for (tile, values) in (first_tile..).zip(tiles.chunks_mut(TILE * columns / 2)) {
        for inputs in values.as_chunks_mut::<2>().0 {
            let natural = u16::from_le_bytes(*inputs);
            let value = |place: usize| (natural >> (4 * order.input(tile, place)) & 0xf) << (4 * place);
            *inputs = (0..TILE).map(value).fold(0, |all, value| all | value).to_le_bytes();
        }
    }
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
        let order = Order::Quads;
        let whole = pack(Block::F32(values.clone()), 32, order, 0).0;
        let halves = values
            .chunks(4 * 32)
            .enumerate()
            .flat_map(|(half, values)| pack(Block::F32(values.to_vec()), 32, order, half * 4).0);
        assert_eq!(whole, halves.collect::<Vec<u8>>());
    }

    #[test]
    fn quads_meet_their_inputs_by_exclusive_or() {
        let mut values: Vec<u8> = (0..4 * 4 * 4).map(|value| value % 4).collect();
        reorder(&mut values, 4, Order::Quads, 0);
        assert_eq!(values[..4], [0, 1, 2, 3]);
        assert_eq!(values[16..20], [1, 0, 3, 2]);
        assert_eq!(values[32..36], [2, 3, 0, 1]);
        assert_eq!(values[48..52], [3, 2, 1, 0]);
        // 0 1 2 3 as halves of bytes.
        let mut halves: Vec<u8> = [0x10, 0x32].repeat(4 * 4);
        reorder_halves(&mut halves, 4, Order::Quads, 1);
        assert_eq!(halves[..2], [0x01, 0x23]);
        assert_eq!(halves[8..10], [0x32, 0x10]);
    }
}
