//! Opening a device, and hearing of its faults.
//!
//! WebGPU reports errors later and elsewhere; here they are kept until somebody asks.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use super::shaders::Optional;
use crate::engine::DeviceInfo;
use crate::error::{Error, Result};

/// What a device has beyond what every WebGPU device has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Invocations that run in step can exchange values.
    pub subgroups: bool,
    /// Shaders can compute in f16.
    pub f16: bool,
    /// Four products of int8 are one instruction.
    pub integer_dot: bool,
}

impl Features {
    /// All of them, where the device has them.
    pub const ALL: Self = Self { subgroups: true, f16: true, integer_dot: true };

    fn and(self, other: Self) -> Self {
        Self {
            subgroups: self.subgroups && other.subgroups,
            f16: self.f16 && other.f16,
            integer_dot: self.integer_dot && other.integer_dot,
        }
    }

    pub(super) fn names(self) -> Vec<String> {
        let all = [(self.subgroups, "subgroups"), (self.f16, "f16"), (self.integer_dot, "integer-dot")];
        all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned()).collect()
    }
}

/// An open device.
pub(super) struct Device {
    pub(super) handle: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    adapter: wgpu::AdapterInfo,
    vendor: String,
    software: Option<bool>,
    limits: wgpu::Limits,
    features: Features,
    fault: Arc<Mutex<Option<Fault>>>,
    scopes: RefCell<Option<Scopes>>,
    ids: Cell<u64>,
}

/// Error scopes are a stack, and wgpu panics where they are not popped in reverse order; fields are dropped in the order
/// of this declaration, so an abandoned load pops them as [`Device::finish`] does.
struct Scopes {
    validation: wgpu::ErrorScopeGuard,
    /// Pushed first.
    memory: wgpu::ErrorScopeGuard,
}

type Collected = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// Errors of what was asked of a device, as far as they are known one day.
pub(super) struct Watched(Option<[Collected; 2]>);

/// The first thing that went wrong.
#[derive(Clone, Debug)]
enum Fault {
    OutOfMemory,
    Lost(String),
    Other(String),
}

impl From<wgpu::Error> for Fault {
    fn from(error: wgpu::Error) -> Self {
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory,
            other => Self::Other(other.to_string()),
        }
    }
}

impl Fault {
    fn error(&self) -> Error {
        match self {
            Self::OutOfMemory => Error::OutOfMemory { what: "this model or batch".to_owned() },
            Self::Lost(reason) => Error::DeviceLost { reason: reason.clone() },
            Self::Other(problem) => Error::internal(problem.clone()),
        }
    }
}

impl Device {
    /// The fastest adapter, with buffers as large as it allows and those of the features that it has. In a browser, wgpu
    /// cannot see all of them: `known` are those that the page sees, and has seen to.
    pub(super) async fn open(allowed: Features, known: Features) -> Result<Self> {
        let unavailable = |problem: String| Error::WebGpuUnavailable { problem };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapter = instance
            .request_adapter(&wgpu::RequestAdapterOptions {
                power_preference: wgpu::PowerPreference::HighPerformance,
                ..wgpu::RequestAdapterOptions::default()
            })
            .await
            .map_err(|error| unavailable(error.to_string()))?;

        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            ..wgpu::Limits::downlevel_defaults()
        };
        // The kernels need what every WebGPU device has, of which downlevel devices have less.
        let core = wgpu::Limits::default();
        let limits = wgpu::Limits {
            max_storage_buffers_per_shader_stage: core.max_storage_buffers_per_shader_stage,
            max_compute_workgroup_storage_size: core.max_compute_workgroup_storage_size,
            max_compute_workgroups_per_dimension: core.max_compute_workgroups_per_dimension,
            ..limits
        };
        let in_browser = adapter.get_info().backend == wgpu::Backend::BrowserWebGpu;
        let has = |feature| adapter.features().contains(feature);
        let features = Features {
            subgroups: known.subgroups || has(wgpu::Features::SUBGROUP),
            f16: has(wgpu::Features::SHADER_F16),
            // naga translates it for every device.
            integer_dot: known.integer_dot || !in_browser,
        };
        let features = features.and(allowed);
        let mut required = wgpu::Features::empty();
        required.set(wgpu::Features::SUBGROUP, features.subgroups && !in_browser);
        required.set(wgpu::Features::SHADER_F16, features.f16);
        // For whoever measures; browsers make clocks too coarse for it.
        required.set(wgpu::Features::TIMESTAMP_QUERY, !in_browser && has(wgpu::Features::TIMESTAMP_QUERY));
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("specter-web"),
                required_features: required,
                required_limits: limits.clone(),
                ..wgpu::DeviceDescriptor::default()
            })
            .await
            .map_err(|error| unavailable(error.to_string()))?;

        let fault: Arc<Mutex<Option<Fault>>> = Arc::default();
        let keep = |fault: &Arc<Mutex<Option<Fault>>>| {
            let fault = Arc::clone(fault);
            move |new: Fault| {
                fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(new);
            }
        };
        let on_error = keep(&fault);
        device.on_uncaptured_error(Arc::new(move |error| on_error(error.into())));
        let on_lost = keep(&fault);
        device.set_device_lost_callback(move |reason, message| {
            // Losing it by letting go of it is no fault.
            if !matches!(reason, wgpu::DeviceLostReason::Destroyed) {
                on_lost(Fault::Lost(if message.is_empty() { format!("{reason:?}") } else { message }));
            }
        });
        let adapter = adapter.get_info();
        Ok(Self {
            vendor: if adapter.vendor == 0 { String::new() } else { format!("{:#06x}", adapter.vendor) },
            software: None,
            adapter,
            handle: device,
            queue,
            limits,
            features,
            fault,
            scopes: RefCell::new(None),
            ids: Cell::new(0),
        })
    }

    /// What it has beyond what every device has, as far as it may be used.
    pub(super) fn features(&self) -> Features {
        self.features
    }

    /// Whether shaders go to a browser as they are, and not through naga.
    pub(super) fn in_browser(&self) -> bool {
        self.adapter.backend == wgpu::Backend::BrowserWebGpu
    }

    /// Whether a shader can run.
    pub(super) fn offers(&self, needs: Option<Optional>) -> bool {
        match needs {
            None => true,
            Some(Optional::F16) => self.features.f16,
            Some(Optional::Subgroups) => self.features.subgroups,
        }
    }

    /// A number that no other buffer of this device has.
    pub(super) fn next_id(&self) -> u64 {
        self.ids.set(self.ids.get() + 1);
        self.ids.get()
    }

    /// A buffer, or an error where the device does not allow one of this size.
    pub(super) fn buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        self.check_size(label, size)?;
        Ok(self.allowed_buffer(label, size, usage))
    }

    /// A buffer whose size is known to be allowed; where memory runs out, [`Device::finish`] says so.
    pub(super) fn allowed_buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.handle.create_buffer(&descriptor)
    }

    /// The largest buffer that a kernel can see as a whole.
    pub(super) fn largest_binding(&self) -> u64 {
        self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size)
    }

    /// Whether the device allows a buffer of this size.
    pub(super) fn check_size(&self, what: &str, size: u64) -> Result<()> {
        let limit = self.largest_binding();
        if size > limit {
            let (size, limit) = (size.div_ceil(1 << 20), limit >> 20);
            return Err(Error::OutOfMemory {
                what: format!("{what}, which takes a buffer of {size} MB where {limit} MB are allowed"),
            });
        }
        Ok(())
    }

    /// The first fault since it was last asked for, if there was one. A lost device stays lost.
    pub(super) fn check(&self) -> Result<()> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*fault {
            None => Ok(()),
            Some(lost @ Fault::Lost(_)) => Err(lost.error()),
            Some(_) => fault.take().map_or(Ok(()), |passing| Err(passing.error())),
        }
    }

    /// From now on errors are collected for [`Device::finish`].
    pub(super) fn watch(&self) {
        self.scopes.borrow_mut().get_or_insert_with(|| {
            let memory = self.handle.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let validation = self.handle.push_error_scope(wgpu::ErrorFilter::Validation);
            Scopes { validation, memory }
        });
    }

    /// Stops collecting errors. What was asked of the device since [`Device::watch`] is accepted or not by the time
    /// that what this returns is [settled](Device::settle).
    pub(super) fn watched(&self) -> Watched {
        let Some(Scopes { validation, memory }) = self.scopes.borrow_mut().take() else {
            return Watched(None);
        };
        let validation = validation.pop();
        let memory = memory.pop();
        self.queue.submit([]);
        Watched(Some([Box::pin(validation), Box::pin(memory)]))
    }

    /// Whether what was watched was accepted.
    pub(super) async fn settle(&self, watched: Watched) -> Result<()> {
        for error in watched.0.into_iter().flatten() {
            if let Some(error) = error.await {
                return Err(Fault::from(error).error());
            }
        }
        self.check()
    }

    /// Whether all that was asked of the device since [`Device::watch`] was accepted.
    pub(super) async fn finish(&self) -> Result<()> {
        self.settle(self.watched()).await
    }

    /// Says who the adapter is, where the one who knows is not wgpu.
    pub(super) fn describe_adapter(&mut self, name: String, vendor: String) {
        self.adapter.name = name;
        self.vendor = vendor;
    }

    /// Says whether the adapter is a CPU in disguise, whatever it is called.
    pub(super) fn treat_as_software(&mut self, software: bool) {
        self.software = Some(software);
    }

    /// Whether the adapter is a CPU in disguise.
    pub(super) fn is_software(&self) -> bool {
        if let Some(software) = self.software {
            return software;
        }
        let name = self.adapter.name.to_ascii_lowercase();
        self.adapter.device_type == wgpu::DeviceType::Cpu
            || ["swiftshader", "llvmpipe", "lavapipe", "basic render"].iter().any(|soft| name.contains(soft))
    }

    pub(super) fn info(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "webgpu",
            adapter: if self.adapter.name.is_empty() {
                "unnamed".to_owned()
            } else {
                self.adapter.name.clone()
            },
            vendor: self.vendor.clone(),
            backend: format!("{:?}", self.adapter.backend),
            software: self.is_software(),
            features: self.features.names(),
        }
    }
}

impl Drop for Device {
    /// A browser frees a device when it collects garbage, which may be never; this is now.
    fn drop(&mut self) {
        self.scopes.borrow_mut().take();
        self.handle.destroy();
    }
}
