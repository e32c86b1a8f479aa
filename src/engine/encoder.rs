//! The forward pass of an encoder with bottleneck adapters: a batch of token ids becomes one vector a document.
//!
//! Formulas: transformers' `modeling_bert.py` and `modeling_deberta_v2.py`, and adapters' `methods/modeling.py`. With `[CLS]` pooling only the
//! first token's vector is read, so the last layer computes queries, output projection, feed-forward network and
//! adapter for one row a document; keys and values still come from all rows.

use super::{AttentionColumns, Backend, Outputs};
use crate::error::Result;
use crate::model::adapter::{AdapterLayer, Bottleneck, BottleneckResidual, Placement};
use crate::model::network::{Attention, Extent, Layer};
use crate::model::{Activation, Adapter, Config, Dense, Head, LayerNorm, Network, Pooling};
use crate::text::Batch;
use crate::weights::format::GROUP;

/// An adapter whose weights are on a device `B`.
pub type AdapterOn<B> = Adapter<<B as Backend>::Vector, <B as Backend>::Bottleneck>;
/// A head whose weights are on a device `B`.
pub type HeadOn<B> = Head<<B as Backend>::Matrix, <B as Backend>::Vector>;
type BottleneckOn<B> = Bottleneck<<B as Backend>::Vector, <B as Backend>::Bottleneck>;
type LayerOn<B> = Layer<<B as Backend>::Matrix, <B as Backend>::Vector>;
type DenseOn<B> = Dense<<B as Backend>::Matrix, <B as Backend>::Vector>;
type NormOn<B> = LayerNorm<<B as Backend>::Vector>;

/// A network on a device.
pub struct Encoder<B: Backend> {
    /// Its sizes.
    pub config: Config,
    /// What its file has beyond that.
    pub extent: Extent,
    /// Its weights.
    pub network: Network<B::Matrix, B::Vector>,
    /// What relative positions project to, for each layer where attention sees them.
    pub positions: Vec<B::Positions>,
    /// A hash of its biases and normalizations, which are the same in every format of its matrices.
    pub fingerprint: String,
    /// The device that holds them.
    pub backend: B,
}

/// Which weights documents meet where there are several.
pub struct Skill<'a, B: Backend> {
    /// The adapter, where there is one.
    pub adapter: Option<&'a AdapterOn<B>>,
    /// The number of the experts, in layers that have any.
    pub experts: usize,
}

impl<B: Backend> Default for Skill<'_, B> {
    fn default() -> Self {
        Self { adapter: None, experts: 0 }
    }
}

impl<B: Backend> Clone for Skill<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Skill<'_, B> {}

/// What is wanted of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Which token rows make a document's vector.
    pub pooling: Pooling,
    /// Whether it is scaled to length 1.
    pub normalize: bool,
    /// How many layers are run, at most; for finding the one that is wrong.
    pub layers: usize,
}

/// What is read back of the documents' vectors.
pub enum Readout<'a, B: Backend> {
    /// The vectors: `(D, H)`.
    Vectors,
    /// What a head makes of them: `(D, width)`, of which the first columns are its logits.
    Logits(&'a HeadOn<B>),
    /// So many largest logits, and behind them their columns: `(D, 2 count)`.
    LargestLogits(&'a HeadOn<B>, usize),
}

impl<B: Backend> Encoder<B> {
    /// Computes one vector a document and what is to be read back of it, row-major, for whoever
    /// [receives](Backend::receive) it.
    pub fn encode(
        &mut self,
        batch: &Batch,
        skill: Skill<'_, B>,
        output: Output,
        readout: &Readout<'_, B>,
    ) -> Result<B::Pending> {
        let Self { config, network, positions, backend, .. } = self;
        let Output { pooling, normalize, layers } = output;
        let last = layers.min(network.layers.len());
        let width = match readout {
            Readout::Vectors => 0,
            Readout::Logits(head) | Readout::LargestLogits(head, _) => head.outputs.next_multiple_of(GROUP),
        };
        backend.begin(batch, width)?;
        let mut hidden = backend.embedding(&network.embeddings);
        for (index, layer) in network.layers.iter().enumerate().take(last) {
            let adapter = skill.adapter.and_then(|adapter| {
                adapter.layers.get(&index).map(|layer| LayerAdapter { placement: adapter.placement, layer })
            });
            let convolution = network.convolution.as_ref().filter(|_| index == 0);
            let convolved =
                convolution.map(|convolution| convolve(backend, config, &convolution.dense, &hidden));
            let only_first_rows = pooling == Pooling::Cls
                && index + 1 == last
                && convolution.is_none()
                && !adapter.as_ref().is_some_and(LayerAdapter::reads_all_rows);
            let layer = LayerAt {
                layer,
                attention: layer.attention.of(skill.experts),
                positions: positions.get(index),
                adapter,
                only_first_rows,
            };
            hidden = transformer_layer(backend, config, &layer, hidden);
            if let (Some(convolution), Some(convolved)) = (convolution, &convolved) {
                hidden = backend.layer_norm(&hidden, Some(convolved), &convolution.norm, None);
            }
        }
        let pooled = backend.pool(&hidden, pooling, normalize);
        drop(hidden);
        let result = match readout {
            Readout::Vectors => pooled,
            Readout::Logits(head) => logits(backend, config, network, head, pooled),
            Readout::LargestLogits(head, count) => {
                let logits = logits(backend, config, network, head, pooled);
                backend.top_k(&logits, head.outputs, *count)
            }
        };
        backend.send(&result)
    }
}

/// A head's layers, behind the pooler where it reads that: `BertForSequenceClassification` and its kin, and `PredictionHead` of
/// adapters' `heads/base.py`.
fn logits<B: Backend>(
    backend: &mut B,
    config: &Config,
    network: &Network<B::Matrix, B::Vector>,
    head: &HeadOn<B>,
    vectors: B::Rows,
) -> B::Rows {
    let pooler =
        network.pooler.iter().filter(|_| head.pooler).map(|pooler| (pooler, config.pooler_activation));
    let layers = head.layers.iter().map(|(dense, activation)| (dense, *activation));
    pooler.chain(layers).fold(vectors, |rows, (dense, activation)| {
        backend.linear(&rows, dense, Outputs::All, activation, None)
    })
}

/// The part of an adapter that one layer sees.
struct LayerAdapter<'a, B: Backend> {
    placement: Placement,
    layer: &'a AdapterLayer<B::Vector, B::Bottleneck>,
}

impl<'a, B: Backend> LayerAdapter<'a, B> {
    /// A gate averages over all tokens of a document, so none may be left out.
    fn reads_all_rows(&self) -> bool {
        [&self.layer.attention, &self.layer.output].into_iter().flatten().any(|part| part.gate.is_some())
    }

    fn attention(&self) -> Option<(Placement, &'a BottleneckOn<B>)> {
        self.layer.attention.as_ref().map(|bottleneck| (self.placement, bottleneck))
    }

    fn output(&self) -> Option<(Placement, &'a BottleneckOn<B>)> {
        self.layer.output.as_ref().map(|bottleneck| (self.placement, bottleneck))
    }
}

/// A layer as one batch meets it.
struct LayerAt<'a, B: Backend> {
    layer: &'a LayerOn<B>,
    attention: &'a Attention<B::Matrix, B::Vector>,
    positions: Option<&'a B::Positions>,
    adapter: Option<LayerAdapter<'a, B>>,
    /// Whether nobody reads more than the first row of each document.
    only_first_rows: bool,
}

/// `x` → attention block → feed-forward block.
fn transformer_layer<B: Backend>(
    backend: &mut B,
    config: &Config,
    at: &LayerAt<'_, B>,
    hidden: B::Rows,
) -> B::Rows {
    let (width, heads, head_size) = (config.hidden_size, config.attention_heads, config.head_size());
    let LayerAt { layer, attention, positions, adapter, only_first_rows } = at;
    let (projections, adapter) = (&attention.query_key_value, adapter.as_ref());
    let (input, context) = if *only_first_rows {
        let first = backend.first_rows(&hidden);
        let queries =
            backend.linear(&first, projections, Outputs::Range(0, width), Activation::Identity, None);
        let keys_values = backend.linear(
            &hidden,
            projections,
            Outputs::Range(width, 3 * width),
            Activation::Identity,
            None,
        );
        let columns = AttentionColumns { query: 0, key: 0, value: width };
        (first, backend.attention(&queries, &keys_values, columns, heads, head_size, *positions))
    } else {
        let all = backend.linear(&hidden, projections, Outputs::All, Activation::Identity, None);
        let columns = AttentionColumns { query: 0, key: width, value: 2 * width };
        (hidden, backend.attention(&all, &all, columns, heads, head_size, *positions))
    };

    let attended = output_block(
        backend,
        &context,
        &attention.output,
        &input,
        &layer.attention_norm,
        adapter.and_then(LayerAdapter::attention),
    );
    let inner = backend.linear(&attended, &layer.intermediate, Outputs::All, config.activation, None);
    output_block(
        backend,
        &inner,
        &layer.output,
        &attended,
        &layer.output_norm,
        adapter.and_then(LayerAdapter::output),
    )
}

/// `act(conv1d(x))` over the tokens of each document: `ConvLayer` of DeBERTa.
fn convolve<B: Backend>(backend: &mut B, config: &Config, dense: &DenseOn<B>, hidden: &B::Rows) -> B::Rows {
    let (taps, activation) =
        config.convolution.map_or((1, Activation::Identity), |of| (of.taps, of.activation));
    let neighbours = backend.neighbours(hidden, taps);
    backend.linear(&neighbours, dense, Outputs::All, activation, None)
}

/// `BertSelfOutput` and `BertOutput`: a dense layer, an adapter where there is one, the residual connection and
/// the normalization.
///
/// In terms of [`Placement`]: `h` is the dense output, `x` the block's input.
fn output_block<B: Backend>(
    backend: &mut B,
    inner: &B::Rows,
    dense: &DenseOn<B>,
    x: &B::Rows,
    norm: &NormOn<B>,
    adapter: Option<(Placement, &BottleneckOn<B>)>,
) -> B::Rows {
    let identity = Activation::Identity;
    let Some((placement, bottleneck)) = adapter else {
        let sum = backend.linear(inner, dense, Outputs::All, identity, Some(x));
        return backend.layer_norm(&sum, None, norm, None);
    };

    let (input, residual) = if placement.parallel {
        (x.clone(), backend.linear(inner, dense, Outputs::All, identity, None))
    } else {
        let block_sum = placement.residual == BottleneckResidual::BlockSum;
        let h = backend.linear(inner, dense, Outputs::All, identity, block_sum.then_some(x));
        let z = if placement.norm_before_bottleneck {
            backend.layer_norm(&h, (!block_sum).then_some(x), norm, None)
        } else {
            h.clone()
        };
        let residual = if placement.residual == BottleneckResidual::BottleneckInput { z.clone() } else { h };
        (z, residual)
    };
    let out = run_bottleneck(backend, placement, bottleneck, &input, &residual);
    if placement.norm_after_bottleneck { backend.layer_norm(&out, Some(x), norm, None) } else { out }
}

/// `Adapter.forward`: normalization, the two dense layers, gate, residual, normalization; each where there is one.
fn run_bottleneck<B: Backend>(
    backend: &mut B,
    placement: Placement,
    bottleneck: &BottleneckOn<B>,
    input: &B::Rows,
    residual: &B::Rows,
) -> B::Rows {
    let normed = bottleneck.norm_before.as_ref().map(|norm| backend.layer_norm(input, None, norm, None));
    let residual_inside = bottleneck.norm_after.is_none() || placement.residual_before_norm_after;
    let inside = residual_inside.then_some(residual);

    let up = if let Some(gate) = &bottleneck.gate {
        let gates = backend.gate(input, gate);
        let up = backend.bottleneck(normed.as_ref().unwrap_or(input), bottleneck, None);
        backend.apply_gate(&up, &gates, inside)
    } else {
        backend.bottleneck(normed.as_ref().unwrap_or(input), bottleneck, inside)
    };
    match &bottleneck.norm_after {
        Some(norm) => backend.layer_norm(&up, None, norm, (!residual_inside).then_some(residual)),
        None => up,
    }
}
