//! A model that is ready: what is loaded, and how documents go through it: tokenize, pack, encode, collect.

use std::collections::BTreeMap;

use super::classify::{LabelSet, LoadedHead, OWN_HEAD};
use super::way::{Task, Way, names_of_experts};
use crate::engine::encoder::{AdapterOn, Output, Readout, Skill};
use crate::engine::loading::open_model;
use crate::engine::{Backend, Encoder, Rounding};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::model::head::{Function, unless_refused};
use crate::model::pooling::PoolingDefaults;
use crate::model::{Config, Pooling, files, training};
use crate::text::{Document, Template, Tokenizer, batch};
use crate::weights::Format;

/// How many tokens are computed at once unless the caller says otherwise: enough to fill a GPU, and about
/// 150 MB of activations for BERT-base.
pub const TOKEN_BUDGET: usize = 4096;

/// The largest budget: a dispatch has at most 65,535 workgroups along an axis.
const MAX_TOKEN_BUDGET: usize = 65_535;

/// The most numbers that a head makes of one batch: 16 MB.
const MAX_LOGITS: usize = 4 << 20;

/// How close rounding must keep a vector to what it was: 0.999 to float32 is the aim, of which q8 takes 0.0002.
const LEAST_COSINE: f32 = 0.9995;

/// What a model is tried on, some 60 tokens each.
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

/// How often they are in a batch: kernels differ for up to 256 tokens and for more.
const ROUNDING_REPEATS: [usize; 2] = [1, 3];

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
    /// What becomes of the logits of the model's own head; `None`: what its files say.
    pub function: Option<Function>,
    /// The file of the weights, where it has none of the usual names.
    pub weights: Option<String>,
    /// Tasks by name, beside those that the model's files name.
    pub tasks: BTreeMap<String, Task>,
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
            function: None,
            weights: None,
            tasks: BTreeMap::new(),
        }
    }
}

/// A model that is ready: tokenizer, network on a device, adapters and heads beside it.
pub struct Specter<B: Backend> {
    name: String,
    tokenizer: Tokenizer,
    pub(super) encoder: Encoder<B>,
    pub(super) adapters: BTreeMap<String, AdapterOn<B>>,
    pub(super) heads: BTreeMap<String, LoadedHead<B>>,
    /// Heads that came with an adapter and cannot be run: name → why.
    pub(super) refused_heads: BTreeMap<String, Error>,
    /// Sets of labels by the number that the caller gave them.
    pub(super) label_sets: BTreeMap<u32, LabelSet<B>>,
    pub(super) tasks: BTreeMap<String, Task>,
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
        let small = files::of_a_model(folder).await?;
        let config = Config::from_folder(&small).await?;
        let or_options = |said: PoolingDefaults| PoolingDefaults {
            pooling: options.pooling.unwrap_or(said.pooling),
            normalize: options.normalize.unwrap_or(said.normalize),
        };
        let mut defaults = or_options(PoolingDefaults::from_folder(&small).await?);
        let tokenizer =
            Tokenizer::from_folder(&small, config.positions, config.vocabulary_size, options.max_length)
                .await?;
        let output = Output { pooling: defaults.pooling, normalize: defaults.normalize, layers: usize::MAX };
        let backend = Encoder::prepare(backend, &config, options.format, output).await?;
        let names = config.experts.clone();
        let checkpoint = open_model(folder, options.weights.as_deref()).await?;
        if let Some(said) = training::pooling(&checkpoint)? {
            defaults = or_options(said);
        }
        // On the heap, since it holds the device and all that is described of the network.
        let loading = Box::pin(Encoder::load(&checkpoint, config, options.format, backend, on_tensor));
        let (encoder, head) = loading.await?;
        let tasks = all_tasks(names.as_deref(), encoder.extent.experts, options.tasks)?;
        let mut specter = Self {
            name: folder.name().to_owned(),
            tokenizer,
            template: options.template.unwrap_or_default(),
            encoder,
            adapters: BTreeMap::new(),
            heads: BTreeMap::new(),
            refused_heads: BTreeMap::new(),
            label_sets: BTreeMap::new(),
            tasks,
            defaults,
            format: options.format,
            token_budget: options.token_budget,
        };
        match head {
            Some(Ok((described, weights))) => {
                let added = specter.add_own_head(described, &weights, options.function).await;
                if let Err(refusal) = unless_refused(added)? {
                    specter.refused_heads.insert(OWN_HEAD.to_owned(), refusal);
                }
            }
            Some(Err(refusal)) => drop(specter.refused_heads.insert(OWN_HEAD.to_owned(), refusal)),
            None => {}
        }
        specter.decide_on_rounding().await?;
        Ok(specter)
    }

    /// Takes the device's faster way that rounds activations, if there is one and this model bears it. Adapters that are
    /// loaded later are not asked again; their own layers are never rounded.
    async fn decide_on_rounding(&mut self) -> Result<()> {
        if !self.encoder.backend.can_round() {
            return Ok(());
        }
        let width = self.encoder.config.hidden_size;
        let mut worst: f32 = 1.0;
        let experts = 0..self.encoder.extent.experts.max(1);
        for (experts, repeats) in
            experts.flat_map(|experts| ROUNDING_REPEATS.map(|repeats| (experts, repeats)))
        {
            let way = self.plain_way(Some(experts));
            let probes = ROUNDING_PROBES.repeat(repeats).into_iter();
            let probes: Vec<Document> = probes.map(|text| Document::Text(text.to_owned())).collect();
            self.encoder.backend.round(Rounding::Off);
            let exact = self.embed_by(&way, &probes, usize::MAX, |_, _| Ok(())).await?;
            self.encoder.backend.round(Rounding::OnTrial);
            let rounded = match self.embed_by(&way, &probes, usize::MAX, |_, _| Ok(())).await {
                Ok(rounded) => rounded,
                Err(lost @ Error::DeviceLost { .. }) => return Err(lost),
                Err(_) => {
                    self.encoder.backend.round(Rounding::Off);
                    return Ok(());
                }
            };
            let cosines = exact.data.chunks(width).zip(rounded.data.chunks(width)).map(|(x, y)| cosine(x, y));
            worst = cosines.fold(worst, f32::min);
            if worst < LEAST_COSINE {
                break;
            }
        }
        let rounding = if worst >= LEAST_COSINE { Rounding::AsTried } else { Rounding::Off };
        self.encoder.backend.round(rounding);
        Ok(())
    }

    /// Reads an adapter onto the device, beside those that are there, and with it the head that its folder holds, where
    /// there is one. What has the same name is replaced, but only when the new one is complete.
    /// `on_layer` may stop the load by an error; what was there before stays then.
    pub async fn load_adapter(
        &mut self,
        name: &str,
        folder: &impl Folder,
        on_layer: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let small = files::of_a_part(folder).await?;
        let adapter = self.encoder.load_adapter(folder, &small, name, on_layer).await?;
        let head = unless_refused(self.read_head(name, folder, &small, None).await)?;
        self.unload_adapter(name).ok();
        self.adapters.insert(name.to_owned(), adapter);
        match head {
            Ok(Some(mut head)) => {
                head.way.adapter = Some(name.to_owned());
                self.heads.insert(name.to_owned(), head);
            }
            Ok(None) => {}
            Err(refusal) => {
                self.refused_heads.insert(name.to_owned(), refusal);
            }
        }
        Ok(())
    }

    /// Takes an adapter off the device, and the heads that read its vectors.
    pub fn unload_adapter(&mut self, name: &str) -> Result<()> {
        if self.adapters.remove(name).is_none() {
            return Err(self.unknown_adapter(name));
        }
        self.heads.retain(|_, head| head.way.adapter.as_deref() != Some(name));
        self.refused_heads.remove(name);
        Ok(())
    }

    /// Runs one short document, so that all is compiled, and what the device refuses is known, before the first real one
    /// comes.
    pub async fn warm_up(&mut self) -> Result<()> {
        let way = self.plain_way(None);
        let nothing = [Document::Text(String::new())];
        self.embed_by(&way, &nothing, usize::MAX, |_, _| Ok(())).await.map(drop)
    }

    /// Refuses the name of an adapter that is not loaded.
    pub(super) fn check_adapter(&self, name: Option<&str>) -> Result<()> {
        match name {
            Some(name) if !self.adapters.contains_key(name) => Err(self.unknown_adapter(name)),
            _ => Ok(()),
        }
    }

    pub(super) fn unknown_adapter(&self, name: &str) -> Error {
        Error::UnknownAdapter { name: name.to_owned(), loaded: self.adapters().map(str::to_owned).collect() }
    }

    /// What of this model documents go through, and what they go through there.
    pub(super) fn parts(&mut self) -> Parts<'_, B> {
        let Self { encoder, adapters, heads, label_sets, tokenizer, token_budget, .. } = self;
        let pipeline = Pipeline { encoder, adapters, tokenizer, token_budget: *token_budget };
        Parts { pipeline, heads, label_sets }
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

    /// A hash of the model's biases and normalizations, which are the same in every dtype.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.encoder.fingerprint
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

/// A model, taken apart so that a way through it can borrow a head.
pub(super) struct Parts<'a, B: Backend> {
    pub(super) pipeline: Pipeline<'a, B>,
    pub(super) heads: &'a BTreeMap<String, LoadedHead<B>>,
    pub(super) label_sets: &'a BTreeMap<u32, LabelSet<B>>,
}

/// What all documents go through.
pub(super) struct Pipeline<'a, B: Backend> {
    encoder: &'a mut Encoder<B>,
    adapters: &'a BTreeMap<String, AdapterOn<B>>,
    tokenizer: &'a Tokenizer,
    token_budget: usize,
}

impl<B: Backend> Pipeline<'_, B> {
    /// Runs documents by a way through so many layers, in order, and hands over the results of each batch with how many documents it had. `on_batch` is
    /// told `(documents done, documents)` after each batch and may stop the work by an error.
    pub(super) async fn run(
        self,
        documents: &[Document],
        way: &Way,
        layers: usize,
        readout: Readout<'_, B>,
        mut on_batch: impl FnMut(usize, usize) -> Result<()>,
        mut collect: impl FnMut(&[f32], usize),
    ) -> Result<()> {
        let Self { encoder, adapters, tokenizer, token_budget } = self;
        let Way { template, pooling, normalize, .. } = way;
        let output = Output { pooling: *pooling, normalize: *normalize, layers };
        let adapter = way.adapter.as_ref().and_then(|name| adapters.get(name));
        let skill = Skill { adapter, experts: way.experts.unwrap_or(0) };
        let most = match &readout {
            Readout::Vectors => usize::MAX,
            Readout::Logits(head) | Readout::LargestLogits(head, _) => {
                (MAX_LOGITS / head.outputs.max(1)).max(1)
            }
        };
        let total = documents.len();
        let mut done = 0;
        on_batch(0, total)?;
        let ids = documents
            .iter()
            .map(|document| tokenizer.encode(&document.text(template, tokenizer.separator())));
        // While the device computes one batch, the next one is tokenized and handed over; more would only make others wait
        // longer for their turn.
        let mut computing: Option<(B::Pending, usize)> = None;
        for batch in batch::pack(ids, token_budget, most) {
            let batch = batch?;
            let next = encoder.encode(&batch, skill, output, &readout)?;
            if let Some((pending, count)) = computing.replace((next, batch.documents())) {
                collect(&encoder.backend.receive(pending).await?, count);
                done += count;
                on_batch(done, total)?;
            }
        }
        if let Some((pending, count)) = computing {
            collect(&encoder.backend.receive(pending).await?, count);
            on_batch(total, total)?;
        }
        Ok(())
    }
}

/// The tasks that a model's files name and those that the caller names, which must lead somewhere.
fn all_tasks(
    names: Option<&[String]>,
    experts: usize,
    given: BTreeMap<String, Task>,
) -> Result<BTreeMap<String, Task>> {
    for (name, task) in &given {
        if let Some(number) = task.experts.filter(|&number| number >= experts) {
            let problem =
                format!("the task {name:?} goes through experts {number}, of which this model has {experts}");
            return Err(Error::InvalidOption { problem });
        }
    }
    let names = names_of_experts(names, experts).or_else(|refusal| {
        // Whoever names tasks for the experts needs no other names.
        let is_named = names.is_none() && given.values().any(|task| task.experts.is_some());
        if is_named { Ok(Vec::new()) } else { Err(refusal) }
    })?;
    let own = names.into_iter().enumerate();
    let own = own.map(|(number, name)| (name, Task { experts: Some(number), ..Task::default() }));
    let mut tasks: BTreeMap<String, Task> = own.collect();
    for (name, task) in given {
        // One that says nothing of where it goes goes where the one of its name went.
        let goes_on =
            if task.adapter.is_none() { tasks.get(&name).and_then(|task| task.experts) } else { None };
        let experts = task.experts.or(goes_on);
        tasks.insert(name, Task { experts, ..task });
    }
    Ok(tasks)
}

/// The cosine of the angle between two vectors; 0 where one is nothing.
fn cosine(x: &[f32], y: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt().max(f32::MIN_POSITIVE)
}
