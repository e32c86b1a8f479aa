//! The largest values of each row, and where they are.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::simd::Simd;

/// The largest values of each row, the largest first and the first of equal ones.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct TopK {
    /// `(rows, width)` f32.
    pub input: Address,
    /// How many rows.
    pub rows: u32,
    /// Of a row.
    pub width: u32,
    /// How many values of a row count, from the first on; at least `count`.
    pub columns: u32,
    /// How many are wanted.
    pub count: u32,
    /// `(rows, 2 count)` f32: the values, then their columns.
    pub output: Address,
}

impl Kernel for TopK {
    const NUMBER: u32 = 9;
    const NAME: &'static str = "top_k";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own row, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, _: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let (columns, count) = (self.columns as usize, self.count as usize);
        // SAFETY: as said above.
        let (row, output) = unsafe {
            (
                memory.read::<f32>(self.input + chunk * self.width * 4, columns),
                memory.write::<f32>(self.output + chunk * self.count * 8, 2 * count),
            )
        };
        let (values, places) = output.split_at_mut(count);
        let mut found = 0;
        for (column, &value) in row.iter().enumerate() {
            if found == count && values.last().is_none_or(|&smallest| value <= smallest) {
                continue;
            }
            // Those that are smaller move on by one, and the last of them out.
            let place = values[..found].partition_point(|&larger| larger >= value);
            found = (found + 1).min(count);
            values[place..found].rotate_right(1);
            places[place..found].rotate_right(1);
            values[place] = value;
            places[place] = column as f32;
        }
    }
}
