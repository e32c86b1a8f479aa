//! Small DeBERTa-v2 networks under every option give the vectors and scores that transformers computes.
//!
//! `tests/fixtures/deberta.py` writes the goldens, in double precision over weights that are float16.

use std::collections::BTreeMap;
use std::rc::Rc;

use safetensors::tensor::SafeTensors;
use serde::Deserialize;
use specter_web::engine::Backend;
use specter_web::engine::reference::Reference;
use specter_web::folder::{Folder, MemoryFolder};
use specter_web::model::Pooling;
use specter_web::model::deberta::RelativeAttention;
use specter_web::model::head::Function;
use specter_web::task::convert::Conversion;
use specter_web::task::inspect::inspect;
use specter_web::task::{ClassifyOptions, EmbedOptions, LoadOptions, Specter};
use specter_web::text::Document;
use specter_web::weights::Format;

use crate::devices::{Inputs, inputs_of, on_every_device};
use crate::fixtures::{cosine, directory, largest_difference, path, read};

const FOLDER: &str = "tests/fixtures/deberta";
const HIDDEN: usize = 32;

on_every_device!(
    every_configuration_gives_the_vectors_of_its_library,
    a_single_token_gives_the_vector_of_its_library,
    an_embedding_does_not_depend_on_its_batch_mates,
    lower_precision_stays_close_to_float32,
    a_model_that_is_a_classifier_gives_the_scores_of_its_library,
);

#[derive(Deserialize)]
struct Goldens {
    texts: Vec<String>,
    input_ids: Vec<Vec<u32>>,
    single_word: String,
    cases: BTreeMap<String, Case>,
    buckets: BTreeMap<String, Vec<i64>>,
    head_texts: Vec<usize>,
    heads: BTreeMap<String, Golden>,
}

#[derive(Deserialize)]
struct Case {
    /// The folder with its weights.
    weights: String,
}

#[derive(Deserialize)]
struct Golden {
    labels: Vec<String>,
    function: Function,
    logits: Vec<Vec<f32>>,
    scores: Vec<Vec<f32>>,
}

fn goldens() -> (Goldens, Vec<Document>) {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let documents = goldens.texts.iter().map(|text| Document::Text(text.clone())).collect();
    (goldens, documents)
}

/// Rows of vectors, under a case's name and `cls`, `mean` or `single`.
struct Vectors(Vec<u8>);

impl Vectors {
    fn read() -> Self {
        Self(file("goldens.safetensors").to_vec())
    }

    fn of(&self, case: &str, kind: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).expect("the fixture is sound");
        let tensor = file.tensor(&format!("{case}.{kind}")).expect("the case has vectors");
        let values = tensor.data().chunks_exact(4);
        values.map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
    }
}

fn file(name: &str) -> Rc<[u8]> {
    std::fs::read(path(&format!("{FOLDER}/{name}"))).expect("a fixture is there").into()
}

/// What the cases share: the files of each folder of weights.
struct Weights(BTreeMap<String, MemoryFolder>);

impl Weights {
    fn read() -> Self {
        let folder = |name: &str| {
            let mut folder = MemoryFolder::new(name, []);
            for file in ["model.safetensors", "vocab.txt", "tokenizer_config.json"] {
                folder.insert(file, self::file(&format!("{name}/{file}")));
            }
            (name.to_owned(), folder)
        };
        Self(["weights", "wide"].map(folder).into())
    }

    /// A whole model.
    fn with(&self, weights: &str, config: &str) -> MemoryFolder {
        let mut folder = self.0[weights].clone();
        folder.insert("config.json", file(&format!("{config}/config.json")));
        folder
    }

    fn of(&self, case: &str, goldens: &Goldens) -> MemoryFolder {
        self.with(&goldens.cases[case].weights, &format!("cases/{case}"))
    }
}

async fn load<B: Backend>(folder: &impl Folder, format: Format, backend: B) -> Specter<B> {
    let options = LoadOptions { format, ..LoadOptions::default() };
    let loaded = Specter::load(folder, options, backend, |_, _| Ok(())).await;
    loaded.unwrap_or_else(|error| panic!("{}: {error}", folder.name()))
}

fn pooled(pooling: Pooling) -> EmbedOptions {
    EmbedOptions { pooling: Some(pooling), normalize: Some(false), ..EmbedOptions::default() }
}

/// How far a vector may be from the reference's; its values are of about 1.
fn tolerance(backend: &impl Backend) -> f32 {
    if backend.device().kind == "webgpu" { 1e-3 } else { 1e-4 }
}

#[test]
fn every_token_id_is_that_of_the_reference_tokenizer() {
    let (goldens, documents) = goldens();
    let specter =
        pollster::block_on(load(&Weights::read().of("semcse", &goldens), Format::F32, Reference::new()));
    for (document, ids) in documents.iter().zip(&goldens.input_ids) {
        let text = document.text(specter.template(), specter.tokenizer().separator());
        assert_eq!(&specter.tokenizer().encode(&text).expect("it encodes"), ids, "{text}");
    }
}

#[test]
fn every_distance_has_the_row_of_the_reference() {
    let (goldens, _) = goldens();
    assert_eq!(goldens.buckets.len(), 3);
    for (name, expected) in &goldens.buckets {
        let (buckets, longest) = name.split_once("_of_").expect("both are named");
        let [buckets, longest] =
            [buckets, longest].map(|number| number.parse::<usize>().expect("it is a number"));
        let relative = RelativeAttention {
            span: buckets,
            buckets: Some(buckets),
            longest,
            content_to_position: true,
            position_to_content: true,
            shared: true,
            normalized: true,
        };
        let rows = relative.rows(expected.len());
        let buckets = i64::try_from(buckets).expect("it is small");
        let row =
            |bucket: i64| u32::try_from((bucket + buckets).clamp(0, 2 * buckets - 1)).expect("it is small");
        let negative = expected.iter().skip(1).rev().map(|&bucket| row(-bucket));
        let expected: Vec<u32> = negative.chain(expected.iter().map(|&bucket| row(bucket))).collect();
        assert_eq!(rows, expected, "{name}");
    }
}

async fn every_configuration_gives_the_vectors_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let ((goldens, documents), vectors, weights) = (goldens(), Vectors::read(), Weights::read());
    assert!(goldens.cases.len() >= 48, "only {} cases", goldens.cases.len());
    let mut worst = 0.0_f32;
    for case in goldens.cases.keys() {
        let mut specter = load(&weights.of(case, &goldens), Format::F32, backend()).await;
        for (pooling, kind) in [(Pooling::Cls, "cls"), (Pooling::Mean, "mean")] {
            let found = specter.embed(&documents, &pooled(pooling), |_, _| Ok(())).await;
            let found = found.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(found.dims, [documents.len(), HIDDEN]);
            let expected = vectors.of(case, kind);
            for (index, (found, expected)) in
                found.data.chunks(HIDDEN).zip(expected.chunks(HIDDEN)).enumerate()
            {
                let difference = largest_difference(found, expected);
                let length = goldens.input_ids[index].len();
                assert!(
                    difference < tolerance(specter.backend()),
                    "{case} {kind} of {length} tokens: differs by {difference}"
                );
                worst = worst.max(difference);
            }
        }
    }
    println!("worst difference {worst:e}");
}

async fn a_single_token_gives_the_vector_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let ((goldens, _), vectors, weights) = (goldens(), Vectors::read(), Weights::read());
    for case in ["semcse", "three_layers_conv_gelu", "every_distance"] {
        let mut folder = weights.of(case, &goldens);
        folder.remove("vocab.txt");
        folder.insert("tokenizer.json", file("bare/tokenizer.json"));
        let mut specter = load(&folder, Format::F32, backend()).await;
        assert_eq!(specter.tokenizer().encode(&goldens.single_word).expect("it encodes").len(), 1);
        let document = [Document::Text(goldens.single_word.clone())];
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let found = specter.embed(&document, &pooled(pooling), |_, _| Ok(())).await.expect("it embeds");
            let difference = largest_difference(&found.data, &vectors.of(case, "single"));
            assert!(difference < tolerance(specter.backend()), "{case} {pooling:?}: differs by {difference}");
        }
    }
}

async fn an_embedding_does_not_depend_on_its_batch_mates<B: Backend>(backend: impl Fn() -> B) {
    let ((goldens, documents), weights) = (goldens(), Weights::read());
    // The second one's convolution sees the neighbours of a token, which must be of its own document.
    for case in ["semcse", "three_layers_conv_gelu"] {
        let mut specter = load(&weights.of(case, &goldens), Format::F32, backend()).await;
        for pooling in [Pooling::Cls, Pooling::Mean] {
            let options = pooled(pooling);
            let together = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            for (document, together) in documents.iter().zip(together.data.chunks(HIDDEN)) {
                let alone = specter.embed(std::slice::from_ref(document), &options, |_, _| Ok(())).await;
                let difference = largest_difference(&alone.expect("it embeds").data, together);
                assert!(difference <= 1e-5, "{case} {document:?} {pooling:?}: differs by {difference}");
            }
        }
    }
}

async fn lower_precision_stays_close_to_float32<B: Backend>(backend: impl Fn() -> B) {
    let ((goldens, documents), vectors, weights) = (goldens(), Vectors::read(), Weights::read());
    // Bars for random weights of width 32, on which a rounding weighs far more than on a trained network. Those of
    // float16 are what the file has.
    for (format, exact, bytes) in
        [(Format::F16, 0.999_99, 0.999_99), (Format::Q8, 0.99, 0.98), (Format::Q4, 0.6, 0.6)]
    {
        for case in ["semcse", "three_layers_conv_gelu", "both_normed_conv_clamped"] {
            let mut specter = load(&weights.of(case, &goldens), format, backend()).await;
            let bar = if inputs_of(specter.backend()) == Inputs::Bytes { bytes } else { exact };
            let found = specter.embed(&documents, &pooled(Pooling::Mean), |_, _| Ok(())).await;
            let expected = vectors.of(case, "mean");
            for (found, expected) in
                found.expect("it embeds").data.chunks(HIDDEN).zip(expected.chunks(HIDDEN))
            {
                let cosine = cosine(found, expected);
                assert!(cosine > bar, "{format:?} {case}: cosine {cosine}");
            }
        }
    }
}

async fn a_model_that_is_a_classifier_gives_the_scores_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let (goldens, documents) = goldens();
    let documents: Vec<Document> = goldens.head_texts.iter().map(|&text| documents[text].clone()).collect();
    assert_eq!(goldens.heads.len(), 3);
    for (case, golden) in &goldens.heads {
        let mut specter = load(&directory(&format!("{FOLDER}/heads/{case}")), Format::F32, backend()).await;
        compare(&mut specter, &documents, golden, case).await;
    }
}

async fn compare<B: Backend>(specter: &mut Specter<B>, documents: &[Document], golden: &Golden, case: &str) {
    let loaded = specter.head(None).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(loaded.labels, golden.labels, "{case}");
    assert_eq!(loaded.function, golden.function, "{case}");
    let tolerance = tolerance(specter.backend());
    for (function, expected) in [(Some(Function::None), &golden.logits), (None, &golden.scores)] {
        let options =
            ClassifyOptions { function, threshold: Some(f32::NEG_INFINITY), ..ClassifyOptions::default() };
        let found = specter.classify(documents, &options, |_, _| Ok(())).await.expect("it classifies");
        assert_eq!(found.len(), expected.len(), "{case}");
        for (mut found, expected) in found.into_iter().zip(expected) {
            found.sort_by_key(|score| score.label);
            let found: Vec<f32> = found.iter().map(|score| score.score).collect();
            let difference = largest_difference(&found, expected);
            assert!(difference < tolerance, "{case} {function:?}: differs by {difference}");
        }
    }
}

#[test]
fn a_pickled_model_gives_the_vectors_of_its_safetensors() {
    let ((_, documents), vectors) = (goldens(), Vectors::read());
    let folder = directory(&format!("{FOLDER}/pickled"));
    pollster::block_on(async {
        let mut specter = load(&folder, Format::F32, Reference::new()).await;
        let found = specter.embed(&documents, &pooled(Pooling::Cls), |_, _| Ok(())).await;
        let difference = largest_difference(&found.expect("it embeds").data, &vectors.of("semcse", "cls"));
        assert!(difference < 1e-4, "differs by {difference}");
        let described = inspect(&folder, None).await.expect("it can be described").to_string();
        println!("{described}");
        assert!(described.contains("DeBERTa-v2"), "{described}");
        for ignored in ["lm_predictions.lm_head.dense.weight", "embeddings.position_ids"] {
            assert!(described.contains(ignored), "{described}");
        }
    });
}

/// An adapter of BERT that has the width and the depth that are here.
#[test]
fn an_adapter_of_another_architecture_is_refused() {
    let adapter = directory("tests/fixtures/tiny-bert/adapters/activation_relu");
    pollster::block_on(async {
        let folder = Weights::read().with("weights", "cases/three_layers_conv_gelu");
        let mut specter = load(&folder, Format::F32, Reference::new()).await;
        let refused = specter.load_adapter("bert", &adapter, || Ok(())).await.expect_err("it is BERT's");
        assert_eq!(refused.code(), "unsupported-adapter");
        assert!(refused.to_string().contains("deberta-v2"), "{refused}");
    });
}

async fn converted(folder: &impl Folder, format: Format) -> MemoryFolder {
    let mut converted = MemoryFolder::new("converted", []);
    let conversion = Conversion::new(format);
    conversion.run(folder, &mut converted, |_, _| Ok(())).await.expect("it converts");
    converted
}

#[test]
fn converting_and_loading_equals_loading_bit_for_bit_and_twice_gives_the_same_bytes() {
    let ((goldens, documents), weights) = (goldens(), Weights::read());
    // Short ones say as much here.
    let documents = &documents[..3];
    let pickled = directory(&format!("{FOLDER}/pickled"));
    pollster::block_on(async {
        for format in Format::ALL {
            for case in [
                "pickled",
                "three_layers_conv_gelu",
                "both_normed_conv_clamped",
                "both_biased_typed_buckets",
                "every_distance",
            ] {
                let (once, direct) = if case == "pickled" {
                    (converted(&pickled, format).await, load(&pickled, format, Reference::new()).await)
                } else {
                    let source = weights.of(case, &goldens);
                    (converted(&source, format).await, load(&source, format, Reference::new()).await)
                };
                let (mut direct, mut stored) = (direct, load(&once, format, Reference::new()).await);
                let options = EmbedOptions::default();
                let direct = direct.embed(documents, &options, |_, _| Ok(())).await.expect("it embeds");
                let stored = stored.embed(documents, &options, |_, _| Ok(())).await.expect("it embeds");
                assert!(direct == stored, "{case} {format:?}");
                let again = converted(&once, format).await;
                assert!(once.get("model.safetensors") == again.get("model.safetensors"), "{case} {format:?}");
            }
        }
    });
}

#[test]
fn a_converted_classifier_is_the_same_classifier() {
    let (goldens, documents) = goldens();
    let documents: Vec<Document> = goldens.head_texts.iter().map(|&text| documents[text].clone()).collect();
    pollster::block_on(async {
        for (case, golden) in &goldens.heads {
            let converted = converted(&directory(&format!("{FOLDER}/heads/{case}")), Format::F32).await;
            let mut specter = load(&converted, Format::F32, Reference::new()).await;
            compare(&mut specter, &documents, golden, case).await;
        }
    });
}

#[test]
fn a_configuration_that_cannot_run_says_why() {
    let weights = Weights::read();
    let cases = [
        ("version_1", "unsupported-model", "first version"),
        ("unknown_term", "unsupported-model", "c2c"),
        ("more_buckets_than_rows", "corrupt-file", "rel_embeddings"),
        ("fewer_buckets_than_rows", "corrupt-file", "rel_embeddings"),
        ("even_convolution", "unsupported-model", "conv_kernel_size"),
        ("grouped_convolution", "unsupported-model", "conv_groups"),
        ("narrow_embeddings", "unsupported-model", "embedding_size"),
        ("other_head_size", "unsupported-model", "attention_head_size"),
        ("terms_without_relative_attention", "unsupported-model", "relative_attention"),
    ];
    for (case, code, word) in cases {
        let folder = weights.with("weights", &format!("refused/{case}"));
        let loaded = Specter::load(&folder, LoadOptions::default(), Reference::new(), |_, _| Ok(()));
        let error = pollster::block_on(loaded).err().unwrap_or_else(|| panic!("{case} is accepted"));
        println!("{}: {error}", error.code());
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    // The same weights under the configuration that they are of.
    let sound = weights.with("weights", "cases/semcse");
    let loaded = Specter::load(&sound, LoadOptions::default(), Reference::new(), |_, _| Ok(()));
    pollster::block_on(loaded).map(drop).expect("what is not spoiled loads");
}
