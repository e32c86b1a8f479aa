//! Operations become dispatches, and dispatches one compute pass a submission.
//!
//! Pipelines are made once for each shader and its constants, bind groups once for each pipeline and its buffers, and
//! the parameters of all dispatches of a batch lie in one uniform buffer with dynamic offsets. In a steady stream of
//! batches, recording looks things up and creates nothing.

use std::collections::HashMap;
use std::rc::Rc;

use super::Weights;
use super::arena::{Numbered, Rows};
use super::device::Device;
use super::profile::Profile;
use super::shaders::Shader;
use crate::engine::KernelInfo;

/// Dynamic offsets of uniform buffers are multiples of this on every device.
const PARAMS_STRIDE: usize = 256;

/// How many dispatches' parameters fit into the uniform buffer; more are run in several goes. BERT-base takes 110, and
/// with an adapter in each block 150.
pub(super) const DISPATCHES_PER_FLUSH: usize = 256;

/// Operations in one submission. A GPU should be free for other pages at least ten times a second; a software adapter
/// reaches about 10 GFLOP/s, a small GPU a hundred times that.
const OPERATIONS_PER_SUBMISSION: u64 = 20_000_000_000;
const OPERATIONS_PER_SOFTWARE_SUBMISSION: u64 = 2_000_000_000;

/// A buffer that a kernel binds.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    buffer: &'a wgpu::Buffer,
    id: u64,
}

impl<'a> From<&'a Weights> for Bound<'a> {
    fn from(weights: &'a Weights) -> Self {
        Self { buffer: &weights.buffer, id: weights.id }
    }
}

impl<'a> From<&'a Numbered> for Bound<'a> {
    fn from(numbered: &'a Numbered) -> Self {
        Self { buffer: &numbered.buffer, id: numbered.id }
    }
}

impl<'a> From<&'a Rows> for Bound<'a> {
    fn from(rows: &'a Rows) -> Self {
        rows.numbered().into()
    }
}

/// One dispatch.
pub(super) struct Kernel<'a, P> {
    pub(super) shader: &'static Shader,
    /// Values of its `override` constants.
    pub(super) constants: &'a [(&'static str, f64)],
    pub(super) params: &'a P,
    /// In the order of their bindings.
    pub(super) inputs: &'a [Bound<'a>],
    pub(super) output: Bound<'a>,
    pub(super) workgroups: [usize; 2],
    /// About how many floating-point operations it costs.
    pub(super) operations: u64,
}

/// A shader with its constants.
type PipelineKey = (&'static str, Vec<(&'static str, u64)>);

struct Pipeline {
    compute: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    dispatches: u64,
}

pub(super) struct Dispatch {
    /// The name of its shader.
    pub(super) kernel: &'static str,
    pipeline: wgpu::ComputePipeline,
    bind_group: Rc<wgpu::BindGroup>,
    params_offset: u32,
    workgroups: [u32; 2],
    operations: u64,
}

impl Dispatch {
    pub(super) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &*self.bind_group, &[self.params_offset]);
        pass.dispatch_workgroups(x, y, 1);
    }
}

pub(super) struct Recorder {
    pipelines: HashMap<PipelineKey, Pipeline>,
    bind_groups: HashMap<(PipelineKey, Vec<u64>), Rc<wgpu::BindGroup>>,
    modules: HashMap<&'static str, wgpu::ShaderModule>,
    dispatches: Vec<Dispatch>,
    params: Vec<u8>,
    params_buffer: wgpu::Buffer,
    /// While somebody measures.
    pub(super) profile: Option<Profile>,
}

impl Recorder {
    pub(super) fn new(device: &Device) -> Self {
        let size = (DISPATCHES_PER_FLUSH * PARAMS_STRIDE) as u64;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params_buffer = device.allowed_buffer("parameters", size, usage);
        Self {
            pipelines: HashMap::new(),
            bind_groups: HashMap::new(),
            modules: HashMap::new(),
            dispatches: Vec::new(),
            params: Vec::new(),
            params_buffer,
            profile: None,
        }
    }

    /// Starts a batch; what a stopped one left behind is dropped.
    pub(super) fn begin(&mut self) {
        self.dispatches.clear();
        self.params.clear();
    }

    /// Lets go of buffers that are no longer used.
    pub(super) fn forget_bindings(&mut self) {
        self.bind_groups.clear();
    }

    /// Records a dispatch.
    pub(super) fn dispatch<P: bytemuck::Pod>(&mut self, device: &Device, kernel: &Kernel<'_, P>) {
        if self.dispatches.len() == DISPATCHES_PER_FLUSH {
            self.submit(device, |_| {});
        }
        debug_assert_eq!(kernel.inputs.len(), kernel.shader.inputs, "{}", kernel.shader.name);
        debug_assert!(device.offers(kernel.shader.needs), "{}", kernel.shader.name);
        let constants = kernel.constants.iter().map(|&(name, value)| (name, value.to_bits())).collect();
        let key: PipelineKey = (kernel.shader.name, constants);
        if !self.pipelines.contains_key(&key) {
            let module = self.modules.entry(kernel.shader.name).or_insert_with(|| {
                device.handle.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some(kernel.shader.name),
                    source: wgpu::ShaderSource::Wgsl(kernel.shader.source(device.in_browser()).into()),
                })
            });
            self.pipelines.insert(key.clone(), Pipeline::new(device, module, kernel));
        }
        let Some(pipeline) = self.pipelines.get_mut(&key) else { return };
        pipeline.dispatches += 1;

        let buffers = kernel.inputs.iter().chain([&kernel.output]);
        let ids: Vec<u64> = buffers.clone().map(|bound| bound.id).collect();
        let bind_group = self.bind_groups.entry((key, ids)).or_insert_with(|| {
            let params = wgpu::BufferBinding {
                buffer: &self.params_buffer,
                offset: 0,
                size: wgpu::BufferSize::new(size_of::<P>() as u64),
            };
            let params = wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params) };
            let storage = (1..).zip(buffers).map(|(binding, bound)| wgpu::BindGroupEntry {
                binding,
                resource: bound.buffer.as_entire_binding(),
            });
            Rc::new(device.handle.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(kernel.shader.name),
                layout: &pipeline.layout,
                entries: &std::iter::once(params).chain(storage).collect::<Vec<_>>(),
            }))
        });

        let params_offset = self.params.len() as u32;
        self.params.extend_from_slice(bytemuck::bytes_of(kernel.params));
        self.params.resize(self.params.len().next_multiple_of(PARAMS_STRIDE), 0);
        self.dispatches.push(Dispatch {
            kernel: kernel.shader.name,
            pipeline: pipeline.compute.clone(),
            bind_group: Rc::clone(bind_group),
            params_offset,
            workgroups: kernel.workgroups.map(|count| count as u32),
            operations: kernel.operations,
        });
    }

    /// Runs what was recorded, and `at_end` behind it, in submissions of bounded size; the last of them.
    pub(super) fn submit(
        &mut self,
        device: &Device,
        at_end: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> wgpu::SubmissionIndex {
        device.queue.write_buffer(&self.params_buffer, 0, &self.params);
        let most =
            if device.is_software() { OPERATIONS_PER_SOFTWARE_SUBMISSION } else { OPERATIONS_PER_SUBMISSION };
        let mut rest = self.dispatches.as_slice();
        let mut at_end = Some(at_end);
        let last = loop {
            let mut operations = 0;
            let count = rest.iter().take_while(|dispatch| {
                let first = operations == 0;
                operations += dispatch.operations;
                first || operations <= most
            });
            let (now, later) = rest.split_at(count.count());
            rest = later;

            let mut encoder =
                device.handle.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let readings = self.profile.as_ref().map(|profile| profile.record(device, &mut encoder, now));
            if readings.is_none() {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for dispatch in now {
                    dispatch.record(&mut pass);
                }
            }
            if rest.is_empty()
                && let Some(at_end) = at_end.take()
            {
                at_end(&mut encoder);
            }
            let submission = device.queue.submit([encoder.finish()]);
            if let (Some(profile), Some(readings)) = (&mut self.profile, readings) {
                profile.submitted(now, readings, submission.clone());
            }
            if rest.is_empty() {
                break submission;
            }
        };
        self.dispatches.clear();
        self.params.clear();
        last
    }

    pub(super) fn objects(&self) -> usize {
        self.pipelines.len() + self.bind_groups.len()
    }

    /// Which pipelines have run.
    pub(super) fn kernels(&self) -> Vec<KernelInfo> {
        let mut kernels: Vec<KernelInfo> = self
            .pipelines
            .iter()
            .map(|((name, constants), pipeline)| {
                let constants =
                    constants.iter().map(|&(name, bits)| format!("{name}={}", f64::from_bits(bits)));
                KernelInfo {
                    name: (*name).to_owned(),
                    variant: constants.collect::<Vec<_>>().join(" "),
                    dispatches: pipeline.dispatches,
                }
            })
            .collect();
        kernels
            .sort_unstable_by(|left, right| (&left.name, &left.variant).cmp(&(&right.name, &right.variant)));
        kernels
    }
}

impl Pipeline {
    fn new<P>(device: &Device, module: &wgpu::ShaderModule, kernel: &Kernel<'_, P>) -> Self {
        let entry = |binding: usize, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
            count: None,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let inputs = kernel.shader.inputs;
        let entries: Vec<wgpu::BindGroupLayoutEntry> =
            std::iter::once(entry(0, wgpu::BufferBindingType::Uniform, true))
                .chain((1..=inputs).map(|binding| entry(binding, storage(true), false)))
                .chain([entry(inputs + 1, storage(false), false)])
                .collect();
        let device = &device.handle;
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(kernel.shader.name),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(kernel.shader.name),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let compute = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(kernel.shader.name),
            layout: Some(&pipeline_layout),
            module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: kernel.constants,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        });
        Self { compute, layout, dispatches: 0 }
    }
}
