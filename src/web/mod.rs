//! The surface for JavaScript. It carries values in and out and decides nothing; `www/` wraps it.

mod options;
mod page;
mod papers;
mod types;

use std::cell::Cell;

use js_sys::{Array, Float32Array, Reflect, Uint32Array};
use serde::Serialize;
use sha2::Digest as _;
use wasm_bindgen::prelude::*;

use crate::engine::cpu::{self, Cpu};
use crate::engine::gpu::{Features, Gpu, GpuOptions, Tuned, Tuning};
use crate::engine::{Backend, DeviceInfo, KernelInfo, MemoryInfo};
use crate::error::{Error, Result};
use crate::model::Pooling;
use crate::model::head::{Function, HeadInput};
use crate::task::convert::{self, Conversion};
use crate::task::{
    ClassifyOptions, Embeddings, HeadOptions, HeadSource, LoadOptions, RankOptions, Score, Similarity,
    Specter, TOKEN_BUDGET, Task,
};
use crate::text::Template;
use crate::weights::Format;
use options::{
    AdapterFields, ClassifyFields, ConvertFields, EmbedFields, HeadFields, LoadFields, RankFields,
    TuningField, named, parse,
};
use page::{Callbacks, JsFolder, JsProcessor, JsSink, PageFolder, PageSink, clock, pause, waiting};
use papers::documents;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    version: &'static str,
    model: String,
    architecture: &'static str,
    dtype: &'static str,
    hidden_size: usize,
    layers: usize,
    max_length: usize,
    pooling: &'static str,
    normalize: bool,
    template: String,
    fingerprint: String,
    adapters: Vec<String>,
    tasks: Vec<TaskInfo>,
    heads: Vec<HeadInfo>,
    device: DeviceInfo,
    kernels: Vec<KernelInfo>,
    tuning: Tuned,
    memory: Memory,
}

#[derive(Serialize)]
struct TaskInfo {
    name: String,
    adapter: Option<String>,
    experts: Option<usize>,
    pooling: &'static str,
    normalize: bool,
    template: String,
}

impl TaskInfo {
    fn of<B: Backend>(specter: &Specter<B>, name: &str, task: &Task) -> Self {
        Self {
            name: name.to_owned(),
            adapter: task.adapter.clone(),
            experts: task.experts,
            pooling: task.pooling.unwrap_or(specter.defaults().pooling).name(),
            normalize: task.normalize.unwrap_or(specter.defaults().normalize),
            template: task.template.as_ref().unwrap_or(specter.template()).to_string(),
        }
    }
}

#[derive(Serialize)]
struct HeadInfo {
    name: String,
    labels: Vec<String>,
    function: &'static str,
    adapter: Option<String>,
    layers: usize,
}

#[derive(Serialize)]
struct Memory {
    #[serde(flatten)]
    device: MemoryInfo,
    /// Of WebAssembly.
    heap: usize,
}

/// How many tokens a software adapter computes at once unless the caller says otherwise: half a second for BERT-base's
/// largest kernel, so that the page and other tabs get their turn.
const SOFTWARE_TOKEN_BUDGET: usize = 1024;

/// A model on one of the devices.
enum Model {
    Gpu(Box<Specter<Gpu>>),
    Cpu(Box<Specter<Cpu<JsProcessor>>>),
}

/// The same call on whichever device it is.
macro_rules! on_device {
    ($model:expr, $specter:ident => $call:expr) => {
        match $model {
            Model::Gpu($specter) => $call,
            Model::Cpu($specter) => $call,
        }
    };
}

/// One loaded model on one device. Calls must not overlap; `www/engine.js` queues them.
#[wasm_bindgen]
pub struct Engine {
    /// Taken out while a call runs.
    model: Cell<Option<Model>>,
}

impl Engine {
    fn take(&self) -> Result<Model> {
        self.model.take().ok_or_else(|| Error::internal("a call began before the last one ended"))
    }
}

#[wasm_bindgen]
impl Engine {
    /// The engine's version.
    #[must_use]
    pub fn version() -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }

    /// Reads a model folder onto a device.
    pub async fn load(
        folder: JsFolder,
        #[wasm_bindgen(unchecked_param_type = "EngineLoadOptions")] options: JsValue,
    ) -> Result<Engine, JsValue> {
        let fields: LoadFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let load = LoadOptions {
            format: fields.dtype.as_deref().map_or(Ok(Format::Q8), Format::from_name)?,
            max_length: fields.max_length,
            token_budget: fields.token_budget.unwrap_or(TOKEN_BUDGET),
            template: fields.template.as_deref().map(Template::new).transpose()?,
            pooling: named(fields.pooling.as_deref(), Pooling::from_name)?,
            normalize: fields.normalize,
            function: named(fields.function.as_deref(), Function::from_name)?,
            weights: fields.weights,
            tasks: fields
                .tasks
                .into_iter()
                .map(|(name, task)| Ok((name, task.task()?)))
                .collect::<Result<_>>()?,
        };
        let folder = PageFolder::new(folder);
        let on_tensor = |done: usize, total: usize| {
            callbacks.load_progress("weights", done as f64, total as f64);
            callbacks.check_stop()
        };
        let processor = Reflect::get(&options, &"processor".into()).ok().filter(JsValue::is_object);
        let mut model = if let Some(processor) = processor {
            let load = LoadOptions { token_budget: fields.token_budget.unwrap_or(cpu::TOKEN_BUDGET), ..load };
            let cpu = Cpu::new(processor.unchecked_into::<JsProcessor>()).with_pause(pause(0));
            Model::Cpu(Box::new(Specter::load(&folder, load, cpu, on_tensor).await?))
        } else {
            // The GPU first: without one, nothing large should be read.
            let AdapterFields { name, vendor, subgroups, integer_dot } = fields.adapter.unwrap_or_default();
            let allowed = fields.features;
            let gpu = Gpu::new(GpuOptions {
                waiting: waiting(),
                allowed: Features {
                    subgroups: allowed.subgroups.unwrap_or(true),
                    f16: allowed.f16.unwrap_or(true),
                    integer_dot: allowed.integer_dot.unwrap_or(true),
                },
                known: Features { subgroups, f16: false, integer_dot },
                adapter: (!name.is_empty()).then_some((name, vendor)),
                software: None,
                tuning: fields.tuning.map_or(Ok(Tuning::default()), TuningField::tuning)?,
                clock: clock(),
            })
            .await?;
            let mut load = load;
            if fields.token_budget.is_none() && gpu.device().software {
                load.token_budget = SOFTWARE_TOKEN_BUDGET;
            }
            Model::Gpu(Box::new(Specter::load(&folder, load, gpu, on_tensor).await?))
        };
        callbacks.load_progress("pipelines", 0.0, 1.0);
        on_device!(&mut model, specter => specter.warm_up().await)?;
        callbacks.load_progress("pipelines", 1.0, 1.0);
        callbacks.check_stop()?;
        Ok(Self { model: Cell::new(Some(model)) })
    }

    /// Writes a published model, or what goes beside one, as a folder of the same shape with quantized weights, which
    /// `load`, `loadAdapter` and `loadHead` read like any other. The same source gives the same bytes.
    pub async fn convert(
        folder: JsFolder,
        sink: JsSink,
        #[wasm_bindgen(unchecked_param_type = "EngineConvertOptions")] options: JsValue,
    ) -> Result<(), JsValue> {
        let fields: ConvertFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let previous = Reflect::get(&options, &"previous".into()).ok().filter(JsValue::is_object);
        let previous = previous.map(|folder| PageFolder::new(folder.unchecked_into()));
        let conversion = Conversion {
            format: fields.dtype.as_deref().map_or(Ok(Format::Q8), Format::from_name)?,
            previous: previous.as_ref(),
            weights: fields.weights.as_deref(),
        };
        let on_tensor = |done: usize, total: usize| {
            callbacks.load_progress("weights", done as f64, total as f64);
            callbacks.check_stop()
        };
        let (folder, mut sink) = (PageFolder::new(folder), PageSink(sink));
        if fields.part {
            Ok(convert::part(&folder, &mut sink, on_tensor).await?)
        } else {
            Ok(conversion.model(&folder, &mut sink, on_tensor).await?)
        }
    }

    /// Reads an adapter onto the device, beside those that are there.
    #[wasm_bindgen(js_name = loadAdapter)]
    pub async fn load_adapter(
        &self,
        name: String,
        folder: JsFolder,
        #[wasm_bindgen(unchecked_optional_param_type = "() => boolean")] should_stop: JsValue,
    ) -> Result<(), JsValue> {
        let callbacks = Callbacks { on_progress: None, should_stop: should_stop.dyn_into().ok() };
        callbacks.check_stop()?;
        let mut model = self.take()?;
        let folder = PageFolder::new(folder);
        let loaded = on_device!(&mut model, specter => specter.load_adapter(&name, &folder, || callbacks.check_stop()).await);
        self.model.set(Some(model));
        Ok(loaded?)
    }

    /// Takes an adapter off the device.
    #[wasm_bindgen(js_name = unloadAdapter)]
    pub fn unload_adapter(&self, name: &str) -> Result<(), JsValue> {
        let mut model = self.take()?;
        let unloaded = on_device!(&mut model, specter => specter.unload_adapter(name));
        self.model.set(Some(model));
        Ok(unloaded?)
    }

    /// Papers in, vectors out.
    #[wasm_bindgen(unchecked_return_type = "EngineEmbeddings")]
    pub async fn embed(
        &self,
        #[wasm_bindgen(
            unchecked_param_type = "(string | { title?: string | null, abstract?: string | null })[]"
        )]
        papers: Array,
        #[wasm_bindgen(unchecked_param_type = "EngineEmbedOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let documents = documents(&papers)?;
        let fields: EmbedFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let embed = fields.options()?;
        let mut model = self.take()?;
        let on_batch = callbacks.on_batch();
        let embedded = on_device!(&mut model, specter => specter.embed(&documents, &embed, on_batch).await);
        self.model.set(Some(model));

        let Embeddings { data, dims: [count, width] } = embedded?;
        let result = js_sys::Object::new();
        Reflect::set(&result, &"data".into(), &Float32Array::from(data.as_slice()))?;
        Reflect::set(&result, &"dims".into(), &Array::of2(&count.into(), &width.into()))?;
        Ok(result.into())
    }

    /// Reads a head onto the device, beside those that are there: from a folder, or from what `fit` has returned.
    #[wasm_bindgen(js_name = loadHead)]
    pub async fn load_head(
        &self,
        name: String,
        #[wasm_bindgen(unchecked_param_type = "Folder | string")] source: JsValue,
        #[wasm_bindgen(unchecked_param_type = "EngineHeadOptions")] options: JsValue,
    ) -> Result<(), JsValue> {
        let fields: HeadFields = parse(&options)?;
        let function = named(fields.function.as_deref(), Function::from_name)?;
        let options = HeadOptions { task: fields.task, adapter: fields.adapter, function };
        let json = source.as_string();
        let folder = if json.is_none() { Some(PageFolder::new(source.unchecked_into())) } else { None };
        let source = match (&json, &folder) {
            (Some(json), _) => HeadSource::Json(json.as_bytes()),
            (None, Some(folder)) => HeadSource::Folder(folder),
            (None, None) => return Err(Error::internal("a head of neither kind").into()),
        };
        let mut model = self.take()?;
        let loaded = on_device!(&mut model, specter => specter.load_head(&name, source, options).await);
        self.model.set(Some(model));
        Ok(loaded?)
    }

    /// Takes a head off the device.
    #[wasm_bindgen(js_name = unloadHead)]
    pub fn unload_head(&self, name: &str) -> Result<(), JsValue> {
        let mut model = self.take()?;
        let unloaded = on_device!(&mut model, specter => specter.unload_head(name));
        self.model.set(Some(model));
        Ok(unloaded?)
    }

    /// Papers in, labels out.
    #[wasm_bindgen(unchecked_return_type = "EngineScores")]
    pub async fn classify(
        &self,
        #[wasm_bindgen(
            unchecked_param_type = "(string | { title?: string | null, abstract?: string | null })[]"
        )]
        papers: Array,
        #[wasm_bindgen(unchecked_param_type = "EngineClassifyOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let documents = documents(&papers)?;
        let fields: ClassifyFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let classify = ClassifyOptions {
            head: fields.head,
            function: named(fields.function.as_deref(), Function::from_name)?,
            threshold: fields.threshold,
            thresholds: fields.thresholds,
            top_k: fields.top_k,
        };
        let mut model = self.take()?;
        let on_batch = callbacks.on_batch();
        let scores =
            on_device!(&mut model, specter => specter.classify(&documents, &classify, on_batch).await);
        self.model.set(Some(model));
        Ok(scores_object(&scores?)?)
    }

    /// Keeps a set of labels under a number: names, vectors that `embed` has made of them, and how they are compared with
    /// papers'.
    #[wasm_bindgen(js_name = loadLabels)]
    pub async fn load_labels(
        &self,
        number: u32,
        labels: Vec<String>,
        vectors: Vec<f32>,
        #[wasm_bindgen(unchecked_param_type = "EngineInput")] input: JsValue,
        similarity: &str,
    ) -> Result<(), JsValue> {
        let similarity = Similarity::from_name(similarity)?;
        let wrong = |error: serde_wasm_bindgen::Error| Error::InvalidInput {
            problem: format!("The labels do not say what their vectors were made by: {error}"),
        };
        let input: HeadInput = serde_wasm_bindgen::from_value(input).map_err(wrong)?;
        let mut model = self.take()?;
        let loaded = on_device!(&mut model, specter => specter.load_labels(number, labels, vectors, &input, similarity).await);
        self.model.set(Some(model));
        Ok(loaded?)
    }

    /// Takes a set of labels off the device, if it is there.
    #[wasm_bindgen(js_name = unloadLabels)]
    pub fn unload_labels(&self, number: u32) -> Result<(), JsValue> {
        let mut model = self.take()?;
        on_device!(&mut model, specter => specter.unload_labels(number));
        self.model.set(Some(model));
        Ok(())
    }

    /// Papers in, the labels of a set out that are closest to each.
    #[wasm_bindgen(js_name = rankLabels, unchecked_return_type = "EngineScores")]
    pub async fn rank_labels(
        &self,
        #[wasm_bindgen(
            unchecked_param_type = "(string | { title?: string | null, abstract?: string | null })[]"
        )]
        papers: Array,
        number: u32,
        #[wasm_bindgen(unchecked_param_type = "EngineRankOptions")] options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let documents = documents(&papers)?;
        let fields: RankFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let rank = RankOptions {
            task: fields.task,
            adapter: fields.adapter,
            pooling: named(fields.pooling.as_deref(), Pooling::from_name)?,
            normalize: fields.normalize,
            top_k: fields.top_k,
        };
        let mut model = self.take()?;
        let on_batch = callbacks.on_batch();
        let scores =
            on_device!(&mut model, specter => specter.rank_labels(&documents, number, &rank, on_batch).await);
        self.model.set(Some(model));
        Ok(scores_object(&scores?)?)
    }

    /// What makes the vectors of a call, for whoever keeps them.
    #[wasm_bindgen(unchecked_return_type = "EngineInput")]
    pub fn input(
        &self,
        #[wasm_bindgen(unchecked_param_type = "EngineEmbedOptions")] options: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let options = parse::<EmbedFields>(options)?.options()?;
        let model = self.take()?;
        let input =
            on_device!(&model, specter => specter.way_of_call(&options).and_then(|way| specter.input(&way)));
        self.model.set(Some(model));
        Ok(as_object(&input?)?)
    }

    /// What is loaded, where it runs, what has run.
    #[wasm_bindgen(unchecked_return_type = "EngineInfo")]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let model = self.take()?;
        let tuning = match &model {
            Model::Gpu(specter) => specter.backend().tuned(),
            Model::Cpu(_) => Tuned::default(),
        };
        let info = on_device!(&model, specter => Info {
            version: env!("CARGO_PKG_VERSION"),
            model: specter.name().to_owned(),
            architecture: specter.config().architecture.name(),
            dtype: specter.format().name(),
            hidden_size: specter.config().hidden_size,
            layers: specter.config().layers,
            max_length: specter.tokenizer().max_length(),
            pooling: specter.defaults().pooling.name(),
            normalize: specter.defaults().normalize,
            template: specter.template().to_string(),
            fingerprint: specter.fingerprint().to_owned(),
            adapters: specter.adapters().map(str::to_owned).collect(),
            tasks: specter.tasks().map(|(name, task)| TaskInfo::of(specter, name, task)).collect(),
            heads: specter.heads().map(|(name, head)| HeadInfo {
                name: name.to_owned(),
                labels: head.labels.clone(),
                function: head.function.name(),
                adapter: head.way.adapter.clone(),
                layers: head.layers(),
            }).collect(),
            device: specter.backend().device(),
            kernels: specter.backend().kernels(),
            tuning,
            memory: Memory { device: specter.backend().memory(), heap: heap_bytes() },
        });
        self.model.set(Some(model));
        Ok(as_object(&info)?)
    }
}

/// A plain object, as JSON would make it.
fn as_object(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|error| Error::internal(error.to_string()))
}

/// Scores as an `EngineScores`.
fn scores_object(documents: &[Vec<Score>]) -> Result<JsValue> {
    let counts: Vec<u32> = documents.iter().map(|scores| scores.len() as u32).collect();
    let labels: Vec<u32> = documents.iter().flatten().map(|score| score.label as u32).collect();
    let scores: Vec<f32> = documents.iter().flatten().map(|score| score.score).collect();
    let result = js_sys::Object::new();
    for (key, value) in [
        ("counts", JsValue::from(Uint32Array::from(counts.as_slice()))),
        ("labels", Uint32Array::from(labels.as_slice()).into()),
        ("scores", Float32Array::from(scores.as_slice()).into()),
    ] {
        Reflect::set(&result, &JsValue::from_str(key), &value).map_err(|js| page::source_error(&js))?;
    }
    Ok(result.into())
}

/// SHA-256 of a stream, for checking a file that is too large for the browser's own, which takes a whole one.
#[wasm_bindgen]
#[derive(Default)]
pub struct Sha256(sha2::Sha256);

#[wasm_bindgen]
impl Sha256 {
    /// Of no bytes yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far, as 64 digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.clone().finalize().iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
    }
}

/// How much memory the module has taken from the browser.
fn heap_bytes() -> usize {
    const PAGE: usize = 64 << 10;
    core::arch::wasm32::memory_size(0) * PAGE
}
