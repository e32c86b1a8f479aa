//! How fast memory is: one large buffer copied into another, and back.

use std::time::Instant;

use anyhow::{Result, ensure};
use serde::Serialize;
use specter_web::engine::DeviceInfo;

/// Larger than any cache, and the largest that every device has.
const BYTES: u64 = 256 << 20;
/// Copies there and back in one submission, so that handing it over does not count.
const ROUND_TRIPS: usize = 4;
/// The shortest time counts, since others can only lengthen it. The first one also clears the buffers.
const TRIES: usize = 6;

/// The bandwidth of memory.
#[derive(Serialize)]
pub(crate) struct Copy {
    /// Of each buffer.
    pub(crate) bytes: u64,
    /// Bytes that are read plus bytes that are written, a second.
    pub(crate) bytes_per_second: f64,
}

/// Copies on the adapter that the engine takes. What the engine holds is its own, so this opens the adapter
/// again.
pub(crate) async fn measure(engine: &DeviceInfo) -> Result<Copy> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = instance.request_adapter(&options).await?;
    let name = adapter.get_info().name;
    ensure!(name == engine.adapter, "copies would run on {name}, and networks on {}", engine.adapter);
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: wgpu::Limits::downlevel_defaults(), ..Default::default() };
    let (device, queue) = adapter.request_device(&descriptor).await?;
    let bytes = BYTES.min(device.limits().max_buffer_size);
    let buffer = |label| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes,
            usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    let (one, other) = (buffer("one"), buffer("other"));
    let mut shortest = f64::INFINITY;
    for _ in 0..TRIES {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for _ in 0..ROUND_TRIPS {
            encoder.copy_buffer_to_buffer(&one, 0, &other, 0, bytes);
            encoder.copy_buffer_to_buffer(&other, 0, &one, 0, bytes);
        }
        let start = Instant::now();
        queue.submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }
    // Each copy reads all bytes and writes them.
    let moved = bytes as f64 * (2 * ROUND_TRIPS) as f64 * 2.0;
    Ok(Copy { bytes, bytes_per_second: moved / shortest })
}
