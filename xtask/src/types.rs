//! The types of the JavaScript, checked by `tsc`, which also writes the declarations that the npm
//! package carries.

use anyhow::{Context as _, Result};

use crate::steps::run;
use crate::{npm, wasm};

/// In the order in which one reads what another has written: the package first, whose declarations the
/// tests of its use read.
const PROJECTS: [&str; 5] = [
    "www/tsconfig.json",
    "www/demo/tsconfig.json",
    "tests/types/tsconfig.json",
    "xtask/browser/tsconfig.json",
    "bench/tsconfig.json",
];

/// Checks every project; the package leaves its declarations in `www/types/`.
pub(crate) fn check() -> Result<()> {
    // The declarations of the module are among the types.
    wasm::ensure()?;
    for project in PROJECTS {
        run(npm::node("node_modules/typescript/bin/tsc").args(["--project", project]))
            .with_context(|| format!("the types of {project} do not hold"))?;
    }
    Ok(())
}
