//! The model that a command runs: which one, on what, and how it is loaded.

use std::num::NonZero;

use anyhow::Context;
use clap::{Args, ValueEnum};
use specter_web::Error;
use specter_web::engine::Backend;
use specter_web::engine::cpu::{self, Cpu};
use specter_web::engine::gpu::{Gpu, GpuOptions};
use specter_web::engine::reference::Reference;
use specter_web::model::Pooling;
use specter_web::model::head::Function;
use specter_web::task::{LoadOptions, Specter, TOKEN_BUDGET};
use specter_web::text::Template;
use specter_web::weights::Format;
use specter_web_kernels::Native;

use crate::source::{Model, Parts, Preset, Remote};

/// What is said of a model on the command line.
#[derive(Args)]
pub(crate) struct ModelArguments {
    /// A model: a directory, an address, a hub id or a preset.
    #[arg(long)]
    model: String,
    /// What the model is asked for, where it knows several things: a task of the preset, whose adapter is then loaded, or
    /// of the model's own experts.
    #[arg(long, conflicts_with = "adapter")]
    task: Option<String>,
    /// An adapter: a directory, an address, a hub id, or one that the preset knows.
    #[arg(long)]
    adapter: Option<String>,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    pub(crate) remote: Remote,
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

/// The name under which an adapter of the command line is loaded; that of a task keeps the name by which the task knows it.
const ADAPTER: &str = "adapter";

/// What is done with a model, whichever device it is on.
pub(crate) trait Job {
    /// Does it with what was loaded.
    async fn run<B: Backend>(self, specter: Specter<B>, loaded: Loaded) -> anyhow::Result<()>;
}

/// What was asked for and is loaded beside the model: a task, or an adapter.
pub(crate) struct Loaded {
    /// The task that was named.
    pub(crate) task: Option<String>,
    /// The name of the adapter that was named.
    pub(crate) adapter: Option<String>,
    /// The name under which the adapter of either is loaded, whose head is one of the same name.
    pub(crate) head: Option<String>,
}

impl ModelArguments {
    /// Loads the model and does a job with it.
    pub(crate) fn run(self, job: impl Job) -> anyhow::Result<()> {
        let gpu = || pollster::block_on(Gpu::new(GpuOptions::native()));
        match self.device {
            Device::Gpu => pollster::block_on(self.run_on(gpu()?, TOKEN_BUDGET, job)),
            Device::Cpu => self.run_on_cpu(job),
            Device::Reference => pollster::block_on(self.run_on(Reference::new(), TOKEN_BUDGET, job)),
            Device::Auto => match gpu() {
                Ok(gpu) if gpu.device().software => {
                    eprintln!("{} is software; running on the CPU, which is faster", gpu.device().adapter);
                    self.run_on_cpu(job)
                }
                Ok(gpu) => pollster::block_on(self.run_on(gpu, TOKEN_BUDGET, job)),
                Err(error @ Error::WebGpuUnavailable { .. }) => {
                    eprintln!("no GPU ({error}); running on the CPU");
                    self.run_on_cpu(job)
                }
                Err(error) => Err(error.into()),
            },
        }
    }

    fn run_on_cpu(self, job: impl Job) -> anyhow::Result<()> {
        let available = std::thread::available_parallelism().map_or(1, NonZero::get);
        let native = Native::new(None, self.threads.map_or(available, |most| most.min(available)));
        let native = native.context("this processor has no instructions")?;
        pollster::block_on(self.run_on(Cpu::new(native), cpu::TOKEN_BUDGET, job))
    }

    async fn run_on<B: Backend>(self, backend: B, token_budget: usize, job: impl Job) -> anyhow::Result<()> {
        let model = Model::new(&self.model, &self.parts, &self.remote)?;
        let preset = model.preset.as_ref();
        let template = self.template.or(preset.and_then(|preset| preset.template.clone()));
        let pooling = self.pooling.or(preset.and_then(|preset| preset.pooling.clone()));
        let function = preset.and_then(|preset| preset.function.as_deref());
        // Known before anything large is read.
        let of_task = match (preset, &self.task) {
            (Some(preset), Some(task)) => preset.adapter_of(task)?,
            _ => None,
        };
        let options = LoadOptions {
            format: Format::from_name(&self.dtype)?,
            max_length: self.max_length,
            token_budget: self.token_budget.unwrap_or(token_budget),
            template: template.as_deref().map(Template::new).transpose()?,
            pooling: pooling.as_deref().map(Pooling::from_name).transpose()?,
            normalize: self.normalize.or(preset.and_then(|preset| preset.normalize)),
            function: function.map(Function::from_name).transpose()?,
            weights: model.weights.clone(),
            tasks: preset.map(Preset::tasks).transpose()?.unwrap_or_default(),
        };
        let mut specter = Specter::load(&model.folder, options, backend, |_, _| Ok(())).await?;
        let device = specter.backend().device();
        eprintln!("{} on {} ({})", specter.name(), device.adapter, device.backend);
        let adapter = self.adapter.as_deref().map(|adapter| (ADAPTER, adapter));
        let chosen = adapter.or(of_task.map(|adapter| (adapter, adapter)));
        if let Some((name, adapter)) = chosen {
            specter.load_adapter(name, &model.adapter(adapter, &self.remote)?, || Ok(())).await?;
        }
        // Whoever waits for a line to be typed should not be the first to know.
        if let Some(task) = &self.task {
            specter.way(Some(task), None)?;
        }
        let loaded = Loaded {
            adapter: adapter.map(|(name, _)| name.to_owned()),
            head: chosen.map(|(name, _)| name.to_owned()),
            task: self.task.clone(),
        };
        job.run(specter, loaded).await
    }
}
