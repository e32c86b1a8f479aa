//! Heads: dense layers on top of a document's vector, whose outputs stand for labels.
//!
//! Four kinds of files hold one: a `BertForSequenceClassification` of transformers (the model's own weights), a
//! prediction head of the adapters library (`heads/base.py`), and what [`SavedHead`] writes, which is also what a bare
//! linear layer trained elsewhere becomes.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Activation, Dense, Pooling};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, read_json};
use crate::weights::{Checkpoint, TensorSpec};

/// What a classifier can choose among at most.
pub const MAX_LABELS: usize = 100_000;

/// The dense layers of a head.
#[derive(Debug)]
pub struct Head<M, V> {
    /// Whether the model's pooler, `tanh(x Wᵀ + b)` of the vector of `[CLS]`, comes first.
    pub pooler: bool,
    /// From the vector to the logits.
    pub layers: Vec<(Dense<M, V>, Activation)>,
    /// How many logits there are; rows on a device may be wider.
    pub outputs: usize,
}

/// The values of a head on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadWeights {
    /// Whether the model's pooler comes first.
    pub pooler: bool,
    /// From the vector to the logits.
    pub layers: Vec<LayerWeights>,
}

/// The values of a dense layer on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// `K`.
    pub inputs: usize,
    /// `(N, K)`.
    pub weight: Vec<f32>,
    /// `(N,)`.
    pub bias: Vec<f32>,
    /// Of its outputs.
    pub activation: Activation,
}

/// What becomes of logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Function {
    /// `1 / (1 + e⁻ˣ)`: each label is a question of its own.
    Sigmoid,
    /// `eˣ / Σ eˣ`: exactly one label is right.
    Softmax,
    /// `x`.
    None,
}

impl Function {
    /// The name in options and in `info()`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
            Self::None => "none",
        }
    }

    /// The function of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        let all = [Self::Sigmoid, Self::Softmax, Self::None];
        all.into_iter().find(|function| function.name() == name).ok_or_else(|| Error::InvalidOption {
            problem: format!("function is {name:?}; it can be 'sigmoid', 'softmax' or 'none'"),
        })
    }

    /// What `pipelines/text_classification.py` applies.
    fn of_problem(problem_type: Option<&str>, labels: usize) -> Self {
        match problem_type {
            Some("regression") => Self::None,
            Some("multi_label_classification") => Self::Sigmoid,
            _ if labels == 1 => Self::Sigmoid,
            _ => Self::Softmax,
        }
    }
}

/// What `config.json` says of the classifier that is a part of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classifier {
    /// `id2label`.
    pub names: BTreeMap<usize, String>,
    /// `problem_type`.
    pub problem_type: Option<String>,
}

/// A head as files describe it.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadConfig {
    /// The names of the logits, in order.
    pub labels: Vec<String>,
    /// What becomes of them.
    pub function: Function,
    /// Whether the model's pooler comes first.
    pub pooler: bool,
    layers: Vec<LayerSpec>,
}

#[derive(Clone, Debug, PartialEq)]
struct LayerSpec {
    weight: TensorSpec,
    bias: Option<TensorSpec>,
    activation: Activation,
}

/// The name of the only layer of a model's own head, and of one that the adapters library took from such a model.
const CLASSIFIER: &str = "classifier";

impl HeadConfig {
    /// The file of a head that the adapters library wrote.
    pub const FILE: &str = "head_config.json";
    /// Its weights.
    pub const WEIGHTS: &str = "model_head.safetensors";
    /// Its weights as PyTorch pickles them.
    pub const PICKLED_WEIGHTS: &str = "pytorch_model_head.bin";

    /// The head that is a part of a model, `classifier(pooler(x))`, or why it cannot be run.
    pub fn of_model<F: File>(
        classifier: &Classifier,
        checkpoint: &Checkpoint<F>,
        hidden: usize,
    ) -> Result<Self> {
        let refuse = |problem: String| Error::UnsupportedHead { head: CLASSIFIER.to_owned(), problem };
        let name = format!("{CLASSIFIER}.weight");
        let spec = |outputs: usize| LayerSpec::new(CLASSIFIER, [outputs, hidden], true, Activation::Identity);
        let outputs = match checkpoint.shape(&name) {
            Some(&[outputs, columns]) if columns == hidden && (1..=MAX_LABELS).contains(&outputs) => outputs,
            Some(shape) => {
                return Err(refuse(format!(
                    "{name} has shape {shape:?}; [labels, {hidden}] is needed, and up to {MAX_LABELS} labels"
                )));
            }
            None => {
                // That it is missing is said as of any other tensor.
                checkpoint.require(&[spec(1).weight])?;
                return Err(Error::internal(format!("{name} is missing and was not missed")));
            }
        };
        let default = |index: usize| format!("LABEL_{index}");
        let labels: Vec<String> = (0..outputs)
            .map(|index| classifier.names.get(&index).cloned().unwrap_or_else(|| default(index)))
            .collect();
        if classifier.names.keys().any(|&index| index >= outputs) {
            return Err(refuse(format!(
                "{name} has {outputs} rows, but id2label names {}",
                classifier.names.len()
            )));
        }
        check_labels(&labels).map_err(|problem| refuse(format!("of its labels {problem}")))?;
        Ok(Self {
            function: Function::of_problem(classifier.problem_type.as_deref(), outputs),
            labels,
            pooler: true,
            layers: vec![spec(outputs)],
        })
    }

    /// Reads and checks `head_config.json`, for a network of this width where there is one; none where there is no such
    /// file.
    pub async fn from_folder(
        folder: &impl Folder,
        head: &str,
        hidden: Option<usize>,
    ) -> Result<Option<Self>> {
        let Some(file) = read_json::<HeadFile>(folder, Self::FILE).await? else { return Ok(None) };
        let described = file.check(hidden);
        described.map(Some).map_err(|problem| Error::UnsupportedHead { head: head.to_owned(), problem })
    }

    /// Every tensor that the head needs.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let of = |layer: &LayerSpec| [Some(layer.weight.clone()), layer.bias.clone()];
        self.layers.iter().flat_map(of).flatten().collect()
    }

    /// Makes weights of tensors that somebody has read.
    pub fn weights(&self, mut tensor: impl FnMut(&str) -> Result<Vec<f32>>) -> Result<HeadWeights> {
        let layer = |LayerSpec { weight, bias, activation }: &LayerSpec| {
            let [outputs, inputs] = weight.matrix_shape();
            Ok(LayerWeights {
                inputs,
                weight: tensor(&weight.name)?,
                bias: bias.as_ref().map_or_else(|| Ok(vec![0.0; outputs]), |bias| tensor(&bias.name))?,
                activation: *activation,
            })
        };
        Ok(HeadWeights { pooler: self.pooler, layers: self.layers.iter().map(layer).collect::<Result<_>>()? })
    }

    /// Reads the weights.
    pub async fn read<F: File>(&self, checkpoint: &Checkpoint<F>) -> Result<HeadWeights> {
        let needed = self.tensors();
        checkpoint.require(&needed)?;
        let mut read = BTreeMap::new();
        for TensorSpec { name, .. } in needed {
            let values = checkpoint.vector(&name).await?;
            read.insert(name, values);
        }
        self.weights(|name| read.remove(name).ok_or_else(|| Error::internal(format!("{name} was not read"))))
    }
}

impl LayerSpec {
    fn new(module: &str, shape: [usize; 2], bias: bool, activation: Activation) -> Self {
        Self {
            weight: TensorSpec::new(format!("{module}.weight"), shape),
            bias: bias.then(|| TensorSpec::new(format!("{module}.bias"), [shape[0]])),
            activation,
        }
    }
}

/// `head_config.json`. A static head, which the library did not make itself, has no `config`.
#[derive(Debug, Deserialize)]
struct HeadFile {
    name: Option<String>,
    config: Option<PredictionHead>,
    hidden_size: Option<usize>,
    num_labels: Option<usize>,
    label2id: Option<BTreeMap<String, usize>>,
    model_class: Option<String>,
}

/// The keys of the library's own heads, with its defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct PredictionHead {
    head_type: Option<String>,
    activation_function: Option<String>,
    bias: bool,
    layers: usize,
    num_labels: usize,
    label2id: Option<BTreeMap<String, usize>>,
    use_pooler: bool,
}

impl Default for PredictionHead {
    fn default() -> Self {
        Self {
            head_type: None,
            activation_function: None,
            bias: true,
            layers: 2,
            num_labels: 2,
            label2id: None,
            use_pooler: false,
        }
    }
}

/// Tells a head that cannot be run, without which a model or an adapter still is one, from all else that fails.
pub fn unless_refused<T>(head: Result<T>) -> Result<Result<T>> {
    match head {
        Err(error) if !matches!(error, Error::UnsupportedHead { .. }) => Err(error),
        head_or_refusal => Ok(head_or_refusal),
    }
}

/// The deepest head that is read.
const MAX_LAYERS: usize = 16;

impl HeadFile {
    fn check(self, hidden: Option<usize>) -> Result<HeadConfig, String> {
        let trained_on = self.hidden_size.or(hidden).ok_or("its head_config.json has no hidden_size")?;
        if let Some(hidden) = hidden.filter(|&hidden| hidden != trained_on) {
            return Err(format!(
                "it was trained on a model of hidden size {trained_on}, but this model has {hidden}"
            ));
        }
        let Some(head) = self.config else {
            let of = self.model_class.unwrap_or_default();
            if !of.ends_with("ForSequenceClassification") {
                return Err(format!("it is the head of a {of:?}; those of sequence classifiers are run"));
            }
            // A model whose labels were named after it was made leaves the numbers of two others behind.
            let count = self.num_labels.unwrap_or(2);
            let named = self.label2id.filter(|ids| ids.len() == count);
            let labels = label_names(named, count)?;
            return Ok(HeadConfig {
                function: Function::of_problem(None, labels.len()),
                pooler: true,
                layers: vec![LayerSpec::new(
                    CLASSIFIER,
                    [labels.len(), trained_on],
                    true,
                    Activation::Identity,
                )],
                labels,
            });
        };

        let kind = head.head_type.as_deref().unwrap_or("unknown");
        let is_multi_label = kind == "multilabel_classification";
        if !is_multi_label && kind != "classification" {
            return Err(format!(
                "its head_type is {kind:?}; classification and multilabel_classification are run"
            ));
        }
        let labels = label_names(head.label2id, head.num_labels)?;
        let function = match labels.len() {
            _ if is_multi_label => Function::Sigmoid,
            1 => Function::None,
            _ => Function::Softmax,
        };
        if !(1..=MAX_LAYERS).contains(&head.layers) {
            return Err(format!("it has {} layers; 1 to {MAX_LAYERS} are run", head.layers));
        }
        let activation = match head.activation_function.as_deref() {
            None => None,
            Some(name) => Some(Activation::from_name(name).ok_or_else(|| {
                format!("its activation_function is {name:?}; known are {}", Activation::NAMES)
            })?),
        };
        // The modules are numbered: dropout, dense layer, and the activation where there is one.
        let step = if activation.is_some() { 3 } else { 2 };
        let name = self.name.ok_or("its head_config.json has no name")?;
        let layer = |index: usize| {
            let module = format!("heads.{name}.{}", index * step + 1);
            if index + 1 == head.layers {
                LayerSpec::new(&module, [labels.len(), trained_on], head.bias, Activation::Identity)
            } else {
                LayerSpec::new(&module, [trained_on, trained_on], true, activation.unwrap_or_default())
            }
        };
        let layers = (0..head.layers).map(layer).collect();
        Ok(HeadConfig { function, pooler: head.use_pooler, layers, labels })
    }
}

/// The names of so many labels by their numbers.
fn label_names(ids: Option<BTreeMap<String, usize>>, count: usize) -> Result<Vec<String>, String> {
    let labels: Vec<String> = match ids {
        None => (0..count.min(MAX_LABELS + 1)).map(|index| format!("LABEL_{index}")).collect(),
        Some(ids) => {
            let mut numbered: Vec<(usize, String)> = ids.into_iter().map(|(name, id)| (id, name)).collect();
            numbered.sort_unstable();
            if numbered.len() != count || numbered.iter().enumerate().any(|(index, (id, _))| index != *id) {
                return Err(format!("its label2id does not number {count} labels from 0 on"));
            }
            numbered.into_iter().map(|(_, name)| name).collect()
        }
    };
    check_labels(&labels).map_err(|problem| format!("of its labels {problem}"))?;
    Ok(labels)
}

/// Says what is wrong with a set of labels, as in "of the labels …".
pub fn check_labels(labels: &[String]) -> Result<(), String> {
    if labels.is_empty() {
        return Err("there is none; at least one is needed".to_owned());
    }
    if labels.len() > MAX_LABELS {
        return Err(format!("there are {}; up to {MAX_LABELS} are ranked at once", labels.len()));
    }
    let mut seen = HashSet::new();
    for (index, label) in labels.iter().enumerate() {
        if label.trim().is_empty() {
            return Err(format!("number {index} has no name; give it one"));
        }
        if !seen.insert(label) {
            return Err(format!("{label:?} is there twice; each needs a name of its own"));
        }
    }
    Ok(())
}

/// A linear head as JSON, with what its vectors were made by, so that it never meets others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedHead {
    /// [`SavedHead::FORMAT`].
    pub format: String,
    /// The names of the outputs, in order.
    pub labels: Vec<String>,
    /// What becomes of them.
    pub function: Function,
    /// `(labels, hidden size)`.
    pub weight: Vec<Vec<f32>>,
    /// `(labels,)`.
    pub bias: Vec<f32>,
    /// What made the vectors that it was trained on; where nothing is said, it is taken for one of this model's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<HeadInput>,
    /// How it was trained, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
}

/// What makes the vectors that a head reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeadInput {
    /// The model's name, for people.
    pub model: String,
    /// A hash of its biases and normalizations, which are the same in every dtype.
    pub fingerprint: String,
    /// The format of its matrices.
    pub dtype: String,
    /// The adapter, where there is one.
    pub adapter: Option<AdapterInput>,
    /// The number of the set of experts, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<usize>,
    /// Which rows make the vector: `cls`, `mean`.
    pub pooling: String,
    /// Whether it is scaled to length 1.
    pub normalize: bool,
    /// How a paper becomes a text.
    pub template: String,
    /// How many tokens of a text are read.
    pub max_length: usize,
}

/// The adapter that makes the vectors that a head reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdapterInput {
    /// Its name, for people.
    pub name: String,
    /// A hash of its biases.
    pub fingerprint: String,
}

/// How a head was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Training {
    /// `multinomial`, `one-vs-rest`, `ridge`.
    pub kind: String,
    /// On how many papers.
    pub examples: usize,
    /// The strength that was taken.
    pub strength: f64,
    /// The strengths that were tried, with the score of each on the papers left out.
    pub validation: Vec<Validation>,
}

/// How well a strength did on the papers that were left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Of regularization.
    pub strength: f64,
    /// Macro-F1, or R² of values.
    pub score: f64,
}

/// No weight of use is larger, and sums of smaller ones are finite.
const LARGEST_WEIGHT: f32 = 1e20;

impl SavedHead {
    /// What its first entry says.
    pub const FORMAT: &str = "specter-web head 1";

    /// Reads a saved head, which has as many rows as labels, each as wide as the model's vectors, of finite numbers.
    pub fn from_json(json: &[u8], head: &str, hidden: usize) -> Result<Self> {
        let refuse = |problem: String| Error::UnsupportedHead { head: head.to_owned(), problem };
        let saved: Self = serde_json::from_slice(json)
            .map_err(|error| refuse(format!("it is not one that was saved here: {error}")))?;
        if saved.format != Self::FORMAT {
            return Err(refuse(format!("its format is {:?}; {:?} is read", saved.format, Self::FORMAT)));
        }
        check_labels(&saved.labels).map_err(|problem| refuse(format!("of its labels {problem}")))?;
        let Self { labels, weight, bias, .. } = &saved;
        if weight.len() != labels.len() || bias.len() != labels.len() {
            return Err(refuse(format!(
                "it has {} labels, {} rows of weights and {} biases; each label needs one of both",
                labels.len(),
                weight.len(),
                bias.len()
            )));
        }
        if let Some(row) = weight.iter().find(|row| row.len() != hidden) {
            return Err(refuse(format!(
                "its rows have {} weights, but vectors of this model have {hidden} components",
                row.len()
            )));
        }
        if !weight.iter().flatten().chain(bias).all(|value| value.abs() < LARGEST_WEIGHT) {
            return Err(refuse("it has a weight that is not a number, or is larger than any".to_owned()));
        }
        Ok(saved)
    }

    /// Its values.
    #[must_use]
    pub fn weights(&self) -> HeadWeights {
        let layer = LayerWeights {
            inputs: self.weight.first().map_or(0, Vec::len),
            weight: self.weight.concat(),
            bias: self.bias.clone(),
            activation: Activation::Identity,
        };
        HeadWeights { pooler: false, layers: vec![layer] }
    }
}

impl HeadInput {
    /// The pooling, by its name.
    pub fn pooling(&self) -> Result<Pooling> {
        Pooling::from_name(&self.pooling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_function_is_that_of_the_text_classification_pipeline() {
        for (problem, labels, function) in [
            (Some("regression"), 1, Function::None),
            (Some("regression"), 4, Function::None),
            (Some("multi_label_classification"), 28, Function::Sigmoid),
            (Some("single_label_classification"), 28, Function::Softmax),
            (None, 1, Function::Sigmoid),
            (None, 28, Function::Softmax),
        ] {
            assert_eq!(Function::of_problem(problem, labels), function, "{problem:?}, {labels}");
        }
    }

    #[test]
    fn labels_are_in_the_order_of_their_numbers() {
        let ids = BTreeMap::from([("b".to_owned(), 0), ("a".to_owned(), 1)]);
        assert_eq!(label_names(Some(ids.clone()), 2), Ok(names(&["b", "a"])));
        assert!(label_names(Some(ids), 3).is_err());
        assert!(label_names(Some(BTreeMap::from([("a".to_owned(), 1)])), 1).is_err());
        assert_eq!(label_names(None, 2), Ok(names(&["LABEL_0", "LABEL_1"])));
    }

    #[test]
    fn labels_are_named_and_each_once() {
        assert_eq!(check_labels(&names(&["a", "b"])), Ok(()));
        for (labels, word) in [(&["a", "a"] as &[_], "twice"), (&[], "none"), (&["a", " "], "no name")] {
            let problem = check_labels(&names(labels)).err().unwrap_or_default();
            assert!(problem.contains(word), "{problem}");
        }
        let many: Vec<String> = (0..=MAX_LABELS).map(|label| label.to_string()).collect();
        assert!(check_labels(&many).is_err());
        assert!(check_labels(&many[1..]).is_ok());
    }
}
