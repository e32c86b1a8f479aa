//! The files beside the weights, which are small: they are read first and as a whole, so that whoever asks for one finds
//! it in memory, and what cannot be used says so before anything large is read.

use serde_json::Value;

use super::AdapterConfig;
use super::head::HeadConfig;
use crate::error::Result;
use crate::folder::{Folder, MemoryFolder, read_file, read_json};

/// Of a model. A vocabulary is read where there is no `tokenizer.json`.
const OF_A_MODEL: [&str; 4] =
    ["config.json", "tokenizer_config.json", "modules.json", "sentence_bert_config.json"];

/// The files of a tokenizer, of which the first that is there is enough.
const TOKENIZERS: [&str; 3] = ["tokenizer.json", "vocab.txt", SENTENCE_PIECE];

/// A model of SentencePiece, and what else its special tokens are named in.
const SENTENCE_PIECE: &str = "spm.model";
const BESIDE_SENTENCE_PIECE: [&str; 2] = ["special_tokens_map.json", "added_tokens.json"];

/// All files of a model but its weights.
pub async fn of_a_model(folder: &impl Folder) -> Result<MemoryFolder> {
    let mut small = MemoryFolder::new(folder.name(), []);
    for name in OF_A_MODEL {
        copy(folder, name, &mut small).await?;
    }
    for name in TOKENIZERS {
        copy(folder, name, &mut small).await?;
        if small.get(name).is_some() {
            break;
        }
    }
    if small.get(SENTENCE_PIECE).is_some() {
        for name in BESIDE_SENTENCE_PIECE {
            copy(folder, name, &mut small).await?;
        }
    }
    let modules: Vec<Value> = read_json(&small, "modules.json").await?.unwrap_or_default();
    let is_pooling = |module: &&Value| {
        module.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with(".Pooling"))
    };
    let paths = modules.iter().filter(is_pooling).filter_map(|module| module.get("path")?.as_str());
    for path in paths {
        copy(folder, &format!("{path}/config.json"), &mut small).await?;
    }
    Ok(small)
}

/// All files of an adapter, a head or both but their weights.
pub async fn of_a_part(folder: &impl Folder) -> Result<MemoryFolder> {
    let mut small = MemoryFolder::new(folder.name(), []);
    for name in [AdapterConfig::FILE, HeadConfig::FILE] {
        copy(folder, name, &mut small).await?;
    }
    Ok(small)
}

async fn copy(folder: &impl Folder, name: &str, small: &mut MemoryFolder) -> Result<()> {
    if let Some(bytes) = read_file(folder, name).await? {
        small.insert(name, bytes);
    }
    Ok(())
}
