//! The networks that are measured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use safetensors::tensor::{Dtype, TensorView};
use specter_web::engine::encoder::Output;
use specter_web::folder::MemoryFolder;
use specter_web::model::network::{self, Extent};
use specter_web::model::{Config, Pooling};

use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// all-MiniLM-L6-v2, with its trained weights
    Minilm,
    /// A network of SPECTER2's size with seeded weights
    #[value(name = "specter2-sized")]
    Specter2Sized,
    /// A DeBERTa-v2 of the same size with seeded weights, as SemCSE is one
    Deberta,
    /// The same size with three sets of experts in every second layer, as SciMult has them
    Scimult,
}

impl Network {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Network::Minilm => "all-MiniLM-L6-v2",
            Network::Specter2Sized => "specter2-sized",
            Network::Deberta => "deberta",
            Network::Scimult => "scimult",
        }
    }

    /// Whether it is measured beside SPECTER2's size alone, in turns with that.
    pub(crate) fn is_twin(self) -> bool {
        matches!(self, Network::Deberta | Network::Scimult)
    }

    /// The set of experts that is measured.
    pub(crate) fn experts(self) -> usize {
        if self == Network::Scimult { EXPERTS - 1 } else { 0 }
    }

    /// What its publishers make of the last layer.
    pub(crate) fn output(self) -> Output {
        let (pooling, normalize) = match self {
            Network::Minilm => (Pooling::Mean, true),
            Network::Specter2Sized | Network::Deberta | Network::Scimult => (Pooling::Cls, false),
        };
        Output { pooling, normalize, layers: usize::MAX }
    }

    /// Its config and its weights as f32, in memory. There is no tokenizer: what is measured begins at token
    /// ids.
    pub(crate) fn folder(self) -> Result<MemoryFolder> {
        eprintln!("· reading {}", self.name());
        match self {
            Network::Minilm => published(self.name()),
            Network::Specter2Sized => seeded(self.name(), &bert(), &Extent::default()),
            Network::Deberta => seeded(self.name(), &deberta(), &Extent::default()),
            Network::Scimult => {
                let expert_layers = (1..LAYERS).step_by(2).collect();
                let extent = Extent { experts: EXPERTS, expert_layers, ..Extent::default() };
                seeded(self.name(), &bert(), &extent)
            }
        }
    }
}

/// A folder of `models/`.
fn published(name: &str) -> Result<MemoryFolder> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    let read = |file: &str| {
        let path = folder.join(file);
        let bytes = fs::read(&path).with_context(|| {
            format!("{} cannot be read; cargo xtask bench --native sees to it", path.display())
        })?;
        Ok((file.to_owned(), bytes))
    };
    let files = ["config.json", "model.safetensors"].into_iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(MemoryFolder::new(name, files))
}

const LAYERS: usize = 12;
const EXPERTS: usize = 3;

/// SPECTER2's shapes.
fn bert() -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "hidden_size": 768, "num_hidden_layers": LAYERS, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 31_090, "max_position_embeddings": 512, "type_vocab_size": 2,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    })
}

/// SemCSE's, but for its vocabulary: the same, so that nothing but attention differs.
fn deberta() -> serde_json::Value {
    serde_json::json!({
        "model_type": "deberta-v2", "hidden_size": 768, "num_hidden_layers": LAYERS, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": 31_090, "max_position_embeddings": 512, "type_vocab_size": 0,
        "hidden_act": "gelu", "layer_norm_eps": 1e-7, "relative_attention": true, "position_buckets": 256,
        "max_relative_positions": -1, "norm_rel_ebd": "layer_norm", "pos_att_type": "p2c|c2p",
        "position_biased_input": false, "share_att_key": true,
    })
}

/// Weights have the spread that BERT is initialised with, a few times over, so that attention is not flat; speed does
/// not depend on them, unless they overflow.
fn seeded(name: &str, config: &serde_json::Value, extent: &Extent) -> Result<MemoryFolder> {
    let mut folder = MemoryFolder::new(name, [("config.json".to_owned(), config.to_string().into_bytes())]);
    let sizes = pollster::block_on(Config::from_folder(&folder))?;
    let mut random = Random(42);
    let tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = network::tensors(&sizes, extent)
        .into_iter()
        .map(|spec| {
            let (center, spread) = match spec.name.as_str() {
                name if name.ends_with("LayerNorm.weight") => (1.0, 0.1),
                name if name.contains(".bias") => (0.0, 0.02),
                _ => (0.0, 0.05),
            };
            let values = random.values(spec.shape.iter().product(), center, spread);
            (spec.name, (spec.shape, values))
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, values))| {
        Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values))?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    folder.insert("model.safetensors", safetensors::serialize(views, None)?);
    Ok(folder)
}
