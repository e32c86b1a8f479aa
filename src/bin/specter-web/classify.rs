//! `specter-web classify`: papers in, labels out.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use specter_web::engine::Backend;
use specter_web::model::head::Function;
use specter_web::task::{ClassifyOptions, HeadOptions, HeadSource, Specter};

use crate::lines::{Answers, Lines};
use crate::model::{Job, Loaded, ModelArguments};
use crate::source::{Remote, Source};

#[derive(Args)]
pub(crate) struct Classify {
    #[command(flatten)]
    model: ModelArguments,
    /// A head: a directory, an address, a hub id, or the JSON file of one that was saved. Without it, the one that the
    /// adapter or the model brings along.
    #[arg(long)]
    head: Option<String>,
    /// What becomes of logits: sigmoid, softmax or none; without it, what the preset or the head's files say.
    #[arg(long)]
    function: Option<String>,
    /// Leave out labels with a smaller score; without it, 0.5 for a sigmoid, and none is left out for others.
    #[arg(long, allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// At most so many labels a paper, the best; without it, all.
    #[arg(long)]
    top_k: Option<usize>,
    #[command(flatten)]
    lines: Lines,
}

#[derive(Serialize)]
struct Labels<'a> {
    labels: Vec<Label<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    label: &'a str,
    score: f32,
}

struct Classifier {
    /// One that is loaded beside the model.
    head: Option<HeadPlace>,
    options: ClassifyOptions,
    lines: Lines,
}

enum HeadPlace {
    File(PathBuf),
    Folder(Source),
}

/// The name under which the head of the command line is loaded.
const HEAD: &str = "head";

impl HeadPlace {
    fn new(name: &str, remote: &Remote) -> anyhow::Result<Self> {
        if Path::new(name).is_file() {
            return Ok(Self::File(name.into()));
        }
        Ok(Self::Folder(Source::new(name, remote)?.0))
    }
}

impl Classify {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { model, head, function, threshold, top_k, lines } = self;
        let function = function.as_deref().map(Function::from_name).transpose()?;
        let head = head.map(|name| HeadPlace::new(&name, &model.remote)).transpose()?;
        let options = ClassifyOptions { function, threshold, top_k, ..ClassifyOptions::default() };
        model.run(Classifier { head, options, lines })
    }
}

impl Job for Classifier {
    async fn run<B: Backend>(self, mut specter: Specter<B>, loaded: Loaded) -> anyhow::Result<()> {
        let name = self.head.as_ref().map(|_| HEAD.to_owned()).or(loaded.head);
        let options = ClassifyOptions { head: name, ..self.options };
        if let Some(place) = self.head {
            let options = HeadOptions { task: loaded.task, adapter: loaded.adapter, function: None };
            match place {
                HeadPlace::Folder(folder) => {
                    specter.load_head(HEAD, HeadSource::Folder(&folder), options).await?;
                }
                HeadPlace::File(path) => {
                    let json = std::fs::read(&path)
                        .with_context(|| format!("the head {} cannot be read", path.display()))?;
                    specter.load_head(HEAD, HeadSource::<Source>::Json(&json), options).await?;
                }
            }
        }
        let ask = async |documents: &[_], mut answers: Answers<'_>| {
            let scores = specter.classify(documents, &options, |_, _| Ok(())).await?;
            let head = specter.head(options.head.as_deref())?;
            scores.into_iter().try_for_each(|scores| {
                let label = |index: usize| head.labels.get(index).map_or("", String::as_str);
                let labels =
                    scores.iter().map(|score| Label { label: label(score.label), score: score.score });
                answers.write(Labels { labels: labels.collect() })
            })
        };
        self.lines.answer(ask).await
    }
}
