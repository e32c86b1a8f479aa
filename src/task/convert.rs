//! A published folder becomes a folder of the same shape with quantized weights, which the browser and the command
//! line read like any other.
//!
//! It streams: tensors are read in the order of their file, a block of rows at a time, and written in the same order.
//! The same source gives the same bytes, and loading what was written equals loading the source, bit for bit.

use std::collections::HashMap;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::engine::loading::{
    ADAPTER_WEIGHTS, Needed, PICKLED_ADAPTER_WEIGHTS, WEIGHTS, open_head, open_model, open_weights,
};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, MemoryFolder, Sink, read_file, read_json, write_file};
use crate::model::head::{HeadConfig, unless_refused};
use crate::model::pooling::PoolingDefaults;
use crate::model::{AdapterConfig, Config, adapter, files, training};
use crate::task::way::known_experts;
use crate::text::Tokenizer;
use crate::weights::checkpoint::scales_key;
use crate::weights::format::{Format, GROUP};
use crate::weights::safetensors::{Planned, header};
use crate::weights::{self, Checkpoint};

/// How a folder is converted.
pub struct Conversion<'a, P> {
    /// The format of the matrices.
    pub format: Format,
    /// What an earlier conversion of the same source in the same format has written before it was interrupted: tensors
    /// that are whole in it are read from there.
    pub previous: Option<&'a P>,
    /// The file of the weights, where it has none of the usual names.
    pub weights: Option<&'a str>,
}

impl Conversion<'_, MemoryFolder> {
    /// A conversion from the beginning.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { format, previous: None, weights: None }
    }
}

impl<P: Folder> Conversion<'_, P> {
    /// Writes a model, or what goes beside one, whichever the folder holds. Its configuration comes last, since a folder without
    /// it is neither. `on_tensor` is told `(tensors done, tensors)`, and may stop the conversion.
    pub async fn run(
        &self,
        folder: &impl Folder,
        sink: &mut impl Sink,
        on_tensor: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<()> {
        if folder.open(AdapterConfig::FILE).await?.is_some() || folder.open(HeadConfig::FILE).await?.is_some()
        {
            part(folder, sink, on_tensor).await
        } else {
            self.model(folder, sink, on_tensor).await
        }
    }

    /// Writes a model.
    pub async fn model(
        &self,
        folder: &impl Folder,
        sink: &mut impl Sink,
        on_tensor: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<()> {
        let small = files::of_a_model(folder).await?;
        let config = Config::from_folder(&small).await?;
        // What cannot be used should say so before anything large is read.
        let pooling = PoolingDefaults::from_folder(&small).await?;
        Tokenizer::from_folder(&small, config.positions, config.vocabulary_size, None).await?;
        let checkpoint = open_model(folder, self.weights).await?;
        let Needed { extent, tensors: needed, .. } = Needed::of(&config, &checkpoint)?;
        let experts = known_experts(config.experts.as_deref(), extent.experts)?;

        let mut small = small;
        if let Some(said) = training::pooling(&checkpoint)?.filter(|said| *said != pooling) {
            said.write(&mut small);
        }
        for (name, bytes) in small.files().filter(|&(name, _)| name != "config.json") {
            write_file(sink, name, bytes).await?;
        }
        // What a model is and who made it goes with it.
        if let Some(bytes) = read_file(folder, "README.md").await? {
            write_file(sink, "README.md", &bytes).await?;
        }
        let formats: HashMap<&str, Format> =
            needed.iter().map(|spec| (spec.name.as_str(), spec.format(self.format))).collect();
        let tensors =
            checkpoint.tensors().filter_map(|name| formats.get(name).map(|&format| (name, name, format)));
        let previous = match self.previous {
            // Whatever is wrong with it, there is still the source.
            Some(previous) => Checkpoint::open(previous, WEIGHTS, str::to_owned).await.ok().flatten(),
            None => None,
        };
        write_weights(&checkpoint, previous.as_ref(), tensors.collect(), WEIGHTS, sink, on_tensor).await?;
        write_file(sink, "config.json", &described_config(&small, self.format, &experts).await?).await
    }
}

/// Writes what goes beside a model: an adapter, a head, or an adapter with its head. All tensors stay f32 under their own
/// keys.
pub async fn part(
    folder: &impl Folder,
    sink: &mut impl Sink,
    on_tensor: impl FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let small = files::of_a_part(folder).await?;
    let has_head = small.get(HeadConfig::FILE).is_some();
    if has_head {
        head(folder, &small, sink).await?;
    }
    // A head can come alone.
    if !has_head || small.get(AdapterConfig::FILE).is_some() {
        adapter(folder, &small, sink, on_tensor).await?;
    }
    // Their configurations come last, since a folder without them is nothing.
    for (name, bytes) in small.files() {
        write_file(sink, name, bytes).await?;
    }
    Ok(())
}

/// Writes the weights of a head. Those of a kind that is not run stay behind: its adapter still is one.
async fn head<F: Folder>(folder: &F, small: &MemoryFolder, sink: &mut impl Sink) -> Result<()> {
    let hidden = match small.get(AdapterConfig::FILE) {
        Some(_) => Some(AdapterConfig::hidden_size(small).await?).filter(|&size| size > 0),
        None => None,
    };
    let head = HeadConfig::from_folder(small, folder.name(), hidden).await;
    let Ok(Some(head)) = unless_refused(head)? else { return Ok(()) };
    let checkpoint = open_head(folder).await?;
    let needed = head.tensors();
    checkpoint.require(&needed)?;
    let tensors = needed.iter().map(|spec| (spec.name.as_str(), spec.name.as_str(), Format::F32)).collect();
    let previous = None::<&Checkpoint<F::File>>;
    write_weights(&checkpoint, previous, tensors, HeadConfig::WEIGHTS, sink, |_, _| Ok(())).await
}

/// Writes the weights of an adapter.
async fn adapter<F: Folder>(
    folder: &F,
    small: &MemoryFolder,
    sink: &mut impl Sink,
    on_tensor: impl FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let hidden_size = AdapterConfig::hidden_size(small).await?;
    let config = AdapterConfig::from_folder(small, folder.name(), None).await?;
    let checkpoint =
        open_weights(folder, ADAPTER_WEIGHTS, PICKLED_ADAPTER_WEIGHTS, adapter::canonical_name).await?;
    config.require(&checkpoint, adapter::depth(&checkpoint), hidden_size)?;
    let tensors = checkpoint.tensors().filter(|name| checkpoint.is_weight(name));
    let tensors = tensors.map(|name| (name, checkpoint.key(name), Format::F32)).collect();
    let previous = None::<&Checkpoint<F::File>>;
    write_weights(&checkpoint, previous, tensors, ADAPTER_WEIGHTS, sink, on_tensor).await
}

/// `config.json` with a note of how the weights are stored, and which sets of experts there are.
async fn described_config(folder: &MemoryFolder, format: Format, experts: &[String]) -> Result<Vec<u8>> {
    let mut config: Map<String, Value> = read_json(folder, "config.json").await?.unwrap_or_default();
    let quantization = if format.has_groups() {
        json!({ "quant_method": "specter-web", "dtype": format.name(), "group_size": GROUP })
    } else {
        json!({ "quant_method": "specter-web", "dtype": format.name() })
    };
    config.insert("quantization".to_owned(), quantization);
    if !experts.is_empty() {
        config.insert("experts".to_owned(), json!(experts));
    }
    let mut text =
        serde_json::to_string_pretty(&config).map_err(|error| Error::internal(error.to_string()))?;
    text.push('\n');
    Ok(text.into_bytes())
}

/// Writes tensors, each given by its name, its key in the file that is written, and its format. Where a previous
/// conversion has one as a whole, it is read from there.
async fn write_weights<F: File, P: File>(
    checkpoint: &Checkpoint<F>,
    previous: Option<&Checkpoint<P>>,
    tensors: Vec<(&str, &str, Format)>,
    file: &str,
    sink: &mut impl Sink,
    mut on_tensor: impl FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let mut planned = Vec::new();
    for &(name, key, format) in &tensors {
        planned.extend(plan(key, checkpoint.shape(name).unwrap_or_default(), format));
    }
    let (header, size) = header(planned)?;
    sink.begin(file, size).await?;
    sink.write(&header).await?;

    let total = tensors.len();
    for (done, (name, _, format)) in tensors.into_iter().enumerate() {
        on_tensor(done, total)?;
        let previous = previous.filter(|previous| {
            previous.shape(name) == checkpoint.shape(name)
                && previous.format(name) == Some(format)
                && previous.is_whole(name)
                && (!format.has_groups() || previous.is_whole(&scales_key(name)))
        });
        let mut scales = Vec::new();
        for rows in checkpoint.blocks(name) {
            let converted = match previous {
                Some(previous) => previous.rows(name, rows.clone()).await.ok(),
                None => None,
            };
            let block = match converted {
                Some(block) => block,
                None => checkpoint.rows_in(name, rows, format).await?,
            };
            let (values, block_scales) = block.into_bytes();
            sink.write(&values).await?;
            scales.extend(block_scales);
        }
        if !scales.is_empty() {
            sink.write(&scales).await?;
        }
    }
    on_tensor(total, total)
}

/// What a tensor takes in a file: its values, and its scales where the format has any.
fn plan(key: &str, shape: &[usize], format: Format) -> Vec<Planned> {
    let spec = weights::TensorSpec::new(key, shape);
    let [rows, columns] = spec.matrix_shape();
    let size = format.value_bytes(rows, columns);
    let values = |dtype, shape: Vec<usize>| Planned { key: key.to_owned(), dtype, shape, size };
    let scales = Planned {
        key: scales_key(key),
        dtype: Dtype::F16,
        shape: vec![rows, columns / GROUP],
        size: format.scale_bytes(rows, columns),
    };
    match format {
        Format::F32 => vec![values(Dtype::F32, spec.shape)],
        Format::F16 => vec![values(Dtype::F16, spec.shape)],
        Format::Q8 => vec![values(Dtype::I8, spec.shape), scales],
        Format::Q4 => vec![values(Dtype::U8, vec![rows, columns / 2]), scales],
    }
}
