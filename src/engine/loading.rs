//! Weights travel from a checkpoint to a device, block of rows by block of rows, in the order of the file.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest as _, Sha256};

use super::encoder::{AdapterOn, Encoder, HeadOn, Output, Readout, Skill};
use super::{AttentionShape, Backend, MatrixShape, Outline, PositionWeights, merged_parts};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, MemoryFolder};
use crate::model::adapter::{self, AdapterLayer, Bottleneck, BottleneckTensors, Gate};
use crate::model::deberta::RelativeAttention;
use crate::model::head::{HeadConfig, HeadWeights, LayerWeights, unless_refused};
use crate::model::network::{Extent, Inventory};
use crate::model::{
    Adapter, AdapterConfig, Config, Dense, Head, LayerNorm, Layout, Mapping, MatrixSpec, Network, VectorSpec,
    network,
};
use crate::text::Batch;
use crate::weights::format::GROUP;
use crate::weights::{Block, Checkpoint, Format, TensorSpec};

/// The file of a model's weights.
pub const WEIGHTS: &str = "model.safetensors";
/// The file of a model's weights as PyTorch pickles it.
pub const PICKLED_WEIGHTS: &str = "pytorch_model.bin";
/// The file of an adapter's weights.
pub const ADAPTER_WEIGHTS: &str = "adapter.safetensors";
/// The file of an adapter's weights as PyTorch pickles it.
pub const PICKLED_ADAPTER_WEIGHTS: &str = "pytorch_adapter.bin";

/// Opens a folder's weights: the first file, or the pickle where there is no first.
pub async fn open_weights<F: Folder>(
    folder: &F,
    file: &str,
    pickle: &str,
    canonical_name: impl Fn(&str) -> String,
) -> Result<Checkpoint<F::File>> {
    for file in [file, pickle] {
        if let Some(checkpoint) = Checkpoint::open(folder, file, &canonical_name).await? {
            return Ok(checkpoint);
        }
    }
    let hint = format!("Nor has it {pickle}. Check the model's name and revision.");
    Err(Error::FileMissing { folder: folder.name().to_owned(), file: file.to_owned(), hint })
}

/// Opens the weights of a model: those of the usual names, or of the one that is given.
pub async fn open_model<F: Folder>(folder: &F, weights: Option<&str>) -> Result<Checkpoint<F::File>> {
    let Some(file) = weights else {
        return open_weights(folder, WEIGHTS, PICKLED_WEIGHTS, network::canonical_name).await;
    };
    Checkpoint::open(folder, file, network::canonical_name).await?.ok_or_else(|| Error::FileMissing {
        folder: folder.name().to_owned(),
        file: file.to_owned(),
        hint: "It was named as the file of the weights.".to_owned(),
    })
}

/// What a model takes of its file.
pub struct Needed {
    /// What there is of the network.
    pub extent: Extent,
    /// The head that is a part of the model, or why it cannot be run.
    pub head: Option<Result<HeadConfig>>,
    /// Every tensor, the head's at the end.
    pub tensors: Vec<TensorSpec>,
}

impl Needed {
    /// Checks that all of it is there.
    pub fn of<F: File>(config: &Config, checkpoint: &Checkpoint<F>) -> Result<Self> {
        let extent = Extent::of(config, checkpoint)?;
        let mut tensors = network::tensors(config, &extent);
        checkpoint.require(&tensors)?;
        let head = config
            .classifier
            .as_ref()
            .map(|classifier| {
                unless_refused(HeadConfig::of_model(classifier, checkpoint, config.hidden_size))
            })
            .transpose()?;
        if let Some(Ok(head)) = &head {
            checkpoint.require(&head.tensors())?;
            tensors.extend(head.tensors());
        }
        Ok(Self { extent, head, tensors })
    }
}

/// The largest layer of a head that stays f32: what every device that has WebGPU binds at once.
const EXACT_HEAD: usize = 128 << 20;

/// Opens the weights of a head that the adapters library wrote.
pub async fn open_head<F: Folder>(folder: &F) -> Result<Checkpoint<F::File>> {
    open_weights(folder, HeadConfig::WEIGHTS, HeadConfig::PICKLED_WEIGHTS, str::to_owned).await
}

impl<B: Backend> Encoder<B> {
    /// Gets a device ready for a network, while its weights may still be on their way: chooses kernels, and runs two
    /// layers of nothing, the last of which may differ from the others, so that they are compiled.
    pub async fn prepare(backend: B, config: &Config, format: Format, output: Output) -> Result<B> {
        let mut backend = backend;
        let mut small =
            Config { layers: config.layers.min(2), vocabulary_size: 1, positions: 1, ..config.clone() };
        if let Some(relative) = &mut small.relative {
            *relative = RelativeAttention { span: 1, buckets: None, ..*relative };
        }
        let extent = Extent { pooler: config.classifier.is_some(), ..Extent::default() };
        let (_, inventory) = network::describe(config, &extent)?;
        let attention = AttentionShape { heads: config.attention_heads, head_size: config.head_size() };
        let outline = Outline {
            matrices: shapes(&inventory.matrices, format),
            activation: config.activation,
            attention: config.relative.is_none().then_some(attention),
        };
        backend.prepare(&outline).await?;
        let rehearsals = backend.rehearsals();
        if rehearsals.is_empty() {
            return Ok(backend);
        }
        let (numbers, inventory) = network::describe(&small, &extent)?;
        let network = Ready::nothing(&mut backend, &inventory, format)?.network(numbers)?;
        let positions = match &small.relative {
            Some(relative) => {
                let nothing = PositionWeights::zeros(&small, relative);
                (0..small.layers).map(|_| backend.positions(&nothing)).collect::<Result<_>>()?
            }
            None => Vec::new(),
        };
        let mut rehearsal =
            Self { config: small, extent, network, positions, fingerprint: String::new(), backend };
        for tokens in rehearsals {
            let mut batch = Batch::new();
            // As many documents as tokens: the last layer may have a row for each of them.
            for _ in 0..tokens {
                batch.push(&[0]);
            }
            // Nobody waits for the result.
            drop(rehearsal.encode(&batch, Skill::default(), output, &Readout::Vectors)?);
        }
        Ok(rehearsal.backend)
    }

    /// Reads a network of the given sizes from a file onto a device, tensor by tensor in the order of the file, so
    /// that a file can stream in, and with it the head that is a part of the model, where there is one, or why it cannot be
    /// run. `on_tensor` is told `(tensors done, tensors)`, and may stop the load.
    pub async fn load<F: File>(
        checkpoint: &Checkpoint<F>,
        config: Config,
        format: Format,
        mut backend: B,
        mut on_tensor: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<(Self, Option<Result<(HeadConfig, HeadWeights)>>)> {
        let Needed { extent, head, .. } = Needed::of(&config, checkpoint)?;
        let mut uploads = Uploads {
            backend: &mut backend,
            format,
            matrices: Vec::new(),
            vectors: Vec::new(),
            destinations: HashMap::new(),
            kept: HashMap::new(),
        };
        let (numbers, inventory) = network::describe(&config, &extent)?;
        for spec in inventory.matrices {
            uploads.expect_matrix(spec)?;
        }
        for spec in inventory.vectors {
            uploads.expect_vector(spec);
        }
        for tensor in head.iter().flatten().flat_map(HeadConfig::tensors) {
            uploads.destinations.insert(tensor.name, Destination::Kept);
        }
        let total = uploads.destinations.len();
        let tensors = checkpoint.tensors().filter(|tensor| uploads.destinations.contains_key(*tensor));
        let tensors: Vec<&str> = tensors.collect();
        for (done, tensor) in tensors.into_iter().enumerate() {
            on_tensor(done, total)?;
            uploads.carry(checkpoint, tensor).await?;
        }
        on_tensor(total, total)?;
        let mut kept = std::mem::take(&mut uploads.kept);
        let (ready, fingerprint) = uploads.ready()?;
        let network = ready.network(numbers)?;
        backend.loaded().await?;
        let head = head.map(|head| {
            let head = head?;
            let lost = |name: &str| Error::internal(format!("{name} was not kept"));
            let weights = head.weights(|name| kept.remove(name).ok_or_else(|| lost(name)))?;
            Ok((head, weights))
        });
        let mut encoder = Self { config, extent, network, positions: Vec::new(), fingerprint, backend };
        encoder.project_positions().await?;
        Ok((encoder, head))
    }

    /// Puts a head beside the network. Rows and columns are filled up with zeros to what kernels multiply by.
    pub async fn load_head(&mut self, head: &str, weights: &HeadWeights) -> Result<HeadOn<B>> {
        if weights.pooler && self.network.pooler.is_none() {
            return Err(Error::UnsupportedHead {
                head: head.to_owned(),
                problem: "it reads the output of the model's pooler, and the weights of this model have none"
                    .to_owned(),
            });
        }
        let backend = &mut self.backend;
        let mut layers = Vec::new();
        let mut outputs = 0;
        for LayerWeights { inputs, weight, bias, activation } in &weights.layers {
            outputs = bias.len();
            let (rows, columns) = (outputs.next_multiple_of(GROUP), inputs.next_multiple_of(GROUP));
            let format =
                if Format::F32.bytes(rows, columns) <= EXACT_HEAD { Format::F32 } else { Format::Q8 };
            let mut matrix = backend.matrix(&[(rows, format)], columns, Layout::Head)?;
            for first in (0..rows).step_by(GROUP) {
                let mut block = vec![0.0; GROUP * columns];
                let values = weight.chunks_exact(*inputs).skip(first);
                for (row, values) in block.chunks_exact_mut(columns).zip(values) {
                    for (to, from) in row.iter_mut().zip(values) {
                        *to = *from;
                    }
                }
                backend.write_rows(&mut matrix, first, Block::F32(block).into_format(format))?;
            }
            let mut bias = bias.clone();
            bias.resize(rows, 0.0);
            layers.push((Dense { weight: matrix, bias: backend.vector(&bias)? }, *activation));
        }
        backend.loaded().await?;
        Ok(Head { pooler: weights.pooler, layers, outputs })
    }

    /// Reads an adapter from a folder, whose small files are in memory, onto the network's device. `on_layer` is asked before each layer and at the end
    /// whether to go on.
    pub async fn load_adapter<F: Folder>(
        &mut self,
        folder: &F,
        small: &MemoryFolder,
        name: &str,
        mut on_layer: impl FnMut() -> Result<()>,
    ) -> Result<AdapterOn<B>> {
        let config = AdapterConfig::from_folder(small, name, Some(&self.config)).await?;
        let checkpoint =
            open_weights(folder, ADAPTER_WEIGHTS, PICKLED_ADAPTER_WEIGHTS, adapter::canonical_name).await?;
        let mut layers = BTreeMap::new();
        let mut fingerprint = Sha256::new();
        config.check_depth(&checkpoint, name, self.config.layers)?;
        for (layer, (attention, output)) in config.read(&checkpoint, &self.config).await? {
            on_layer()?;
            let widths = [&attention, &output].into_iter().flatten().map(|tensors| tensors.weights.width);
            let widest = self.backend.widest_bottleneck();
            if let Some(width) = widths.max().filter(|&width| width > widest) {
                return Err(Error::UnsupportedAdapter {
                    adapter: name.to_owned(),
                    problem: format!("its bottleneck is {width} wide; up to {widest} are run"),
                });
            }
            for BottleneckTensors { weights, .. } in [&attention, &output].into_iter().flatten() {
                fingerprint.update(bytemuck::cast_slice(&weights.down_bias));
                fingerprint.update(bytemuck::cast_slice(&weights.up_bias));
            }
            let attention = attention.map(|tensors| self.upload(tensors)).transpose()?;
            let output = output.map(|tensors| self.upload(tensors)).transpose()?;
            layers.insert(layer, AdapterLayer { attention, output });
        }
        self.backend.loaded().await?;
        on_layer()?;
        Ok(Adapter { placement: config.placement, layers, fingerprint: hexadecimal(&fingerprint) })
    }

    fn upload(&mut self, tensors: BottleneckTensors) -> Result<Bottleneck<B::Vector, B::Bottleneck>> {
        let backend = &mut self.backend;
        let mut norm = |norm: Option<LayerNorm<Vec<f32>>>| {
            norm.map(|LayerNorm { weight, bias, epsilon }| {
                Ok(LayerNorm { weight: backend.vector(&weight)?, bias: backend.vector(&bias)?, epsilon })
            })
            .transpose()
        };
        let (norm_before, norm_after) = (norm(tensors.norm_before)?, norm(tensors.norm_after)?);
        let gate =
            tensors.gate.map(|Gate { weight, bias }| Ok(Gate { weight: backend.vector(&weight)?, bias }));
        let gate = gate.transpose()?;
        let dense = backend.bottleneck_weights(&tensors.weights)?;
        Ok(Bottleneck { dense, norm_before, norm_after, gate })
    }
}

/// A network on its way to a device: the tensors of a file arrive in the file's order and go where they belong.
struct Uploads<'a, B: Backend> {
    backend: &'a mut B,
    format: Format,
    matrices: Vec<MatrixUpload<B::Matrix>>,
    /// The parts of each vector.
    vectors: Vec<Vec<Vec<f32>>>,
    /// Name of a tensor → where it goes.
    destinations: HashMap<String, Destination>,
    /// Name of a tensor → its values, of those that stay on the host.
    kept: HashMap<String, Vec<f32>>,
}

/// The first half of a hash, as people write it.
fn hexadecimal(hash: &Sha256) -> String {
    let half = hash.clone().finalize();
    half.iter().take(16).fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

/// A matrix of the device that is being filled.
struct MatrixUpload<M> {
    matrix: M,
    /// Rows that wait for the row that is added to them, and that row.
    waiting: Option<(Vec<f32>, Vec<f32>)>,
}

/// Where a tensor goes.
#[derive(Clone, Copy)]
enum Destination {
    /// Rows of a matrix from this one on, in this format.
    Rows { matrix: usize, first_row: usize, format: Format },
    /// Rows that wait for the row that is added to them.
    WaitingRows { matrix: usize },
    /// Its first row is added to those of a matrix.
    AddedRow { matrix: usize },
    /// A part of a vector.
    Part { vector: usize, part: usize },
    /// It stays on the host.
    Kept,
}

/// The shapes of the matrices that are multiplied by.
fn shapes(matrices: &[MatrixSpec], format: Format) -> Vec<MatrixShape> {
    let mut shapes: Vec<MatrixShape> = Vec::new();
    for spec in matrices.iter().filter(|spec| spec.layout == Layout::Linear) {
        for (rows, format) in merged_parts(parts(spec, format)) {
            shapes.push(MatrixShape { outputs: rows.len(), inputs: spec.columns, format });
        }
    }
    shapes.sort_unstable();
    shapes.dedup();
    shapes
}

/// The rows and the formats of a matrix's parts.
fn parts(spec: &MatrixSpec, format: Format) -> Vec<(usize, Format)> {
    if spec.parts.is_empty() {
        return vec![(spec.rows, Format::F32)];
    }
    spec.parts.iter().map(|part| (part.matrix_shape()[0], part.format(format))).collect()
}

impl<B: Backend> Uploads<'_, B> {
    /// Makes room for the next matrix.
    fn expect_matrix(&mut self, spec: MatrixSpec) -> Result<()> {
        let Self { backend, format, matrices, destinations, .. } = self;
        let parts = parts(&spec, *format);
        let matrix = backend.matrix(&parts, spec.columns, spec.layout)?;
        let index = matrices.len();
        let zeros = if spec.parts.is_empty() { spec.rows * spec.columns } else { 0 };
        let mut first_row = 0;
        for (part, (rows, format)) in spec.parts.into_iter().zip(parts) {
            let destination = match spec.added_row {
                Some(_) => Destination::WaitingRows { matrix: index },
                None => Destination::Rows { matrix: index, first_row, format },
            };
            destinations.insert(part.name, destination);
            first_row += rows;
        }
        let waiting = spec.added_row.map(|added| {
            destinations.insert(added.name, Destination::AddedRow { matrix: index });
            (vec![0.0; zeros], Vec::new())
        });
        matrices.push(MatrixUpload { matrix, waiting });
        Ok(())
    }

    /// Notes of what the next vector is made.
    fn expect_vector(&mut self, spec: VectorSpec) {
        let vector = self.vectors.len();
        self.vectors.push(vec![Vec::new(); spec.parts.len()]);
        for (part, spec) in spec.parts.into_iter().enumerate() {
            self.destinations.insert(spec.name, Destination::Part { vector, part });
        }
    }

    /// Carries one tensor to where it goes, a block of rows at a time.
    async fn carry<F: File>(&mut self, checkpoint: &Checkpoint<F>, tensor: &str) -> Result<()> {
        let lost = || Error::internal(format!("{tensor} has no place to go to"));
        match *self.destinations.get(tensor).ok_or_else(lost)? {
            Destination::Rows { matrix, first_row, format } => {
                let upload = self.matrices.get_mut(matrix).ok_or_else(lost)?;
                for rows in checkpoint.blocks(tensor) {
                    let start = first_row + rows.start;
                    let block = checkpoint.rows_in(tensor, rows, format).await?;
                    self.backend.write_rows(&mut upload.matrix, start, block)?;
                }
            }
            Destination::WaitingRows { matrix } => {
                let rows = checkpoint.vector(tensor).await?;
                self.waiting(matrix).ok_or_else(lost)?.0 = rows;
            }
            Destination::AddedRow { matrix } => {
                let row = checkpoint.rows(tensor, 0..1).await?.to_f32();
                self.waiting(matrix).ok_or_else(lost)?.1 = row;
            }
            Destination::Part { vector, part } => {
                let values = checkpoint.vector(tensor).await?;
                *self.vectors.get_mut(vector).and_then(|parts| parts.get_mut(part)).ok_or_else(lost)? =
                    values;
            }
            Destination::Kept => {
                self.kept.insert(tensor.to_owned(), checkpoint.vector(tensor).await?);
            }
        }
        Ok(())
    }

    fn waiting(&mut self, matrix: usize) -> Option<&mut (Vec<f32>, Vec<f32>)> {
        self.matrices.get_mut(matrix)?.waiting.as_mut()
    }

    /// Everything that has arrived, on the device, and a hash of all vectors.
    fn ready(self) -> Result<(Ready<B>, String)> {
        let Self { backend, matrices, vectors, .. } = self;
        let mut ready = Ready { matrices: Vec::new(), vectors: Vec::new() };
        for MatrixUpload { mut matrix, waiting } in matrices {
            if let Some((mut rows, added)) = waiting {
                for row in rows.chunks_mut(added.len().max(1)) {
                    for (value, add) in row.iter_mut().zip(&added) {
                        *value += add;
                    }
                }
                backend.write_rows(&mut matrix, 0, Block::F32(rows))?;
            }
            ready.matrices.push(Some(matrix));
        }
        let mut fingerprint = Sha256::new();
        for parts in vectors {
            let values = parts.concat();
            fingerprint.update(bytemuck::cast_slice(&values));
            ready.vectors.push(Some(backend.vector(&values)?));
        }
        Ok((ready, hexadecimal(&fingerprint)))
    }
}

/// The weights of a network on a device, by their numbers, each to be taken once.
struct Ready<B: Backend> {
    matrices: Vec<Option<B::Matrix>>,
    vectors: Vec<Option<B::Vector>>,
}

impl<B: Backend> Ready<B> {
    /// Weights without values.
    fn nothing(backend: &mut B, inventory: &Inventory, format: Format) -> Result<Self> {
        let mut ready = Self { matrices: Vec::new(), vectors: Vec::new() };
        for spec in &inventory.matrices {
            ready.matrices.push(Some(backend.matrix(&parts(spec, format), spec.columns, spec.layout)?));
        }
        for spec in &inventory.vectors {
            let length = spec.parts.iter().flat_map(|part| &part.shape).sum();
            ready.vectors.push(Some(backend.vector(&vec![0.0; length])?));
        }
        Ok(ready)
    }

    /// The network of these weights.
    fn network(mut self, numbers: Network<usize, usize>) -> Result<Network<B::Matrix, B::Vector>> {
        numbers.map(&mut self)
    }
}

fn take<T>(weights: &mut [Option<T>], number: usize) -> Result<T> {
    weights.get_mut(number).and_then(Option::take).ok_or_else(|| Error::internal("a weight was taken twice"))
}

impl<B: Backend> Mapping<usize, usize> for Ready<B> {
    type Matrix = B::Matrix;
    type Vector = B::Vector;

    fn matrix(&mut self, number: usize) -> Result<B::Matrix> {
        take(&mut self.matrices, number)
    }

    fn vector(&mut self, number: usize) -> Result<B::Vector> {
        take(&mut self.vectors, number)
    }
}
