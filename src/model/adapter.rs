//! Bottleneck adapters: two small dense layers inside each transformer layer, swapped at run time.
//!
//! Names and formulas follow adapters 1.3.0, `adapters/methods/modeling.py` and `methods/bottleneck.py`, which
//! also wrote SPECTER2's adapters in its earlier life as adapter-transformers. What a configuration means for the
//! arithmetic is said once, in [`Placement`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::config::Architecture;
use super::{Activation, Config, LayerNorm};
use crate::error::{Error, Result};
use crate::folder::{Folder, read_json};
use crate::weights::{Checkpoint, TensorSpec};

/// A loaded adapter.
#[derive(Debug)]
pub struct Adapter<V, B> {
    /// How its bottlenecks are wired into the layers.
    pub placement: Placement,
    /// Layer index → its bottlenecks; layers that are left out have none.
    pub layers: BTreeMap<usize, AdapterLayer<V, B>>,
    /// A hash of its biases.
    pub fingerprint: String,
}

/// The bottlenecks of one transformer layer.
#[derive(Debug)]
pub struct AdapterLayer<V, B> {
    /// After the attention block's dense layer.
    pub attention: Option<Bottleneck<V, B>>,
    /// After the feed-forward network's second dense layer.
    pub output: Option<Bottleneck<V, B>>,
}

/// `up(activation(down(x)))` with its optional parts. `B` is how the engine keeps the two dense layers; every
/// kind of scaling is already multiplied into the up-projection.
#[derive(Debug)]
pub struct Bottleneck<V, B> {
    /// The two dense layers.
    pub dense: B,
    /// `adapter_norm_before`.
    pub norm_before: Option<LayerNorm<V>>,
    /// `adapter_norm_after`.
    pub norm_after: Option<LayerNorm<V>>,
    /// `gate`: weights `(H,)` and a bias. Its mean over a document scales the output.
    pub gate: Option<Gate<V>>,
}

/// A linear gate with one output.
#[derive(Debug)]
pub struct Gate<V> {
    /// `(H,)`.
    pub weight: V,
    /// Added before the sigmoid.
    pub bias: f32,
}

/// The values of one bottleneck's dense layers on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct BottleneckWeights {
    /// `H`.
    pub hidden: usize,
    /// `B`, the width of the bottleneck.
    pub width: usize,
    /// `(B, H)`.
    pub down: Vec<f32>,
    /// `(B,)`.
    pub down_bias: Vec<f32>,
    /// Between the two.
    pub activation: Activation,
    /// `(H, B)`, with the scaling multiplied in.
    pub up: Vec<f32>,
    /// `(H,)`, with the scaling multiplied in.
    pub up_bias: Vec<f32>,
}

impl BottleneckWeights {
    /// The same bottleneck with units that do nothing, up to a multiple: their up-projection is zero, and so is what they
    /// add.
    #[must_use]
    pub fn padded(&self, multiple: usize) -> Self {
        let width = self.width.next_multiple_of(multiple);
        let mut padded = self.clone();
        padded.width = width;
        padded.down.resize(width * self.hidden, 0.0);
        padded.down_bias.resize(width, 0.0);
        padded.up = self
            .up
            .chunks(self.width)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, width - self.width)))
            .collect();
        padded
    }
}

/// Where a bottleneck reads from and what is added around it.
///
/// With `h` the block's dense output, `x` the block's input and `LN` the block's own normalization:
/// * parallel: `LN?(a(x) + h + x)`;
/// * sequential: `z = LN(h + x)` if `norm_before_bottleneck`, else `h`; `o = a(z) + residual`;
///   then `LN(o + x)` if `norm_after_bottleneck`, else `o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the published file has them")]
pub struct Placement {
    /// `is_parallel`.
    pub parallel: bool,
    /// `original_ln_before`; never with `parallel`.
    pub norm_before_bottleneck: bool,
    /// `original_ln_after`.
    pub norm_after_bottleneck: bool,
    /// What is added to the bottleneck's output.
    pub residual: BottleneckResidual,
    /// `adapter_residual_before_ln`: the residual joins before `norm_after`, not behind it.
    pub residual_before_norm_after: bool,
}

/// The residual connection around a sequential bottleneck: `residual_before_ln`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BottleneckResidual {
    /// `true`: `h`, the dense output itself.
    DenseOutput,
    /// `"post_add"`: `h + x`.
    BlockSum,
    /// `false`: what the bottleneck reads, `z`.
    BottleneckInput,
}

/// `adapter_config.json`, checked to be one that the engine can run.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the published file has them")]
pub struct AdapterConfig {
    /// The name that the tensor keys carry.
    pub name: String,
    /// Wiring.
    pub placement: Placement,
    /// Between the dense layers.
    pub activation: Activation,
    /// `mh_adapter`.
    pub in_attention: bool,
    /// `output_adapter`.
    pub in_output: bool,
    /// Layers without bottlenecks.
    pub leave_out: Vec<usize>,
    /// How the up-projection is scaled.
    pub scaling: Scaling,
    /// `ln_before`.
    pub norm_before: bool,
    /// `ln_after`.
    pub norm_after: bool,
    /// `use_gating`.
    pub gating: bool,
}

/// The factor on a bottleneck's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// A constant.
    Fixed(f32),
    /// A tensor `scaling`, of one value (`learned`) or one a channel (`channel`).
    Learned,
}

#[derive(Debug, Deserialize)]
struct AdapterFile {
    config: serde_json::Value,
    hidden_size: Option<usize>,
    model_type: Option<String>,
    name: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the published file has them")]
struct BottleneckFile {
    architecture: Option<String>,
    mh_adapter: bool,
    output_adapter: bool,
    non_linearity: String,
    original_ln_before: bool,
    original_ln_after: bool,
    ln_before: bool,
    ln_after: bool,
    is_parallel: bool,
    scaling: FlagOrNumber,
    use_gating: bool,
    residual_before_ln: FlagOrNumber,
    adapter_residual_before_ln: bool,
    inv_adapter: Option<String>,
    leave_out: Vec<usize>,
    phm_layer: bool,
}

/// Options that are a boolean or a number, or a word for a special case.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum FlagOrNumber {
    Flag(bool),
    Number(f32),
    Word(String),
}

impl Default for BottleneckFile {
    /// The defaults of adapters' `BnConfig`, for files that older versions wrote.
    fn default() -> Self {
        Self {
            architecture: None,
            mh_adapter: false,
            output_adapter: false,
            non_linearity: "relu".to_owned(),
            original_ln_before: false,
            original_ln_after: true,
            ln_before: false,
            ln_after: false,
            is_parallel: false,
            scaling: FlagOrNumber::Number(1.0),
            use_gating: false,
            residual_before_ln: FlagOrNumber::Flag(true),
            adapter_residual_before_ln: false,
            inv_adapter: None,
            leave_out: Vec::new(),
            phm_layer: false,
        }
    }
}

impl AdapterConfig {
    /// Its file, which tells an adapter's folder from a model's.
    pub const FILE: &str = "adapter_config.json";

    /// Reads and checks `adapter_config.json`, for a base network of the given sizes where there is one. `adapter` is
    /// the name for messages.
    pub async fn from_folder(folder: &impl Folder, adapter: &str, base: Option<&Config>) -> Result<Self> {
        let file_name = format!("{}/{}", folder.name(), Self::FILE);
        let file = AdapterFile::read(folder).await?;
        let refuse = |problem: String| Error::UnsupportedAdapter { adapter: adapter.to_owned(), problem };

        if let Some(method) = file.config.get("architecture").and_then(|value| value.as_str())
            && method != "bottleneck"
        {
            return Err(refuse(format!("its method is {method}; bottleneck adapters are run")));
        }
        if let Some(model_type) = file.model_type.as_deref().filter(|&model_type| model_type != "bert") {
            return Err(refuse(format!("it was trained on a {model_type} model, not on BERT")));
        }
        if let Some(base) = base.filter(|base| base.architecture != Architecture::Bert) {
            return Err(refuse(format!(
                "it was trained on BERT, and this model is a {} encoder; load it over the model that it was trained on",
                base.architecture.name()
            )));
        }
        if let (Some(trained_on), Some(base)) = (file.hidden_size, base)
            && trained_on != base.hidden_size
        {
            return Err(refuse(format!(
                "it was trained on a model of hidden size {trained_on}, but this model has {}",
                base.hidden_size
            )));
        }
        let config: BottleneckFile = serde_json::from_value(file.config)
            .map_err(|error| Error::corrupt(&file_name, format!("its config cannot be read: {error}")))?;
        config.check(file.name.unwrap_or_default(), file.version.is_some()).map_err(refuse)
    }

    /// The hidden size of the network that an adapter was trained on, 0 where its file does not say.
    pub async fn hidden_size(folder: &impl Folder) -> Result<usize> {
        Ok(AdapterFile::read(folder).await?.hidden_size.unwrap_or_default())
    }
}

impl AdapterFile {
    async fn read(folder: &impl Folder) -> Result<Self> {
        read_json(folder, AdapterConfig::FILE).await?.ok_or_else(|| Error::FileMissing {
            folder: folder.name().to_owned(),
            file: AdapterConfig::FILE.to_owned(),
            hint:
                "An adapter folder holds adapter_config.json and adapter.safetensors or pytorch_adapter.bin."
                    .to_owned(),
        })
    }
}

impl BottleneckFile {
    fn check(self, name: String, has_version: bool) -> Result<AdapterConfig, String> {
        if self.phm_layer {
            return Err(
                "it has hypercomplex (PHM, Compacter) layers; plain dense bottlenecks are run".to_owned()
            );
        }
        if let Some(kind) = self.inv_adapter {
            return Err(format!("it has an invertible adapter ({kind}); bottlenecks without one are run"));
        }
        if !self.mh_adapter && !self.output_adapter {
            return Err("it has bottlenecks neither after attention nor after the output".to_owned());
        }
        // Files from before the version key said "gelu" for the tanh form and "gelu_orig" for the erf form.
        let activation = match self.non_linearity.as_str() {
            "gelu" if !has_version => "gelu_new",
            "gelu_orig" if !has_version => "gelu",
            other => other,
        };
        let residual = match self.residual_before_ln {
            FlagOrNumber::Flag(true) => BottleneckResidual::DenseOutput,
            FlagOrNumber::Flag(false) => BottleneckResidual::BottleneckInput,
            FlagOrNumber::Word(word)
                if word == "post_add" && (self.original_ln_before || self.is_parallel) =>
            {
                BottleneckResidual::BlockSum
            }
            other => return Err(format!("residual_before_ln is {other:?} without original_ln_before")),
        };
        let scaling = match self.scaling {
            FlagOrNumber::Number(factor) => Scaling::Fixed(factor),
            FlagOrNumber::Word(word) if word == "learned" || word == "channel" => Scaling::Learned,
            other => return Err(format!("its scaling is {other:?}; a number, learned and channel are run")),
        };
        Ok(AdapterConfig {
            name,
            placement: Placement {
                parallel: self.is_parallel,
                norm_before_bottleneck: self.original_ln_before && !self.is_parallel,
                norm_after_bottleneck: self.original_ln_after,
                residual,
                residual_before_norm_after: self.adapter_residual_before_ln && !self.is_parallel,
            },
            activation: Activation::from_name(activation).ok_or_else(|| {
                format!("its non_linearity is {activation:?}; known are {}", Activation::NAMES)
            })?,
            in_attention: self.mh_adapter,
            in_output: self.output_adapter,
            leave_out: self.leave_out,
            scaling,
            norm_before: self.ln_before,
            norm_after: self.ln_after,
            gating: self.use_gating,
        })
    }
}

/// The name by which an adapter asks for a key: without `bert.`, and with the adapter's name, which may hold any
/// character, cut out.
#[must_use]
pub fn canonical_name(key: &str) -> String {
    let key = key.strip_prefix("bert.").unwrap_or(key);
    for block in [".attention.output.adapters.", ".output.adapters."] {
        if let Some((layer, rest)) = key.split_once(block)
            && let Some(part) = PARTS.iter().find(|part| rest.ends_with(&format!(".{part}")))
        {
            let block = block.trim_end_matches("adapters.").trim_matches('.');
            return format!("{layer}.{block}.{part}");
        }
    }
    key.to_owned()
}

/// One more than the highest layer that a file has bottlenecks for.
#[must_use]
pub fn depth<F: crate::folder::File>(checkpoint: &Checkpoint<F>) -> usize {
    let layer = |name: &str| name.strip_prefix("encoder.layer.")?.split('.').next()?.parse::<usize>().ok();
    checkpoint.tensors().filter_map(layer).map(|layer| layer.saturating_add(1)).max().unwrap_or(0)
}

/// The tensors that one bottleneck can have.
const PARTS: [&str; 13] = [
    "adapter_down.0.weight",
    "adapter_down.0.bias",
    "adapter_down.1.weight",
    "adapter_down.1.bias",
    "adapter_norm_before.weight",
    "adapter_norm_before.bias",
    "adapter_up.weight",
    "adapter_up.bias",
    "adapter_norm_after.weight",
    "adapter_norm_after.bias",
    "gate.weight",
    "gate.bias",
    "scaling",
];

/// `nn.LayerNorm`'s default, which the adapter's own normalizations use whatever the base network does.
const EPSILON: f32 = 1e-5;

/// One bottleneck's values on the host, before the engine takes them.
#[derive(Debug)]
pub struct BottleneckTensors {
    /// The dense layers.
    pub weights: BottleneckWeights,
    /// Weight and bias of `adapter_norm_before`.
    pub norm_before: Option<LayerNorm<Vec<f32>>>,
    /// Weight and bias of `adapter_norm_after`.
    pub norm_after: Option<LayerNorm<Vec<f32>>>,
    /// The gate.
    pub gate: Option<Gate<Vec<f32>>>,
}

impl AdapterConfig {
    /// The blocks of a layer that have a bottleneck, as `(is attention, key prefix)`.
    fn blocks(&self, layer: usize) -> Vec<(bool, String)> {
        let prefix = format!("encoder.layer.{layer}");
        let attention = self.in_attention.then(|| (true, format!("{prefix}.attention.output")));
        let output = self.in_output.then(|| (false, format!("{prefix}.output")));
        attention.into_iter().chain(output).collect()
    }

    /// Refuses an adapter of a deeper network, whose last layers would be left out without a word.
    pub fn check_depth<F: crate::folder::File>(
        &self,
        checkpoint: &Checkpoint<F>,
        adapter: &str,
        layers: usize,
    ) -> Result<()> {
        let depth = depth(checkpoint);
        if depth > layers {
            return Err(Error::UnsupportedAdapter {
                adapter: adapter.to_owned(),
                problem: format!("it was trained on a model of {depth} layers, but this model has {layers}"),
            });
        }
        Ok(())
    }

    /// Every tensor that the adapter needs, with the width of each bottleneck taken from its own down-projection,
    /// since a reduction factor may differ from layer to layer.
    fn tensors<F: crate::folder::File>(
        &self,
        checkpoint: &Checkpoint<F>,
        prefix: &str,
        hidden: usize,
    ) -> (usize, Vec<TensorSpec>) {
        // With ln_before, the Sequential holds the normalization first and the dense layer second.
        let down = if self.norm_before { "adapter_down.1" } else { "adapter_down.0" };
        let width = checkpoint
            .shape(&format!("{prefix}.{down}.weight"))
            .and_then(|shape| shape.first().copied())
            .unwrap_or(1)
            .max(1);
        let mut specs = vec![
            TensorSpec::new(format!("{prefix}.{down}.weight"), [width, hidden]),
            TensorSpec::new(format!("{prefix}.{down}.bias"), [width]),
            TensorSpec::new(format!("{prefix}.adapter_up.weight"), [hidden, width]),
            TensorSpec::new(format!("{prefix}.adapter_up.bias"), [hidden]),
        ];
        let mut vector = |part: &str, length: usize| {
            specs.push(TensorSpec::new(format!("{prefix}.{part}"), [length]));
        };
        if self.norm_before {
            vector("adapter_down.0.weight", hidden);
            vector("adapter_down.0.bias", hidden);
        }
        if self.norm_after {
            vector("adapter_norm_after.weight", hidden);
            vector("adapter_norm_after.bias", hidden);
        }
        if self.gating {
            vector("gate.bias", 1);
            specs.push(TensorSpec::new(format!("{prefix}.gate.weight"), [1, hidden]));
        }
        (width, specs)
    }

    /// Checks that every tensor is there in its shape, for a network of a depth and width. Gives the blocks that have a
    /// bottleneck as `(layer, is attention, key prefix)`.
    pub fn require<F: crate::folder::File>(
        &self,
        checkpoint: &Checkpoint<F>,
        layers: usize,
        hidden: usize,
    ) -> Result<Vec<(usize, bool, String)>> {
        let layers = (0..layers).filter(|layer| !self.leave_out.contains(layer));
        let blocks: Vec<(usize, bool, String)> = layers
            .flat_map(|layer| {
                self.blocks(layer).into_iter().map(move |(attention, prefix)| (layer, attention, prefix))
            })
            .collect();
        let mut needed = Vec::new();
        for (_, _, prefix) in &blocks {
            needed.extend(self.tensors(checkpoint, prefix, hidden).1);
        }
        checkpoint.require(&needed)?;
        Ok(blocks)
    }

    /// Reads all bottlenecks: for each layer that has any, the one in attention and the one in the output.
    pub async fn read<F: crate::folder::File>(
        &self,
        checkpoint: &Checkpoint<F>,
        base: &Config,
    ) -> Result<BTreeMap<usize, (Option<BottleneckTensors>, Option<BottleneckTensors>)>> {
        let blocks = self.require(checkpoint, base.layers, base.hidden_size)?;

        let mut read: BTreeMap<usize, (Option<_>, Option<_>)> = BTreeMap::new();
        for (layer, attention, prefix) in blocks {
            let tensors = self.read_bottleneck(checkpoint, &prefix, base.hidden_size).await?;
            let entry = read.entry(layer).or_default();
            if attention {
                entry.0 = Some(tensors);
            } else {
                entry.1 = Some(tensors);
            }
        }
        Ok(read)
    }

    async fn read_bottleneck<F: crate::folder::File>(
        &self,
        checkpoint: &Checkpoint<F>,
        prefix: &str,
        hidden: usize,
    ) -> Result<BottleneckTensors> {
        let read = async |part: &str| checkpoint.vector(&format!("{prefix}.{part}")).await;
        let read_norm = async |part: &str| -> Result<LayerNorm<Vec<f32>>> {
            Ok(LayerNorm {
                weight: read(&format!("{part}.weight")).await?,
                bias: read(&format!("{part}.bias")).await?,
                epsilon: EPSILON,
            })
        };
        let (width, specs) = self.tensors(checkpoint, prefix, hidden);
        let down = specs.first().map(|spec| spec.name.as_str()).unwrap_or_default();
        let down_bias = specs.get(1).map(|spec| spec.name.as_str()).unwrap_or_default();

        let mut up = read("adapter_up.weight").await?;
        let mut up_bias = read("adapter_up.bias").await?;
        let scaling = match self.scaling {
            Scaling::Fixed(factor) => vec![factor],
            Scaling::Learned => {
                let name = format!("{prefix}.scaling");
                let shape = checkpoint.shape(&name).unwrap_or_default();
                if shape != [1] && shape != [hidden] {
                    let problem = format!("{name} has shape {shape:?}; [1] or [{hidden}] is needed");
                    return Err(Error::corrupt(checkpoint.name(), problem));
                }
                checkpoint.vector(&name).await?
            }
        };
        for (channel, factor) in scaling.iter().cycle().take(hidden).enumerate() {
            for value in up.iter_mut().skip(channel * width).take(width) {
                *value *= factor;
            }
            if let Some(value) = up_bias.get_mut(channel) {
                *value *= factor;
            }
        }

        Ok(BottleneckTensors {
            weights: BottleneckWeights {
                hidden,
                width,
                down: checkpoint.vector(down).await?,
                down_bias: checkpoint.vector(down_bias).await?,
                activation: self.activation,
                up,
                up_bias,
            },
            norm_before: if self.norm_before { Some(read_norm("adapter_down.0").await?) } else { None },
            norm_after: if self.norm_after { Some(read_norm("adapter_norm_after").await?) } else { None },
            gate: if self.gating {
                let bias = read("gate.bias").await?.first().copied().unwrap_or_default();
                Some(Gate { weight: read("gate.weight").await?, bias })
            } else {
                None
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_name;

    #[test]
    fn an_adapter_name_may_hold_any_character() {
        for name in ["[PRX]", "a.b", "output.adapters.x", "seq_bn"] {
            let key = format!("bert.encoder.layer.3.output.adapters.{name}.adapter_down.0.weight");
            assert_eq!(canonical_name(&key), "encoder.layer.3.output.adapter_down.0.weight");
            let key = format!("encoder.layer.3.attention.output.adapters.{name}.gate.bias");
            assert_eq!(canonical_name(&key), "encoder.layer.3.attention.output.gate.bias");
        }
    }
}
