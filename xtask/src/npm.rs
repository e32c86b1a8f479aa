//! Node.js and the npm packages of the root `package.json`: development tools only, since the
//! published package depends on nothing.

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

/// Sees to it that the packages in `node_modules/` are those of `package-lock.json`.
pub(crate) fn ensure_packages() -> Result<()> {
    ensure_node()?;
    let lock =
        fs::read(repository().join("package-lock.json")).context("package-lock.json cannot be read")?;
    // Lies in the folder it describes, so that who deletes the folder deletes the claim.
    let installed = repository().join("node_modules/.installed-lock.json");
    let done = fs::read(&installed).is_ok_and(|old| old == lock);
    Step { does: "installing the npm packages", by_hand: "npm ci --ignore-scripts" }.run(done, || {
        run_quietly(npm().args(["ci", "--ignore-scripts"]))?;
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
