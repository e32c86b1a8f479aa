//! What every encoder here is made of: embeddings, layers of attention and feed-forward networks, and what some have
//! besides. How attention sees positions differs, and some layers have several sets of weights to choose from.

use super::{Config, Dense, LayerNorm, Layout, Mapping, MatrixSpec, VectorSpec, bert, deberta};
use crate::error::{Error, Result};
use crate::folder::File;
use crate::model::config::Architecture;
use crate::weights::{Checkpoint, Precision, TensorSpec};

/// The network's weights.
#[derive(Debug)]
pub struct Network<M, V> {
    /// Word, position and type embeddings.
    pub embeddings: Embeddings<M, V>,
    /// What relative positions are, where attention sees them: `(2 · span, H)`. Only a load reads it.
    pub relative: Option<Embeddings<M, V>>,
    /// The encoder, first layer first.
    pub layers: Vec<Layer<M, V>>,
    /// Beside the first layer.
    pub convolution: Option<Convolution<M, V>>,
    /// `pooler.dense`: `(H, H)`, which only heads read.
    pub pooler: Option<Dense<M, V>>,
}

/// `LN(word[id] + position[p] + type[0])`, of which some may be missing.
#[derive(Debug)]
pub struct Embeddings<M, V> {
    /// `(vocabulary, H)`, a table.
    pub word: M,
    /// `(positions, H)`, a table, with token type 0 added.
    pub position: Option<M>,
    /// `embeddings.LayerNorm`.
    pub norm: Option<LayerNorm<V>>,
}

/// One transformer layer.
#[derive(Debug)]
pub struct Layer<M, V> {
    /// For each set of experts, where there are several.
    pub attention: PerExpert<Attention<M, V>>,
    /// `attention.output.LayerNorm`.
    pub attention_norm: LayerNorm<V>,
    /// `intermediate.dense`: `(I, H)`.
    pub intermediate: Dense<M, V>,
    /// `output.dense`: `(H, I)`.
    pub output: Dense<M, V>,
    /// `output.LayerNorm`.
    pub output_norm: LayerNorm<V>,
}

/// The dense layers around attention.
#[derive(Debug)]
pub struct Attention<M, V> {
    /// Query, key and value projections, stacked: `(3H, H)`.
    pub query_key_value: Dense<M, V>,
    /// Projections of relative positions, for queries and then for keys, where they have their own. Only a load reads them.
    pub positions: Option<Dense<M, V>>,
    /// `attention.output.dense`: `(H, H)`.
    pub output: Dense<M, V>,
}

/// `act(conv1d(x))` over the tokens of a document, added to what the first layer makes of them.
#[derive(Debug)]
pub struct Convolution<M, V> {
    /// `(H, H · taps)`: for each output, the taps of the first input, then those of the second.
    pub dense: Dense<M, V>,
    /// Of the sum.
    pub norm: LayerNorm<V>,
}

/// Something of which each expert has its own, or which all share.
#[derive(Debug)]
pub struct PerExpert<T> {
    first: T,
    others: Vec<T>,
}

impl<T> PerExpert<T> {
    /// One for all.
    pub fn shared(one: T) -> Self {
        Self { first: one, others: Vec::new() }
    }

    /// One for each of at least one expert.
    pub fn of_each(experts: usize, each: impl Fn(usize) -> T) -> Self {
        Self { first: each(0), others: (1..experts).map(each).collect() }
    }

    /// That of an expert.
    #[must_use]
    pub fn of(&self, expert: usize) -> &T {
        expert.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.first)
    }

    /// All of them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    fn map<U>(self, mut each: impl FnMut(T) -> Result<U>) -> Result<PerExpert<U>> {
        let first = each(self.first)?;
        let mut others = Vec::with_capacity(self.others.len());
        for other in self.others {
            others.push(each(other)?);
        }
        Ok(PerExpert { first, others })
    }
}

/// What a file has of a network beyond what every file of its configuration has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Whether there is a pooler.
    pub pooler: bool,
    /// How many sets of experts, where there are any.
    pub experts: usize,
    /// The layers that have them.
    pub expert_layers: Vec<usize>,
}

impl Extent {
    /// Looks what is there.
    pub fn of<F: File>(config: &Config, checkpoint: &Checkpoint<F>) -> Result<Self> {
        let mut extent = Self {
            pooler: config.classifier.is_some() || checkpoint.shape(&format!("{POOLER}.weight")).is_some(),
            ..Self::default()
        };
        for tensor in checkpoint.tensors() {
            match bert::expert_of(tensor) {
                Some((layer, expert)) if layer < config.layers && expert < MAX_EXPERTS => {
                    extent.experts = extent.experts.max(expert + 1);
                    if !extent.expert_layers.contains(&layer) {
                        extent.expert_layers.push(layer);
                    }
                }
                Some(_) => {
                    return Err(Error::unsupported(format!(
                        "{} has a tensor {tensor}; the network has {} layers, and up to {MAX_EXPERTS} experts are run",
                        checkpoint.name(),
                        config.layers
                    )));
                }
                None if bert::has_other_experts(tensor) => {
                    return Err(Error::unsupported(format!(
                        "{} has a tensor {tensor}; experts are run in attention only",
                        checkpoint.name()
                    )));
                }
                None => {}
            }
        }
        Ok(extent)
    }
}

/// So many sets of experts are run at most.
const MAX_EXPERTS: usize = 64;

pub(super) const POOLER: &str = "pooler.dense";

/// What files put before the names of an encoder that is a part of something: a model with a head, a retriever.
const PREFIXES: [&str; 4] = ["bert.", "deberta.", "question_model.encoder.", "ctx_model.encoder."];

/// The name by which a network asks for a key of a checkpoint.
///
/// Files of 2019 spell the parameters of `LayerNorm` `gamma` and `beta`.
#[must_use]
pub fn canonical_name(key: &str) -> String {
    let name = PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
    if let Some(norm) = name.strip_suffix("LayerNorm.gamma") {
        format!("{norm}LayerNorm.weight")
    } else if let Some(norm) = name.strip_suffix("LayerNorm.beta") {
        format!("{norm}LayerNorm.bias")
    } else {
        name.to_owned()
    }
}

/// What each weight of a network is made of. The network holds their numbers.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// By their numbers.
    pub matrices: Vec<MatrixSpec>,
    /// By their numbers.
    pub vectors: Vec<VectorSpec>,
}

/// The network of the numbers of its weights, and what each of these is made of.
pub fn describe(config: &Config, extent: &Extent) -> Result<(Network<usize, usize>, Inventory)> {
    let network = match config.architecture {
        Architecture::Bert => bert::describe(config, extent),
        Architecture::DebertaV2 => deberta::describe(config, extent),
    };
    let mut inventory = Inventory::default();
    Ok((network.map(&mut inventory)?, inventory))
}

/// Every tensor that a network needs.
#[must_use]
pub fn tensors(config: &Config, extent: &Extent) -> Vec<TensorSpec> {
    // Counting does not fail.
    describe(config, extent).map(|(_, inventory)| inventory.tensors()).unwrap_or_default()
}

impl Inventory {
    /// Every tensor that the network needs.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let of_matrices =
            self.matrices.iter().flat_map(|matrix| matrix.parts.iter().chain(&matrix.added_row));
        of_matrices.chain(self.vectors.iter().flat_map(|vector| &vector.parts)).cloned().collect()
    }
}

impl Mapping<MatrixSpec, VectorSpec> for Inventory {
    type Matrix = usize;
    type Vector = usize;

    fn matrix(&mut self, matrix: MatrixSpec) -> Result<usize> {
        self.matrices.push(matrix);
        Ok(self.matrices.len() - 1)
    }

    fn vector(&mut self, vector: VectorSpec) -> Result<usize> {
        self.vectors.push(vector);
        Ok(self.vectors.len() - 1)
    }
}

impl<M, V> Network<M, V> {
    /// The same network of other matrices and vectors.
    pub fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Network<F::Matrix, F::Vector>> {
        let embeddings = self.embeddings.map(mapping)?;
        let relative = self.relative.map(|relative| relative.map(mapping)).transpose()?;
        let mut layers = Vec::with_capacity(self.layers.len());
        for layer in self.layers {
            layers.push(layer.map(mapping)?);
        }
        let convolution = match self.convolution {
            Some(Convolution { dense, norm }) => {
                Some(Convolution { dense: dense.map(mapping)?, norm: norm.map(mapping)? })
            }
            None => None,
        };
        let pooler = self.pooler.map(|pooler| pooler.map(mapping)).transpose()?;
        Ok(Network { embeddings, relative, layers, convolution, pooler })
    }
}

impl<M, V> Embeddings<M, V> {
    fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Embeddings<F::Matrix, F::Vector>> {
        Ok(Embeddings {
            word: mapping.matrix(self.word)?,
            position: self.position.map(|position| mapping.matrix(position)).transpose()?,
            norm: self.norm.map(|norm| norm.map(mapping)).transpose()?,
        })
    }
}

impl<M, V> Layer<M, V> {
    fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Layer<F::Matrix, F::Vector>> {
        Ok(Layer {
            attention: self.attention.map(|attention| attention.map(mapping))?,
            attention_norm: self.attention_norm.map(mapping)?,
            intermediate: self.intermediate.map(mapping)?,
            output: self.output.map(mapping)?,
            output_norm: self.output_norm.map(mapping)?,
        })
    }
}

impl<M, V> Attention<M, V> {
    fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Attention<F::Matrix, F::Vector>> {
        Ok(Attention {
            query_key_value: self.query_key_value.map(mapping)?,
            positions: self.positions.map(|positions| positions.map(mapping)).transpose()?,
            output: self.output.map(mapping)?,
        })
    }
}

/// Word, position and type embeddings as both architectures call them.
pub(super) fn embeddings(config: &Config) -> Embeddings<MatrixSpec, VectorSpec> {
    let table = |name: &str, rows: usize| {
        TensorSpec::new(format!("embeddings.{name}.weight"), [rows, config.hidden_size])
    };
    let word = table("word_embeddings", config.vocabulary_size).with_precision(Precision::Low);
    let positions = config.absolute_positions.then(|| table("position_embeddings", config.positions));
    let types = (config.token_types > 0).then(|| table("token_type_embeddings", config.token_types));
    Embeddings {
        word: MatrixSpec {
            rows: config.vocabulary_size,
            columns: config.hidden_size,
            parts: vec![word],
            layout: Layout::Table,
            added_row: None,
        },
        position: (positions.is_some() || types.is_some()).then(|| MatrixSpec {
            rows: config.positions,
            columns: config.hidden_size,
            parts: positions.into_iter().collect(),
            layout: Layout::Positions,
            added_row: types,
        }),
        norm: Some(norm("embeddings.LayerNorm", config)),
    }
}

/// What follows attention and has the same names in both architectures: `(norm, intermediate, output, norm)`.
pub(super) fn layer(
    config: &Config,
    index: usize,
    attention: PerExpert<Attention<MatrixSpec, VectorSpec>>,
) -> Layer<MatrixSpec, VectorSpec> {
    let &Config { hidden_size: hidden, intermediate_size: intermediate, .. } = config;
    let name = |module: &str| format!("encoder.layer.{index}.{module}");
    let precision = precision_after_attention(config, index);
    Layer {
        attention,
        attention_norm: norm(&name("attention.output.LayerNorm"), config),
        intermediate: dense(&[(name("intermediate.dense"), precision)], [intermediate, hidden]),
        output: dense(&[(name("output.dense"), precision)], [hidden, intermediate]),
        output_norm: norm(&name("output.LayerNorm"), config),
    }
}

/// Rounding of what follows attention in the last layer goes straight into the vectors.
pub(super) fn precision_after_attention(config: &Config, layer: usize) -> Precision {
    if layer + 1 == config.layers { Precision::High } else { Precision::Low }
}

/// `pooler.dense`, where there is one.
pub(super) fn pooler(config: &Config, extent: &Extent) -> Option<Dense<MatrixSpec, VectorSpec>> {
    let hidden = config.hidden_size;
    extent.pooler.then(|| dense(&[(POOLER.to_owned(), Precision::High)], [hidden, hidden]))
}

/// A layer normalization of the base network.
pub(super) fn norm(module: &str, config: &Config) -> LayerNorm<VectorSpec> {
    let vector = |parameter: &str| VectorSpec {
        parts: vec![TensorSpec::new(format!("{module}.{parameter}"), [config.hidden_size])],
    };
    LayerNorm { weight: vector("weight"), bias: vector("bias"), epsilon: config.layer_norm_epsilon }
}

/// Dense layers with the same inputs, stacked; each has `[outputs, inputs]`.
pub(super) fn dense(
    modules: &[(String, Precision)],
    [outputs, inputs]: [usize; 2],
) -> Dense<MatrixSpec, VectorSpec> {
    let weight = |(module, precision): &(String, Precision)| {
        TensorSpec::new(format!("{module}.weight"), [outputs, inputs]).with_precision(*precision)
    };
    let bias = |(module, _): &(String, Precision)| TensorSpec::new(format!("{module}.bias"), [outputs]);
    Dense {
        weight: MatrixSpec {
            rows: outputs * modules.len(),
            columns: inputs,
            parts: modules.iter().map(weight).collect(),
            layout: Layout::Linear,
            added_row: None,
        },
        bias: VectorSpec { parts: modules.iter().map(bias).collect() },
    }
}

#[cfg(test)]
mod tests {
    use super::canonical_name;

    #[test]
    fn every_published_spelling_of_a_key_means_the_same_tensor() {
        let weight = "encoder.layer.0.output.LayerNorm.weight";
        assert_eq!(canonical_name(weight), weight);
        assert_eq!(canonical_name("bert.encoder.layer.0.output.LayerNorm.weight"), weight);
        assert_eq!(canonical_name("deberta.encoder.layer.0.output.LayerNorm.weight"), weight);
        assert_eq!(canonical_name("ctx_model.encoder.encoder.layer.0.output.LayerNorm.weight"), weight);
        assert_eq!(canonical_name("bert.encoder.layer.0.output.LayerNorm.gamma"), weight);
        assert_eq!(canonical_name("embeddings.LayerNorm.beta"), "embeddings.LayerNorm.bias");
        assert_eq!(canonical_name("cls.predictions.bias"), "cls.predictions.bias");
    }
}
