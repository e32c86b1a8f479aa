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
}

impl TensorSpec {
    /// A name and a shape.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), shape: shape.into() }
    }
}
