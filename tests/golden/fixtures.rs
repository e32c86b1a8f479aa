//! Reads the golden files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use specter_web::folder::Directory;
use specter_web::text::Document;

/// A paper as the golden files write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Paper {
    Text(String),
    Parts { title: Option<String>, r#abstract: Option<String> },
}

impl Paper {
    pub(crate) fn document(&self) -> Document {
        match self.clone() {
            Self::Text(text) => Document::Text(text),
            Self::Parts { title, r#abstract } => Document::Paper { title, r#abstract },
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct TinyBert {
    pub(crate) papers: Vec<Paper>,
    pub(crate) input_ids: Vec<Vec<u32>>,
    pub(crate) cases: BTreeMap<String, Case>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) cls: Vec<Vec<f32>>,
    pub(crate) mean: Vec<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct MiniLm {
    pub(crate) papers: Vec<Paper>,
    pub(crate) input_ids: Vec<Vec<u32>>,
    pub(crate) embeddings: Vec<Vec<f32>>,
    pub(crate) cls: Vec<Vec<f32>>,
}

pub(crate) fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

pub(crate) fn directory(below: &str) -> Directory {
    Directory::new(path(below))
        .unwrap_or_else(|error| panic!("{error}\nRun `cargo xtask test` once to fetch it."))
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(below: &str) -> T {
    let text = std::fs::read_to_string(path(below)).expect("a fixture is there");
    serde_json::from_str(&text).expect("a fixture parses")
}

pub(crate) fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

pub(crate) fn cosine(left: &[f32], right: &[f32]) -> f32 {
    let dot =
        |left: &[f32], right: &[f32]| left.iter().zip(right).map(|(l, r)| f64::from(l * r)).sum::<f64>();
    (dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()) as f32
}
