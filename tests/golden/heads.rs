//! Heads of transformers and of the adapters library give the scores that their libraries give.
//!
//! The goldens are logits in double precision and what the library makes of them; `tests/fixtures/make.py` writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use specter_web::Error;
use specter_web::engine::Backend;
use specter_web::engine::reference::Reference;
use specter_web::folder::{Directory, MemoryFolder};
use specter_web::model::head::{Function, HeadInput, SavedHead};
use specter_web::task::convert::Conversion;
use specter_web::task::fit::FitOptions;
use specter_web::task::{
    ClassifyOptions, EmbedOptions, HeadOptions, HeadSource, LoadOptions, RankOptions, Score, Similarity,
    Specter,
};
use specter_web::text::Document;
use specter_web::weights::Format;
use specter_web_fit::{ClassWeights, Kind, Options, Targets};

use crate::devices::on_every_device;
use crate::fixtures::{Paper, directory, path, read};

const BASE: &str = "tests/fixtures/tiny-bert";
const HEADS: &str = "tests/fixtures/heads";

#[derive(Deserialize)]
struct Goldens {
    papers: Vec<Paper>,
    models: BTreeMap<String, Golden>,
    adapters: BTreeMap<String, Golden>,
}

#[derive(Deserialize)]
struct Golden {
    adapter: Option<String>,
    labels: Vec<String>,
    function: Function,
    logits: Vec<Vec<f32>>,
    scores: Vec<Vec<f32>>,
}

fn goldens() -> (Goldens, Vec<Document>) {
    let goldens: Goldens = read(&format!("{HEADS}/goldens.json"));
    let documents = goldens.papers.iter().map(Paper::document).collect();
    (goldens, documents)
}

async fn load<B: Backend>(folder: &Directory, format: Format, backend: B) -> Specter<B> {
    let options = LoadOptions { format, ..LoadOptions::default() };
    Specter::load(folder, options, backend, |_, _| Ok(())).await.expect("it loads")
}

/// All scores of a document in the order of the labels.
/// What makes the vectors of a call.
fn input_of<B: Backend>(specter: &Specter<B>, adapter: Option<&str>) -> HeadInput {
    specter.way(None, adapter).and_then(|way| specter.input(&way)).expect("the adapter is loaded")
}

fn in_order(scores: &[Score]) -> Vec<f32> {
    let mut sorted = scores.to_vec();
    sorted.sort_by_key(|score| score.label);
    sorted.iter().map(|score| score.score).collect()
}

fn options(head: &str, function: Option<Function>) -> ClassifyOptions {
    ClassifyOptions {
        head: Some(head.to_owned()),
        function,
        threshold: Some(f32::NEG_INFINITY),
        ..Default::default()
    }
}

async fn compare<B: Backend>(
    specter: &mut Specter<B>,
    documents: &[Document],
    head: &str,
    golden: &Golden,
    case: &str,
) {
    let loaded = specter.head(Some(head)).expect("it is loaded");
    assert_eq!(loaded.labels, golden.labels, "{case}");
    assert_eq!(loaded.function, golden.function, "{case}");
    for (function, expected) in [(Some(Function::None), &golden.logits), (None, &golden.scores)] {
        let found = specter.classify(documents, &options(head, function), |_, _| Ok(())).await;
        let found = found.expect("it classifies");
        assert_eq!(found.len(), expected.len(), "{case}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.is_sorted_by(|x, y| x.score >= y.score), "{case}: {found:?}");
            for (found, expected) in in_order(found).iter().zip(expected) {
                let tolerance = 1e-4 * expected.abs().max(1.0);
                assert!((found - expected).abs() <= tolerance, "{case}: {found} is not {expected}");
            }
        }
    }
}

async fn a_model_that_is_a_classifier_gives_the_scores_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let (goldens, documents) = goldens();
    assert_eq!(goldens.models.len(), 5);
    for (case, golden) in &goldens.models {
        let folder = directory(&format!("{HEADS}/models/{case}"));
        let mut specter = load(&folder, Format::F32, backend()).await;
        compare(&mut specter, &documents, "classifier", golden, case).await;
        // What is only said once need not be named.
        let unnamed = specter.classify(&documents, &ClassifyOptions::default(), |_, _| Ok(())).await;
        assert_eq!(unnamed.expect("it is the only one").len(), documents.len());
    }
}

async fn a_head_of_adapters_gives_the_scores_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let (goldens, documents) = goldens();
    assert_eq!(goldens.adapters.len(), 14);
    let mut specter = load(&directory(BASE), Format::F32, backend()).await;
    for (case, golden) in &goldens.adapters {
        let folder = directory(&format!("{HEADS}/adapters/{case}"));
        if golden.adapter.is_some() {
            specter.load_adapter(case, &folder, || Ok(())).await.expect("it loads");
        } else {
            let source = HeadSource::Folder(&folder);
            specter.load_head(case, source, HeadOptions::default()).await.expect("it loads");
        }
    }
    // All of them are there at once, and none is in another's way.
    for (case, golden) in &goldens.adapters {
        compare(&mut specter, &documents, case, golden, case).await;
    }
    assert_eq!(specter.heads().count(), 14);
    for case in goldens.adapters.iter().filter(|(_, golden)| golden.adapter.is_some()).map(|(case, _)| case) {
        specter.unload_adapter(case).expect("it is loaded");
    }
    assert_eq!(specter.heads().count(), 1, "heads go with the adapters that they read");
}

async fn labels_are_ranked_by_the_inner_product_of_their_vectors<B: Backend>(backend: impl Fn() -> B) {
    let (_, documents) = goldens();
    let mut specter = load(&directory(BASE), Format::F32, backend()).await;
    let embedded =
        specter.embed(&documents, &EmbedOptions::default(), |_, _| Ok(())).await.expect("it embeds");
    let hidden = embedded.dims[1];
    // Enough that the best few are found on the device, and a number that is no multiple of anything.
    let count = 301;
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let vectors: Vec<f32> = (0..count * hidden).map(|_| random()).collect();
    let labels: Vec<String> = (0..count).map(|label| format!("label {label}")).collect();
    let input = input_of(&specter, None);
    specter.load_labels(7, labels, vectors.clone(), &input, Similarity::Product).await.expect("they load");

    for top_k in [1, 5, 128, 301, 1000] {
        let options = RankOptions { task: None, adapter: None, pooling: None, normalize: None, top_k };
        let ranked = specter.rank_labels(&documents, 7, &options, |_, _| Ok(())).await.expect("it ranks");
        assert_eq!(ranked.len(), documents.len());
        for (document, ranked) in embedded.data.chunks(hidden).zip(&ranked) {
            let products =
                vectors.chunks(hidden).map(|label| label.iter().zip(document).map(|(x, y)| x * y).sum());
            let products: Vec<f32> = products.collect();
            assert_eq!(ranked.len(), top_k.min(count));
            for Score { label, score } in ranked {
                assert!((score - products[*label]).abs() < 1e-3, "{score} is not {}", products[*label]);
            }
            assert!(ranked.is_sorted_by(|x, y| x.score >= y.score));
            let mut best = products.clone();
            best.sort_by(|x, y| y.total_cmp(x));
            assert!((ranked.last().expect("there is one").score - best[ranked.len() - 1]).abs() < 1e-3);
        }
    }
    specter.unload_labels(7);
    let options = RankOptions { task: None, adapter: None, pooling: None, normalize: None, top_k: 1 };
    assert!(specter.rank_labels(&documents, 7, &options, |_, _| Ok(())).await.is_err());
}

#[derive(Deserialize)]
struct PaperField {
    labels: Vec<String>,
    titles: Vec<String>,
    logits: Vec<Vec<f32>>,
}

async fn the_example_that_is_shipped_gives_the_logits_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let goldens: PaperField = read("tests/fixtures/paper_field/goldens.json");
    let titles: Vec<Document> = goldens.titles.iter().cloned().map(Document::Text).collect();
    for (format, tolerance) in [(Format::F32, 1e-4), (Format::Q8, 0.15)] {
        let mut specter = load(&directory("models/all-MiniLM-L6-v2"), format, backend()).await;
        let folder = directory("examples/paper-field/adapter");
        specter.load_adapter("field", &folder, || Ok(())).await.expect("it loads");
        assert_eq!(specter.head(None).expect("it is the only one").labels, goldens.labels);
        let found = specter.classify(&titles, &options("field", Some(Function::None)), |_, _| Ok(())).await;
        let found = found.expect("it classifies");
        assert_eq!(found.len(), goldens.logits.len());
        for (found, expected) in found.iter().zip(&goldens.logits) {
            for (found, expected) in in_order(found).iter().zip(expected) {
                assert!((found - expected).abs() <= tolerance, "{format:?}: {found} is not {expected}");
            }
        }
    }
}

#[derive(Deserialize)]
struct Learned {
    strength: f64,
    multinomial: LearnedHead,
    #[serde(rename = "one-vs-rest")]
    one_vs_rest: LearnedHead,
    ridge: LearnedHead,
}

#[derive(Deserialize)]
struct LearnedHead {
    labels: Option<serde_json::Value>,
    values: Option<Vec<f64>>,
    scores: Vec<Vec<f32>>,
}

async fn a_head_that_is_learned_gives_the_scores_of_scikit_learn<B: Backend>(backend: impl Fn() -> B) {
    let learned: Learned = read("tests/fixtures/learned/goldens.json");
    let (_, documents) = goldens();
    let mut specter = load(&directory(BASE), Format::F32, backend()).await;
    let json = |value: &Option<serde_json::Value>| value.clone().expect("it has labels");
    let labels = serde_json::from_value(json(&learned.multinomial.labels)).expect("one each");
    let sets = serde_json::from_value(json(&learned.one_vs_rest.labels)).expect("a set each");
    for (golden, targets) in [
        (&learned.multinomial, Targets::Labels(labels)),
        (&learned.one_vs_rest, Targets::LabelSets(sets)),
        (&learned.ridge, Targets::Values(learned.ridge.values.clone().expect("it has values"))),
    ] {
        let kind = Kind::of(&targets);
        let class_weights = if kind == Kind::OneVsRest { ClassWeights::Balanced } else { ClassWeights::None };
        let learning = Options { strengths: vec![learned.strength], class_weights, ..Options::new(kind) };
        let fit = FitOptions { task: None, adapter: None, pooling: None, normalize: None, learning };
        let saved = specter.fit("mine", &documents, &targets, &fit, async |_| Ok(()), |_, _| Ok(())).await;
        let saved = saved.expect("there is something to learn");
        assert_eq!(saved.training.expect("it was trained").kind, kind.to_string());
        let found = specter.classify(&documents, &options("mine", None), |_, _| Ok(())).await;
        for (found, expected) in found.expect("it classifies").iter().zip(&golden.scores) {
            for (found, expected) in in_order(found).iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= 2e-4 * expected.abs().max(1.0),
                    "{kind}: {found}, {expected}"
                );
            }
        }
    }
}

on_every_device!(
    the_example_that_is_shipped_gives_the_logits_of_its_library,
    a_head_that_is_learned_gives_the_scores_of_scikit_learn,
    a_model_that_is_a_classifier_gives_the_scores_of_its_library,
    a_head_of_adapters_gives_the_scores_of_its_library,
    labels_are_ranked_by_the_inner_product_of_their_vectors,
);

fn on_reference<T>(test: impl AsyncFnOnce(Specter<Reference>) -> T) -> T {
    pollster::block_on(async {
        let specter = load(&directory(BASE), Format::F32, Reference::new()).await;
        test(specter).await
    })
}

#[test]
fn a_converted_head_is_the_same_head() {
    let (goldens, documents) = goldens();
    for (case, golden) in goldens.models.iter().chain(&goldens.adapters) {
        let kind = if goldens.models.contains_key(case) { "models" } else { "adapters" };
        let source = directory(&format!("{HEADS}/{kind}/{case}"));
        pollster::block_on(async {
            let mut converted = MemoryFolder::new("converted", []);
            Conversion::new(Format::F32)
                .run(&source, &mut converted, |_, _| Ok(()))
                .await
                .expect("it converts");
            let backend = Reference::new();
            let load_options = LoadOptions { format: Format::F32, ..LoadOptions::default() };
            if kind == "models" {
                let specter = Specter::load(&converted, load_options, backend, |_, _| Ok(())).await;
                compare(&mut specter.expect("it loads"), &documents, "classifier", golden, case).await;
                return;
            }
            let mut specter = load(&directory(BASE), Format::F32, backend).await;
            if golden.adapter.is_some() {
                specter.load_adapter(case, &converted, || Ok(())).await.expect("it loads");
            } else {
                let source = HeadSource::Folder(&converted);
                specter.load_head(case, source, HeadOptions::default()).await.expect("it loads");
            }
            compare(&mut specter, &documents, case, golden, case).await;
        });
    }
}

#[test]
fn thresholds_leave_out_what_does_not_reach_them() {
    let (goldens, documents) = goldens();
    let golden = &goldens.models["multi_label"];
    let folder = directory(&format!("{HEADS}/models/multi_label"));
    let mut specter = pollster::block_on(load(&folder, Format::F32, Reference::new()));
    let mut classified = |options: ClassifyOptions| {
        pollster::block_on(specter.classify(&documents, &options, |_, _| Ok(()))).expect("it classifies")
    };
    let expected = |at_least: f32| -> Vec<usize> {
        let count = |scores: &Vec<f32>| scores.iter().filter(|&&score| score >= at_least).count();
        golden.scores.iter().map(count).collect()
    };
    let counts = |scores: Vec<Vec<Score>>| -> Vec<usize> { scores.iter().map(Vec::len).collect() };
    assert!(expected(0.5).iter().any(|&count| count > 0 && count < 28), "the goldens show something");
    assert_eq!(counts(classified(ClassifyOptions::default())), expected(0.5));
    let half = ClassifyOptions { threshold: Some(0.3), ..Default::default() };
    assert_eq!(counts(classified(half)), expected(0.3));
    let three = ClassifyOptions { threshold: Some(0.0), top_k: Some(3), ..Default::default() };
    assert_eq!(counts(classified(three)), vec![3; documents.len()]);
    let none = ClassifyOptions { top_k: Some(0), ..Default::default() };
    assert_eq!(counts(classified(none)), vec![0; documents.len()]);
    // One label alone.
    let thresholds = BTreeMap::from([(golden.labels[4].clone(), 0.0)]);
    let one = classified(ClassifyOptions { threshold: Some(1.1), thresholds, ..Default::default() });
    assert!(one.iter().all(|scores| scores.len() == 1 && scores[0].label == 4));
}

#[test]
fn a_model_whose_own_head_cannot_be_run_still_embeds() {
    let source = path(&format!("{HEADS}/models/single_label"));
    let mut folder = MemoryFolder::new("altered", []);
    for file in ["config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"] {
        folder.insert(file, std::fs::read(source.join(file)).expect("the fixture is there"));
    }
    let mut config: serde_json::Value = read(&format!("{HEADS}/models/single_label/config.json"));
    config["id2label"] = serde_json::json!({ "0": "same", "1": "same" });
    folder.insert("config.json", config.to_string().into_bytes());
    pollster::block_on(async {
        let loaded = Specter::load(&folder, LoadOptions::default(), Reference::new(), |_, _| Ok(())).await;
        let mut specter = loaded.expect("it loads");
        let text = [Document::Text("text".to_owned())];
        specter.embed(&text, &EmbedOptions::default(), |_, _| Ok(())).await.expect("it embeds");
        let refused = specter.classify(&text, &ClassifyOptions::default(), |_, _| Ok(())).await;
        let error = refused.expect_err("two labels have one name");
        println!("{}: {error}", error.code());
        assert_eq!(error.code(), "unsupported-head");
        assert!(error.to_string().contains("twice"), "{error}");
    });
}

#[test]
fn a_head_that_cannot_be_run_says_why() {
    let cases = [
        ("tagging", "unsupported-head", "tagging"),
        ("multiple_choice", "unsupported-head", "multiple_choice"),
        ("too_few_labels", "unsupported-head", "label2id"),
        ("repeated_label", "unsupported-head", "label2id"),
        ("wrong_shape", "corrupt-file", "shape"),
        ("missing_bias", "corrupt-file", "bias"),
        ("not_a_number", "corrupt-file", "finite"),
    ];
    on_reference(async |mut specter| {
        for (case, code, word) in cases {
            let folder = directory(&format!("{HEADS}/refused/{case}"));
            let loaded = specter.load_head(case, HeadSource::Folder(&folder), HeadOptions::default()).await;
            let error = loaded.err().unwrap_or_else(|| panic!("{case} is accepted"));
            println!("{}: {error}", error.code());
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert_eq!(specter.heads().count(), 0);
        let unknown = specter.classify(&[], &ClassifyOptions::default(), |_, _| Ok(())).await;
        assert_eq!(unknown.err().map(|error| error.code().to_owned()).as_deref(), Some("unknown-head"));
    });
}

type Change = dyn Fn(&mut serde_json::Value);

#[test]
fn a_saved_head_meets_only_the_vectors_that_it_was_trained_on() {
    on_reference(async |mut specter| {
        let adapter = directory(&format!("{HEADS}/adapters/layers_1"));
        specter.load_adapter("one", &adapter, || Ok(())).await.expect("it loads");
        let input = input_of(&specter, Some("one"));
        let saved = SavedHead {
            format: SavedHead::FORMAT.to_owned(),
            labels: vec!["a".to_owned(), "b".to_owned()],
            function: Function::Softmax,
            weight: vec![vec![0.5; 32], vec![-0.5; 32]],
            bias: vec![0.0, 1.0],
            input: Some(input),
            training: None,
        };
        let good = serde_json::to_value(&saved).expect("it is JSON");
        let load = async |specter: &mut Specter<Reference>, change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = good.clone();
            change(&mut json);
            let json = json.to_string();
            specter
                .load_head("mine", HeadSource::<Directory>::Json(json.as_bytes()), HeadOptions::default())
                .await
        };
        load(&mut specter, &|_| ()).await.expect("it is as it was saved");
        assert_eq!(specter.head(Some("mine")).expect("it is loaded").way.adapter.as_deref(), Some("one"));

        let refused: [(&Change, &str); 9] = [
            (&|json| json["input"]["fingerprint"] = "0123".into(), "other weights"),
            (&|json| json["input"]["dtype"] = "q8".into(), "q8"),
            (&|json| json["input"]["template"] = "{title}".into(), "{title}"),
            (&|json| json["input"]["adapter"]["fingerprint"] = "0123".into(), "\"one\""),
            (&|json| json["format"] = "something else".into(), "something else"),
            (&|json| json["labels"][1] = "a".into(), "twice"),
            (&|json| json["bias"] = serde_json::json!([0.0]), "biases"),
            (&|json| json["weight"][0] = serde_json::json!([0.0]), "1 weights"),
            (&|json| json["weight"][0][3] = serde_json::Value::Null, "null"),
        ];
        for (change, word) in refused {
            let error =
                load(&mut specter, change).await.err().unwrap_or_else(|| panic!("{word} is accepted"));
            println!("{}: {error}", error.code());
            assert_eq!(error.code(), "unsupported-head", "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert!(specter.head(Some("mine")).is_ok(), "what was there before stays");
        specter.unload_adapter("one").expect("it is loaded");
        let error = load(&mut specter, &|_| ()).await.expect_err("its adapter has gone");
        assert!(error.to_string().contains("adapter"), "{error}");
    });
}

#[test]
fn labels_that_are_none_are_refused() {
    on_reference(async |mut specter| {
        let input = input_of(&specter, None);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let many = (0..=100_000).map(|label| label.to_string()).collect::<Vec<_>>();
        for (labels, values, word) in [
            (names(&[]), 0, "there is none"),
            (names(&["a", "a"]), 64, "twice"),
            (names(&["a", "b"]), 63, "63"),
            (many, 32, "100001"),
        ] {
            let refused =
                specter.load_labels(0, labels, vec![0.0; values], &input, Similarity::Product).await;
            let error: Error = refused.expect_err(word);
            println!("{}: {error}", error.code());
            assert_eq!(error.code(), "invalid-input");
            assert!(error.to_string().contains(word), "{error}");
        }
        let refused =
            specter.load_labels(0, names(&["a"]), vec![f32::NAN; 32], &input, Similarity::Product).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("finite")));
    });
}
