//! How fast a forward pass is: token ids in, vectors out, one batch at a time.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use specter_web::engine::encoder::{Output, Readout, Skill};
use specter_web::engine::gpu::{Gpu, Tuned};
use specter_web::engine::loading::open_model;
use specter_web::engine::{Backend, Encoder};
use specter_web::folder::MemoryFolder;
use specter_web::model::Config;
use specter_web::model::network::{self, Extent};
use specter_web::text::Batch;
use specter_web::weights::Format;

use crate::Shape;
use crate::networks::Network;
use crate::random::Random;

/// Runs that are not timed: the first makes buffers, and a GPU takes a few to reach its clock.
const WARM_UPS: usize = 5;
const SOFTWARE_WARM_UPS: usize = 1;

/// A network on the device.
pub(crate) struct Forward<B: Backend> {
    pub(crate) network: Network,
    dtype: Format,
    encoder: Encoder<B>,
    output: Output,
}

/// How long a forward pass took.
#[derive(Clone, Serialize)]
pub(crate) struct Measured {
    pub(crate) model: &'static str,
    /// Of the weights.
    pub(crate) dtype: Format,
    /// Documents × tokens.
    pub(crate) shape: String,
    pub(crate) tokens: usize,
    pub(crate) rounds: usize,
    pub(crate) median_ms: f64,
    pub(crate) shortest_ms: f64,
    pub(crate) longest_ms: f64,
    pub(crate) tokens_per_second: f64,
    pub(crate) gflops: f64,
    /// Of the layers, each of which a batch reads once or more often.
    pub(crate) weight_bytes: usize,
    /// The kernels that the device was found to be fastest with.
    pub(crate) kernels: Tuned,
    /// Where the time of a forward pass goes, most of it first; nothing where the device has no clock to read.
    pub(crate) times: Vec<Time>,
}

/// What all runs of a kernel take in one forward pass, by the device's clock.
#[derive(Clone, Serialize)]
pub(crate) struct Time {
    pub(crate) kernel: &'static str,
    pub(crate) dispatches: usize,
    pub(crate) ms: f64,
}

impl<B: Backend> Forward<B> {
    pub(crate) async fn load(
        network: Network,
        folder: &MemoryFolder,
        dtype: Format,
        backend: B,
    ) -> Result<Self> {
        eprintln!("· loading {} in {}", network.name(), dtype.name());
        let config = Config::from_folder(folder).await?;
        let output = network.output();
        let backend = Encoder::prepare(backend, &config, dtype, output).await?;
        let (encoder, _) =
            Encoder::load(&open_model(folder, None).await?, config, dtype, backend, |_, _| Ok(())).await?;
        Ok(Self { network, dtype, encoder, output })
    }

    /// Documents of a shape, of tokens as they come.
    pub(crate) fn batch(&self, shape: Shape) -> Batch {
        Random(3).batch(&vec![shape.length; shape.documents], self.encoder.config.vocabulary_size)
    }

    /// Runs a batch, and says how many seconds it took.
    pub(crate) async fn run(&mut self, batch: &Batch) -> Result<f64> {
        let skill = Skill { adapter: None, experts: self.network.experts() };
        let start = Instant::now();
        let pending = self.encoder.encode(batch, skill, self.output, &Readout::Vectors)?;
        self.encoder.backend.receive(pending).await?;
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Forward<Gpu> {
    /// Runs batches of a shape, each when the one before it has come back.
    pub(crate) async fn measure(&mut self, shape: Shape, rounds: usize, software: bool) -> Result<Measured> {
        eprintln!("· running {}", shape.name());
        let batch = self.batch(shape);
        for _ in 0..if software { SOFTWARE_WARM_UPS } else { WARM_UPS } {
            self.run(&batch).await?;
        }
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            times.push(self.run(&batch).await?);
        }
        times.sort_by(f64::total_cmp);
        let median = median(&times);
        let config = &self.encoder.config;
        Ok(Measured {
            model: self.network.name(),
            dtype: self.dtype,
            shape: shape.name(),
            tokens: shape.tokens(),
            rounds,
            median_ms: median * 1e3,
            shortest_ms: times.first().copied().unwrap_or(f64::NAN) * 1e3,
            longest_ms: times.last().copied().unwrap_or(f64::NAN) * 1e3,
            tokens_per_second: shape.tokens() as f64 / median,
            gflops: operations(config, shape) / median / 1e9,
            weight_bytes: weight_bytes(config, self.dtype),
            kernels: self.encoder.backend.tuned(),
            times: self.times(&batch).await?,
        })
    }

    /// Runs a batch once more, by the device's clock.
    async fn times(&mut self, batch: &Batch) -> Result<Vec<Time>> {
        self.encoder.backend.measure_kernels(true);
        self.run(batch).await?;
        let times = self.encoder.backend.kernel_times().await?;
        self.encoder.backend.measure_kernels(false);
        let mut times: Vec<Time> = times
            .into_iter()
            .map(|(kernel, time)| Time { kernel, dispatches: time.dispatches, ms: time.seconds * 1e3 })
            .collect();
        times.sort_by(|left, right| right.ms.total_cmp(&left.ms));
        Ok(times)
    }
}

/// Of sorted times.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len().saturating_sub(1) / 2;
    let middle = sorted.iter().skip(middle).take(if sorted.len().is_multiple_of(2) { 2 } else { 1 });
    middle.clone().sum::<f64>() / middle.count() as f64
}

/// Floating-point operations of the whole forward pass, counted as `bench/models.mjs` does: the six matrices
/// of each layer, and attention's two products. Nobody is credited with less for leaving rows out, as the
/// last layer does.
fn operations(config: &Config, shape: Shape) -> f64 {
    let &Config { hidden_size: hidden, intermediate_size: intermediate, layers, .. } = config;
    let matrices = 2 * (4 * hidden * hidden + 2 * hidden * intermediate) * shape.tokens();
    let attention = 4 * hidden * shape.tokens() * shape.length;
    layers as f64 * (matrices + attention) as f64
}

/// Bytes of the layers' weights on the device. Of embedding tables, a batch reads a few rows only.
fn weight_bytes(config: &Config, dtype: Format) -> usize {
    let tensors = network::tensors(config, &Extent::default())
        .into_iter()
        .filter(|tensor| tensor.name.starts_with("encoder."));
    let bytes = tensors.map(|tensor| {
        let [rows, columns] = tensor.matrix_shape();
        tensor.format(dtype).bytes(rows, columns)
    });
    bytes.sum()
}
