//! Files become tensors: a [`Checkpoint`] reads row blocks out of a published file, [`safetensors`] and [`torch`] find
//! them in it, and [`format`](mod@format) is how weights are kept on a device: f32, f16, or int8 in groups of 32.

pub mod checkpoint;
pub mod format;
pub mod index;
pub mod safetensors;
pub mod torch;

pub use checkpoint::Checkpoint;
pub use format::{Block, Format};
pub use index::Dtype;

/// A tensor that a network needs: its name in the file and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name, as the model spells it.
    pub name: String,
    /// `[rows, columns]` of a matrix, `[length]` of a vector.
    pub shape: Vec<usize>,
    /// Whether it is kept in the format that was asked for; the small ones that count for every token stay f32.
    pub quantizable: bool,
}

impl TensorSpec {
    /// A tensor that stays f32.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into(), quantizable: false }
    }

    /// The same tensor, in the format that was asked for.
    #[must_use]
    pub fn quantizable(self) -> Self {
        Self { quantizable: true, ..self }
    }

    /// `[rows, columns]`; a vector has one column.
    #[must_use]
    pub fn matrix_shape(&self) -> [usize; 2] {
        let length = |dimension: usize| self.shape.get(dimension).copied().unwrap_or(1);
        [length(0), length(1)]
    }
}
