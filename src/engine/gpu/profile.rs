//! Where the time of a batch goes, by the device's own clock.
//!
//! The clock is read where a pass begins and where it ends, so each dispatch is a pass of its own while somebody measures. That
//! costs time between dispatches, and none inside them.

use std::collections::BTreeMap;

use super::device::Device;
use super::readback::{Arriving, Waiting};
use super::recorder::{DISPATCHES_PER_FLUSH, Dispatch};
use crate::error::Result;

/// What all dispatches of a kernel have taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KernelTime {
    /// How often it ran.
    pub dispatches: usize,
    /// How long, in all.
    pub seconds: f64,
}

/// Readings of the clock: two for each dispatch.
pub(super) struct Profile {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    /// Seconds from one tick of the clock to the next.
    tick: f64,
    /// Readings on their way, and the kernels that they are of.
    arriving: Vec<(Vec<&'static str>, Arriving)>,
}

/// Bytes of a reading.
const READING: u64 = 8;

impl Profile {
    /// Nothing where the device has no clock that can be read.
    pub(super) fn new(device: &Device) -> Option<Self> {
        let count = 2 * DISPATCHES_PER_FLUSH as u32;
        device.handle.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| Self {
            queries: device.handle.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("clock"),
                ty: wgpu::QueryType::Timestamp,
                count,
            }),
            resolved: device.allowed_buffer(
                "clock",
                u64::from(count) * READING,
                wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            ),
            tick: f64::from(device.queue.get_timestamp_period()) * 1e-9,
            arriving: Vec::new(),
        })
    }

    /// Records dispatches between two readings each; the buffer that will hold them.
    pub(super) fn record(
        &self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        dispatches: &[Dispatch],
    ) -> wgpu::Buffer {
        for (beginning, dispatch) in (0..).step_by(2).zip(dispatches) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &self.queries,
                    beginning_of_pass_write_index: Some(beginning),
                    end_of_pass_write_index: Some(beginning + 1),
                }),
            });
            dispatch.record(&mut pass);
        }
        let readings = 2 * dispatches.len();
        let size = readings as u64 * READING;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = device.allowed_buffer("readings of the clock", size, usage);
        encoder.resolve_query_set(&self.queries, 0..readings as u32, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &staging, 0, size);
        staging
    }

    /// What was recorded was submitted.
    pub(super) fn submitted(
        &mut self,
        dispatches: &[Dispatch],
        staging: wgpu::Buffer,
        submission: wgpu::SubmissionIndex,
    ) {
        let kernels: Vec<&str> = dispatches.iter().map(|dispatch| dispatch.kernel).collect();
        let size = staging.size();
        self.arriving.push((kernels, Arriving::new(staging, size, submission)));
    }

    /// What each kernel has taken since this was asked for the last time.
    pub(super) async fn times(
        &mut self,
        device: &Device,
        waiting: &Waiting,
    ) -> Result<BTreeMap<&'static str, KernelTime>> {
        let mut times: BTreeMap<&str, KernelTime> = BTreeMap::new();
        for (kernels, arriving) in self.arriving.drain(..) {
            let (readings, staging) = arriving.wait::<[u64; 2]>(device, waiting).await?;
            staging.destroy();
            for (kernel, [beginning, end]) in kernels.into_iter().zip(readings) {
                let time = times.entry(kernel).or_default();
                time.dispatches += 1;
                time.seconds += end.saturating_sub(beginning) as f64 * self.tick;
            }
        }
        Ok(times)
    }
}
