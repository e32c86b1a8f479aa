//! `cargo xtask dist`: the npm package and the static demo site in `dist/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::places::{default_model, package, repository};
use crate::steps::{Step, printed_by};
use crate::{model, npm, size, types, wasm};

/// The adapter that the demo shows a head with, in the repository and on the site.
const EXAMPLE: &str = "examples/paper-field/adapter";

/// Sends who opens the site's root on to the demo, wherever the site is hosted.
const FRONT_DOOR: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>specter-web</title>\n\
     <meta http-equiv=\"refresh\" content=\"0; url=demo/\">\n<a href=\"demo/\">specter-web demo</a>\n";

pub(crate) fn run() -> Result<()> {
    model::ensure()?;
    types::check()?;
    size::check()?;

    let dist = repository().join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).context("dist/ cannot be emptied")?;
    }
    fs::create_dir_all(&dist).context("dist/ cannot be made")?;

    let tarball = pack(&dist)?;

    let site = dist.join("site");
    Step {
        does: "putting the demo site together",
        by_hand: "copy www/, models/ and examples/ side by side into dist/site",
    }
    .run(false, || {
        wasm::copy_folder(&package(), &site)?;
        wasm::copy_folder(&default_model(), &site.join("models/all-MiniLM-L6-v2-q8"))?;
        wasm::copy_folder(&repository().join(EXAMPLE), &site.join(EXAMPLE))?;
        let front_door = site.join("index.html");
        if !front_door.exists() {
            fs::write(&front_door, FRONT_DOOR)?;
        }
        Ok(())
    })?;

    let name = tarball.file_name().unwrap_or_default().to_string_lossy();
    println!("{:>12}  dist/{name}", bytes_in(&tarball)?);
    println!("{:>12}  dist/site/ (of it the model {})", bytes_in(&site)?, bytes_in(&site.join("models"))?);
    Ok(())
}

/// Packs the npm package into a folder, and says which file it is.
///
/// It packs a copy of `www/`, so that what only the published package needs stays out of the folder that is worked in.
pub(crate) fn pack(into: &Path) -> Result<PathBuf> {
    let expected = format!("specter-web-{}.tgz", env!("CARGO_PKG_VERSION"));
    Step {
        does: "packing the npm package",
        by_hand: "put LICENSE and README.md into www/, then there: npm pack --ignore-scripts --pack-destination ../dist",
    }
    .run(false, || {
        let copy = into.join("package");
        wasm::copy_folder(&package(), &copy)?;
        for file in ["LICENSE", "README.md"] {
            if !copy.join(file).exists() {
                fs::copy(repository().join(file), copy.join(file))
                    .with_context(|| format!("{file} cannot be copied"))?;
            }
        }
        let packed = printed_by(npm::npm().current_dir(&copy).args([
            "pack",
            "--silent",
            "--ignore-scripts",
            "--pack-destination",
            "..",
        ]))?;
        if packed.lines().next_back() != Some(&expected) {
            bail!("npm made {packed} and not {expected}: www/package.json and Cargo.toml disagree");
        }
        fs::remove_dir_all(&copy).with_context(|| format!("{} cannot be removed", copy.display()))
    })?;
    Ok(into.join(expected))
}

fn bytes_in(path: &Path) -> Result<u64> {
    let file = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !file.is_dir() {
        return Ok(file.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += bytes_in(&entry?.path())?;
    }
    Ok(sum)
}
