//! The shaders of `shaders/variants.toml` and the layouts of their parameters, written by `build.rs` from the WGSL
//! itself, so that Rust and WGSL cannot disagree.

/// What WebGPU offers only on some devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optional {
    /// Numbers of 16 bits.
    F16,
    /// Operations among the invocations that run in step.
    Subgroups,
}

/// A validated compute shader with the entry point `main`. Its bindings are parameters, inputs, one output.
#[derive(Debug)]
pub struct Shader {
    /// The variant's name.
    pub name: &'static str,
    /// How many storage buffers it reads.
    pub inputs: usize,
    /// What it cannot do without.
    pub needs: Option<Optional>,
    /// WGSL, file by file.
    pub parts: &'static [&'static str],
}

impl Shader {
    /// The source for a browser, or for naga, which knows subgroups without their being enabled and refuses the line.
    #[must_use]
    pub fn source(&self, in_browser: bool) -> String {
        let enable = match self.needs {
            Some(Optional::F16) => "enable f16;\n",
            Some(Optional::Subgroups) if in_browser => "enable subgroups;\n",
            _ => "",
        };
        std::iter::once(&enable).chain(self.parts).copied().collect()
    }
}

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));
