//! An adapter's gate: one number a document, by which its rows are multiplied.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::math::activate;
use crate::memory::{Address, Memory};
use crate::simd::{LANES, Simd, lanes};

/// Rows in a chunk.
const ROWS: usize = 16;

/// The engine's number of the sigmoid.
const SIGMOID: u32 = 13;

/// The mean over each document's tokens of `σ(x · weight + bias)`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Gate {
    /// `(tokens, width)` f32.
    pub input: Address,
    /// A multiple of 8.
    pub width: u32,
    /// `(width,)` f32.
    pub weight: Address,
    /// Added before the sigmoid.
    pub bias: f32,
    /// `(documents + 1,)`: where each document starts, and where the last one ends.
    pub starts: Address,
    /// How many documents.
    pub documents: u32,
    /// `(documents,)` f32.
    pub output: Address,
}

impl Kernel for Gate {
    const NUMBER: u32 = 6;
    const NAME: &'static str = "gate";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.documents
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes one number, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let eights = self.width as usize / LANES;
        // SAFETY: as said above.
        let (starts, weight, output) = unsafe {
            (
                memory.read::<u32>(self.starts + chunk * 4, 2),
                memory.read::<[f32; LANES]>(self.weight, eights),
                memory.write::<f32>(self.output + chunk * 4, 1),
            )
        };
        let mut total = 0.0;
        for token in starts[0]..starts[1] {
            // SAFETY: as said above.
            let row = unsafe { memory.read::<[f32; LANES]>(self.input + token * self.width * 4, eights) };
            let mut products = s.splat(0.0);
            for (x, weight) in row.iter().zip(weight) {
                products = s.mul_add(s.load(x), s.load(weight), products);
            }
            total += lanes(s, activate(s, SIGMOID, s.splat(s.sum(products) + self.bias)))[0];
        }
        output[0] = total / (starts[1] - starts[0]) as f32;
    }
}

/// `x · gate[document of the row] + residual`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ApplyGate {
    /// `(rows, width)` f32.
    pub input: Address,
    /// `(documents,)` f32.
    pub gates: Address,
    /// `(rows,)` u32, or nowhere if rows are documents.
    pub documents: Address,
    /// `(rows, width)` f32, or nowhere.
    pub residual: Address,
    /// `(rows, width)` f32.
    pub output: Address,
    /// How many rows.
    pub rows: u32,
    /// A multiple of 8.
    pub width: u32,
}

impl Kernel for ApplyGate {
    const NUMBER: u32 = 7;
    const NAME: &'static str = "apply_gate";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows.div_ceil(ROWS as u32)
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own rows, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let first = chunk * ROWS as u32;
        let eights = self.width as usize / LANES;
        for row in first..(first + ROWS as u32).min(self.rows) {
            let place = |address: Address| address + row * self.width * 4;
            // SAFETY: as said above.
            let (gate, input, residual, output) = unsafe {
                let document = if self.documents == 0 {
                    row
                } else {
                    memory.read::<u32>(self.documents + row * 4, 1)[0]
                };
                (
                    memory.read::<f32>(self.gates + document * 4, 1)[0],
                    memory.read::<[f32; LANES]>(place(self.input), eights),
                    if self.residual == 0 {
                        &[]
                    } else {
                        memory.read::<[f32; LANES]>(place(self.residual), eights)
                    },
                    memory.write::<[f32; LANES]>(place(self.output), eights),
                )
            };
            let gate = s.splat(gate);
            for (at, (x, y)) in input.iter().zip(output).enumerate() {
                let mut gated = s.mul(s.load(x), gate);
                if let Some(residual) = residual.get(at) {
                    gated = s.add(gated, s.load(residual));
                }
                s.store(gated, y);
            }
        }
    }
}
