//! Rust's WebAssembly target, and the source of its standard library.

use std::path::Path;

use anyhow::Result;

use crate::places::command;
use crate::steps::{Step, printed_by, run_quietly};

/// The target that browsers load.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Sees to it that the standard library for [`WASM`] is installed.
pub(crate) fn ensure_wasm_target() -> Result<()> {
    let folder = printed_by(command("rustc").args(["--print", "target-libdir", "--target", WASM]))?;
    Step { does: "adding Rust's WebAssembly target", by_hand: "rustup target add wasm32-unknown-unknown" }
        .run(Path::new(&folder).is_dir(), || run_quietly(command("rustup").args(["target", "add", WASM])))
}

/// Whether the source of the standard library is there. Where it is not, it is installed; where that does not work, a
/// person is told what it means.
pub(crate) fn has_standard_library_source() -> Result<bool> {
    let sysroot = printed_by(command("rustc").args(["--print", "sysroot"]))?;
    let is_there = || Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir();
    let added = Step {
        does: "adding the source of Rust's standard library",
        by_hand: "rustup component add rust-src",
    }
    .run(is_there(), || run_quietly(command("rustup").args(["component", "add", "rust-src"])));
    if let Err(error) = added {
        eprintln!(
            "{error:#}\nThe module is built with the standard library as it is shipped, and is 70 KB larger."
        );
    }
    Ok(is_there())
}
