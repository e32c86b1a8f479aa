//! A small checkpoint in SciMult's container: each task gives the vectors of a plain BERT with the experts of that task.
//!
//! `tests/fixtures/scimult.py` writes the goldens, in double precision.

use std::collections::BTreeMap;

use serde::Deserialize;
use specter_web::Error;
use specter_web::engine::Backend;
use specter_web::engine::reference::Reference;
use specter_web::folder::{Folder, MemoryFolder};
use specter_web::task::convert::Conversion;
use specter_web::task::inspect::inspect;
use specter_web::task::{ClassifyOptions, EmbedOptions, HeadOptions, HeadSource, LoadOptions, Specter, Task};
use specter_web::text::{Document, Template};
use specter_web::weights::Format;

use crate::devices::on_every_device;
use crate::fixtures::{Paper, directory, largest_difference, path, read};

const FOLDER: &str = "tests/fixtures/scimult";
const HIDDEN: usize = 32;
/// In the order of the experts.
const TASKS: [&str; 3] = ["search", "link-prediction", "classification"];

on_every_device!(
    every_task_gives_the_vectors_of_a_bert_with_its_experts,
    experts_are_on_the_device_once_and_switching_uploads_nothing,
);

#[derive(Deserialize)]
struct Goldens {
    papers: Vec<Paper>,
    input_ids: Vec<Vec<u32>>,
    cases: BTreeMap<String, BTreeMap<String, Vec<Vec<f32>>>>,
}

fn goldens() -> (Goldens, Vec<Document>) {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let documents = goldens.papers.iter().map(Paper::document).collect();
    (goldens, documents)
}

/// A checkpoint with what belongs beside it, which may lie in another folder.
fn folder(checkpoint: &str, beside: &str) -> (MemoryFolder, String) {
    let (_, file) = checkpoint.rsplit_once('/').expect("it is in a folder");
    let mut folder = MemoryFolder::new(checkpoint, []);
    let read = |file: String| std::fs::read(path(&format!("{FOLDER}/{file}"))).expect("a fixture is there");
    folder.insert(file, read(checkpoint.to_owned()));
    for file in ["config.json", "vocab.txt", "tokenizer_config.json"] {
        folder.insert(file, read(format!("{beside}/{file}")));
    }
    (folder, file.to_owned())
}

fn case(case: &str) -> (MemoryFolder, String) {
    match case {
        "published" => folder("published/scimult_moe.ckpt", "base"),
        case => folder(&format!("{case}/scimult_{case}.ckpt"), case),
    }
}

fn options(weights: String) -> LoadOptions {
    LoadOptions { format: Format::F32, weights: Some(weights), ..LoadOptions::default() }
}

async fn load<B: Backend>(name: &str, backend: B) -> Specter<B> {
    let (folder, weights) = case(name);
    let loaded = Specter::load(&folder, options(weights), backend, |_, _| Ok(())).await;
    loaded.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The options of a call for a task; a model without experts has the one task `none`.
fn embed_options(task: &str) -> EmbedOptions {
    EmbedOptions { task: (task != "none").then(|| task.to_owned()), ..EmbedOptions::default() }
}

async fn vectors<B: Backend>(specter: &mut Specter<B>, documents: &[Document], task: &str) -> Vec<f32> {
    let found = specter.embed(documents, &embed_options(task), |_, _| Ok(())).await;
    found.unwrap_or_else(|error| panic!("{task}: {error}")).data
}

/// How far a vector may be from the reference's; its values are of about 1.
fn tolerance(backend: &impl Backend) -> f32 {
    if backend.device().kind == "webgpu" { 1e-3 } else { 1e-4 }
}

#[test]
fn every_token_id_is_that_of_the_reference_tokenizer() {
    let (goldens, documents) = goldens();
    let specter = pollster::block_on(load("published", Reference::new()));
    for (document, ids) in documents.iter().zip(&goldens.input_ids) {
        let text = document.text(specter.template(), specter.tokenizer().separator());
        assert_eq!(&specter.tokenizer().encode(&text).expect("it encodes"), ids, "{document:?}");
    }
}

async fn every_task_gives_the_vectors_of_a_bert_with_its_experts<B: Backend>(backend: impl Fn() -> B) {
    let (goldens, documents) = goldens();
    assert_eq!(goldens.cases.keys().collect::<Vec<_>>(), ["mean_pool", "published", "vanilla"]);
    let mut worst = 0.0_f32;
    for (case, tasks) in &goldens.cases {
        let mut specter = load(case, backend()).await;
        assert_eq!(tasks.len(), if case == "vanilla" { 1 } else { 3 });
        // Twice, to see that a task is not what the one before it has left.
        for (task, expected) in tasks.iter().chain(tasks) {
            let found = vectors(&mut specter, &documents, task).await;
            assert_eq!(found.len(), expected.len() * HIDDEN);
            for (found, expected) in found.chunks(HIDDEN).zip(expected) {
                let difference = largest_difference(found, expected);
                assert!(difference < tolerance(specter.backend()), "{case} {task}: differs by {difference}");
                worst = worst.max(difference);
            }
        }
    }
    println!("worst difference {worst:e}");
}

async fn experts_are_on_the_device_once_and_switching_uploads_nothing<B: Backend>(backend: impl Fn() -> B) {
    let (_, documents) = goldens();
    let mut resident = BTreeMap::new();
    for case in ["vanilla", "mean_pool"] {
        let mut specter = load(case, backend()).await;
        let before = specter.backend().memory().weights;
        for task in if case == "vanilla" { vec!["none"] } else { TASKS.to_vec() } {
            vectors(&mut specter, &documents, task).await;
            assert_eq!(specter.backend().memory().weights, before, "{case} {task}");
        }
        resident.insert(case, before);
    }
    // One of both layers has experts. Two more than one of each: queries, keys, values, outputs.
    let experts = (2 * 4 * (HIDDEN * HIDDEN + HIDDEN) * 4) as u64;
    println!("shared {} + experts {experts} = {} bytes", resident["vanilla"], resident["mean_pool"]);
    assert_eq!(resident["mean_pool"], resident["vanilla"] + experts);
}

async fn refused<B: Backend>(specter: &mut Specter<B>, options: &EmbedOptions) -> Error {
    let text = [Document::Text("text".to_owned())];
    let error = specter.embed(&text, options, |_, _| Ok(())).await.expect_err("it is refused");
    println!("{}: {error}", error.code());
    error
}

#[test]
fn a_model_with_experts_asks_for_a_task() {
    pollster::block_on(async {
        let mut specter = load("published", Reference::new()).await;
        let error = refused(&mut specter, &EmbedOptions::default()).await;
        assert_eq!(error.code(), "invalid-option");
        for task in TASKS {
            assert!(error.to_string().contains(task), "{error}");
        }
        let error = refused(&mut specter, &embed_options("poetry")).await;
        assert_eq!(error.code(), "unknown-task");
        for task in TASKS.into_iter().chain(["poetry"]) {
            assert!(error.to_string().contains(task), "{error}");
        }
        let both = EmbedOptions { adapter: Some("mine".to_owned()), ..embed_options("search") };
        let error = refused(&mut specter, &both).await;
        assert_eq!(error.code(), "invalid-option");
        assert!(error.to_string().contains("adapter"), "{error}");

        let mut specter = load("vanilla", Reference::new()).await;
        let error = refused(&mut specter, &embed_options("search")).await;
        assert_eq!(error.code(), "unknown-task");
    });
}

#[test]
fn tasks_can_be_called_otherwise() {
    let (goldens, documents) = goldens();
    let (folder, weights) = case("published");
    let task = Task { experts: Some(2), ..Task::default() };
    let options = LoadOptions { tasks: [("labels".to_owned(), task)].into(), ..options(weights) };
    pollster::block_on(async {
        let loaded = Specter::load(&folder, options, Reference::new(), |_, _| Ok(())).await;
        let mut specter = loaded.expect("it loads");
        let found = vectors(&mut specter, &documents, "labels").await;
        let expected = goldens.cases["published"]["classification"].concat();
        assert!(largest_difference(&found, &expected) < 1e-4);
    });
}

/// A head of published files says nothing of experts.
#[test]
fn a_head_on_a_model_with_experts_asks_for_a_task() {
    let head = directory("tests/fixtures/heads/adapters/alone");
    pollster::block_on(async {
        let (_, documents) = goldens();
        let mut specter = load("published", Reference::new()).await;
        let load_head = async |specter: &mut Specter<Reference>, task: Option<&str>| {
            let options = HeadOptions { task: task.map(str::to_owned), ..HeadOptions::default() };
            specter.load_head("mine", HeadSource::Folder(&head), options).await
        };
        let refused = load_head(&mut specter, None).await.expect_err("no task is given");
        assert_eq!(refused.code(), "unsupported-head");
        assert!(refused.to_string().contains("link-prediction"), "{refused}");
        let mut scores = Vec::new();
        for task in TASKS {
            load_head(&mut specter, Some(task)).await.expect("the task is known");
            let options = ClassifyOptions { head: Some("mine".to_owned()), ..ClassifyOptions::default() };
            let found = specter.classify(&documents, &options, |_, _| Ok(())).await.expect("it classifies");
            scores.push(format!("{found:?}"));
        }
        assert!(scores[0] != scores[1] && scores[1] != scores[2] && scores[0] != scores[2]);
    });
}

/// A task that says how papers become texts goes where the model's task of its name went.
#[test]
fn a_task_that_is_changed_keeps_its_experts() {
    pollster::block_on(async {
        let (folder, weights) = case("published");
        let title = Template::new("{title}").expect("it is a template");
        let changed = Task { template: Some(title.clone()), ..Task::default() };
        let options =
            LoadOptions { tasks: BTreeMap::from([("search".to_owned(), changed)]), ..options(weights) };
        let specter = Specter::load(&folder, options, Reference::new(), |_, _| Ok(())).await;
        let way = specter.and_then(|specter| specter.way(Some("search"), None)).expect("it has experts");
        assert_eq!((way.experts, way.template), (Some(0), title));
    });
}

async fn converted(folder: &impl Folder, weights: Option<&str>, format: Format) -> MemoryFolder {
    let mut converted = MemoryFolder::new("converted", []);
    let conversion = Conversion { weights, ..Conversion::new(format) };
    conversion.run(folder, &mut converted, |_, _| Ok(())).await.expect("it converts");
    converted
}

#[test]
fn converting_and_loading_equals_loading_bit_for_bit_and_twice_gives_the_same_bytes() {
    let (goldens, documents) = goldens();
    pollster::block_on(async {
        for (name, tasks) in &goldens.cases {
            for format in Format::ALL {
                let (source, weights) = case(name);
                let once = converted(&source, Some(&weights), format).await;
                assert!(once == converted(&source, Some(&weights), format).await, "{name} {format:?}");
                // It has become a model like any other, of which no name is needed.
                assert!(once.get(&weights).is_none());
                let again = converted(&once, None, format).await;
                assert!(once.get("model.safetensors") == again.get("model.safetensors"), "{name} {format:?}");

                let options = LoadOptions { format, ..LoadOptions::default() };
                let direct = LoadOptions { weights: Some(weights), ..options.clone() };
                let direct = Specter::load(&source, direct, Reference::new(), |_, _| Ok(())).await;
                let stored = Specter::load(&once, options, Reference::new(), |_, _| Ok(())).await;
                let (mut direct, mut stored) =
                    (direct.expect("it loads"), stored.expect("what was converted loads"));
                for task in tasks.keys() {
                    let direct = vectors(&mut direct, &documents, task).await;
                    assert_eq!(
                        direct,
                        vectors(&mut stored, &documents, task).await,
                        "{name} {task} {format:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn a_converted_checkpoint_names_its_tasks_and_how_it_pools() {
    pollster::block_on(async {
        for name in ["published", "mean_pool", "vanilla"] {
            let (source, weights) = case(name);
            let converted = converted(&source, Some(&weights), Format::F32).await;
            let file = |name: &str| -> serde_json::Value {
                serde_json::from_slice(converted.get(name).expect("it was written")).expect("it is JSON")
            };
            let experts = if name == "vanilla" { serde_json::Value::Null } else { TASKS.to_vec().into() };
            assert_eq!(file("config.json")["experts"], experts, "{name}");
            let is_mean = name == "mean_pool";
            // What a folder without these files does anyway is not written.
            assert_eq!(converted.get("modules.json").is_some(), is_mean, "{name}");
            if is_mean {
                assert_eq!(file("1_Pooling/config.json")["pooling_mode"], "mean");
                assert!(file("modules.json").to_string().contains("Normalize"));
            }
            let weights = converted.get("model.safetensors").expect("it has weights");
            let tensors = safetensors::SafeTensors::deserialize(weights).expect("it is sound");
            let mut names = tensors.names().into_iter();
            let foreign = names.find(|name| name.contains("_model.") || name.contains("exp_avg"));
            assert_eq!(foreign, None, "{name}");

            let described = inspect(&converted, None).await.expect("it can be described").to_string();
            println!("{described}");
            for task in TASKS {
                assert_eq!(described.contains(task), name != "vanilla", "{described}");
            }
        }
    });
}

#[test]
fn a_checkpoint_that_cannot_run_says_why() {
    let cases = [
        ("missing_expert", "corrupt-file", "moe_key"),
        ("learned_gate", "unsupported-model", "use_infer_expert"),
        ("projection", "unsupported-model", "projection_dim"),
        ("feed_forward_experts", "unsupported-model", "moe_layer"),
        ("two_encoders", "unsupported-model", "ctx_model"),
    ];
    for (case, code, word) in cases {
        let (folder, weights) = folder(&format!("refused/{case}.ckpt"), "mean_pool");
        let loaded = Specter::load(&folder, options(weights), Reference::new(), |_, _| Ok(()));
        let error = pollster::block_on(loaded).err().unwrap_or_else(|| panic!("{case} is accepted"));
        println!("{}: {error}", error.code());
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}
