//! Vectors become answers. [`specter`] is a model that is ready; with it one can [`embed`] papers and [`classify`] them.
//! [`convert`] and [`inspect`] do not run a model; they rewrite and describe one.

pub mod classify;
pub mod convert;
pub mod embed;
pub mod inspect;
pub mod specter;

pub use classify::{ClassifyOptions, HeadOptions, HeadSource, LoadedHead, RankOptions, Score};
pub use embed::{EmbedOptions, Embeddings};
pub use specter::{LoadOptions, Specter, TOKEN_BUDGET};
