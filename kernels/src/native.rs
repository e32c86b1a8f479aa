//! The device as a native program has it: a block of memory, and as many threads as are wanted.

use std::sync::atomic::Ordering;
use std::thread;

use bytemuck::{Pod, Zeroable};

use crate::crew::Work;
use crate::memory::{ALIGNMENT, Address, Memory};
use crate::simd::{Arithmetic, Portable, Simd};
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, AvxVnni};

/// Instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

/// A processor with a memory.
#[derive(Debug)]
pub struct Native {
    instructions: Instructions,
    threads: u32,
    memory: Vec<Line>,
}

/// Bytes that begin where a vector may.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(32))]
struct Line([u8; ALIGNMENT]);

impl Native {
    /// The best instructions that this processor has, by their names, best first.
    #[must_use]
    pub fn instructions() -> Vec<&'static str> {
        let found = Self::found();
        found.iter().map(|instructions| instructions.name()).collect()
    }

    fn found() -> Vec<Instructions> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            found.extend(AvxVnni::new().map(Instructions::AvxVnni));
            found.extend(Avx2::new().map(Instructions::Avx2));
        }
        found.push(Instructions::Portable(Portable));
        found
    }

    /// An empty device with the best instructions, or with those of a name; `None` where it has none of that name.
    #[must_use]
    pub fn new(instructions: Option<&str>, threads: usize) -> Option<Self> {
        let mut found = Self::found().into_iter();
        let instructions = found.find(|found| instructions.is_none_or(|name| found.name() == name))?;
        Some(Self { instructions, threads: threads.max(1) as u32, memory: Vec::new() })
    }

    /// The name of its instructions.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.instructions.name()
    }

    /// How inputs are rounded.
    #[must_use]
    pub fn arithmetic(&self) -> Arithmetic {
        self.instructions.arithmetic()
    }

    /// How many threads there are.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// Makes the memory at least so long. Says whether there is room for it.
    pub fn grow(&mut self, bytes: usize) -> bool {
        let lines = bytes.div_ceil(ALIGNMENT);
        let more = lines.saturating_sub(self.memory.len());
        if self.memory.try_reserve(more).is_err() {
            return false;
        }
        self.memory.resize(self.memory.len() + more, Line::zeroed());
        true
    }

    /// Writes bytes.
    pub fn write(&mut self, at: Address, bytes: &[u8]) {
        let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.memory);
        all[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }

    /// Reads bytes.
    pub fn read(&self, at: Address, bytes: &mut [u8]) {
        let all: &[u8] = bytemuck::cast_slice(&self.memory);
        bytes.copy_from_slice(&all[at as usize..at as usize + bytes.len()]);
    }

    /// Does the [`Work`] at an address.
    ///
    /// # Safety
    ///
    /// No command writes what another chunk of it reads or writes.
    #[expect(unsafe_code, reason = "threads share the memory")]
    pub unsafe fn execute(&mut self, work: Address) {
        let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.memory);
        // SAFETY: the memory is not touched in any other way until all threads have ended, and begins at a line.
        let memory = unsafe { Memory::new(all.as_mut_ptr(), all.len()) };
        // SAFETY: nobody writes it while it is done.
        let work = unsafe { memory.read::<Work>(work, 1) }[0];
        let instructions = self.instructions;
        let join = |thread| {
            let _guard = Guard { memory: &memory, work };
            // SAFETY: as the caller says; each thread has its number, and all have ended when this returns.
            unsafe { instructions.join(&work, &memory, thread) };
        };
        thread::scope(|scope| {
            for thread in 1..self.threads {
                scope.spawn(move || join(thread));
            }
            join(0);
        });
    }
}

/// Tells the other threads when this one panics.
struct Guard<'a> {
    memory: &'a Memory,
    work: Work,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            for failed in self.memory.shared(self.work.failed, 1) {
                failed.store(1, Ordering::Relaxed);
            }
        }
    }
}

impl Instructions {
    fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(_) => "avx-vnni",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => "avx2",
            Self::Portable(_) => "portable",
        }
    }

    fn arithmetic(self) -> Arithmetic {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(s) => s.arithmetic(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(s) => s.arithmetic(),
            Self::Portable(s) => s.arithmetic(),
        }
    }

    /// # Safety
    ///
    /// As for [`Work::join`].
    #[expect(
        unsafe_code,
        reason = "threads share the memory, and each of the instructions was found in this processor"
    )]
    unsafe fn join(self, work: &Work, memory: &Memory, thread: u32) -> bool {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma,avxvnni")]
        unsafe fn with_avx_vnni(s: AvxVnni, work: &Work, memory: &Memory, thread: u32) -> bool {
            // SAFETY: as the caller says.
            unsafe { work.join(s, memory, thread) }
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn with_avx2(s: Avx2, work: &Work, memory: &Memory, thread: u32) -> bool {
            // SAFETY: as the caller says.
            unsafe { work.join(s, memory, thread) }
        }

        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "each of these was found in this processor")
        )]
        match self {
            // SAFETY: as said above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(s) => unsafe { with_avx_vnni(s, work, memory, thread) },
            // SAFETY: as said above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(s) => unsafe { with_avx2(s, work, memory, thread) },
            // SAFETY: as the caller says.
            Self::Portable(s) => unsafe { work.join(s, memory, thread) },
        }
    }
}
