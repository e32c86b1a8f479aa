//! One kernel at a time.

use std::any::Any;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use specter_web::engine::cpu::Cpu;
use specter_web::engine::gpu::{Features, Gpu, GpuOptions, LinearKernel, Tuned, TunedAttention, Tuning};
use specter_web::engine::reference::Reference;
use specter_web::engine::{
    AttentionColumns, AttentionShape, Backend, MatrixShape, Outline, Outputs, PositionWeights,
};
use specter_web::model::adapter::{Bottleneck, BottleneckWeights, Gate};
use specter_web::model::deberta::RelativeAttention;
use specter_web::model::network::Embeddings;
use specter_web::model::{Activation, Dense, LayerNorm, Layout, Pooling};
use specter_web::weights::{Block, Format};
use specter_web_kernels::Native;

use crate::random::Random;

const VOCABULARY: usize = 50;
/// The longest document.
const POSITIONS: usize = 512;
const EPSILON: f32 = f32::EPSILON;

/// What a kernel is tried on.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    lengths: Vec<usize>,
    hidden: usize,
    format: Format,
    /// Of the lower half of weights.
    other_format: Format,
}

fn cases() -> impl Strategy<Value = Case> + Clone {
    let lengths = prop_oneof![
        Just(vec![1]),
        Just(vec![512]),
        prop::collection::vec(1_usize..6, 1..40),
        prop::collection::vec(1_usize..80, 1..4),
    ];
    let hidden = prop::sample::select(vec![32_usize, 64, 96, 224, 384]);
    let format = || prop::sample::select(Format::ALL.to_vec());
    (any::<u64>(), lengths, hidden, format(), format()).prop_map(
        |(seed, lengths, hidden, format, other_format)| Case { seed, lengths, hidden, format, other_format },
    )
}

/// Weights and activations on one device.
struct Bench<'a, B> {
    backend: &'a mut B,
    random: Random,
    case: &'a Case,
    /// Weights must outlive the run of what was recorded with them.
    kept: Vec<Rc<dyn Any>>,
}

impl<'a, B: Backend + 'static> Bench<'a, B> {
    fn new(backend: &'a mut B, case: &'a Case) -> Self {
        Self { backend, random: Random(case.seed), case, kept: Vec::new() }
    }

    fn keep<T: 'static>(&mut self, weights: T) -> Rc<T> {
        let weights = Rc::new(weights);
        self.kept.push(Rc::clone(&weights) as Rc<dyn Any>);
        weights
    }

    fn matrix(&mut self, rows: usize, columns: usize, layout: Layout, format: Format) -> B::Matrix {
        let half = (rows / 2).next_multiple_of(8).min(rows);
        // A weight of several formats, and any other in two pieces, as a file is read.
        let formats = if layout == Layout::Linear { [format, self.case.other_format] } else { [format; 2] };
        let parts = [(half, formats[0]), (rows - half, formats[1])];
        let values = self.random.values(rows * columns, 0.0, 1.0);
        let whole = [(rows, format)];
        let given: &[(usize, Format)] = if layout == Layout::Linear { &parts } else { &whole };
        let mut matrix = self.backend.matrix(given, columns, layout).expect("it fits");
        // The lower one first, as a file may have it.
        for (first, format, part) in
            [(half, formats[1], &values[half * columns..]), (0, formats[0], &values[..half * columns])]
        {
            if !part.is_empty() {
                let block = Block::F32(part.to_vec()).into_format(format);
                self.backend.write_rows(&mut matrix, first, block).expect("it fits");
            }
        }
        matrix
    }

    fn vector(&mut self, length: usize, center: f32) -> B::Vector {
        let values = self.random.values(length, center, 0.5);
        self.backend.vector(&values).expect("it fits")
    }

    fn norm(&mut self) -> Rc<LayerNorm<B::Vector>> {
        let norm = self.new_norm();
        self.keep(norm)
    }

    fn new_norm(&mut self) -> LayerNorm<B::Vector> {
        let hidden = self.case.hidden;
        LayerNorm { weight: self.vector(hidden, 1.0), bias: self.vector(hidden, 0.0), epsilon: 1e-5 }
    }

    fn dense(&mut self, outputs: usize, inputs: usize) -> Rc<Dense<B::Matrix, B::Vector>> {
        let weight = self.matrix(outputs, inputs, Layout::Linear, self.case.format);
        let dense = Dense { weight, bias: self.vector(outputs, 0.0) };
        self.keep(dense)
    }

    /// A dense layer of the case's width for rows of documents.
    fn head(&mut self, weights: Vec<f32>, bias: &[f32]) -> Rc<Dense<B::Matrix, B::Vector>> {
        let (outputs, inputs) = (bias.len(), self.case.hidden);
        let matrix = self.backend.matrix(&[(outputs, Format::F32)], inputs, Layout::Head);
        let mut weight = matrix.expect("it fits");
        self.backend.write_rows(&mut weight, 0, Block::F32(weights)).expect("it fits");
        let bias = self.backend.vector(bias).expect("it fits");
        self.keep(Dense { weight, bias })
    }

    /// Starts a batch and makes two different activations, by way of the embedding.
    fn begin(&mut self) -> (B::Rows, B::Rows) {
        let hidden = self.case.hidden;
        let format = self.case.format;
        let mut embeddings = || Embeddings {
            word: self.matrix(VOCABULARY, hidden, Layout::Table, format),
            position: Some(self.matrix(POSITIONS, hidden, Layout::Positions, Format::F32)),
            norm: Some(self.new_norm()),
        };
        let (one, other) = (embeddings(), embeddings());
        let (one, other) = (self.keep(one), self.keep(other));
        self.begin_batch();
        (self.backend.embedding(&one), self.backend.embedding(&other))
    }

    fn begin_batch(&mut self) {
        let batch = self.random.batch(&self.case.lengths, VOCABULARY);
        self.backend.begin(&batch, 0).expect("it fits");
    }
}

/// Some steps that end in rows, the same on every device.
trait Operation: Clone + std::fmt::Debug {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows;

    /// The largest difference that rounding explains, given the largest expected value (at least 1).
    fn tolerance(&self, case: &Case, size: f32) -> f32;
}

/// A device whose activations can be filled with NaN, so that a kernel that leaves something out cannot pass.
trait Device: Backend + 'static {
    fn poison_activations(&mut self);
}

impl Device for Gpu {
    fn poison_activations(&mut self) {
        Gpu::poison_activations(self);
    }
}

impl Device for Cpu<Native> {
    fn poison_activations(&mut self) {
        Cpu::poison_activations(self);
    }
}

/// Compares every device with the reference on generated cases: the GPU with all that it has, and with what every one
/// has; the CPU with each of its instructions, on formats whose inputs it does not round.
fn check<O: Operation>(operations: impl Strategy<Value = O> + Clone) {
    check_on(gpu(GpuOptions::native()), cases(), operations.clone());
    check_on(
        gpu(GpuOptions { allowed: Features::default(), ..GpuOptions::native() }),
        cases(),
        operations.clone(),
    );
    let exact = |format: Format| if format.has_groups() { Format::F32 } else { format };
    let cases = cases().prop_map(move |case| Case {
        format: exact(case.format),
        other_format: exact(case.other_format),
        ..case
    });
    for instructions in Native::instructions() {
        check_on(cpu(instructions), cases.clone(), operations.clone());
    }
}

fn gpu(options: GpuOptions) -> Gpu {
    pollster::block_on(Gpu::new(options)).expect("there is a GPU to test on")
}

/// With more threads than there is work for in a small case.
fn cpu(instructions: &str) -> Cpu<Native> {
    Cpu::new(Native::new(Some(instructions), 3).expect("it was found"))
}

fn check_on<D: Device, O: Operation>(
    device: D,
    cases: impl Strategy<Value = Case>,
    operations: impl Strategy<Value = O>,
) {
    fn vectors<B: Backend + 'static>(backend: &mut B, case: &Case, operation: &impl Operation) -> Vec<f32> {
        let mut bench = Bench::new(backend, case);
        let rows = operation.run(&mut bench);
        let pending = bench.backend.send(&rows).expect("it fits");
        pollster::block_on(bench.backend.receive(pending)).expect("the kernels run")
    }

    let device = std::cell::RefCell::new(device);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, random).run(&(cases, operations), |(case, operation)| {
        let expected = vectors(&mut Reference::new(), &case, &operation);
        let mut device = device.borrow_mut();
        // The first run makes room; the second one finds it poisoned.
        vectors(&mut *device, &case, &operation);
        device.poison_activations();
        let found = vectors(&mut *device, &case, &operation);

        prop_assert_eq!(found.len(), expected.len());
        let size = expected.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
        let tolerance = operation.tolerance(&case, size);
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let difference = (found - expected).abs();
            prop_assert!(difference <= tolerance, "value {index} is {found}, not {expected} ± {tolerance}");
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("on {}: {error}", device.borrow().device().adapter);
    }
}

/// A sum of `terms` products rounds to within this of a sum in another order, where each is of about the size of
/// 1: rounding errors add up like a random walk, and 16 standard deviations are never seen.
fn sum_tolerance(terms: usize) -> f32 {
    16.0 * EPSILON * (terms as f32).sqrt()
}

#[derive(Clone, Debug)]
struct Embedding;

impl Operation for Embedding {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        bench.begin().0
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        size * sum_tolerance(case.hidden)
    }
}

#[test]
fn embedding_looks_up_adds_and_normalizes() {
    check(Just(Embedding));
}

#[derive(Clone, Debug)]
struct Linear {
    outputs: usize,
    range: Option<(usize, usize)>,
    activation: Activation,
    residual: bool,
}

impl Operation for Linear {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, other) = bench.begin();
        let dense = bench.dense(self.outputs, bench.case.hidden);
        let outputs = self.range.map_or(Outputs::All, |(first, end)| Outputs::Range(first, end));
        let range = outputs.range(self.outputs);
        let residual = if self.residual {
            let dense = bench.dense(range.len(), bench.case.hidden);
            Some(bench.backend.linear(&other, &dense, Outputs::All, Activation::Identity, None))
        } else {
            None
        };
        bench.backend.linear(&input, &dense, outputs, self.activation, residual.as_ref())
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        // Inputs reach about 3, weights 1. The shader's erf is good to 1.5e-7, times x; squaring doubles what is relative.
        3.0 * sum_tolerance(case.hidden)
            * 2.0
            * if self.activation == Activation::SquaredRelu { size } else { 1.0 }
            + 4e-7 * size
    }
}

fn linears() -> impl Strategy<Value = Linear> + Clone {
    let shape = (1_usize..8, any::<bool>(), 0_usize..7, 0_usize..7).prop_map(|(blocks, part, first, end)| {
        let first = first % blocks;
        let end = first + 1 + end % (blocks - first);
        (blocks * 32, part.then_some((first * 32, end * 32)))
    });
    (shape, prop::sample::select(Activation::ALL.to_vec()), any::<bool>())
        .prop_map(|((outputs, range), activation, residual)| Linear { outputs, range, activation, residual })
}

#[test]
fn linear_multiplies_adds_and_activates() {
    check(linears());
}

/// A dense layer whose operands a kernel rounds.
#[derive(Clone, Debug)]
struct RoundedLinear {
    linear: Linear,
    /// The standard deviation of what is lost of a factor of about 1.
    rounding: f32,
}

impl Operation for RoundedLinear {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        self.linear.run(bench)
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        // Six standard deviations of a sum of products; squaring doubles what is relative.
        let squared = if self.linear.activation == Activation::SquaredRelu { 2.0 * size } else { 1.0 };
        6.0 * self.rounding * (case.hidden as f32).sqrt() * squared + self.linear.tolerance(case, size)
    }
}

/// A dense layer whose operands are integers, where weights are quantized.
#[derive(Clone, Debug)]
struct IntegerLinear {
    linear: Linear,
    /// The largest that an input can be.
    largest: f32,
}

impl Operation for IntegerLinear {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        self.linear.run(bench)
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        let formats = [case.format, case.other_format];
        // A group's largest input is about 3; half of an integer at most, uniformly.
        let inputs = 3.0 / self.largest * 0.29;
        let inputs = if formats.iter().any(|format| format.has_groups()) { inputs } else { 0.0 };
        // Half of a 127th of the largest of 16 levels at most, uniformly, of a weight.
        let weights = if formats.contains(&Format::Q4) { 3.0 / 127.0 * 0.29 } else { 0.0 };
        RoundedLinear { linear: self.linear.clone(), rounding: inputs + weights }.tolerance(case, size)
    }
}

fn check_exact(kernel: LinearKernel) {
    check_kernel(kernel, linears());
}

fn check_kernel<O: Operation>(kernel: LinearKernel, linears: impl Strategy<Value = O>) {
    let options = GpuOptions { tuning: Tuning::Pinned(kernel), ..GpuOptions::native() };
    let prepared = || {
        let mut gpu = gpu(options.clone());
        pollster::block_on(gpu.prepare(&outline(&[]))).expect("there is nothing to measure");
        gpu
    };
    check_on(prepared(), cases(), linears);
    // It is that kernel that was checked, and no other in its place; and layers of a network share a pipeline.
    let mut gpu = prepared();
    let case = Case { seed: 1, lengths: vec![3], hidden: 64, format: Format::Q8, other_format: Format::Q4 };
    for (activation, residual) in [(Activation::Identity, true), (Activation::Gelu, false)] {
        let linear = Linear { outputs: 64, range: None, activation, residual };
        let mut bench = Bench::new(&mut gpu, &case);
        let rows = linear.run(&mut bench);
        let pending = bench.backend.send(&rows).expect("it fits");
        pollster::block_on(bench.backend.receive(pending)).expect("the kernels run");
    }
    let ran: Vec<String> = gpu.kernels().into_iter().map(|kernel| kernel.name).collect();
    for format in ["q8", "q4"] {
        let name = format!("linear_{}_{format}", kernel.name().replace('-', "_"));
        assert_eq!(ran.iter().filter(|kernel| **kernel == name).count(), 1, "of {ran:?}");
    }
}

#[test]
fn linear_in_registers_is_that_of_the_reference() {
    check_exact(LinearKernel::Registers);
}

#[test]
fn linear_of_split_inputs_is_that_of_the_reference() {
    check_exact(LinearKernel::Split);
}

#[test]
fn linear_by_quads_is_that_of_the_reference() {
    check_exact(LinearKernel::Quads);
}

#[test]
fn linear_in_small_tiles_is_that_of_the_reference() {
    check_exact(LinearKernel::SmallTiles);
}

#[test]
fn linear_in_tiles_is_that_of_the_reference() {
    check_exact(LinearKernel::Tiles);
}

#[test]
fn linear_in_tiles_of_f16_loses_what_f16_does() {
    // Half of 2⁻¹⁰ at most, uniformly, of either factor.
    let rounding = 2.0 * 2.8e-4;
    check_kernel(
        LinearKernel::HalfTiles,
        linears().prop_map(move |linear| RoundedLinear { linear, rounding }),
    );
}

#[test]
fn linear_of_int8_loses_what_int8_does() {
    check_kernel(LinearKernel::Dot, linears().prop_map(|linear| IntegerLinear { linear, largest: 127.0 }));
}

#[test]
fn linear_on_a_cpu_loses_what_its_rounding_does() {
    for instructions in Native::instructions() {
        let native = Native::new(Some(instructions), 3).expect("it was found");
        let largest = native.arithmetic().largest();
        let operations = linears().prop_map(move |linear| IntegerLinear { linear, largest });
        check_on(Cpu::new(native), cases(), operations);
    }
}

/// A network of such matrices.
fn outline(matrices: &[MatrixShape]) -> Outline {
    let attention = Some(AttentionShape { heads: 3, head_size: 32 });
    Outline { matrices: matrices.to_vec(), activation: Activation::Gelu, attention }
}

#[test]
fn a_kernel_is_chosen_by_measuring_and_known_the_next_time() {
    let shapes = [MatrixShape { outputs: 96, inputs: 64, format: Format::Q8 }];
    let mut gpu = pollster::block_on(Gpu::new(GpuOptions::native())).expect("there is a GPU to test on");
    pollster::block_on(gpu.prepare(&outline(&shapes))).expect("some kernel is right");
    let tuned = gpu.tuned();
    assert_eq!(tuned.linear.len(), 1);
    let measured = gpu.kernels().len();
    assert!(measured >= 3, "only {measured} kernels were tried");

    // A CPU's choice of attention is by rule.
    assert!(tuned.attention.is_empty());
    is_followed(GpuOptions::native(), &shapes, &tuned);
}

/// What a device finds that is taken for a GPU, and the kernels that it tried.
fn found_by_a_gpu(allowed: Features) -> (Tuned, Vec<String>) {
    let shapes = [MatrixShape { outputs: 96, inputs: 64, format: Format::Q8 }];
    let options = GpuOptions { software: Some(false), allowed, ..GpuOptions::native() };
    // Slowly, so that there is time for all of them.
    let clock = Rc::clone(&options.clock);
    let options = GpuOptions { clock: Rc::new(move || clock() / 20.0), ..options };
    let mut gpu = gpu(options.clone());
    pollster::block_on(gpu.prepare(&outline(&shapes))).expect("some kernel is right");
    let tuned = gpu.tuned();
    assert_eq!(tuned.linear.len(), 1);
    is_followed(options, &shapes, &tuned);
    (tuned, gpu.kernels().into_iter().map(|kernel| kernel.name).collect())
}

#[test]
fn a_gpu_tries_kernels_for_few_several_and_many_rows() {
    // Quads would leave no choice, since they read weights in another order.
    let (tuned, tried) = found_by_a_gpu(Features { subgroups: false, ..Features::ALL });
    assert!(tuned.attention.is_empty(), "{tuned:?}");
    let linear = ["registers", "split", "small_tiles", "tiles", "half_tiles", "dot"];
    for kernel in linear.map(|kernel| format!("linear_{kernel}_q8")) {
        assert!(tried.contains(&kernel), "{kernel} is not of {tried:?}");
    }
}

#[test]
fn a_gpu_tries_both_kernels_of_attention() {
    let (tuned, tried) = found_by_a_gpu(Features::ALL);
    assert!(matches!(tuned.attention[..], [TunedAttention { head_size: 32, .. }]), "{tuned:?}");
    for kernel in ["attention", "attention_quads_32"] {
        assert!(tried.iter().any(|tried| tried == kernel), "{kernel} is not of {tried:?}");
    }
}

/// What was found is followed, and nothing measured.
fn is_followed(options: GpuOptions, shapes: &[MatrixShape], tuned: &Tuned) {
    let mut gpu = gpu(GpuOptions { tuning: Tuning::Known(tuned.clone()), ..options });
    pollster::block_on(gpu.prepare(&outline(shapes))).expect("nothing is measured");
    assert_eq!(gpu.tuned(), *tuned);
    assert!(gpu.kernels().is_empty());
}

/// Weights of zero leave nothing but the function of the bias, without the rounding of a sum to hide in.
#[derive(Clone, Debug)]
struct ActivationAlone {
    activation: Activation,
    reach: f32,
}

impl Operation for ActivationAlone {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, _) = bench.begin();
        let (outputs, inputs) = (512, bench.case.hidden);
        let mut weight =
            bench.backend.matrix(&[(outputs, Format::F32)], inputs, Layout::Linear).expect("it fits");
        let zeros = Block::F32(vec![0.0; outputs * inputs]);
        bench.backend.write_rows(&mut weight, 0, zeros).expect("it fits");
        let bias = bench.random.values(outputs, 0.0, self.reach);
        let bias = bench.backend.vector(&bias).expect("it fits");
        let dense = bench.keep(Dense { weight, bias });
        bench.backend.linear(&input, &dense, Outputs::All, self.activation, None)
    }

    fn tolerance(&self, _: &Case, size: f32) -> f32 {
        // The shader's erf is good to 1.5e-7, times half of x and once more for rounding.
        4e-7 * size
    }
}

#[test]
fn each_activation_is_that_of_the_reference() {
    let reaches = prop::sample::select(vec![0.1_f32, 1.0, 4.0, 30.0]);
    check(
        (prop::sample::select(Activation::ALL.to_vec()), reaches)
            .prop_map(|(activation, reach)| ActivationAlone { activation, reach }),
    );
}

#[derive(Clone, Debug)]
struct Attention {
    head_size: usize,
    heads: usize,
    queries_are_documents: bool,
    /// How relative positions are seen: their span, and whether longer distances share rows.
    positions: Option<(usize, bool)>,
}

impl Attention {
    fn positions<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> Option<Rc<B::Positions>> {
        let (span, shares) = self.positions?;
        let hidden = self.head_size * self.heads;
        let relative = RelativeAttention {
            span,
            buckets: shares.then_some(span),
            longest: if shares { POSITIONS } else { span },
            content_to_position: true,
            position_to_content: true,
            shared: true,
            normalized: false,
        };
        let mut values = || bench.random.values(2 * span * hidden, 0.0, 1.0);
        let weights = PositionWeights {
            hidden,
            head_size: self.head_size,
            rows: relative.rows(POSITIONS),
            keys: values(),
            queries: values(),
            scale: (self.head_size as f32 * 3.0).sqrt().recip(),
        };
        let positions = bench.backend.positions(&weights).expect("it fits");
        Some(bench.keep(positions))
    }
}

impl Operation for Attention {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, _) = bench.begin();
        let width = self.head_size * self.heads;
        let positions = self.positions(bench);
        let dense = bench.dense((3 * width).next_multiple_of(32), bench.case.hidden);
        let all = bench.backend.linear(&input, &dense, Outputs::All, Activation::Tanh, None);
        let columns = AttentionColumns { query: 0, key: width, value: 2 * width };
        let queries = if self.queries_are_documents { bench.backend.first_rows(&all) } else { all.clone() };
        bench.backend.attention(&queries, &all, columns, self.heads, self.head_size, positions.as_deref())
    }

    fn tolerance(&self, case: &Case, _: f32) -> f32 {
        // The operands' own error passes through, scores of up to √head_size round, and exponentials of them more so.
        let score = (self.head_size as f32).sqrt() * 3.0 * sum_tolerance(case.hidden);
        let terms = if self.positions.is_some() { 3.0 } else { 1.0 };
        terms * (score + 2.0 * sum_tolerance(512))
    }
}

#[test]
fn attention_stays_within_each_document() {
    let heads =
        prop::sample::select(vec![(4, 3), (8, 4), (12, 2), (16, 5), (32, 3), (48, 2), (64, 2), (128, 1)]);
    check((heads, any::<bool>()).prop_map(|((head_size, heads), queries_are_documents)| Attention {
        head_size,
        heads,
        queries_are_documents,
        positions: None,
    }));
}

#[test]
fn attention_sees_how_far_tokens_are_apart() {
    let heads = prop::sample::select(vec![(4, 3), (8, 4), (12, 2), (32, 3), (64, 2), (128, 1)]);
    let spans =
        prop::sample::select(vec![(2, false), (5, false), (8, true), (32, true), (512, true), (512, false)]);
    check((heads, any::<bool>(), spans).prop_map(|((head_size, heads), queries_are_documents, span)| {
        Attention { head_size, heads, queries_are_documents, positions: Some(span) }
    }));
}

#[derive(Clone, Debug)]
struct Neighbours(usize);

impl Operation for Neighbours {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, _) = bench.begin();
        // As wide as a network's widest rows.
        bench.dense(32, self.0 * bench.case.hidden);
        bench.backend.neighbours(&input, self.0)
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        2.0 * size * sum_tolerance(case.hidden)
    }
}

#[test]
fn neighbours_end_with_their_document() {
    check(prop::sample::select(vec![1_usize, 3, 5]).prop_map(Neighbours));
}

#[derive(Clone, Debug)]
struct Lookup {
    positions: bool,
    norm: bool,
}

impl Operation for Lookup {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let &Case { hidden, format, .. } = bench.case;
        let embeddings = Embeddings {
            word: bench.matrix(VOCABULARY, hidden, Layout::Table, format),
            position: self.positions.then(|| bench.matrix(POSITIONS, hidden, Layout::Positions, Format::F32)),
            norm: self.norm.then(|| bench.new_norm()),
        };
        let embeddings = bench.keep(embeddings);
        bench.begin_batch();
        bench.backend.embedding(&embeddings)
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        2.0 * size * sum_tolerance(case.hidden)
    }
}

#[test]
fn embeddings_need_neither_positions_nor_a_normalization() {
    check((any::<bool>(), any::<bool>()).prop_map(|(positions, norm)| Lookup { positions, norm }));
}

#[test]
fn a_table_that_is_larger_than_a_binding_comes_in_parts() {
    for format in Format::ALL {
        let case = Case { seed: 7, lengths: vec![3, 40, 1], hidden: 96, format, other_format: format };
        let run = |bytes: Option<u64>| {
            let mut gpu = pollster::block_on(Gpu::new(GpuOptions::native())).expect("a Vulkan device");
            if let Some(bytes) = bytes {
                gpu.split_tables(bytes);
            }
            let mut bench = Bench::new(&mut gpu, &case);
            let rows = Lookup { positions: true, norm: true }.run(&mut bench);
            let pending = bench.backend.send(&rows).expect("it runs");
            let values = pollster::block_on(bench.backend.receive(pending)).expect("it arrives");
            let dispatches: u64 = gpu
                .kernels()
                .iter()
                .filter(|kernel| kernel.name.starts_with("embedding"))
                .map(|kernel| kernel.dispatches)
                .sum();
            (values, dispatches)
        };
        // 50 words in blocks of 32.
        let (whole, parts) = (run(None), run(Some(1)));
        assert_eq!((whole.1, parts.1), (1, 2), "{}", format.name());
        let differs = whole.0.iter().zip(&parts.0).position(|(one, other)| one.to_bits() != other.to_bits());
        assert_eq!(differs, None, "{}", format.name());
    }
}

#[derive(Clone, Debug)]
struct Norm {
    before: bool,
    after: bool,
}

impl Operation for Norm {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, other) = bench.begin();
        let norm = bench.norm();
        bench.backend.layer_norm(&input, self.before.then_some(&other), &norm, self.after.then_some(&other))
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        2.0 * size * sum_tolerance(case.hidden)
    }
}

#[test]
fn layer_norm_adds_before_and_after() {
    check((any::<bool>(), any::<bool>()).prop_map(|(before, after)| Norm { before, after }));
}

#[derive(Clone, Debug)]
struct Adapter {
    width: usize,
    activation: Activation,
    residual: bool,
    gated: bool,
    on_documents: bool,
}

impl Operation for Adapter {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (mut input, mut other) = bench.begin();
        let hidden = bench.case.hidden;
        let weights = BottleneckWeights {
            hidden,
            width: self.width,
            down: bench.random.values(self.width * hidden, 0.0, 0.3),
            down_bias: bench.random.values(self.width, 0.0, 0.3),
            activation: self.activation,
            up: bench.random.values(hidden * self.width, 0.0, 0.3),
            up_bias: bench.random.values(hidden, 0.0, 0.3),
        };
        let dense = bench.backend.bottleneck_weights(&weights).expect("it fits");
        let bottleneck = bench.keep(Bottleneck { dense, norm_before: None, norm_after: None, gate: None });
        let gate = Gate { weight: bench.vector(hidden, 0.0), bias: 0.3 };
        let gate = bench.keep(gate);
        if self.on_documents && !self.gated {
            input = bench.backend.first_rows(&input);
            other = bench.backend.first_rows(&other);
        }
        let residual = self.residual.then_some(&other);
        if self.gated {
            let gates = bench.backend.gate(&input, &gate);
            let up = bench.backend.bottleneck(&input, &bottleneck, None);
            bench.backend.apply_gate(&up, &gates, residual)
        } else {
            bench.backend.bottleneck(&input, &bottleneck, residual)
        }
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        // The error of the units passes through `up`; see `Linear` for the activation.
        let units = 3.0
            * sum_tolerance(case.hidden)
            * if self.activation == Activation::SquaredRelu { 30.0 } else { 1.0 };
        units * (self.width as f32).sqrt() + size * sum_tolerance(self.width) + 4e-7 * size
    }
}

#[test]
fn bottleneck_takes_any_width() {
    let widths = prop::sample::select(vec![1_usize, 2, 3, 4, 7, 24, 48, 65, 130, 192]);
    let activations = prop::sample::select(Activation::ALL.to_vec());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    check((widths, activations, flags).prop_map(|(width, activation, (residual, gated, on_documents))| {
        Adapter { width, activation, residual, gated, on_documents }
    }));
}

#[derive(Clone, Debug)]
struct Pool {
    pooling: Pooling,
    normalize: bool,
    twice: bool,
}

impl Operation for Pool {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (mut input, _) = bench.begin();
        if self.twice {
            input = bench.backend.first_rows(&input);
        }
        bench.backend.pool(&input, self.pooling, self.normalize)
    }

    fn tolerance(&self, case: &Case, size: f32) -> f32 {
        size * (sum_tolerance(case.hidden) + sum_tolerance(512))
    }
}

#[test]
fn pool_takes_the_first_row_or_the_mean() {
    let pooling = prop::sample::select(vec![Pooling::Cls, Pooling::Mean]);
    check((pooling, any::<bool>(), any::<bool>()).prop_map(|(pooling, normalize, twice)| Pool {
        pooling,
        normalize,
        twice,
    }));
}

/// Values that are the same numbers on every device, so that an order is one, and that differ from row to row: 0 or 6, by
/// the sign of a sum, and a whole number for each column.
#[derive(Clone, Debug)]
struct TopK {
    columns: usize,
    count: usize,
    /// How many different numbers a column can have; few make ties.
    numbers: usize,
}

impl Operation for TopK {
    fn run<B: Backend + 'static>(&self, bench: &mut Bench<'_, B>) -> B::Rows {
        let (input, _) = bench.begin();
        let input = bench.backend.first_rows(&input);
        let (outputs, inputs) = (self.columns.next_multiple_of(32), bench.case.hidden);
        let numbers = bench.random.values(outputs, 0.0, 1e3);
        let numbers: Vec<f32> =
            numbers.iter().map(|value| value.abs().floor() % self.numbers as f32).collect();
        let numbers = bench.head(vec![0.0; outputs * inputs], &numbers);
        let signs = bench.random.values(outputs * inputs, 0.0, 1e6);
        let signs = bench.head(signs, &vec![0.0; outputs]);
        let numbers = bench.backend.linear(&input, &numbers, Outputs::All, Activation::Identity, None);
        let values = bench.backend.linear(&input, &signs, Outputs::All, Activation::Relu6, Some(&numbers));
        bench.backend.top_k(&values, self.columns, self.count)
    }

    fn tolerance(&self, _: &Case, _: f32) -> f32 {
        0.0
    }
}

#[test]
fn top_k_finds_the_largest_and_the_first_of_equal_ones() {
    let sizes =
        prop::sample::select(vec![(1_usize, 1_usize), (7, 7), (28, 5), (64, 64), (65, 2), (300, 128)]);
    let numbers = prop::sample::select(vec![1_usize, 4, 1000]);
    check((sizes, numbers).prop_map(|((columns, count), numbers)| TopK { columns, count, numbers }));
}
