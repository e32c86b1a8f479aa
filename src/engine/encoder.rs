//! The forward pass of BERT with bottleneck adapters: a batch of token ids becomes one vector a document.
//!
//! Formulas: transformers' `modeling_bert.py` and adapters' `methods/modeling.py`. With `[CLS]` pooling only the
//! first token's vector is read, so the last layer computes queries, output projection, feed-forward network and
//! adapter for one row a document; keys and values still come from all rows.

use super::{AttentionColumns, Backend, Outputs};
use crate::error::Result;
use crate::model::adapter::{AdapterLayer, Bottleneck, BottleneckResidual, Placement};
use crate::model::bert::Layer;
use crate::model::{Activation, Adapter, Bert, Config, Dense, Head, LayerNorm, Pooling};
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
    /// Its weights.
    pub bert: Bert<B::Matrix, B::Vector>,
    /// A hash of its biases and normalizations, which are the same in every format of its matrices.
    pub fingerprint: String,
    /// The device that holds them.
    pub backend: B,
}

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
        adapter: Option<&AdapterOn<B>>,
        output: Output,
        readout: &Readout<'_, B>,
    ) -> Result<B::Pending> {
        let Self { config, bert, backend, .. } = self;
        let Output { pooling, normalize, layers } = output;
        let last = layers.min(bert.layers.len());
        let width = match readout {
            Readout::Vectors => 0,
            Readout::Logits(head) | Readout::LargestLogits(head, _) => head.outputs.next_multiple_of(GROUP),
        };
        backend.begin(batch, width)?;
        let mut hidden = backend.embedding(&bert.embeddings);
        for (index, layer) in bert.layers.iter().enumerate().take(last) {
            let adapter = adapter.and_then(|adapter| {
                adapter.layers.get(&index).map(|layer| LayerAdapter { placement: adapter.placement, layer })
            });
            let only_first_rows = pooling == Pooling::Cls
                && index + 1 == last
                && !adapter.as_ref().is_some_and(LayerAdapter::reads_all_rows);
            hidden = transformer_layer(backend, config, layer, adapter.as_ref(), hidden, only_first_rows);
        }
        let pooled = backend.pool(&hidden, pooling, normalize);
        drop(hidden);
        let result = match readout {
            Readout::Vectors => pooled,
            Readout::Logits(head) => logits(backend, bert, head, pooled),
            Readout::LargestLogits(head, count) => {
                let logits = logits(backend, bert, head, pooled);
                backend.top_k(&logits, head.outputs, *count)
            }
        };
        backend.send(&result)
    }
}

/// A head's layers, behind the pooler where it reads that: `BertForSequenceClassification`, and `PredictionHead` of
/// adapters' `heads/base.py`.
fn logits<B: Backend>(
    backend: &mut B,
    bert: &Bert<B::Matrix, B::Vector>,
    head: &HeadOn<B>,
    vectors: B::Rows,
) -> B::Rows {
    let pooler = bert.pooler.iter().filter(|_| head.pooler).map(|pooler| (pooler, Activation::Tanh));
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

/// `x` → attention block → feed-forward block.
fn transformer_layer<B: Backend>(
    backend: &mut B,
    config: &Config,
    layer: &LayerOn<B>,
    adapter: Option<&LayerAdapter<'_, B>>,
    hidden: B::Rows,
    only_first_rows: bool,
) -> B::Rows {
    let (width, heads, head_size) = (config.hidden_size, config.attention_heads, config.head_size());
    let projections = &layer.query_key_value;
    let (input, context) = if only_first_rows {
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
        (first, backend.attention(&queries, &keys_values, columns, heads, head_size))
    } else {
        let all = backend.linear(&hidden, projections, Outputs::All, Activation::Identity, None);
        let columns = AttentionColumns { query: 0, key: width, value: 2 * width };
        (hidden, backend.attention(&all, &all, columns, heads, head_size))
    };

    let attended = output_block(
        backend,
        &context,
        &layer.attention_output,
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
