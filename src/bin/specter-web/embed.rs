//! `specter-web embed`: papers in, vectors out.

use clap::Args;
use serde::Serialize;
use specter_web::engine::Backend;
use specter_web::task::{EmbedOptions, Specter};

use crate::lines::Lines;
use crate::model::{Job, Loaded, ModelArguments};

#[derive(Args)]
pub(crate) struct Embed {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    lines: Lines,
    /// Stop after this many layers, to find the one in which two devices differ.
    #[arg(long, hide = true)]
    layers: Option<usize>,
}

#[derive(Serialize)]
struct Embedding<'a> {
    embedding: &'a [f32],
}

struct Embedder {
    lines: Lines,
    layers: Option<usize>,
}

impl Embed {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { model, lines, layers } = self;
        model.run(Embedder { lines, layers })
    }
}

impl Job for Embedder {
    async fn run<B: Backend>(self, mut specter: Specter<B>, loaded: Loaded) -> anyhow::Result<()> {
        let Loaded { task, adapter, .. } = loaded;
        let options = EmbedOptions { task, adapter, layers: self.layers, ..EmbedOptions::default() };
        let ask = async |documents: &[_], mut answers: crate::lines::Answers<'_>| {
            let vectors = specter.embed(documents, &options, |_, _| Ok(())).await?;
            let [_, width] = vectors.dims;
            vectors.data.chunks(width).try_for_each(|embedding| answers.write(Embedding { embedding }))
        };
        self.lines.answer(ask).await
    }
}
