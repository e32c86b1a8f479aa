//! The shaders of `shaders/variants.toml` and the layouts of their parameters, written by `build.rs` from the WGSL
//! itself, so that Rust and WGSL cannot disagree.

/// A validated compute shader with the entry point `main`. Its bindings are parameters, inputs, one output.
#[derive(Debug)]
pub struct Shader {
    /// The variant's name.
    pub name: &'static str,
    /// How many storage buffers it reads.
    pub inputs: usize,
    /// WGSL.
    pub source: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
