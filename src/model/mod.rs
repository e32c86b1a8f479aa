//! Tensors become a network: names and shapes only, no arithmetic.
//!
//! A network is generic over what a matrix and a vector are, because that is the engine's business; a
//! [`TensorSource`] hands them out by name. [`bert`] and [`adapter`] mirror the published module names.

pub mod activation;
pub mod adapter;
pub mod bert;
pub mod config;
pub mod pooling;

use crate::error::Result;
use crate::weights::TensorSpec;

pub use activation::Activation;
pub use adapter::{Adapter, AdapterConfig};
pub use bert::Bert;
pub use config::Config;
pub use pooling::Pooling;

/// How a matrix will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Multiplied by, as a weight `(outputs, inputs)`.
    Linear,
    /// Looked up row by row, as an embedding table.
    Table,
}

/// Hands out weights by name, in the form in which an engine keeps them.
#[expect(async_fn_in_trait, reason = "a browser has one thread; nobody needs these futures to be Send")]
pub trait TensorSource {
    /// A matrix on the device.
    type Matrix;
    /// A vector on the device, f32.
    type Vector;
    /// Matrices stacked on top of each other, in order.
    async fn matrix(&mut self, parts: &[TensorSpec], layout: Layout) -> Result<Self::Matrix>;
    /// Vectors end to end, in order.
    async fn vector(&mut self, parts: &[TensorSpec]) -> Result<Self::Vector>;
    /// Position embeddings with the embedding of token type 0 added, which is all that one segment ever needs.
    async fn positions(
        &mut self,
        position: &TensorSpec,
        token_type: Option<&TensorSpec>,
    ) -> Result<Self::Matrix>;
}

/// A dense layer, `y = x Wᵀ + b`.
#[derive(Debug)]
pub struct Dense<M, V> {
    /// `(outputs, inputs)`.
    pub weight: M,
    /// `(outputs,)`.
    pub bias: V,
}

/// Layer normalization, `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`.
#[derive(Debug)]
pub struct LayerNorm<V> {
    /// `(hidden,)`.
    pub weight: V,
    /// `(hidden,)`.
    pub bias: V,
    /// Keeps the root away from zero.
    pub epsilon: f32,
}
