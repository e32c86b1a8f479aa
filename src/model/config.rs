//! `config.json` of a transformer encoder.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Activation;
use super::deberta::{ConvolutionConfig, DebertaFile, RelativeAttention};
use super::head::Classifier;
use crate::error::{Error, Result};
use crate::folder::{Folder, read_json};
use crate::weights::format::GROUP;

/// What a network is made of, and how it calls that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BERT.
    Bert,
    /// DeBERTa of the second kind; those called the third are of it, too.
    DebertaV2,
}

impl Architecture {
    /// The name in `config.json` and in `info()`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::DebertaV2 => "deberta-v2",
        }
    }
}

/// The sizes of an encoder, checked to be ones that the kernels can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What it is made of.
    pub architecture: Architecture,
    /// Width of a token's vector, `H`.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub layers: usize,
    /// Attention heads; each sees `hidden_size / attention_heads` columns.
    pub attention_heads: usize,
    /// Width of the feed-forward network.
    pub intermediate_size: usize,
    /// Between the two dense layers of the feed-forward network.
    pub activation: Activation,
    /// Of every layer normalization of the base network.
    pub layer_norm_epsilon: f32,
    /// The longest sequence that has positions.
    pub positions: usize,
    /// Whether there are embeddings of positions.
    pub absolute_positions: bool,
    /// How attention sees relative positions, where it does.
    pub relative: Option<RelativeAttention>,
    /// The convolution beside the first layer, where there is one.
    pub convolution: Option<ConvolutionConfig>,
    /// Rows of the word embedding table.
    pub vocabulary_size: usize,
    /// Rows of the token type table; may be 0.
    pub token_types: usize,
    /// Of the pooler's outputs.
    pub pooler_activation: Activation,
    /// The classifier on top of it, where the model is one.
    pub classifier: Option<Classifier>,
    /// The names of the sets of experts, in order, where the file says them.
    pub experts: Option<Vec<String>>,
}

/// The keys of `config.json` that matter here; the rest is tolerated.
#[derive(Debug, Deserialize)]
struct ConfigFile {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    intermediate_size: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f32>,
    max_position_embeddings: Option<usize>,
    vocab_size: Option<usize>,
    type_vocab_size: Option<usize>,
    position_embedding_type: Option<String>,
    is_decoder: Option<bool>,
    add_cross_attention: Option<bool>,
    id2label: Option<serde_json::Value>,
    problem_type: Option<String>,
    experts: Option<serde_json::Value>,
}

/// The widest head that the attention kernel keeps in registers.
const MAX_HEAD_SIZE: usize = 128;

/// A dispatch has at most this many workgroups along an axis, and some kernels take one a token.
pub(super) const MAX_POSITIONS: usize = 65_535;

impl Config {
    /// Reads and checks `config.json`.
    pub async fn from_folder(folder: &impl Folder) -> Result<Self> {
        let file: Option<ConfigFile> = read_json(folder, "config.json").await?;
        let file = file.ok_or_else(|| Error::FileMissing {
            folder: folder.name().to_owned(),
            file: "config.json".to_owned(),
            hint:
                "Check the model's name; an adapter goes into `adapters`, over the model it was trained on."
                    .to_owned(),
        })?;
        let name = format!("{}/config.json", folder.name());
        let architecture = file.architecture()?;
        let deberta: Option<DebertaFile> = match architecture {
            Architecture::Bert => None,
            Architecture::DebertaV2 => read_json(folder, "config.json").await?,
        };
        let positions = file.max_position_embeddings.unwrap_or(512);

        let missing = |key: &str| Error::corrupt(&name, format!("it has no {key}"));
        let config = Self {
            architecture,
            hidden_size: file.hidden_size.ok_or_else(|| missing("hidden_size"))?,
            layers: file.num_hidden_layers.ok_or_else(|| missing("num_hidden_layers"))?,
            attention_heads: file.num_attention_heads.ok_or_else(|| missing("num_attention_heads"))?,
            intermediate_size: file.intermediate_size.ok_or_else(|| missing("intermediate_size"))?,
            activation: activation("hidden_act", file.hidden_act.as_deref(), Activation::Gelu)?,
            layer_norm_epsilon: file.layer_norm_eps.unwrap_or(if deberta.is_some() { 1e-7 } else { 1e-12 }),
            positions,
            absolute_positions: deberta.as_ref().is_none_or(DebertaFile::absolute_positions),
            relative: deberta.as_ref().map_or(Ok(None), |file| file.relative_attention(positions))?,
            convolution: deberta.as_ref().map_or(Ok(None), DebertaFile::convolution)?,
            vocabulary_size: file.vocab_size.ok_or_else(|| missing("vocab_size"))?,
            token_types: file.type_vocab_size.unwrap_or(if deberta.is_some() { 0 } else { 2 }),
            pooler_activation: deberta
                .as_ref()
                .map_or(Ok(Activation::Tanh), DebertaFile::pooler_activation)?,
            classifier: file.classifier().map_err(|problem| Error::corrupt(&name, problem))?,
            experts: file.experts(),
        };
        config.check_sizes()?;
        deberta.map_or(Ok(()), |file| file.check_sizes(&config))?;
        Ok(config)
    }

    /// Columns of one attention head.
    #[must_use]
    pub fn head_size(&self) -> usize {
        self.hidden_size / self.attention_heads
    }

    fn check_sizes(&self) -> Result<()> {
        let refuse = |problem: String| Err(Error::unsupported(problem));
        let (hidden, heads) = (self.hidden_size, self.attention_heads);
        for (name, size, limit) in [
            ("hidden_size", hidden, 8192),
            ("num_hidden_layers", self.layers, 256),
            ("num_attention_heads", heads, 256),
            ("intermediate_size", self.intermediate_size, 65_536),
            ("vocab_size", self.vocabulary_size, 4_000_000),
        ] {
            if !(1..=limit).contains(&size) {
                return refuse(format!("{name} is {size}; this version runs 1 to {limit}"));
            }
        }
        if !(3..=MAX_POSITIONS).contains(&self.positions) {
            return refuse(format!(
                "max_position_embeddings is {}; this version runs 3 to {MAX_POSITIONS}",
                self.positions
            ));
        }
        if !hidden.is_multiple_of(GROUP) || !self.intermediate_size.is_multiple_of(GROUP) {
            return refuse(format!(
                "hidden_size {hidden} and intermediate_size {} must be multiples of {GROUP}",
                self.intermediate_size
            ));
        }
        if !hidden.is_multiple_of(heads) {
            return refuse(format!("hidden_size {hidden} does not divide into {heads} attention heads"));
        }
        let head = self.head_size();
        if !head.is_multiple_of(4) || head > MAX_HEAD_SIZE {
            return refuse(format!("a head of {head} columns; 4 to {MAX_HEAD_SIZE} in steps of 4 are run"));
        }
        if !(self.layer_norm_epsilon.is_finite() && self.layer_norm_epsilon >= 0.0) {
            return refuse(format!("layer_norm_eps is {}", self.layer_norm_epsilon));
        }
        Ok(())
    }
}

impl ConfigFile {
    /// The names of sets of experts. Others mean something else by this key.
    fn experts(&self) -> Option<Vec<String>> {
        let names = self.experts.as_ref()?.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect()
    }

    fn classifier(&self) -> Result<Option<Classifier>, String> {
        let architecture = self.architectures.as_ref().and_then(|names| names.first());
        let classifiers = ["BertForSequenceClassification", "DebertaV2ForSequenceClassification"];
        if architecture.is_none_or(|name| !classifiers.contains(&name.as_str())) {
            return Ok(None);
        }
        let mut names = BTreeMap::new();
        for (id, label) in self.id2label.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten()
        {
            let id = id.parse().map_err(|_| format!("id2label has a key {id:?}, which is no number"))?;
            let label = label.as_str().ok_or_else(|| format!("id2label has {label} for a name"))?;
            names.insert(id, label.to_owned());
        }
        Ok(Some(Classifier { names, problem_type: self.problem_type.clone() }))
    }

    fn architecture(&self) -> Result<Architecture> {
        let architecture = self.architectures.as_ref().and_then(|names| names.first());
        // Checkpoints of 2019 have no model_type.
        let found = match self.model_type.as_deref() {
            Some("bert") => Some(Architecture::Bert),
            Some("deberta-v2") => Some(Architecture::DebertaV2),
            Some(_) => None,
            None => match architecture.map(String::as_str) {
                Some(name) if name.starts_with("DebertaV2") => Some(Architecture::DebertaV2),
                Some(name) if !name.starts_with("Bert") => None,
                _ => Some(Architecture::Bert),
            },
        };
        let Some(found) = found else {
            let found = self.model_type.as_deref().or(architecture.map(String::as_str)).unwrap_or("unknown");
            let runs = "BERT (SPECTER2, SciBERT, SciMult, MiniLM…) and DeBERTa-v2 (SemCSE) encoders";
            return Err(Error::unsupported(if found == "deberta" || found.starts_with("DebertaM") {
                format!(
                    "it is a DeBERTa of the first version ({found}), whose attention and tokenizer are others; this \
                     version runs {runs}"
                )
            } else {
                format!("its architecture is {found:?}; this version runs {runs}")
            }));
        };
        if self.is_decoder == Some(true) || self.add_cross_attention == Some(true) {
            return Err(Error::unsupported("it is a decoder; encoders are run"));
        }
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => Ok(found),
            Some(other) => Err(Error::unsupported(format!(
                "position_embedding_type is {other:?}; only \"absolute\" is run"
            ))),
        }
    }
}

/// An activation by the name that a key gives it.
pub(super) fn activation(key: &str, name: Option<&str>, default: Activation) -> Result<Activation> {
    let Some(name) = name else { return Ok(default) };
    Activation::from_name(name)
        .ok_or_else(|| Error::unsupported(format!("{key} is {name:?}; known are {}", Activation::NAMES)))
}
