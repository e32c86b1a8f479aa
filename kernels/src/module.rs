//! What the WebAssembly module exports. Its memory belongs to whoever starts it, who also starts its threads: instances
//! of the same module with the same memory, each with a stack of its own.

use core::arch::wasm32;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr;

use crate::crew::Work;
use crate::memory::{Address, Memory};
use crate::simd::{Arithmetic, Simd, Wasm};

const PAGE: usize = 64 << 10;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}

/// How this processor rounds inputs, by [its number](Arithmetic::number); 3 where its dot products are not exact, and
/// this module is of no use.
#[expect(unsafe_code, reason = "exports have a name of their own")]
#[unsafe(no_mangle)]
pub extern "C" fn arithmetic() -> u32 {
    match Wasm.arithmetic() {
        Arithmetic::Words if cfg!(feature = "relaxed") => 3,
        exact => exact.number(),
    }
}

/// The part of one thread in the [`Work`] at an address. Says whether all went well.
#[expect(unsafe_code, reason = "exports have a name of their own, and the memory is all there is")]
#[unsafe(no_mangle)]
pub extern "C" fn join(work: Address, thread: u32) -> bool {
    let bytes = wasm32::memory_size::<0>() * PAGE;
    // The memory begins at 0, which Rust takes for no address at all unless it cannot see it.
    let base = black_box(ptr::null_mut());
    // SAFETY: these are the bytes of the memory; nothing is kept at its beginning.
    let memory = unsafe { Memory::new(base, bytes) };
    // SAFETY: nobody writes it while it is done.
    let work = unsafe { memory.read::<Work>(work, 1) };
    // SAFETY: whoever calls this has recorded the commands, and numbers the threads.
    work.first().is_some_and(|work| unsafe { work.join(Wasm, &memory, thread) })
}
