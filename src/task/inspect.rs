//! What a folder is, what would run, and how large it is.

use std::fmt;

use crate::engine::loading::{
    ADAPTER_WEIGHTS, Needed, PICKLED_ADAPTER_WEIGHTS, open_head, open_model, open_weights,
};
use crate::error::Result;
use crate::folder::Folder;
use crate::model::config::Architecture;
use crate::model::head::{HeadConfig, unless_refused};
use crate::model::pooling::PoolingDefaults;
use crate::model::{AdapterConfig, Config, adapter, training};
use crate::task::way::known_experts;
use crate::text::Tokenizer;
use crate::weights::{Format, TensorSpec};

/// A description for people; `Display` prints it.
#[derive(Clone, Debug, PartialEq)]
pub enum Description {
    /// A model that can be loaded.
    Model(Box<ModelDescription>),
    /// A bottleneck adapter that can be loaded over a model of its hidden size.
    Adapter(AdapterDescription),
    /// A head that can be loaded over a model of its hidden size.
    Head(Result<HeadConfig, String>),
}

/// A model folder.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDescription {
    config: Config,
    pooling: PoolingDefaults,
    head: Option<Result<HeadConfig, String>>,
    tasks: Vec<String>,
    experts: usize,
    max_length: usize,
    parameters: usize,
    tensors: Vec<TensorSpec>,
    ignored: Vec<String>,
}

/// An adapter folder.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterDescription {
    config: AdapterConfig,
    head: Option<Result<HeadConfig, String>>,
    hidden_size: usize,
    tensors: usize,
    parameters: usize,
}

/// Describes a folder of a model, an adapter or a head, or says why it cannot be loaded.
/// `weights` is the name of a model's file of weights, where it has none of the usual names.
pub async fn inspect(folder: &impl Folder, weights: Option<&str>) -> Result<Description> {
    if folder.open(AdapterConfig::FILE).await?.is_some() {
        return inspect_adapter(folder).await.map(Description::Adapter);
    }
    match inspect_head(folder, None).await? {
        Some(head) => Ok(Description::Head(Ok(head))),
        None => inspect_model(folder, weights).await.map(|model| Description::Model(Box::new(model))),
    }
}

async fn inspect_model(folder: &impl Folder, weights: Option<&str>) -> Result<ModelDescription> {
    let config = Config::from_folder(folder).await?;
    let pooling = PoolingDefaults::from_folder(folder).await?;
    let tokenizer = Tokenizer::from_folder(folder, config.positions, config.vocabulary_size, None).await?;
    let checkpoint = open_model(folder, weights).await?;
    let pooling = training::pooling(&checkpoint)?.unwrap_or(pooling);
    let Needed { head, tensors: needed, extent } = Needed::of(&config, &checkpoint)?;
    let tasks = known_experts(config.experts.as_deref(), extent.experts)?;
    let ignored = checkpoint
        .tensors()
        .filter(|name| !needed.iter().any(|spec| spec.name == name.trim_end_matches(".scales")))
        .map(str::to_owned)
        .collect();
    Ok(ModelDescription {
        parameters: needed.iter().map(|spec| spec.shape.iter().product::<usize>()).sum(),
        tensors: needed,
        max_length: tokenizer.max_length(),
        config,
        pooling,
        head: sentence(head),
        tasks,
        experts: extent.experts,
        ignored,
    })
}

/// A head, or the sentence that says why it cannot be run.
fn sentence(head: Option<Result<HeadConfig>>) -> Option<Result<HeadConfig, String>> {
    head.map(|head| head.map_err(|refusal| refusal.to_string()))
}

async fn inspect_head(folder: &impl Folder, hidden: Option<usize>) -> Result<Option<HeadConfig>> {
    let Some(head) = HeadConfig::from_folder(folder, folder.name(), hidden).await? else { return Ok(None) };
    let checkpoint = open_head(folder).await?;
    checkpoint.require(&head.tensors())?;
    Ok(Some(head))
}

async fn inspect_adapter(folder: &impl Folder) -> Result<AdapterDescription> {
    let hidden_size = AdapterConfig::hidden_size(folder).await?;
    let config = AdapterConfig::from_folder(folder, folder.name(), None).await?;
    let checkpoint =
        open_weights(folder, ADAPTER_WEIGHTS, PICKLED_ADAPTER_WEIGHTS, adapter::canonical_name).await?;
    config.require(&checkpoint, adapter::depth(&checkpoint), hidden_size)?;
    let sizes = checkpoint.tensors().filter_map(|name| checkpoint.shape(name));
    Ok(AdapterDescription {
        config,
        head: sentence(
            unless_refused(inspect_head(folder, Some(hidden_size).filter(|&size| size > 0)).await)?
                .transpose(),
        ),
        hidden_size,
        tensors: checkpoint.tensors().count(),
        parameters: sizes.map(|shape| shape.iter().product::<usize>()).sum(),
    })
}

impl ModelDescription {
    /// Bytes of the weights on a device.
    fn device_bytes(&self, format: Format) -> usize {
        let bytes = self.tensors.iter().map(|spec| {
            let [rows, columns] = spec.matrix_shape();
            spec.format(format).bytes(rows, columns)
        });
        bytes.sum()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(model) => model.fmt(f),
            Self::Adapter(adapter) => adapter.fmt(f),
            Self::Head(head) => describe_head(f, head),
        }
    }
}

impl fmt::Display for ModelDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        let name = match config.architecture {
            Architecture::Bert => "BERT",
            Architecture::DebertaV2 => "DeBERTa-v2",
        };
        writeln!(f, "{name} encoder: runs")?;
        writeln!(
            f,
            "  layers {}, hidden size {}, attention heads {}, intermediate size {}, {:?}",
            config.layers,
            config.hidden_size,
            config.attention_heads,
            config.intermediate_size,
            config.activation
        )?;
        writeln!(f, "  vocabulary {}, up to {} tokens a document", config.vocabulary_size, self.max_length)?;
        let normalized = if self.pooling.normalize { ", scaled to length 1" } else { "" };
        writeln!(f, "  pooling {}{normalized}", self.pooling.pooling.name())?;
        if self.experts > 0 && self.tasks.is_empty() {
            writeln!(
                f,
                "  {} sets of experts without names, so that tasks are named when it is loaded",
                self.experts
            )?;
        }
        if !self.tasks.is_empty() {
            writeln!(f, "  tasks, each with experts of its own: {}", self.tasks.join(", "))?;
        }
        if let Some(head) = &self.head {
            describe_head(f, head)?;
        }
        writeln!(f, "  parameters {:.1} million", self.parameters as f64 / 1e6)?;
        for format in Format::ALL {
            writeln!(
                f,
                "  on a device as {}: {:.1} MB",
                format.name(),
                self.device_bytes(format) as f64 / 1e6
            )?;
        }
        if !self.ignored.is_empty() {
            writeln!(f, "  ignored: {}", self.ignored.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for AdapterDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        let places = match (config.in_attention, config.in_output) {
            (true, true) => "after attention and after the output",
            (true, false) => "after attention",
            _ => "after the output",
        };
        writeln!(
            f,
            "bottleneck adapter {:?}: runs over a BERT of hidden size {}",
            config.name, self.hidden_size
        )?;
        writeln!(f, "  {places}, {:?}, scaling {:?}", config.activation, config.scaling)?;
        if !config.leave_out.is_empty() {
            writeln!(f, "  leaves out layers {:?}", config.leave_out)?;
        }
        writeln!(f, "  {} tensors, {:.2} million parameters", self.tensors, self.parameters as f64 / 1e6)?;
        self.head.iter().try_for_each(|head| describe_head(f, head))
    }
}

/// How many labels of a head are named.
const NAMED: usize = 40;

fn describe_head(f: &mut fmt::Formatter<'_>, head: &Result<HeadConfig, String>) -> fmt::Result {
    let HeadConfig { labels, function, .. } = match head {
        Ok(head) => head,
        Err(refusal) => return writeln!(f, "  {refusal}"),
    };
    let named: Vec<&str> = labels.iter().take(NAMED).map(String::as_str).collect();
    let more = if labels.len() > NAMED { ", …" } else { "" };
    writeln!(f, "  head: {} labels, {}: {}{more}", labels.len(), function.name(), named.join("; "))
}
