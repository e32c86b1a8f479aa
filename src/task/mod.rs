//! Vectors become answers. [`embed`] is the first: papers in, vectors out.

pub mod embed;

pub use embed::{EmbedOptions, Embeddings, LoadOptions, Specter};
