//! Results as Markdown while they come, and as JSON at the end.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};
use serde::Serialize;
use specter_web::engine::DeviceInfo;

use crate::copy::Copy;
use crate::forward::{Measured, Time};
use crate::matmul::Matmul;
use crate::twins::Twin;

/// All that is known.
#[derive(Serialize)]
pub(crate) struct Report {
    device: DeviceInfo,
    copy: Copy,
    matmuls: Vec<Matmul>,
    /// GFLOP/s of the fastest of them whose answer is right.
    best_matmul_gflops: f64,
    forward: Vec<Row>,
    twins: Vec<Twin>,
}

/// A forward pass, and how much of the device it used.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    measured: Measured,
    share_of_best_matmul: f64,
    share_of_bandwidth: f64,
}

impl Report {
    pub(crate) fn begin(device: DeviceInfo, copy: Copy) -> Self {
        let DeviceInfo { adapter, backend, software, features, .. } = &device;
        let features = if features.is_empty() { "nothing optional".to_owned() } else { features.join(", ") };
        println!("## {adapter}\n");
        println!("Through {backend}, with {features}.");
        if *software {
            println!(
                "**This is a software adapter**: the numbers are those of a CPU that plays a GPU, and say \
                 nothing about any GPU."
            );
        }
        println!(
            "Copying {} MiB moves {:.1} GB/s, what is read and what is written.",
            copy.bytes >> 20,
            copy.bytes_per_second / 1e9,
        );
        Self {
            device,
            copy,
            matmuls: Vec::new(),
            best_matmul_gflops: 0.0,
            forward: Vec::new(),
            twins: Vec::new(),
        }
    }

    /// Prints the bare matmuls, and notes the fastest.
    pub(crate) fn take_matmuls(&mut self, matmuls: Vec<Matmul>) -> Result<()> {
        let right = matmuls.iter().filter(|matmul| matmul.is_right());
        let best = right.max_by(|left, right| left.gflops.total_cmp(&right.gflops));
        let best = best.context("no kernel multiplies correctly on this device")?.clone();
        println!("\n### Bare matmul: {} rows × K = {} × N = {}\n", best.rows, best.inputs, best.outputs);
        println!("| kernel | weights | ms | GFLOP/s | largest difference to the CPU |");
        println!("|---|---|--:|--:|--:|");
        for matmul in &matmuls {
            println!(
                "| {} | {} | {} | {} | {:.1e} of {:.1}{} |",
                matmul.kernel.name(),
                matmul.dtype.name(),
                short(matmul.ms),
                short(matmul.gflops),
                matmul.largest_difference,
                matmul.largest_answer,
                if matmul.is_right() { "" } else { ": wrong" },
            );
        }
        let name = |matmul: &Matmul| format!("{} on {}", matmul.kernel.name(), matmul.dtype.name());
        println!("\nThe best is {}, at {} GFLOP/s.", name(&best), short(best.gflops));
        self.best_matmul_gflops = best.gflops;
        self.matmuls = matmuls;
        Ok(())
    }

    /// Prints what the rows to come mean.
    pub(crate) fn begin_forward(&self, rounds: u16) {
        println!("\n### Forward pass: median of {rounds}, from token ids to vectors\n");
        println!(
            "Shapes are documents × tokens. “Of best matmul” is GFLOP/s over {}; “of bandwidth” is the \
             layers' weights, read once, over the time and over {:.1} GB/s.\n",
            short(self.best_matmul_gflops),
            self.copy.bytes_per_second / 1e9,
        );
        println!(
            "| model | weights | shape | ms | min … max | tokens/s | GFLOP/s | of best matmul | of bandwidth |"
        );
        println!("|---|---|---|--:|--:|--:|--:|--:|--:|");
    }

    /// Prints a row.
    pub(crate) fn take_forward(&mut self, measured: Measured) {
        let share_of_best_matmul = measured.gflops / self.best_matmul_gflops;
        let weights_per_second = measured.weight_bytes as f64 / (measured.median_ms / 1e3);
        let share_of_bandwidth = weights_per_second / self.copy.bytes_per_second;
        println!(
            "| {} | {} | {} | {} | {} … {} | {:.0} | {} | {:.1} % | {:.1} % |",
            measured.model,
            measured.dtype.name(),
            measured.shape,
            short(measured.median_ms),
            short(measured.shortest_ms),
            short(measured.longest_ms),
            measured.tokens_per_second,
            short(measured.gflops),
            share_of_best_matmul * 100.0,
            share_of_bandwidth * 100.0,
        );
        self.forward.push(Row { measured, share_of_best_matmul, share_of_bandwidth });
    }

    /// Prints where the time of the forward passes went.
    pub(crate) fn show_times(&self) {
        let rows = self.forward.iter().map(|row| &row.measured).filter(|measured| !measured.times.is_empty());
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            println!("\nThis device has no clock that says where the time of a forward pass goes.");
            return;
        }
        println!("\n### Where the time goes, by the device's clock\n");
        println!("A pass for each dispatch, whose times are added; what lies between them is not seen.\n");
        println!("| model | weights | shape | ms in kernels | of them |");
        println!("|---|---|---|--:|---|");
        for Measured { model, dtype, shape, times, .. } in rows {
            let all: f64 = times.iter().map(|time| time.ms).sum();
            let share =
                |time: &Time| format!("{} × {} {:.1} %", time.dispatches, time.kernel, 100.0 * time.ms / all);
            let shares = times.iter().map(share).collect::<Vec<_>>().join(", ");
            println!("| {model} | {} | {shape} | {} | {shares} |", dtype.name(), short(all));
        }
    }

    /// Prints what the rows to come mean.
    pub(crate) fn begin_twins(rounds: u16) {
        println!("\n### Beside a BERT of the same size: shortest of {rounds} in turns, q8\n");
        println!("| device | model | shape | ms | BERT, ms | × BERT |");
        println!("|---|---|---|--:|--:|--:|");
    }

    /// Prints a row.
    pub(crate) fn take_twin(&mut self, twin: Twin) {
        println!(
            "| {} | {} | {} | {} | {} | {:.2} |",
            twin.device,
            twin.model,
            twin.shape,
            short(twin.shortest_ms),
            short(twin.bert_ms),
            twin.times_bert,
        );
        self.twins.push(twin);
    }

    /// Writes everything down.
    pub(crate) fn write(&self) -> Result<()> {
        let file = target()?.join("bench/native.json");
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let json = serde_json::to_string_pretty(self)?;
        fs::write(&file, json + "\n").with_context(|| format!("{} cannot be written", file.display()))?;
        eprintln!("\nwritten to {}", file.display());
        Ok(())
    }
}

/// Cargo's target folder: the one that this program was built into.
fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("this program's own place is unknown")?;
    // <target>/<profile>/deps/native-<hash>
    program.ancestors().nth(3).map(Path::to_path_buf).context("this program does not lie in a target folder")
}

/// A number with three digits that matter.
fn short(value: f64) -> String {
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}
