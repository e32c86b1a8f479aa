//! Layer normalization with residuals before and after it.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::simd::{LANES, Simd, lanes};

/// Rows in a chunk.
const ROWS: usize = 16;

/// `LN(x + before) + after`, row by row.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct LayerNorm {
    /// `(rows, width)` f32.
    pub input: Address,
    /// The same shape, or nowhere.
    pub before: Address,
    /// `(width,)` f32.
    pub weight: Address,
    /// `(width,)` f32.
    pub bias: Address,
    /// `(rows, width)` f32, or nowhere.
    pub after: Address,
    /// `(rows, width)` f32.
    pub output: Address,
    /// How many rows.
    pub rows: u32,
    /// A multiple of 8.
    pub width: u32,
    /// Keeps the root away from zero.
    pub epsilon: f32,
}

impl Kernel for LayerNorm {
    const NUMBER: u32 = 4;
    const NAME: &'static str = "layer_norm";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows.div_ceil(ROWS as u32)
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own rows, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let first = chunk as usize * ROWS;
        let eights = self.width as usize / LANES;
        let count = eights as f32 * LANES as f32;
        for row in first..(first + ROWS).min(self.rows as usize) {
            let place = |address: Address| address + (row * eights * LANES * 4) as u32;
            // SAFETY: as said above.
            let (input, weight, bias, output) = unsafe {
                (
                    memory.read::<[f32; LANES]>(place(self.input), eights),
                    memory.read::<[f32; LANES]>(self.weight, eights),
                    memory.read::<[f32; LANES]>(self.bias, eights),
                    memory.write::<[f32; LANES]>(place(self.output), eights),
                )
            };
            // SAFETY: as said above.
            let residual = |address: Address| unsafe {
                if address == 0 { &[] } else { memory.read::<[f32; LANES]>(place(address), eights) }
            };
            let (before, after) = (residual(self.before), residual(self.after));

            let mut total = s.splat(0.0);
            for (at, (x, y)) in input.iter().zip(output.iter_mut()).enumerate() {
                let mut x = s.load(x);
                if let Some(before) = before.get(at) {
                    x = s.add(x, s.load(before));
                }
                total = s.add(total, x);
                s.store(x, y);
            }
            let mean = s.splat(s.sum(total) / count);
            let mut squares = s.splat(0.0);
            for y in output.iter_mut() {
                let centered = s.sub(s.load(y), mean);
                squares = s.mul_add(centered, centered, squares);
                s.store(centered, y);
            }
            let variance = s.splat(s.sum(squares) / count + self.epsilon);
            let inverse = s.splat(1.0 / lanes(s, s.sqrt(variance))[0]);
            for (at, (y, (weight, bias))) in output.iter_mut().zip(weight.iter().zip(bias)).enumerate() {
                let scale = s.mul(s.load(weight), inverse);
                let mut normed = s.mul_add(s.load(y), scale, s.load(bias));
                if let Some(after) = after.get(at) {
                    normed = s.add(normed, s.load(after));
                }
                s.store(normed, y);
            }
        }
    }
}
