//! `cargo xtask fidelity`: how close the vectors of each dtype come to those of float32, on papers of your own.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::command_line::{embed, specter_web};
use crate::model;
use crate::places::{repository, scratch};
use crate::steps::run_quietly;

const DTYPES: [&str; 4] = ["f32", "f16", "q8", "q4"];

/// How many neighbours are compared.
const NEIGHBOURS: usize = 10;

#[derive(Args)]
pub(crate) struct Options {
    /// Papers with a title and an abstract: a JSON array, or one object a line
    papers: PathBuf,
    /// How many of them are taken
    #[arg(long, default_value_t = 64)]
    count: usize,
    /// Where to run: gpu, cpu or reference
    #[arg(long, default_value = "gpu")]
    device: String,
    /// The model's folder; all-MiniLM-L6-v2 where none is given
    #[arg(long)]
    model: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    model::ensure()?;
    let papers = papers(options)?;
    let model = options.model.clone().unwrap_or_else(|| repository().join("models/all-MiniLM-L6-v2"));
    println!("| dtype | weights | mean cosine | worst cosine | {NEIGHBOURS} neighbours kept |");
    println!("|---|---|---|---|---|");
    let mut reference: Option<Vec<Vec<f64>>> = None;
    for dtype in DTYPES {
        let folder = scratch()?.join(format!("fidelity-{dtype}"));
        run_quietly(
            specter_web()?
                .arg("convert")
                .arg("--model")
                .arg(&model)
                .args(["--dtype", dtype, "--output"])
                .arg(&folder),
        )?;
        let size = fs::metadata(folder.join("model.safetensors"))?.len() as f64 / 1e6;
        let vectors = embed(&folder, dtype, &options.device, &papers)?;
        let expected = reference.get_or_insert_with(|| vectors.clone());
        let cosines: Vec<f64> =
            vectors.iter().zip(&*expected).map(|(left, right)| cosine(left, right)).collect();
        let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
        let worst = cosines.iter().copied().fold(1.0, f64::min);
        let kept = kept_neighbours(&vectors, expected);
        println!("| {dtype} | {size:.1} MB | {mean:.5} | {worst:.5} | {:.1} % |", kept * 100.0);
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// The first papers of the file that have both parts, one JSON object a line.
fn papers(options: &Options) -> Result<String> {
    let path = options.papers.display();
    let text = fs::read_to_string(&options.papers).with_context(|| format!("{path} cannot be read"))?;
    let list: Vec<Value> = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text)?
    } else {
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?
    };
    let part = |paper: &Value, key: &str| paper.get(key).and_then(Value::as_str).map(str::to_owned);
    let lines: Vec<String> = list
        .iter()
        .filter_map(|paper| Some((part(paper, "title")?, part(paper, "abstract")?)))
        .take(options.count)
        .map(|(title, r#abstract)| serde_json::json!({ "title": title, "abstract": r#abstract }).to_string())
        .collect();
    if lines.len() < options.count {
        bail!("{path} has {} papers with a title and an abstract, not {}", lines.len(), options.count);
    }
    Ok(lines.join("\n"))
}

fn cosine(left: &[f64], right: &[f64]) -> f64 {
    let dot = |left: &[f64], right: &[f64]| left.iter().zip(right).map(|(l, r)| l * r).sum::<f64>();
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// The share of each paper's nearest neighbours that are the same, on average.
fn kept_neighbours(vectors: &[Vec<f64>], expected: &[Vec<f64>]) -> f64 {
    let neighbours = |vectors: &[Vec<f64>], of: usize| -> HashSet<usize> {
        let Some(own) = vectors.get(of) else { return HashSet::new() };
        let others = vectors.iter().enumerate().filter(|&(index, _)| index != of);
        let mut others: Vec<(f64, usize)> =
            others.map(|(index, other)| (cosine(own, other), index)).collect();
        others.sort_by(|left, right| right.0.total_cmp(&left.0));
        others.into_iter().take(NEIGHBOURS).map(|(_, index)| index).collect()
    };
    let kept = (0..vectors.len())
        .map(|of| neighbours(vectors, of).intersection(&neighbours(expected, of)).count())
        .sum::<usize>();
    kept as f64 / (vectors.len() * NEIGHBOURS) as f64
}
