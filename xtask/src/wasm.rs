//! The WebAssembly module in `www/wasm/`: compiled by cargo, bound to JavaScript by wasm-bindgen as a
//! library (so that its version cannot drift from the one linked), made small by wasm-opt.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::places::{command, package, scratch, target};
use crate::steps::{Step, run, run_quietly};
use crate::{kernels, npm, toolchain};

const PROFILE: &str = "wasm-release";
const MODULE: &str = "specter_web_bg.wasm";

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

/// Builds the module, unless the one in place is made of the same code.
pub(crate) fn ensure() -> Result<()> {
    toolchain::ensure_wasm_target()?;
    toolchain::ensure_standard_library_source()?;
    npm::ensure_packages()?;

    // Cargo knows best whether anything has changed, and is quick to say so.
    let mut build = command("cargo");
    build
        .args(["build", "--package", "specter-web", "--lib", "--target", toolchain::WASM])
        .args(["--profile", PROFILE])
        // These flags are not stable yet; the toolchain is pinned, so they mean the same everywhere.
        .args(SMALL_STANDARD_LIBRARY)
        .env("RUSTC_BOOTSTRAP", "1");
    run(&mut build)?;
    let compiled = target()?.join(toolchain::WASM).join(PROFILE).join("specter_web.wasm");
    let place = package().join("wasm");
    let stamp = stamp_of(&compiled)?;
    let stamp_file = scratch()?.join("wasm-stamp");
    let done = place.join(MODULE).is_file() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp);
    Step {
        does: "binding and optimising the WebAssembly module",
        by_hand: "cargo clean, then the same command again",
    }
    .run(done, || {
        bind(&compiled, &place)?;
        fs::write(&stamp_file, &stamp).context("the target folder cannot be written")
    })?;
    // The engine's bindings replace all that is there.
    kernels::ensure()
}

fn bind(compiled: &Path, place: &Path) -> Result<()> {
    let unfinished = scratch()?.join("wasm");
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
    let bound = unfinished.join(MODULE);
    let optimised = unfinished.join("optimised.wasm");
    run_quietly(
        npm::node("node_modules/binaryen/bin/wasm-opt").args(WASM_OPT).arg(&bound).arg("-o").arg(&optimised),
    )?;
    fs::rename(&optimised, &bound)?;

    if place.exists() {
        fs::remove_dir_all(place).context("www/wasm cannot be replaced")?;
    }
    copy_folder(&unfinished, place)
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
