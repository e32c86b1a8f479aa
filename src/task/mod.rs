//! Vectors become answers. [`embed`] is the first: papers in, vectors out. [`convert`] and [`inspect`] do not run a
//! model; they rewrite and describe one.

pub mod convert;
pub mod embed;
pub mod inspect;

pub use embed::{EmbedOptions, Embeddings, LoadOptions, Specter};
