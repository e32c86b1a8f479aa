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

/// Sees to it that the source of the standard library is there: modules for browsers are built with a library of their
/// own, smaller than the one that is shipped, or one that threads can share.
pub(crate) fn ensure_standard_library_source() -> Result<()> {
    let sysroot = printed_by(command("rustc").args(["--print", "sysroot"]))?;
    Step { does: "adding the source of Rust's standard library", by_hand: "rustup component add rust-src" }
        .run(Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir(), || {
            run_quietly(command("rustup").args(["component", "add", "rust-src"]))
        })
}
