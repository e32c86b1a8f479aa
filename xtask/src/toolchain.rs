//! Rust's WebAssembly target.

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
