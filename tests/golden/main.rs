//! Vectors and scores written by the authors' own libraries (`tests/fixtures/make.py`) against this engine, on the scalar
//! reference and on the GPU.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod deberta;
mod devices;
mod fixtures;
mod heads;
mod minilm;
mod published;
mod refusals;
mod scimult;
mod tiny_bert;
mod unigram;
