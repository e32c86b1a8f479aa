//! The scalar reference: every kernel's twin in plain loops, written to be read. It is the oracle for the WGSL
//! kernels and the last resort where there is no GPU.
//!
//! Files here and in `shaders/` share their names.

mod attention;
mod bottleneck;
mod elementwise;
mod layer_norm;
mod linear;
mod neighbours;
mod pool;
mod top_k;

use std::rc::Rc;

use super::{
    AttentionColumns, Backend, DeviceInfo, KernelInfo, MemoryInfo, Outline, Outputs, Pause, PositionWeights,
    RowsOf,
};
use crate::error::{Error, Result};
use crate::model::adapter::{Bottleneck, BottleneckWeights, Gate};
use crate::model::network::Embeddings;
use crate::model::{Activation, Dense, LayerNorm, Layout, Pooling};
use crate::text::Batch;
use crate::weights::format::GROUP;
use crate::weights::{Block, Format};

pub use elementwise::activate;

/// The reference backend.
#[derive(Default)]
pub struct Reference {
    batch: Batch,
    weight_bytes: u64,
    pause: Option<Pause>,
}

impl Reference {
    /// A backend with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A backend that gives others their turn before each result is read. In a browser an abort comes in then.
    #[must_use]
    pub fn with_pause(pause: Pause) -> Self {
        Self { pause: Some(pause), ..Self::default() }
    }

    fn documents_of(&self, rows: &Rows) -> Vec<usize> {
        match rows.of {
            RowsOf::Tokens => {
                self.batch.document_of_row().iter().map(|&document| document as usize).collect()
            }
            RowsOf::Documents => (0..self.batch.documents()).collect(),
        }
    }
}

/// A matrix of weights as it was handed over, in blocks of rows.
#[derive(Debug)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    /// `(first row, rows that follow)`, in order.
    blocks: Vec<(usize, Block)>,
}

impl Matrix {
    /// One row as f32.
    fn row(&self, row: usize) -> Vec<f32> {
        let at = self.blocks.partition_point(|(first, _)| *first <= row).saturating_sub(1);
        let Some((first, block)) = self.blocks.get(at) else { return vec![0.0; self.columns] };
        let values = (row - first) * self.columns..(row - first + 1) * self.columns;
        let slice = match block {
            Block::F32(all) => all.get(values).map(|values| Block::F32(values.to_vec())),
            Block::F16(all) => all.get(values).map(|values| Block::F16(values.to_vec())),
            Block::Q8 { quants, scales } => {
                let scales = scales.get(values.start / GROUP..values.end / GROUP);
                quants
                    .get(values)
                    .zip(scales)
                    .map(|(quants, scales)| Block::Q8 { quants: quants.to_vec(), scales: scales.to_vec() })
            }
            Block::Q4 { quants, scales } => {
                let scales = scales.get(values.start / GROUP..values.end / GROUP);
                quants
                    .get(values.start / 2..values.end / 2)
                    .zip(scales)
                    .map(|(quants, scales)| Block::Q4 { quants: quants.to_vec(), scales: scales.to_vec() })
            }
        };
        slice.map_or_else(|| vec![0.0; self.columns], |block| block.to_f32())
    }
}

/// Rows of activations, `(rows, width)` row-major.
#[derive(Clone, Debug)]
pub struct Rows {
    of: RowsOf,
    width: usize,
    values: Rc<[f32]>,
}

impl Rows {
    fn new(of: RowsOf, width: usize, values: Vec<f32>) -> Self {
        Self { of, width, values: values.into() }
    }

    fn each(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.width)
    }

    fn row(&self, row: usize) -> &[f32] {
        self.values.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }

    /// Makes rows of another width, each from one of these and its index.
    fn map(&self, width: usize, mut row: impl FnMut(usize, &[f32]) -> Vec<f32>) -> Self {
        let values = self.each().enumerate().flat_map(|(index, input)| row(index, input)).collect();
        Self::new(self.of, width, values)
    }
}

/// `x · y`, with eight running sums so that the compiler can use vector instructions.
fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (x_eights, x_rest) = x.as_chunks::<8>();
    let (y_eights, y_rest) = y.as_chunks::<8>();
    for (x, y) in x_eights.iter().zip(y_eights) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f32>()
}

/// `x + y`, where there is a `y`.
fn add(mut x: Vec<f32>, y: Option<&[f32]>) -> Vec<f32> {
    for (x, y) in x.iter_mut().zip(y.unwrap_or_default()) {
        *x += y;
    }
    x
}

impl Backend for Reference {
    type Matrix = Matrix;
    type Vector = Vec<f32>;
    type Bottleneck = BottleneckWeights;
    type Positions = PositionWeights;
    type Rows = Rows;
    type Pending = Vec<f32>;

    async fn prepare(&mut self, _: &Outline) -> Result<()> {
        Ok(())
    }

    fn matrix(&mut self, parts: &[(usize, Format)], columns: usize, _: Layout) -> Result<Matrix> {
        self.weight_bytes +=
            parts.iter().map(|&(rows, format)| format.bytes(rows, columns) as u64).sum::<u64>();
        let rows = parts.iter().map(|&(rows, _)| rows).sum();
        Ok(Matrix { rows, columns, blocks: Vec::new() })
    }

    fn write_rows(&mut self, matrix: &mut Matrix, first_row: usize, block: Block) -> Result<()> {
        let at = matrix.blocks.partition_point(|(first, _)| *first < first_row);
        matrix.blocks.insert(at, (first_row, block));
        Ok(())
    }

    fn vector(&mut self, values: &[f32]) -> Result<Vec<f32>> {
        self.weight_bytes += (values.len() * 4) as u64;
        Ok(values.to_vec())
    }

    fn widest_bottleneck(&self) -> usize {
        usize::MAX
    }

    fn bottleneck_weights(&mut self, weights: &BottleneckWeights) -> Result<BottleneckWeights> {
        self.weight_bytes += ((weights.down.len() + weights.up.len()) * 4) as u64;
        Ok(weights.clone())
    }

    fn positions(&mut self, weights: &PositionWeights) -> Result<PositionWeights> {
        let PositionWeights { rows, keys, queries, .. } = weights;
        self.weight_bytes += ((rows.len() + keys.len() + queries.len()) * 4) as u64;
        Ok(weights.clone())
    }

    async fn loaded(&mut self) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, batch: &Batch, _: usize) -> Result<()> {
        self.batch = batch.clone();
        Ok(())
    }

    fn embedding(&mut self, embeddings: &Embeddings<Matrix, Vec<f32>>) -> Rows {
        let width = embeddings.word.columns;
        let sums = self.batch.ids.iter().zip(self.batch.positions()).flat_map(|(&id, position)| {
            let position = embeddings.position.as_ref().map(|table| table.row(position as usize));
            add(embeddings.word.row(id as usize), position.as_deref())
        });
        let sums = Rows::new(RowsOf::Tokens, width, sums.collect());
        match &embeddings.norm {
            Some(norm) => layer_norm::layer_norm(&sums, None, norm, None),
            None => sums,
        }
    }

    fn linear(
        &mut self,
        input: &Rows,
        dense: &Dense<Matrix, Vec<f32>>,
        outputs: Outputs,
        activation: Activation,
        residual: Option<&Rows>,
    ) -> Rows {
        linear::linear(input, dense, outputs.range(dense.weight.rows), activation, residual)
    }

    fn attention(
        &mut self,
        queries: &Rows,
        keys_values: &Rows,
        columns: AttentionColumns,
        heads: usize,
        head_size: usize,
        positions: Option<&PositionWeights>,
    ) -> Rows {
        let documents = self.documents_of(queries);
        attention::attention(queries, keys_values, columns, [heads, head_size], positions, |query| {
            self.batch.rows(documents.get(query).copied().unwrap_or(0))
        })
    }

    fn neighbours(&mut self, input: &Rows, taps: usize) -> Rows {
        neighbours::neighbours(input, taps, &self.batch)
    }

    fn layer_norm(
        &mut self,
        input: &Rows,
        before: Option<&Rows>,
        norm: &LayerNorm<Vec<f32>>,
        after: Option<&Rows>,
    ) -> Rows {
        layer_norm::layer_norm(input, before, norm, after)
    }

    fn bottleneck(
        &mut self,
        input: &Rows,
        bottleneck: &Bottleneck<Vec<f32>, BottleneckWeights>,
        residual: Option<&Rows>,
    ) -> Rows {
        bottleneck::bottleneck(input, &bottleneck.dense, residual)
    }

    fn gate(&mut self, input: &Rows, gate: &Gate<Vec<f32>>) -> Rows {
        elementwise::gate(input, gate, &self.batch)
    }

    fn apply_gate(&mut self, input: &Rows, gates: &Rows, residual: Option<&Rows>) -> Rows {
        elementwise::apply_gate(input, gates, &self.documents_of(input), residual)
    }

    fn first_rows(&mut self, input: &Rows) -> Rows {
        pool::pool(input, Pooling::Cls, false, &self.batch)
    }

    fn pool(&mut self, input: &Rows, pooling: Pooling, normalize: bool) -> Rows {
        pool::pool(input, pooling, normalize, &self.batch)
    }

    fn top_k(&mut self, input: &Rows, columns: usize, count: usize) -> Rows {
        top_k::top_k(input, columns, count)
    }

    fn send(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        Ok(rows.values.to_vec())
    }

    async fn receive(&mut self, values: Vec<f32>) -> Result<Vec<f32>> {
        if let Some(pause) = &self.pause {
            pause().await;
        }
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(Error::internal("a result is not a finite number"))
        }
    }

    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "wasm",
            adapter: "scalar reference".to_owned(),
            vendor: String::new(),
            backend: "CPU".to_owned(),
            software: true,
            features: Vec::new(),
        }
    }

    fn kernels(&self) -> Vec<KernelInfo> {
        Vec::new()
    }

    fn memory(&self) -> MemoryInfo {
        MemoryInfo { weights: self.weight_bytes, activations: 0 }
    }
}
