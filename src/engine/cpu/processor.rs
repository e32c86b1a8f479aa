//! A processor with a memory of its own: in a browser a WebAssembly module beside this one, otherwise this program.

#[cfg(not(target_arch = "wasm32"))]
use specter_web_kernels::Native;
use specter_web_kernels::{Address, Arithmetic};

use crate::error::Result;

/// What runs commands.
pub trait Processor {
    /// What it is.
    fn traits(&self) -> Traits;
    /// Makes the memory at least so long; it never gets shorter. Says whether there is room for it.
    fn grow(&mut self, bytes: u64) -> bool;
    /// Writes bytes into the memory.
    fn write(&mut self, at: Address, bytes: &[u8]);
    /// Reads bytes from the memory.
    fn read(&mut self, at: Address, bytes: &mut [u8]);
    /// Does the [`Work`](specter_web_kernels::crew::Work) at an address.
    fn execute(&mut self, work: Address) -> Result<()>;
}

/// What a processor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traits {
    /// The name of its instructions.
    pub instructions: String,
    /// How many threads there are.
    pub threads: u32,
    /// How inputs of dense layers are rounded.
    pub arithmetic: Arithmetic,
    /// Where its own part of the memory ends.
    pub first_address: Address,
}

#[cfg(not(target_arch = "wasm32"))]
impl Processor for Native {
    fn traits(&self) -> Traits {
        Traits {
            instructions: self.name().to_owned(),
            threads: self.threads(),
            arithmetic: self.arithmetic(),
            first_address: 0,
        }
    }

    fn grow(&mut self, bytes: u64) -> bool {
        bytes <= u64::from(Address::MAX) && usize::try_from(bytes).is_ok_and(|bytes| self.grow(bytes))
    }

    fn write(&mut self, at: Address, bytes: &[u8]) {
        self.write(at, bytes);
    }

    fn read(&mut self, at: Address, bytes: &mut [u8]) {
        Self::read(self, at, bytes);
    }

    fn execute(&mut self, work: Address) -> Result<()> {
        #[expect(unsafe_code, reason = "only the commands of `Cpu` come here")]
        // SAFETY: `Cpu` gives every operation's output a place of its own.
        unsafe {
            self.execute(work);
        }
        Ok(())
    }
}
