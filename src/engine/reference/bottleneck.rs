//! An adapter's two dense layers.

use super::{Rows, activate, add, dot};
use crate::model::adapter::BottleneckWeights;

/// `up(activation(down(x))) + residual`: `(rows, H)`.
pub(super) fn bottleneck(input: &Rows, weights: &BottleneckWeights, residual: Option<&Rows>) -> Rows {
    let dense = |x: &[f32], matrix: &[f32], bias: &[f32]| -> Vec<f32> {
        matrix.chunks_exact(x.len()).zip(bias).map(|(row, bias)| dot(x, row) + bias).collect()
    };
    input.map(weights.hidden, |index, row| {
        let mut down = dense(row, &weights.down, &weights.down_bias);
        for value in &mut down {
            *value = activate(weights.activation, *value);
        }
        add(dense(&down, &weights.up, &weights.up_bias), residual.map(|residual| residual.row(index)))
    })
}
