//! Whole networks, every device against the scalar reference.

use std::collections::BTreeMap;
use std::time::Instant;

use safetensors::tensor::{Dtype, TensorView};
use specter_web::engine::cpu::Cpu;
use specter_web::engine::encoder::{Output, Readout, Skill};
use specter_web::engine::gpu::{
    Gpu, GpuOptions, LinearKernel, Plan, RoundingKernels, Tuned, TunedLinear, Tuning,
};
use specter_web::engine::loading::open_model;
use specter_web::engine::reference::Reference;
use specter_web::engine::{Backend, Encoder, MemoryInfo};
use specter_web::folder::MemoryFolder;
use specter_web::model::network::{self, Extent};
use specter_web::model::{Config, Pooling};
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::Document;
use specter_web::weights::Format;
use specter_web_kernels::{Arithmetic, Native};

use crate::random::Random;

/// A model folder with seeded weights of the spread that BERT is initialised with, ten times over for the matrices so
/// that attention is not flat.
fn seeded_model(config: &serde_json::Value, words: usize) -> MemoryFolder {
    changed_model(config, &Extent::default(), words, |_, _| {})
}

/// The same with more than every network of its configuration has, and with some values of some tensors changed.
fn changed_model(
    config: &serde_json::Value,
    extent: &Extent,
    words: usize,
    change: impl Fn(&str, &mut [f32]),
) -> MemoryFolder {
    let mut folder =
        MemoryFolder::new("seeded", [("config.json".to_owned(), config.to_string().into_bytes())]);
    let sizes = pollster::block_on(Config::from_folder(&folder)).expect("the config is one that runs");
    let mut random = Random(42);
    let tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = network::tensors(&sizes, extent)
        .into_iter()
        .map(|spec| {
            let (center, spread) = match spec.name.as_str() {
                name if name.ends_with("LayerNorm.weight") => (1.0, 0.1),
                name if name.contains(".bias") => (0.0, 0.02),
                name if name.contains("embeddings") => (0.0, 0.05),
                _ => (0.0, 0.06),
            };
            let mut values = random.values(spec.shape.iter().product(), center, spread);
            change(&spec.name, &mut values);
            (spec.name, (spec.shape, bytemuck::cast_slice(&values).to_vec()))
        })
        .collect();
    let views = tensors.iter().map(|(name, (shape, bytes))| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).expect("the shape is that of the bytes"))
    });
    folder.insert("model.safetensors", safetensors::serialize(views, None).expect("it serializes"));
    let vocabulary: Vec<String> = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..words).map(|word| format!("w{word}")))
        .collect();
    folder.insert("vocab.txt", vocabulary.join("\n").into_bytes());
    folder
}

/// Two layers of 64 columns and 200 words.
fn small_model(intermediate_size: usize, positions: usize) -> MemoryFolder {
    seeded_model(&small_config(intermediate_size, positions), 200)
}

fn small_config(intermediate_size: usize, positions: usize) -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": intermediate_size, "vocab_size": 205, "max_position_embeddings": positions,
    })
}

fn text(words: std::ops::Range<usize>) -> Document {
    Document::Text(words.map(|word| format!("w{}", word * 37 % 1000)).collect::<Vec<_>>().join(" "))
}

/// The vectors of some documents as each task makes them, and what the model takes of the device.
async fn embed<B: Backend>(
    folder: &MemoryFolder,
    format: Format,
    tasks: &[Option<&str>],
    documents: &[Document],
    backend: B,
) -> (Vec<f32>, MemoryInfo, B) {
    let options = LoadOptions { format, ..LoadOptions::default() };
    let mut specter = Specter::load(folder, options, backend, |_, _| Ok(())).await.expect("it loads");
    let mut vectors = Vec::new();
    for task in tasks {
        let options = EmbedOptions {
            task: task.map(str::to_owned),
            pooling: Some(Pooling::Cls),
            ..EmbedOptions::default()
        };
        vectors.extend(specter.embed(documents, &options, |_, _| Ok(())).await.expect("it embeds").data);
    }
    let memory = specter.backend().memory();
    (vectors, memory, specter.into_backend())
}

/// A network of BERT's size.
struct FullSize {
    config: serde_json::Value,
    extent: Extent,
    tasks: &'static [Option<&'static str>],
    documents: Vec<Document>,
    /// Numbers that stay on the device in the format of the weights, and bytes besides.
    kept: (f64, f64),
}

/// Loads it on every device: vectors are those of the reference, q8 keeps its distance to f32, and memory is bounded.
fn check_full_size(FullSize { config, extent, tasks, documents, kept: (parameters, besides) }: &FullSize) {
    let folder = changed_model(config, extent, 1000, |_, _| {});
    let gpu = || pollster::block_on(Gpu::new(GpuOptions::native())).expect("there is a GPU to test on");
    let (exact, ..) = pollster::block_on(embed(&folder, Format::F32, tasks, documents, gpu()));
    let (expected, ..) = pollster::block_on(embed(&folder, Format::Q8, tasks, documents, Reference::new()));
    let (found, memory, gpu) = pollster::block_on(embed(&folder, Format::Q8, tasks, documents, gpu()));
    let worst = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f32::max);
    println!("largest difference {worst:e} on {}", gpu.device().adapter);
    assert!(worst <= 1e-3, "the vectors differ by {worst}");
    let fidelity = mean(&cosines(&found, &exact));
    println!("q8 has a mean cosine of {fidelity} to f32");
    assert!(fidelity >= 0.9995, "{fidelity}");
    for pair in found.chunks(768 * documents.len()).collect::<Vec<_>>().windows(2) {
        let alike = mean(&cosines(pair[0], pair[1]));
        assert!(alike < 0.99, "two tasks have vectors with a cosine of {alike}");
    }

    // 1.25 times the weights in q8 is the bar; parameters are counted as the file has them.
    println!("{} MB of weights, {} MB of activations", memory.weights >> 20, memory.activations >> 20);
    let quantized = parameters * 8.5 / 8.0;
    let weights = memory.weights as f64;
    assert!((0.9 * quantized..1.25 * quantized + besides).contains(&weights), "{weights} bytes");
    drop(gpu);

    for instructions in Native::instructions() {
        let native = Native::new(Some(instructions), 2).expect("it was found");
        let rounded_to_bytes = native.arithmetic() != Arithmetic::Words;
        let (found, memory, _) =
            pollster::block_on(embed(&folder, Format::Q8, tasks, documents, Cpu::new(native)));
        let worst = cosines(&found, &expected).into_iter().fold(1.0, f32::min);
        println!("{instructions}: worst cosine {worst}");
        assert!(worst >= if rounded_to_bytes { 0.999 } else { 0.999_999 }, "{instructions}: {worst}");
        let fidelity = mean(&cosines(&found, &exact));
        println!("{instructions}: q8 has a mean cosine of {fidelity} to f32");
        assert!(fidelity >= if rounded_to_bytes { 0.999 } else { 0.9995 }, "{instructions}: {fidelity}");
        let all = (memory.weights + memory.activations) as f64;
        println!("{} MB of weights, {} MB of activations", memory.weights >> 20, memory.activations >> 20);
        assert!(all <= 1.3 * quantized + besides + 64.0 * f64::from(1 << 20), "{all} bytes");
    }
}

/// Of vectors of BERT's size.
fn cosines(left: &[f32], right: &[f32]) -> Vec<f32> {
    assert_eq!(left.len(), right.len());
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    let cosine = |(x, y): (&[f32], &[f32])| dot(x, y) / (dot(x, x) * dot(y, y)).sqrt();
    left.chunks(768).zip(right.chunks(768)).map(cosine).collect()
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len() as f32
}

/// A BERT of base size, with so many words.
fn bert_base(vocabulary: usize) -> serde_json::Value {
    serde_json::json!({
        "model_type": "bert", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
        "intermediate_size": 3072, "vocab_size": vocabulary, "max_position_embeddings": 512, "type_vocab_size": 2,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    })
}

#[test]
fn a_network_of_specter2s_size_is_the_same_on_every_device() {
    check_full_size(&FullSize {
        config: bert_base(31_090),
        extent: Extent::default(),
        tasks: &[None],
        documents: vec![text(0..1), text(3..40), text(50..57)],
        kept: (109.0e6 - 0.59e6, 0.0),
    });
}

#[test]
fn a_network_of_semcses_size_is_the_same_on_every_device() {
    check_full_size(&FullSize {
        config: serde_json::json!({
            "model_type": "deberta-v2", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
            "intermediate_size": 3072, "vocab_size": 128_100, "max_position_embeddings": 512, "type_vocab_size": 0,
            "hidden_act": "gelu", "layer_norm_eps": 1e-7, "relative_attention": true, "position_buckets": 256,
            "max_relative_positions": -1, "norm_rel_ebd": "layer_norm", "pos_att_type": "p2c|c2p",
            "position_biased_input": false, "share_att_key": true,
        }),
        extent: Extent::default(),
        tasks: &[None],
        // Distances beyond 128 tokens share rows of positions.
        documents: vec![text(0..1), text(3..140), text(50..57)],
        // What relative positions project to stays f32.
        kept: (183.4e6, 12.0 * 512.0 * 2.0 * 768.0 * 4.0),
    });
}

#[test]
fn a_network_of_scimults_size_is_the_same_on_every_device() {
    check_full_size(&FullSize {
        config: bert_base(30_522),
        extent: Extent { experts: 3, expert_layers: (1..12).step_by(2).collect(), ..Extent::default() },
        tasks: &[Some("search"), Some("link-prediction"), Some("classification")],
        documents: vec![text(0..1), text(3..20)],
        // Two more sets of four projections in six layers.
        kept: (108.9e6 + 2.0 * 6.0 * 2_362_368.0, 0.0),
    });
}

#[test]
fn a_load_that_is_stopped_half_way_lets_go_of_its_device() {
    let folder = small_model(128, 64);
    pollster::block_on(async {
        for stop_at in 0..=2 {
            let gpu = Gpu::new(GpuOptions::native()).await.expect("there is a GPU to test on");
            let on_layer = |done, _| if done == stop_at { Err(specter_web::Error::Aborted) } else { Ok(()) };
            let stopped = Specter::load(&folder, LoadOptions::default(), gpu, on_layer).await;
            assert!(stopped.is_err_and(|error| error.code() == "aborted"));
        }
    });
}

#[test]
fn a_batch_that_is_too_large_is_refused_and_the_next_one_runs() {
    async fn check<B: Backend>(backend: B) {
        let options = LoadOptions { token_budget: 65_535, ..LoadOptions::default() };
        let folder = small_model(65_536, 512);
        let mut specter = Specter::load(&folder, options, backend, |_, _| Ok(())).await.expect("it loads");
        let (small, large) = (vec![text(0..5)], vec![text(0..600); 127]);
        let options = EmbedOptions::default();
        let before = specter.embed(&small, &options, |_, _| Ok(())).await.expect("it embeds");
        // 65,024 rows of 65,536 columns would be 16 GiB.
        let refused =
            specter.embed(&large, &options, |_, _| Ok(())).await.expect_err("no device allows that");
        println!("{refused}");
        assert_eq!(refused.code(), "out-of-memory");
        let after = specter.embed(&small, &options, |_, _| Ok(())).await.expect("it embeds again");
        assert_eq!(before, after);
    }
    let gpu = pollster::block_on(Gpu::new(GpuOptions::native())).expect("there is a GPU to test on");
    pollster::block_on(check(gpu));
    pollster::block_on(check(Cpu::new(Native::new(None, 2).expect("there is a CPU"))));
}

#[test]
fn a_steady_stream_of_batches_creates_nothing() {
    let folder = small_model(128, 64);
    pollster::block_on(async {
        let gpu = Gpu::new(GpuOptions::native()).await.expect("there is a GPU to test on");
        let options = LoadOptions { token_budget: 64, ..LoadOptions::default() };
        let mut specter = Specter::load(&folder, options, gpu, |_, _| Ok(())).await.expect("it loads");
        let documents: Vec<Document> = (0..40).map(|index| text(index..index + 1 + index % 50)).collect();
        let options = EmbedOptions::default();
        // Two batches are under way at a time, so what reads results has grown with the largest one after two calls.
        for _ in 0..2 {
            specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        }
        let (objects, memory) = (specter.backend().objects(), specter.backend().memory());
        for _ in 0..10 {
            specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        }
        assert_eq!(specter.backend().objects(), objects);
        assert_eq!(specter.backend().memory(), memory);

        let cpu = Cpu::new(Native::new(None, 2).expect("there is a CPU"));
        let load = LoadOptions { token_budget: 64, ..LoadOptions::default() };
        let mut specter = Specter::load(&folder, load, cpu, |_, _| Ok(())).await.expect("it loads");
        specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        let memory = specter.backend().memory();
        for _ in 0..10 {
            specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        }
        assert_eq!(specter.backend().memory(), memory);
    });
}

#[test]
fn the_device_says_how_long_each_kernel_takes() {
    pollster::block_on(async {
        let folder = small_model(128, 64);
        let gpu = GpuOptions { tuning: Tuning::Usual, ..GpuOptions::native() };
        let gpu = Gpu::new(gpu).await.expect("there is a GPU to test on");
        let config = Config::from_folder(&folder).await.expect("the config is one that runs");
        let output = Output { pooling: Pooling::Mean, normalize: false, layers: usize::MAX };
        let gpu = Encoder::prepare(gpu, &config, Format::Q8, output).await.expect("it fits");
        let source = open_model(&folder, None).await.expect("there are weights");
        let (mut encoder, _) =
            Encoder::load(&source, config, Format::Q8, gpu, |_, _| Ok(())).await.expect("it loads");
        let batch = Random(3).batch(&[20, 5], encoder.config.vocabulary_size);
        let embed = async |encoder: &mut Encoder<Gpu>| {
            let pending = encoder.encode(&batch, Skill::default(), output, &Readout::Vectors);
            let pending = pending.expect("it encodes");
            encoder.backend.receive(pending).await.expect("vectors come")
        };
        let dispatches = |encoder: &Encoder<Gpu>| {
            // A kernel has a row for each of its variants.
            let mut dispatches: BTreeMap<String, usize> = BTreeMap::new();
            for kernel in encoder.backend.kernels() {
                *dispatches.entry(kernel.name).or_default() += kernel.dispatches as usize;
            }
            dispatches
        };

        let vectors = embed(&mut encoder).await;
        let before = dispatches(&encoder);
        encoder.backend.measure_kernels(true);
        let begin = Instant::now();
        assert_eq!(embed(&mut encoder).await, vectors);
        let elapsed = begin.elapsed().as_secs_f64();
        let times = encoder.backend.kernel_times().await.expect("the readings come");
        println!("{times:?} in {elapsed} s");
        for (kernel, after) in dispatches(&encoder) {
            let ran = after - before[&kernel];
            assert_eq!(times.get(kernel.as_str()).map_or(0, |time| time.dispatches), ran, "{kernel}");
        }
        assert!(times.values().all(|time| time.seconds > 0.0));
        assert!(times.values().map(|time| time.seconds).sum::<f64>() < elapsed);

        assert!(encoder.backend.kernel_times().await.expect("nothing is waited for").is_empty());
        encoder.backend.measure_kernels(false);
        assert_eq!(embed(&mut encoder).await, vectors);
        assert!(encoder.backend.kernel_times().await.expect("nobody measures").is_empty());
    });
}

/// Says of every matrix of a small model which kernels are the fastest.
fn with_plan(plan: Plan) -> GpuOptions {
    let shapes = [(192, 64), (64, 64), (128, 64), (64, 128)];
    let linear = shapes.map(|(outputs, inputs)| TunedLinear { outputs, inputs, dtype: Format::Q8, plan });
    GpuOptions {
        tuning: Tuning::Known(Tuned { linear: linear.to_vec(), attention: Vec::new() }),
        ..GpuOptions::native()
    }
}

#[test]
fn a_device_rehearses_with_every_kernel_that_a_batch_may_run() {
    pollster::block_on(async {
        let [few, several, many] = [LinearKernel::Split, LinearKernel::SmallTiles, LinearKernel::Tiles];
        let options = with_plan(Plan { few, several, many, rounding: RoundingKernels::default() });
        let gpu = Gpu::new(options).await.expect("there is a GPU to test on");
        let folder = small_model(128, 64);
        let config = Config::from_folder(&folder).await.expect("the config is one that runs");
        let output = Output { pooling: Pooling::Cls, normalize: false, layers: usize::MAX };
        let gpu = Encoder::prepare(gpu, &config, Format::Q8, output).await.expect("it fits");
        let linear = |gpu: &Gpu| -> BTreeMap<String, u64> {
            let linear = gpu.kernels().into_iter().filter(|kernel| kernel.name.starts_with("linear"));
            linear.map(|kernel| (kernel.name, kernel.dispatches)).collect()
        };
        let compiled = ["linear_small_tiles_q8", "linear_split_q8", "linear_tiles_q8"];
        assert!(linear(&gpu).into_keys().eq(compiled));
        let source = open_model(&folder, None).await.expect("there are weights");
        let (mut encoder, _) =
            Encoder::load(&source, config, Format::Q8, gpu, |_, _| Ok(())).await.expect("it loads");
        // The last layer has a row a document, which are few.
        for (lengths, expected) in [
            (&[32][..], &["linear_split_q8"][..]),
            (&[33], &["linear_small_tiles_q8", "linear_split_q8"]),
            (&[128, 128], &["linear_small_tiles_q8", "linear_split_q8"]),
            (&[128, 129], &["linear_split_q8", "linear_tiles_q8"]),
        ] {
            let before = linear(&encoder.backend);
            let batch = Random(3).batch(lengths, encoder.config.vocabulary_size);
            let pending = encoder.encode(&batch, Skill::default(), output, &Readout::Vectors);
            encoder.backend.receive(pending.expect("it encodes")).await.expect("vectors come");
            let after = linear(&encoder.backend);
            assert!(after.keys().eq(compiled), "{after:?}");
            let ran = after.iter().filter(|(name, dispatches)| before[*name] < **dispatches);
            assert!(ran.map(|(name, _)| name).eq(expected), "{lengths:?}: from {before:?} to {after:?}");
        }
    });
}

/// How often a kernel that rounds has run.
fn dots(gpu: &Gpu) -> u64 {
    let kernels = gpu.kernels().into_iter().filter(|kernel| kernel.name.starts_with("linear_dot"));
    kernels.map(|kernel| kernel.dispatches).sum()
}

fn embed_papers(specter: &mut Specter<Gpu>, count: usize) {
    let (documents, options) = (vec![text(0..60); count], EmbedOptions::default());
    pollster::block_on(specter.embed(&documents, &options, |_, _| Ok(()))).expect("it embeds");
}

/// A model for which rounding would be the faster way.
fn could_round(folder: &MemoryFolder, rounding: RoundingKernels, options: LoadOptions) -> Specter<Gpu> {
    let plan = Plan { rounding, ..plain() };
    let gpu = pollster::block_on(Gpu::new(with_plan(plan))).expect("there is a GPU to test on");
    pollster::block_on(Specter::load(folder, options, gpu, |_, _| Ok(()))).expect("it loads")
}

fn plain() -> Plan {
    let registers = LinearKernel::Registers;
    Plan { few: registers, several: registers, many: registers, rounding: RoundingKernels::default() }
}

const DOT: Option<LinearKernel> = Some(LinearKernel::Dot);

/// How often the kernel that rounds runs for a batch of several and for one of many tokens, where it would be the faster one
/// for those.
fn roundings(folder: &MemoryFolder) -> [u64; 2] {
    let mut counts = [0; 2];
    let cases = [
        (RoundingKernels { several: DOT, many: None }, 1),
        (RoundingKernels { several: None, many: DOT }, 5),
    ];
    for (found, (rounding, documents)) in counts.iter_mut().zip(cases) {
        let mut specter = could_round(folder, rounding, LoadOptions::default());
        let before = dots(specter.backend());
        assert!(before > 0, "it was not tried with {rounding:?}");
        embed_papers(&mut specter, documents);
        *found = dots(specter.backend()) - before;
    }
    counts
}

#[test]
fn activations_are_rounded_where_the_model_bears_it() {
    let counts = roundings(&small_model(128, 64));
    assert!(counts.iter().all(|&count| count > 0), "{counts:?}");
}

#[test]
fn activations_are_not_rounded_for_more_rows_than_were_tried() {
    // All that is tried is cut at 12 tokens, and nine of that are not many.
    let options = LoadOptions { max_length: Some(12), ..LoadOptions::default() };
    let both = RoundingKernels { several: DOT, many: DOT };
    let mut specter = could_round(&small_model(128, 64), both, options);
    // The last layer has a row for each of them, which are few.
    for (documents, rounded) in [(4, true), (26, false)] {
        let before = dots(specter.backend());
        embed_papers(&mut specter, documents);
        assert_eq!(dots(specter.backend()) > before, rounded, "{documents} papers");
    }
}

#[test]
fn activations_are_not_rounded_where_the_model_does_not_bear_it() {
    // One column of activations is huge and counts for nothing: beside it, int8 has no digits left for the others.
    let folder = changed_model(&small_config(128, 64), &Extent::default(), 200, |name, values| {
        if name == "embeddings.LayerNorm.weight" || name == "encoder.layer.0.output.LayerNorm.weight" {
            values[0] = 1e5;
        }
        if name == "encoder.layer.1.output.LayerNorm.weight" {
            values[0] = 0.0;
        }
        let reads = name.contains("attention.self") || name.contains("intermediate");
        if reads && name.ends_with(".weight") {
            values.iter_mut().step_by(64).for_each(|weight| *weight = 0.0);
        }
        // What is read that way weighs more than what goes past.
        if name.ends_with("output.dense.weight") {
            for weight in values.iter_mut() {
                *weight *= 5e3;
            }
        }
        if name.contains(".bias") {
            values.fill(0.0);
        }
    });
    assert_eq!(roundings(&folder), [0, 0]);
}
