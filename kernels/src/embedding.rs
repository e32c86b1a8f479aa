//! Looks up rows of the word and the position table and adds them.

use bytemuck::{Pod, Zeroable};
use half::f16;

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::quantize::GROUP;
use crate::simd::Simd;

/// Rows in a chunk.
const ROWS: usize = 16;

/// How the rows of a table are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Format {
    /// f32.
    F32 = 0,
    /// f16.
    F16 = 1,
    /// Integers of 8 bits, and an f16 scale for each 32 of them.
    Q8 = 2,
    /// Integers from 0 to 15, two a byte, the first in the lower half, and an f16 scale for each 32 of them.
    Q4 = 3,
}

/// A table, row-major.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Table {
    /// A [`Format`].
    pub format: u32,
    /// The rows.
    pub values: Address,
    /// The scales of their groups.
    pub scales: Address,
}

/// `word[id] + position[p]` for each token, as far as there are positions.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Embedding {
    /// `(words, width)`.
    pub words: Table,
    /// `(positions, width)`; nothing is added where it lies nowhere.
    pub positions: Table,
    /// `(rows, 2)` u32: the word and the position of each token.
    pub tokens: Address,
    /// How many tokens.
    pub rows: u32,
    /// A multiple of 32 where a table has groups.
    pub width: u32,
    /// `(rows, width)` f32.
    pub output: Address,
}

impl Kernel for Embedding {
    const NUMBER: u32 = 5;
    const NAME: &'static str = "embedding";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows.div_ceil(ROWS as u32)
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own rows, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, _: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let first = chunk as usize * ROWS;
        let width = self.width as usize;
        for row in first..(first + ROWS).min(self.rows as usize) {
            // SAFETY: as said above.
            let (token, sums) = unsafe {
                (
                    memory.read::<[u32; 2]>(self.tokens + row as u32 * 8, 1),
                    memory.write::<f32>(self.output + (row * width * 4) as u32, width),
                )
            };
            sums.fill(0.0);
            for [word, position] in token {
                self.words.add_row(*word as usize, sums, memory);
                if self.positions.values != 0 {
                    self.positions.add_row(*position as usize, sums, memory);
                }
            }
        }
    }
}

impl Table {
    #[inline(always)]
    #[expect(unsafe_code, reason = "nobody writes a table while it is read")]
    fn add_row(&self, row: usize, sums: &mut [f32], memory: &Memory) {
        let width = sums.len();
        let at = |address: Address, bytes: usize| address + (row * bytes) as u32;
        // SAFETY: as said above.
        unsafe {
            if self.format == Format::F32 as u32 {
                for (sum, value) in sums.iter_mut().zip(memory.read::<f32>(at(self.values, width * 4), width))
                {
                    *sum += value;
                }
                return;
            }
            if self.format == Format::F16 as u32 {
                for (sum, value) in sums.iter_mut().zip(memory.read::<f16>(at(self.values, width * 2), width))
                {
                    *sum += value.to_f32();
                }
                return;
            }
            let groups = width / GROUP;
            let scales = memory.read::<f16>(at(self.scales, groups * 2), groups);
            if self.format == Format::Q8 as u32 {
                let groups = memory.read::<[i8; GROUP]>(at(self.values, width), groups);
                for ((sums, group), scale) in sums.chunks_exact_mut(GROUP).zip(groups).zip(scales) {
                    for (sum, &integer) in sums.iter_mut().zip(group) {
                        *sum += f32::from(integer) * scale.to_f32();
                    }
                }
            } else {
                let groups = memory.read::<[u8; GROUP / 2]>(at(self.values, width / 2), groups);
                for ((sums, group), scale) in sums.chunks_exact_mut(GROUP).zip(groups).zip(scales) {
                    for (sums, &pair) in sums.chunks_exact_mut(2).zip(group) {
                        for (sum, nibble) in sums.iter_mut().zip([pair & 15, pair >> 4]) {
                            *sum += level(nibble) * scale.to_f32();
                        }
                    }
                }
            }
        }
    }
}

/// What an integer of q4 stands for: `t (t² + 110) / 1024`.
#[inline(always)]
fn level(nibble: u8) -> f32 {
    let t = f32::from(nibble) - 8.0;
    t * (t * t + 110.0) / 1024.0
}
