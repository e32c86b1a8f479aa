//! `cargo xtask learning`: how well heads do that are learned from few examples and from many, on labelled texts of
//! your own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use specter_web_fit::{Fit, Fitted, Kind, Options as FitOptions, Targets};

use crate::command_line;
use crate::model;
use crate::places::default_model;

/// How many examples of each label are learned from; then all.
const FEW: [usize; 3] = [5, 10, 50];

/// How many draws of a few examples are averaged.
const DRAWS: u64 = 5;

#[derive(Args)]
pub(crate) struct Options {
    /// Texts with a label each: one object with `text` and `label` a line
    examples: PathBuf,
    /// Texts to measure on; where none are given, a fifth of the examples, chosen by a hash of their text
    #[arg(long)]
    test: Option<PathBuf>,
    /// The model's folder; all-MiniLM-L6-v2 in q8 where none is given
    #[arg(long)]
    model: Option<PathBuf>,
    /// How weights are kept
    #[arg(long, default_value = "q8")]
    dtype: String,
    /// Where to run: gpu, cpu or reference
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// A text's vector and its label.
struct Example {
    vector: Vec<f32>,
    label: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    model::ensure()?;
    let mut texts = read(&options.examples)?;
    let held_out = match &options.test {
        Some(test) => read(test)?,
        None => texts.extract_if(.., |(text, _)| is_held_out(text)).collect(),
    };
    if texts.is_empty() || held_out.is_empty() {
        bail!("there is nothing to learn from, or nothing to measure on");
    }
    let (examples, held_out) = (embed(options, texts)?, embed(options, held_out)?);

    println!("| examples of a label | macro-F1 on {} others | strength |", held_out.len());
    println!("|---|---|---|");
    for count in FEW {
        let draws = (0..DRAWS).map(|draw| learn(&few(&examples, count, draw), &held_out));
        let draws: Vec<(f64, f64)> = draws.collect::<Result<_>>()?;
        let scores: Vec<f64> = draws.iter().map(|&(score, _)| score).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let squares = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>();
        let deviation = (squares / scores.len() as f64).sqrt();
        println!("| {count} | {mean:.3} ± {deviation:.3} ({DRAWS} draws) | |");
    }
    let (score, strength) = learn(&examples.iter().collect::<Vec<_>>(), &held_out)?;
    println!("| all, {} | {score:.3} | {strength} |", examples.len());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let example = |(index, line): (usize, &str)| {
        let value: Value = serde_json::from_str(line)?;
        let part = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        part("text").zip(part("label")).with_context(|| format!("line {} has no text or no label", index + 1))
    };
    text.lines().enumerate().map(example).collect()
}

/// As `examples/paper-field/train.py` divides its data.
fn is_held_out(text: &str) -> bool {
    let digest = Sha256::digest(text.as_bytes());
    let first = digest.iter().take(4).fold(0_u32, |number, &byte| number << 8 | u32::from(byte));
    f64::from(first) / 2_f64.powi(32) < 0.2
}

fn embed(options: &Options, texts: Vec<(String, String)>) -> Result<Vec<Example>> {
    let model = options.model.clone().unwrap_or_else(default_model);
    let lines: Vec<String> = texts.iter().map(|(text, _)| json!({ "text": text }).to_string()).collect();
    let vectors = command_line::embed(&model, &options.dtype, &options.device, &lines.join("\n"))?;
    let example = |(vector, (_, label)): (Vec<f64>, (String, String))| Example {
        vector: vector.iter().map(|&value| value as f32).collect(),
        label,
    };
    Ok(vectors.into_iter().zip(texts).map(example).collect())
}

/// So many examples of each label, drawn at random.
fn few(examples: &[Example], count: usize, draw: u64) -> Vec<&Example> {
    // A splitmix generator, seeded by the number of the draw.
    let mut state = draw;
    let mut random = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let mut by_label: BTreeMap<&str, Vec<(u64, &Example)>> = BTreeMap::new();
    for example in examples {
        by_label.entry(&example.label).or_default().push((random(), example));
    }
    let drawn = by_label.into_values().flat_map(|mut label| {
        label.sort_by_key(|&(order, _)| order);
        label.into_iter().take(count).map(|(_, example)| example)
    });
    drawn.collect()
}

/// The macro-F1 of what is learned from some examples on others, and the strength that was chosen.
fn learn(examples: &[&Example], held_out: &[Example]) -> Result<(f64, f64)> {
    let width = held_out.first().map_or(0, |example| example.vector.len());
    let vectors: Vec<f32> = examples.iter().flat_map(|example| &example.vector).copied().collect();
    let labels = examples.iter().map(|example| example.label.clone()).collect();
    let options = FitOptions::new(Kind::Multinomial);
    let fitted = Fit::new(&vectors, width, &Targets::Labels(labels), &options)?.finish();
    let predicted: Vec<&str> =
        held_out.iter().map(|example| predict(&fitted, &example.vector)).collect::<Result<_>>()?;
    let actual: Vec<&str> = held_out.iter().map(|example| example.label.as_str()).collect();
    Ok((macro_f1(&actual, &predicted), fitted.strength))
}

fn predict<'f>(fitted: &'f Fitted, vector: &[f32]) -> Result<&'f str> {
    let rows = fitted.weight.chunks(vector.len()).zip(&fitted.bias).zip(&fitted.labels);
    let scored = rows.map(|((row, bias), label)| {
        (row.iter().zip(vector).map(|(weight, value)| weight * value).sum::<f32>() + bias, label.as_str())
    });
    let best = scored.max_by(|(left, _), (right, _)| left.total_cmp(right));
    best.map(|(_, label)| label).context("a head without labels")
}

/// The mean over labels of the harmonic mean of precision and recall.
fn macro_f1(actual: &[&str], predicted: &[&str]) -> f64 {
    let mut counts: BTreeMap<&str, [f64; 3]> = BTreeMap::new();
    let mut count = |label, which: usize| {
        if let Some(count) = counts.entry(label).or_default().get_mut(which) {
            *count += 1.0;
        }
    };
    for (&actual, &predicted) in actual.iter().zip(predicted) {
        count(actual, 0);
        count(predicted, 1);
        if actual == predicted {
            count(actual, 2);
        }
    }
    let scores = counts.values().map(|[actual, predicted, both]| 2.0 * both / (actual + predicted));
    scores.sum::<f64>() / counts.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macro_f1_is_that_of_scikit_learn() {
        let actual = ["a", "a", "a", "b", "b", "c"];
        let predicted = ["a", "a", "b", "b", "c", "a"];
        // f1_score(actual, predicted, average="macro")
        assert!((macro_f1(&actual, &predicted) - (2.0 / 3.0 + 0.5 + 0.0) / 3.0).abs() < 1e-12);
    }
}
