//! What relative positions project to.
//!
//! DeBERTa multiplies the projections of its table of relative positions with those of tokens, in every layer. The table is
//! the same for all documents, so it is projected once, when a model is loaded, by the kernels that project tokens.

use super::{Backend, Encoder, Outputs};
use crate::error::{Error, Result};
use crate::model::deberta::RelativeAttention;
use crate::model::network::Embeddings;
use crate::model::{Activation, Config};
use crate::text::Batch;

/// What relative positions project to in one layer, on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionWeights {
    /// Columns of all heads, `H`.
    pub hidden: usize,
    /// Columns of one.
    pub head_size: usize,
    /// Rows of the projections by how far a query is behind a key, from `1 - longest` to `longest - 1`.
    pub rows: Vec<u32>,
    /// `Pk`, `(2 · span, H)`: what queries are multiplied with.
    pub keys: Vec<f32>,
    /// `Pq`, `(2 · span, H)`: what keys are multiplied with.
    pub queries: Vec<f32>,
    /// What scores are multiplied with.
    pub scale: f32,
}

impl PositionWeights {
    /// Of nothing, for a network of these sizes.
    pub(super) fn zeros(config: &Config, relative: &RelativeAttention) -> Self {
        let zeros = vec![0.0; 2 * relative.span * config.hidden_size];
        Self::new(config, relative, zeros.clone(), zeros)
    }

    fn new(config: &Config, relative: &RelativeAttention, keys: Vec<f32>, queries: Vec<f32>) -> Self {
        Self {
            hidden: config.hidden_size,
            head_size: config.head_size(),
            rows: relative.rows(config.positions),
            keys,
            queries,
            scale: ((config.head_size() * relative.terms()) as f32).sqrt().recip(),
        }
    }

    /// Columns of the rows of `Pk` and `Pq` for a pair of tokens.
    pub(super) fn of(&self, query: usize, key: usize, first: usize, count: usize) -> [&[f32]; 2] {
        let row = (query + self.longest()).checked_sub(key + 1).and_then(|distance| self.rows.get(distance));
        let at = row.map_or(0, |&row| row as usize) * self.hidden + first;
        [&self.keys, &self.queries].map(|values| values.get(at..at + count).unwrap_or_default())
    }

    /// The longest document whose distances are known.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.rows.len().div_ceil(2)
    }
}

/// How many positions are projected at once.
const ROWS: usize = 256;

impl<B: Backend> Encoder<B> {
    /// Projects the table of relative positions for each layer, and lets go of it.
    pub(super) async fn project_positions(&mut self) -> Result<()> {
        let Some(relative) = self.config.relative.clone() else { return Ok(()) };
        let table = self.network.relative.take();
        let table = table.ok_or_else(|| Error::internal("there is no table of relative positions"))?;
        for layer in 0..self.network.layers.len() {
            let (queries, keys) = self.project(&table, &relative, layer).await?;
            let weights = PositionWeights::new(&self.config, &relative, keys, queries);
            self.positions.push(self.backend.positions(&weights)?);
        }
        for layer in &mut self.network.layers {
            layer.attention.iter_mut().for_each(|attention| attention.positions = None);
        }
        self.backend.loaded().await
    }

    /// `(Pq, Pk)` of a layer; zeros where attention does not see them.
    async fn project(
        &mut self,
        table: &Embeddings<B::Matrix, B::Vector>,
        relative: &RelativeAttention,
        layer: usize,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        let Self { network, backend, config, .. } = self;
        let (hidden, all) = (config.hidden_size, 2 * relative.span);
        let layer = network.layers.get(layer).ok_or_else(|| Error::internal("there is no such layer"))?;
        let attention = layer.attention.of(0);
        let both = relative.position_to_content && relative.content_to_position;
        let (dense, outputs) = match &attention.positions {
            Some(positions) => (positions, Outputs::All),
            None if both => (&attention.query_key_value, Outputs::Range(0, 2 * hidden)),
            None if relative.position_to_content => (&attention.query_key_value, Outputs::Range(0, hidden)),
            None => (&attention.query_key_value, Outputs::Range(hidden, 2 * hidden)),
        };
        let mut queries = Vec::new();
        let mut keys = Vec::new();
        for first in (0..all).step_by(ROWS) {
            let mut batch = Batch::new();
            batch.push(&(first as u32..all.min(first + ROWS) as u32).collect::<Vec<_>>());
            backend.begin(&batch, 0)?;
            let rows = backend.embedding(table);
            let projected = backend.linear(&rows, dense, outputs, Activation::Identity, None);
            let pending = backend.send(&projected)?;
            drop((rows, projected));
            let values = backend.receive(pending).await?;
            for row in values.chunks(if both { 2 * hidden } else { hidden }) {
                let (query, key) = if relative.position_to_content {
                    row.split_at(hidden.min(row.len()))
                } else {
                    (&[][..], row)
                };
                queries.extend_from_slice(query);
                keys.extend_from_slice(key);
            }
        }
        queries.resize(all * hidden, 0.0);
        keys.resize(all * hidden, 0.0);
        Ok((queries, keys))
    }
}
