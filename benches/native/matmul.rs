//! How fast a bare matmul is, with each kernel: one large dense layer, again and again.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use specter_web::engine::gpu::{Gpu, GpuOptions, LinearKernel, Tuning};
use specter_web::engine::reference::Reference;
use specter_web::engine::{Backend, Outputs};
use specter_web::model::network::Embeddings;
use specter_web::model::{Activation, Dense, LayerNorm, Layout};
use specter_web::text::Batch;
use specter_web::weights::{Block, Format};

use crate::random::Random;

/// The second half of a feed-forward network of BERT-base.
const INPUTS: usize = 3072;
const OUTPUTS: usize = 768;
/// Enough rows to fill a GPU; on a CPU as few as tell.
const ROWS: usize = 4096;
const SOFTWARE_ROWS: usize = 256;

/// How many matmuls are timed at once: what comes before and after them is timed alone and taken off.
const REPEATS: usize = 16;
const SOFTWARE_REPEATS: usize = 2;
/// The shortest time counts, since others can only lengthen it.
const TRIES: usize = 5;
const SOFTWARE_TRIES: usize = 2;

/// Rows come out of an embedding, in documents of this length.
const DOCUMENT: usize = 32;
const VOCABULARY: usize = 128;

/// The largest difference to the reference, as a share of the largest answer, of a kernel that is right: int8
/// operands leave 1e-2, and a wrong kernel is off by about 1.
const TOLERANCE: f32 = 2e-2;

/// What a kernel did.
#[derive(Clone, Serialize)]
pub(crate) struct Matmul {
    pub(crate) kernel: LinearKernel,
    /// Of the weights.
    pub(crate) dtype: Format,
    pub(crate) rows: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) ms: f64,
    pub(crate) gflops: f64,
    /// To the CPU's answer, over the first and the last document's rows.
    pub(crate) largest_difference: f32,
    /// Of the CPU's answer.
    pub(crate) largest_answer: f32,
}

impl Matmul {
    pub(crate) fn is_right(&self) -> bool {
        self.largest_difference <= TOLERANCE * self.largest_answer
    }
}

/// All kernels that run here.
pub(crate) async fn measure_all(software: bool) -> Result<Vec<Matmul>> {
    let rows = if software { SOFTWARE_ROWS } else { ROWS };
    let batch = Random(1).batch(&vec![DOCUMENT; rows / DOCUMENT], VOCABULARY);
    let mut measured = Vec::new();
    for format in [Format::Q8, Format::Q4, Format::F32] {
        let expected = reference(format, &batch).await?;
        for kernel in LinearKernel::ALL {
            eprintln!("· multiplying by {} weights with {}", format.name(), kernel.name());
            measured.extend(measure(kernel, format, &batch, &expected, software).await?);
        }
    }
    Ok(measured)
}

/// What the first and the last document's rows should be. A row depends on nothing but its own document, and
/// the CPU would take long for all of them.
async fn reference(format: Format, batch: &Batch) -> Result<Vec<f32>> {
    let mut ends = Batch::new();
    for ids in [batch.ids.first_chunk::<DOCUMENT>(), batch.ids.last_chunk::<DOCUMENT>()].into_iter().flatten()
    {
        ends.push(ids);
    }
    let mut cpu = Reference::new();
    let layer = Layer::new(&mut cpu, format)?;
    layer.run(&mut cpu, &ends, 1, Answer::Whole).await
}

/// One kernel, or nothing where the device has not what it takes.
async fn measure(
    kernel: LinearKernel,
    dtype: Format,
    batch: &Batch,
    expected: &[f32],
    software: bool,
) -> Result<Option<Matmul>> {
    let mut gpu = Gpu::new(GpuOptions { tuning: Tuning::Pinned(kernel), ..GpuOptions::native() }).await?;
    let layer = Layer::new(&mut gpu, dtype)?;
    let answer = layer.run(&mut gpu, batch, 1, Answer::Whole).await?;
    // Where it cannot run, another one takes its place.
    let shader = format!("linear_{}", kernel.name().replace('-', "_"));
    if !gpu.kernels().iter().any(|ran| ran.name.starts_with(&shader)) {
        return Ok(None);
    }
    let document = DOCUMENT * OUTPUTS;
    let ends = answer.iter().take(document).chain(answer.iter().skip(answer.len().saturating_sub(document)));
    let largest_difference = ends.zip(expected).map(|(y, expected)| (y - expected).abs()).fold(0.0, f32::max);

    let (repeats, tries) = if software { (SOFTWARE_REPEATS, SOFTWARE_TRIES) } else { (REPEATS, TRIES) };
    let (once, again) = (
        layer.shortest(&mut gpu, batch, 1, tries).await?,
        layer.shortest(&mut gpu, batch, 1 + repeats, tries).await?,
    );
    let seconds = (again - once) / repeats as f64;
    let rows = batch.tokens();
    Ok(Some(Matmul {
        kernel,
        dtype,
        rows,
        inputs: INPUTS,
        outputs: OUTPUTS,
        ms: seconds * 1e3,
        gflops: 2.0 * (rows * INPUTS * OUTPUTS) as f64 / seconds / 1e9,
        largest_difference,
        largest_answer: expected.iter().copied().map(f32::abs).fold(0.0, f32::max),
    }))
}

/// What comes back of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// All rows.
    Whole,
    /// One row a document, which takes no time.
    FirstRows,
}

/// A dense layer, and what makes the rows that it multiplies; the same on every device.
struct Layer<B: Backend> {
    embeddings: Embeddings<B::Matrix, B::Vector>,
    dense: Dense<B::Matrix, B::Vector>,
}

impl<B: Backend> Layer<B> {
    fn new(backend: &mut B, format: Format) -> Result<Self> {
        let mut random = Random(2);
        let mut matrix = |[rows, columns]: [usize; 2], layout, format| {
            let mut matrix = backend.matrix(&[(rows, format)], columns, layout)?;
            let block = Block::F32(random.values(rows * columns, 0.0, 0.05)).into_format(format);
            backend.write_rows(&mut matrix, 0, block)?;
            anyhow::Ok(matrix)
        };
        let word = matrix([VOCABULARY, INPUTS], Layout::Table, Format::F32)?;
        let position = matrix([DOCUMENT, INPUTS], Layout::Positions, Format::F32)?;
        let weight = matrix([OUTPUTS, INPUTS], Layout::Linear, format)?;
        let norm = LayerNorm {
            weight: backend.vector(&[1.0; INPUTS])?,
            bias: backend.vector(&[0.0; INPUTS])?,
            epsilon: 1e-12,
        };
        let bias = backend.vector(&[0.0; OUTPUTS])?;
        Ok(Self {
            embeddings: Embeddings { word, position: Some(position), norm: Some(norm) },
            dense: Dense { weight, bias },
        })
    }

    /// Multiplies the same rows so many times.
    async fn run(&self, backend: &mut B, batch: &Batch, times: usize, answer: Answer) -> Result<Vec<f32>> {
        backend.begin(batch, 0)?;
        let input = backend.embedding(&self.embeddings);
        let mut multiply = || backend.linear(&input, &self.dense, Outputs::All, Activation::Identity, None);
        let mut out = multiply();
        for _ in 1..times {
            out = multiply();
        }
        if answer == Answer::FirstRows {
            out = backend.first_rows(&out);
        }
        let pending = backend.send(&out)?;
        Ok(backend.receive(pending).await?)
    }

    /// Seconds that so many matmuls take, with what comes before and after them.
    async fn shortest(&self, backend: &mut B, batch: &Batch, times: usize, tries: usize) -> Result<f64> {
        let mut shortest = f64::INFINITY;
        for _ in 0..tries {
            let start = Instant::now();
            self.run(backend, batch, times, Answer::FirstRows).await?;
            shortest = shortest.min(start.elapsed().as_secs_f64());
        }
        Ok(shortest)
    }
}
