//! BERT (Devlin et al. 2019, arXiv 1810.04805), an encoder with normalization after each block.
//!
//! Module names are those of transformers' `modeling_bert.py`. Query, key and value are one matrix here, because
//! they are multiplied with the same rows.

use super::{Config, Dense, LayerNorm, Layout, Mapping, MatrixSpec, VectorSpec};
use crate::error::Result;
use crate::folder::File;
use crate::weights::{Checkpoint, Precision, TensorSpec};

/// The network's weights.
#[derive(Debug)]
pub struct Bert<M, V> {
    /// Word, position and type embeddings.
    pub embeddings: Embeddings<M, V>,
    /// The encoder, first layer first.
    pub layers: Vec<Layer<M, V>>,
    /// `pooler.dense`: `(H, H)`, which only heads read.
    pub pooler: Option<Dense<M, V>>,
}

/// `LN(word[id] + position[p] + type[0])`.
#[derive(Debug)]
pub struct Embeddings<M, V> {
    /// `(vocabulary, H)`, a table.
    pub word: M,
    /// `(positions, H)`, a table, with token type 0 added.
    pub position: M,
    /// `embeddings.LayerNorm`.
    pub norm: LayerNorm<V>,
}

/// One transformer layer.
#[derive(Debug)]
pub struct Layer<M, V> {
    /// `attention.self.{query,key,value}`, stacked: `(3H, H)`.
    pub query_key_value: Dense<M, V>,
    /// `attention.output.dense`: `(H, H)`.
    pub attention_output: Dense<M, V>,
    /// `attention.output.LayerNorm`.
    pub attention_norm: LayerNorm<V>,
    /// `intermediate.dense`: `(I, H)`.
    pub intermediate: Dense<M, V>,
    /// `output.dense`: `(H, I)`.
    pub output: Dense<M, V>,
    /// `output.LayerNorm`.
    pub output_norm: LayerNorm<V>,
}

/// The name by which the network asks for a key of a checkpoint.
///
/// Files saved from a model with a head carry a `bert.` prefix; files of 2019 spell the parameters of
/// `LayerNorm` `gamma` and `beta`.
#[must_use]
pub fn canonical_name(key: &str) -> String {
    let name = key.strip_prefix("bert.").unwrap_or(key);
    if let Some(norm) = name.strip_suffix("LayerNorm.gamma") {
        format!("{norm}LayerNorm.weight")
    } else if let Some(norm) = name.strip_suffix("LayerNorm.beta") {
        format!("{norm}LayerNorm.bias")
    } else {
        name.to_owned()
    }
}

/// The network as a description of what each of its weights is made of, with a pooler or without.
#[must_use]
pub fn describe(config: &Config, pooler: bool) -> Bert<MatrixSpec, VectorSpec> {
    let &Config { hidden_size: hidden, intermediate_size: intermediate, .. } = config;
    let table =
        |name: &str, rows: usize| TensorSpec::new(format!("embeddings.{name}.weight"), [rows, hidden]);
    let norm = |prefix: &str| LayerNorm {
        weight: vector([TensorSpec::new(format!("{prefix}.weight"), [hidden])]),
        bias: vector([TensorSpec::new(format!("{prefix}.bias"), [hidden])]),
        epsilon: config.layer_norm_epsilon,
    };
    let layer = |index: usize| {
        let name = |module: &str| format!("encoder.layer.{index}.{module}");
        // Rounding of values and of what follows attention in the last layer goes straight into the vectors.
        let after_attention = if index + 1 == config.layers { Precision::High } else { Precision::Low };
        let projections = [("query", Precision::Low), ("key", Precision::Low), ("value", Precision::High)];
        let projections =
            projections.map(|(part, precision)| (name(&format!("attention.self.{part}")), precision));
        Layer {
            query_key_value: dense(&projections, [hidden, hidden]),
            attention_output: dense(&[(name("attention.output.dense"), after_attention)], [hidden, hidden]),
            attention_norm: norm(&name("attention.output.LayerNorm")),
            intermediate: dense(&[(name("intermediate.dense"), after_attention)], [intermediate, hidden]),
            output: dense(&[(name("output.dense"), after_attention)], [hidden, intermediate]),
            output_norm: norm(&name("output.LayerNorm")),
        }
    };
    Bert {
        embeddings: Embeddings {
            word: MatrixSpec {
                parts: vec![table("word_embeddings", config.vocabulary_size).with_precision(Precision::Low)],
                layout: Layout::Table,
                added_row: None,
            },
            position: MatrixSpec {
                parts: vec![table("position_embeddings", config.positions)],
                layout: Layout::Table,
                added_row: (config.token_types > 0)
                    .then(|| table("token_type_embeddings", config.token_types)),
            },
            norm: norm("embeddings.LayerNorm"),
        },
        layers: (0..config.layers).map(layer).collect(),
        pooler: pooler.then(|| dense(&[(POOLER.to_owned(), Precision::High)], [hidden, hidden])),
    }
}

const POOLER: &str = "pooler.dense";

/// Whether a checkpoint has a pooler, which not every one needs.
#[must_use]
pub fn has_pooler<F: File>(checkpoint: &Checkpoint<F>) -> bool {
    checkpoint.shape(&format!("{POOLER}.weight")).is_some()
}

/// Every tensor that the network needs.
#[must_use]
pub fn tensors(config: &Config, pooler: bool) -> Vec<TensorSpec> {
    let mut tensors = Tensors(Vec::new());
    // Collecting does not fail.
    let _ = describe(config, pooler).map(&mut tensors);
    tensors.0
}

struct Tensors(Vec<TensorSpec>);

impl Mapping<MatrixSpec, VectorSpec> for Tensors {
    type Matrix = ();
    type Vector = ();

    fn matrix(&mut self, matrix: MatrixSpec) -> Result<()> {
        self.0.extend(matrix.parts);
        self.0.extend(matrix.added_row);
        Ok(())
    }

    fn vector(&mut self, vector: VectorSpec) -> Result<()> {
        self.0.extend(vector.parts);
        Ok(())
    }
}

impl<M, V> Bert<M, V> {
    /// The same network of other matrices and vectors.
    pub fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Bert<F::Matrix, F::Vector>> {
        let Embeddings { word, position, norm } = self.embeddings;
        let embeddings = Embeddings {
            word: mapping.matrix(word)?,
            position: mapping.matrix(position)?,
            norm: norm.map(mapping)?,
        };
        let layers = self.layers.into_iter().map(|layer| {
            Ok(Layer {
                query_key_value: layer.query_key_value.map(mapping)?,
                attention_output: layer.attention_output.map(mapping)?,
                attention_norm: layer.attention_norm.map(mapping)?,
                intermediate: layer.intermediate.map(mapping)?,
                output: layer.output.map(mapping)?,
                output_norm: layer.output_norm.map(mapping)?,
            })
        });
        let layers = layers.collect::<Result<_>>()?;
        let pooler = self.pooler.map(|pooler| pooler.map(mapping)).transpose()?;
        Ok(Bert { embeddings, layers, pooler })
    }
}

fn vector(parts: impl Into<Vec<TensorSpec>>) -> VectorSpec {
    VectorSpec { parts: parts.into() }
}

/// Dense layers with the same inputs, stacked; each has `[outputs, inputs]`.
fn dense(modules: &[(String, Precision)], [outputs, inputs]: [usize; 2]) -> Dense<MatrixSpec, VectorSpec> {
    let weight = |(module, precision): &(String, Precision)| {
        TensorSpec::new(format!("{module}.weight"), [outputs, inputs]).with_precision(*precision)
    };
    let bias = |(module, _): &(String, Precision)| TensorSpec::new(format!("{module}.bias"), [outputs]);
    Dense {
        weight: MatrixSpec {
            parts: modules.iter().map(weight).collect(),
            layout: Layout::Linear,
            added_row: None,
        },
        bias: vector(modules.iter().map(bias).collect::<Vec<_>>()),
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
        assert_eq!(canonical_name("bert.encoder.layer.0.output.LayerNorm.gamma"), weight);
        assert_eq!(canonical_name("embeddings.LayerNorm.beta"), "embeddings.LayerNorm.bias");
        assert_eq!(canonical_name("cls.predictions.bias"), "cls.predictions.bias");
    }
}
