//! A published model folder becomes a folder of the same shape with quantized weights, which the browser and the
//! command line read like any other.

use std::collections::HashMap;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

use crate::engine::loading::{PICKLED_WEIGHTS, WEIGHTS, open_weights};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, read_file, read_json};
use crate::model::{Config, bert};
use crate::weights::checkpoint::scales_key;
use crate::weights::format::{Block, Format, GROUP};
use crate::weights::{self, Checkpoint};

/// Files beside the weights that a converted folder keeps as they are.
const KEPT: [&str; 7] = [
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "README.md",
];

/// The files of the converted folder: `model.safetensors`, what is kept, and `config.json` with a `quantization` entry,
/// which comes last, since a folder without it is no model. The same folder gives the same bytes.
pub async fn convert(folder: &impl Folder, format: Format) -> Result<Vec<(String, Vec<u8>)>> {
    let config = Config::from_folder(folder).await?;
    let checkpoint = open_weights(folder, WEIGHTS, PICKLED_WEIGHTS, bert::canonical_name).await?;
    checkpoint.require(&bert::tensors(&config))?;

    let mut files = vec![(WEIGHTS.to_owned(), converted(&checkpoint, format).await?)];
    let modules: Vec<Value> = read_json(folder, "modules.json").await?.unwrap_or_default();
    let paths =
        modules.iter().filter_map(|module| module.get("path")?.as_str()).filter(|path| !path.is_empty());
    let of_modules = paths.map(|path| format!("{path}/config.json"));
    for name in KEPT.into_iter().map(str::to_owned).chain(of_modules) {
        if let Some(bytes) = read_file(folder, &name).await? {
            files.push((name, bytes));
        }
    }
    files.push(("config.json".to_owned(), described_config(folder, format).await?));
    Ok(files)
}

/// `config.json` with a note of how the weights are stored.
async fn described_config(folder: &impl Folder, format: Format) -> Result<Vec<u8>> {
    let mut config: Map<String, Value> = read_json(folder, "config.json").await?.unwrap_or_default();
    let quantization = match format {
        Format::Q8 => json!({ "quant_method": "specter-web", "dtype": format.name(), "group_size": GROUP }),
        _ => json!({ "quant_method": "specter-web", "dtype": format.name() }),
    };
    config.insert("quantization".to_owned(), quantization);
    let mut text =
        serde_json::to_string_pretty(&config).map_err(|error| Error::internal(error.to_string()))?;
    text.push('\n');
    Ok(text.into_bytes())
}

/// A tensor of the converted file: dtype, shape, little-endian bytes.
type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// The converted weights: large matrices in the format that was asked for, position and type embeddings in f16 unless
/// f32 was asked for, vectors in f32. Integer buffers such as `position_ids` are left out.
async fn converted<F: File>(checkpoint: &Checkpoint<F>, format: Format) -> Result<Vec<u8>> {
    let mut stored: Vec<(String, Stored)> = Vec::new();
    for name in checkpoint.tensors() {
        let shape = checkpoint.shape(name).unwrap_or_default().to_vec();
        let is_weight = checkpoint.dtype(name).is_some_and(weights::Dtype::is_weight);
        let [rows, columns] = match *shape.as_slice() {
            [length] => [length, 1],
            [rows, columns] => [rows, columns],
            _ => continue,
        };
        if !is_weight || name.ends_with(".scales") {
            continue;
        }
        let target = match format {
            _ if shape.len() == 1 => Format::F32,
            Format::Q8 if bert::is_quantized(name) && columns.is_multiple_of(GROUP) => Format::Q8,
            Format::Q8 | Format::F16 => Format::F16,
            Format::F32 => Format::F32,
        };
        match checkpoint.rows_in(name, 0..rows, target).await? {
            Block::F32(values) => stored.push((name.to_owned(), (Dtype::F32, shape, le(&values)))),
            Block::F16(values) => stored.push((name.to_owned(), (Dtype::F16, shape, le(&values)))),
            Block::Q8 { quants, scales } => {
                stored.push((name.to_owned(), (Dtype::I8, shape, le(&quants))));
                stored
                    .push((scales_key(name), (Dtype::F16, vec![rows, columns / GROUP], le::<f16>(&scales))));
            }
        }
    }
    let views = stored.iter().map(|(name, (dtype, shape, bytes))| {
        TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| Error::internal(error.to_string()))?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| Error::internal(error.to_string()))
}

/// All targets of this crate are little-endian, as the file format is.
fn le<T: bytemuck::NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}
