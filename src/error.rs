//! Everything that can go wrong, each with a stable code that the JavaScript side and scripts can match on.

/// The one error type of this crate.
///
/// The message says what was wrong with which file or value, and what to do about it. [`Error::code`] is
/// the stable name of the kind of failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that the model needs is not in its folder.
    #[error("{folder} has no {file}. {hint}")]
    FileMissing {
        /// The model or adapter folder, as the user named it.
        folder: String,
        /// The missing file.
        file: String,
        /// What to do about it.
        hint: String,
    },
    /// A file is there but cannot be what its name says.
    #[error(
        "{file} is damaged or is not what it claims to be: {problem}. Download it again or check where it comes from."
    )]
    CorruptFile {
        /// Folder and file name.
        file: String,
        /// What was found in it.
        problem: String,
    },
    /// The model is well-formed, but this crate cannot run it.
    #[error("This model cannot run here: {problem}.")]
    UnsupportedModel {
        /// Which property, and what would run instead.
        problem: String,
    },
    /// The adapter is well-formed, but this crate cannot run it.
    #[error("The adapter {adapter:?} cannot run here: {problem}.")]
    UnsupportedAdapter {
        /// The adapter's name.
        adapter: String,
        /// Which property, and what would run instead.
        problem: String,
    },
    /// A batch asked for an adapter that is not loaded.
    #[error("No adapter named {name:?} is loaded; {}. Load it first, or use one that is loaded.", list_loaded(.loaded))]
    UnknownAdapter {
        /// The name that was asked for.
        name: String,
        /// The names that are loaded.
        loaded: Vec<String>,
    },
    /// A call asked for a task that the model does not have.
    #[error("The model has no task {name:?}; {}.", list_tasks(.known))]
    UnknownTask {
        /// The name that was asked for.
        name: String,
        /// The names of its tasks.
        known: Vec<String>,
    },
    /// The head is well-formed, but this crate cannot run it, or not on this model.
    #[error("The head {head:?} cannot run here: {problem}.")]
    UnsupportedHead {
        /// The head's name.
        head: String,
        /// Which property, and what would run instead.
        problem: String,
    },
    /// A batch asked for a head that is not loaded.
    #[error("{}", missing_head(.name.as_deref(), .loaded))]
    UnknownHead {
        /// The name that was asked for, or none where none was.
        name: Option<String>,
        /// The names that are loaded.
        loaded: Vec<String>,
    },
    /// A text or a paper that cannot be read.
    #[error("{problem}.")]
    InvalidInput {
        /// Which value, what it is, and what was expected.
        problem: String,
    },
    /// An option with a value that means nothing here.
    #[error("{problem}.")]
    InvalidOption {
        /// Which option, and which values it takes.
        problem: String,
    },
    /// There is no GPU to talk to.
    #[error(
        "WebGPU is not available: {problem}. Use a browser with WebGPU switched on (Chrome, Edge, Firefox or Safari of 2025 and later), or device: 'wasm', which computes on the CPU."
    )]
    WebGpuUnavailable {
        /// What the browser or the driver said.
        problem: String,
    },
    /// The device refused an allocation.
    #[error(
        "The device has not enough memory for {what}. Close other tabs, choose a smaller dtype such as q4, or lower the token budget."
    )]
    OutOfMemory {
        /// What was being allocated.
        what: String,
    },
    /// The GPU went away (driver reset, sleep, another tab).
    #[error("The GPU was lost: {reason}. Load the model again.")]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("Stopped, because the caller asked for it. What was loaded before is untouched.")]
    Aborted,
    /// A failure of the place that files come from, with its own code.
    #[error("{message}")]
    Source {
        /// The code that the source gave.
        code: String,
        /// The sentence that the source gave.
        message: String,
        /// The file that is at fault, where the source named one.
        file: Option<String>,
    },
    /// A defect of this crate.
    #[error("This is a defect of specter-web, please report it: {problem}.")]
    Internal {
        /// What was expected and did not hold.
        problem: String,
    },
}

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable name of this kind of failure, the same in Rust, in JavaScript and on the command line.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::FileMissing { .. } => "model-not-found",
            Self::CorruptFile { .. } => "corrupt-file",
            Self::UnsupportedModel { .. } => "unsupported-model",
            Self::UnsupportedAdapter { .. } => "unsupported-adapter",
            Self::UnknownAdapter { .. } => "unknown-adapter",
            Self::UnknownTask { .. } => "unknown-task",
            Self::UnsupportedHead { .. } => "unsupported-head",
            Self::UnknownHead { .. } => "unknown-head",
            Self::InvalidInput { .. } => "invalid-input",
            Self::InvalidOption { .. } => "invalid-option",
            Self::WebGpuUnavailable { .. } => "webgpu-unavailable",
            Self::OutOfMemory { .. } => "out-of-memory",
            Self::DeviceLost { .. } => "device-lost",
            Self::Aborted => "aborted",
            Self::Source { code, .. } => code,
            Self::Internal { .. } => "internal",
        }
    }

    /// The file that is at fault, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::FileMissing { file, .. } | Self::CorruptFile { file, .. } => Some(file),
            Self::Source { file, .. } => file.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn corrupt(file: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::CorruptFile { file: file.into(), problem: problem.into() }
    }

    pub(crate) fn unsupported(problem: impl Into<String>) -> Self {
        Self::UnsupportedModel { problem: problem.into() }
    }

    pub(crate) fn internal(problem: impl Into<String>) -> Self {
        Self::Internal { problem: problem.into() }
    }
}

fn missing_head(name: Option<&str>, loaded: &[String]) -> String {
    match name {
        Some(name) => format!(
            "No head named {name:?} is loaded; {}. Load it first, or use one that is loaded.",
            list_loaded(loaded)
        ),
        None if loaded.is_empty() => {
            "No head is loaded that could classify. Load one, or train one on examples.".to_owned()
        }
        None => format!("Several heads are loaded; say which of them to use: {}.", loaded.join(", ")),
    }
}

fn list_tasks(known: &[String]) -> String {
    match known {
        [] => "it has none. Leave the task out, or load the model by a preset, which names tasks".to_owned(),
        known => format!("it has {}", known.join(", ")),
    }
}

fn list_loaded(loaded: &[String]) -> String {
    if loaded.is_empty() { "none is".to_owned() } else { format!("loaded are {}", loaded.join(", ")) }
}
