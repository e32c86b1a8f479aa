//! The surface for JavaScript. It carries values in and out and decides nothing; `www/` wraps it.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use specter_web_kernels::{Address, Arithmetic};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::engine::cpu::processor::{Processor, Traits};
use crate::engine::cpu::{self, Cpu};
use crate::engine::gpu::{Features, Gpu, GpuOptions, LinearKernel, Plan, Tuned, Tuning, Waiting};
use crate::engine::{Backend, Clock, DeviceInfo, KernelInfo, MemoryInfo, Pause};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, Sink};
use crate::model::Pooling;
use crate::task::convert::{self, Conversion};
use crate::task::{EmbedOptions, Embeddings, LoadOptions, Specter, TOKEN_BUDGET};
use crate::text::{Document, Template};
use crate::weights::Format;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r"
/** A file, read in pieces. */
export interface SourceFile {
  readonly size: number;
  /** How many bytes from its beginning on can be read, where writing it was interrupted. */
  readonly available?: number;
  /** The bytes from `start` to before `end`, all of them. */
  read(start: number, end: number): Promise<Uint8Array>;
}
/** A model's files; the engine asks for them by name. */
export interface Folder {
  readonly name: string;
  /** Resolves with null where the folder has no such file. */
  open(file: string): Promise<SourceFile | null>;
}
/** Where a folder is written, one file after the other; a file is complete when `size` bytes were written. */
export interface FolderSink {
  begin(file: string, size: number): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
}
export interface EngineConvertOptions {
  /** Of a model's matrices. */
  dtype?: string;
  /** Whether the folder holds an adapter and not a model. */
  adapter?: boolean;
  /** What an earlier, interrupted conversion of the same source has written. */
  previous?: Folder;
  onProgress?: (progress: { phase: 'weights', loaded: number, total: number }) => void;
  shouldStop?: () => boolean;
}
/** The CPU as a device of its own, as `www/cpu/processor.js` starts it. */
export interface Processor {
  /** The name of its instructions. */
  readonly instructions: string;
  readonly threads: number;
  /** How it rounds inputs, as its module says it. */
  readonly arithmetic: number;
  /** Where its own part of the memory ends. */
  readonly firstAddress: number;
  /** Makes the memory at least so long; false where there is no room for it. */
  grow(bytes: number): boolean;
  write(address: number, bytes: Uint8Array): void;
  /** Fills all of `bytes`. */
  read(address: number, bytes: Uint8Array): void;
  /** Does the work at an address. */
  execute(work: number): void;
}
export interface EngineLoadOptions {
  dtype?: string;
  /** Runs the model where it is given, and the GPU where it is not. */
  processor?: Processor;
  maxLength?: number;
  tokenBudget?: number;
  /** How a paper becomes a text: `{title}`, `{abstract}`, `{sep}`. */
  template?: string;
  /** What `embed` does where it is not told; default what the model's files say. */
  pooling?: string;
  normalize?: boolean;
  /** Who the adapter is and what it has, which the page can see better than the engine. */
  adapter?: { name: string, vendor: string, subgroups: boolean, integerDot: boolean };
  /** Which of the device's optional features are used, where it has them; default all. */
  features?: { subgroups?: boolean, f16?: boolean, integerDot?: boolean };
  /** How kernels are chosen: `measured`, `usual`, the name of one, or what an earlier load found. */
  tuning?: string | EngineTuning[];
  onProgress?: (progress: { phase: 'weights' | 'pipelines', loaded: number, total: number }) => void;
  shouldStop?: () => boolean;
}
export interface EngineEmbedOptions {
  adapter?: string | null;
  pooling?: string;
  normalize?: boolean;
  onProgress?: (done: number, total: number) => void;
  shouldStop?: () => boolean;
}
export interface EngineEmbeddings { data: Float32Array; dims: [number, number] }
/** Which kernels multiply by matrices of a shape, for up to 32 rows and for more. */
export interface EngineTuning { outputs: number; inputs: number; dtype: string; few: string; many: string; rounding?: string }
export interface EngineInfo {
  version: string;
  model: string;
  architecture: string;
  dtype: 'f32' | 'f16' | 'q8' | 'q4';
  hiddenSize: number;
  layers: number;
  maxLength: number;
  pooling: 'cls' | 'mean';
  normalize: boolean;
  template: string;
  adapters: string[];
  device: {
    kind: 'webgpu' | 'wasm', adapter: string, vendor: string, backend: string, software: boolean, features: string[],
  };
  kernels: { name: string, variant: string, dispatches: number }[];
  /** What was measured or known; empty where kernels are chosen by rule. */
  tuning: EngineTuning[];
  memory: { weights: number, activations: number, heap: number };
}
";

#[wasm_bindgen]
extern "C" {
    /// A model's files, as `www/folder.js` makes them.
    #[wasm_bindgen(typescript_type = "Folder")]
    pub type JsFolder;

    #[wasm_bindgen(method, getter)]
    fn name(this: &JsFolder) -> String;

    #[wasm_bindgen(method, catch)]
    fn open(this: &JsFolder, file: &str) -> Result<Promise, JsValue>;

    #[wasm_bindgen(typescript_type = "SourceFile")]
    pub type JsFile;

    #[wasm_bindgen(method, getter)]
    fn size(this: &JsFile) -> f64;

    #[wasm_bindgen(method, getter)]
    fn available(this: &JsFile) -> Option<f64>;

    #[wasm_bindgen(method, catch)]
    fn read(this: &JsFile, start: f64, end: f64) -> Result<Promise, JsValue>;

    /// Where a folder is written, as `www/cache` makes it.
    #[wasm_bindgen(typescript_type = "FolderSink")]
    pub type JsSink;

    #[wasm_bindgen(method, catch)]
    fn begin(this: &JsSink, file: &str, size: f64) -> Result<Promise, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn write(this: &JsSink, bytes: Uint8Array) -> Result<Promise, JsValue>;

    /// The CPU, as `www/cpu/processor.js` starts it.
    #[wasm_bindgen(typescript_type = "Processor")]
    pub type JsProcessor;

    #[wasm_bindgen(method, getter)]
    fn instructions(this: &JsProcessor) -> String;

    #[wasm_bindgen(method, getter)]
    fn threads(this: &JsProcessor) -> u32;

    #[wasm_bindgen(method, getter)]
    fn arithmetic(this: &JsProcessor) -> u32;

    #[wasm_bindgen(method, getter, js_name = firstAddress)]
    fn first_address(this: &JsProcessor) -> u32;

    #[wasm_bindgen(method)]
    fn grow(this: &JsProcessor, bytes: f64) -> bool;

    #[wasm_bindgen(method, js_name = write)]
    fn write_memory(this: &JsProcessor, address: u32, bytes: &[u8]);

    #[wasm_bindgen(method, js_name = read)]
    fn read_memory(this: &JsProcessor, address: u32, bytes: &mut [u8]);

    #[wasm_bindgen(method, catch)]
    fn execute(this: &JsProcessor, work: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = Error)]
    type JsError;

    #[wasm_bindgen(constructor, js_class = "Error")]
    fn new(message: &str) -> JsError;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(handler: &Function, milliseconds: i32) -> JsValue;
}

/// A failure becomes a JavaScript error with the same fields.
impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let js = JsValue::from(JsError::new(&error.to_string()));
        let set = |key: &str, value: &str| Reflect::set(&js, &key.into(), &value.into());
        // A plain error object takes any property.
        let _ = set("name", "SpecterError");
        let _ = set("code", error.code());
        if let Some(file) = error.file() {
            let _ = set("file", file);
        }
        js
    }
}

/// A failure of the page's own code, with its own code where it has one.
fn source_error(js: &JsValue) -> Error {
    let field = |key: &str| Reflect::get(js, &key.into()).ok().and_then(|value| value.as_string());
    Error::Source {
        code: field("code").unwrap_or_else(|| "network".to_owned()),
        message: field("message").unwrap_or_else(|| format!("{js:?}")),
        file: field("file"),
    }
}

/// A folder of the page with its name on this side.
struct PageFolder {
    name: String,
    folder: JsFolder,
}

impl PageFolder {
    fn new(folder: JsFolder) -> Self {
        Self { name: folder.name(), folder }
    }
}

impl Folder for PageFolder {
    type File = PageFile;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, file: &str) -> Result<Option<PageFile>> {
        let opened = settled(self.folder.open(file)).await?;
        if opened.is_null() || opened.is_undefined() {
            return Ok(None);
        }
        let opened: JsFile = opened.unchecked_into();
        let size = whole_number(opened.size());
        Ok(Some(PageFile { size, available: opened.available().map_or(size, whole_number), file: opened }))
    }
}

/// What a promise of the page becomes, and its rejection as an error.
async fn settled(promise: Result<Promise, JsValue>) -> Result<JsValue> {
    let promise = promise.map_err(|js| source_error(&js))?;
    JsFuture::from(promise).await.map_err(|js| source_error(&js))
}

#[expect(clippy::cast_sign_loss, reason = "a cast saturates, and no length is negative")]
fn whole_number(length: f64) -> u64 {
    length as u64
}

/// An open file of the page.
struct PageFile {
    size: u64,
    available: u64,
    file: JsFile,
}

impl File for PageFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn available(&self) -> u64 {
        self.available
    }

    async fn read(&self, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let read = settled(self.file.read(range.start as f64, range.end as f64)).await?;
        let bytes = read.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()).unwrap_or_default();
        if bytes.len() as u64 == range.end - range.start {
            Ok(bytes)
        } else {
            let found = bytes.len();
            Err(Error::internal(format!("the page gave {found} bytes where bytes {range:?} were asked for")))
        }
    }
}

/// A folder that the page writes.
struct PageSink(JsSink);

impl Sink for PageSink {
    async fn begin(&mut self, file: &str, size: u64) -> Result<()> {
        settled(self.0.begin(file, size as f64)).await.map(drop)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        settled(self.0.write(Uint8Array::from(bytes))).await.map(drop)
    }
}

impl Processor for JsProcessor {
    fn traits(&self) -> Traits {
        Traits {
            instructions: self.instructions(),
            threads: self.threads(),
            arithmetic: Arithmetic::from_number(self.arithmetic()),
            first_address: self.first_address(),
        }
    }

    fn grow(&mut self, bytes: u64) -> bool {
        Self::grow(self, bytes as f64)
    }

    fn write(&mut self, at: Address, bytes: &[u8]) {
        self.write_memory(at, bytes);
    }

    fn read(&mut self, at: Address, bytes: &mut [u8]) {
        self.read_memory(at, bytes);
    }

    fn execute(&mut self, work: Address) -> Result<()> {
        Self::execute(self, work).map_err(|js| source_error(&js))
    }
}

/// The functions that a caller may pass with its options.
struct Callbacks {
    on_progress: Option<Function>,
    should_stop: Option<Function>,
}

impl Callbacks {
    fn of(options: &JsValue) -> Self {
        let function = |key: &str| Reflect::get(options, &key.into()).ok()?.dyn_into().ok();
        Self { on_progress: function("onProgress"), should_stop: function("shouldStop") }
    }

    /// An exception in a caller's function is the caller's to see; it does not stop the work.
    fn progress(&self, arguments: &[JsValue]) {
        if let Some(function) = &self.on_progress {
            let _ = function.apply(&JsValue::NULL, &arguments.iter().collect::<Array>());
        }
    }

    fn load_progress(&self, phase: &str, loaded: usize, total: usize) {
        let progress = js_sys::Object::new();
        for (key, value) in [("phase", phase.into()), ("loaded", loaded.into()), ("total", total.into())] {
            // A plain object takes any property.
            let _ = Reflect::set(&progress, &JsValue::from_str(key), &value);
        }
        self.progress(&[progress.into()]);
    }

    fn check_stop(&self) -> Result<()> {
        let stop = self.should_stop.as_ref().and_then(|stop| stop.call0(&JsValue::NULL).ok());
        if stop.is_some_and(|stop| stop.is_truthy()) { Err(Error::Aborted) } else { Ok(()) }
    }
}

/// `undefined` and `null` mean the defaults.
fn parse<T: for<'a> Deserialize<'a> + Default>(options: &JsValue) -> Result<T> {
    if options.is_undefined() || options.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(options.clone())
        .map_err(|error| Error::InvalidOption { problem: format!("An option has a wrong type: {error}") })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadFields {
    dtype: Option<String>,
    max_length: Option<usize>,
    token_budget: Option<usize>,
    template: Option<String>,
    pooling: Option<String>,
    normalize: Option<bool>,
    adapter: Option<AdapterFields>,
    features: FeatureFields,
    tuning: Option<TuningField>,
}

/// Features that may be used: all that are not switched off.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FeatureFields {
    subgroups: Option<bool>,
    f16: Option<bool>,
    integer_dot: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TuningField {
    Name(String),
    Known(Vec<TunedFields>),
}

#[derive(Deserialize)]
struct TunedFields {
    outputs: usize,
    inputs: usize,
    dtype: String,
    few: String,
    many: String,
    rounding: Option<String>,
}

impl TunedFields {
    /// Nothing where there is no kernel of such a name, which an older version may have had.
    fn tuned(&self) -> Option<Tuned> {
        let kernel = |name: &str| LinearKernel::from_name(name).ok();
        let plan = Plan {
            few: kernel(&self.few)?,
            many: kernel(&self.many)?,
            rounding: self.rounding.as_deref().and_then(kernel),
        };
        let dtype = Format::from_name(&self.dtype).ok()?;
        Some(Tuned { outputs: self.outputs, inputs: self.inputs, dtype, plan })
    }
}

impl TuningField {
    fn tuning(self) -> Result<Tuning> {
        Ok(match self {
            Self::Known(known) => Tuning::Known(known.iter().filter_map(TunedFields::tuned).collect()),
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
struct ConvertFields {
    dtype: Option<String>,
    adapter: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdapterFields {
    name: String,
    vendor: String,
    subgroups: bool,
    integer_dot: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct EmbedFields {
    adapter: Option<String>,
    pooling: Option<String>,
    normalize: Option<bool>,
}

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
    adapters: Vec<String>,
    device: DeviceInfo,
    kernels: Vec<KernelInfo>,
    tuning: Vec<Tuned>,
    memory: Memory,
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
            pooling: fields.pooling.as_deref().map(Pooling::from_name).transpose()?,
            normalize: fields.normalize,
        };
        let folder = PageFolder::new(folder);
        let on_tensor = |done: usize, total: usize| {
            callbacks.load_progress("weights", done, total);
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
        callbacks.load_progress("pipelines", 0, 1);
        on_device!(&mut model, specter => specter.warm_up().await)?;
        callbacks.load_progress("pipelines", 1, 1);
        callbacks.check_stop()?;
        Ok(Self { model: Cell::new(Some(model)) })
    }

    /// Writes a published model or adapter as a folder of the same shape with quantized weights, which `load` and
    /// `loadAdapter` read like any other. The same source gives the same bytes.
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
        };
        let on_tensor = |done: usize, total: usize| {
            callbacks.load_progress("weights", done, total);
            callbacks.check_stop()
        };
        let (folder, mut sink) = (PageFolder::new(folder), PageSink(sink));
        if fields.adapter {
            Ok(convert::adapter(&folder, &mut sink, on_tensor).await?)
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
        let documents = papers.iter().enumerate().map(|(index, paper)| document(index, &paper));
        let documents = documents.collect::<Result<Vec<_>>>()?;
        let fields: EmbedFields = parse(&options)?;
        let callbacks = Callbacks::of(&options);
        let embed = EmbedOptions {
            adapter: fields.adapter,
            pooling: fields.pooling.as_deref().map(Pooling::from_name).transpose()?,
            normalize: fields.normalize,
            layers: None,
        };
        let on_batch = |done: usize, total: usize| {
            callbacks.progress(&[done.into(), total.into()]);
            callbacks.check_stop()
        };
        let mut model = self.take()?;
        let embedded = on_device!(&mut model, specter => specter.embed(&documents, &embed, on_batch).await);
        self.model.set(Some(model));

        let Embeddings { data, dims: [count, width] } = embedded?;
        let result = js_sys::Object::new();
        Reflect::set(&result, &"data".into(), &Float32Array::from(data.as_slice()))?;
        Reflect::set(&result, &"dims".into(), &Array::of2(&count.into(), &width.into()))?;
        Ok(result.into())
    }

    /// What is loaded, where it runs, what has run.
    #[wasm_bindgen(unchecked_return_type = "EngineInfo")]
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let model = self.take()?;
        let tuning = match &model {
            Model::Gpu(specter) => specter.backend().tuned(),
            Model::Cpu(_) => Vec::new(),
        };
        let info = on_device!(&model, specter => Info {
            version: env!("CARGO_PKG_VERSION"),
            model: specter.name().to_owned(),
            architecture: "bert",
            dtype: specter.format().name(),
            hidden_size: specter.config().hidden_size,
            layers: specter.config().layers,
            max_length: specter.tokenizer().max_length(),
            pooling: specter.defaults().pooling.name(),
            normalize: specter.defaults().normalize,
            template: specter.template().to_string(),
            adapters: specter.adapters().map(str::to_owned).collect(),
            device: specter.backend().device(),
            kernels: specter.backend().kernels(),
            tuning,
            memory: Memory { device: specter.backend().memory(), heap: heap_bytes() },
        });
        self.model.set(Some(model));
        let serializer = serde_wasm_bindgen::Serializer::json_compatible();
        let info = info.serialize(&serializer).map_err(|error| Error::internal(error.to_string()))?;
        Ok(info)
    }
}

/// `papers[index]` as a document.
fn document(index: usize, paper: &JsValue) -> Result<Document> {
    let invalid = |problem: String| Error::InvalidInput { problem };
    if let Some(text) = paper.as_string() {
        return Ok(Document::Text(text));
    }
    if !paper.is_object() || Array::is_array(paper) {
        let found = type_name(paper);
        return Err(invalid(format!("papers[{index}] is {found}; give a string or {{ title, abstract }}")));
    }
    let part = |key: &str| -> Result<Option<String>> {
        let value = Reflect::get(paper, &key.into()).map_err(|js| source_error(&js))?;
        if value.is_null() || value.is_undefined() {
            return Ok(None);
        }
        let found = type_name(&value);
        let wrong = || invalid(format!("papers[{index}].{key} is {found}; give a string"));
        value.as_string().map(Some).ok_or_else(wrong)
    };
    Document::paper(part("title")?, part("abstract")?).map_err(|_| {
        invalid(format!("papers[{index}] has neither a title nor an abstract; give it one of the two"))
    })
}

fn type_name(value: &JsValue) -> String {
    if value.is_null() {
        "null".to_owned()
    } else if Array::is_array(value) {
        "an array".to_owned()
    } else {
        let name = value.js_typeof().as_string().unwrap_or_default();
        match name.as_str() {
            "undefined" => name,
            "object" => "an object".to_owned(),
            _ => format!("a {name}"),
        }
    }
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

/// The page's clock, which some browsers round.
fn clock() -> Clock {
    let performance = Reflect::get(&js_sys::global(), &"performance".into()).ok();
    let now = performance
        .as_ref()
        .and_then(|performance| Reflect::get(performance, &"now".into()).ok()?.dyn_into().ok());
    Rc::new(move || {
        let now: Option<&Function> = now.as_ref();
        let time = now.zip(performance.as_ref()).and_then(|(now, performance)| now.call0(performance).ok());
        time.and_then(|time| time.as_f64()).unwrap_or_else(js_sys::Date::now)
    })
}

/// How this browser's WebGPU is brought to report results.
fn waiting() -> Waiting {
    let user_agent = Reflect::get(&js_sys::global(), &"navigator".into())
        .and_then(|navigator| Reflect::get(&navigator, &"userAgent".into()))
        .ok()
        .and_then(|agent| agent.as_string());
    if !user_agent.is_some_and(|agent| agent.contains("Firefox/")) {
        return Waiting::EventLoop;
    }
    Waiting::Nudging(pause(1))
}

/// Gives the event loop its turn, for at least this long.
fn pause(milliseconds: i32) -> Pause {
    Rc::new(move || {
        let promise = Promise::new(&mut |resolve, _| {
            set_timeout(&resolve, milliseconds);
        });
        Box::pin(async move {
            // A timer does not fail.
            let _ = JsFuture::from(promise).await;
        })
    })
}
