//! `specter-web embed`: papers in, vectors out.

use clap::Args;
use serde::Serialize;
use specter_web::engine::Backend;
use specter_web::task::{EmbedOptions, Specter};

use crate::lines::Lines;
use crate::model::{ADAPTER, Job, ModelArguments};

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
    options: EmbedOptions,
    lines: Lines,
}

impl Embed {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let Self { model, lines, layers } = self;
        let adapter = model.has_adapter().then(|| ADAPTER.to_owned());
        let options = EmbedOptions { adapter, layers, ..EmbedOptions::default() };
        model.run(Embedder { options, lines })
    }
}

impl Job for Embedder {
    async fn run<B: Backend>(self, mut specter: Specter<B>) -> anyhow::Result<()> {
        let ask = async |documents: &[_], mut answers: crate::lines::Answers<'_>| {
            let vectors = specter.embed(documents, &self.options, |_, _| Ok(())).await?;
            let [_, width] = vectors.dims;
            vectors.data.chunks(width).try_for_each(|embedding| answers.write(Embedding { embedding }))
        };
        self.lines.answer(ask).await
    }
}
