//! System packages on Debian and its relatives, where this process may install them.

use std::process::Command;

use anyhow::{Result, bail};

use crate::places::command;
use crate::steps::{printed_by, run_quietly, succeeds};

/// Installs packages, or says why this process cannot.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !succeeds(command("apt-get").arg("--version")) {
        bail!("this machine has no apt-get");
    }
    let is_root = printed_by(command("id").arg("-u")).is_ok_and(|id| id == "0");
    if !is_root && !succeeds(command("sudo").args(["-n", "true"])) {
        bail!("installing packages needs root, or sudo without a password");
    }
    let apt_get = || -> Command {
        let mut command = command(if is_root { "env" } else { "sudo" });
        if !is_root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    };
    // A stale list of packages names files that the mirrors no longer have.
    run_quietly(apt_get().args(["update", "--quiet"]))?;
    run_quietly(apt_get().args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages))
}
