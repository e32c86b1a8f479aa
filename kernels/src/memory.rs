//! Addresses become slices.

use core::slice;
use core::sync::atomic::AtomicU32;

use bytemuck::Pod;

/// A place in the memory, in bytes from its beginning. 0 is nowhere: nothing is kept there.
pub type Address = u32;

/// What everything is aligned to.
pub const ALIGNMENT: usize = 32;

/// The memory of the device, seen by all threads at once.
///
/// Whoever records commands sees to it that no command writes what another chunk of it reads or writes, nor what it
/// reads itself; whoever executes them, that one command is finished before the next one starts.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: threads write to different places, as said above.
#[expect(unsafe_code, reason = "threads share this memory, and the commands say who writes where")]
unsafe impl Sync for Memory {}

// SAFETY: nothing in it belongs to a thread.
#[expect(unsafe_code, reason = "threads share this memory, and the commands say who writes where")]
unsafe impl Send for Memory {}

#[expect(unsafe_code, reason = "here, and only here, do addresses become slices")]
impl Memory {
    /// A memory that others write to as well.
    ///
    /// # Safety
    ///
    /// The bytes can be read and written as long as this lives, and begin at a multiple of [`ALIGNMENT`].
    #[must_use]
    pub unsafe fn new(base: *mut u8, bytes: usize) -> Self {
        Self { base, bytes }
    }

    /// Where so many values begin.
    #[inline(always)]
    fn place<T: Pod>(&self, at: Address, count: usize) -> *mut T {
        let at = at as usize;
        let size = count.checked_mul(size_of::<T>());
        let fits = size.is_some_and(|size| at <= self.bytes && size <= self.bytes - at);
        assert!(fits && at.is_multiple_of(align_of::<T>()), "a command reaches beyond the memory");
        self.base.wrapping_add(at).cast()
    }

    /// Values that no command writes now.
    ///
    /// # Safety
    ///
    /// Nobody writes them while the slice lives.
    #[inline(always)]
    #[must_use]
    pub unsafe fn read<T: Pod>(&self, at: Address, count: usize) -> &[T] {
        // SAFETY: `place` has checked bounds and alignment, any bytes are a `T`, and the caller knows that nobody writes.
        unsafe { slice::from_raw_parts(self.place(at, count), count) }
    }

    /// Words that threads count in.
    #[inline(always)]
    #[must_use]
    pub fn shared(&self, at: Address, count: usize) -> &[AtomicU32] {
        // SAFETY: `place` has checked bounds, and alignment for words of the same size; atomics may be shared.
        unsafe { slice::from_raw_parts(self.place::<u32>(at, count).cast(), count) }
    }

    /// Values that only this chunk of a command touches.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes them while the slice lives.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "threads share the memory and write to different places")]
    #[must_use]
    pub unsafe fn write<T: Pod>(&self, at: Address, count: usize) -> &mut [T] {
        // SAFETY: as in `read`, and the caller knows that nobody else reads.
        unsafe { slice::from_raw_parts_mut(self.place(at, count), count) }
    }
}
