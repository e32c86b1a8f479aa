//! Papers in, vectors out.

use super::specter::{Parts, Specter};
use super::way::Way;
use crate::engine::Backend;
use crate::engine::encoder::Readout;
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::text::{Document, Template};

/// How documents are embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedOptions {
    /// The name of a task, or none.
    pub task: Option<String>,
    /// The name of a loaded adapter, or none. A task names its own.
    pub adapter: Option<String>,
    /// `None`: what the task or the model's files say.
    pub pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1; `None`: what the model's files say.
    pub normalize: Option<bool>,
    /// How a paper becomes a text, in the place of the model's own way.
    pub template: Option<Template>,
    /// Stop after this many layers; `None`: all of them. Where two devices disagree, this finds the layer.
    pub layers: Option<usize>,
}

/// One vector a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// `(documents, hidden size)`, row-major.
    pub data: Vec<f32>,
    /// `[documents, hidden size]`.
    pub dims: [usize; 2],
}

impl<B: Backend> Specter<B> {
    /// Embeds documents, in order. `on_batch` is told `(documents done, documents)` after each batch and may stop
    /// the work by an error.
    pub async fn embed(
        &mut self,
        documents: &[Document],
        options: &EmbedOptions,
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Embeddings> {
        let way = self.way_of_call(options)?;
        self.embed_by(&way, documents, options.layers.unwrap_or(usize::MAX), on_batch).await
    }

    /// How the vectors of a call are made.
    pub fn way_of_call(&self, options: &EmbedOptions) -> Result<Way> {
        let way = self.way(options.task.as_deref(), options.adapter.as_deref())?;
        Ok(Way {
            pooling: options.pooling.unwrap_or(way.pooling),
            normalize: options.normalize.unwrap_or(way.normalize),
            template: options.template.clone().unwrap_or(way.template),
            ..way
        })
    }

    /// Embeds documents by a way through so many layers.
    pub(super) async fn embed_by(
        &mut self,
        way: &Way,
        documents: &[Document],
        layers: usize,
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Embeddings> {
        let dims = [documents.len(), self.config().hidden_size];
        let Parts { pipeline, .. } = self.parts();
        let mut data = Vec::new();
        let too_large = |_| Error::OutOfMemory { what: format!("the vectors of {} papers", dims[0]) };
        data.try_reserve_exact(dims[0].saturating_mul(dims[1])).map_err(too_large)?;
        let collect = |vectors: &[f32], _| data.extend_from_slice(vectors);
        pipeline.run(documents, way, layers, Readout::Vectors, on_batch, collect).await?;
        Ok(Embeddings { data, dims })
    }
}
