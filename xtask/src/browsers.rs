//! The browsers of the tests and a Vulkan driver that needs no GPU.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::steps::{Step, printed_by};
use crate::{apt, npm};

/// What a stage needs of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Chromium,
    Firefox,
    /// lavapipe, for Firefox and for the native tests.
    SoftwareVulkan,
}

impl Need {
    /// The name that `find.mjs` knows.
    fn name(self) -> &'static str {
        match self {
            Need::Chromium => "chromium",
            Need::Firefox => "firefox",
            Need::SoftwareVulkan => "vulkan",
        }
    }

    fn debian_package(self) -> &'static str {
        match self {
            Need::Chromium => "chromium",
            Need::Firefox => "firefox-esr",
            Need::SoftwareVulkan => "mesa-vulkan-drivers",
        }
    }

    fn by_hand(self) -> &'static str {
        match self {
            Need::Chromium => {
                "install Chromium or Chrome, or set CHROMIUM to its executable (Debian: apt-get install chromium)"
            }
            Need::Firefox => {
                "install Firefox, or set FIREFOX to its executable (Debian: apt-get install firefox-esr)"
            }
            Need::SoftwareVulkan => {
                "install lavapipe, Mesa's Vulkan driver on the CPU (Debian and Ubuntu: apt-get install mesa-vulkan-drivers)"
            }
        }
    }

    /// Elsewhere WebGPU stands on Metal or Direct3D, which the system brings along.
    fn applies(self) -> bool {
        self != Need::SoftwareVulkan || cfg!(target_os = "linux")
    }

    /// Where it is; an error where it is not.
    fn find(self) -> Result<PathBuf> {
        printed_by(npm::node("xtask/browser/find.mjs").arg(self.name())).map(PathBuf::from)
    }
}

/// Sees to it that the machine has what is needed; whatever is missing is installed in one go.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    npm::ensure_node()?;
    let missing: Vec<Need> =
        needs.iter().copied().filter(|need| need.applies() && need.find().is_err()).collect();
    let packages: Vec<&str> = missing.iter().map(|need| need.debian_package()).collect();
    let by_hand: Vec<&str> = missing.iter().map(|need| need.by_hand()).collect();
    Step { does: &format!("installing {}", packages.join(", ")), by_hand: &by_hand.join("; ") }.run(
        missing.is_empty(),
        || {
            apt::install(&packages)?;
            for need in &missing {
                need.find()
                    .with_context(|| format!("{} is installed but not found", need.debian_package()))?;
            }
            Ok(())
        },
    )
}

/// Makes a command that uses Vulkan use lavapipe, unless the person has chosen a driver, so that a
/// result does not depend on the machine's GPU.
pub(crate) fn use_software_vulkan(command: &mut Command) -> Result<()> {
    const VARIABLES: [&str; 2] = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"];
    // Mesa looks there for a display, and prints an error for each device that it opens where nothing is set.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    }
    if !Need::SoftwareVulkan.applies() || VARIABLES.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    let Ok(manifest) = Need::SoftwareVulkan.find() else {
        bail!("there is no Vulkan driver to run the shaders on; {}", Need::SoftwareVulkan.by_hand());
    };
    for name in VARIABLES {
        command.env(name, &manifest);
    }
    Ok(())
}
