//! Papers with labels or values in, a head out: what the crate `specter-web-fit` learns from vectors of this model.

use specter_web_fit::{Fit, Fitted, Options, Progress, Step, Targets};

use super::embed::EmbedOptions;
use super::specter::Specter;
use crate::engine::Backend;
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::model::head::{Function, SavedHead, Training, Validation};
use crate::text::Document;

/// How a head is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// The name of the task whose vectors it reads, or none.
    pub task: Option<String>,
    /// The name of a loaded adapter whose vectors it reads, or none. A task names its own.
    pub adapter: Option<String>,
    /// `None`: what the model's files say.
    pub pooling: Option<Pooling>,
    /// `None`: what the model's files say.
    pub normalize: Option<bool>,
    /// What is learned, and how.
    pub learning: Options,
}

/// The only output of a head that has learned values.
pub const VALUE: &str = "value";

fn refused(error: &specter_web_fit::Error) -> Error {
    let problem = error.to_string().trim_end_matches('.').to_owned();
    if error.is_of_an_option() { Error::InvalidOption { problem } } else { Error::InvalidInput { problem } }
}

impl<B: Backend> Specter<B> {
    /// Trains a head on documents and what is known of each, and loads it under a name. `on_step` may stop the work by an
    /// error; a browser gives others their turn there.
    pub async fn fit(
        &mut self,
        name: &str,
        documents: &[Document],
        targets: &Targets,
        options: &FitOptions,
        mut on_step: impl AsyncFnMut(Progress) -> Result<()>,
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<SavedHead> {
        let FitOptions { pooling, normalize, task, adapter, learning } = options.clone();
        let way =
            self.way_of_call(&EmbedOptions { task, adapter, pooling, normalize, ..EmbedOptions::default() })?;
        let embeddings = self.embed_by(&way, documents, usize::MAX, on_batch).await?;
        let [examples, hidden] = embeddings.dims;
        let mut fit =
            Fit::new(&embeddings.data, hidden, targets, &learning).map_err(|error| refused(&error))?;
        drop(embeddings);
        let fitted = loop {
            match fit.step() {
                Step::Working(progress) => on_step(progress).await?,
                Step::Finished(fitted) => break fitted,
            }
        };
        let Fitted { mut labels, weight, bias, strength, validation, .. } = fitted;
        if labels.is_empty() {
            labels.push(VALUE.to_owned());
        }
        let saved = SavedHead {
            format: SavedHead::FORMAT.to_owned(),
            labels,
            function: match learning.kind {
                specter_web_fit::Kind::Multinomial => Function::Softmax,
                specter_web_fit::Kind::OneVsRest => Function::Sigmoid,
                specter_web_fit::Kind::Ridge => Function::None,
            },
            weight: weight.chunks(hidden).map(<[f32]>::to_vec).collect(),
            bias,
            input: Some(self.input(&way)?),
            training: Some(Training {
                kind: learning.kind.to_string(),
                examples,
                strength,
                validation: validation
                    .iter()
                    .map(|tried| Validation { strength: tried.strength, score: tried.score })
                    .collect(),
            }),
        };
        let head = self.add_saved_head(name, &saved, None).await?;
        self.heads.insert(name.to_owned(), head);
        Ok(saved)
    }
}
