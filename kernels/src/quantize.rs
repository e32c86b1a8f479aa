//! Rounds rows of activations to integers, in groups of 32 with a scale each.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::simd::{LANES, Simd};

/// How many inputs share a scale.
pub const GROUP: usize = 32;

/// Rows in a chunk.
const ROWS: usize = 16;

/// `(rows, width)` f32 → integers of the same shape, and a scale for each 32 of them.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Quantize {
    /// `(rows, width)` f32.
    pub input: Address,
    /// `(rows, width)` integers of the arithmetic's size.
    pub integers: Address,
    /// `(rows, width / 32)` f32.
    pub scales: Address,
    /// How many rows.
    pub rows: u32,
    /// A multiple of 32.
    pub width: u32,
}

impl Kernel for Quantize {
    const NUMBER: u32 = 1;
    const NAME: &'static str = "quantize";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows.div_ceil(ROWS as u32)
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own rows, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let first = chunk as usize * ROWS;
        let count = (self.rows as usize - first).min(ROWS);
        let width = self.width as usize;
        let at = |address: Address, values: usize, bytes: usize| address + (first * values * bytes) as u32;
        let groups = width / GROUP;
        // SAFETY: as said above.
        let (input, integers, scales) = unsafe {
            (
                memory.read::<[f32; LANES]>(at(self.input, width, 4), count * width / LANES),
                memory.write::<[S::Input; LANES]>(
                    at(self.integers, width, size_of::<S::Input>()),
                    count * width / LANES,
                ),
                memory.write::<f32>(at(self.scales, groups, 4), count * groups),
            )
        };
        let offset = s.arithmetic().offset();
        let highest = s.arithmetic().largest();
        let (input, _) = input.as_chunks::<{ GROUP / LANES }>();
        let (integers, _) = integers.as_chunks_mut::<{ GROUP / LANES }>();
        for ((from, to), scale) in input.iter().zip(integers).zip(scales) {
            let [a, b, c, d] = from;
            let (a, b, c, d) = (s.load(a), s.load(b), s.load(c), s.load(d));
            let most = s.max(s.max(s.abs(a), s.abs(b)), s.max(s.abs(c), s.abs(d)));
            let most = s.largest(most);
            // Numbers so small that their scale has no inverse are nothing beside those of other groups.
            let inverse = if most > 1e-30 { highest / most } else { 0.0 };
            *scale = most / highest;
            let factor = s.splat(inverse);
            for (x, to) in [a, b, c, d].into_iter().zip(to) {
                s.to_inputs(s.mul(x, factor), offset, to);
            }
        }
    }
}
