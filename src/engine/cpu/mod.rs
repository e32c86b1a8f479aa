//! The CPU as a device: it has a memory of its own, in which this side says where everything lies, and kernels, for
//! which this side records commands. A batch is one list of commands that all threads go through.
//!
//! Kernels and commands are those of the crate `specter-web-kernels`; [`processor`] is whoever runs them.

mod packing;
pub mod processor;
mod space;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use specter_web_kernels as kernels;
use specter_web_kernels::command::{Command, Kernel};
use specter_web_kernels::crew::Work;
use specter_web_kernels::memory::ALIGNMENT;
use specter_web_kernels::simd::LANES;
use specter_web_kernels::{Address, Arithmetic};

use super::{
    AttentionColumns, Backend, DeviceInfo, KernelInfo, MemoryInfo, Outline, Outputs, Pause, PositionWeights,
    RowsOf, merged_parts,
};
use crate::error::{Error, Result};
use crate::model::adapter::{Bottleneck, BottleneckWeights, Gate};
use crate::model::network::Embeddings;
use crate::model::{Activation, Dense, LayerNorm, Layout, Pooling};
use crate::text::Batch;
use crate::weights::format::GROUP;
use crate::weights::{Block, Format};

use processor::{Processor, Traits};
use space::{Place, Space};

/// How many tokens are computed at once unless the caller says otherwise: enough that weights are read for many rows, and
/// so few that activations stay in the processor's caches.
pub const TOKEN_BUDGET: usize = 512;

/// The backend of a processor.
pub struct Cpu<P> {
    processor: P,
    traits: Traits,
    space: Space,
    /// Bytes of weights.
    weights: Rc<Cell<u64>>,
    /// How long the memory has become.
    length: u64,
    tables: Option<Tables>,
    commands: Vec<Command>,
    /// What each thread needs for itself.
    scratch_bytes: usize,
    pause: Option<Pause>,
    dispatches: BTreeMap<&'static str, u64>,
}

/// What kernels look up of a batch.
struct Tables {
    tokens: usize,
    documents: usize,
    longest: usize,
    /// `(T, 2)`: the word and the position of each token.
    ids: Place,
    /// `(T,)`: the document of each token.
    document_of_row: Place,
    /// `(D + 1,)`: where each document starts, and where the last one ends.
    starts: Place,
}

/// A matrix of weights.
#[derive(Debug)]
pub enum Matrix {
    /// To be multiplied by, in parts on top of each other.
    Linear {
        /// Outputs of all parts.
        outputs: usize,
        /// Columns.
        inputs: usize,
        /// From the top.
        parts: Vec<Part>,
    },
    /// To be looked up row by row.
    Table {
        /// Columns.
        columns: usize,
        /// Of its values.
        format: Format,
        /// Row-major.
        values: Region,
        /// Row-major; next to nothing where there are no groups.
        scales: Region,
    },
}

/// Rows of a matrix that have the same format.
#[derive(Debug)]
pub struct Part {
    rows: Range<usize>,
    format: kernels::linear::Format,
    /// Panels of 8 rows.
    panels: Region,
}

/// A place that a weight is kept in.
#[derive(Debug)]
pub struct Region {
    place: Place,
    /// Bytes of all weights.
    account: Rc<Cell<u64>>,
}

impl Region {
    fn address(&self) -> Address {
        self.place.address()
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.account.set(self.account.get() - self.place.bytes());
    }
}

/// The dense layers of a bottleneck, padded to whole panels.
#[derive(Debug)]
pub struct BottleneckLayers {
    down: Dense<Matrix, Region>,
    activation: Activation,
    up: Dense<Matrix, Region>,
}

/// What relative positions project to in one layer.
#[derive(Debug)]
pub struct Positions {
    /// What the kernel is told of it.
    table: Region,
    /// What that refers to.
    _rows: Region,
    _keys: Region,
    _queries: Region,
}

/// Rows of activations, `(count, width)` f32.
#[derive(Clone, Debug)]
pub struct Rows(Rc<RowsPlace>);

#[derive(Debug)]
struct RowsPlace {
    of: RowsOf,
    count: usize,
    width: usize,
    values: Place,
    /// The same as integers and their scales, once somebody wanted them.
    rounded: RefCell<Option<Rc<[Place; 2]>>>,
}

impl<P: Processor> Cpu<P> {
    /// A backend with nothing in it.
    pub fn new(processor: P) -> Self {
        let traits = processor.traits();
        Self {
            space: Space::new(traits.first_address),
            processor,
            traits,
            weights: Rc::default(),
            length: 0,
            tables: None,
            commands: Vec::new(),
            scratch_bytes: 0,
            pause: None,
            dispatches: BTreeMap::new(),
        }
    }

    /// The same, which gives others their turn before each result is read. In a browser an abort comes in then.
    #[must_use]
    pub fn with_pause(mut self, pause: Pause) -> Self {
        self.pause = Some(pause);
        self
    }

    /// Fills all memory that nothing is kept in with NaN, so that a kernel that leaves something out cannot pass a test.
    pub fn poison_activations(&mut self) {
        for (at, bytes) in self.space.free() {
            self.processor.write(at, bytemuck::cast_slice(&vec![f32::NAN; bytes / 4]));
        }
    }

    /// Sees to it that the memory is as long as has been taken of it.
    fn grow(&mut self, what: impl FnOnce() -> String) -> Result<()> {
        let length = self.space.end();
        if !self.processor.grow(length) {
            return Err(Error::OutOfMemory { what: what() });
        }
        self.length = self.length.max(length);
        Ok(())
    }

    /// A place for weights.
    fn region(&mut self, bytes: usize) -> Result<Region> {
        let bytes = bytes as u64;
        // Weights are written at once, and commands that are recorded by now run later.
        let place =
            if self.commands.is_empty() { self.space.take(bytes) } else { self.space.take_behind(bytes) };
        self.grow(|| format!("{bytes} bytes of weights"))?;
        self.weights.set(self.weights.get() + place.bytes());
        Ok(Region { place, account: Rc::clone(&self.weights) })
    }

    fn filled_region(&mut self, bytes: &[u8]) -> Result<Region> {
        let region = self.region(bytes.len())?;
        self.processor.write(region.address(), bytes);
        Ok(region)
    }

    fn rows(&self, of: RowsOf, width: usize) -> Rows {
        let count = match (of, &self.tables) {
            (_, None) => 0,
            (RowsOf::Tokens, Some(tables)) => tables.tokens,
            (RowsOf::Documents, Some(tables)) => tables.documents,
        };
        let values = self.space.take(size_of_rows(count, width, 4));
        Rows(Rc::new(RowsPlace { of, count, width, values, rounded: RefCell::new(None) }))
    }

    fn record(&mut self, kernel: impl Kernel) {
        *self.dispatches.entry(name_of(&kernel)).or_default() += 1;
        self.scratch_bytes = self.scratch_bytes.max(kernel.scratch_bytes());
        self.commands.push(Command::new(kernel));
    }

    /// The rows as integers and their scales.
    fn rounded(&mut self, rows: &Rows) -> Rc<[Place; 2]> {
        let RowsPlace { count, width, .. } = *rows.0;
        if let Some(rounded) = &*rows.0.rounded.borrow() {
            return Rc::clone(rounded);
        }
        let integers = self.space.take(size_of_rows(count, width, self.traits.arithmetic.bytes()));
        let scales = self.space.take(size_of_rows(count, width / GROUP, 4));
        self.record(kernels::quantize::Quantize {
            input: rows.address(),
            integers: integers.address(),
            scales: scales.address(),
            rows: count as u32,
            width: width as u32,
        });
        let rounded = Rc::new([integers, scales]);
        rows.0.rounded.replace(Some(Rc::clone(&rounded)));
        rounded
    }

    /// What kernels look up, written before any command runs.
    fn table(&mut self, bytes: &[u8]) -> Result<Place> {
        let place = self.space.take(bytes.len() as u64);
        self.grow(|| format!("a table of {} bytes", bytes.len()))?;
        self.processor.write(place.address(), bytes);
        Ok(place)
    }

    fn tables(&self) -> (Address, u32) {
        let tables = self.tables.as_ref();
        tables.map_or((0, 0), |tables| (tables.starts.address(), tables.documents as u32))
    }
}

impl Rows {
    fn address(&self) -> Address {
        self.0.values.address()
    }
}

/// The bytes of rows, which may be more than this program can address.
fn size_of_rows(count: usize, width: usize, bytes: usize) -> u64 {
    count as u64 * width as u64 * bytes as u64
}

fn name_of<K: Kernel>(_: &K) -> &'static str {
    K::NAME
}

/// Where optional rows are.
fn address_of(rows: Option<&Rows>) -> Address {
    rows.map_or(0, Rows::address)
}

impl<P: Processor> Backend for Cpu<P> {
    type Matrix = Matrix;
    type Vector = Region;
    type Bottleneck = BottleneckLayers;
    type Positions = Positions;
    type Rows = Rows;
    type Pending = Vec<f32>;

    async fn prepare(&mut self, _: &Outline) -> Result<()> {
        Ok(())
    }

    fn matrix(&mut self, parts: &[(usize, Format)], columns: usize, layout: Layout) -> Result<Matrix> {
        if matches!(layout, Layout::Table | Layout::Positions) {
            let (rows, format) = parts.first().copied().unwrap_or((0, Format::F32));
            let values = self.region(format.value_bytes(rows, columns))?;
            let scales = self.region(format.scale_bytes(rows, columns))?;
            return Ok(Matrix::Table { columns, format, values, scales });
        }
        let merged = merged_parts(parts.iter().map(|&(rows, format)| (rows, packing::format(format))));
        let outputs = merged.last().map_or(0, |(rows, _)| rows.end);
        let part = |(rows, format): (Range<usize>, kernels::linear::Format)| {
            let bytes = rows.len().div_ceil(LANES) * packing::panel_bytes(format, columns);
            Ok(Part { rows, format, panels: self.region(bytes)? })
        };
        let parts = merged.into_iter().map(part).collect::<Result<_>>()?;
        Ok(Matrix::Linear { outputs, inputs: columns, parts })
    }

    fn write_rows(&mut self, matrix: &mut Matrix, first_row: usize, block: Block) -> Result<()> {
        match matrix {
            Matrix::Linear { inputs, parts, .. } => {
                let part = parts.iter().find(|part| part.rows.contains(&first_row));
                let part = part.ok_or_else(|| Error::internal(format!("a matrix has no row {first_row}")))?;
                let panel = (first_row - part.rows.start) / LANES;
                let at = panel * packing::panel_bytes(part.format, *inputs);
                let bytes = packing::panels(block, *inputs, self.traits.arithmetic);
                if at as u64 + bytes.len() as u64 > part.panels.place.bytes() {
                    return Err(Error::internal("a block of weights reaches beyond its matrix"));
                }
                self.processor.write(part.panels.address() + at as Address, &bytes);
            }
            Matrix::Table { columns, format, values, scales } => {
                let (value_bytes, scale_bytes) = block.into_bytes();
                for (region, at, bytes) in [
                    (values, format.value_bytes(first_row, *columns), value_bytes),
                    (scales, format.scale_bytes(first_row, *columns), scale_bytes),
                ] {
                    self.processor.write(region.address() + at as Address, &bytes);
                }
            }
        }
        Ok(())
    }

    fn vector(&mut self, values: &[f32]) -> Result<Region> {
        // Kernels read whole vectors of numbers.
        let mut padded = values.to_vec();
        padded.resize(values.len().next_multiple_of(LANES), 0.0);
        self.filled_region(bytemuck::cast_slice(&padded))
    }

    fn widest_bottleneck(&self) -> usize {
        usize::MAX
    }

    fn bottleneck_weights(&mut self, weights: &BottleneckWeights) -> Result<BottleneckLayers> {
        let BottleneckWeights { hidden, width, down, down_bias, activation, up, up_bias } =
            weights.padded(LANES);
        let mut dense = |outputs: usize, inputs: usize, values: Vec<f32>, bias: &[f32]| {
            let mut weight = self.matrix(&[(outputs, Format::F32)], inputs, Layout::Linear)?;
            self.write_rows(&mut weight, 0, Block::F32(values))?;
            Ok(Dense { weight, bias: self.vector(bias)? })
        };
        Ok(BottleneckLayers {
            down: dense(width, hidden, down, &down_bias)?,
            activation,
            up: dense(hidden, width, up, &up_bias)?,
        })
    }

    fn positions(&mut self, weights: &PositionWeights) -> Result<Positions> {
        let &PositionWeights { hidden, ref rows, ref keys, ref queries, scale, .. } = weights;
        let mut panels = |values: &[f32]| {
            let scaled = values.iter().map(|value| value * scale).collect();
            self.filled_region(&packing::panels(Block::F32(scaled), hidden, self.traits.arithmetic))
        };
        let (keys_region, queries_region) = (panels(keys)?, panels(queries)?);
        let rows_region = self.filled_region(bytemuck::cast_slice(rows))?;
        let table = kernels::positions::Positions {
            rows: rows_region.address(),
            longest: weights.longest() as u32,
            panels: (keys.len() / hidden).div_ceil(LANES) as u32,
            keys: keys_region.address(),
            queries: queries_region.address(),
            scale,
        };
        let table = self.filled_region(bytemuck::bytes_of(&table))?;
        Ok(Positions { table, _rows: rows_region, _keys: keys_region, _queries: queries_region })
    }

    async fn loaded(&mut self) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, batch: &Batch, _: usize) -> Result<()> {
        self.commands.clear();
        self.scratch_bytes = 0;
        self.tables = None;
        self.space.watch();
        let ids: Vec<[u32; 2]> =
            batch.ids.iter().zip(batch.positions()).map(|(&id, position)| [id, position]).collect();
        let [ids, document_of_row, starts] = [
            bytemuck::cast_slice(&ids),
            bytemuck::cast_slice(&batch.document_of_row()),
            bytemuck::cast_slice(&batch.starts),
        ]
        .map(|bytes| self.table(bytes));
        let (ids, document_of_row, starts) = (ids?, document_of_row?, starts?);
        let lengths = (0..batch.documents()).map(|document| batch.rows(document).len());
        self.tables = Some(Tables {
            tokens: batch.tokens(),
            documents: batch.documents(),
            longest: lengths.max().unwrap_or(0),
            ids,
            document_of_row,
            starts,
        });
        Ok(())
    }

    fn embedding(&mut self, embeddings: &Embeddings<Matrix, Region>) -> Rows {
        let table = |matrix: &Matrix| match matrix {
            Matrix::Table { columns, format, values, scales } => {
                let format = match format {
                    Format::F32 => kernels::embedding::Format::F32,
                    Format::F16 => kernels::embedding::Format::F16,
                    Format::Q8 => kernels::embedding::Format::Q8,
                    Format::Q4 => kernels::embedding::Format::Q4,
                };
                let table = kernels::embedding::Table {
                    format: format as u32,
                    values: values.address(),
                    scales: scales.address(),
                };
                (table, *columns)
            }
            // A network never looks rows of weights up.
            Matrix::Linear { .. } => (kernels::embedding::Table { format: 0, values: 0, scales: 0 }, 0),
        };
        let (words, width) = table(&embeddings.word);
        let nothing = kernels::embedding::Table { format: 0, values: 0, scales: 0 };
        let positions = embeddings.position.as_ref().map_or(nothing, |position| table(position).0);
        let sums = self.rows(RowsOf::Tokens, width);
        self.record(kernels::embedding::Embedding {
            words,
            positions,
            tokens: self.tables.as_ref().map_or(0, |tables| tables.ids.address()),
            rows: sums.0.count as u32,
            width: width as u32,
            output: sums.address(),
        });
        match &embeddings.norm {
            Some(norm) => self.layer_norm(&sums, None, norm, None),
            None => sums,
        }
    }

    fn linear(
        &mut self,
        input: &Rows,
        dense: &Dense<Matrix, Region>,
        outputs: Outputs,
        activation: Activation,
        residual: Option<&Rows>,
    ) -> Rows {
        let Matrix::Linear { outputs: all, inputs, parts } = &dense.weight else {
            // A network never multiplies by a table.
            return self.rows(input.0.of, 0);
        };
        let range = outputs.range(*all);
        let output = self.rows(input.0.of, range.len());
        for part in parts {
            let (first, end) = (part.rows.start.max(range.start), part.rows.end.min(range.end));
            if first >= end {
                continue;
            }
            let rounded = (part.format == kernels::linear::Format::Groups).then(|| self.rounded(input));
            let (input, input_scales) = match rounded.as_deref() {
                Some([integers, scales]) => (integers.address(), scales.address()),
                None => (input.address(), 0),
            };
            let panel = (first - part.rows.start) / LANES;
            let column = ((first - range.start) * 4) as Address;
            self.record(kernels::linear::Linear {
                format: part.format as u32,
                input,
                input_scales,
                rows: output.0.count as u32,
                inputs: *inputs as u32,
                weights: part.panels.address()
                    + (panel * packing::panel_bytes(part.format, *inputs)) as Address,
                bias: dense.bias.address() + (first * 4) as Address,
                outputs: (end - first) as u32,
                activation: activation.number(),
                residual: residual.map_or(0, |residual| residual.address() + column),
                output: output.address() + column,
                width: range.len() as u32,
            });
        }
        output
    }

    fn attention(
        &mut self,
        queries: &Rows,
        keys_values: &Rows,
        columns: AttentionColumns,
        heads: usize,
        head_size: usize,
        positions: Option<&Positions>,
    ) -> Rows {
        let output = self.rows(queries.0.of, heads * head_size);
        let (starts, documents) = self.tables();
        self.record(kernels::attention::Attention {
            queries: queries.address(),
            query_width: queries.0.width as u32,
            query_column: columns.query as u32,
            keys: keys_values.address(),
            key_width: keys_values.0.width as u32,
            key_column: columns.key as u32,
            value_column: columns.value as u32,
            starts,
            documents,
            one_query: u32::from(queries.0.of == RowsOf::Documents),
            heads: heads as u32,
            head_size: head_size as u32,
            longest: self.tables.as_ref().map_or(0, |tables| tables.longest as u32),
            positions: positions.map_or(0, |positions| positions.table.address()),
            output: output.address(),
        });
        output
    }

    fn neighbours(&mut self, input: &Rows, taps: usize) -> Rows {
        let output = self.rows(input.0.of, input.0.width * taps);
        let (starts, documents) = self.tables();
        self.record(kernels::neighbours::Neighbours {
            input: input.address(),
            width: input.0.width as u32,
            taps: taps as u32,
            starts,
            documents,
            output: output.address(),
        });
        output
    }

    fn layer_norm(
        &mut self,
        input: &Rows,
        before: Option<&Rows>,
        norm: &LayerNorm<Region>,
        after: Option<&Rows>,
    ) -> Rows {
        let output = self.rows(input.0.of, input.0.width);
        self.record(kernels::layer_norm::LayerNorm {
            input: input.address(),
            before: address_of(before),
            weight: norm.weight.address(),
            bias: norm.bias.address(),
            after: address_of(after),
            output: output.address(),
            rows: input.0.count as u32,
            width: input.0.width as u32,
            epsilon: norm.epsilon,
        });
        output
    }

    fn bottleneck(
        &mut self,
        input: &Rows,
        bottleneck: &Bottleneck<Region, BottleneckLayers>,
        residual: Option<&Rows>,
    ) -> Rows {
        let BottleneckLayers { down, activation, up } = &bottleneck.dense;
        let inner = self.linear(input, down, Outputs::All, *activation, None);
        self.linear(&inner, up, Outputs::All, Activation::Identity, residual)
    }

    fn gate(&mut self, input: &Rows, gate: &Gate<Region>) -> Rows {
        let output = self.rows(RowsOf::Documents, 1);
        let (starts, documents) = self.tables();
        self.record(kernels::gate::Gate {
            input: input.address(),
            width: input.0.width as u32,
            weight: gate.weight.address(),
            bias: gate.bias,
            starts,
            documents,
            output: output.address(),
        });
        output
    }

    fn apply_gate(&mut self, input: &Rows, gates: &Rows, residual: Option<&Rows>) -> Rows {
        let output = self.rows(input.0.of, input.0.width);
        let documents = match input.0.of {
            RowsOf::Tokens => self.tables.as_ref().map_or(0, |tables| tables.document_of_row.address()),
            RowsOf::Documents => 0,
        };
        self.record(kernels::gate::ApplyGate {
            input: input.address(),
            gates: gates.address(),
            documents,
            residual: address_of(residual),
            output: output.address(),
            rows: input.0.count as u32,
            width: input.0.width as u32,
        });
        output
    }

    fn first_rows(&mut self, input: &Rows) -> Rows {
        self.pool(input, Pooling::Cls, false)
    }

    fn pool(&mut self, input: &Rows, pooling: Pooling, normalize: bool) -> Rows {
        let output = self.rows(RowsOf::Documents, input.0.width);
        let (starts, documents) = self.tables();
        self.record(kernels::pool::Pool {
            input: input.address(),
            starts: if input.0.of == RowsOf::Tokens { starts } else { 0 },
            documents,
            width: input.0.width as u32,
            mean: u32::from(pooling == Pooling::Mean),
            normalize: u32::from(normalize),
            output: output.address(),
        });
        output
    }

    fn top_k(&mut self, input: &Rows, columns: usize, count: usize) -> Rows {
        let output = self.rows(input.0.of, 2 * count);
        self.record(kernels::top_k::TopK {
            input: input.address(),
            rows: input.0.count as u32,
            width: input.0.width as u32,
            columns: columns as u32,
            count: count as u32,
            output: output.address(),
        });
        output
    }

    fn send(&mut self, rows: &Rows) -> Result<Vec<f32>> {
        let threads = self.traits.threads as usize;
        let commands: &[u8] = bytemuck::cast_slice(&self.commands);
        let count = self.commands.len();
        // Commands, the progress of each, the word for failures, and the work itself.
        let (progress, failed) = (commands.len(), commands.len() + count * 8);
        let work = (failed + 4).next_multiple_of(ALIGNMENT);
        let list = self.space.take_behind((work + size_of::<Work>()) as u64);
        let scratch_bytes = self.scratch_bytes.next_multiple_of(ALIGNMENT);
        let scratch = self.space.take_behind(scratch_bytes as u64 * threads as u64);

        let mut bytes = commands.to_vec();
        self.commands.clear();
        bytes.resize(work, 0);
        bytes.extend_from_slice(bytemuck::bytes_of(&Work {
            commands: list.address(),
            count: count as u32,
            progress: list.address() + progress as Address,
            failed: list.address() + failed as Address,
            scratch: scratch.address(),
            scratch_bytes: scratch_bytes as u32,
        }));
        let tokens = self.tables.as_ref().map_or(0, |tables| tables.tokens);
        self.grow(|| format!("a batch of {tokens} tokens"))?;
        self.processor.write(list.address(), &bytes);
        self.processor.execute(list.address() + work as Address)?;
        let mut values = vec![0.0; rows.0.count * rows.0.width];
        self.processor.read(rows.address(), bytemuck::cast_slice_mut(&mut values));
        Ok(values)
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
        let Traits { instructions, threads, .. } = &self.traits;
        DeviceInfo {
            kind: "wasm",
            adapter: format!("CPU, {threads} {}", if *threads == 1 { "thread" } else { "threads" }),
            vendor: String::new(),
            backend: "CPU".to_owned(),
            software: false,
            features: vec![instructions.clone()],
        }
    }

    fn kernels(&self) -> Vec<KernelInfo> {
        let variant = match self.traits.arithmetic {
            Arithmetic::Words => "16-bit inputs",
            Arithmetic::Bytes { .. } => "8-bit inputs",
        };
        let kernel = |(name, dispatches): (&&str, &u64)| KernelInfo {
            name: (*name).to_owned(),
            variant: if *name == kernels::linear::Linear::NAME { variant.to_owned() } else { String::new() },
            dispatches: *dispatches,
        };
        self.dispatches.iter().map(kernel).collect()
    }

    fn memory(&self) -> MemoryInfo {
        let weights = self.weights.get();
        MemoryInfo { weights, activations: self.length.saturating_sub(weights) }
    }
}
