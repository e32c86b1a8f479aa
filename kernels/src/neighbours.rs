//! The values of each token and its neighbours, as a convolution reads them.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::simd::Simd;

/// All taps of a column together, with zeros beyond the ends of a document.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Neighbours {
    /// `(tokens, width)` f32.
    pub input: Address,
    /// Columns of these rows.
    pub width: u32,
    /// How many tokens are seen at once; odd.
    pub taps: u32,
    /// `(documents + 1,)`: the token row where each document starts, and where the last one ends.
    pub starts: Address,
    /// How many documents.
    pub documents: u32,
    /// `(tokens, width · taps)` f32.
    pub output: Address,
}

impl Kernel for Neighbours {
    const NUMBER: u32 = 10;
    const NAME: &'static str = "neighbours";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.documents
    }

    #[inline(always)]
    #[expect(
        unsafe_code,
        reason = "a chunk writes the rows of its document, and nobody writes what it reads"
    )]
    unsafe fn run<S: Simd>(&self, _: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let (width, taps) = (self.width as usize, self.taps as usize);
        // SAFETY: as said above.
        let (input, output) = unsafe {
            let starts = memory.read::<u32>(self.starts + chunk * 4, 2);
            let (first, count) = (starts[0], (starts[1] - starts[0]) as usize * width);
            (
                memory.read::<f32>(self.input + first * self.width * 4, count),
                memory.write::<f32>(self.output + first * self.width * self.taps * 4, count * taps),
            )
        };
        let tokens = input.len() / width;
        for (token, row) in output.chunks_exact_mut(width * taps).enumerate() {
            for tap in 0..taps {
                let neighbour = (token + tap).wrapping_sub(taps / 2);
                for (column, to) in row.iter_mut().skip(tap).step_by(taps).enumerate() {
                    *to = if neighbour < tokens { input[neighbour * width + column] } else { 0.0 };
                }
            }
        }
    }
}
