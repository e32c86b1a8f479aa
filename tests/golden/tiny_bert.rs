//! A tiny BERT with one adapter for every configuration that `adapters` offers.

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use specter_web::Error;
use specter_web::engine::Backend;
use specter_web::engine::reference::Reference;
use specter_web::folder::{Directory, File, Folder, MemoryFolder};
use specter_web::model::Pooling;
use specter_web::task::convert::Conversion;
use specter_web::task::inspect::inspect;
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::Document;
use specter_web::weights::Format;

use crate::devices::{Inputs, inputs_of, on_every_device};
use crate::fixtures::{Paper, TinyBert, cosine, directory, largest_difference, path, read};

const MODEL: &str = "tests/fixtures/tiny-bert";

on_every_device!(
    every_adapter_configuration_gives_the_vectors_of_its_library,
    half_precision_and_int8_stay_close_to_float32,
    an_embedding_does_not_depend_on_its_batch_mates,
    a_long_list_is_split_and_comes_back_in_order,
    every_published_dtype_and_key_spelling_is_read,
    devices_agree_after_every_layer,
);

async fn load<B: Backend>(
    folder: &impl Folder,
    format: Format,
    token_budget: usize,
    backend: B,
) -> Specter<B> {
    let options = LoadOptions { format, token_budget, ..LoadOptions::default() };
    Specter::load(folder, options, backend, |_, _| Ok(())).await.expect("the model loads")
}

fn adapter_cases(goldens: &TinyBert) -> impl Iterator<Item = &str> {
    goldens.cases.keys().map(String::as_str).filter(|case| *case != "none")
}

fn documents(goldens: &TinyBert) -> Vec<Document> {
    goldens.papers.iter().map(Paper::document).collect()
}

#[test]
fn every_token_id_is_that_of_the_reference_tokenizer() {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let specter = pollster::block_on(load(&directory(MODEL), Format::F32, 4096, Reference::new()));
    for (document, ids) in documents(&goldens).iter().zip(&goldens.input_ids) {
        let text = document.text(specter.template(), specter.tokenizer().separator());
        assert_eq!(&specter.tokenizer().encode(&text).expect("it encodes"), ids, "{document:?}");
    }
}

async fn every_adapter_configuration_gives_the_vectors_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents = documents(&goldens);
    let mut specter = load(&directory(MODEL), Format::F32, 4096, backend()).await;
    let cases: Vec<&str> = adapter_cases(&goldens).collect();
    assert!(cases.len() >= 60, "only {} adapters have weights to test", cases.len());
    // All of them are resident at once.
    for case in &cases {
        let folder = directory(&format!("{MODEL}/adapters/{case}"));
        specter
            .load_adapter(case, &folder, || Ok(()))
            .await
            .unwrap_or_else(|error| panic!("{case}: {error}"));
    }
    let mut worst = 0.0_f32;
    for case in std::iter::once("none").chain(cases) {
        for (pooling, expected) in
            [(Pooling::Cls, &goldens.cases[case].cls), (Pooling::Mean, &goldens.cases[case].mean)]
        {
            let options = EmbedOptions {
                task: None,
                template: None,
                adapter: (case != "none").then(|| case.to_owned()),
                pooling: Some(pooling),
                normalize: Some(false),
                layers: None,
            };
            let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            assert_eq!(found.dims, [expected.len(), 32]);
            for (found, expected) in found.data.chunks(32).zip(expected) {
                // Relative to the vector's size, which is not 1 where no normalization follows the adapter.
                let size = expected.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
                let difference = largest_difference(found, expected) / size;
                assert!(difference < 2e-5, "{case} {pooling:?}: differs by {difference}");
                worst = worst.max(difference);
            }
        }
    }
    println!("worst relative difference {worst:e}");
}

/// The tiny model's folder with its weights from a file that `torch.save` wrote.
fn pickled(weights: &str) -> MemoryFolder {
    let mut folder = MemoryFolder::new(weights, []);
    for file in ["config.json", "vocab.txt", "tokenizer_config.json"] {
        folder.insert(file, std::fs::read(path(&format!("{MODEL}/{file}"))).expect("a fixture is there"));
    }
    let weights =
        std::fs::read(path(&format!("tests/fixtures/torch/{weights}"))).expect("a fixture is there");
    folder.insert("pytorch_model.bin", weights);
    folder
}

#[test]
fn a_pickled_model_gives_the_vectors_of_its_safetensors() {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    for weights in ["tiny_bert.bin", "tiny_bert_for_pretraining_2019.bin"] {
        let folder = pickled(weights);
        let mut specter = pollster::block_on(load(&folder, Format::F32, 4096, Reference::new()));
        let found =
            pollster::block_on(specter.embed(&documents(&goldens), &EmbedOptions::default(), |_, _| Ok(())));
        for (found, expected) in found.expect("it embeds").data.chunks(32).zip(&goldens.cases["none"].cls) {
            let difference = largest_difference(found, expected);
            assert!(difference < 2e-5, "{weights}: differs by {difference}");
        }
        let described = pollster::block_on(inspect(&folder, None)).expect("it can be described").to_string();
        assert!(described.contains("embeddings.position_ids"), "{described}");
        println!("{weights}: {described}");
    }
}

async fn vectors_of(folder: &impl Folder, format: Format) -> Vec<f32> {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let mut specter = load(folder, format, 4096, Reference::new()).await;
    let vectors = specter.embed(&documents(&goldens), &EmbedOptions::default(), |_, _| Ok(())).await;
    vectors.expect("it embeds").data
}

async fn converted(folder: &impl Folder, format: Format) -> MemoryFolder {
    let mut converted = MemoryFolder::new("converted", []);
    let conversion = Conversion::new(format);
    conversion.run(folder, &mut converted, |_, _| Ok(())).await.expect("it converts");
    converted
}

#[test]
fn converting_and_loading_equals_loading_bit_for_bit_and_twice_gives_the_same_bytes() {
    pollster::block_on(async {
        for file in ["tiny_bert.bin", "tiny_bert_for_pretraining_2019.bin"] {
            for format in Format::ALL {
                let source = pickled(file);
                let once = converted(&source, format).await;
                assert!(once == converted(&source, format).await, "{file} {format:?}");
                assert_eq!(
                    vectors_of(&once, format).await,
                    vectors_of(&source, format).await,
                    "{file} {format:?}"
                );
                // What is converted already stays as it is.
                assert!(
                    once.get("model.safetensors") == converted(&once, format).await.get("model.safetensors")
                );
            }
        }
    });
}

/// A folder whose weights end early, as an interrupted conversion leaves them.
struct Interrupted(MemoryFolder, u64);

struct InterruptedFile(std::rc::Rc<[u8]>, u64);

impl Folder for Interrupted {
    type File = InterruptedFile;

    fn name(&self) -> &'static str {
        "interrupted"
    }

    async fn open(&self, file: &str) -> specter_web::Result<Option<InterruptedFile>> {
        Ok(self.0.open(file).await?.map(|file| InterruptedFile(file, self.1)))
    }
}

impl File for InterruptedFile {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn available(&self) -> u64 {
        self.1
    }

    async fn read(&self, range: std::ops::Range<u64>) -> specter_web::Result<Vec<u8>> {
        if range.end > self.1 { Err(Error::Aborted) } else { self.0.read(range).await }
    }
}

#[test]
fn a_conversion_goes_on_where_an_earlier_one_was_interrupted() {
    pollster::block_on(async {
        let source = pickled("tiny_bert.bin");
        for format in Format::ALL {
            let whole = converted(&source, format).await;
            let size = whole.get("model.safetensors").expect("it has weights").len() as u64;
            for available in [0, 7, 8, 3000, size / 2, size - 1, size] {
                let previous = Interrupted(whole.clone(), available);
                let conversion = Conversion { format, previous: Some(&previous), weights: None };
                let mut resumed = MemoryFolder::new("converted", []);
                conversion.run(&source, &mut resumed, |_, _| Ok(())).await.expect("it converts");
                assert!(resumed == whole, "{format:?} from byte {available}");
            }
            // What is whole is not read again: a bit that differs in it stays different.
            let mut weights = whole.get("model.safetensors").expect("it has weights").to_vec();
            let last = weights.len() - 4;
            weights[last] ^= 1;
            let mut previous = whole.clone();
            previous.insert("model.safetensors", weights);
            let previous = Interrupted(previous, size);
            let mut resumed = MemoryFolder::new("converted", []);
            let conversion = Conversion { format, previous: Some(&previous), weights: None };
            conversion.run(&source, &mut resumed, |_, _| Ok(())).await.expect("it converts");
            assert!(resumed == previous.0, "{format:?}");
        }
    });
}

async fn half_precision_and_int8_stay_close_to_float32<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents = documents(&goldens);
    for (format, bar) in [(Format::F16, 0.99999), (Format::Q8, 0.999), (Format::Q4, 0.9)] {
        let mut specter = load(&directory(MODEL), format, 4096, backend()).await;
        let folder = directory(&format!("{MODEL}/adapters/seq_bn"));
        specter.load_adapter("seq_bn", &folder, || Ok(())).await.expect("it loads");
        for case in ["none", "seq_bn"] {
            let options = EmbedOptions {
                task: None,
                adapter: (case != "none").then(|| case.to_owned()),
                ..EmbedOptions::default()
            };
            let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            for (found, expected) in found.data.chunks(32).zip(&goldens.cases[case].cls) {
                let cosine = cosine(found, expected);
                let rounded = format == Format::Q8 && inputs_of(specter.backend()) == Inputs::Bytes;
                let bar = if rounded { 0.998 } else { bar };
                assert!(cosine > bar, "{format:?} {case}: cosine {cosine}");
            }
        }
    }
}

async fn an_embedding_does_not_depend_on_its_batch_mates<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents = documents(&goldens);
    let mut specter = load(&directory(MODEL), Format::Q8, 4096, backend()).await;
    for pooling in [Pooling::Cls, Pooling::Mean] {
        let options = EmbedOptions { pooling: Some(pooling), ..EmbedOptions::default() };
        let together = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        for (document, together) in documents.iter().zip(together.data.chunks(32)) {
            let alone = specter.embed(std::slice::from_ref(document), &options, |_, _| Ok(())).await;
            let difference = largest_difference(&alone.expect("it embeds").data, together);
            assert!(difference <= 1e-5, "{document:?} {pooling:?}: differs by {difference}");
        }
    }
}

async fn a_long_list_is_split_and_comes_back_in_order<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents: Vec<Document> = documents(&goldens).into_iter().cycle().take(30).collect();
    let mut specter = load(&directory(MODEL), Format::F32, 100, backend()).await;
    let mut progress = Vec::new();
    let options = EmbedOptions::default();
    let found = specter.embed(&documents, &options, |done, _| {
        progress.push(done);
        Ok(())
    });
    let found = found.await.expect("it embeds");
    assert!(progress.len() > 5 && progress.is_sorted() && progress.last() == Some(&30), "{progress:?}");
    let expected = goldens.cases["none"].cls.iter().cycle();
    for (found, expected) in found.data.chunks(32).zip(expected) {
        assert!(largest_difference(found, expected) < 2e-5);
    }
    let none = specter.embed(&[], &options, |_, _| Ok(())).await.expect("an empty list is fine");
    assert_eq!((none.data.len(), none.dims), (0, [0, 32]));
}

/// The tiny model's weights in another dtype, under the keys of a checkpoint of 2019 with a head, with a buffer and a
/// pooler that nobody needs.
fn as_published_in_2019(dtype: Dtype) -> MemoryFolder {
    let bytes = std::fs::read(path(&format!("{MODEL}/model.safetensors"))).expect("the fixture is there");
    let file = SafeTensors::deserialize(&bytes).expect("the fixture is sound");
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = file
        .iter()
        .map(|(name, view)| {
            let name = name
                .replace("LayerNorm.weight", "LayerNorm.gamma")
                .replace("LayerNorm.bias", "LayerNorm.beta");
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let data = match dtype {
                Dtype::F16 => values.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect(),
                Dtype::BF16 => values.flat_map(|value| bf16::from_f32(value).to_le_bytes()).collect(),
                _ => view.data().to_vec(),
            };
            (format!("bert.{name}"), dtype, view.shape().to_vec(), data)
        })
        .collect();
    tensors.push(("bert.embeddings.position_ids".into(), Dtype::I64, vec![1, 64], vec![0; 64 * 8]));
    tensors.push(("cls.predictions.bias".into(), Dtype::F32, vec![2], vec![0; 8]));
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).expect("the shape is that of the bytes"))
    });
    let mut folder = MemoryFolder::new("2019", []);
    folder.insert("model.safetensors", safetensors::serialize(views, None).expect("it serializes"));
    for file in ["config.json", "vocab.txt", "tokenizer_config.json"] {
        folder.insert(file, std::fs::read(path(&format!("{MODEL}/{file}"))).expect("the fixture is there"));
    }
    folder
}

async fn every_published_dtype_and_key_spelling_is_read<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents = documents(&goldens);
    // bf16 keeps 8 bits of a weight, f16 11.
    for (dtype, bar) in [(Dtype::F32, 0.999_999_9), (Dtype::F16, 0.999_99), (Dtype::BF16, 0.999)] {
        let mut specter = load(&as_published_in_2019(dtype), Format::F32, 4096, backend()).await;
        let options = EmbedOptions::default();
        let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
        for (found, expected) in found.data.chunks(32).zip(&goldens.cases["none"].cls) {
            let cosine = cosine(found, expected);
            assert!(cosine >= bar, "{dtype:?}: cosine {cosine}");
        }
    }
}

async fn devices_agree_after_every_layer<B: Backend>(backend: impl Fn() -> B) {
    let goldens: TinyBert = read(&format!("{MODEL}/goldens.json"));
    let documents = documents(&goldens);
    for format in Format::ALL {
        let mut specter = load(&directory(MODEL), format, 4096, backend()).await;
        let mut oracle = load(&directory(MODEL), format, 4096, Reference::new()).await;
        let mut last = Vec::new();
        for layers in 0..=3 {
            let options = EmbedOptions { layers: Some(layers), ..EmbedOptions::default() };
            let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            let expected = oracle.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            let difference = largest_difference(&found.data, &expected.data);
            // Weights and vectors are of about 1, and the network is so small that little averages out.
            let tolerance = match (format, inputs_of(specter.backend())) {
                (Format::F32 | Format::F16, _) | (_, Inputs::Exact) => 2e-5,
                (Format::Q8, Inputs::Words) => 1e-3,
                // The 16 levels are kept in 8 bits.
                (Format::Q4, Inputs::Words) | (_, Inputs::Bytes) => 0.15,
            };
            assert!(difference < tolerance, "{format:?} after layer {layers}: {difference}");
            assert_ne!(found.data, last, "layer {layers} does something");
            last = found.data;
        }
    }
}

#[test]
fn an_adapter_that_cannot_run_is_refused_by_name() {
    let mut specter = pollster::block_on(load(&directory(MODEL), Format::F32, 4096, Reference::new()));
    let mut refuse = |case: &str| {
        let folder = Directory::new(path(&format!("{MODEL}/refused/{case}"))).expect("the fixture is there");
        let error = pollster::block_on(specter.load_adapter(case, &folder, || Ok(()))).expect_err(case);
        assert!(matches!(error, Error::UnsupportedAdapter { .. }), "{case}: {error}");
        println!("{error}");
        error.to_string()
    };
    for (case, word) in [
        ("compacter", "hypercomplex"),
        ("seq_bn_inv", "invertible"),
        ("prefix_tuning", "prefix_tuning"),
        ("prompt_tuning", "prompt_tuning"),
        ("lora", "lora"),
        ("ia3", "lora"),
        ("loreft", "reft"),
        ("mam", "union"),
        ("unipelt", "union"),
        ("activation_prelu", "prelu"),
        ("post_add_without_ln_before", "residual_before_ln"),
    ] {
        assert!(refuse(case).contains(word), "{case}");
    }
    assert_eq!(specter.adapters().count(), 0, "nothing half-loaded is left");
}
