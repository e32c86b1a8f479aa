//! Papers in, labels with scores out.
//!
//! A head is a few dense layers behind a document's vector. A set of labels that are ranked by their meaning is one, too,
//! where they are compared by inner products: its only layer has the labels' own vectors for rows.

use std::collections::BTreeMap;

use super::specter::{Parts, Pipeline, Specter};
use super::way::Way;
use crate::engine::Backend;
use crate::engine::encoder::{AdapterOn, HeadOn, Readout};
use crate::engine::loading::open_head;
use crate::error::{Error, Result};
use crate::folder::{Folder, MemoryFolder};
use crate::model::head::{
    AdapterInput, Function, HeadConfig, HeadInput, HeadWeights, LayerWeights, SavedHead, check_labels,
};
use crate::model::{Activation, Pooling, files};
use crate::text::{Document, Template};

/// The name of the head that is a part of a model.
pub const OWN_HEAD: &str = "classifier";

/// From so many largest logits on, all are read back: ranking them on the device takes a round for each.
const MOST_ON_DEVICE: usize = 128;

/// What a sigmoid is taken for a yes from, unless the caller says otherwise.
const SIGMOID_THRESHOLD: f32 = 0.5;

/// A head on a device, or a set of labels.
pub struct LoadedHead<B: Backend> {
    network: HeadOn<B>,
    /// In the order of its logits.
    pub labels: Vec<String>,
    /// What becomes of its logits.
    pub function: Function,
    /// How the vectors that it reads are made.
    pub way: Way,
}

/// A set of labels that are ranked by their vectors.
pub(super) struct LabelSet<B: Backend> {
    vectors: LabelVectors<B>,
    pooling: Pooling,
    normalize: bool,
}

enum LabelVectors<B: Backend> {
    /// To be multiplied with: the rows of a head.
    OnDevice(LoadedHead<B>),
    /// To be measured how far away they are: `(labels, hidden size)`.
    OnHost(Vec<f32>),
}

/// How labels and documents are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Similarity {
    /// By the inner product of their vectors, which of vectors of length 1 is the cosine.
    #[default]
    Product,
    /// By how far they are apart, with a minus.
    Euclidean,
}

impl Similarity {
    /// The similarity that an option names: `cosine`, `dot`, `euclidean`.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "cosine" | "dot" => Ok(Self::Product),
            "euclidean" => Ok(Self::Euclidean),
            other => Err(Error::InvalidOption {
                problem: format!("similarity is {other:?}; it can be 'cosine', 'dot' or 'euclidean'"),
            }),
        }
    }
}

/// Where a head comes from.
pub enum HeadSource<'a, F> {
    /// A folder that the adapters library wrote.
    Folder(&'a F),
    /// What [`SavedHead`] became as JSON.
    Json(&'a [u8]),
}

/// How a head is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadOptions {
    /// The name of the task whose vectors it reads, or none.
    pub task: Option<String>,
    /// The name of a loaded adapter whose vectors it reads; `None`: the one that a saved head names, or none.
    pub adapter: Option<String>,
    /// What becomes of its logits; `None`: what its files say.
    pub function: Option<Function>,
}

/// How documents are classified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassifyOptions {
    /// The name of a loaded head; `None`: the only one there is.
    pub head: Option<String>,
    /// What becomes of the logits; `None`: what the head says.
    pub function: Option<Function>,
    /// Labels with a smaller score are left out; `None`: 0.5 for a sigmoid, and nothing is left out for others.
    pub threshold: Option<f32>,
    /// Thresholds of single labels.
    pub thresholds: BTreeMap<String, f32>,
    /// At most so many labels a document, the best; `None`: all of them.
    pub top_k: Option<usize>,
}

/// How labels are ranked by their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankOptions {
    /// The name of a task for the documents, or none.
    pub task: Option<String>,
    /// The name of a loaded adapter for the documents, or none. A task names its own.
    pub adapter: Option<String>,
    /// `None`: as the labels' vectors were made.
    pub pooling: Option<Pooling>,
    /// Whether documents' vectors are scaled to length 1; `None`: as the labels' are.
    pub normalize: Option<bool>,
    /// At most so many labels a document, the best.
    pub top_k: usize,
}

/// A label and how well it fits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The number of the label.
    pub label: usize,
    /// Its score, by the head's function.
    pub score: f32,
}

impl<B: Backend> Specter<B> {
    /// Reads a head onto the device, beside those that are there. One of the same name is replaced, but only when the new
    /// one is complete.
    pub async fn load_head<F: Folder>(
        &mut self,
        name: &str,
        source: HeadSource<'_, F>,
        options: HeadOptions,
    ) -> Result<()> {
        let way = match (&options.task, &options.adapter) {
            // A saved head knows its way.
            (None, None) => None,
            (task, adapter) => Some(self.way(task.as_deref(), adapter.as_deref())?),
        };
        let mut head = match source {
            HeadSource::Folder(folder) => {
                let small = files::of_a_part(folder).await?;
                self.read_head(name, folder, &small, way).await?.ok_or_else(|| Error::FileMissing {
                    folder: folder.name().to_owned(),
                    file: HeadConfig::FILE.to_owned(),
                    hint: format!("A head's folder holds it and {}.", HeadConfig::WEIGHTS),
                })?
            }
            HeadSource::Json(json) => {
                let saved = SavedHead::from_json(json, name, self.config().hidden_size)?;
                self.add_saved_head(name, &saved, way).await?
            }
        };
        head.function = options.function.unwrap_or(head.function);
        self.refused_heads.remove(name);
        self.heads.insert(name.to_owned(), head);
        Ok(())
    }

    /// Takes a head off the device.
    pub fn unload_head(&mut self, name: &str) -> Result<()> {
        self.heads.remove(name).map(drop).ok_or_else(|| self.unknown_head(Some(name)))
    }

    /// The heads on the device, by name.
    pub fn heads(&self) -> impl Iterator<Item = (&str, &LoadedHead<B>)> {
        self.heads.iter().map(|(name, head)| (name.as_str(), head))
    }

    /// The head of a name, or the only one there is.
    pub fn head(&self, name: Option<&str>) -> Result<&LoadedHead<B>> {
        let name = self.chosen_head(name)?;
        self.heads.get(&name).ok_or_else(|| self.unknown_head(Some(&name)))
    }

    /// Classifies documents, in order: of each, the labels that reach their thresholds, the best first. `on_batch` as in
    /// [`Specter::embed`].
    pub async fn classify(
        &mut self,
        documents: &[Document],
        options: &ClassifyOptions,
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Vec<Vec<Score>>> {
        let name = self.chosen_head(options.head.as_deref())?;
        let Parts { pipeline, heads, .. } = self.parts();
        let head = heads.get(&name).ok_or_else(|| Error::internal(format!("{name} has gone")))?;
        let function = options.function.unwrap_or(head.function);
        let general = options.threshold.unwrap_or(match function {
            Function::Sigmoid => SIGMOID_THRESHOLD,
            Function::Softmax | Function::None => f32::NEG_INFINITY,
        });
        let mut thresholds = vec![general; head.labels.len()];
        for (label, threshold) in &options.thresholds {
            let index = head.labels.iter().position(|other| other == label);
            let Some(own) = index.and_then(|index| thresholds.get_mut(index)) else {
                let problem =
                    format!("there is a threshold for {label:?}, which is no label of the head {name:?}");
                return Err(Error::InvalidOption { problem });
            };
            *own = *threshold;
        }
        let top_k = options.top_k.unwrap_or(head.labels.len());
        let scores = head.score(pipeline, &head.way, function, top_k, documents, on_batch).await?;
        Ok(scores
            .into_iter()
            .map(|mut scores| {
                scores.retain(|score| thresholds.get(score.label).is_none_or(|least| score.score >= *least));
                scores
            })
            .collect())
    }

    /// Keeps a set of labels under a number: names, and a vector for each, `(labels, hidden size)`, as `input` made them.
    /// Those to be multiplied with go on the device.
    pub async fn load_labels(
        &mut self,
        number: u32,
        labels: Vec<String>,
        vectors: Vec<f32>,
        input: &HeadInput,
        similarity: Similarity,
    ) -> Result<()> {
        let hidden = self.config().hidden_size;
        let refuse = |problem: String| Error::InvalidInput { problem };
        check_labels(&labels).map_err(|problem| refuse(format!("Of the labels, {problem}")))?;
        if vectors.len() != labels.len() * hidden {
            return Err(refuse(format!(
                "{} labels of {hidden} components make {} numbers, and not {}",
                labels.len(),
                labels.len() * hidden,
                vectors.len()
            )));
        }
        if !vectors.iter().all(|value| value.is_finite()) {
            return Err(refuse(
                "A vector of the labels has a component that is not a finite number".to_owned(),
            ));
        }
        // Which adapter made them does not matter any more, and papers may go through another.
        let (dtype, fingerprint) = (self.format().name(), self.fingerprint());
        if input.fingerprint != fingerprint || input.dtype != dtype {
            return Err(refuse(format!(
                "These labels were encoded by {} in {}, and this model is {} in {dtype}; encode them again",
                input.model,
                input.dtype,
                self.name()
            )));
        }
        let pooling = input.pooling()?;
        let vectors = match similarity {
            Similarity::Euclidean => LabelVectors::OnHost(vectors),
            Similarity::Product => {
                let layer = LayerWeights {
                    inputs: hidden,
                    weight: vectors,
                    bias: vec![0.0; labels.len()],
                    activation: Activation::Identity,
                };
                let weights = HeadWeights { pooler: false, layers: vec![layer] };
                let network = self.encoder.load_head("labels", &weights).await?;
                let (function, way) = (Function::None, self.plain_way(None));
                LabelVectors::OnDevice(LoadedHead { network, labels, function, way })
            }
        };
        self.label_sets.insert(number, LabelSet { vectors, pooling, normalize: input.normalize });
        Ok(())
    }

    /// Takes a set of labels off the device, if it is there.
    pub fn unload_labels(&mut self, number: u32) {
        self.label_sets.remove(&number);
    }

    /// Ranks the labels of a set for documents, in order, by how their vectors compare. `on_batch` as in
    /// [`Specter::embed`].
    pub async fn rank_labels(
        &mut self,
        documents: &[Document],
        number: u32,
        options: &RankOptions,
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Vec<Vec<Score>>> {
        let way = self.way(options.task.as_deref(), options.adapter.as_deref())?;
        let hidden = self.config().hidden_size;
        let Parts { pipeline, label_sets, .. } = self.parts();
        let Some(LabelSet { vectors, pooling, normalize }) = label_sets.get(&number) else {
            return Err(Error::internal(format!("there is no set of labels {number}")));
        };
        let way = Way {
            pooling: options.pooling.unwrap_or(match options.task {
                Some(_) => way.pooling,
                None => *pooling,
            }),
            normalize: options.normalize.unwrap_or(*normalize),
            ..way
        };
        match vectors {
            LabelVectors::OnDevice(head) => {
                head.score(pipeline, &way, Function::None, options.top_k, documents, on_batch).await
            }
            LabelVectors::OnHost(labels) => {
                let mut scored = Vec::with_capacity(documents.len());
                let collect = |rows: &[f32], _| {
                    for vector in rows.chunks_exact(hidden) {
                        let distances: Vec<f32> =
                            labels.chunks_exact(hidden).map(|label| -distance(vector, label)).collect();
                        let count = distances.len();
                        scored.push(best_of(&distances, count, Function::None, options.top_k));
                    }
                };
                pipeline.run(documents, &way, usize::MAX, Readout::Vectors, on_batch, collect).await?;
                Ok(scored)
            }
        }
    }

    /// How vectors are made by a way, for whoever keeps them.
    pub fn input(&self, way: &Way) -> Result<HeadInput> {
        let adapter = way.adapter.as_deref().map(|name| {
            let loaded = self.adapters.get(name).ok_or_else(|| self.unknown_adapter(name))?;
            Ok(AdapterInput { name: name.to_owned(), fingerprint: loaded.fingerprint.clone() })
        });
        Ok(HeadInput {
            model: self.name().to_owned(),
            fingerprint: self.fingerprint().to_owned(),
            dtype: self.format().name().to_owned(),
            adapter: adapter.transpose()?,
            experts: way.experts,
            pooling: way.pooling.name().to_owned(),
            normalize: way.normalize,
            template: way.template.to_string(),
            max_length: self.tokenizer().max_length(),
        })
    }

    /// The way that vectors were made by. Refuses those that another model has made, or this one in another dtype.
    fn way_of(&self, head: &str, input: &HeadInput) -> Result<Way> {
        let refuse = |problem: String| Err(Error::UnsupportedHead { head: head.to_owned(), problem });
        if input.fingerprint != self.fingerprint() {
            return refuse(format!(
                "it belongs to vectors of {}, and this model, {}, has other weights; load that model, or train it again \
                 on this one",
                input.model,
                self.name()
            ));
        }
        let dtype = self.format().name();
        if input.dtype != dtype {
            return refuse(format!(
                "it belongs to vectors in {0}, and this model is loaded in {dtype}; load the model with dtype: '{0}', or \
                 train it again",
                input.dtype
            ));
        }
        if input.max_length != self.tokenizer().max_length() {
            return refuse(format!(
                "it belongs to texts of up to {} tokens, and this model is loaded for {}; load it with maxLength: {0}",
                input.max_length,
                self.tokenizer().max_length()
            ));
        }
        let template = Template::new(&input.template)?;
        if !self.knows_template(&template) {
            return refuse(format!(
                "it belongs to texts of the form {:?}, and this model is loaded with {:?}; load it with that template",
                input.template,
                self.template().to_string()
            ));
        }
        let sets = self.encoder.extent.experts;
        if input.experts.map_or(sets > 0, |number| number >= sets) {
            return refuse(format!(
                "it belongs to vectors of {}, and this model has {sets} sets of experts",
                input.experts.map_or("no experts".to_owned(), |number| format!("experts {number}"))
            ));
        }
        let way = Way {
            adapter: None,
            experts: input.experts,
            template,
            pooling: input.pooling()?,
            normalize: input.normalize,
        };
        let Some(wanted) = &input.adapter else { return Ok(way) };
        let same = |(_, adapter): &(&String, &AdapterOn<B>)| adapter.fingerprint == wanted.fingerprint;
        // Under the same name, where there are several.
        let by_name = self.adapters.get_key_value(&wanted.name).filter(same);
        match by_name.or_else(|| self.adapters.iter().find(same)) {
            Some((name, _)) => Ok(Way { adapter: Some(name.clone()), ..way }),
            None => refuse(format!(
                "it reads the vectors of the adapter {:?} that it was trained with, which is not loaded; load that \
                 adapter first",
                wanted.name
            )),
        }
    }

    /// Puts the head on the device that a model brings along.
    pub(super) async fn add_own_head(
        &mut self,
        described: HeadConfig,
        weights: &HeadWeights,
        function: Option<Function>,
    ) -> Result<()> {
        let network = self.encoder.load_head(OWN_HEAD, weights).await?;
        let way = self.way_of_files(OWN_HEAD, None)?;
        let mut head = LoadedHead::new(network, described, way);
        head.function = function.unwrap_or(head.function);
        self.heads.insert(OWN_HEAD.to_owned(), head);
        Ok(())
    }

    /// Reads the head of a folder, if there is one, onto the device.
    pub(super) async fn read_head(
        &mut self,
        name: &str,
        folder: &impl Folder,
        small: &MemoryFolder,
        asked: Option<Way>,
    ) -> Result<Option<LoadedHead<B>>> {
        let hidden = self.config().hidden_size;
        let Some(described) = HeadConfig::from_folder(small, name, Some(hidden)).await? else {
            return Ok(None);
        };
        let checkpoint = open_head(folder).await?;
        let weights = described.read(&checkpoint).await?;
        let way = self.way_of_files(name, asked)?;
        let network = self.encoder.load_head(name, &weights).await?;
        Ok(Some(LoadedHead::new(network, described, way)))
    }

    /// How a head of published files has its vectors made: it reads the vector of `[CLS]` as it is.
    fn way_of_files(&self, head: &str, asked: Option<Way>) -> Result<Way> {
        let way = match asked {
            Some(way) => way,
            None => self.way(None, None).map_err(|error| match error {
                Error::InvalidOption { problem } => Error::UnsupportedHead { head: head.to_owned(), problem },
                other => other,
            })?,
        };
        Ok(Way { pooling: Pooling::Cls, normalize: false, ..way })
    }

    /// Puts a saved head on the device, for the way that the caller names, else for the one that it names itself.
    pub(super) async fn add_saved_head(
        &mut self,
        name: &str,
        saved: &SavedHead,
        asked: Option<Way>,
    ) -> Result<LoadedHead<B>> {
        let way = match &saved.input {
            Some(input) => {
                let own = self.way_of(name, input)?;
                let differs = |asked: &Way| (&asked.adapter, asked.experts) != (&own.adapter, own.experts);
                if let Some(asked) = asked.filter(differs) {
                    let asked =
                        asked.adapter.map_or("this task".to_owned(), |name| format!("the adapter {name:?}"));
                    let problem = format!(
                        "it was not trained on vectors of {asked}; leave that out, which the head names itself"
                    );
                    return Err(Error::UnsupportedHead { head: name.to_owned(), problem });
                }
                own
            }
            None => asked.map_or_else(|| self.way(None, None), Ok)?,
        };
        let network = self.encoder.load_head(name, &saved.weights()).await?;
        Ok(LoadedHead { network, labels: saved.labels.clone(), function: saved.function, way })
    }

    fn chosen_head(&self, name: Option<&str>) -> Result<String> {
        let chosen = match name {
            Some(name) => self.heads.get_key_value(name).map(|(name, _)| name),
            None if self.heads.len() == 1 => self.heads.keys().next(),
            None => None,
        };
        chosen.cloned().ok_or_else(|| {
            let refused = match name {
                Some(name) => self.refused_heads.get(name),
                None if self.heads.is_empty() => self.refused_heads.values().next(),
                None => None,
            };
            match refused {
                Some(Error::UnsupportedHead { head, problem }) => {
                    Error::UnsupportedHead { head: head.clone(), problem: problem.clone() }
                }
                _ => self.unknown_head(name),
            }
        })
    }

    fn unknown_head(&self, name: Option<&str>) -> Error {
        Error::UnknownHead { name: name.map(str::to_owned), loaded: self.heads.keys().cloned().collect() }
    }
}

impl<B: Backend> LoadedHead<B> {
    fn new(network: HeadOn<B>, described: HeadConfig, way: Way) -> Self {
        let HeadConfig { labels, function, .. } = described;
        Self { network, labels, function, way }
    }

    /// How many dense layers it has, the model's pooler among them.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.network.layers.len() + usize::from(self.network.pooler)
    }

    /// Runs documents through the model and this head: of each, the best labels, the best first.
    async fn score(
        &self,
        pipeline: Pipeline<'_, B>,
        way: &Way,
        function: Function,
        top_k: usize,
        documents: &[Document],
        on_batch: impl FnMut(usize, usize) -> Result<()>,
    ) -> Result<Vec<Vec<Score>>> {
        let count = self.labels.len();
        let best = top_k.min(count);
        // A softmax needs all of them; and what is little is read as it is.
        let on_device =
            function != Function::Softmax && best <= MOST_ON_DEVICE && 2 * best < count && best > 0;
        let readout = if on_device {
            Readout::LargestLogits(&self.network, best)
        } else {
            Readout::Logits(&self.network)
        };
        let mut scored = Vec::with_capacity(documents.len());
        let collect = |rows: &[f32], documents: usize| {
            for row in rows.chunks_exact(rows.len() / documents.max(1)) {
                scored.push(if on_device {
                    ranked(row, function)
                } else {
                    best_of(row, count, function, best)
                });
            }
        };
        pipeline.run(documents, way, usize::MAX, readout, on_batch, collect).await?;
        Ok(scored)
    }
}

/// The labels of the largest logits, which come with their columns.
#[expect(clippy::cast_sign_loss, reason = "a column is a whole number")]
fn ranked(row: &[f32], function: Function) -> Vec<Score> {
    let (logits, columns) = row.split_at(row.len() / 2);
    let mut scores: Vec<Score> =
        logits.iter().zip(columns).map(|(&score, &column)| Score { label: column as usize, score }).collect();
    apply(function, &mut scores);
    scores
}

/// The labels of the largest of the first `count` logits, the best first, and of equal ones the first.
fn best_of(row: &[f32], count: usize, function: Function, best: usize) -> Vec<Score> {
    let logits = row.iter().take(count).enumerate();
    let mut scores: Vec<Score> = logits.map(|(label, &score)| Score { label, score }).collect();
    // Before scores of large logits become the same number.
    scores.sort_by(|x, y| y.score.total_cmp(&x.score));
    apply(function, &mut scores);
    scores.truncate(best);
    scores
}

/// How far two vectors are apart.
fn distance(x: &[f32], y: &[f32]) -> f32 {
    let (x_eights, x_rest) = x.as_chunks::<8>();
    let (y_eights, y_rest) = y.as_chunks::<8>();
    // Several sums, so that the compiler can use vector instructions.
    let mut sums = [0.0_f32; 8];
    for (x, y) in x_eights.iter().zip(y_eights) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += (x - y) * (x - y);
        }
    }
    let rest: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| (x - y) * (x - y)).sum();
    (sums.iter().sum::<f32>() + rest).sqrt()
}

/// Logits become scores.
fn apply(function: Function, scores: &mut [Score]) {
    match function {
        Function::Sigmoid => {
            for Score { score, .. } in scores {
                *score = 1.0 / (1.0 + (-*score).exp());
            }
        }
        Function::Softmax => {
            let largest = scores.iter().map(|score| score.score).fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for Score { score, .. } in &mut *scores {
                *score = (*score - largest).exp();
                sum += *score;
            }
            for Score { score, .. } in scores {
                *score /= sum;
            }
        }
        Function::None => {}
    }
}
