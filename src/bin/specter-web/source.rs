//! Where the command line reads a model or an adapter from: a directory, an address, a hub, or a preset's name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use specter_web::folder::{Directory, DirectoryFile, File, Folder};
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
    adapters: BTreeMap<String, PresetAdapter>,
    pub(crate) template: Option<String>,
    pub(crate) pooling: Option<String>,
    pub(crate) normalize: Option<bool>,
    pub(crate) function: Option<String>,
}

/// An adapter that a preset knows.
#[derive(Deserialize)]
struct PresetAdapter {
    id: String,
    revision: String,
}

const PRESETS: &str = include_str!("../../../www/presets.js");

/// The preset of a name, if there is one.
fn preset(name: &str) -> anyhow::Result<Option<Preset>> {
    let json = PRESETS.find('{').zip(PRESETS.rfind('}')).and_then(|(start, end)| PRESETS.get(start..=end));
    let mut presets: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json.unwrap_or_default()).context("the presets cannot be read")?;
    Ok(presets.remove(name).map(serde_json::from_value).transpose()?)
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

    /// The place of an adapter for a model: one that the model's preset knows by this name, or any other place. Headers
    /// are for the model's own server, and go along where the adapter is on the same.
    pub(crate) fn adapter(
        name: &str,
        remote: &Remote,
        model: &Self,
        preset: Option<&Preset>,
    ) -> anyhow::Result<Self> {
        let known = preset.and_then(|preset| preset.adapters.get(name));
        let (name, revision) =
            known.map_or((name, None), |known| (known.id.as_str(), Some(known.revision.clone())));
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
        for name in ["specter2", "specter2-2023", "specter", "scincl", "scibert", "erc", "minilm"] {
            let preset = preset(name)?.with_context(|| format!("there is no preset {name}"))?;
            assert!(preset.id.contains('/'));
        }
        assert!(preset("toString")?.is_none());
        Ok(())
    }
}
