//! A dense layer: `activation(x Wᵀ + b) + residual`.

use std::ops::Range;

use super::{Matrix, Rows, activate, add, dot};
use crate::model::{Activation, Dense};

/// `input`: `(rows, K)`, `dense`: `(N, K)`, out: `(rows, outputs)`.
pub(super) fn linear(
    input: &Rows,
    dense: &Dense<Matrix, Vec<f32>>,
    outputs: Range<usize>,
    activation: Activation,
    residual: Option<&Rows>,
) -> Rows {
    let width = outputs.len();
    let mut out = vec![0.0; input.each().len() * width];
    // Outputs outside, so that each row of weights is unpacked once.
    for (column, output) in outputs.enumerate() {
        let weight = dense.weight.row(output);
        let bias = dense.bias.get(output).copied().unwrap_or_default();
        for (x, y) in input.each().zip(out.iter_mut().skip(column).step_by(width)) {
            *y = activate(activation, dot(x, &weight) + bias);
        }
    }
    match residual {
        Some(residual) => Rows::new(input.of, width, add(out, Some(&residual.values))),
        None => Rows::new(input.of, width, out),
    }
}
