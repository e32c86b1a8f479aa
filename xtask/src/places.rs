//! Where things lie in the repository.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The folder that holds everything.
pub(crate) fn repository() -> PathBuf {
    // Cargo sets it on `cargo run`; the value of the build serves where the binary is run by itself.
    let xtask =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Cargo's target folder: the one that this program was built into.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("this program's own place is unknown")?;
    // <target>/<profile>/xtask
    program.ancestors().nth(2).map(Path::to_path_buf).context("this program does not lie in a target folder")
}

/// The folder for what only this tool reads.
pub(crate) fn scratch() -> Result<PathBuf> {
    Ok(target()?.join("xtask"))
}

/// The npm package `specter-web`, as served and published.
pub(crate) fn package() -> PathBuf {
    repository().join("www")
}

/// The converted default model, which the demo and the tests load.
pub(crate) fn default_model() -> PathBuf {
    repository().join("models/all-MiniLM-L6-v2-q8")
}

/// A command that runs in the repository's folder.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(repository());
    command
}
