//! Activation functions, and the gate of an adapter.

use super::{Rows, add, dot};
use crate::engine::RowsOf;
use crate::model::Activation;
use crate::model::adapter::Gate;
use crate::text::Batch;

/// One value of an activation function; formulas at [`Activation`].
#[must_use]
pub fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Identity => x,
        Activation::Gelu => gelu(x),
        Activation::ClippedGelu => gelu(x).clamp(-10.0, 10.0),
        Activation::Laplace => {
            // transformers' own constants, near to 1/√2 and 1/√(4π).
            const CENTER: f32 = 707_107e-6;
            const SPREAD: f32 = 282_095e-6;
            0.5 * (1.0 + libm::erff((x - CENTER) / (SPREAD * std::f32::consts::SQRT_2)))
        }
        Activation::GeluTanh => {
            // √(2/π)
            let inner = 0.797_884_6 * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::QuickGelu => x * sigmoid(1.702 * x),
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::SquaredRelu => x.max(0.0).powi(2),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Silu => x * sigmoid(x),
        // ln(1 + eˣ) without overflow.
        Activation::Mish => x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh(),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid(x),
    }
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn sigmoid(x: f32) -> f32 {
    (1.0 + (-x).exp()).recip()
}

/// The mean of `σ(x · weight + bias)` over each document's tokens: `(D, 1)`.
pub(super) fn gate(input: &Rows, gate: &Gate<Vec<f32>>, batch: &Batch) -> Rows {
    let mean = |document: usize| {
        let tokens = batch.rows(document);
        let count = tokens.len() as f32;
        tokens.map(|token| sigmoid(dot(input.row(token), &gate.weight) + gate.bias)).sum::<f32>() / count
    };
    Rows::new(RowsOf::Documents, 1, (0..batch.documents()).map(mean).collect())
}

/// `x · gate[document of the row] + residual`.
pub(super) fn apply_gate(input: &Rows, gates: &Rows, documents: &[usize], residual: Option<&Rows>) -> Rows {
    input.map(input.width, |index, row| {
        let gate = documents.get(index).and_then(|&document| gates.row(document).first()).copied();
        let gated = row.iter().map(|value| value * gate.unwrap_or_default()).collect();
        add(gated, residual.map(|residual| residual.row(index)))
    })
}
