//! Papers in, vectors out.

use super::specter::{Parts, Route, Specter};
use crate::engine::Backend;
use crate::engine::encoder::{Output, Readout};
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::text::{Document, Template};

/// How documents are embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedOptions {
    /// The name of a loaded adapter, or none.
    pub adapter: Option<String>,
    /// `None`: what the model's files say.
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
        self.check_adapter(options.adapter.as_deref())?;
        let output = self.output(options.pooling, options.normalize);
        let dims = [documents.len(), self.config().hidden_size];
        let Parts { mut pipeline, adapters, .. } = self.parts();
        pipeline.template = options.template.as_ref().unwrap_or(pipeline.template);
        let route = Route {
            adapter: options.adapter.as_ref().and_then(|name| adapters.get(name)),
            output: Output { layers: options.layers.unwrap_or(usize::MAX), ..output },
            readout: Readout::Vectors,
        };

        let mut data = Vec::new();
        let too_large = |_| Error::OutOfMemory { what: format!("the vectors of {} papers", dims[0]) };
        data.try_reserve_exact(dims[0].saturating_mul(dims[1])).map_err(too_large)?;
        pipeline.run(documents, route, on_batch, |vectors, _| data.extend_from_slice(vectors)).await?;
        Ok(Embeddings { data, dims })
    }
}
