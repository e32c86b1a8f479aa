//! What the page gives: files, the CPU, a clock, functions to call.

use std::rc::Rc;

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use specter_web_kernels::{Address, Arithmetic};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::engine::cpu::processor::{Processor, Traits};
use crate::engine::gpu::Waiting;
use crate::engine::{Clock, Pause};
use crate::error::{Error, Result};
use crate::folder::{File, Folder, Sink};

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
pub(super) fn source_error(js: &JsValue) -> Error {
    let field = |key: &str| Reflect::get(js, &key.into()).ok().and_then(|value| value.as_string());
    Error::Source {
        code: field("code").unwrap_or_else(|| "network".to_owned()),
        message: field("message").unwrap_or_else(|| format!("{js:?}")),
        file: field("file"),
    }
}

/// A folder of the page with its name on this side.
pub(super) struct PageFolder {
    name: String,
    folder: JsFolder,
}

impl PageFolder {
    pub(super) fn new(folder: JsFolder) -> Self {
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
pub(super) struct PageFile {
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
pub(super) struct PageSink(pub(super) JsSink);

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
pub(super) struct Callbacks {
    pub(super) on_progress: Option<Function>,
    pub(super) should_stop: Option<Function>,
}

impl Callbacks {
    pub(super) fn of(options: &JsValue) -> Self {
        let function = |key: &str| Reflect::get(options, &key.into()).ok()?.dyn_into().ok();
        Self { on_progress: function("onProgress"), should_stop: function("shouldStop") }
    }

    /// An exception in a caller's function is the caller's to see; it does not stop the work.
    pub(super) fn progress(&self, arguments: &[JsValue]) {
        if let Some(function) = &self.on_progress {
            let _ = function.apply(&JsValue::NULL, &arguments.iter().collect::<Array>());
        }
    }

    pub(super) fn load_progress(&self, phase: &str, loaded: f64, total: f64) {
        let progress = js_sys::Object::new();
        for (key, value) in [("phase", phase.into()), ("loaded", loaded.into()), ("total", total.into())] {
            // A plain object takes any property.
            let _ = Reflect::set(&progress, &JsValue::from_str(key), &value);
        }
        self.progress(&[progress.into()]);
    }

    /// Tells how many documents are done, of how many, and asks whether to go on.
    pub(super) fn on_batch(&self) -> impl FnMut(usize, usize) -> Result<()> {
        |done, total| {
            self.progress(&[done.into(), total.into()]);
            self.check_stop()
        }
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        let stop = self.should_stop.as_ref().and_then(|stop| stop.call0(&JsValue::NULL).ok());
        if stop.is_some_and(|stop| stop.is_truthy()) { Err(Error::Aborted) } else { Ok(()) }
    }
}

/// The page's clock, which some browsers round.
pub(super) fn clock() -> Clock {
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
pub(super) fn waiting() -> Waiting {
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
pub(super) fn pause(milliseconds: i32) -> Pause {
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
