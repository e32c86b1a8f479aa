//! Scaled dot-product attention over packed documents, which may see how far tokens are apart.

use std::ops::Range;

use super::{Rows, dot};
use crate::engine::{AttentionColumns, PositionWeights, RowsOf};

/// `queries`: `(rows, ≥ heads · head_size)`, `keys_values`: `(T, …)`, out: `(rows, heads · head_size)`.
/// `document` gives the token rows that a query row attends to.
pub(super) fn attention(
    queries: &Rows,
    keys_values: &Rows,
    columns: AttentionColumns,
    [heads, head_size]: [usize; 2],
    positions: Option<&PositionWeights>,
    document: impl Fn(usize) -> Range<usize>,
) -> Rows {
    let scale = positions.map_or((head_size as f32).sqrt().recip(), |positions| positions.scale);
    queries.map(heads * head_size, |index, query_row| {
        let tokens = document(index);
        let query_token = if queries.of == RowsOf::Tokens { index } else { tokens.start };
        let head_output = |head: usize| {
            let slice = |row: &'_ [f32], first: usize| -> Vec<f32> {
                row.iter().skip(first + head * head_size).take(head_size).copied().collect()
            };
            let query = slice(query_row, columns.query);
            let score = |token: usize| {
                let key = slice(keys_values.row(token), columns.key);
                let positional = positions.map_or(0.0, |positions| {
                    let [position_key, position_query] =
                        positions.of(query_token, token, head * head_size, head_size);
                    dot(&query, position_key) + dot(&key, position_query)
                });
                (dot(&query, &key) + positional) * scale
            };
            let scores: Vec<f32> = tokens.clone().map(score).collect();
            let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let weights: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
            let total: f32 = weights.iter().sum();
            let mut out = vec![0.0; head_size];
            for (weight, token) in weights.iter().zip(tokens.clone()) {
                for (out, value) in out.iter_mut().zip(slice(keys_values.row(token), columns.value)) {
                    *out += weight / total * value;
                }
            }
            out
        };
        (0..heads).flat_map(head_output).collect()
    })
}
