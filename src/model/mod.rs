//! Tensors become a network: names and shapes only, no arithmetic.
//!
//! A network is generic over what a matrix and a vector are, because that is the engine's business: first each of them
//! is a number in a list of [`MatrixSpec`]s or [`VectorSpec`]s, which say what it is made of, and an engine maps the numbers
//! to what it keeps.
//! [`network`] is what every encoder is made of; `bert`, [`deberta`] and [`adapter`] mirror the published module names.

pub mod activation;
pub mod adapter;
mod bert;
pub mod config;
pub mod deberta;
pub mod files;
pub mod head;
pub mod network;
pub mod pooling;
pub mod training;

use crate::error::Result;
use crate::weights::TensorSpec;

pub use activation::Activation;
pub use adapter::{Adapter, AdapterConfig};
pub use config::Config;
pub use head::Head;
pub use network::Network;
pub use pooling::Pooling;

/// How a matrix will be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Multiplied by, as a weight `(outputs, inputs)`.
    Linear,
    /// Multiplied by likewise, but only ever with one row a document.
    Head,
    /// Looked up row by row, as the embeddings of words. A device that cannot bind all of them at once keeps them in parts.
    Table,
    /// Looked up row by row beside a table, as the embeddings of positions.
    Positions,
}

/// What a matrix of a network is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatrixSpec {
    /// Of all parts.
    pub rows: usize,
    /// Of each part.
    pub columns: usize,
    /// Matrices of the file, stacked on top of each other in this order; none where all rows are zeros.
    pub parts: Vec<TensorSpec>,
    /// How it will be read.
    pub layout: Layout,
    /// A matrix of the file whose first row is added to each row.
    pub added_row: Option<TensorSpec>,
}

/// Vectors of the file that lie end to end in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorSpec {
    /// The vectors.
    pub parts: Vec<TensorSpec>,
}

/// What becomes of the matrices and the vectors of a network.
pub trait Mapping<M, V> {
    /// What a matrix becomes.
    type Matrix;
    /// What a vector becomes.
    type Vector;
    /// Maps a matrix.
    fn matrix(&mut self, matrix: M) -> Result<Self::Matrix>;
    /// Maps a vector.
    fn vector(&mut self, vector: V) -> Result<Self::Vector>;
}

/// A dense layer, `y = x Wᵀ + b`.
#[derive(Debug)]
pub struct Dense<M, V> {
    /// `(outputs, inputs)`.
    pub weight: M,
    /// `(outputs,)`.
    pub bias: V,
}

impl<M, V> Dense<M, V> {
    fn map<F: Mapping<M, V>>(self, mapping: &mut F) -> Result<Dense<F::Matrix, F::Vector>> {
        Ok(Dense { weight: mapping.matrix(self.weight)?, bias: mapping.vector(self.bias)? })
    }
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

impl<V> LayerNorm<V> {
    fn map<M, F: Mapping<M, V>>(self, mapping: &mut F) -> Result<LayerNorm<F::Vector>> {
        let (weight, bias) = (mapping.vector(self.weight)?, mapping.vector(self.bias)?);
        Ok(LayerNorm { weight, bias, epsilon: self.epsilon })
    }
}
