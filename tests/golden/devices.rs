//! The same tests on every device.

/// Declares each named test, `async fn test<B: Backend>(backend: impl Fn() -> B)`, once for the scalar reference,
/// once for the GPU, and once for each kind of instructions of the CPU.
macro_rules! on_every_device {
    ($($test:ident),+ $(,)?) => {
        mod reference {
            $(#[test] fn $test() {
                pollster::block_on(super::$test(specter_web::engine::reference::Reference::new));
            })+
        }
        mod cpu {
            $(#[test] fn $test() {
                for instructions in specter_web_kernels::Native::instructions() {
                    pollster::block_on(super::$test(|| $crate::devices::cpu(instructions)));
                }
            })+
        }
        mod gpu {
            $(#[test] fn $test() {
                pollster::block_on(super::$test($crate::devices::gpu));
            })+
        }
    };
}

pub(crate) use on_every_device;

/// A test that finds no adapter fails; it does not skip.
pub(crate) fn gpu() -> specter_web::engine::gpu::Gpu {
    use specter_web::engine::gpu::{Gpu, GpuOptions};
    pollster::block_on(Gpu::new(GpuOptions::native()))
        .unwrap_or_else(|error| panic!("no GPU to test on (install mesa-vulkan-drivers): {error}"))
}

/// The CPU with these instructions, and more threads than a small network has work for.
pub(crate) fn cpu(instructions: &str) -> specter_web::engine::cpu::Cpu<specter_web_kernels::Native> {
    let native = specter_web_kernels::Native::new(Some(instructions), 3);
    specter_web::engine::cpu::Cpu::new(native.expect("it was found"))
}

/// What a device loses of the inputs of dense layers whose weights are integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inputs {
    /// Nothing.
    Exact,
    /// What 16 bits do not hold.
    Words,
    /// What 8 bits do not hold.
    Bytes,
}

pub(crate) fn inputs_of(backend: &impl specter_web::engine::Backend) -> Inputs {
    match backend.device() {
        device if device.kind == "webgpu" || device.adapter.contains("reference") => Inputs::Exact,
        device if device.features.iter().any(|feature| feature == "avx-vnni") => Inputs::Bytes,
        _ => Inputs::Words,
    }
}
