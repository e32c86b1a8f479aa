//! Scientific-paper encoders on WebGPU and the CPU. A paper walks through the rooms in this order:
//!
//! | room | from → to |
//! |---|---|
//! | [`folder`] | a hub, a directory, memory → files |
//! | [`text`] | a paper → token ids → packed batches |
//! | [`weights`] | files → tensors, quantized |
//! | [`model`] | tensors → a network: names and shapes only |
//! | [`engine`] | a network and a batch → vectors, on the GPU or the CPU |
//! | [`task`] | vectors → answers |
//!
//! What runs on a GPU is in `shaders/`, what runs on a CPU in the crate `specter-web-kernels`, in `kernels/`. Heads are
//! learned by the crate `specter-web-fit`, in `fit/`.
//!
//! `web/` is the surface for JavaScript, `src/bin/` the one for the command line; both only carry values in and
//! out. Every failure is an [`Error`] with a stable code.

pub mod engine;
pub mod error;
pub mod folder;
pub mod model;
pub mod task;
pub mod text;
pub mod weights;

#[cfg(target_arch = "wasm32")]
mod web;

pub use error::{Error, Result};
