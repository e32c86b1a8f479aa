//! SentencePiece's Unigram tokenizers, from a `tokenizer.json` and from a `spm.model`, against those of transformers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value};
use specter_web::Error;
use specter_web::folder::{Folder, MemoryFolder};
use specter_web::text::{Template, Tokenizer};

use crate::fixtures::{MiniLm, path, read};

const FOLDER: &str = "tests/fixtures/unigram";

/// Where the ids of texts of your own are, which `tests/fixtures/unigram.py --own` writes.
const OWN: &str = "SPECTER_WEB_OWN_IDS";

#[derive(Deserialize)]
struct Goldens {
    texts: Vec<String>,
    long_texts: Vec<String>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    /// What lies beside `spm.model`.
    files: Option<BTreeMap<String, Value>>,
    /// What `tokenizer.json` has otherwise than the one that is there.
    parts: Option<Map<String, Value>>,
    /// Of `texts`, and for some cases of the papers and the long texts too.
    ids: Vec<Vec<u32>>,
}

/// The texts in their order: odd ones, the papers of the other goldens, long ones.
fn texts(goldens: &Goldens) -> Vec<String> {
    let papers: MiniLm = read("tests/fixtures/minilm/goldens.json");
    let papers = papers
        .papers
        .iter()
        .map(|paper| paper.document().text(&Template::default(), "[SEP]").into_owned())
        .collect::<Vec<_>>();
    assert_eq!(papers.len(), 24);
    goldens.texts.iter().chain(&papers).chain(&goldens.long_texts).cloned().collect()
}

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(path(&format!("{FOLDER}/{file}"))).expect("the fixture is there")
}

fn load(folder: &impl Folder) -> Result<Tokenizer, Error> {
    pollster::block_on(Tokenizer::from_folder(folder, 512, 1280, Some(512)))
}

fn spm(model: &[u8]) -> MemoryFolder {
    MemoryFolder::new("spm", [("spm.model".to_owned(), model.to_vec())])
}

/// The model with another table of characters: field 2 of a `normalizer_spec`, field 3, that is merged into the first.
fn spm_with_table(table: &[u8]) -> MemoryFolder {
    let length = |length: usize| [(length & 0x7f | 0x80) as u8, (length >> 7) as u8];
    let spec = [&[0x12], &length(table.len())[..], table].concat();
    spm(&[&bytes("spm.model")[..], &[0x1a], &length(spec.len()), &spec].concat())
}

/// `tokenizer.json` with some of its parts replaced; a table of characters that is left out is that of the file.
fn with_parts(parts: &Map<String, Value>) -> MemoryFolder {
    let mut tokenizer: Map<String, Value> =
        serde_json::from_slice(&bytes("tokenizer.json")).expect("the fixture parses");
    let table = tokenizer["normalizer"]["normalizers"][1].clone();
    assert_eq!(table["type"], "Precompiled");
    let mut parts = parts.clone();
    for part in parts.values_mut() {
        for member in part.get_mut("normalizers").and_then(Value::as_array_mut).into_iter().flatten() {
            if *member == serde_json::json!({ "type": "Precompiled" }) {
                *member = table.clone();
            }
        }
    }
    tokenizer.append(&mut parts);
    let file = Value::Object(tokenizer).to_string().into_bytes();
    MemoryFolder::new("parts", [("tokenizer.json".to_owned(), file)])
}

fn compare(case: &str, folder: &impl Folder, texts: &[String], ids: &[Vec<u32>]) {
    let tokenizer = load(folder).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert!(ids.len() <= texts.len(), "{case}: there are more ids than texts");
    for (text, ids) in texts.iter().zip(ids) {
        assert_eq!(&tokenizer.encode(text).expect("it encodes"), ids, "{case}: {text:?}");
    }
}

#[test]
fn a_sentencepiece_model_gives_the_ids_of_transformers() {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let texts = texts(&goldens);
    let mut complete = 0;
    for (name, case) in &goldens.cases {
        let Some(files) = &case.files else { continue };
        let mut folder = MemoryFolder::new(name, [("spm.model".to_owned(), bytes("spm.model"))]);
        for (file, value) in files {
            folder.insert(file, value.to_string().into_bytes());
        }
        compare(name, &folder, &texts, &case.ids);
        complete += usize::from(case.ids.len() == texts.len());
    }
    assert!(complete >= 3, "only {complete} cases have the ids of all texts");
}

#[test]
fn a_tokenizer_json_gives_the_ids_of_transformers() {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let texts = texts(&goldens);
    let mut cases = 0;
    for (name, case) in &goldens.cases {
        let Some(parts) = &case.parts else { continue };
        compare(name, &with_parts(parts), &texts, &case.ids);
        cases += 1;
    }
    assert!(cases >= 15, "only {cases} cases have a tokenizer.json");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// `tokenizers` keeps an offset for every byte while a text changes its length, and panics where one is lost.
    #[test]
    fn any_text_becomes_tokens(
        texts in prop::collection::vec("([a-zA-Z. ]|[\t\n\r]|[\u{0}-\u{1f}]|[\u{300}-\u{30c}]|[\u{ff00}-\u{ff5e}]|\\[MASK\\]|.){0,40}", 40),
    ) {
        let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
        let cases = goldens.cases.values().filter_map(|case| case.parts.as_ref());
        for parts in cases {
            let tokenizer = load(&with_parts(parts)).expect("it loads");
            for text in &texts {
                prop_assert!(tokenizer.encode(text).is_ok_and(|ids| ids.len() <= 512));
            }
        }
    }
}

fn refused(folder: &impl Folder, code: &str, word: &str) {
    let error = load(folder).err().unwrap_or_else(|| panic!("{word} is accepted"));
    println!("{}: {error}", error.code());
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(word), "{error}");
}

#[test]
fn what_is_not_run_is_refused_by_name() {
    let parts = |parts: Value| with_parts(parts.as_object().expect("they are an object"));
    let unsupported = |part: Value, word: &str| refused(&parts(part), "unsupported-model", word);
    unsupported(serde_json::json!({ "model": { "type": "BPE", "vocab": {}, "merges": [] } }), "BPE");
    unsupported(serde_json::json!({ "normalizer": { "type": "Nmt" } }), "Nmt");
    unsupported(
        serde_json::json!({ "normalizer": { "type": "Sequence", "normalizers": [{}] } }),
        "of no type",
    );
    unsupported(serde_json::json!({ "pre_tokenizer": { "type": "ByteLevel" } }), "ByteLevel");
    unsupported(
        serde_json::json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": [{ "type": "Digits" }] } }),
        "Digits",
    );
    unsupported(serde_json::json!({ "post_processor": { "type": "ByteLevel" } }), "ByteLevel");
    let replace = |pattern: Value| serde_json::json!({ "normalizer": { "type": "Replace", "pattern": pattern, "content": " " } });
    unsupported(replace(serde_json::json!({ "Regex": "\\d+" })), "d+");

    // A trainer_spec behind another one is merged into it: 3 is the field model_type.
    for (model_type, word) in [(2, "BPE"), (3, "word"), (4, "character")] {
        let model = [bytes("spm.model"), vec![0x12, 2, 3 << 3, model_type]].concat();
        refused(&spm(&model), "unsupported-model", word);
    }
}

#[test]
fn a_broken_tokenizer_is_corrupt() {
    let corrupt = |part: Value, word: &str| {
        refused(&with_parts(part.as_object().expect("it is an object")), "corrupt-file", word);
    };
    let unigram = |vocabulary: Value, unknown: usize| {
        serde_json::json!({
            "model": { "type": "Unigram", "unk_id": unknown, "vocab": vocabulary }, "added_tokens": [],
        })
    };
    corrupt(unigram(serde_json::json!([]), 0), "unknown token is 0");
    corrupt(serde_json::json!({ "added_tokens": [{ "id": 7 }] }), "added token");
    corrupt(
        serde_json::json!({ "post_processor": { "type": "BertProcessing", "sep": ["a"], "cls": ["b", 1] } }),
        "no token",
    );
    corrupt(unigram(serde_json::json!([["", 0]]), 0), "no pieces");
    corrupt(unigram(serde_json::json!([["a", 0]]), 1), "unknown token is 1");
    corrupt(unigram(serde_json::json!([["a"]]), 0), "invalid length");
    let pieces: Vec<Value> = (0..1281).map(|id| serde_json::json!([format!("a{id}"), -1])).collect();
    corrupt(unigram(pieces.into(), 0), "up to id 1280");
    let normalizer = |part: Value| serde_json::json!({ "normalizer": part });
    let sequence = |part: Value, times: usize| {
        normalizer(serde_json::json!({ "type": "Sequence", "normalizers": vec![part; times] }))
    };
    let replace = |pattern: &str, content: &str| serde_json::json!({ "type": "Replace", "pattern": { "String": pattern }, "content": content });
    corrupt(normalizer(replace("", "a")), "what it replaces");
    corrupt(normalizer(serde_json::json!({ "type": "Replace", "pattern": { "String": "a" } })), "no content");
    corrupt(normalizer(serde_json::json!({ "type": "Sequence" })), "normalizers");
    corrupt(normalizer(serde_json::json!({ "type": "Strip" })), "strip_left");
    // Forty of them would make a terabyte of a letter.
    corrupt(sequence(replace("a", "aa"), 40), "as long");
    corrupt(sequence(serde_json::json!({ "type": "Prepend", "prepend": "aa" }), 40), "as long");
    let prefix = serde_json::json!({
        "type": "Metaspace", "replacement": "_", "add_prefix_space": false, "prepend_scheme": "always",
    });
    corrupt(serde_json::json!({ "pre_tokenizer": prefix }), "prepend_scheme");

    let model = bytes("spm.model");
    refused(&spm(&model[..model.len() - 1]), "corrupt-file", "spm.model");
    // Another unk_id, field 40.
    refused(&spm(&[model.clone(), vec![0x12, 4, 0xc0, 2, 0xff, 0x7f]].concat()), "corrupt-file", "16383");
    let mut folder = spm(&model);
    folder
        .insert("tokenizer_config.json", br#"{"additional_special_tokens": [{"lstrip": true}]}"#.as_slice());
    refused(&folder, "corrupt-file", "lstrip");
    assert!(load(&spm(&model)).is_ok());
}

#[test]
fn a_table_of_characters_that_points_outside_itself_is_corrupt() {
    let tokenizer: Value = serde_json::from_slice(&bytes("tokenizer.json")).expect("the fixture parses");
    let table = tokenizer["normalizer"]["normalizers"][1]["precompiled_charsmap"].as_str();
    let with = |table: &str| {
        let part = serde_json::json!({ "type": "Precompiled", "precompiled_charsmap": table });
        with_parts(serde_json::json!({ "normalizer": part }).as_object().expect("it is one"))
    };
    let table = table.expect("it is base64");
    assert!(load(&with(table)).is_ok());
    // No table, one of nothing, a trie of nothing, a unit without the others, a size beyond the end, no base64.
    for broken in ["", "AAAA", "AAAAAA==", "BAAAAAAEAAA=", "/////wAAAAA=", "?", &table[..400], &table[4..]] {
        refused(&with(broken), "corrupt-file", "tokenizer.json");
    }
    // The root alone is marked as a value, which points far away.
    let root =
        spm_with_table(&[&1024_u32.to_le_bytes()[..], &0x8020_0000_u32.to_le_bytes(), &[0; 1020]].concat());
    refused(&root, "corrupt-file", "spm.model");
    assert!(load(&spm_with_table(&[&1024_u32.to_le_bytes()[..], &[0; 1024]].concat())).is_ok());
}

/// Prints how fast it is, too: `cargo test --release --test golden of_your_own -- --ignored --nocapture`
#[test]
#[ignore = "needs the ids that tests/fixtures/unigram.py --own writes, and SPECTER_WEB_OWN_IDS that says where"]
fn texts_of_your_own_get_the_ids_of_transformers() {
    #[derive(Deserialize)]
    struct Own {
        texts: Vec<String>,
        ids: Vec<Vec<u32>>,
    }
    let folder = PathBuf::from(std::env::var_os(OWN).unwrap_or_else(|| panic!("{OWN} names no folder")));
    let ids = std::fs::read_to_string(folder.join("ids.json")).expect("there is an ids.json");
    let own: Own = serde_json::from_str(&ids).expect("it is a list of texts and their ids");
    assert!(!own.texts.is_empty() && own.texts.len() == own.ids.len());
    for file in ["spm.model", "tokenizer.json"] {
        let bytes = std::fs::read(folder.join(file)).expect("the model is there");
        let start = Instant::now();
        let alone = MemoryFolder::new("own", [(file.to_owned(), bytes)]);
        let tokenizer = pollster::block_on(Tokenizer::from_folder(&alone, 512, 200_000, Some(512)));
        let tokenizer = tokenizer.expect("the tokenizer loads");
        let loaded = start.elapsed();
        let start = Instant::now();
        let found: Vec<Vec<u32>> =
            own.texts.iter().map(|text| tokenizer.encode(text).expect("it encodes")).collect();
        let encoded = start.elapsed();
        let words: usize = own.texts.iter().map(|text| text.split_whitespace().count()).sum();
        for ((text, found), ids) in own.texts.iter().zip(&found).zip(&own.ids) {
            assert_eq!(found, ids, "{file}: {text:?}");
        }
        println!(
            "{file}: loaded in {loaded:.1?}; {} texts of {words} words in {encoded:.1?}, {:.1?} for 300 words",
            own.texts.len(),
            encoded * 300 / words as u32
        );
    }
}
