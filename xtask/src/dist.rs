//! `cargo xtask dist`: the npm package and the static demo site in `dist/`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::places::{default_model, package, repository};
use crate::steps::{Step, printed_by};
use crate::{model, npm, size, types, wasm};

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

    let expected = format!("specter-web-{}.tgz", env!("CARGO_PKG_VERSION"));
    Step {
        does: "packing the npm package",
        by_hand: "put LICENSE and README.md into www/, then there: npm pack --ignore-scripts --pack-destination ../dist",
    }
    .run(false, || pack(&dist, &expected))?;

    let site = dist.join("site");
    Step {
        does: "putting the demo site together",
        by_hand: "copy www/ and models/ side by side into dist/site",
    }
    .run(false, || {
        wasm::copy_folder(&package(), &site)?;
        wasm::copy_folder(&default_model(), &site.join("models/all-MiniLM-L6-v2-q8"))?;
        let front_door = site.join("index.html");
        if !front_door.exists() {
            fs::write(&front_door, FRONT_DOOR)?;
        }
        Ok(())
    })?;

    println!("{:>12}  dist/{expected}", bytes_in(&dist.join(&expected))?);
    println!("{:>12}  dist/site/ (of it the model {})", bytes_in(&site)?, bytes_in(&site.join("models"))?);
    Ok(())
}

/// Packs a copy of `www/`, so that what only the published package needs stays out of the folder
/// that is worked in.
fn pack(dist: &Path, expected: &str) -> Result<()> {
    let copy = dist.join("package");
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
    if packed.lines().next_back() != Some(expected) {
        bail!("npm made {packed} and not {expected}: www/package.json and Cargo.toml disagree");
    }
    fs::remove_dir_all(&copy).context("dist/package cannot be removed")
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
