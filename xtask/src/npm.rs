//! Node.js and the npm packages of the root `package.json`: development tools only, since the
//! published package depends on nothing. Those that only the benchmark uses are in `bench/`.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::places::{command, repository};
use crate::steps::{Step, printed_by, run_quietly};

const OLDEST_NODE: u32 = 20;

/// A command that runs a script with Node.js.
pub(crate) fn node(script: &str) -> Command {
    let mut node = command("node");
    node.arg(script);
    node
}

/// npm itself, which is a batch file on Windows.
pub(crate) fn npm() -> Command {
    command(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

/// Sees to it that the packages in the repository's `node_modules/` are those of its `package-lock.json`.
pub(crate) fn ensure_packages() -> Result<()> {
    ensure_packages_in(".")
}

/// The same in a folder of the repository.
pub(crate) fn ensure_packages_in(folder: &str) -> Result<()> {
    ensure_node()?;
    let place = repository().join(folder);
    let lock = fs::read(place.join("package-lock.json"))
        .with_context(|| format!("package-lock.json in {} cannot be read", place.display()))?;
    // Lies in the folder it describes, so that who deletes the folder deletes the claim.
    let installed = place.join("node_modules/.installed-lock.json");
    let done = fs::read(&installed).is_ok_and(|old| old == lock);
    let by_hand = format!("npm ci --ignore-scripts --prefix {folder}");
    Step { does: "installing the npm packages", by_hand: &by_hand }.run(done, || {
        run_quietly(npm().args(["ci", "--ignore-scripts"]).current_dir(&place))?;
        fs::write(&installed, &lock).context("node_modules cannot be written")
    })
}

/// Sees to it that there is a Node.js, and not too old a one.
pub(crate) fn ensure_node() -> Result<()> {
    let by_hand = format!("install Node.js {OLDEST_NODE} or newer");
    let version = printed_by(command("node").arg("--version")).context(by_hand.clone())?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => bail!("this machine's Node.js is {version}: {by_hand}"),
    }
}
