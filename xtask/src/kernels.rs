//! The CPU's modules in `www/wasm/`: the same kernels compiled for four kinds of browsers. A page loads one of them,
//! and none where it has a GPU.

use std::fs;

use anyhow::{Context as _, Result};

use crate::places::{command, package, target};
use crate::steps::run;
use crate::toolchain;

const PROFILE: &str = "wasm-kernels";

/// A kind of browser.
struct Variant {
    /// The file.
    name: &'static str,
    /// With the integer products of relaxed SIMD.
    relaxed: bool,
    /// With a memory that threads share. The standard library as it is shipped is not compiled for that.
    threads: bool,
}

const VARIANTS: [Variant; 4] = [
    Variant { name: "cpu_simd.wasm", relaxed: false, threads: false },
    Variant { name: "cpu_relaxed.wasm", relaxed: true, threads: false },
    Variant { name: "cpu_simd_threads.wasm", relaxed: false, threads: true },
    Variant { name: "cpu_relaxed_threads.wasm", relaxed: true, threads: true },
];

impl Variant {
    fn cargo_features(&self) -> &'static str {
        if self.relaxed { "module,relaxed" } else { "module" }
    }

    /// What rustc is told for the target.
    fn flags(&self) -> String {
        let mut features = vec!["+simd128"];
        let mut arguments =
            vec!["--import-memory", "--export=__heap_base", "--export=__stack_pointer", "-zstack-size=65536"];
        if self.relaxed {
            features.push("+relaxed-simd");
        }
        if self.threads {
            features.extend(["+atomics", "+bulk-memory", "+mutable-globals"]);
            // As much as can be addressed; the page says how much it takes.
            arguments.extend(["--shared-memory", "--max-memory=4294967296"]);
        }
        let mut flags = vec![format!("'-Ctarget-feature={}'", features.join(","))];
        flags.extend(arguments.iter().map(|argument| format!("'-Clink-arg={argument}'")));
        format!("target.{}.rustflags=[{}]", toolchain::WASM, flags.join(", "))
    }

    /// A command of cargo for this variant of the kernels.
    fn cargo(&self, subcommand: &str) -> std::process::Command {
        let mut cargo = command("cargo");
        cargo
            .args([subcommand, "--package", "specter-web-kernels", "--lib", "--target", toolchain::WASM])
            .args(["--features", self.cargo_features(), "--config", &self.flags()]);
        cargo
    }
}

/// Builds the modules, as far as their code has changed.
pub(crate) fn ensure() -> Result<()> {
    toolchain::ensure_standard_library_source()?;
    let place = package().join("wasm");
    fs::create_dir_all(&place).context("www/wasm cannot be made")?;
    for variant in &VARIANTS {
        let mut build = variant.cargo("rustc");
        build.args(["--profile", PROFILE, "--crate-type", "cdylib"]);
        if variant.threads {
            // This flag is not stable yet; the toolchain is pinned, so it means the same everywhere.
            build.arg("-Zbuild-std=core").env("RUSTC_BOOTSTRAP", "1");
        }
        run(&mut build)?;
        let compiled = target()?.join(toolchain::WASM).join(PROFILE).join("specter_web_kernels.wasm");
        let module = fs::read(&compiled).with_context(|| format!("cargo left no {}", compiled.display()))?;
        let file = place.join(variant.name);
        if fs::read(&file).ok().as_deref() != Some(&module) {
            fs::write(&file, module).with_context(|| format!("{} cannot be written", file.display()))?;
        }
    }
    Ok(())
}

/// Runs clippy over what is only compiled for browsers.
pub(crate) fn lint() -> Result<()> {
    for variant in VARIANTS.iter().filter(|variant| !variant.threads) {
        run(variant.cargo("clippy").args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}
