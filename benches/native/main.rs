//! How near the forward pass comes to what this device can do, on native wgpu: `cargo xtask bench --native`.
//!
//! Milliseconds of different GPUs cannot be compared; shares can. Each forward pass stands beside the fastest
//! of our own kernels on a large bare matmul, and beside the bandwidth of a large copy: a long batch is bound
//! by the first, a short one by the second. What is printed lies in the target folder's `bench/native.json`
//! as well.
//!
//! | file | question |
//! |---|---|
//! | `networks.rs` | what is run? |
//! | `matmul.rs` | how fast is a bare matmul, with each kernel? |
//! | `copy.rs` | how fast is memory? |
//! | `forward.rs` | how fast is a forward pass? |
//! | `twins.rs` | how much longer does another network of the same size take? |
//! | `report.rs` | what is printed and written? |

mod copy;
mod forward;
mod matmul;
mod networks;
#[path = "../../tests/kernels/random.rs"]
mod random;
mod report;
mod twins;

use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use serde::Serialize;
use specter_web::engine::gpu::{Gpu, GpuOptions};
use specter_web::engine::{Backend as _, DeviceInfo};
use specter_web::weights::Format;

use forward::Forward;
use networks::Network;
use report::Report;

#[derive(Parser)]
#[command(
    name = "native",
    about = "Measures the forward pass on this machine's GPU, against what the GPU can do"
)]
struct Options {
    /// The models to measure; all of them where none is named
    #[arg(long)]
    model: Vec<Network>,
    /// The formats of weights to measure: q8, q4, f32 where none is named
    #[arg(long, value_parser = Format::from_name)]
    dtype: Vec<Format>,
    /// Documents × tokens, as in 8x128; the usual ones where nothing is named
    #[arg(long)]
    shape: Vec<Shape>,
    /// How often each is measured; 20 times on a GPU and 3 times on a software adapter where nothing is said
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

/// A batch of documents of the same length.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
struct Shape {
    documents: usize,
    /// Of each document.
    length: usize,
}

impl Shape {
    /// A title, an abstract, a few abstracts, the longest document.
    const USUAL: [Self; 4] = [Self::of(1, 32), Self::of(1, 128), Self::of(8, 128), Self::of(1, 512)];
    /// What networks of the same size are compared at.
    const TWINS: [Self; 3] = [Self::of(1, 128), Self::of(8, 128), Self::of(1, 512)];
    /// Fills the largest GPU. A software adapter would take minutes.
    const LARGE: Self = Self::of(32, 512);

    const fn of(documents: usize, length: usize) -> Self {
        Self { documents, length }
    }

    fn tokens(self) -> usize {
        self.documents * self.length
    }

    fn name(self) -> String {
        format!("{}x{}", self.documents, self.length)
    }
}

impl FromStr for Shape {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let parsed = name.split_once('x').and_then(|(documents, length)| {
            let (documents, length) = (documents.parse().ok()?, length.parse().ok()?);
            // What every kernel can run: 512 positions, and a workgroup for each token.
            ((1..=65_535).contains(&documents) && (1..=512).contains(&length))
                .then(|| Self::of(documents, length))
        });
        match parsed {
            Some(shape) if shape.tokens() <= 65_535 => Ok(shape),
            _ => bail!("a shape is documents x tokens, as 8x128; up to 512 tokens each and 65,535 in all"),
        }
    }
}

/// What was named, or what is usual where nothing was.
fn chosen<T: Clone>(named: &[T], usual: &[T]) -> Vec<T> {
    if named.is_empty() { usual.to_vec() } else { named.to_vec() }
}

/// What this machine's adapter is.
async fn device() -> Result<DeviceInfo> {
    let gpu = Gpu::new(GpuOptions::native())
        .await
        .context("there is nothing to measure, not even a software adapter")?;
    Ok(gpu.device())
}

async fn run(options: &Options) -> Result<()> {
    let device = device().await?;
    let software = device.software;
    let models = chosen(&options.model, Network::value_variants());
    let dtypes = chosen(&options.dtype, &[Format::Q8, Format::Q4, Format::F32]);
    let usual: Vec<Shape> = Shape::USUAL.into_iter().chain((!software).then_some(Shape::LARGE)).collect();
    let shapes = chosen(&options.shape, &usual);
    let rounds = options.rounds.unwrap_or(if software { 3 } else { 20 });

    let copy = copy::measure(&device).await?;
    let mut report = Report::begin(device, copy);
    let (twins, models): (Vec<Network>, Vec<Network>) =
        models.into_iter().partition(|network| network.is_twin());
    if !models.is_empty() {
        let matmuls = matmul::measure_all(software).await?;
        report.take_matmuls(matmuls)?;
        report.begin_forward(rounds);
    }
    for network in &models {
        let folder = network.folder()?;
        for &dtype in &dtypes {
            let gpu = Gpu::new(GpuOptions::native()).await?;
            let mut forward = Forward::load(*network, &folder, dtype, gpu).await?;
            for &shape in &shapes {
                report.take_forward(forward.measure(shape, usize::from(rounds), software).await?);
            }
        }
    }
    if !models.is_empty() {
        report.show_times();
    }
    if !twins.is_empty() {
        Report::begin_twins(rounds);
        let shapes = chosen(&options.shape, &Shape::TWINS);
        twins::measure(&twins, &shapes, usize::from(rounds), |twin| report.take_twin(twin)).await?;
    }
    report.write()
}

fn main() -> ExitCode {
    match pollster::block_on(run(&Options::parse())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
