//! Which kernel of attention is the fastest here?
//!
//! The one that runs everywhere is the measure for the other, which a driver may get wrong whose quads are not four
//! invocations in a row.

use serde::Serialize;

use super::{TOLERANCE, pseudorandom, unless_lost};
use crate::engine::gpu::Gpu;
use crate::engine::gpu::attention::AttentionKernel;
use crate::engine::{AttentionColumns, AttentionShape, Backend, RowsOf};
use crate::error::Result;
use crate::text::Batch;

/// What was found for heads of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TunedAttention {
    /// Columns of a head.
    pub head_size: usize,
    /// The kernel.
    pub kernel: AttentionKernel,
}

/// Documents that attend, of lengths that are no whole number of anything.
const LENGTHS: [usize; 2] = [255, 257];

/// Activations reach so far from zero, and scores as far as those of a trained model.
const REACH: f32 = 3.0;

impl Gpu {
    /// The kernel where nothing was measured: on software adapters quads are known to be right and faster.
    fn usual_attention(&self) -> AttentionKernel {
        if self.device.is_software() { AttentionKernel::Quads } else { AttentionKernel::Rows }
    }

    /// The kernel for heads of a size.
    pub(in crate::engine::gpu) fn attention_kernel(&self, head_size: usize) -> AttentionKernel {
        let found = self.tuned_attention.filter(|tuned| tuned.head_size == head_size);
        let kernel = found.map_or_else(|| self.usual_attention(), |tuned| tuned.kernel);
        if kernel.runs_on(self.device.features(), head_size) { kernel } else { AttentionKernel::Rows }
    }

    /// Takes the kernel that an earlier run has found, or the faster one, where there is a choice.
    pub(super) async fn tune_attention(
        &mut self,
        shape: AttentionShape,
        known: &[TunedAttention],
        end: f64,
    ) -> Result<()> {
        let AttentionShape { head_size, .. } = shape;
        if !AttentionKernel::Quads.runs_on(self.device.features(), head_size) {
            return Ok(());
        }
        self.tuned_attention = known.iter().copied().find(|known| known.head_size == head_size);
        if self.tuned_attention.is_none() && !self.device.is_software() {
            let kernel = self.measure_attention(shape, end).await?;
            self.take_attention(head_size, kernel);
        }
        Ok(())
    }

    async fn measure_attention(&mut self, shape: AttentionShape, end: f64) -> Result<AttentionKernel> {
        let AttentionShape { heads, head_size } = shape;
        let hidden = heads * head_size;
        let mut batch = Batch::new();
        for length in LENGTHS {
            batch.push(&vec![0; length]);
        }
        self.widest = self.widest.max(3 * hidden);
        self.begin(&batch, 0)?;
        let input = self.arena.rows(&self.device, RowsOf::Tokens, 3 * hidden);
        let values: Vec<f32> =
            (0..batch.tokens() * 3 * hidden).map(|index| REACH * pseudorandom(index)).collect();
        self.device.queue.write_buffer(input.buffer(), 0, bytemuck::cast_slice(&values));
        let columns = AttentionColumns { query: 0, key: hidden, value: 2 * hidden };
        let attend = |gpu: &mut Self| gpu.attention(&input, &input, columns, heads, head_size, None);

        self.take_attention(head_size, AttentionKernel::Rows);
        let expected = self.answer(&batch, attend).await?;
        let rows = self.time(&batch, attend, f64::INFINITY, end).await?;
        self.take_attention(head_size, AttentionKernel::Quads);
        let close = |(x, y): (&f32, &f32)| (x - y).abs() <= REACH * TOLERANCE;
        let agrees =
            |found: Vec<f32>| found.len() == expected.len() && found.iter().zip(&expected).all(close);
        if !unless_lost(self.answer(&batch, attend).await)?.is_some_and(agrees) {
            return Ok(AttentionKernel::Rows);
        }
        let quads = unless_lost(self.time(&batch, attend, rows, end).await)?;
        let faster = quads.is_some_and(|quads| quads < rows);
        Ok(if faster { AttentionKernel::Quads } else { AttentionKernel::Rows })
    }

    fn take_attention(&mut self, head_size: usize, kernel: AttentionKernel) {
        self.tuned_attention = Some(TunedAttention { head_size, kernel });
    }
}
