//! Papers in, vectors out, in order: tokenize, pack, encode, collect.

use std::collections::BTreeMap;

use crate::engine::encoder::{AdapterOn, Output};
use crate::engine::{Backend, Encoder};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::model::pooling::PoolingDefaults;
use crate::model::{Config, Pooling};
use crate::text::{Document, Template, Tokenizer, batch};
use crate::weights::Format;

/// How many tokens are computed at once unless the caller says otherwise: enough to fill a GPU, and about
/// 150 MB of activations for BERT-base.
pub const TOKEN_BUDGET: usize = 4096;

/// The largest budget: a dispatch has at most 65,535 workgroups along an axis.
const MAX_TOKEN_BUDGET: usize = 65_535;

/// How close rounding must keep a vector to what it was: 0.999 to float32 is the aim, of which q8 takes 0.0002.
const LEAST_COSINE: f32 = 0.9995;

/// What a model is tried on, each of more tokens than are few.
const ROUNDING_PROBES: [&str; 3] = [
    "Sparse attention for long documents. We study transformer encoders whose cost grows linearly with the length of \
     their input, and evaluate them on classification and retrieval of scientific articles in eleven languages. On \
     average, 94.2 % of the accuracy remains at a quarter of the computation.",
    "Late Holocene glacier fluctuations in the southern Andes. Radiocarbon and lichenometric dates from forty moraines \
     show three advances within the last 1,800 years, which coincide with cold and wet phases in tree rings, and a \
     retreat since 1870 that has no precedent in the record.",
    "A randomized trial of early physiotherapy after hip replacement. Two hundred and twelve patients aged 58 to 91 \
     were assigned to treatment within 24 hours or after three days. Pain, length of stay and walking distance after \
     six weeks were compared; no difference in adverse events was found (p = 0.41).",
];

/// How a model is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// The format of the matrices on the device.
    pub format: Format,
    /// Documents are cut at this many tokens; `None`: what the model's files say.
    pub max_length: Option<usize>,
    /// The most tokens that are computed at once.
    pub token_budget: usize,
    /// How a paper becomes a text; `None`: `{title}{sep}{abstract}`.
    pub template: Option<Template>,
    /// What is done where a call does not say; `None`: what the model's files say.
    pub pooling: Option<Pooling>,
    /// What is done where a call does not say; `None`: what the model's files say.
    pub normalize: Option<bool>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            format: Format::Q8,
            max_length: None,
            token_budget: TOKEN_BUDGET,
            template: None,
            pooling: None,
            normalize: None,
        }
    }
}

/// How documents are embedded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbedOptions {
    /// The name of a loaded adapter, or none.
    pub adapter: Option<String>,
    /// `None`: what the model's files say.
    pub pooling: Option<Pooling>,
    /// Whether vectors are scaled to length 1; `None`: what the model's files say.
    pub normalize: Option<bool>,
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

/// A model that is ready: tokenizer, network on a device, adapters beside it.
pub struct Specter<B: Backend> {
    name: String,
    tokenizer: Tokenizer,
    encoder: Encoder<B>,
    adapters: BTreeMap<String, AdapterOn<B>>,
    defaults: PoolingDefaults,
    template: Template,
    format: Format,
    token_budget: usize,
}

impl<B: Backend> Specter<B> {
    /// Reads a model folder onto a device. `on_tensor` is told `(tensors done, tensors)` and may stop the load by an
    /// error; nothing is left behind then.
    pub async fn load(
        folder: &impl Folder,
        options: LoadOptions,
        backend: B,
        on_tensor: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Self> {
        if !(1..=MAX_TOKEN_BUDGET).contains(&options.token_budget) {
            return Err(Error::InvalidOption {
                problem: format!(
                    "tokenBudget is {}; it can be 1 to {MAX_TOKEN_BUDGET} tokens",
                    options.token_budget
                ),
            });
        }
        let config = Config::from_folder(folder).await?;
        let mut defaults = PoolingDefaults::from_folder(folder).await?;
        defaults.pooling = options.pooling.unwrap_or(defaults.pooling);
        defaults.normalize = options.normalize.unwrap_or(defaults.normalize);
        let tokenizer =
            Tokenizer::from_folder(folder, config.positions, config.vocabulary_size, options.max_length)
                .await?;
        let output = Output { pooling: defaults.pooling, normalize: defaults.normalize, layers: usize::MAX };
        let backend = Encoder::prepare(backend, &config, options.format, output).await?;
        let encoder = Encoder::load(folder, config, options.format, backend, on_tensor).await?;
        let mut specter = Self {
            name: folder.name().to_owned(),
            tokenizer,
            template: options.template.unwrap_or_default(),
            encoder,
            adapters: BTreeMap::new(),
            defaults,
            format: options.format,
            token_budget: options.token_budget,
        };
        specter.decide_on_rounding().await?;
        Ok(specter)
    }

    /// Takes the device's faster way that rounds activations, if there is one and this model bears it. Adapters that are
    /// loaded later are not asked again; their own layers are never rounded.
    async fn decide_on_rounding(&mut self) -> Result<()> {
        if !self.encoder.backend.can_round() {
            return Ok(());
        }
        let probes = ROUNDING_PROBES.map(|text| Document::Text(text.to_owned()));
        let options = EmbedOptions::default();
        let exact = self.embed(&probes, &options, |_, _| Ok(())).await?;
        self.encoder.backend.allow_rounding(true);
        let rounded = match self.embed(&probes, &options, |_, _| Ok(())).await {
            Ok(rounded) => rounded,
            Err(lost @ Error::DeviceLost { .. }) => return Err(lost),
            Err(_) => {
                self.encoder.backend.allow_rounding(false);
                return Ok(());
            }
        };
        let width = self.encoder.config.hidden_size;
        let cosines = exact.data.chunks(width).zip(rounded.data.chunks(width)).map(|(x, y)| cosine(x, y));
        let worst = cosines.fold(1.0, f32::min);
        self.encoder.backend.allow_rounding(worst >= LEAST_COSINE);
        Ok(())
    }

    /// Reads an adapter onto the device, beside those that are there. One of the same name is replaced, but only
    /// when the new one is complete.
    /// `on_layer` may stop the load by an error; what was there before stays then.
    pub async fn load_adapter(
        &mut self,
        name: &str,
        folder: &impl Folder,
        on_layer: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let adapter = self.encoder.load_adapter(folder, name, on_layer).await?;
        self.adapters.insert(name.to_owned(), adapter);
        Ok(())
    }

    /// Takes an adapter off the device.
    pub fn unload_adapter(&mut self, name: &str) -> Result<()> {
        match self.adapters.remove(name) {
            Some(_) => Ok(()),
            None => Err(self.unknown_adapter(name)),
        }
    }

    /// Runs one short document, so that all is compiled, and what the device refuses is known, before the first real one
    /// comes.
    pub async fn warm_up(&mut self) -> Result<()> {
        let options = EmbedOptions::default();
        self.embed(&[Document::Text(String::new())], &options, |_, _| Ok(())).await.map(drop)
    }

    /// Embeds documents, in order. `on_batch` is told `(documents done, documents)` after each batch and may stop
    /// the work by an error.
    pub async fn embed(
        &mut self,
        documents: &[Document],
        options: &EmbedOptions,
        mut on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Embeddings> {
        let adapter = match &options.adapter {
            Some(name) => Some(self.adapters.get(name).ok_or_else(|| self.unknown_adapter(name))?),
            None => None,
        };
        let output = Output {
            pooling: options.pooling.unwrap_or(self.defaults.pooling),
            normalize: options.normalize.unwrap_or(self.defaults.normalize),
            layers: options.layers.unwrap_or(usize::MAX),
        };
        let hidden = self.encoder.config.hidden_size;

        let total = documents.len();
        let mut data = Vec::new();
        let too_large = |_| Error::OutOfMemory { what: format!("the vectors of {total} papers") };
        data.try_reserve_exact(total.saturating_mul(hidden)).map_err(too_large)?;
        on_batch(0, total)?;
        let ids = documents.iter().map(|document| {
            self.tokenizer.encode(&document.text(&self.template, self.tokenizer.separator()))
        });
        // While the device computes one batch, the next one is tokenized and handed over; more would only make others wait
        // longer for their turn.
        let mut computing = None;
        for batch in batch::pack(ids, self.token_budget) {
            let next = self.encoder.encode(&batch?, adapter, output)?;
            if let Some(pending) = computing.replace(next) {
                data.extend(self.encoder.backend.receive(pending).await?);
                on_batch(data.len() / hidden, total)?;
            }
        }
        if let Some(pending) = computing {
            data.extend(self.encoder.backend.receive(pending).await?);
            on_batch(data.len() / hidden, total)?;
        }
        Ok(Embeddings { data, dims: [total, hidden] })
    }

    fn unknown_adapter(&self, name: &str) -> Error {
        Error::UnknownAdapter { name: name.to_owned(), loaded: self.adapters().map(str::to_owned).collect() }
    }

    /// The names of the adapters on the device.
    pub fn adapters(&self) -> impl Iterator<Item = &str> {
        self.adapters.keys().map(String::as_str)
    }

    /// The model's name, as its folder calls itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The network's sizes.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.encoder.config
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What happens after the last layer unless a caller says otherwise.
    #[must_use]
    pub fn defaults(&self) -> PoolingDefaults {
        self.defaults
    }

    /// The format of the matrices on the device.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How a paper becomes a text.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The device, when the model is no longer needed.
    #[must_use]
    pub fn into_backend(self) -> B {
        self.encoder.backend
    }

    /// The device.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.encoder.backend
    }
}

/// The cosine of the angle between two vectors; 0 where one is nothing.
fn cosine(x: &[f32], y: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt().max(f32::MIN_POSITIVE)
}
