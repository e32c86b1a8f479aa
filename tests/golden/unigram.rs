//! SentencePiece's Unigram tokenizers, from a `tokenizer.json` and from a `spm.model`, against those of transformers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

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
    // Thirty of them would make a gigabyte of a letter.
    corrupt(sequence(replace("a", "aa"), 30), "as long");
    corrupt(sequence(serde_json::json!({ "type": "Prepend", "prepend": "aa" }), 30), "as long");
    // A letter that is written in three bytes becomes eighteen letters, five of which become it again.
    let rounds = [replace("\u{644}", "\u{fdfa}"), serde_json::json!({ "type": "NFKD" })];
    let rounds: Vec<&Value> = rounds.iter().cycle().take(16).collect();
    corrupt(normalizer(serde_json::json!({ "type": "Sequence", "normalizers": rounds })), "as long");
    // Each puts two spaces around a Chinese character.
    let bert = serde_json::json!({
        "type": "BertNormalizer", "clean_text": false, "handle_chinese_chars": true, "strip_accents": false,
        "lowercase": false,
    });
    corrupt(sequence(bert, 8), "as long");
    let strip = serde_json::json!({ "type": "Strip", "strip_left": true, "strip_right": true });
    corrupt(sequence(strip.clone(), 10_000), "10000 normalizers");
    let nested = sequence(strip, 10)["normalizer"].clone();
    corrupt(sequence(nested, 3), "33 normalizers");
    let split = |parts: Vec<Value>| serde_json::json!({ "pre_tokenizer": { "type": "Sequence", "pretokenizers": parts } });
    corrupt(split(vec![serde_json::json!({ "type": "WhitespaceSplit" }); 33]), "33 pretokenizers");
    // The pieces of a word are as many as the Fibonacci numbers are large.
    let metaspace = |space: &str| serde_json::json!({ "type": "Metaspace", "replacement": space });
    let spaces = ["_", "+"].into_iter().cycle().take(30).map(metaspace);
    corrupt(split(spaces.collect()), "30 parts of type Metaspace");

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
fn a_tokenizer_made_to_fill_the_memory_is_corrupt() {
    let corrupt = |part: Value, word: &str| {
        refused(&with_parts(part.as_object().expect("it is an object")), "corrupt-file", word);
    };
    let unigram = |vocabulary: Value| serde_json::json!({ "model": { "type": "Unigram", "unk_id": 0, "vocab": vocabulary } });
    corrupt(unigram(serde_json::json!([["a".repeat((4 << 20) + 1), 0]])), "4194305 bytes");
    corrupt(unigram(vec![serde_json::json!(["a", 0]); (1 << 20) + 1].into()), "1048577 pieces");
    // A piece of nothing is two bytes of a spm.model.
    refused(&spm(&b"\x0a\x00".repeat((1 << 20) + 1)), "corrupt-file", "1048577 pieces");

    let added = |contents: Vec<String>, normalized: bool| {
        let token = |content| serde_json::json!({ "content": content, "normalized": normalized });
        serde_json::json!({ "added_tokens": contents.into_iter().map(token).collect::<Vec<_>>() })
    };
    corrupt(added(vec!["a".repeat(1025)], false), "1025 bytes");
    let many = (0..4100).map(|number| format!("{number:1024}")).collect();
    corrupt(added(many, false), "4194304 bytes together");
    // Each of them becomes a megabyte.
    let mut grown = added((0..5).map(|number| format!("{number:a>1024}")).collect(), true);
    grown["normalizer"] =
        serde_json::json!({ "type": "Replace", "pattern": { "String": "a" }, "content": "b".repeat(1024) });
    corrupt(grown, "4194304 bytes together");

    let template = |pieces: Vec<Value>, ids: usize| {
        serde_json::json!({ "post_processor": {
            "type": "TemplateProcessing", "single": pieces,
            "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": vec![1; ids], "tokens": [] } },
        } })
    };
    let text = serde_json::json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let special = serde_json::json!({ "SpecialToken": { "id": "[CLS]", "type_id": 0 } });
    corrupt(template(vec![text.clone(), text.clone()], 1), "more than once");
    corrupt(template(vec![special.clone(), text.clone()], 513), "more than 512 special tokens");
    corrupt(template(vec![special.clone(); 513], 0), "more than 512 special tokens");
    assert!(load(&with_parts(template(vec![special, text], 1).as_object().expect("it is one"))).is_ok());
}

#[test]
fn special_tokens_made_to_exhaust_their_reader_are_read_soon() {
    // A few hundred milliseconds, in truth; the bound is for a busy machine.
    let soon = |folder: &MemoryFolder| {
        let start = Instant::now();
        refused(folder, "corrupt-file", "up to id");
        assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
    };
    let names: Vec<String> = (0..200_000).map(|number| format!("a{number}")).collect();
    let list =
        |names: &[String]| serde_json::json!({ "additional_special_tokens": names }).to_string().into_bytes();
    let mut folder = spm(&bytes("spm.model"));
    folder.insert("tokenizer_config.json", list(&names));
    soon(&folder);
    let others: Vec<String> = names.iter().map(|name| format!("{name}b")).collect();
    folder.insert("special_tokens_map.json", list(&others));
    soon(&folder);
    let ids: Map<String, Value> =
        names.iter().zip(2000..).map(|(name, id)| (name.clone(), id.into())).collect();
    folder.remove("special_tokens_map.json");
    folder.insert("added_tokens.json", Value::Object(ids).to_string().into_bytes());
    soon(&folder);
}

/// A text is not read to its end where its first tokens are all that is asked for.
#[test]
fn a_text_that_is_cut_has_the_first_tokens_of_the_whole() {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let texts: Vec<String> = texts(&goldens).windows(3).map(|texts| texts.join(" ")).collect();
    let open = |folder: &MemoryFolder, length: usize| {
        pollster::block_on(Tokenizer::from_folder(folder, 4096, 1280, Some(length))).expect("it loads")
    };
    for (name, case) in &goldens.cases {
        let folder = match (&case.files, &case.parts) {
            (Some(files), _) => {
                let mut folder = spm(&bytes("spm.model"));
                for (file, value) in files {
                    folder.insert(file, value.to_string().into_bytes());
                }
                folder
            }
            (_, Some(parts)) => with_parts(parts),
            _ => continue,
        };
        let whole = open(&folder, 4096);
        for length in [4, 16, 64] {
            let cut = open(&folder, length);
            for text in &texts {
                let (all, first) = (whole.encode(text), cut.encode(text));
                let (all, first) = (all.expect("it encodes"), first.expect("it encodes"));
                // The last one may stand for the end.
                let ids = first.len().saturating_sub(1);
                assert_eq!(first[..ids], all[..ids], "{name}, {length} tokens of {text:?}");
            }
        }
    }
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
