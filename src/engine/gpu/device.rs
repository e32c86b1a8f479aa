//! Opening a device, and hearing of its faults.
//!
//! WebGPU reports errors later and elsewhere; here they are kept until somebody asks.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::DeviceInfo;
use crate::error::{Error, Result};

/// An open device.
pub(super) struct Device {
    pub(super) handle: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    adapter: wgpu::AdapterInfo,
    vendor: String,
    limits: wgpu::Limits,
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
    /// The fastest adapter, with buffers as large as it allows.
    pub(super) async fn open() -> Result<Self> {
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
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("specter-web"),
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
            adapter,
            handle: device,
            queue,
            limits,
            fault,
            scopes: RefCell::new(None),
            ids: Cell::new(0),
        })
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

    /// Whether the device allows a buffer of this size.
    pub(super) fn check_size(&self, what: &str, size: u64) -> Result<()> {
        let limit = self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size);
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

    /// Whether all that was asked of the device since [`Device::watch`] was accepted.
    pub(super) async fn finish(&self) -> Result<()> {
        let Some(Scopes { validation, memory }) = self.scopes.borrow_mut().take() else { return Ok(()) };
        let validation = validation.pop();
        let memory = memory.pop();
        self.queue.submit([]);
        if let Some(error) = validation.await {
            return Err(Fault::from(error).error());
        }
        if let Some(error) = memory.await {
            return Err(Fault::from(error).error());
        }
        self.check()
    }

    /// Says who the adapter is, where the one who knows is not wgpu.
    pub(super) fn describe_adapter(&mut self, name: String, vendor: String) {
        self.adapter.name = name;
        self.vendor = vendor;
    }

    /// Whether the adapter is a CPU in disguise.
    pub(super) fn is_software(&self) -> bool {
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
            features: Vec::new(),
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
