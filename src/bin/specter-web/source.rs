//! Where the command line reads a model or an adapter from: a directory, an address, a hub, or a preset's name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use specter_web::engine::loading::{PICKLED_WEIGHTS, WEIGHTS};
use specter_web::folder::{Directory, DirectoryFile, File, Folder};
use specter_web::model::Pooling;
use specter_web::task::Task;
use specter_web::text::Template;
use specter_web::{Error, Result};

use crate::http::{HttpFile, HttpFolder};

/// What is needed to read from elsewhere.
#[derive(Args, Clone)]
pub(crate) struct Remote {
    /// The address of the hub that ids such as `allenai/specter2_base` refer to.
    #[arg(long, env = "HF_ENDPOINT", default_value = "https://huggingface.co")]
    hub: String,
    /// The revision of a hub id; without it, that of the preset, or `main`.
    #[arg(long)]
    revision: Option<String>,
    /// A header for the model's own server, as in "Authorization: Bearer …"; may be repeated.
    #[arg(long)]
    header: Vec<String>,
}

/// What is said of a model whose own folder does not have all of it.
#[derive(Args, Clone, Default)]
pub(crate) struct Parts {
    /// Where files are read from that the model's folder does not have, such as config.json and the tokenizer, and never
    /// weights: a directory, an address or a hub id; without it, what the preset says.
    #[arg(long)]
    base: Option<String>,
    /// The name of the file with the weights, where it is neither model.safetensors nor `pytorch_model.bin`; without it,
    /// what the preset says.
    #[arg(long)]
    weights: Option<String>,
}

/// A model as it is found: its files, the name of its weights where it is an unusual one, and the preset, if it is one.
pub(crate) struct Model {
    pub(crate) folder: Completed,
    pub(crate) weights: Option<String>,
    pub(crate) preset: Option<Preset>,
}

/// A place that answers from another one what it does not have itself, but for weights and its card. What belongs together
/// is read from one of the two: a tokenizer, and how a model is configured and pooled.
#[derive(Debug)]
pub(crate) struct Completed {
    own: Source,
    base: Option<Source>,
    weights: Option<String>,
    has_config: OnceLock<bool>,
    has_tokenizer: OnceLock<bool>,
}

/// The files of a tokenizer, of which one is enough, and what may stand beside it.
const TOKENIZERS: [&str; 3] = ["tokenizer.json", "vocab.txt", "spm.model"];
const BESIDE_TOKENIZER: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// With the `config.json` of each module, these say how a model that is configured elsewhere was used there.
const POOLING: [&str; 2] = ["modules.json", "sentence_bert_config.json"];

/// A place that holds a model or an adapter.
#[derive(Debug)]
pub(crate) enum Source {
    /// On this machine.
    Directory(Directory),
    /// Elsewhere.
    Http(HttpFolder),
}

/// An open file of a [`Source`].
pub(crate) enum SourceFile {
    Directory(DirectoryFile),
    Http(HttpFile),
}

/// The part of `www/presets.js` that matters here; the command line and the browser read the same file.
#[derive(Deserialize)]
pub(crate) struct Preset {
    id: String,
    revision: String,
    weights: Option<String>,
    base: Option<Repository>,
    adapters: BTreeMap<String, Repository>,
    tasks: BTreeMap<String, PresetTask>,
    pub(crate) template: Option<String>,
    pub(crate) pooling: Option<String>,
    pub(crate) normalize: Option<bool>,
    pub(crate) function: Option<String>,
}

/// A folder on a hub that a preset knows.
#[derive(Deserialize)]
struct Repository {
    id: String,
    revision: String,
}

/// A task that a preset knows. How its vectors are compared is for whoever compares them.
#[derive(Deserialize)]
struct PresetTask {
    adapter: Option<String>,
    experts: Option<usize>,
    template: Option<String>,
    pooling: Option<String>,
    normalize: Option<bool>,
}

impl Preset {
    /// The tasks, as a load takes them.
    pub(crate) fn tasks(&self) -> Result<BTreeMap<String, Task>> {
        let tasks = self.tasks.iter().map(|(name, task)| {
            let task = Task {
                adapter: task.adapter.clone(),
                experts: task.experts,
                template: task.template.as_deref().map(Template::new).transpose()?,
                pooling: task.pooling.as_deref().map(Pooling::from_name).transpose()?,
                normalize: task.normalize,
            };
            Ok((name.clone(), task))
        });
        tasks.collect()
    }

    /// The name of the adapter that does a task, where one does.
    pub(crate) fn adapter_of(&self, task: &str) -> Result<Option<&str>> {
        let known = || self.tasks.keys().cloned().collect();
        let unknown = || Error::UnknownTask { name: task.to_owned(), known: known() };
        Ok(self.tasks.get(task).ok_or_else(unknown)?.adapter.as_deref())
    }
}

const PRESETS: &str = include_str!("../../../www/presets.js");

/// The preset of a name, if there is one.
fn preset(name: &str) -> anyhow::Result<Option<Preset>> {
    let json = PRESETS.find('{').zip(PRESETS.rfind('}')).and_then(|(start, end)| PRESETS.get(start..=end));
    let mut presets: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json.unwrap_or_default()).context("the presets cannot be read")?;
    Ok(presets.remove(name).map(serde_json::from_value).transpose()?)
}

impl Model {
    /// The model that a name means.
    pub(crate) fn new(name: &str, parts: &Parts, remote: &Remote) -> anyhow::Result<Self> {
        let (own, preset) = Source::new(name, remote)?;
        let known = preset.as_ref();
        let weights = parts.weights.clone().or(known.and_then(|preset| preset.weights.clone()));
        let base = match (&parts.base, known.and_then(|preset| preset.base.as_ref())) {
            (Some(base), _) => Some((base.as_str(), None)),
            (None, Some(base)) => Some((base.id.as_str(), Some(base.revision.clone()))),
            (None, None) => None,
        };
        let base = base.map(|(name, revision)| Source::beside(&own, name, revision, remote)).transpose()?;
        let (has_config, has_tokenizer) = (OnceLock::new(), OnceLock::new());
        let folder = Completed { own, base, weights: weights.clone(), has_config, has_tokenizer };
        Ok(Self { folder, weights, preset })
    }

    /// The place of an adapter: one that the model's preset knows by this name, or any other.
    pub(crate) fn adapter(&self, name: &str, remote: &Remote) -> anyhow::Result<Source> {
        let known = self.preset.as_ref().and_then(|preset| preset.adapters.get(name));
        let (name, revision) =
            known.map_or((name, None), |known| (known.id.as_str(), Some(known.revision.clone())));
        Source::beside(&self.folder.own, name, revision, remote)
    }
}

impl Source {
    /// The place that a name means: a directory that exists, the address of a folder, a preset, or a hub id, which may
    /// end in `@revision`; and the preset, if it is one.
    pub(crate) fn new(name: &str, remote: &Remote) -> anyhow::Result<(Self, Option<Preset>)> {
        let is_address = name.starts_with("https://") || name.starts_with("http://");
        if remote.revision.is_some() && (is_address || Path::new(name).is_dir()) {
            let problem = format!("--revision is for models on a hub, and {name} is none");
            return Err(Error::InvalidOption { problem }.into());
        }
        if Path::new(name).is_dir() {
            return Ok((Self::Directory(Directory::new(name)?), None));
        }
        let headers = remote.header.iter().map(|header| {
            let parts =
                header.split_once(':').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
            parts.with_context(|| format!("the header {header:?} has no colon; write \"Name: value\""))
        });
        let headers: Vec<(String, String)> = headers.collect::<anyhow::Result<_>>()?;
        if is_address {
            let path = name.split(['?', '#']).next().unwrap_or_default();
            let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
            return Ok((Self::Http(HttpFolder::new(name, last, headers)), None));
        }
        let preset = preset(name)?;
        let (id, named) = match &preset {
            Some(preset) => (preset.id.as_str(), Some(preset.revision.as_str())),
            None => name.split_once('@').map_or((name, None), |(id, revision)| (id, Some(revision))),
        };
        if preset.is_none() && (id.split('/').count() != 2 || id.starts_with(['.', '/']) || id.ends_with('/'))
        {
            let message = format!(
                "{name:?} is no directory here, no address, no preset and no hub id such as allenai/specter2_base. \
                 Check the path."
            );
            return Err(Error::Source { code: "model-not-found".to_owned(), message, file: None }.into());
        }
        let revision = remote.revision.as_deref().or(named).unwrap_or("main");
        let revision = revision.replace('/', "%2F");
        let address = format!("{}/{id}/resolve/{revision}/", remote.hub.trim_end_matches('/'));
        Ok((Self::Http(HttpFolder::new(&address, id, headers)), preset))
    }

    /// The place of what goes with a model. Headers are for the model's own server, and go along where this is on the
    /// same.
    fn beside(model: &Self, name: &str, revision: Option<String>, remote: &Remote) -> anyhow::Result<Self> {
        let (place, _) = Self::new(name, &Remote { revision, ..remote.clone() })?;
        Ok(match (place, model) {
            (Self::Http(place), Self::Http(model)) if place.origin() == model.origin() => Self::Http(place),
            (Self::Http(place), _) => Self::Http(place.without_headers()),
            (place, _) => place,
        })
    }
}

impl Folder for Source {
    type File = SourceFile;

    fn name(&self) -> &str {
        match self {
            Self::Directory(directory) => directory.name(),
            Self::Http(folder) => folder.name(),
        }
    }

    async fn open(&self, file: &str) -> Result<Option<SourceFile>> {
        Ok(match self {
            Self::Directory(directory) => directory.open(file).await?.map(SourceFile::Directory),
            Self::Http(folder) => folder.open(file).await?.map(SourceFile::Http),
        })
    }
}

impl Completed {
    /// Whether a file that this place does not have may be the other one's.
    async fn may_be_behind(&self, file: &str) -> Result<bool> {
        if [WEIGHTS, PICKLED_WEIGHTS, "README.md"].contains(&file) || self.weights.as_deref() == Some(file) {
            return Ok(false);
        }
        if TOKENIZERS.contains(&file) || BESIDE_TOKENIZER.contains(&file) {
            return Ok(!self.has_one_of(&TOKENIZERS, &self.has_tokenizer).await?);
        }
        if POOLING.contains(&file) || file.ends_with("/config.json") {
            return Ok(!self.has_one_of(&["config.json"], &self.has_config).await?);
        }
        Ok(true)
    }

    /// Whether this place itself has one of these files, which is looked up once.
    async fn has_one_of(&self, files: &[&str], known: &OnceLock<bool>) -> Result<bool> {
        if let Some(&known) = known.get() {
            return Ok(known);
        }
        let mut found = false;
        for file in files {
            found = found || self.own.open(file).await?.is_some();
        }
        Ok(*known.get_or_init(|| found))
    }
}

impl Folder for Completed {
    type File = SourceFile;

    fn name(&self) -> &str {
        self.own.name()
    }

    async fn open(&self, file: &str) -> Result<Option<SourceFile>> {
        let own = self.own.open(file).await?;
        if file == "config.json" {
            self.has_config.get_or_init(|| own.is_some());
        }
        match (own, &self.base) {
            (None, Some(base)) if self.may_be_behind(file).await? => base.open(file).await,
            (own, _) => Ok(own),
        }
    }
}

impl File for SourceFile {
    fn size(&self) -> u64 {
        match self {
            Self::Directory(file) => file.size(),
            Self::Http(file) => file.size(),
        }
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        match self {
            Self::Directory(file) => file.read(range).await,
            Self::Http(file) => file.read(range).await,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_read() -> anyhow::Result<()> {
        for name in [
            "specter2",
            "specter2-2023",
            "specter",
            "scincl",
            "scimult",
            "semcse",
            "semcse-cosine",
            "scibert",
            "erc",
            "minilm",
        ] {
            let preset = preset(name)?.with_context(|| format!("there is no preset {name}"))?;
            assert!(preset.id.contains('/'));
            for (task, Task { adapter, experts, .. }) in preset.tasks()? {
                let known = adapter.as_ref().is_none_or(|adapter| preset.adapters.contains_key(adapter));
                assert!(known && (adapter.is_some() || experts.is_some()), "{name} {task}");
            }
        }
        assert!(preset("toString")?.is_none());
        Ok(())
    }

    #[test]
    fn the_tasks_of_a_preset_are_adapters_or_sets_of_experts() -> anyhow::Result<()> {
        let specter2 = preset("specter2")?.context("it is there")?;
        assert_eq!(
            specter2.tasks()?.keys().collect::<Vec<_>>(),
            ["classification", "proximity", "query", "regression"]
        );
        assert_eq!(specter2.adapter_of("query")?, Some("query"));
        let message = specter2.adapter_of("search").err().context("it has none")?.to_string();
        assert!(message.contains("classification, proximity, query, regression"), "{message}");
        let scimult = preset("scimult")?.context("it is there")?;
        assert_eq!(scimult.adapter_of("search")?, None);
        let experts: Vec<_> = scimult.tasks()?.into_iter().map(|(name, task)| (name, task.experts)).collect();
        let expected = [("classification", 2), ("link-prediction", 1), ("search", 0)];
        assert_eq!(experts, expected.map(|(name, experts)| (name.to_owned(), Some(experts))));
        assert_eq!(scimult.weights.as_deref(), Some("scimult_moe.ckpt"));
        Ok(())
    }
}
