//! The program, as a person or a pipe runs it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

mod web_server;

use web_server::{Manners, WebServer};

fn fixture(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert").join(below)
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_specter-web"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that stops early closes its end.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the program ends")
}

fn embed(device: &str, more: &[&str], input: &str) -> Output {
    let model = fixture("");
    let mut arguments = vec!["embed", "--model", model.to_str().expect("it is UTF-8"), "--device", device];
    arguments.extend(more);
    run(&arguments, input)
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn vector(line: &Value) -> Vec<f64> {
    line["embedding"].as_array().expect("it is a list").iter().filter_map(Value::as_f64).collect()
}

const PAPERS: &str = r#"{"id": "a", "title": "Citation graphs: a study", "abstract": null}
{"id": 2, "text": "neural networks for scientific text", "venue": "an unknown key"}

{"title": "Protein structure", "abstract": "At low temperature."}
"#;

#[test]
fn vectors_come_out_in_order_and_are_the_same_on_both_devices() {
    let gpu = embed("gpu", &["--dtype", "f32"], PAPERS);
    let cpu = embed("cpu", &["--dtype", "f32"], PAPERS);
    assert!(gpu.status.success(), "{}", String::from_utf8_lossy(&gpu.stderr));
    let (gpu, cpu) = (lines(&gpu), lines(&cpu));
    let ids: Vec<&Value> = gpu.iter().map(|line| &line["id"]).collect();
    assert_eq!(ids, [&Value::from("a"), &Value::from(2), &Value::Null]);
    for (gpu, cpu) in gpu.iter().zip(&cpu) {
        let pairs = vector(gpu).into_iter().zip(vector(cpu));
        assert_eq!(vector(gpu).len(), 32);
        assert!(pairs.into_iter().all(|(gpu, cpu)| (gpu - cpu).abs() < 2e-5));
    }
}

#[test]
fn an_adapter_pooling_and_normalization_can_be_chosen() {
    let adapter = fixture("adapters/seq_bn");
    let adapter = adapter.to_str().expect("it is UTF-8");
    let plain = lines(&embed("cpu", &[], PAPERS));
    let chosen = embed("cpu", &["--adapter", adapter, "--pooling", "mean", "--normalize"], PAPERS);
    let chosen = lines(&chosen);
    assert_ne!(vector(&plain[0]), vector(&chosen[0]));
    let length: f64 = vector(&chosen[0]).iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-5);
}

#[test]
fn a_line_that_cannot_be_used_ends_the_run_with_its_number_unless_it_is_skipped() {
    let input = format!("{PAPERS}not json\n{{\"id\": 5}}\n{PAPERS}");
    let strict = embed("cpu", &[], &input);
    assert!(!strict.status.success());
    assert_eq!(lines(&strict).len(), 3, "good lines before it are out");
    let message = String::from_utf8_lossy(&strict.stderr).into_owned();
    assert!(message.contains("line 5"), "{message}");

    let lenient = embed("cpu", &["--skip-invalid"], &input);
    assert!(lenient.status.success());
    assert_eq!(lines(&lenient).len(), 6);
    let message = String::from_utf8_lossy(&lenient.stderr).into_owned();
    assert!(message.contains("line 5") && message.contains("line 6"), "{message}");
}

#[test]
fn papers_are_classified_by_the_head_of_a_model_of_an_adapter_and_of_a_file() {
    let heads = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/heads");
    let path = |below: &str| heads.join(below).to_str().expect("it is UTF-8").to_owned();
    let classify = |arguments: &[&str]| {
        let mut all = vec!["classify", "--device", "cpu", "--dtype", "f32", "--model"];
        all.extend(arguments);
        run(&all, PAPERS)
    };
    let labels = |output: &Output| -> Vec<Vec<(String, f64)>> {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let label = |label: &Value| {
            (label["label"].as_str().expect("a name").to_owned(), label["score"].as_f64().expect("a score"))
        };
        let labels = |line: &Value| line["labels"].as_array().expect("a list").iter().map(label).collect();
        lines(output).iter().map(labels).collect()
    };

    let model = path("models/single_label");
    let all = classify(&[&model]);
    let ids: Vec<Value> = lines(&all).iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ids, [Value::from("a"), Value::from(2), Value::Null]);
    for scores in labels(&all) {
        assert_eq!(scores.len(), 5);
        assert!((scores.iter().map(|(_, score)| score).sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(scores.is_sorted_by(|(_, one), (_, next)| one >= next));
    }
    let two = labels(&classify(&[&model, "--top-k", "2"]));
    assert!(two.iter().zip(labels(&all)).all(|(two, all)| two[..] == all[..2]));
    let none = labels(&classify(&[&model, "--function", "sigmoid", "--threshold", "1.1"]));
    assert!(none.iter().all(Vec::is_empty));

    let base = fixture("");
    let base = base.to_str().expect("it is UTF-8");
    let adapter = path("adapters/multilabel");
    assert_eq!(labels(&classify(&[base, "--adapter", &adapter, "--threshold", "0"])).len(), 3);
    let alone = path("adapters/alone");
    assert_eq!(labels(&classify(&[base, "--head", &alone])).len(), 3);

    let file = std::env::temp_dir().join(format!("specter-web-head-{}.json", std::process::id()));
    let row = |value: f32| vec![value; 32];
    let saved = serde_json::json!({
        "format": "specter-web head 1", "labels": ["more", "less"], "function": "none",
        "weight": [row(0.0), row(0.0)], "bias": [2.0, -1.0],
    });
    std::fs::write(&file, saved.to_string()).expect("it can be written");
    let linear = labels(&classify(&[base, "--head", file.to_str().expect("it is UTF-8")]));
    std::fs::remove_file(&file).expect("it was written");
    assert!(linear.iter().all(|scores| scores[..] == [("more".to_owned(), 2.0), ("less".to_owned(), -1.0)]));

    let unknown = classify(&[base]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && message.contains("[unknown-head]"), "{message}");
}

#[test]
fn errors_name_their_code_and_what_to_do() {
    let missing = run(&["embed", "--model", "nowhere", "--device", "cpu"], "");
    let message = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(!missing.status.success() && message.contains("model-not-found"), "{message}");
    let dtype = embed("cpu", &["--dtype", "q3"], "");
    let message = String::from_utf8_lossy(&dtype.stderr).into_owned();
    assert!(!dtype.status.success() && message.contains("invalid-option"), "{message}");
}

/// A hub with the files of two fixtures: of SPECTER2's base and of any of its adapters.
fn specter2_hub() -> (WebServer, PathBuf) {
    let folder = std::env::temp_dir().join(format!(
        "specter-web-hub-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it is made");
    for from in [fixture(""), fixture("adapters/seq_bn")] {
        for entry in std::fs::read_dir(from).expect("it is listed").flatten() {
            if entry.path().is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("it is copied");
            }
        }
    }
    (WebServer::start(&folder, Manners::default()), folder)
}

#[test]
fn a_task_of_a_preset_loads_its_adapter_and_no_other() {
    let (hub, folder) = specter2_hub();
    let embed = |more: &[&str]| {
        let mut arguments = vec!["embed", "--model", "specter2", "--device", "cpu", "--hub", &hub.address];
        arguments.extend(more);
        run(&arguments, PAPERS)
    };
    let output = embed(&["--task", "query"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = hub.log.lock().expect("nobody panicked").clone();
    let asked = |id: &str| log.iter().any(|line| line.starts_with(&format!("/{id}/resolve/")));
    assert!(asked("allenai/specter2_base") && asked("allenai/specter2_adhoc_query"), "{log:?}");
    assert!(!asked("allenai/specter2") && !asked("allenai/specter2_classification"), "{log:?}");
    assert_eq!(lines(&output), lines(&embed(&["--adapter", "query"])), "a task is done by its adapter");
    assert_ne!(lines(&output), lines(&embed(&[])));

    let unknown = embed(&["--task", "search"]);
    let message = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(!unknown.status.success() && message.contains("[unknown-task]"), "{message}");
    assert!(message.contains("classification, proximity, query, regression"), "{message}");
    let both = embed(&["--task", "query", "--adapter", "query"]);
    let message = String::from_utf8_lossy(&both.stderr).into_owned();
    assert!(!both.status.success() && message.contains("cannot be used with"), "{message}");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_checkpoint_with_experts_is_run_and_converted_with_what_stands_beside_it_elsewhere() {
    let path = |below: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scimult").join(below);
        path.to_str().expect("it is UTF-8").to_owned()
    };
    let (published, base) = (path("published"), path("base"));
    let parts = ["--weights", "scimult_moe.ckpt", "--base", &base];
    let embed = |model: &str, more: &[&str]| {
        let mut arguments = vec!["embed", "--device", "cpu", "--dtype", "f32", "--model", model];
        arguments.extend(more);
        run(&arguments, PAPERS)
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let search = embed(&published, &[&parts[..], &["--task", "search"]].concat());
    assert!(search.status.success(), "{}", said(&search));
    let classification = embed(&published, &[&parts[..], &["--task", "classification"]].concat());
    assert_ne!(lines(&search), lines(&classification));
    let none = embed(&published, &parts);
    assert!(!none.status.success() && said(&none).contains("[invalid-option]"), "{}", said(&none));
    assert!(said(&none).contains("classification, link-prediction, search"), "{}", said(&none));
    let unknown = embed(&published, &[&parts[..], &["--task", "proximity"]].concat());
    assert!(!unknown.status.success() && said(&unknown).contains("[unknown-task]"), "{}", said(&unknown));
    assert!(said(&unknown).contains("classification, link-prediction, search"), "{}", said(&unknown));

    // Alone, it has no configuration, and the other folder has no weights to give.
    let alone = embed(&published, &["--weights", "scimult_moe.ckpt"]);
    assert!(
        said(&alone).contains("[model-not-found]") && said(&alone).contains("config.json"),
        "{}",
        said(&alone)
    );
    let model = fixture("");
    let without = embed(&published, &["--base", model.to_str().expect("it is UTF-8")]);
    assert!(
        said(&without).contains("[model-not-found]") && said(&without).contains("model.safetensors"),
        "{}",
        said(&without)
    );

    let folder = std::env::temp_dir().join(format!("specter-web-experts-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let converted = folder.to_str().expect("it is UTF-8");
    let mut arguments = vec!["convert", "--model", &published, "--dtype", "f32", "--output", converted];
    arguments.extend(parts);
    let output = run(&arguments, "");
    assert!(output.status.success(), "{}", said(&output));
    let again = embed(converted, &["--task", "search"]);
    assert_eq!(lines(&again), lines(&search), "{}", said(&again));
    let config = std::fs::read_to_string(folder.join("config.json")).expect("it is written");
    let config: Value = serde_json::from_str(&config).expect("it is JSON");
    assert_eq!(config["experts"], serde_json::json!(["search", "link-prediction", "classification"]));
    let mut arguments = vec!["inspect", published.as_str()];
    arguments.extend(parts);
    for arguments in [arguments, vec!["inspect", converted]] {
        let output = run(&arguments, "");
        let description = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", said(&output));
        for task in ["search", "link-prediction", "classification"] {
            assert!(description.contains(task), "{description}");
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_key_reaches_a_base_on_the_model_s_own_server_and_no_other() {
    let key = ["--header", "Authorization: Bearer secret"];
    let manners = Manners { authorization: Some("Bearer secret"), ..Manners::default() };
    let folder = std::env::temp_dir().join(format!("specter-web-own-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("it is made");
    std::fs::copy(fixture("model.safetensors"), folder.join("model.safetensors")).expect("it is copied");

    let own = WebServer::start(&fixture(""), Manners { weights_below: Some("/org/own/"), ..manners });
    let mut arguments =
        vec!["embed", "--device", "cpu", "--model", "org/own", "--base", "org/base", "--hub", &own.address];
    arguments.extend(key);
    let output = run(&arguments, PAPERS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = own.log.lock().expect("nobody panicked").clone();
    assert!(log.iter().any(|line| line.starts_with("/org/base/") && line.ends_with("authorized")), "{log:?}");
    assert!(
        !log.iter().any(|line| line.starts_with("/org/base/") && line.contains("model.safetensors")),
        "{log:?}"
    );

    let weights = WebServer::start(&folder, manners);
    let base = WebServer::start(&fixture(""), Manners::default());
    let mut arguments =
        vec!["embed", "--device", "cpu", "--model", &weights.address, "--base", &base.address];
    arguments.extend(key);
    let output = run(&arguments, PAPERS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = base.log.lock().expect("nobody panicked").clone();
    assert!(!log.is_empty() && !log.iter().any(|line| line.ends_with("authorized")), "{log:?}");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn inspect_says_what_a_folder_is() {
    let inspect = |below: &str| {
        let folder = fixture(below);
        let output = run(&["inspect", folder.to_str().expect("it is UTF-8")], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let model = inspect("");
    assert!(model.contains("layers 3, hidden size 32") && !model.contains("ignored"), "{model}");
    let adapter = inspect("adapters/double_seq_bn");
    assert!(adapter.contains("after attention and after the output"), "{adapter}");
    let with_head = inspect("../heads/adapters/multilabel");
    assert!(with_head.contains("bottleneck adapter") && with_head.contains("sigmoid"), "{with_head}");
    let head = inspect("../heads/adapters/alone");
    assert!(head.contains("head: ") && head.contains("softmax"), "{head}");
    let classifier = inspect("../heads/models/single_label");
    assert!(classifier.contains("head: 5 labels, softmax"), "{classifier}");
}

#[test]
fn converting_twice_gives_the_same_bytes_and_a_folder_that_loads() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folders = ["first", "second"].map(|name| target.join(name));
    for folder in &folders {
        let _ = std::fs::remove_dir_all(folder);
        let model = fixture("");
        let (model, folder) = (model.to_str().expect("UTF-8"), folder.to_str().expect("UTF-8"));
        let output = run(&["convert", "--model", model, "--dtype", "q8", "--output", folder], "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for file in ["config.json", "model.safetensors", "vocab.txt"] {
        let [first, second] =
            folders.each_ref().map(|folder| std::fs::read(folder.join(file)).expect("it is there"));
        assert_eq!(first, second, "{file}");
    }
    let converted = folders[0].to_str().expect("UTF-8");
    let output = run(&["embed", "--model", converted, "--device", "cpu"], PAPERS);
    let quantized = embed("cpu", &["--dtype", "q8"], PAPERS);
    assert!(output.status.success() && output.stdout == quantized.stdout);
}

/// Converts the tiny model from a server: what the program said, the weights, and what was asked of the server.
fn converted_from(manners: Manners, more: &[&str]) -> (Output, Vec<u8>, Vec<String>) {
    let server = WebServer::start(&fixture(""), manners);
    let folder = std::env::temp_dir()
        .join(format!("specter-web-{}-{:?}", std::process::id(), manners).replace([' ', '"', ':'], ""));
    let _ = std::fs::remove_dir_all(&folder);
    let mut arguments = vec!["convert", "--model", "org/tiny", "--hub", &server.address, "--output"];
    arguments.push(folder.to_str().expect("it is UTF-8"));
    arguments.extend(more);
    let output = run(&arguments, "");
    let weights = std::fs::read(folder.join("model.safetensors")).unwrap_or_default();
    let _ = std::fs::remove_dir_all(&folder);
    let log = server.log.lock().expect("nobody panicked").clone();
    (output, weights, log)
}

#[test]
fn a_model_on_a_hub_converts_to_the_same_bytes_however_its_server_behaves() {
    let (output, expected, log) = converted_from(Manners::default(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(log.iter().any(|line| line == "/org/tiny/resolve/main/config.json whole"), "{log:?}");
    assert!(!expected.is_empty());
    for manners in [
        Manners { cut_after: Some(7000), ..Manners::default() },
        Manners { cut_after: Some(7000), redirect: true, ..Manners::default() },
        Manners { no_ranges: true, ..Manners::default() },
        Manners { busy: 3, ..Manners::default() },
    ] {
        let (output, found, log) = converted_from(manners, &[]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && found == expected, "{manners:?}: {message} {log:?}");
        let resumed = log.iter().filter(|line| line.contains("bytes=7000-")).count();
        assert!(manners.cut_after.is_none() || resumed > 0, "{log:?}");
    }
}

#[test]
fn what_cannot_be_read_from_a_hub_says_why_and_leaves_nothing() {
    let failed = |manners, more: &[&str]| {
        let (output, weights, _) = converted_from(manners, more);
        assert!(!output.status.success() && weights.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let secret = Manners { authorization: Some("Bearer secret"), ..Manners::default() };
    let message = failed(secret, &[]);
    assert!(message.contains("[model-not-found]") && message.contains("--header"), "{message}");
    let (output, ..) = converted_from(secret, &["--header", "Authorization: Bearer secret"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A server that cuts the same connection again and again makes no progress.
    let message = failed(Manners { cut_after: Some(0), ..Manners::default() }, &[]);
    assert!(message.contains("[network]"), "{message}");
    let message = failed(Manners { busy: 99, ..Manners::default() }, &[]);
    assert!(message.contains("[network]") && message.contains("429"), "{message}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_said_and_nothing_half_written_stays() {
    let folder = std::env::temp_dir().join(format!("specter-web-full-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).expect("it is made");
    // Whatever is written to this device finds it full.
    std::os::unix::fs::symlink("/dev/full", folder.join("model.safetensors.part")).expect("it is linked");
    let (model, output) = (fixture(""), folder.to_str().expect("it is UTF-8"));
    let model = model.to_str().expect("it is UTF-8");
    let failed = run(&["convert", "--model", model, "--output", output], "");
    let message = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && message.contains("[not-writable]"), "{message}");
    let left = std::fs::read_dir(&folder).expect("it is listed").flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left.filter(|name| name != "vocab.txt" && name != "tokenizer_config.json").collect();
    assert!(left.is_empty(), "{left:?} is there");

    let again = run(&["convert", "--model", model, "--output", output], "");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_key_reaches_the_model_s_own_server_and_no_other() {
    let cdn = WebServer::start(&fixture(""), Manners::default());
    let elsewhere = Some(&*Box::leak(cdn.address.clone().into_boxed_str()));
    let keys = ["--header", "Authorization: Bearer secret", "--header", "X-Key: secret"];
    let (output, _, log) = converted_from(Manners { redirect: true, ..Manners::default() }, &keys);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(log.iter().all(|line| line.ends_with("authorized")), "{log:?}");

    let (output, _, log) = converted_from(Manners { redirect: true, elsewhere, ..Manners::default() }, &keys);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(log.iter().all(|line| line.ends_with("authorized")), "{log:?}");
    let log = cdn.log.lock().expect("nobody panicked").clone();
    assert!(!log.is_empty() && !log.iter().any(|line| line.ends_with("authorized")), "{log:?}");

    // Nor does it go to the server of an adapter.
    let model = WebServer::start(&fixture(""), Manners::default());
    let other = WebServer::start(&fixture("adapters/seq_bn"), Manners::default());
    let (model_address, adapter) =
        (format!("{}/m/?signature=x", model.address), format!("{}/a", other.address));
    let mut arguments = vec!["embed", "--device", "cpu", "--model", &model_address, "--adapter", &adapter];
    arguments.extend(keys);
    let output = run(&arguments, PAPERS);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("signature"));
    let logs = [&model, &other].map(|server| server.log.lock().expect("nobody panicked").clone());
    assert!(
        logs[0].iter().all(|line| line.contains("?signature=x ") && line.ends_with("authorized")),
        "{logs:?}"
    );
    assert!(!logs[1].is_empty() && !logs[1].iter().any(|line| line.ends_with("authorized")), "{logs:?}");
}

#[test]
fn a_model_cannot_write_outside_the_folder_that_is_named() {
    let folder = std::env::temp_dir().join(format!("specter-web-hostile-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let (model, output) = (folder.join("model"), folder.join("output"));
    std::fs::create_dir_all(model.join("secret")).expect("it is made");
    for entry in std::fs::read_dir(fixture("")).expect("it is listed").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), model.join(entry.file_name())).expect("it is copied");
        }
    }
    let outside = folder.join("outside");
    let modules = serde_json::json!([
        { "type": "x.Transformer", "path": outside.to_str().expect("it is UTF-8") },
        { "type": "x.Transformer", "path": "../outside" },
    ]);
    std::fs::write(model.join("modules.json"), modules.to_string()).expect("it is written");
    let server = WebServer::start(&model, Manners::default());
    let output = output.to_str().expect("it is UTF-8");
    let converted = run(&["convert", "--model", &server.address, "--output", output], "");
    assert!(converted.status.success(), "{}", String::from_utf8_lossy(&converted.stderr));
    assert!(!outside.exists());
    let again = run(&["convert", "--model", &server.address, "--output", output], "");
    let message = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && message.contains("already"), "{message}");
    let _ = std::fs::remove_dir_all(&folder);
}
