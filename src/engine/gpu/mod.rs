//! The forward pass on a GPU through wgpu: WebGPU in a browser, Vulkan, Metal or DX12 elsewhere.
//!
//! [`device`] opens an adapter and listens for its faults, [`packing`] brings weights into the order in which the
//! kernels read them, [`arena`] keeps activation buffers, [`recorder`] turns operations into dispatches of one compute
//! pass, and [`readback`] brings results home. [`profile`] measures where the time goes. The kernels are in `shaders/`;
//! [`shaders`] is what the build made of them. Where there are several for one operation, [`linear`] and [`attention`] list
//! them, and [`tuning`] finds the fastest.

mod arena;
mod attention;
mod device;
mod linear;
mod packing;
mod profile;
mod readback;
mod recorder;
pub mod shaders;
mod tuning;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::{
    AttentionColumns, Backend, Clock, DeviceInfo, KernelInfo, MatrixShape, MemoryInfo, Outline, Outputs,
    PositionWeights, Rounding, RowsOf, merged_parts,
};
use crate::error::{Error, Result};
use crate::model::adapter::{Bottleneck, BottleneckWeights, Gate};
use crate::model::network::Embeddings;
use crate::model::{Activation, Dense, LayerNorm, Layout, Pooling};
use crate::text::Batch;
use crate::weights::format::GROUP;
use crate::weights::{Block, Format};
use arena::{Arena, PerKind};
use device::{Device, Watched};
use linear::{Plans, RowClass};
use packing::Order;
use profile::Profile;
use readback::Arriving;
use recorder::{Bound, Kernel, Recorder};
use shaders::{
    ApplyGateParams, AttentionParams, BottleneckParams, EmbeddingParams, GateParams, LayerNormParams,
    LinearParams, NeighboursParams, PoolParams, QuantizeParams, Shader, TopKParams,
};

pub use arena::Rows;
pub use attention::AttentionKernel;
pub use device::Features;
pub use linear::{LinearKernel, Plan, RoundingKernels};
pub use profile::KernelTime;
pub use readback::Waiting;
pub use tuning::{Tuned, TunedAttention, TunedLinear, Tuning};

/// How a GPU is opened.
#[derive(Clone)]
pub struct GpuOptions {
    /// How it is brought to report results.
    pub waiting: Waiting,
    /// What it may use beyond what every device has, where it has it.
    pub allowed: Features,
    /// What it is known to have, where wgpu cannot see it.
    pub known: Features,
    /// The adapter's name and vendor. In a browser wgpu sees a description only, which is mostly empty; the page sees
    /// more.
    pub adapter: Option<(String, String)>,
    /// Whether it is a CPU that plays a GPU, for which other kernels are tried; `None`: as its name says.
    pub software: Option<bool>,
    /// How kernels are chosen.
    pub tuning: Tuning,
    /// Milliseconds since some time.
    pub clock: Clock,
}

impl GpuOptions {
    /// A device outside browsers, with all that it has.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn native() -> Self {
        let start = std::time::Instant::now();
        Self {
            waiting: Waiting::Polling,
            allowed: Features::ALL,
            known: Features::default(),
            adapter: None,
            software: None,
            tuning: Tuning::default(),
            clock: Rc::new(move || start.elapsed().as_secs_f64() * 1e3),
        }
    }
}

/// The widest bottleneck: four rows of it fill the 16 KiB of workgroup memory that every WebGPU device has.
const MAX_BOTTLENECK: usize = 1024;

/// How many rows a workgroup normalizes by quads; `ROWS` of `shared/reduce_quad.wgsl`.
const NORM_QUADS: usize = 4;

/// The most workgroups of a dispatch along an axis, on every device.
const MOST_WORKGROUPS: usize = 65_535;

/// Rows of a table that lie together; their scales fill whole words.
const TABLE_BLOCK: usize = 32;

/// A GPU with the weights of one model.
pub struct Gpu {
    device: Device,
    arena: Arena,
    recorder: Recorder,
    weights: Rc<WeightAccount>,
    waiting: Waiting,
    clock: Clock,
    tuning: Tuning,
    plans: Plans,
    tuned_attention: Option<TunedAttention>,
    /// Whether kernels are taken that round activations, and for how many rows they were on trial.
    rounding: Rounding,
    tried: BTreeSet<RowClass>,
    /// Tables of more bytes are kept in parts.
    largest_table: u64,
    /// What the network's dense layers apply, where they apply any.
    activation: Activation,
    /// The widest rows that any operation of the network makes.
    widest: usize,
    tokens: usize,
    documents: usize,
    /// `Σ length²`, which attention costs.
    squared_lengths: usize,
}

/// Keeps count of the weights on the device.
#[derive(Debug, Default)]
struct WeightAccount {
    bytes: Cell<u64>,
    /// Whether some weights were dropped, so that what refers to them must go.
    dropped: Cell<bool>,
}

/// A buffer of weights, freed on the device when it is dropped.
#[derive(Debug)]
pub struct Weights {
    buffer: wgpu::Buffer,
    id: u64,
    account: Rc<WeightAccount>,
}

impl Drop for Weights {
    fn drop(&mut self) {
        self.account.bytes.set(self.account.bytes.get().saturating_sub(self.buffer.size()));
        self.account.dropped.set(true);
        self.buffer.destroy();
    }
}

/// A matrix of weights in the order in which its kernel reads it.
#[derive(Debug)]
pub struct Matrix {
    columns: usize,
    layout: Layout,
    first: MatrixPart,
    /// Below the first, each in another format than its neighbours.
    others: Vec<MatrixPart>,
}

/// Consecutive rows of a matrix that have the same format.
#[derive(Debug)]
struct MatrixPart {
    rows: Range<usize>,
    format: Format,
    plan: Plan,
    values: Weights,
    /// Of a format with groups.
    scales: Option<Weights>,
}

impl Matrix {
    fn parts(&self) -> impl Iterator<Item = &MatrixPart> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn rows(&self) -> usize {
        self.others.last().unwrap_or(&self.first).rows.end
    }
}

/// Results on their way from the device.
pub struct Pending {
    arriving: Arriving,
    watched: Watched,
}

/// The dense layers of a bottleneck, padded to a multiple of 4 units.
#[derive(Debug)]
pub struct BottleneckBuffers {
    width: usize,
    hidden: usize,
    activation: Activation,
    down: Weights,
    down_bias: Weights,
    up: Weights,
    up_bias: Weights,
}

/// What relative positions project to in one layer.
#[derive(Debug)]
pub struct Positions {
    /// By distance.
    rows: Weights,
    /// The place of distance 0 among them.
    here: usize,
    /// For each head and each row, `Pk` and then `Pq`, scaled.
    projections: Weights,
    /// Rows of a head.
    count: usize,
    scale: f32,
}

/// Rows of distances beyond the longest ones, which kernels look up that take four tokens at a time.
const BEYOND: usize = 3;

impl Gpu {
    /// Opens the fastest adapter that there is.
    pub async fn new(options: GpuOptions) -> Result<Self> {
        let GpuOptions { waiting, allowed, known, adapter, software, tuning, clock } = options;
        let mut device = Device::open(allowed, known).await?;
        if let Some((name, vendor)) = adapter {
            device.describe_adapter(name, vendor);
        }
        if let Some(software) = software {
            device.treat_as_software(software);
        }
        Ok(Self {
            arena: Arena::new(&device),
            recorder: Recorder::new(&device),
            weights: Rc::default(),
            waiting,
            clock,
            tuning,
            plans: Plans::new(),
            tuned_attention: None,
            rounding: Rounding::Off,
            tried: BTreeSet::new(),
            largest_table: device.largest_binding(),
            device,
            activation: Activation::Identity,
            widest: 0,
            tokens: 0,
            documents: 0,
            squared_lengths: 0,
        })
    }

    /// How many pipelines, bind groups and activation buffers there are; constant in a steady stream of batches.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.recorder.objects() + self.arena.objects()
    }

    /// Measures how long each kernel takes, by the device's own clock and in a pass for each dispatch, or stops measuring. Where
    /// the device has no such clock, nothing is measured.
    pub fn measure_kernels(&mut self, measure: bool) {
        self.recorder.profile = measure.then(|| Profile::new(&self.device)).flatten();
    }

    /// What each kernel has taken since this was asked for the last time, by its name; nothing where nobody measures.
    ///
    /// # Errors
    ///
    /// `device-lost` where the readings do not arrive.
    pub async fn kernel_times(&mut self) -> Result<BTreeMap<&'static str, KernelTime>> {
        match &mut self.recorder.profile {
            Some(profile) => profile.times(&self.device, &self.waiting).await,
            None => Ok(BTreeMap::new()),
        }
    }

    /// Fills all activation buffers with NaN, so that a kernel that leaves something out cannot pass a test.
    pub fn poison_activations(&mut self) {
        self.arena.poison(&self.device);
    }

    /// Keeps tables in parts of so many bytes at most, as a device does that binds no more at once.
    pub fn split_tables(&mut self, bytes: u64) {
        self.largest_table = bytes;
    }

    /// The parts of a table, each of whole blocks of rows.
    fn table_parts(&self, rows: usize, columns: usize, format: Format) -> Vec<(Range<usize>, Format)> {
        let row = format.value_bytes(1, columns).max(format.scale_bytes(1, columns)).max(1) as u64;
        let most = ((self.largest_table / row) as usize).max(TABLE_BLOCK) / TABLE_BLOCK * TABLE_BLOCK;
        (0..rows).step_by(most).map(|first| (first..rows.min(first + most), format)).collect()
    }

    fn weights(&self, bytes: usize, label: &str) -> Result<Weights> {
        // Kernels read vectors of 16 bytes.
        let size = (bytes.max(16) as u64).next_multiple_of(16);
        let buffer =
            self.device.buffer(label, size, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST)?;
        self.weights.bytes.set(self.weights.bytes.get() + size);
        Ok(Weights { buffer, id: self.device.next_id(), account: Rc::clone(&self.weights) })
    }

    fn upload(&self, bytes: &[u8], label: &str) -> Result<Weights> {
        let weights = self.weights(bytes.len(), label)?;
        self.device.queue.write_buffer(&weights.buffer, 0, bytes);
        Ok(weights)
    }

    /// Lets go of all that a batch which failed may have left half done.
    fn start_over(&mut self) {
        self.arena.clear();
        self.recorder.forget_bindings();
    }

    /// The plan of some rows of a matrix.
    fn plan(&self, rows: &Range<usize>, inputs: usize, format: Format) -> Plan {
        let shape = MatrixShape { outputs: rows.len(), inputs, format };
        let plan = self.plans.get(&shape).copied().unwrap_or_else(|| self.usual_plan(format));
        // A quad's number is that of its tile in the part only where parts are whole quads of tiles.
        if plan.order() == Order::Quads && !(rows.start.is_multiple_of(16) && rows.len().is_multiple_of(16)) {
            return Plan::all(LinearKernel::Registers);
        }
        // The labels of a huge head may be more workgroups than a dispatch has.
        let workgroups = |kernel: LinearKernel| rows.len().div_ceil(kernel.workgroup(self.quad_groups())[0]);
        if plan.kernels().any(|kernel| workgroups(kernel) > MOST_WORKGROUPS) {
            return Plan::all(LinearKernel::Registers);
        }
        plan
    }

    /// Whether normalization goes by quads. On software adapters that is known to be right and faster; on GPUs it hardly
    /// counts, and nothing there would notice a driver whose quads are others.
    fn prefers_quads(&self) -> bool {
        self.device.is_software() && self.device.features().subgroups
    }

    /// How many times 8 rows a workgroup of `linear_quads.wgsl` computes. On a CPU, workgroups of 16 waste least.
    fn quad_groups(&self) -> usize {
        if self.device.is_software() { 1 } else { 4 }
    }

    /// Which of the kernels of a matrix multiplies so many rows.
    fn kernel(&mut self, plan: Plan, rows: usize) -> LinearKernel {
        let class = RowClass::of(rows);
        let Some(rounding) = plan.rounding(class) else { return plan.plain(class) };
        if self.rounding == Rounding::OnTrial {
            self.tried.insert(class);
        }
        let takes = self.rounding != Rounding::Off && self.tried.contains(&class);
        if takes { rounding } else { plan.plain(class) }
    }

    /// Activations as int8 in groups, each row with its scales behind it.
    fn quantize(&mut self, input: &Rows) -> Rows {
        let rows = self.row_count(input.of);
        let (words, groups) = (input.width / 4, input.width / GROUP);
        let out = self.arena.rows(&self.device, input.of, words + groups);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::QUANTIZE,
                constants: &[],
                params: &QuantizeParams { inputs: words as u32, rows: rows as u32 },
                inputs: &[input.into()],
                output: (&out).into(),
                workgroups: [groups.div_ceil(64), rows],
                operations: product(&[4, rows, input.width]),
            },
        );
        out
    }

    /// Fills rows of a table, which may lie in several of its parts.
    fn write_table(&self, matrix: &Matrix, first_row: usize, block: Block) -> Result<()> {
        let (columns, format) = (matrix.columns, matrix.first.format);
        let (values, scales) = block.into_bytes();
        let rows = values.len() / format.value_bytes(1, columns).max(1);
        for part in matrix.parts() {
            let written = part.rows.start.max(first_row)..part.rows.end.min(first_row + rows);
            if written.is_empty() {
                continue;
            }
            let (from, to) = (written.start - first_row, written.start - part.rows.start);
            let write = |buffer: &Weights, bytes: &[u8], size: &dyn Fn(usize) -> usize| {
                let some = bytes.get(size(from)..size(from + written.len()).min(bytes.len()));
                let some = some.ok_or_else(|| Error::internal("a block of a table is too short"))?;
                let mut whole = some.to_vec();
                // The GPU takes whole words.
                whole.resize(some.len().next_multiple_of(4), 0);
                self.device.queue.write_buffer(&buffer.buffer, size(to) as u64, &whole);
                Ok(())
            };
            write(&part.values, &values, &|rows| format.value_bytes(rows, columns))?;
            if let Some(buffer) = &part.scales {
                write(buffer, &scales, &|rows| format.scale_bytes(rows, columns))?;
            }
        }
        Ok(())
    }

    fn row_count(&self, of: RowsOf) -> usize {
        match of {
            RowsOf::Tokens => self.tokens,
            RowsOf::Documents => self.documents,
        }
    }
}

/// The shader for a matrix format.
fn by_format(format: Format, shaders: [&'static Shader; 4]) -> &'static Shader {
    let [f32, f16, q8, q4] = shaders;
    match format {
        Format::F32 => f32,
        Format::F16 => f16,
        Format::Q8 => q8,
        Format::Q4 => q4,
    }
}

/// A count of operations, which may not fit into 32 bits.
fn product(factors: &[usize]) -> u64 {
    factors.iter().map(|&factor| factor as u64).product()
}

fn flag(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

impl Backend for Gpu {
    type Matrix = Matrix;
    type Vector = Weights;
    type Bottleneck = BottleneckBuffers;
    type Positions = Positions;
    type Rows = Rows;
    type Pending = Pending;

    async fn prepare(&mut self, outline: &Outline) -> Result<()> {
        self.activation = outline.activation;
        self.tune(outline).await
    }

    fn rehearsals(&self) -> Vec<usize> {
        let usual = self.plans.is_empty().then(|| self.usual_plan(Format::Q8));
        let plans: Vec<Plan> = self.plans.values().copied().chain(usual).collect();
        let differs = |class: RowClass, fewer: RowClass| {
            plans.iter().any(|plan| plan.plain(class) != plan.plain(fewer)).then_some(class)
        };
        // Where kernels are the same there is nothing else to compile, and a software adapter takes long for many rows.
        let several = differs(RowClass::Several, RowClass::Few);
        let many = differs(RowClass::Many, RowClass::Several);
        [RowClass::Few].into_iter().chain(several).chain(many).map(RowClass::least).collect()
    }

    fn can_round(&self) -> bool {
        self.plans.values().any(|plan| !plan.rounding.is_empty())
    }

    fn round(&mut self, rounding: Rounding) {
        self.rounding = rounding;
    }

    fn matrix(&mut self, parts: &[(usize, Format)], columns: usize, layout: Layout) -> Result<Matrix> {
        self.device.watch();
        let rows = parts.iter().map(|(rows, _)| rows).sum();
        self.widest = match layout {
            Layout::Linear => self.widest.max(columns).max(rows),
            Layout::Table | Layout::Positions => self.widest.max(columns),
            // Who reads it out says how wide it is.
            Layout::Head => self.widest,
        };
        let parts = match (layout, parts) {
            (Layout::Table, &[(rows, format)]) => self.table_parts(rows, columns, format),
            _ => merged_parts(parts.iter().copied()),
        };
        let mut parts = parts.into_iter().map(|(rows, format)| {
            let scale_bytes = format.scale_bytes(rows.len(), columns);
            let values = self.weights(format.value_bytes(rows.len(), columns), "weights")?;
            let scales = if scale_bytes > 0 { Some(self.weights(scale_bytes, "scales")?) } else { None };
            let plan = self.plan(&rows, columns, format);
            Ok(MatrixPart { rows, format, plan, values, scales })
        });
        let first = parts.next().ok_or_else(|| Error::internal("a matrix without rows"))??;
        let others = parts.collect::<Result<_>>()?;
        Ok(Matrix { columns, layout, first, others })
    }

    fn write_rows(&mut self, matrix: &mut Matrix, first_row: usize, block: Block) -> Result<()> {
        let queue = &self.device.queue;
        if matches!(matrix.layout, Layout::Table | Layout::Positions) {
            return self.write_table(matrix, first_row, block);
        }
        let part = matrix.parts().find(|part| part.rows.contains(&first_row));
        let part = part.ok_or_else(|| Error::internal(format!("a matrix has no row {first_row}")))?;
        let before = first_row - part.rows.start;
        let order = part.plan.order();
        let (values, scales) = packing::pack(block, matrix.columns, order, before);
        let scale_bytes = part.format.scale_bytes(before, matrix.columns);
        let value_bytes = part.format.value_bytes(before, matrix.columns);
        queue.write_buffer(&part.values.buffer, value_bytes as u64, &values);
        if let (Some(buffer), Some(scales)) = (&part.scales, scales) {
            queue.write_buffer(&buffer.buffer, scale_bytes as u64, &scales);
        }
        Ok(())
    }

    fn vector(&mut self, values: &[f32]) -> Result<Weights> {
        self.device.watch();
        self.upload(bytemuck::cast_slice(values), "vector")
    }

    fn widest_bottleneck(&self) -> usize {
        MAX_BOTTLENECK
    }

    fn bottleneck_weights(&mut self, weights: &BottleneckWeights) -> Result<BottleneckBuffers> {
        let &BottleneckWeights { hidden, width, activation, .. } = weights;
        if width > MAX_BOTTLENECK {
            return Err(Error::internal(format!("a bottleneck of {width}; {MAX_BOTTLENECK} fit")));
        }
        self.device.watch();
        let padded = weights.padded(packing::TILE);
        let tiles = |values, columns| packing::pack(Block::F32(values), columns, Order::Natural, 0).0;
        Ok(BottleneckBuffers {
            width: padded.width,
            hidden,
            activation,
            down: self.upload(&tiles(padded.down, hidden), "adapter_down")?,
            down_bias: self.upload(bytemuck::cast_slice(&padded.down_bias), "adapter_down bias")?,
            up: self.upload(&tiles(padded.up, padded.width), "adapter_up")?,
            up_bias: self.upload(bytemuck::cast_slice(&padded.up_bias), "adapter_up bias")?,
        })
    }

    fn positions(&mut self, weights: &PositionWeights) -> Result<Positions> {
        let &PositionWeights { hidden, head_size, ref rows, ref keys, ref queries, scale } = weights;
        self.device.watch();
        self.device.check_size("relative positions", 4 * (keys.len() + queries.len()) as u64)?;
        let beyond = |end: Option<&u32>| vec![end.copied().unwrap_or(0); BEYOND];
        let rows = [beyond(rows.first()), rows.clone(), beyond(rows.last())].concat();
        let mut projections = Vec::with_capacity(keys.len() + queries.len());
        for head in (0..hidden).step_by(head_size) {
            for (keys, queries) in keys.chunks(hidden).zip(queries.chunks(hidden)) {
                projections.extend(keys.iter().skip(head).take(head_size));
                projections.extend(queries.iter().skip(head).take(head_size).map(|query| query * scale));
            }
        }
        Ok(Positions {
            rows: self.upload(bytemuck::cast_slice(&rows), "position rows")?,
            here: BEYOND + weights.longest() - 1,
            projections: self.upload(bytemuck::cast_slice(&projections), "positions")?,
            count: keys.len() / hidden,
            scale,
        })
    }

    async fn loaded(&mut self) -> Result<()> {
        self.device.finish().await
    }

    fn begin(&mut self, batch: &Batch, readout: usize) -> Result<()> {
        self.device.check()?;
        if self.weights.dropped.take() {
            self.recorder.forget_bindings();
        }
        self.tokens = batch.tokens();
        self.documents = batch.documents();
        self.squared_lengths = (0..self.documents)
            .map(|document| batch.rows(document).len())
            .map(|length| length * length)
            .sum();
        self.device.watch();
        let widest = PerKind { tokens: self.widest, documents: readout };
        if self.arena.begin(&self.device, batch, widest)? {
            self.recorder.forget_bindings();
        }
        self.recorder.begin();
        Ok(())
    }

    fn embedding(&mut self, embeddings: &Embeddings<Matrix, Weights>) -> Rows {
        let Embeddings { word, position, norm } = embeddings;
        let out = self.arena.rows(&self.device, RowsOf::Tokens, word.columns);
        let (shaders, workgroup_rows) = if self.prefers_quads() {
            let quads = [
                &shaders::EMBEDDING_QUADS_F32,
                &shaders::EMBEDDING_QUADS_F16,
                &shaders::EMBEDDING_QUADS_Q8,
                &shaders::EMBEDDING_QUADS_Q4,
            ];
            (quads, NORM_QUADS)
        } else {
            let workgroups = [
                &shaders::EMBEDDING_F32,
                &shaders::EMBEDDING_F16,
                &shaders::EMBEDDING_Q8,
                &shaders::EMBEDDING_Q4,
            ];
            (workgroups, 1)
        };
        for table in word.parts() {
            let position = position.as_ref().map_or(&table.values, |position| &position.first.values);
            let norm_weight = norm.as_ref().map_or(&table.values, |norm| &norm.weight);
            self.recorder.dispatch(
                &self.device,
                &Kernel {
                    shader: by_format(table.format, shaders),
                    constants: &[
                        ("HAS_POSITIONS", flag(embeddings.position.is_some())),
                        ("HAS_NORM", flag(norm.is_some())),
                    ],
                    params: &EmbeddingParams {
                        hidden: word.columns as u32,
                        epsilon: norm.as_ref().map_or(0.0, |norm| norm.epsilon),
                        first_word: table.rows.start as u32,
                        words: table.rows.len() as u32,
                    },
                    inputs: &[
                        self.arena.tokens().into(),
                        (&table.values).into(),
                        table.scales.as_ref().unwrap_or(&table.values).into(),
                        position.into(),
                        norm_weight.into(),
                        norm.as_ref().map_or(norm_weight, |norm| &norm.bias).into(),
                    ],
                    output: (&out).into(),
                    workgroups: [self.tokens.div_ceil(workgroup_rows), 1],
                    operations: product(&[self.tokens, word.columns, 8]),
                },
            );
        }
        out
    }

    fn linear(
        &mut self,
        input: &Rows,
        dense: &Dense<Matrix, Weights>,
        outputs: Outputs,
        activation: Activation,
        residual: Option<&Rows>,
    ) -> Rows {
        let weight = &dense.weight;
        let outputs = outputs.range(weight.rows());
        let rows = self.row_count(input.of);
        let out = self.arena.rows(&self.device, input.of, outputs.len());
        let quad_groups = self.quad_groups();
        // A layer without one shares the pipeline of those with the network's own.
        let compiled = if activation == Activation::Identity { self.activation } else { activation };
        let mut quantized = None;
        for part in weight.parts() {
            let computed = part.rows.start.max(outputs.start)..part.rows.end.min(outputs.end);
            if computed.is_empty() {
                continue;
            }
            let kernel = self.kernel(part.plan, rows);
            let constants = [("ACTIVATION", f64::from(compiled.number())), ("GROUPS", quad_groups as f64)];
            let constants = match kernel {
                LinearKernel::Quads => &constants[..],
                _ => &constants[..1],
            };
            let scales = part.scales.as_ref().unwrap_or(&part.values);
            let x = match kernel {
                LinearKernel::Dot => &*quantized.get_or_insert_with(|| self.quantize(input)),
                _ => input,
            };
            let tiles = |rows: usize| (rows / 4) as u32;
            let [workgroup_outputs, workgroup_rows] = kernel.workgroup(quad_groups);
            self.recorder.dispatch(
                &self.device,
                &Kernel {
                    shader: kernel.shader(part.format),
                    constants,
                    params: &LinearParams {
                        inputs: tiles(weight.columns),
                        output_tiles: tiles(computed.len()),
                        first_weight_tile: tiles(computed.start - part.rows.start),
                        first_bias_tile: tiles(computed.start),
                        row_tiles: tiles(outputs.len()),
                        first_row_tile: tiles(computed.start - outputs.start),
                        rows: rows as u32,
                        is_activated: u32::from(activation != Activation::Identity),
                        has_residual: u32::from(residual.is_some()),
                    },
                    inputs: &[
                        x.into(),
                        (&part.values).into(),
                        scales.into(),
                        (&dense.bias).into(),
                        residual.unwrap_or(input).into(),
                    ],
                    output: (&out).into(),
                    workgroups: [computed.len().div_ceil(workgroup_outputs), rows.div_ceil(workgroup_rows)],
                    operations: product(&[2, rows, computed.len(), weight.columns]),
                },
            );
        }
        out
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
        let rows = self.row_count(queries.of);
        let out = self.arena.rows(&self.device, queries.of, heads * head_size);
        let vectors = |columns: usize| (columns / 4) as u32;
        let params = AttentionParams {
            rows: rows as u32,
            heads: heads as u32,
            query_stride: vectors(queries.width),
            query_offset: vectors(columns.query),
            kv_stride: vectors(keys_values.width),
            key_offset: vectors(columns.key),
            value_offset: vectors(columns.value),
            scale: positions.map_or((head_size as f32).sqrt().recip(), |positions| positions.scale),
            here: positions.map_or(0, |positions| positions.here as u32),
            position_count: positions.map_or(0, |positions| positions.count as u32),
        };
        let head_vectors = ("HEAD_VECTORS", f64::from(vectors(head_size)));
        let operations = match queries.of {
            RowsOf::Tokens => product(&[4, self.squared_lengths, heads, head_size]),
            RowsOf::Documents => product(&[4, self.tokens, heads, head_size]),
        };
        let kernel = match queries.of {
            RowsOf::Tokens => self.attention_kernel(head_size),
            RowsOf::Documents => AttentionKernel::Rows,
        };
        let (constants, rows_by, workgroups) = match kernel {
            AttentionKernel::Rows => {
                let constants = [head_vectors, ("ROWS_ARE_DOCUMENTS", flag(queries.of == RowsOf::Documents))];
                (constants, self.arena.tokens(), [rows.div_ceil(64), heads])
            }
            AttentionKernel::Quads => {
                let workgroup_heads = heads.min(16);
                let (tiles, tile_count) = self.arena.tiles();
                let constants = [head_vectors, ("HEADS", workgroup_heads as f64)];
                (constants, tiles, [tile_count, heads.div_ceil(workgroup_heads)])
            }
        };
        let mut inputs = vec![queries.into(), keys_values.into(), rows_by.into(), self.arena.starts().into()];
        if let Some(positions) = positions {
            inputs.extend([Bound::from(&positions.rows), Bound::from(&positions.projections)]);
        }
        let terms = if positions.is_some() { 2 } else { 1 };
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: kernel.shader(head_size, positions.is_some()),
                constants: &constants,
                params: &params,
                inputs: &inputs,
                output: (&out).into(),
                workgroups,
                operations: terms * operations,
            },
        );
        out
    }

    fn neighbours(&mut self, input: &Rows, taps: usize) -> Rows {
        let rows = self.row_count(input.of);
        let width = input.width * taps;
        let out = self.arena.rows(&self.device, input.of, width);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::NEIGHBOURS,
                constants: &[],
                params: &NeighboursParams {
                    hidden: input.width as u32,
                    taps: taps as u32,
                    rows: rows as u32,
                },
                inputs: &[input.into(), self.arena.tokens().into(), self.arena.starts().into()],
                output: (&out).into(),
                workgroups: [width.div_ceil(64), rows],
                operations: product(&[rows, width]),
            },
        );
        out
    }

    fn layer_norm(
        &mut self,
        input: &Rows,
        before: Option<&Rows>,
        norm: &LayerNorm<Weights>,
        after: Option<&Rows>,
    ) -> Rows {
        let rows = self.row_count(input.of);
        let out = self.arena.rows(&self.device, input.of, input.width);
        let (shader, workgroup_rows) = if self.prefers_quads() {
            (&shaders::LAYER_NORM_QUADS, NORM_QUADS)
        } else {
            (&shaders::LAYER_NORM, 1)
        };
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader,
                constants: &[("HAS_BEFORE", flag(before.is_some())), ("HAS_AFTER", flag(after.is_some()))],
                params: &LayerNormParams { hidden: input.width as u32, epsilon: norm.epsilon },
                inputs: &[
                    input.into(),
                    before.unwrap_or(input).into(),
                    (&norm.weight).into(),
                    (&norm.bias).into(),
                    after.unwrap_or(input).into(),
                ],
                output: (&out).into(),
                workgroups: [rows.div_ceil(workgroup_rows), 1],
                operations: product(&[rows, input.width, 8]),
            },
        );
        out
    }

    fn bottleneck(
        &mut self,
        input: &Rows,
        bottleneck: &Bottleneck<Weights, BottleneckBuffers>,
        residual: Option<&Rows>,
    ) -> Rows {
        let rows = self.row_count(input.of);
        let dense = &bottleneck.dense;
        let out = self.arena.rows(&self.device, input.of, dense.hidden);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::BOTTLENECK,
                constants: &[
                    ("WIDTH", dense.width as f64),
                    ("ACTIVATION", f64::from(dense.activation.number())),
                    ("HAS_RESIDUAL", flag(residual.is_some())),
                ],
                params: &BottleneckParams { hidden: dense.hidden as u32, rows: rows as u32 },
                inputs: &[
                    input.into(),
                    (&dense.down).into(),
                    (&dense.down_bias).into(),
                    (&dense.up).into(),
                    (&dense.up_bias).into(),
                    residual.unwrap_or(input).into(),
                ],
                output: (&out).into(),
                workgroups: [rows.div_ceil(4), 1],
                operations: product(&[4, rows, dense.hidden, dense.width]),
            },
        );
        out
    }

    fn gate(&mut self, input: &Rows, gate: &Gate<Weights>) -> Rows {
        let out = self.arena.rows(&self.device, RowsOf::Documents, 1);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::GATE,
                constants: &[],
                params: &GateParams { hidden: input.width as u32, bias: gate.bias },
                inputs: &[input.into(), (&gate.weight).into(), self.arena.starts().into()],
                output: (&out).into(),
                workgroups: [self.documents, 1],
                operations: product(&[2, self.tokens, input.width]),
            },
        );
        out
    }

    fn apply_gate(&mut self, input: &Rows, gates: &Rows, residual: Option<&Rows>) -> Rows {
        let rows = self.row_count(input.of);
        let out = self.arena.rows(&self.device, input.of, input.width);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::APPLY_GATE,
                constants: &[("HAS_RESIDUAL", flag(residual.is_some()))],
                params: &ApplyGateParams { hidden: input.width as u32, rows: rows as u32 },
                inputs: &[
                    input.into(),
                    gates.into(),
                    self.arena.tokens().into(),
                    residual.unwrap_or(input).into(),
                ],
                output: (&out).into(),
                workgroups: [(input.width / 4).div_ceil(64), rows],
                operations: product(&[2, rows, input.width]),
            },
        );
        out
    }

    fn first_rows(&mut self, input: &Rows) -> Rows {
        self.pool(input, Pooling::Cls, false)
    }

    fn pool(&mut self, input: &Rows, pooling: Pooling, normalize: bool) -> Rows {
        let out = self.arena.rows(&self.device, RowsOf::Documents, input.width);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::POOL,
                constants: &[
                    ("MEAN", flag(pooling == Pooling::Mean)),
                    ("NORMALIZE", flag(normalize)),
                    ("ROWS_ARE_DOCUMENTS", flag(input.of == RowsOf::Documents)),
                ],
                params: &PoolParams { hidden: input.width as u32 },
                inputs: &[input.into(), self.arena.starts().into()],
                output: (&out).into(),
                workgroups: [self.documents, 1],
                operations: product(&[self.tokens, input.width]),
            },
        );
        out
    }

    fn top_k(&mut self, input: &Rows, columns: usize, count: usize) -> Rows {
        let rows = self.row_count(input.of);
        let out = self.arena.rows(&self.device, input.of, 2 * count);
        self.recorder.dispatch(
            &self.device,
            &Kernel {
                shader: &shaders::TOP_K,
                constants: &[],
                params: &TopKParams {
                    width: input.width as u32,
                    columns: columns as u32,
                    count: count as u32,
                },
                inputs: &[input.into()],
                output: (&out).into(),
                workgroups: [rows, 1],
                operations: product(&[rows, columns, count]),
            },
        );
        out
    }

    fn send(&mut self, rows: &Rows) -> Result<Pending> {
        let size = (self.row_count(rows.of) * rows.width * 4) as u64;
        let staging = self.arena.staging(&self.device, size)?;
        let submission = self.recorder.submit(&self.device, |encoder| {
            encoder.copy_buffer_to_buffer(rows.buffer(), 0, &staging, 0, size);
        });
        let watched = self.device.watched();
        Ok(Pending { arriving: Arriving::new(staging, size, submission), watched })
    }

    async fn receive(&mut self, pending: Pending) -> Result<Vec<f32>> {
        let Pending { arriving, watched } = pending;
        let received = arriving.wait::<f32>(&self.device, &self.waiting).await;
        // Where a part of the submission was refused, nothing ran, and what was read is of an older batch.
        let received = self.device.settle(watched).await.and(received);
        let (values, staging) = received.inspect_err(|_| self.start_over())?;
        self.arena.give_back(staging);
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(Error::internal("the GPU returned values that are not finite numbers"))
        }
    }

    fn device(&self) -> DeviceInfo {
        self.device.info()
    }

    fn kernels(&self) -> Vec<KernelInfo> {
        self.recorder.kernels()
    }

    fn memory(&self) -> MemoryInfo {
        MemoryInfo { weights: self.weights.bytes.get(), activations: self.arena.bytes() }
    }
}
