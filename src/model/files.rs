//! The files beside the weights, which are small: they are read first and as a whole, so that whoever asks for one finds
//! it in memory, and what cannot be used says so before anything large is read.

use serde_json::Value;

use super::AdapterConfig;
use super::head::HeadConfig;
use crate::error::Result;
use crate::folder::{Folder, MemoryFolder, read_file, read_json};

/// Of a model. Where there is a `tokenizer.json`, a vocabulary beside it is not read.
const OF_A_MODEL: [&str; 6] = [
    "config.json",
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "modules.json",
    "sentence_bert_config.json",
];

/// All files of a model but its weights.
pub async fn of_a_model(folder: &impl Folder) -> Result<MemoryFolder> {
    let mut small = MemoryFolder::new(folder.name(), []);
    for name in OF_A_MODEL {
        if name == "vocab.txt" && small.get("tokenizer.json").is_some() {
            continue;
        }
        copy(folder, name, &mut small).await?;
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
