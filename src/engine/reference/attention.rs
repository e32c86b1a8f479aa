//! Scaled dot-product attention over packed documents.

use std::ops::Range;

use super::{Rows, dot};
use crate::engine::AttentionColumns;

/// `queries`: `(rows, ≥ heads · head_size)`, `keys_values`: `(T, …)`, out: `(rows, heads · head_size)`.
/// `document` gives the token rows that a query row attends to.
pub(super) fn attention(
    queries: &Rows,
    keys_values: &Rows,
    columns: AttentionColumns,
    heads: usize,
    head_size: usize,
    document: impl Fn(usize) -> Range<usize>,
) -> Rows {
    let scale = (head_size as f32).sqrt().recip();
    queries.map(heads * head_size, |index, query_row| {
        let tokens = document(index);
        let head_output = |head: usize| {
            let slice = |row: &'_ [f32], first: usize| -> Vec<f32> {
                row.iter().skip(first + head * head_size).take(head_size).copied().collect()
            };
            let query = slice(query_row, columns.query);
            let scores: Vec<f32> = tokens
                .clone()
                .map(|token| dot(&query, &slice(keys_values.row(token), columns.key)) * scale)
                .collect();
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
