//! The same tests on every device.

/// Declares each named test, `async fn test<B: Backend>(backend: impl Fn() -> B)`, once for the scalar reference and
/// once for the GPU.
macro_rules! on_every_device {
    ($($test:ident),+ $(,)?) => {
        mod cpu {
            $(#[test] fn $test() {
                pollster::block_on(super::$test(specter_web::engine::reference::Reference::new));
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
