//! Results come home without ever blocking in a browser, where a blocking wait is a deadlock.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::device::Device;
use crate::engine::Pause;
use crate::error::{Error, Result};

/// What brings a device to report that a buffer is mapped.
#[derive(Clone, Default)]
pub enum Waiting {
    /// Nothing but the browser's event loop.
    #[default]
    EventLoop,
    /// Asking it, which blocks; outside browsers only.
    Polling,
    /// Empty submissions, a moment apart.
    ///
    /// Firefox looks for finished work on a 100 ms timer unless there is a submission (Bugzilla 1870699), which
    /// would be the better part of the time of a short embedding. To be deleted when that bug is fixed.
    Nudging(Pause),
}

/// What the callback of `mapAsync` leaves for the future that waits for it.
#[derive(Default)]
struct Mapping {
    outcome: Option<Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

fn lock(mapping: &Mutex<Mapping>) -> MutexGuard<'_, Mapping> {
    mapping.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first bytes of a staging buffer on their way to where they can be read.
pub(super) struct Arriving {
    /// There until it is given to others.
    staging: Option<wgpu::Buffer>,
    size: u64,
    submission: wgpu::SubmissionIndex,
    mapping: Arc<Mutex<Mapping>>,
}

impl Drop for Arriving {
    /// Where nobody waited for it, a browser would keep it until it collects garbage.
    fn drop(&mut self) {
        if let Some(staging) = &self.staging {
            staging.destroy();
        }
    }
}

impl Arriving {
    /// Asks for them; `submission` is what writes them.
    pub(super) fn new(staging: wgpu::Buffer, size: u64, submission: wgpu::SubmissionIndex) -> Self {
        let mapping = Arc::new(Mutex::new(Mapping::default()));
        let done = Arc::clone(&mapping);
        staging.map_async(wgpu::MapMode::Read, ..size, move |outcome| {
            let waker = {
                let mut mapping = lock(&done);
                mapping.outcome = Some(outcome);
                mapping.waker.take()
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Self { staging: Some(staging), size, submission, mapping }
    }

    /// Waits for them: the values, and the buffer for others to use.
    pub(super) async fn wait<T: bytemuck::Pod>(
        mut self,
        device: &Device,
        waiting: &Waiting,
    ) -> Result<(Vec<T>, wgpu::Buffer)> {
        let mapping = Arc::clone(&self.mapping);
        match waiting {
            Waiting::EventLoop => {}
            Waiting::Polling => {
                // Not for what was submitted later.
                let submission_index = Some(self.submission.clone());
                let wait = wgpu::PollType::Wait { submission_index, timeout: None };
                let polled = device.handle.poll(wait);
                polled.map_err(|error| Error::DeviceLost { reason: error.to_string() })?;
            }
            Waiting::Nudging(pause) => {
                while lock(&mapping).outcome.is_none() {
                    device.queue.submit([]);
                    pause().await;
                }
            }
        }
        let outcome = poll_fn(|context| {
            let mut mapping = lock(&mapping);
            if let Some(outcome) = mapping.outcome.take() {
                return Poll::Ready(outcome);
            }
            mapping.waker = Some(context.waker().clone());
            Poll::Pending
        });
        if let Err(error) = outcome.await {
            // A lost device fails every mapping; its own fault says more.
            device.check()?;
            return Err(Error::DeviceLost { reason: error.to_string() });
        }
        let lost = || Error::internal("what was read has no buffer");
        let staging = self.staging.take().ok_or_else(lost)?;
        let values = match staging.get_mapped_range(..self.size) {
            Ok(view) => bytemuck::pod_collect_to_vec(&view),
            Err(error) => return Err(Error::internal(format!("a mapped buffer cannot be read: {error}"))),
        };
        staging.unmap();
        Ok((values, staging))
    }
}
