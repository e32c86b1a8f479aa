//! Token rows become one vector a document.

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::memory::{Address, Memory};
use crate::simd::{LANES, Simd, lanes};

/// The length below which a vector is not divided, as in `torch.nn.functional.normalize`.
const SMALLEST_LENGTH: f32 = 1e-12;

/// The first row of each document, or the mean of all.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Pool {
    /// `(tokens, width)` f32; `(documents, width)` where there are no starts.
    pub input: Address,
    /// `(documents + 1,)`: where each document starts, and where the last one ends; or nowhere.
    pub starts: Address,
    /// How many documents.
    pub documents: u32,
    /// A multiple of 8.
    pub width: u32,
    /// Whether all rows count, and not the first alone.
    pub mean: u32,
    /// Whether vectors are scaled to length 1.
    pub normalize: u32,
    /// `(documents, width)` f32.
    pub output: Address,
}

impl Kernel for Pool {
    const NUMBER: u32 = 8;
    const NAME: &'static str = "pool";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.documents
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes its own row, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, _: &mut [f32]) {
        let eights = self.width as usize / LANES;
        // SAFETY: as said above.
        let (first, end) = unsafe {
            if self.starts == 0 {
                (chunk, chunk + 1)
            } else {
                let starts = memory.read::<u32>(self.starts + chunk * 4, 2);
                (starts[0], if self.mean == 0 { starts[0] + 1 } else { starts[1] })
            }
        };
        // SAFETY: as said above.
        let output = unsafe { memory.write::<[f32; LANES]>(self.output + chunk * self.width * 4, eights) };
        output.fill([0.0; LANES]);
        for token in first..end {
            // SAFETY: as said above.
            let row = unsafe { memory.read::<[f32; LANES]>(self.input + token * self.width * 4, eights) };
            for (x, y) in row.iter().zip(output.iter_mut()) {
                s.store(s.add(s.load(y), s.load(x)), y);
            }
        }
        let mut scale = 1.0 / (end - first) as f32;
        if self.normalize != 0 {
            let mut squares = s.splat(0.0);
            for y in output.iter() {
                let mean = s.mul(s.load(y), s.splat(scale));
                squares = s.mul_add(mean, mean, squares);
            }
            let length = lanes(s, s.sqrt(s.splat(s.sum(squares))))[0];
            scale /= length.max(SMALLEST_LENGTH);
        }
        for y in output {
            s.store(s.mul(s.load(y), s.splat(scale)), y);
        }
    }
}
