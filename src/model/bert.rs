//! BERT (Devlin et al. 2019, arXiv 1810.04805), an encoder with normalization after each block.
//!
//! Module names are those of transformers' `modeling_bert.py`. Query, key and value are one matrix here, because
//! they are multiplied with the same rows.

use super::{Config, Dense, LayerNorm, Layout, TensorSource};
use crate::error::Result;
use crate::weights::TensorSpec;

/// The network's weights.
#[derive(Debug)]
pub struct Bert<M, V> {
    /// Word, position and type embeddings.
    pub embeddings: Embeddings<M, V>,
    /// The encoder, first layer first.
    pub layers: Vec<Layer<M, V>>,
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

/// Every tensor that the network needs, with its shape.
#[must_use]
pub fn tensors(config: &Config) -> Vec<TensorSpec> {
    let names = Names { config };
    let mut specs = vec![names.word(), names.position()];
    specs.extend(names.token_type());
    specs.extend(names.norm("embeddings.LayerNorm"));
    for layer in 0..config.layers {
        for part in ["query", "key", "value"] {
            specs.extend(names.projection(layer, part));
        }
        specs.extend(names.attention_output(layer));
        specs.extend(names.norm(&format!("encoder.layer.{layer}.attention.output.LayerNorm")));
        specs.extend(names.intermediate(layer));
        specs.extend(names.output(layer));
        specs.extend(names.norm(&format!("encoder.layer.{layer}.output.LayerNorm")));
    }
    specs
}

/// Whether a tensor of a BERT checkpoint is worth quantizing: a large matrix that is multiplied or looked up.
#[must_use]
pub fn is_quantized(name: &str) -> bool {
    name.ends_with(".weight")
        && !name.contains("LayerNorm")
        && !name.contains("position_embeddings")
        && !name.contains("token_type_embeddings")
}

impl<M, V> Bert<M, V> {
    /// Fetches every weight. `on_layer` is told after each layer how many are done, and may stop the load.
    pub async fn load<S: TensorSource<Matrix = M, Vector = V>>(
        config: &Config,
        source: &mut S,
        mut on_layer: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let names = Names { config };
        let embeddings = Embeddings {
            word: source.matrix(&[names.word()], Layout::Table).await?,
            position: source.positions(&names.position(), names.token_type().as_ref()).await?,
            norm: names.load_norm(source, "embeddings.LayerNorm").await?,
        };
        let mut layers = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            on_layer(layer)?;
            let [qw, qb] = names.projection(layer, "query");
            let [kw, kb] = names.projection(layer, "key");
            let [vw, vb] = names.projection(layer, "value");
            let prefix = format!("encoder.layer.{layer}");
            layers.push(Layer {
                query_key_value: Dense {
                    weight: source.matrix(&[qw, kw, vw], Layout::Linear).await?,
                    bias: source.vector(&[qb, kb, vb]).await?,
                },
                attention_output: dense(source, names.attention_output(layer)).await?,
                attention_norm: names
                    .load_norm(source, &format!("{prefix}.attention.output.LayerNorm"))
                    .await?,
                intermediate: dense(source, names.intermediate(layer)).await?,
                output: dense(source, names.output(layer)).await?,
                output_norm: names.load_norm(source, &format!("{prefix}.output.LayerNorm")).await?,
            });
        }
        on_layer(config.layers)?;
        Ok(Self { embeddings, layers })
    }
}

async fn dense<S: TensorSource>(
    source: &mut S,
    [weight, bias]: [TensorSpec; 2],
) -> Result<Dense<S::Matrix, S::Vector>> {
    Ok(Dense { weight: source.matrix(&[weight], Layout::Linear).await?, bias: source.vector(&[bias]).await? })
}

/// Names and shapes, in one place for checking and for loading.
struct Names<'a> {
    config: &'a Config,
}

impl Names<'_> {
    fn word(&self) -> TensorSpec {
        let shape = [self.config.vocabulary_size, self.config.hidden_size];
        TensorSpec::new("embeddings.word_embeddings.weight", shape)
    }

    fn position(&self) -> TensorSpec {
        let shape = [self.config.positions, self.config.hidden_size];
        TensorSpec::new("embeddings.position_embeddings.weight", shape)
    }

    fn token_type(&self) -> Option<TensorSpec> {
        let shape = [self.config.token_types, self.config.hidden_size];
        (self.config.token_types > 0)
            .then(|| TensorSpec::new("embeddings.token_type_embeddings.weight", shape))
    }

    fn projection(&self, layer: usize, part: &str) -> [TensorSpec; 2] {
        let hidden = self.config.hidden_size;
        dense_specs(&format!("encoder.layer.{layer}.attention.self.{part}"), hidden, hidden)
    }

    fn attention_output(&self, layer: usize) -> [TensorSpec; 2] {
        let hidden = self.config.hidden_size;
        dense_specs(&format!("encoder.layer.{layer}.attention.output.dense"), hidden, hidden)
    }

    fn intermediate(&self, layer: usize) -> [TensorSpec; 2] {
        let prefix = format!("encoder.layer.{layer}.intermediate.dense");
        dense_specs(&prefix, self.config.intermediate_size, self.config.hidden_size)
    }

    fn output(&self, layer: usize) -> [TensorSpec; 2] {
        let prefix = format!("encoder.layer.{layer}.output.dense");
        dense_specs(&prefix, self.config.hidden_size, self.config.intermediate_size)
    }

    fn norm(&self, prefix: &str) -> [TensorSpec; 2] {
        let hidden = self.config.hidden_size;
        ["weight", "bias"].map(|part| TensorSpec::new(format!("{prefix}.{part}"), [hidden]))
    }

    async fn load_norm<S: TensorSource>(&self, source: &mut S, prefix: &str) -> Result<LayerNorm<S::Vector>> {
        let [weight, bias] = self.norm(prefix);
        Ok(LayerNorm {
            weight: source.vector(&[weight]).await?,
            bias: source.vector(&[bias]).await?,
            epsilon: self.config.layer_norm_epsilon,
        })
    }
}

fn dense_specs(prefix: &str, outputs: usize, inputs: usize) -> [TensorSpec; 2] {
    [
        TensorSpec::new(format!("{prefix}.weight"), [outputs, inputs]),
        TensorSpec::new(format!("{prefix}.bias"), [outputs]),
    ]
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
