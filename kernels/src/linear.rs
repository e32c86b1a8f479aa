//! A dense layer: `activation(x Wᵀ + b) + residual`.
//!
//! Weights lie in panels of 8 outputs, so that what is read for an input is 8 numbers in a row, one for each output. A
//! tile of 4 rows shares what is read of a panel; the sums of a tile stay in registers until all inputs are through.

use core::array;
use core::hint::black_box;

use bytemuck::{Pod, Zeroable};
use half::f16;

use crate::command::Kernel;
use crate::math::activate;
use crate::memory::{Address, Memory};
use crate::quantize::GROUP;
use crate::simd::{LANES, STEP, Simd};

/// Rows whose sums are computed at once.
const TILE: usize = 4;

/// Rows in a chunk; those of the inputs stay in the second cache, while a panel stays in the first.
const ROWS: usize = 64;

/// Panels in a chunk.
const PANELS: usize = 8;

/// 32 inputs' weights for the 8 outputs of a panel, as integers with a scale for each output.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct Group {
    /// For each 4 inputs, in the order of the [`Arithmetic`](crate::Arithmetic).
    pub weights: [[i8; LANES * STEP]; GROUP / STEP],
    /// What sums begin with: it takes back what the offset of the inputs adds.
    pub start: [i32; LANES],
    /// One for each output.
    pub scales: [f32; LANES],
}

/// How the weights of a dense layer are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Format {
    /// [`Group`]s: for each panel those of all inputs.
    Groups = 0,
    /// For each panel, for each input, 8 f32.
    F32 = 1,
    /// For each panel, for each input, 8 f16.
    F16 = 2,
}

/// A dense layer, or a range of its outputs.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Linear {
    /// A [`Format`].
    pub format: u32,
    /// `(rows, inputs)`: integers where weights are groups, otherwise f32.
    pub input: Address,
    /// `(rows, inputs / 32)` f32, where weights are groups.
    pub input_scales: Address,
    /// How many rows.
    pub rows: u32,
    /// `K`; a multiple of 32 where weights are groups.
    pub inputs: u32,
    /// The first panel of the range.
    pub weights: Address,
    /// `(outputs,)` f32 of the range.
    pub bias: Address,
    /// `N` of the range, a multiple of 8.
    pub outputs: u32,
    /// Of the engine's numbering.
    pub activation: u32,
    /// `(rows, width)` f32, or nowhere; the first column of the range.
    pub residual: Address,
    /// `(rows, width)` f32; the first column of the range.
    pub output: Address,
    /// Columns of the rows that the range is a part of.
    pub width: u32,
}

impl Kernel for Linear {
    const NUMBER: u32 = 2;
    const NAME: &'static str = "linear";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.rows.div_ceil(ROWS as u32) * self.panels().div_ceil(PANELS as u32)
    }

    fn scratch_bytes(&self) -> usize {
        if self.format == Format::F16 as u32 { self.inputs as usize * LANES * 4 } else { 0 }
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "nobody writes what this reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, scratch: &mut [f32]) {
        let panel_chunks = self.panels().div_ceil(PANELS as u32);
        let first_row = (chunk / panel_chunks) as usize * ROWS;
        let first_panel = (chunk % panel_chunks) as usize * PANELS;
        let count = (self.rows as usize - first_row).min(ROWS);
        let panels = (self.panels() as usize - first_panel).min(PANELS);
        let inputs = self.inputs as usize;
        let (scratch, _) = scratch.as_chunks_mut::<LANES>();
        for panel in first_panel..first_panel + panels {
            let place = Place { linear: self, memory, panel, first_row, rows: count };
            // SAFETY: as said above.
            unsafe {
                if self.format == Format::Groups as u32 {
                    let groups = inputs / GROUP;
                    let bytes = inputs * size_of::<S::Input>();
                    place.tiles(
                        s,
                        &Integers {
                            x: memory.read(self.input + (first_row * bytes) as u32, count * groups),
                            scales: memory
                                .read(self.input_scales + (first_row * groups * 4) as u32, count * groups),
                            weights: memory.read(self.panel(panel, groups * size_of::<Group>()), groups),
                        },
                    );
                } else {
                    let weights = if self.format == Format::F32 as u32 {
                        memory.read::<[f32; LANES]>(self.panel(panel, inputs * LANES * 4), inputs)
                    } else {
                        let halves =
                            memory.read::<[f16; LANES]>(self.panel(panel, inputs * LANES * 2), inputs);
                        for (to, from) in scratch.iter_mut().zip(halves) {
                            *to = from.map(f16::to_f32);
                        }
                        scratch.split_at(inputs).0
                    };
                    let x = memory.read(self.input + (first_row * inputs * 4) as u32, count * inputs);
                    place.tiles(s, &Floats { x, weights });
                }
            }
        }
    }
}

impl Linear {
    #[inline(always)]
    fn panels(&self) -> u32 {
        self.outputs / LANES as u32
    }

    #[inline(always)]
    fn panel(&self, panel: usize, bytes: usize) -> Address {
        self.weights + (panel * bytes) as u32
    }
}

/// The rows of a chunk and a panel of outputs.
struct Place<'a> {
    linear: &'a Linear,
    memory: &'a Memory,
    panel: usize,
    first_row: usize,
    rows: usize,
}

impl Place<'_> {
    /// Computes whole tiles of rows, and then one row at a time.
    #[inline(always)]
    fn tiles<S: Simd>(&self, s: S, operands: &impl Operands<S>) {
        let whole = self.rows / TILE * TILE;
        for row in (0..whole).step_by(TILE) {
            self.finish(s, row, operands.products::<TILE>(s, row));
        }
        for row in whole..self.rows {
            self.finish(s, row, operands.products::<1>(s, row));
        }
    }

    /// Bias, activation and residual.
    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own rows and panels, and nobody writes what it reads")]
    fn finish<S: Simd, const N: usize>(&self, s: S, row: usize, sums: [S::Floats; N]) {
        let Linear { bias, activation, residual, output, width, .. } = *self.linear;
        let column = self.panel * LANES;
        // SAFETY: as said above.
        let bias = unsafe { self.memory.read::<[f32; LANES]>(bias + (column * 4) as u32, 1) };
        let bias = s.load(&bias[0]);
        for (index, sum) in sums.into_iter().enumerate() {
            let at = ((self.first_row + row + index) * width as usize + column) * 4;
            let mut y = activate(s, activation, s.add(sum, bias));
            // SAFETY: as said above.
            unsafe {
                if residual != 0
                    && let Some(residual) = self.memory.read(residual + at as u32, 1).first()
                {
                    y = s.add(y, s.load(residual));
                }
                if let Some(output) = self.memory.write(output + at as u32, 1).first_mut() {
                    s.store(y, output);
                }
            }
        }
    }
}

/// Rows and a panel that they are multiplied by. Not closures, which would be compiled without vector instructions.
trait Operands<S: Simd> {
    /// The products of some rows, from one of them on.
    fn products<const N: usize>(&self, s: S, row: usize) -> [S::Floats; N];
}

/// Rows of integers with their scales, and a panel of integers.
struct Integers<'a, I> {
    x: &'a [[[I; STEP]; GROUP / STEP]],
    scales: &'a [f32],
    weights: &'a [Group],
}

impl<S: Simd> Operands<S> for Integers<'_, S::Input> {
    #[inline(always)]
    fn products<const N: usize>(&self, s: S, row: usize) -> [S::Floats; N] {
        // Of the length that is iterated over, so that nothing is checked inside.
        let groups = self.weights.len();
        let rows: [_; N] = rows(self.x, groups, row);
        let input_scales: [_; N] = self::rows(self.scales, groups, row);
        // A loop whose length the compiler knows it would unroll, and then keep all weights of a group in registers that
        // there are not.
        let steps = black_box(GROUP / STEP).min(GROUP / STEP);
        let mut sums = [s.splat(0.0); N];
        for (at, group) in self.weights.iter().enumerate() {
            let mut products = [s.load_sums(&group.start); N];
            for step in 0..steps {
                let weights = s.weights(&group.weights[step]);
                for (product, x) in products.iter_mut().zip(rows) {
                    *product = s.dot(*product, weights, &x[at][step]);
                }
            }
            let scales = s.load(&group.scales);
            for ((sum, product), input_scales) in sums.iter_mut().zip(products).zip(input_scales) {
                *sum = s.mul_add(s.to_floats(product), s.mul(scales, s.splat(input_scales[at])), *sum);
            }
        }
        sums
    }
}

/// Rows of f32, and a panel of f32.
struct Floats<'a> {
    x: &'a [f32],
    weights: &'a [[f32; LANES]],
}

impl<S: Simd> Operands<S> for Floats<'_> {
    #[inline(always)]
    fn products<const N: usize>(&self, s: S, row: usize) -> [S::Floats; N] {
        products(s, rows(self.x, self.weights.len(), row), self.weights)
    }
}

/// Rows of f32 times a panel of f32.
#[inline(always)]
pub(crate) fn products<S: Simd, const N: usize>(
    s: S,
    rows: [&[f32]; N],
    weights: &[[f32; LANES]],
) -> [S::Floats; N] {
    let rows = rows.map(|x| x.split_at(weights.len()).0);
    let mut sums = [s.splat(0.0); N];
    for (at, weights) in weights.iter().enumerate() {
        let weights = s.load(weights);
        for (sum, x) in sums.iter_mut().zip(rows) {
            *sum = s.mul_add(weights, s.splat(x[at]), *sum);
        }
    }
    sums
}

/// So many rows of a width, from one of them on.
#[inline(always)]
pub(crate) fn rows<T, const N: usize>(values: &[T], width: usize, first: usize) -> [&[T]; N] {
    array::from_fn(|row| &values[(first + row) * width..][..width])
}
