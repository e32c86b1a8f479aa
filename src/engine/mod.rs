//! A network and a batch become vectors.
//!
//! The forward pass is written once, in [`encoder`], over the small [`Backend`] trait. [`gpu`] records WGSL kernels
//! through wgpu, and [`cpu`] those of the crate `specter-web-kernels`; [`reference`](mod@reference) is the same in plain
//! loops, the oracle that every kernel is checked against. [`loading`] carries weights from a checkpoint to a backend, and
//! [`positions`] computes there, once, what relative positions project to.

pub mod cpu;
pub mod encoder;
pub mod gpu;
pub mod loading;
pub mod positions;
pub mod reference;

use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;

use serde::Serialize;

use crate::error::Result;
use crate::model::adapter::{Bottleneck, BottleneckWeights, Gate};
use crate::model::network::Embeddings;
use crate::model::{Activation, Dense, LayerNorm, Layout, Pooling};
use crate::text::Batch;
use crate::weights::{Block, Format};

pub use encoder::Encoder;
pub use positions::PositionWeights;

/// What the rows of an activation stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowsOf {
    /// One row a token, `T`.
    Tokens,
    /// One row a document, `D`.
    Documents,
}

/// Makes a future that is ready a moment later, when others have had their turn.
pub type Pause = Rc<dyn Fn() -> Pin<Box<dyn Future<Output = ()>>>>;

/// Milliseconds since some time.
pub type Clock = Rc<dyn Fn() -> f64>;

/// Which outputs of a dense layer are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// All of them.
    All,
    /// From the first to before the second; multiples of 32.
    Range(usize, usize),
}

impl Outputs {
    /// As a range, for a layer of `all` outputs.
    #[must_use]
    pub fn range(self, all: usize) -> Range<usize> {
        match self {
            Self::All => 0..all,
            Self::Range(first, end) => first..end,
        }
    }
}

/// Where the columns of an attention's operands lie within the rows that hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionColumns {
    /// First column of the queries.
    pub query: usize,
    /// First column of the keys.
    pub key: usize,
    /// First column of the values.
    pub value: usize,
}

/// The size of a matrix that is multiplied by, or of rows of one that have the same format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatrixShape {
    /// `N`.
    pub outputs: usize,
    /// `K`.
    pub inputs: usize,
    /// Of the weights.
    pub format: Format,
}

/// The heads of an attention over the tokens of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// How many there are.
    pub heads: usize,
    /// Columns of one.
    pub head_size: usize,
}

/// What a backend is told of a network before there are any weights.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The shapes of its matrices, each of them once.
    pub matrices: Vec<MatrixShape>,
    /// Of feed-forward layers.
    pub activation: Activation,
    /// Its attention, where that is all about what tokens contain; nothing where it sees relative positions.
    pub attention: Option<AttentionShape>,
}

/// Whether a backend takes its faster way that rounds activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// Nowhere.
    #[default]
    Off,
    /// Wherever it is faster, on trial.
    OnTrial,
    /// For as many rows as were on trial.
    AsTried,
}

/// Parts on top of each other, where neighbours of the same format are one: their rows and their format.
fn merged_parts<F: PartialEq>(parts: impl IntoIterator<Item = (usize, F)>) -> Vec<(Range<usize>, F)> {
    let mut merged: Vec<(Range<usize>, F)> = Vec::new();
    let mut first = 0;
    for (rows, format) in parts {
        match merged.last_mut() {
            Some((before, last)) if *last == format => before.end += rows,
            _ => merged.push((first..first + rows, format)),
        }
        first += rows;
    }
    merged
}

/// A device that the forward pass runs on.
///
/// The operations after [`Backend::begin`] describe one batch. They are recorded, and run when results are
/// [sent for](Backend::send); the reference computes at once. Rows of activations are f32.
#[expect(async_fn_in_trait, reason = "a browser has one thread; nobody needs these futures to be Send")]
pub trait Backend {
    /// A matrix of weights on the device.
    type Matrix;
    /// A vector of weights on the device, f32.
    type Vector;
    /// The two dense layers of an adapter's bottleneck on the device.
    type Bottleneck;
    /// What relative positions project to in one layer, on the device.
    type Positions;
    /// Rows of activations; cheap to clone, given back to the device when the last clone is dropped.
    type Rows: Clone;
    /// Results on their way.
    type Pending;

    /// Prepares for a network, of which no matrix is there yet.
    async fn prepare(&mut self, outline: &Outline) -> Result<()>;
    /// Numbers of tokens on which to rehearse, so that all kernels are compiled that a batch may run; none where nothing is
    /// compiled. It is asked when all is prepared.
    fn rehearsals(&self) -> Vec<usize> {
        Vec::new()
    }
    /// Whether there is a faster way that rounds activations, which not every model bears.
    fn can_round(&self) -> bool {
        false
    }
    /// Takes that way, or not; not unless it is called.
    fn round(&mut self, _rounding: Rounding) {}
    /// Room for a matrix of weights, given as parts on top of each other, each of so many rows in a format. A table has
    /// one part.
    fn matrix(&mut self, parts: &[(usize, Format)], columns: usize, layout: Layout) -> Result<Self::Matrix>;
    /// Fills consecutive rows of a part with a block in its format; `first_row` and the number of rows are multiples of
    /// 8, but at the end.
    fn write_rows(&mut self, matrix: &mut Self::Matrix, first_row: usize, block: Block) -> Result<()>;
    /// A vector of weights.
    fn vector(&mut self, values: &[f32]) -> Result<Self::Vector>;
    /// The widest bottleneck that can be run.
    fn widest_bottleneck(&self) -> usize;
    /// The dense layers of a bottleneck.
    fn bottleneck_weights(&mut self, weights: &BottleneckWeights) -> Result<Self::Bottleneck>;
    /// What relative positions project to in one layer.
    fn positions(&mut self, weights: &PositionWeights) -> Result<Self::Positions>;
    /// Waits until all that was handed over has arrived, and says whether it has.
    async fn loaded(&mut self) -> Result<()>;

    /// Starts a batch. `readout` is the width of its widest rows of documents, where those are wider than the network's.
    fn begin(&mut self, batch: &Batch, readout: usize) -> Result<()>;
    /// `LN(word[id] + position[p])`, as far as there are positions and a normalization: `(T, H)`.
    fn embedding(&mut self, embeddings: &Embeddings<Self::Matrix, Self::Vector>) -> Self::Rows;
    /// `activation(x Wᵀ + b) + residual` for a range of the outputs.
    fn linear(
        &mut self,
        input: &Self::Rows,
        dense: &Dense<Self::Matrix, Self::Vector>,
        outputs: Outputs,
        activation: Activation,
        residual: Option<&Self::Rows>,
    ) -> Self::Rows;
    /// `softmax(Q Kᵀ / √head_size) V` for each head, each row over the tokens of its own document. Query rows are
    /// tokens, or one a document (that of its first token); keys and values are always rows of tokens. Where attention sees
    /// relative positions, scores are `(Q Kᵀ + Q Pkᵀ + K Pqᵀ) · scale`, each pair of tokens with the rows of `P` that belong to
    /// how far they are apart.
    fn attention(
        &mut self,
        queries: &Self::Rows,
        keys_values: &Self::Rows,
        columns: AttentionColumns,
        heads: usize,
        head_size: usize,
        positions: Option<&Self::Positions>,
    ) -> Self::Rows;
    /// The values of each token and its neighbours, as a convolution over an odd number of tokens reads them, with zeros beyond
    /// the ends of a document: `(T, H · taps)`, all taps of a column together.
    fn neighbours(&mut self, input: &Self::Rows, taps: usize) -> Self::Rows;
    /// `LN(x + before) + after`.
    fn layer_norm(
        &mut self,
        input: &Self::Rows,
        before: Option<&Self::Rows>,
        norm: &LayerNorm<Self::Vector>,
        after: Option<&Self::Rows>,
    ) -> Self::Rows;
    /// `up(activation(down(x))) + residual`.
    fn bottleneck(
        &mut self,
        input: &Self::Rows,
        bottleneck: &Bottleneck<Self::Vector, Self::Bottleneck>,
        residual: Option<&Self::Rows>,
    ) -> Self::Rows;
    /// The mean over each document's tokens of `σ(x · gate + bias)`: `(D, 1)`.
    fn gate(&mut self, input: &Self::Rows, gate: &Gate<Self::Vector>) -> Self::Rows;
    /// `x · gate[document] + residual`.
    fn apply_gate(
        &mut self,
        input: &Self::Rows,
        gates: &Self::Rows,
        residual: Option<&Self::Rows>,
    ) -> Self::Rows;
    /// The first token row of each document: `(D, H)`.
    fn first_rows(&mut self, input: &Self::Rows) -> Self::Rows;
    /// One vector a document, optionally scaled to length 1: `(D, H)`. Rows of documents pool to themselves.
    fn pool(&mut self, input: &Self::Rows, pooling: Pooling, normalize: bool) -> Self::Rows;
    /// The `count` largest of the first `columns` values of each row, the largest first and the first of equal ones, and
    /// behind them their columns as numbers: `(D, 2 count)`. There are at least so many columns.
    fn top_k(&mut self, input: &Self::Rows, columns: usize, count: usize) -> Self::Rows;
    /// Runs what was recorded and sends rows on their way home. The next batch can begin at once; results come in the
    /// order in which they were sent for.
    fn send(&mut self, rows: &Self::Rows) -> Result<Self::Pending>;
    /// Waits for results: rows, row-major.
    async fn receive(&mut self, pending: Self::Pending) -> Result<Vec<f32>>;

    /// What this device is.
    fn device(&self) -> DeviceInfo;
    /// Which kernels have run, and how often.
    fn kernels(&self) -> Vec<KernelInfo>;
    /// Bytes held on the device.
    fn memory(&self) -> MemoryInfo;
}

/// A device, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// `webgpu`, or `wasm` for the CPU.
    pub kind: &'static str,
    /// The adapter's name.
    pub adapter: String,
    /// The adapter's vendor, where it is known.
    pub vendor: String,
    /// Vulkan, Metal, DX12, browser WebGPU, or CPU.
    pub backend: String,
    /// Whether the adapter is software, which is slower than the CPU.
    pub software: bool,
    /// Optional features that are in use.
    pub features: Vec<String>,
}

/// A kernel that has run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KernelInfo {
    /// Its name.
    pub name: String,
    /// Which specialisation.
    pub variant: String,
    /// How often it was dispatched since the device was opened, measuring included.
    pub dispatches: u64,
}

/// Bytes on a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemoryInfo {
    /// Of weights.
    pub weights: u64,
    /// Of activations and staging.
    pub activations: u64,
}
