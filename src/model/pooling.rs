//! How token vectors become a document's vector, as the model's files say it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::folder::{Folder, MemoryFolder, read_json};

/// Which token rows make the document's vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The row of `[CLS]`, the first one.
    #[default]
    Cls,
    /// The mean of all rows.
    Mean,
}

impl Pooling {
    /// The name in options: `cls`, `mean`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cls => "cls",
            Self::Mean => "mean",
        }
    }

    /// The pooling of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "cls" => Ok(Self::Cls),
            "mean" => Ok(Self::Mean),
            other => Err(Error::InvalidOption {
                problem: format!("pooling is {other:?}; it can be 'cls' or 'mean'"),
            }),
        }
    }
}

/// What a model does after its last layer unless the caller says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolingDefaults {
    /// Which rows.
    pub pooling: Pooling,
    /// Whether vectors are scaled to length 1.
    pub normalize: bool,
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

/// `1_Pooling/config.json`, in the old spelling with booleans and in the new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the published file has them")]
struct PoolingFile {
    pooling_mode: Option<String>,
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
}

impl PoolingDefaults {
    /// Reads `modules.json` of sentence-transformers and what it points to; a folder without it pools by `[CLS]`
    /// and does not normalize.
    pub async fn from_folder(folder: &impl Folder) -> Result<Self> {
        let modules: Vec<Module> = read_json(folder, "modules.json").await?.unwrap_or_default();
        let mut defaults = Self::default();
        for module in modules {
            match module.kind.rsplit('.').next() {
                Some("Pooling") => {
                    let file = format!("{}/config.json", module.path);
                    let config: PoolingFile = read_json(folder, &file).await?.unwrap_or_default();
                    defaults.pooling = config.pooling()?;
                }
                Some("Normalize") => defaults.normalize = true,
                Some("Transformer") => {}
                _ => {
                    return Err(Error::unsupported(format!(
                        "modules.json has a {} module; Transformer, Pooling and Normalize are run",
                        module.kind
                    )));
                }
            }
        }
        Ok(defaults)
    }

    /// Writes the files that say so, as sentence-transformers does.
    pub fn write(self, folder: &mut MemoryFolder) {
        let kind = |name: &str| format!("sentence_transformers.models.{name}");
        let mut modules = vec![
            json!({ "idx": 0, "name": "0", "path": "", "type": kind("Transformer") }),
            json!({ "idx": 1, "name": "1", "path": "1_Pooling", "type": kind("Pooling") }),
        ];
        if self.normalize {
            modules.push(json!({ "idx": 2, "name": "2", "path": "2_Normalize", "type": kind("Normalize") }));
        }
        folder.insert("modules.json", format!("{:#}\n", Value::from(modules)).into_bytes());
        let pooling = json!({ "pooling_mode": self.pooling.name() });
        folder.insert("1_Pooling/config.json", format!("{pooling:#}\n").into_bytes());
    }
}

impl PoolingFile {
    fn pooling(&self) -> Result<Pooling> {
        match self.pooling_mode.as_deref() {
            Some("cls") => Ok(Pooling::Cls),
            Some("mean") => Ok(Pooling::Mean),
            Some(other) => {
                Err(Error::unsupported(format!("its pooling mode is {other:?}; cls and mean are run")))
            }
            None if self.pooling_mode_mean_tokens && !self.pooling_mode_cls_token => Ok(Pooling::Mean),
            None if self.pooling_mode_cls_token && !self.pooling_mode_mean_tokens => Ok(Pooling::Cls),
            None => Err(Error::unsupported("its pooling is neither by [CLS] nor by mean")),
        }
    }
}
