//! Which kernel is the fastest here? No kernel is the best everywhere, so a short run on the device itself decides.
//!
//! Each candidate computes on shapes of the model's own. One whose answer is wrong is not taken, however fast. [`linear`]
//! chooses for dense layers, [`attention`] for attention.

mod attention;
mod linear;

use serde::Serialize;

use super::linear::LinearKernel;
use super::{Gpu, Rows};
use crate::engine::{Backend, Outline};
use crate::error::{Error, Result};
use crate::text::Batch;

pub use attention::TunedAttention;
pub use linear::TunedLinear;

/// How kernels are chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Tuning {
    /// By measuring.
    #[default]
    Measured,
    /// By rule, without measuring.
    Usual,
    /// Dense layers with this one, wherever it runs.
    Pinned(LinearKernel),
    /// As an earlier run on the same device has found, and by measuring where that knows nothing.
    Known(Tuned),
}

/// What was found on a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tuned {
    /// For dense layers.
    pub linear: Vec<TunedLinear>,
    /// For attention; nothing where there is no choice.
    pub attention: Vec<TunedAttention>,
}

/// How long measuring may take. When it is over, no other kernel is tried, and those that are known are taken where they are
/// right.
const BUDGET_MS: f64 = 300.0;
/// How much of it is for dense layers, which are nine tenths of the work.
const LINEAR_SHARE: f64 = 0.75;

/// What the clock of a browser can tell. A kernel is repeated until that makes so much of a difference: one run may take less
/// than the way to the device and back.
const LEGIBLE_MS: f64 = 3.0;
const MOST_REPEATS: usize = 625;

/// How often it is timed; the shortest time counts, since others can only lengthen it.
const TRIES: usize = 3;
/// Who takes so many times as long as the fastest is not tried again.
const HOPELESS: f64 = 2.0;

/// The largest difference to what is right, as a share of the largest answer. Rounding of f32 leaves 1e-6; a wrong kernel is
/// off by about 1.
const TOLERANCE: f32 = 1e-4;

impl Gpu {
    /// Decides on the kernels of a network.
    pub(super) async fn tune(&mut self, outline: &Outline) -> Result<()> {
        let known = match self.tuning.clone() {
            Tuning::Usual | Tuning::Pinned(_) => return Ok(()),
            Tuning::Measured => Tuned::default(),
            Tuning::Known(known) => known,
        };
        let chosen = self.choose(outline, &known).await;
        // What was measured with is no longer needed.
        self.start_over();
        chosen
    }

    async fn choose(&mut self, outline: &Outline, known: &Tuned) -> Result<()> {
        let start = (self.clock)();
        let for_linear = start + BUDGET_MS * LINEAR_SHARE;
        self.tune_linear(&outline.matrices, &known.linear, for_linear).await?;
        self.tuned_attention = None;
        match outline.attention {
            Some(shape) => self.tune_attention(shape, &known.attention, start + BUDGET_MS).await,
            None => Ok(()),
        }
    }

    /// What was decided, for the next load on this device.
    #[must_use]
    pub fn tuned(&self) -> Tuned {
        Tuned { linear: self.tuned_linear(), attention: self.tuned_attention.into_iter().collect() }
    }

    fn is_past(&self, end: f64) -> bool {
        (self.clock)() > end
    }

    /// What is recorded for a batch, all of it. All is compiled then that [`Gpu::time`] runs.
    async fn answer(&mut self, batch: &Batch, record: impl Fn(&mut Self) -> Rows) -> Result<Vec<f32>> {
        self.begin(batch, 0)?;
        let answer = record(self);
        self.first_rows(&answer);
        let pending = self.send(&answer)?;
        self.receive(pending).await
    }

    /// Milliseconds that what is recorded takes.
    async fn time(
        &mut self,
        batch: &Batch,
        record: impl Fn(&mut Self) -> Rows,
        to_beat: f64,
        end: f64,
    ) -> Result<f64> {
        // What comes with a run besides its kernels is in both times.
        let (mut once, mut repeated) = (f64::INFINITY, f64::INFINITY);
        let mut repeats = 1;
        for _ in 0..TRIES {
            once = once.min(self.run(batch, &record, 1).await?);
            repeated = repeated.min(self.run(batch, &record, 1 + repeats).await?);
            while repeated - once < LEGIBLE_MS && repeats < MOST_REPEATS {
                repeats *= 5;
                repeated = self.run(batch, &record, 1 + repeats).await?;
            }
            if (repeated - once) / repeats as f64 > HOPELESS * to_beat || self.is_past(end) {
                break;
            }
        }
        // Of what nobody can tell apart, the first is taken.
        Ok((repeated - once).max(LEGIBLE_MS) / repeats as f64)
    }

    /// Records something so many times, and waits for it by reading a single row: milliseconds.
    async fn run(&mut self, batch: &Batch, record: impl Fn(&mut Self) -> Rows, times: usize) -> Result<f64> {
        let start = (self.clock)();
        self.begin(batch, 0)?;
        let mut answer = record(self);
        for _ in 1..times {
            answer = record(self);
        }
        let row = self.first_rows(&answer);
        let pending = self.send(&row)?;
        self.receive(pending).await?;
        Ok((self.clock)() - start)
    }
}

/// What was found, or nothing where a driver refused: it may take another kernel. A device that is lost takes none.
fn unless_lost<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(lost @ Error::DeviceLost { .. }) => Err(lost),
        found => Ok(found.ok()),
    }
}

/// Numbers that look random between -1 and 1: the fractional parts of multiples of the golden ratio.
fn pseudorandom(index: usize) -> f32 {
    ((index as f64 * 0.618_033_988_749_895).fract() * 2.0 - 1.0) as f32
}
