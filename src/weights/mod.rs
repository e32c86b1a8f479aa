//! Files become tensors: a [`Checkpoint`] reads row blocks out of a published file, [`safetensors`] and [`torch`] find
//! them in it, and [`format`](mod@format) is how weights are kept on a device: f32, f16, or in groups of 32 as int8
//! or 4 bits.

pub mod checkpoint;
pub mod format;
pub mod index;
pub mod safetensors;
pub mod torch;

pub use checkpoint::{Checkpoint, Parameter};
pub use format::{Block, Format};
pub use index::Dtype;

/// A tensor that a network needs: its name in the file and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name, as the model spells it.
    pub name: String,
    /// `[rows, columns]` of a matrix, `[length]` of a vector.
    pub shape: Vec<usize>,
    /// How far its values may be rounded.
    pub precision: Precision,
}

/// How far the values of a tensor may be rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// It stays f32: small, and it counts for every token.
    Exact,
    /// Where the rest is q4, it is q8.
    High,
    /// It is kept in the format that was asked for.
    Low,
}

impl TensorSpec {
    /// A tensor that stays f32.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into(), precision: Precision::Exact }
    }

    /// The same tensor, which may be rounded so far.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The format that it is kept in where another one was asked for.
    #[must_use]
    pub fn format(&self, asked: Format) -> Format {
        match (self.precision, asked) {
            (Precision::Exact, _) => Format::F32,
            (Precision::High, Format::Q4) => Format::Q8,
            (_, asked) => asked,
        }
    }

    /// `[rows, columns]`, where all dimensions but the first lie along a row; a vector has one column.
    #[must_use]
    pub fn matrix_shape(&self) -> [usize; 2] {
        [self.shape.first().copied().unwrap_or(1), self.shape.iter().skip(1).product()]
    }
}
