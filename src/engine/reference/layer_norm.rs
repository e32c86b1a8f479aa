//! Layer normalization (Ba et al. 2016, arXiv 1607.06450) with residuals before and after it.

use super::{Rows, add};
use crate::model::LayerNorm;

/// `LN(x + before) + after`, row by row: `(rows, H)`.
pub(super) fn layer_norm(
    input: &Rows,
    before: Option<&Rows>,
    norm: &LayerNorm<Vec<f32>>,
    after: Option<&Rows>,
) -> Rows {
    input.map(input.width, |index, row| {
        let row = add(row.to_vec(), before.map(|before| before.row(index)));
        let mean = row.iter().sum::<f32>() / row.len() as f32;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / row.len() as f32;
        let inverse = (variance + norm.epsilon).sqrt().recip();
        let parameters = norm.weight.iter().zip(&norm.bias);
        let normed =
            row.iter().zip(parameters).map(|(x, (weight, bias))| (x - mean) * inverse * weight + bias);
        add(normed.collect(), after.map(|after| after.row(index)))
    })
}
