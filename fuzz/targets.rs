//! What is fuzzed: the readers of everything that a stranger's model folder may hold. Each takes bytes for a file and
//! ends, whatever they are; that it ends in a result and not in a panic is all that is asked.
//!
//! `fuzz_targets/` hands them to libFuzzer, `tests/fuzz.rs` to a short run with every test.

#![allow(dead_code, reason = "each fuzz target uses one of these functions, the test all of them")]

use pollster::block_on;
use specter_web::folder::MemoryFolder;
use specter_web::model::head::{HeadConfig, SavedHead};
use specter_web::model::{AdapterConfig, network};
use specter_web::task::inspect::inspect;
use specter_web::text::Tokenizer;
use specter_web::weights::Checkpoint;

/// A small BERT, whose files are replaced one at a time.
const TINY: [(&str, &[u8]); 4] = [
    ("config.json", include_bytes!("../tests/fixtures/tiny-bert/config.json")),
    ("vocab.txt", include_bytes!("../tests/fixtures/tiny-bert/vocab.txt")),
    ("tokenizer_config.json", include_bytes!("../tests/fixtures/tiny-bert/tokenizer_config.json")),
    ("model.safetensors", include_bytes!("../tests/fixtures/tiny-bert/model.safetensors")),
];

/// What stands in front of the state dict in a file of 2019: a magic number, a protocol, facts about a machine.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";

fn tiny(replaced: &str, bytes: &[u8]) -> MemoryFolder {
    let mut folder = MemoryFolder::new("tiny", TINY.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    folder.insert(replaced, bytes);
    folder
}

fn weights(file: &str, bytes: &[u8]) {
    let folder = MemoryFolder::new("m", [(file.to_owned(), bytes.to_vec())]);
    if let Ok(Some(checkpoint)) = block_on(Checkpoint::open(&folder, file, network::canonical_name)) {
        let _ = checkpoint.parameter("mean_pool");
        for tensor in checkpoint.tensors() {
            let _ = block_on(checkpoint.vector(tensor));
        }
    }
}

/// A file of `torch.save` that may hold a state dict alone, and the same as a training checkpoint.
fn pickled(bytes: &[u8]) {
    weights("pytorch_model.bin", bytes);
    weights("model.ckpt", bytes);
}

/// A safetensors file.
pub(crate) fn safetensors(bytes: &[u8]) {
    weights("model.safetensors", bytes);
}

/// The state dict of a file of 2019, the keys of its storages, and the storages.
pub(crate) fn pickle(bytes: &[u8]) {
    pickled(&[LEGACY, bytes].concat());
}

/// A zip archive of `torch.save`.
pub(crate) fn zip(bytes: &[u8]) {
    pickled(bytes);
}

/// The first byte, a digit, says which file of settings the rest is.
pub(crate) fn config(bytes: &[u8]) {
    let Some((&which, bytes)) = bytes.split_first() else { return };
    let names = ["config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"];
    match names.get(usize::from(which.wrapping_sub(b'0') % 5)) {
        Some(&name) => {
            let mut folder = tiny(name, bytes);
            if name == "1_Pooling/config.json" {
                let modules = br#"[{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
                folder.insert("modules.json", modules.as_slice());
            }
            let _ = block_on(inspect(&folder, None));
        }
        None => {
            let _ = block_on(AdapterConfig::from_folder(&tiny("adapter_config.json", bytes), "mine", None));
        }
    }
}

/// The first byte, a digit, says whether the rest is a head of the adapters library or one that was saved here.
pub(crate) fn head(bytes: &[u8]) {
    let Some((&which, bytes)) = bytes.split_first() else { return };
    if which.wrapping_sub(b'0') % 2 == 0 {
        let folder = MemoryFolder::new("head", [(HeadConfig::FILE.to_owned(), bytes.to_vec())]);
        if let Ok(Some(head)) = block_on(HeadConfig::from_folder(&folder, "mine", None)) {
            let _ = head.tensors();
        }
    } else if let Ok(saved) = SavedHead::from_json(bytes, "mine", 4) {
        let _ = saved.weights();
    }
}

/// The first byte, a digit, says which file of a tokenizer the rest is; the last three lie beside a `spm.model`.
pub(crate) fn tokenizer(bytes: &[u8]) {
    let Some((&which, bytes)) = bytes.split_first() else { return };
    let names = [
        "tokenizer.json",
        "tokenizer.json",
        "vocab.txt",
        "tokenizer_config.json",
        "spm.model",
        "special_tokens_map.json",
        "added_tokens.json",
    ];
    let which = usize::from(which.wrapping_sub(b'0')) % (names.len() + 1);
    // The eighth is the other reader of a tokenizer_config.json.
    let name = names.get(which).copied().unwrap_or("tokenizer_config.json");
    let mut folder = tiny(name, bytes);
    if which > 3 {
        folder.remove("vocab.txt");
        if name != "spm.model" {
            folder.insert("spm.model", include_bytes!("seeds/tokenizer/spm").get(1..).unwrap_or_default());
        }
    }
    if let Ok(tokenizer) = block_on(Tokenizer::from_folder(&folder, 64, 1024, None)) {
        for text in [
            "",
            "a",
            "  \u{1}\u{301}\u{feff}",
            "Graph neural networks [SEP] é 中文 \u{0}\u{fffd} ﬁ İ",
            "[CLS] [MASK]  x\t\n\r\n \u{1100}\u{1161} e\u{301}\u{323}👩\u{200d}🔬",
            "\u{fdfa}\u{2581}\u{2581}(a),b;\u{1}\u{1}™\u{1e}g",
        ] {
            let _ = tokenizer.encode(text);
        }
        let _ = tokenizer.encode(&"word ".repeat(300));
        let _ = tokenizer.encode(&"x".repeat(300));
    }
}
