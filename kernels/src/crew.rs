//! Threads share the work of a list of commands.
//!
//! Every thread walks through the whole list. Of each command it takes one chunk after the other, as long as there are
//! any, and waits until those that others have taken are finished too; then it goes on to the next. So nobody has to
//! say who does what, and a thread that comes late finds nothing left to do.

use core::hint;
use core::sync::atomic::Ordering;

use bytemuck::{Pod, Zeroable};

use crate::command::Command;
use crate::memory::{Address, Memory};
use crate::simd::Simd;

/// A list of commands, and where its threads find what they share.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Work {
    /// The first [`Command`].
    pub commands: Address,
    /// How many there are; they are done in order.
    pub count: u32,
    /// Two words for each command, zero when the first thread comes: how many chunks are taken, and how many finished.
    pub progress: Address,
    /// A word that is zero, until a thread fails: then the others need not wait for it.
    pub failed: Address,
    /// Where each thread's own memory begins, one after the other.
    pub scratch: Address,
    /// How much of it each one has, a multiple of the alignment.
    pub scratch_bytes: u32,
}

impl Work {
    /// The part of one thread, by its number from 0 on. Says whether all went well.
    ///
    /// # Safety
    ///
    /// No command writes what another chunk of it reads or writes; nothing else is done with the memory until all threads
    /// have come back; and no two threads have the same number.
    #[inline(always)]
    #[must_use]
    #[expect(
        unsafe_code,
        reason = "nobody writes commands while they are done, and each thread has scratch memory of its own"
    )]
    pub unsafe fn join<S: Simd>(&self, s: S, memory: &Memory, thread: u32) -> bool {
        // SAFETY: as said above.
        let (commands, scratch) = unsafe {
            (
                memory.read::<Command>(self.commands, self.count as usize),
                memory.write(self.scratch + thread * self.scratch_bytes, self.scratch_bytes as usize / 4),
            )
        };
        let failed = memory.shared(self.failed, 1);
        let (progress, _) = memory.shared(self.progress, 2 * self.count as usize).as_chunks::<2>();
        for (command, [taken, finished]) in commands.iter().zip(progress) {
            let chunks = command.chunks();
            loop {
                let chunk = taken.fetch_add(1, Ordering::Relaxed);
                if chunk >= chunks {
                    break;
                }
                // SAFETY: as the caller says, and all commands before this one are finished.
                unsafe { command.run(s, chunk, memory, scratch) };
                finished.fetch_add(1, Ordering::Release);
            }
            while finished.load(Ordering::Acquire) < chunks {
                if failed.iter().any(|failed| failed.load(Ordering::Relaxed) != 0) {
                    return false;
                }
                hint::spin_loop();
            }
        }
        true
    }
}
