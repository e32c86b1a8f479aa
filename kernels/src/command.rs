//! What a kernel is told: numbers in a fixed layout, so that a list of commands is bytes that one side writes and the
//! other reads.

use bytemuck::{AnyBitPattern, NoUninit, Pod, Zeroable};

use crate::attention::Attention;
use crate::embedding::Embedding;
use crate::gate::{ApplyGate, Gate};
use crate::layer_norm::LayerNorm;
use crate::linear::Linear;
use crate::memory::Memory;
use crate::neighbours::Neighbours;
use crate::pool::Pool;
use crate::quantize::Quantize;
use crate::simd::Simd;
use crate::top_k::TopK;

/// The most numbers that a kernel is told.
const PARAMETERS: usize = 15;

/// A kernel and what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Command {
    kernel: u32,
    parameters: [u32; PARAMETERS],
}

/// A kernel's parameters: what it computes, and where.
pub trait Kernel: NoUninit + AnyBitPattern {
    /// Its number among the kernels.
    const NUMBER: u32;
    /// Its name, as the shader's that does the same.
    const NAME: &'static str;

    /// Into how many parts it can be split that do not depend on each other.
    fn chunks(&self) -> u32;

    /// Bytes that each thread needs for itself.
    fn scratch_bytes(&self) -> usize {
        0
    }

    /// Computes one part.
    ///
    /// # Safety
    ///
    /// As [`Memory`] says: nobody writes what it reads, nor reads or writes what it writes, before it has ended.
    #[expect(unsafe_code, reason = "the parameters say who writes where")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, scratch: &mut [f32]);
}

/// Calls something with the kernel that a command is for. A number that stands for none has no parts.
macro_rules! with_kernel {
    ($command:expr, $kernel:ident => $call:expr, else $nothing:expr) => {
        match $command.kernel {
            Quantize::NUMBER => {
                let $kernel: Quantize = $command.parameters();
                $call
            }
            Linear::NUMBER => {
                let $kernel: Linear = $command.parameters();
                $call
            }
            Attention::NUMBER => {
                let $kernel: Attention = $command.parameters();
                $call
            }
            LayerNorm::NUMBER => {
                let $kernel: LayerNorm = $command.parameters();
                $call
            }
            Embedding::NUMBER => {
                let $kernel: Embedding = $command.parameters();
                $call
            }
            Gate::NUMBER => {
                let $kernel: Gate = $command.parameters();
                $call
            }
            ApplyGate::NUMBER => {
                let $kernel: ApplyGate = $command.parameters();
                $call
            }
            Pool::NUMBER => {
                let $kernel: Pool = $command.parameters();
                $call
            }
            TopK::NUMBER => {
                let $kernel: TopK = $command.parameters();
                $call
            }
            Neighbours::NUMBER => {
                let $kernel: Neighbours = $command.parameters();
                $call
            }
            _ => $nothing,
        }
    };
}

impl Command {
    /// A kernel with its parameters.
    #[must_use]
    pub fn new<K: Kernel>(kernel: K) -> Self {
        const { assert!(size_of::<K>() <= PARAMETERS * 4) };
        let mut parameters = [0; PARAMETERS];
        let words: &[u32] = bytemuck::cast_slice(core::slice::from_ref(&kernel));
        for (parameter, word) in parameters.iter_mut().zip(words) {
            *parameter = *word;
        }
        Self { kernel: K::NUMBER, parameters }
    }

    #[inline(always)]
    fn parameters<K: Kernel>(&self) -> K {
        let bytes: &[u8] = bytemuck::cast_slice(&self.parameters);
        bytemuck::pod_read_unaligned(bytes.get(..size_of::<K>()).unwrap_or_default())
    }

    /// Into how many parts it is split.
    #[inline(always)]
    #[must_use]
    pub fn chunks(&self) -> u32 {
        with_kernel!(self, kernel => kernel.chunks(), else 0)
    }

    /// Bytes that each thread needs for itself.
    #[must_use]
    pub fn scratch_bytes(&self) -> usize {
        with_kernel!(self, kernel => kernel.scratch_bytes(), else 0)
    }

    /// Computes one part.
    ///
    /// # Safety
    ///
    /// As for [`Kernel::run`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the parameters say who writes where")]
    pub unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, scratch: &mut [f32]) {
        // SAFETY: as the caller says.
        with_kernel!(self, kernel => unsafe { kernel.run(s, chunk, memory, scratch) }, else ());
    }
}
