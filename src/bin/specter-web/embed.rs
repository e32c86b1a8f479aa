//! `specter-web embed`: JSON lines in, JSON lines out, in order, while they come.

use std::io::{BufRead, Write};
use std::num::NonZero;
use std::sync::mpsc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use specter_web::Error;
use specter_web::engine::Backend;
use specter_web::engine::cpu::{self, Cpu};
use specter_web::engine::gpu::{Gpu, GpuOptions};
use specter_web::engine::reference::Reference;
use specter_web::model::Pooling;
use specter_web::task::embed::TOKEN_BUDGET;
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::{Document, Template};
use specter_web::weights::Format;
use specter_web_kernels::Native;

use crate::source::{Remote, Source};

/// How many lines are embedded at a time when they come faster than they can be.
const LINES: usize = 256;

#[derive(Args)]
pub(crate) struct Embed {
    /// A model: a directory, an address, a hub id or a preset.
    #[arg(long)]
    model: String,
    /// An adapter: a directory, an address, a hub id, or one that the preset knows.
    #[arg(long)]
    adapter: Option<String>,
    #[command(flatten)]
    remote: Remote,
    /// How a paper becomes a text, with {title}, {abstract} and {sep}; without it, what the preset says, or
    /// {title}{sep}{abstract}.
    #[arg(long)]
    template: Option<String>,
    /// q8, q4, f16 or f32.
    #[arg(long, default_value = "q8")]
    dtype: String,
    /// Where to run.
    #[arg(long, value_enum, default_value = "auto")]
    device: Device,
    /// cls or mean; without it, what the preset or the model's files say.
    #[arg(long)]
    pooling: Option<String>,
    /// Threads of the CPU, at most; without it, as many as it has.
    #[arg(long)]
    threads: Option<usize>,
    /// Scale vectors to length 1, or not; without it, what the preset or the model's files say.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    normalize: Option<bool>,
    /// Cut documents at this many tokens; without it, what the model's files say.
    #[arg(long)]
    max_length: Option<usize>,
    /// The most tokens that are computed at once; without it, what suits the device.
    #[arg(long)]
    token_budget: Option<usize>,
    /// Stop after this many layers, to find the one in which two devices differ.
    #[arg(long, hide = true)]
    layers: Option<usize>,
    /// Report lines that cannot be used and go on.
    #[arg(long)]
    skip_invalid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Device {
    /// The GPU, or the CPU where there is none or only software that pretends to be one.
    Auto,
    /// The GPU.
    Gpu,
    /// The CPU.
    Cpu,
    /// The CPU in plain loops: slow, and what all others are checked against.
    Reference,
}

/// One line of input. Unknown keys are allowed, so that records can be piped as they are.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    text: Option<String>,
    title: Option<String>,
    r#abstract: Option<String>,
}

/// One line of output.
#[derive(Serialize)]
struct Answer<'a> {
    id: Value,
    embedding: &'a [f32],
}

impl Line {
    fn parse(line: &[u8]) -> anyhow::Result<(Value, Document)> {
        let Self { id, text, title, r#abstract } = serde_json::from_slice(line)?;
        let document = match (text, &title, &r#abstract) {
            (Some(text), None, None) => Document::Text(text),
            (Some(_), _, _) => bail!("it has both a text and a title or abstract"),
            (None, _, _) => Document::paper(title, r#abstract)?,
        };
        Ok((id, document))
    }
}

impl Embed {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let gpu = || pollster::block_on(Gpu::new(GpuOptions::native()));
        match self.device {
            Device::Gpu => pollster::block_on(self.run_on(gpu()?, TOKEN_BUDGET)),
            Device::Cpu => self.run_on_cpu(),
            Device::Reference => pollster::block_on(self.run_on(Reference::new(), TOKEN_BUDGET)),
            Device::Auto => match gpu() {
                Ok(gpu) if gpu.device().software => {
                    eprintln!("{} is software; running on the CPU, which is faster", gpu.device().adapter);
                    self.run_on_cpu()
                }
                Ok(gpu) => pollster::block_on(self.run_on(gpu, TOKEN_BUDGET)),
                Err(error @ Error::WebGpuUnavailable { .. }) => {
                    eprintln!("no GPU ({error}); running on the CPU");
                    self.run_on_cpu()
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    fn run_on_cpu(self) -> anyhow::Result<()> {
        let available = std::thread::available_parallelism().map_or(1, NonZero::get);
        let native = Native::new(None, self.threads.map_or(available, |most| most.min(available)));
        let native = native.context("this processor has no instructions")?;
        pollster::block_on(self.run_on(Cpu::new(native), cpu::TOKEN_BUDGET))
    }

    async fn run_on<B: Backend>(self, backend: B, token_budget: usize) -> anyhow::Result<()> {
        let (source, preset) = Source::new(&self.model, &self.remote)?;
        let preset = preset.as_ref();
        let template = self.template.or(preset.and_then(|preset| preset.template.clone()));
        let pooling = self.pooling.or(preset.and_then(|preset| preset.pooling.clone()));
        let options = LoadOptions {
            format: Format::from_name(&self.dtype)?,
            max_length: self.max_length,
            token_budget: self.token_budget.unwrap_or(token_budget),
            template: template.as_deref().map(Template::new).transpose()?,
            pooling: pooling.as_deref().map(Pooling::from_name).transpose()?,
            normalize: self.normalize.or(preset.and_then(|preset| preset.normalize)),
        };
        let mut specter = Specter::load(&source, options, backend, |_, _| Ok(())).await?;
        let device = specter.backend().device();
        eprintln!("{} on {} ({})", specter.name(), device.adapter, device.backend);
        if let Some(adapter) = &self.adapter {
            let source = Source::adapter(adapter, &self.remote, &source, preset)?;
            specter.load_adapter("adapter", &source, || Ok(())).await?;
        }
        let options = EmbedOptions {
            adapter: self.adapter.as_ref().map(|_| "adapter".to_owned()),
            layers: self.layers,
            ..EmbedOptions::default()
        };

        let lines = read_lines();
        let mut out = std::io::stdout().lock();
        let mut number = 0;
        // Waits for one line and takes all that have come in the meantime: a full pipe is worked off in large batches,
        // and a person who types sees an answer after each line.
        while let Ok(first) = lines.recv() {
            let mut ids = Vec::new();
            let mut documents = Vec::new();
            let mut bad_line = None;
            for line in std::iter::once(first).chain(lines.try_iter()).take(LINES) {
                number += 1;
                let line = line.context("standard input cannot be read")?;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                match Line::parse(&line) {
                    Ok((id, document)) => {
                        ids.push(id);
                        documents.push(document);
                    }
                    Err(error) if self.skip_invalid => eprintln!("line {number} is skipped: {error}"),
                    Err(error) => {
                        bad_line = Some(error.context(format!("line {number} cannot be used")));
                        break;
                    }
                }
            }
            let vectors = specter.embed(&documents, &options, |_, _| Ok(())).await?;
            let [_, width] = vectors.dims;
            for (id, vector) in ids.into_iter().zip(vectors.data.chunks(width)) {
                serde_json::to_writer(&mut out, &Answer { id, embedding: vector })?;
                writeln!(out)?;
            }
            out.flush()?;
            if let Some(error) = bad_line {
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Lines of standard input, read on a thread of their own, no more than two rounds ahead.
fn read_lines() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(2 * LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().split(b'\n') {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
