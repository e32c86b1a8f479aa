//! The options of calls, as JavaScript writes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::engine::gpu::{
    AttentionKernel, LinearKernel, Plan, RoundingKernels, Tuned, TunedAttention, TunedLinear, Tuning,
};
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::task::{EmbedOptions, Task};
use crate::text::Template;
use crate::weights::Format;

/// `undefined` and `null` mean the defaults.
pub(super) fn parse<T: for<'a> Deserialize<'a> + Default>(options: &JsValue) -> Result<T> {
    if options.is_undefined() || options.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(options.clone())
        .map_err(|error| Error::InvalidOption { problem: format!("An option has a wrong type: {error}") })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LoadFields {
    pub(super) dtype: Option<String>,
    pub(super) max_length: Option<usize>,
    pub(super) token_budget: Option<usize>,
    pub(super) template: Option<String>,
    pub(super) pooling: Option<String>,
    pub(super) normalize: Option<bool>,
    pub(super) function: Option<String>,
    pub(super) adapter: Option<AdapterFields>,
    pub(super) features: FeatureFields,
    pub(super) tuning: Option<TuningField>,
    pub(super) weights: Option<String>,
    pub(super) tasks: BTreeMap<String, TaskFields>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskFields {
    adapter: Option<String>,
    experts: Option<usize>,
    template: Option<String>,
    pooling: Option<String>,
    normalize: Option<bool>,
}

impl TaskFields {
    pub(super) fn task(self) -> Result<Task> {
        Ok(Task {
            adapter: self.adapter,
            experts: self.experts,
            template: named(self.template.as_deref(), Template::new)?,
            pooling: named(self.pooling.as_deref(), Pooling::from_name)?,
            normalize: self.normalize,
        })
    }
}

/// Features that may be used: all that are not switched off.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FeatureFields {
    pub(super) subgroups: Option<bool>,
    pub(super) f16: Option<bool>,
    pub(super) integer_dot: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum TuningField {
    Name(String),
    Known(TunedFields),
}

#[derive(Deserialize)]
pub(super) struct TunedFields {
    linear: Vec<LinearFields>,
    attention: Vec<AttentionFields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttentionFields {
    head_size: usize,
    kernel: String,
}

impl AttentionFields {
    fn tuned(&self) -> Option<TunedAttention> {
        let kernel = AttentionKernel::from_name(&self.kernel)?;
        Some(TunedAttention { head_size: self.head_size, kernel })
    }
}

#[derive(Deserialize)]
struct LinearFields {
    outputs: usize,
    inputs: usize,
    dtype: String,
    few: String,
    several: String,
    many: String,
    #[serde(default)]
    rounding: RoundingFields,
}

#[derive(Default, Deserialize)]
struct RoundingFields {
    several: Option<String>,
    many: Option<String>,
}

impl LinearFields {
    /// Nothing where there is no kernel of such a name, which an older version may have had.
    fn tuned(&self) -> Option<TunedLinear> {
        let kernel = |name: &str| LinearKernel::from_name(name).ok();
        let plan = Plan {
            few: kernel(&self.few)?,
            several: kernel(&self.several)?,
            many: kernel(&self.many)?,
            rounding: RoundingKernels {
                several: self.rounding.several.as_deref().and_then(kernel),
                many: self.rounding.many.as_deref().and_then(kernel),
            },
        };
        let dtype = Format::from_name(&self.dtype).ok()?;
        Some(TunedLinear { outputs: self.outputs, inputs: self.inputs, dtype, plan })
    }
}

impl TuningField {
    pub(super) fn tuning(self) -> Result<Tuning> {
        Ok(match self {
            Self::Known(TunedFields { linear, attention }) => Tuning::Known(Tuned {
                linear: linear.iter().filter_map(LinearFields::tuned).collect(),
                attention: attention.iter().filter_map(AttentionFields::tuned).collect(),
            }),
            Self::Name(name) => match name.as_str() {
                "measured" => Tuning::Measured,
                "usual" => Tuning::Usual,
                kernel => Tuning::Pinned(LinearKernel::from_name(kernel)?),
            },
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConvertFields {
    pub(super) dtype: Option<String>,
    pub(super) part: bool,
    pub(super) weights: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdapterFields {
    pub(super) name: String,
    pub(super) vendor: String,
    pub(super) subgroups: bool,
    pub(super) integer_dot: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct EmbedFields {
    task: Option<String>,
    adapter: Option<String>,
    pooling: Option<String>,
    normalize: Option<bool>,
    template: Option<String>,
}

impl EmbedFields {
    pub(super) fn options(self) -> Result<EmbedOptions> {
        Ok(EmbedOptions {
            task: self.task,
            adapter: self.adapter,
            pooling: named(self.pooling.as_deref(), Pooling::from_name)?,
            normalize: self.normalize,
            template: named(self.template.as_deref(), Template::new)?,
            layers: None,
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct HeadFields {
    pub(super) task: Option<String>,
    pub(super) adapter: Option<String>,
    pub(super) function: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ClassifyFields {
    pub(super) head: Option<String>,
    pub(super) function: Option<String>,
    pub(super) threshold: Option<f32>,
    pub(super) thresholds: BTreeMap<String, f32>,
    pub(super) top_k: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RankFields {
    pub(super) task: Option<String>,
    pub(super) adapter: Option<String>,
    pub(super) pooling: Option<String>,
    pub(super) normalize: Option<bool>,
    pub(super) top_k: usize,
}

/// A name in an option, as what it stands for.
pub(super) fn named<T>(name: Option<&str>, from_name: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
    name.map(from_name).transpose()
}
