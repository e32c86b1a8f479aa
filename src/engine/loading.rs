//! Weights travel from a checkpoint to a device, block of rows by block of rows.

use super::Backend;
use super::encoder::{AdapterOn, Encoder};
use crate::error::{Error, Result};
use crate::folder::{File, Folder};
use crate::model::adapter::{self, AdapterLayer, Bottleneck, BottleneckTensors, Gate};
use crate::model::{Adapter, AdapterConfig, Bert, Config, LayerNorm, Layout, TensorSource, bert};
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

impl<B: Backend> Encoder<B> {
    /// Reads a network of the given sizes from a folder onto a device. `on_layer` is told how many layers are
    /// done, and may stop the load.
    pub async fn load<F: Folder>(
        folder: &F,
        config: Config,
        format: Format,
        mut backend: B,
        on_layer: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let checkpoint = open_weights(folder, WEIGHTS, PICKLED_WEIGHTS, bert::canonical_name).await?;
        checkpoint.require(&bert::tensors(&config))?;
        let mut source = Uploader { checkpoint: &checkpoint, backend: &mut backend, format };
        let bert = Bert::load(&config, &mut source, on_layer).await?;
        backend.loaded().await?;
        Ok(Self { config, bert, backend })
    }

    /// Reads an adapter from a folder onto the network's device. `on_layer` is asked before each layer and at the end
    /// whether to go on.
    pub async fn load_adapter<F: Folder>(
        &mut self,
        folder: &F,
        name: &str,
        mut on_layer: impl FnMut() -> Result<()>,
    ) -> Result<AdapterOn<B>> {
        let config = AdapterConfig::from_folder(folder, name, Some(&self.config)).await?;
        let checkpoint =
            open_weights(folder, ADAPTER_WEIGHTS, PICKLED_ADAPTER_WEIGHTS, adapter::canonical_name).await?;
        let mut layers = std::collections::BTreeMap::new();
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
            let attention = attention.map(|tensors| self.upload(tensors)).transpose()?;
            let output = output.map(|tensors| self.upload(tensors)).transpose()?;
            layers.insert(layer, AdapterLayer { attention, output });
        }
        self.backend.loaded().await?;
        on_layer()?;
        Ok(Adapter { placement: config.placement, layers })
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

/// Hands a network its weights from a checkpoint, on a device, in the format that was asked for.
struct Uploader<'a, B, F> {
    checkpoint: &'a Checkpoint<F>,
    backend: &'a mut B,
    format: Format,
}

fn matrix_shape(spec: &TensorSpec) -> (usize, usize) {
    (spec.shape.first().copied().unwrap_or(0), spec.shape.get(1).copied().unwrap_or(0))
}

impl<B: Backend, F: File> TensorSource for Uploader<'_, B, F> {
    type Matrix = B::Matrix;
    type Vector = B::Vector;

    async fn matrix(&mut self, parts: &[TensorSpec], layout: Layout) -> Result<B::Matrix> {
        let rows = parts.iter().map(|part| matrix_shape(part).0).sum();
        let columns = parts.first().map_or(0, |part| matrix_shape(part).1);
        let mut matrix = self.backend.matrix(rows, columns, self.format, layout)?;
        let mut first_row = 0;
        for part in parts {
            let rows = matrix_shape(part).0;
            let step = self.checkpoint.rows_per_block(&part.name);
            for start in (0..rows).step_by(step) {
                let block =
                    self.checkpoint.rows_in(&part.name, start..rows.min(start + step), self.format).await?;
                self.backend.write_rows(&mut matrix, first_row + start, block)?;
            }
            first_row += rows;
        }
        Ok(matrix)
    }

    async fn vector(&mut self, parts: &[TensorSpec]) -> Result<B::Vector> {
        let mut values = Vec::new();
        for part in parts {
            values.extend(self.checkpoint.vector(&part.name).await?);
        }
        self.backend.vector(&values)
    }

    async fn positions(
        &mut self,
        position: &TensorSpec,
        token_type: Option<&TensorSpec>,
    ) -> Result<B::Matrix> {
        let (rows, columns) = matrix_shape(position);
        let mut values = self.checkpoint.vector(&position.name).await?;
        if let Some(token_type) = token_type {
            let first_type = self.checkpoint.rows(&token_type.name, 0..1).await?.to_f32();
            for row in values.chunks_mut(columns) {
                for (value, add) in row.iter_mut().zip(&first_type) {
                    *value += add;
                }
            }
        }
        // Small, and added to every token: kept exact whatever the format of the rest.
        let mut matrix = self.backend.matrix(rows, columns, Format::F32, Layout::Table)?;
        self.backend.write_rows(&mut matrix, 0, Block::F32(values))?;
        Ok(matrix)
    }
}
