//! The WebAssembly modules in `www/wasm/` that speak with JavaScript: compiled by cargo, bound to JavaScript by wasm-bindgen as a
//! library (so that its version cannot drift from the one linked), made small by wasm-opt.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::places::{command, package, scratch, target};
use crate::steps::{Step, run, run_quietly};
use crate::{kernels, npm, toolchain};

const PROFILE: &str = "wasm-release";

/// A crate that becomes a module with bindings of its own.
struct Module {
    package: &'static str,
    /// What the files are called.
    name: &'static str,
    /// Of cargo.
    features: &'static str,
}

const MODULES: [Module; 2] = [
    Module { package: "specter-web", name: "specter_web", features: "" },
    // A page that teaches nothing does not load it.
    Module { package: "specter-web-fit", name: "specter_web_fit", features: "module" },
];

/// A panic traps at once, without the code that words a message: 70 KB gzipped less than with the standard library as
/// it is shipped. JavaScript sees the trap, and says that the engine has crashed.
const SMALL_STANDARD_LIBRARY: [&str; 4] = [
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
    "--config",
    "target.wasm32-unknown-unknown.rustflags=['-Zunstable-options', '-Cpanic=immediate-abort']",
];

/// What wasm-opt may use: the features that Rust itself compiles for, which every browser with WebGPU has.
const WASM_OPT: [&str; 10] = [
    "-Os",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-call-indirect-overlong",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--strip-producers",
];

/// Builds the modules, unless those in place are made of the same code.
pub(crate) fn ensure() -> Result<()> {
    toolchain::ensure_wasm_target()?;
    toolchain::ensure_standard_library_source()?;
    npm::ensure_packages()?;
    for module in &MODULES {
        module.ensure()?;
    }
    kernels::ensure()
}

impl Module {
    /// A command of cargo for this module.
    fn cargo(&self, subcommand: &str) -> Command {
        let mut cargo = command("cargo");
        cargo
            .args([subcommand, "--package", self.package, "--lib", "--target", toolchain::WASM])
            .args(["--features", self.features]);
        cargo
    }

    fn ensure(&self) -> Result<()> {
        // Cargo knows best whether anything has changed, and is quick to say so.
        let mut build = self.cargo("rustc");
        build
            .args(["--profile", PROFILE, "--crate-type", "cdylib"])
            // These flags are not stable yet; the toolchain is pinned, so they mean the same everywhere.
            .args(SMALL_STANDARD_LIBRARY)
            .env("RUSTC_BOOTSTRAP", "1");
        run(&mut build)?;
        let name = self.name;
        let compiled = target()?.join(toolchain::WASM).join(PROFILE).join(format!("{name}.wasm"));
        let stamp = stamp_of(&compiled)?;
        let stamp_file = scratch()?.join(format!("{name}.stamp"));
        let in_place = package().join("wasm").join(format!("{name}_bg.wasm"));
        let done = in_place.is_file() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp);
        Step {
            does: &format!("binding and optimising the WebAssembly module of {}", self.package),
            by_hand: "cargo clean, then the same command again",
        }
        .run(done, || {
            self.bind(&compiled)?;
            fs::write(&stamp_file, &stamp).context("the target folder cannot be written")
        })
    }

    fn bind(&self, compiled: &Path) -> Result<()> {
        let unfinished = scratch()?.join(self.name);
        fs::create_dir_all(&unfinished).context("the target folder cannot be written")?;
        Bindgen::new()
            .input_path(compiled)
            .web(true)?
            .typescript(true)
            // The module finds its bytes beside itself, also after a bundler has moved both.
            .omit_default_module_path(false)
            .remove_name_section(true)
            .remove_producers_section(true)
            .generate(&unfinished)
            .context("wasm-bindgen failed")?;
        let bound = unfinished.join(format!("{}_bg.wasm", self.name));
        let optimised = unfinished.join("optimised.wasm");
        run_quietly(
            npm::node("node_modules/binaryen/bin/wasm-opt")
                .args(WASM_OPT)
                .arg(&bound)
                .arg("-o")
                .arg(&optimised),
        )?;
        fs::rename(&optimised, &bound)?;
        copy_folder(&unfinished, &package().join("wasm"))
    }
}

/// Runs clippy over what is only compiled for browsers.
pub(crate) fn lint() -> Result<()> {
    for module in &MODULES {
        run(module.cargo("clippy").args(["--", "--deny", "warnings"]))?;
    }
    kernels::lint()
}

/// Copies a folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be made", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), &copy).with_context(|| format!("{} cannot be written", copy.display()))?;
        }
    }
    Ok(())
}

/// Tells one compiled module, and one way of finishing it, from another.
fn stamp_of(compiled: &Path) -> Result<String> {
    let file = fs::metadata(compiled).with_context(|| format!("cargo left no {}", compiled.display()))?;
    let modified = file.modified()?.duration_since(UNIX_EPOCH)?.as_nanos();
    Ok(format!("{} {} {modified}\n{}\n", compiled.display(), file.len(), WASM_OPT.join(" ")))
}
