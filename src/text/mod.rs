//! Papers become token ids, and token ids become packed batches.
//!
//! [`paper`] holds what a caller hands in and the template that turns it into one string, [`tokenizer`] turns
//! strings into ids exactly as the published tokenizers do, and [`batch`] lays the ids of many documents end to
//! end, without padding.

pub mod batch;
pub mod paper;
mod parts;
mod sentencepiece;
mod tokenization;
pub mod tokenizer;
mod unigram;

pub use batch::Batch;
pub use paper::{Document, Template};
pub use tokenizer::Tokenizer;

/// The most bytes that the pieces of a vocabulary have together, and so the tokens that are added to one: finding them
/// takes up to eighty bytes of memory for each. The 250,000 pieces of a multilingual DeBERTa have 2 MB.
const MAX_SOUGHT: usize = 4 << 20;
