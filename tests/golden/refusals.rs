//! Files that are not what they should be: each is refused with its code, and nothing half-loaded is left.

use specter_web::Error;
use specter_web::engine::reference::Reference;
use specter_web::folder::MemoryFolder;
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::Document;

use crate::fixtures::{directory, path};

const MODEL: &str = "tests/fixtures/tiny-bert";

/// The tiny model with some files replaced, or taken away where there are no bytes.
fn with(files: &[(&str, Option<String>)]) -> MemoryFolder {
    let mut folder = MemoryFolder::new("altered", []);
    for file in ["config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"] {
        folder.insert(file, std::fs::read(path(&format!("{MODEL}/{file}"))).expect("the fixture is there"));
    }
    for (file, text) in files {
        match text {
            Some(text) => folder.insert(*file, text.clone().into_bytes()),
            None => folder.remove(file),
        }
    }
    folder
}

fn load(folder: &MemoryFolder) -> Result<Specter<Reference>, Error> {
    pollster::block_on(Specter::load(folder, LoadOptions::default(), Reference::new(), |_, _| Ok(())))
}

fn refused(files: &[(&str, Option<String>)], code: &str, word: &str) {
    let error = load(&with(files)).err().unwrap_or_else(|| panic!("{word} is accepted"));
    println!("{}: {error}", error.code());
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(word), "{error}");
}

fn config(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut config = crate::fixtures::read(&format!("{MODEL}/config.json"));
    change(&mut config);
    config.to_string()
}

#[test]
fn a_model_with_something_wrong_says_what_it_is() {
    refused(&[("config.json", None)], "model-not-found", "config.json");
    refused(&[("vocab.txt", None)], "model-not-found", "tokenizer.json");
    refused(&[("model.safetensors", None)], "model-not-found", "model.safetensors");
    refused(&[("config.json", Some("{".into()))], "corrupt-file", "config.json");
    refused(
        &[("config.json", Some(config(|c| c["model_type"] = "gpt2".into())))],
        "unsupported-model",
        "gpt2",
    );
    refused(&[("config.json", Some(config(|c| c["hidden_size"] = 48.into())))], "unsupported-model", "48");
    refused(
        &[("config.json", Some(config(|c| c["is_decoder"] = true.into())))],
        "unsupported-model",
        "decoder",
    );
    refused(
        &[("config.json", Some(config(|c| c["hidden_act"] = "swiglu".into())))],
        "unsupported-model",
        "swiglu",
    );
    // Every tensor of a fourth layer is missing, and the error says how many.
    refused(
        &[("config.json", Some(config(|c| c["num_hidden_layers"] = 4.into())))],
        "corrupt-file",
        "lacks 16 tensors",
    );
    refused(&[("config.json", Some(config(|c| c["vocab_size"] = 246.into())))], "corrupt-file", "[245, 32]");
}

#[test]
fn a_tokenizer_that_lies_is_refused_before_it_is_trusted() {
    let tokenizer = |post_processor: &str| {
        Some(format!(
            r###"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
                "pre_tokenizer": {{"type": "BertPreTokenizer"}}, "post_processor": {post_processor}, "decoder": null,
                "model": {{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                           "max_input_chars_per_word": 100, "vocab": {{"[UNK]": 1, "a": 9}}}}}}"###
        ))
    };
    let template = |pieces: &str, ids: &str| {
        tokenizer(&format!(
            r#"{{"type": "TemplateProcessing", "single": {pieces}, "pair": [],
                "special_tokens": {{"[CLS]": {{"id": "[CLS]", "ids": {ids}, "tokens": ["[CLS]"]}}}}}}"#
        ))
    };
    let sequence = r#"{"Sequence": {"id": "A", "type_id": 0}}"#;
    let special =
        |name: &str| format!(r#"[{{"SpecialToken": {{"id": "{name}", "type_id": 0}}}}, {sequence}]"#);
    load(&with(&[("tokenizer.json", template(&special("[CLS]"), "[2]"))]))
        .map(drop)
        .expect("an honest one loads");
    let refused =
        |file: Option<String>, word: &str| refused(&[("tokenizer.json", file)], "corrupt-file", word);
    refused(template(&special("[NONE]"), "[2]"), "[NONE]");
    refused(template(&special("[CLS]"), "[4000]"), "4000");
    refused(template(r#"[{"Sequence": {"id": "B", "type_id": 0}}]"#, "[2]"), "second");
    let many =
        std::iter::repeat_n(r#"{"SpecialToken": {"id": "[CLS]", "type_id": 0}}"#, 70).collect::<Vec<_>>();
    refused(template(&format!("[{},{sequence}]", many.join(",")), "[2]"), "special tokens");

    // Without a template an empty text has no token at all, which no batch can hold.
    let mut specter = load(&with(&[("tokenizer.json", tokenizer("null"))])).expect("it loads");
    let empty = [Document::Text(String::new())];
    let embedded = pollster::block_on(specter.embed(&empty, &EmbedOptions::default(), |_, _| Ok(())));
    assert!(embedded.is_err_and(|error| error.code() == "corrupt-file"));
}

#[test]
fn an_adapter_of_another_network_is_refused_and_a_stopped_one_leaves_nothing() {
    let shallow = with(&[]);
    let mut specter = load(&shallow).expect("the fixture loads");
    let folder = directory(&format!("{MODEL}/adapters/seq_bn"));

    let stopped = pollster::block_on(specter.load_adapter("mine", &folder, || Err(Error::Aborted)));
    assert!(stopped.is_err_and(|error| error.code() == "aborted"));
    assert_eq!(specter.adapters().count(), 0);

    let unknown = EmbedOptions { adapter: Some("mine".into()), ..EmbedOptions::default() };
    let error =
        pollster::block_on(specter.embed(&[], &unknown, |_, _| Ok(()))).expect_err("it is not loaded");
    assert_eq!(error.code(), "unknown-adapter");
    assert!(specter.unload_adapter("mine").is_err());

    // The same weights under a config of two layers: the adapter has bottlenecks for three.
    let two = with(&[("config.json", Some(config(|c| c["num_hidden_layers"] = 2.into())))]);
    let mut specter = load(&two).expect("a shallower network loads");
    let error =
        pollster::block_on(specter.load_adapter("mine", &folder, || Ok(()))).expect_err("it is deeper");
    println!("{error}");
    assert_eq!(error.code(), "unsupported-adapter");
    assert!(error.to_string().contains("3 layers"), "{error}");
}
