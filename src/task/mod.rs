//! Vectors become answers. [`specter`] is a model that is ready, and [`way`] the tasks that it knows; with it one can [`embed`] papers, [`classify`]
//! them, and fit a head to examples, which in a browser is the business of a module of its own.
//! [`convert`] and [`inspect`] do not run a model; they rewrite and describe one.

pub mod classify;
pub mod convert;
pub mod embed;
#[cfg(not(target_arch = "wasm32"))]
pub mod fit;
pub mod inspect;
pub mod specter;
pub mod way;

pub use classify::{ClassifyOptions, HeadOptions, HeadSource, LoadedHead, RankOptions, Score, Similarity};
pub use embed::{EmbedOptions, Embeddings};
pub use specter::{LoadOptions, Specter, TOKEN_BUDGET};
pub use way::{Task, Way};
