//! Token rows become one vector a document.

use super::Rows;
use crate::engine::RowsOf;
use crate::model::Pooling;
use crate::text::Batch;

/// The length below which a vector is not divided, as in `torch.nn.functional.normalize`.
const SMALLEST_LENGTH: f32 = 1e-12;

/// `(T, H)` → `(D, H)`; rows that are documents already stay as they are.
pub(super) fn pool(input: &Rows, pooling: Pooling, normalize: bool, batch: &Batch) -> Rows {
    let vector = |document: usize| -> Vec<f32> {
        let tokens = match (input.of, pooling) {
            (RowsOf::Documents, _) => document..document + 1,
            (RowsOf::Tokens, Pooling::Cls) => batch.rows(document).start..batch.rows(document).start + 1,
            (RowsOf::Tokens, Pooling::Mean) => batch.rows(document),
        };
        let count = tokens.len() as f32;
        let mut sum = vec![0.0; input.width];
        for token in tokens {
            for (sum, value) in sum.iter_mut().zip(input.row(token)) {
                *sum += value;
            }
        }
        let mean = sum.iter().map(|sum| sum / count);
        if normalize {
            let length = mean.clone().map(|value| value * value).sum::<f32>().sqrt().max(SMALLEST_LENGTH);
            mean.map(|value| value / length).collect()
        } else {
            mean.collect()
        }
    };
    Rows::new(RowsOf::Documents, input.width, (0..batch.documents()).flat_map(vector).collect())
}
