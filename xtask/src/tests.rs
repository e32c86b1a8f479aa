//! `cargo xtask test`: the stages, in order, until one fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};

use crate::browsers::{self, Need};
use crate::places::{command, repository, scratch};
use crate::steps::{exists, run as run_command, run_quietly};
use crate::{dist, model, npm, size, toolchain, types, wasm};

#[derive(Args)]
pub(crate) struct Options {
    /// The stages to run; all of them where none is named
    stages: Vec<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Formatting and clippy, for this machine and for WebAssembly
    Lint,
    /// The Rust tests, on the CPU and on Vulkan
    Native,
    /// Every shader through tint, the compiler of Chromium, where it is installed
    Shaders,
    /// The types of the JavaScript
    Types,
    /// The download size of the code against its limit
    Size,
    /// The browser tests in Chromium and in Firefox
    Browser,
    /// The npm package: packed, installed, bundled, and used in pages, in an extension and offline
    Package,
}

/// How a stage went.
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun,
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self) -> Result<()> {
        match self {
            Stage::Lint => lint(),
            Stage::Native => native(),
            Stage::Shaders => shaders(),
            Stage::Types => types::check(),
            Stage::Size => wasm::ensure().and_then(|()| size::check()),
            Stage::Browser => browser(),
            Stage::Package => package(),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let stages: Vec<Stage> = Stage::value_variants()
        .iter()
        .copied()
        .filter(|stage| options.stages.is_empty() || options.stages.contains(stage))
        .collect();

    let mut outcomes = Vec::new();
    let mut failure = None;
    for stage in stages {
        if failure.is_some() {
            outcomes.push((stage, Outcome::NotRun));
            continue;
        }
        println!("\n== {} ==", stage.name());
        let start = Instant::now();
        match stage.run() {
            Ok(()) => outcomes.push((stage, Outcome::Passed(start.elapsed()))),
            Err(error) => {
                outcomes.push((stage, Outcome::Failed(start.elapsed())));
                failure = Some(error.context(format!(
                    "the stage `{0}` failed; to run it alone: cargo xtask test {0}",
                    stage.name()
                )));
            }
        }
    }

    println!("\n== summary ==");
    for (stage, outcome) in &outcomes {
        let (time, word) = match outcome {
            Outcome::Passed(time) => (Some(time), "good"),
            Outcome::Failed(time) => (Some(time), "FAILED"),
            Outcome::NotRun => (None, "not run"),
        };
        let time = time.map_or_else(String::new, |time| format!("{:.1} s", time.as_secs_f32()));
        println!("{:<10} {time:>9}  {word}", stage.name());
    }
    failure.map_or(Ok(()), Err)
}

fn lint() -> Result<()> {
    toolchain::ensure_wasm_target()?;
    run_command(command("cargo").args(["fmt", "--all", "--check"]))?;
    let deny = ["--", "--deny", "warnings"];
    run_command(command("cargo").args(["clippy", "--workspace", "--all-targets"]).args(deny))?;
    wasm::lint()
}

fn native() -> Result<()> {
    browsers::ensure(&[Need::SoftwareVulkan])?;
    model::ensure()?;
    let mut tests = command("cargo");
    tests.args(["test", "--release", "--workspace"]);
    browsers::use_software_vulkan(&mut tests)?;
    run_command(&mut tests)
}

fn shaders() -> Result<()> {
    if !exists("tint") {
        println!(
            "tint is not on the PATH: the shaders stay checked by naga, as in every build, and not by tint"
        );
        return Ok(());
    }
    let folder = scratch()?.join("shaders");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run_command(
        command("cargo")
            .args(["run", "--quiet", "--release", "--package", "specter-web", "--bin", "specter-web", "--"])
            .args(["shaders", "--output"])
            .arg(&folder),
    )?;
    let shaders = files_ending_in(&folder, ".wgsl")?;
    for shader in &shaders {
        run_quietly(command("tint").args(["--format", "wgsl"]).arg(shader))?;
    }
    println!("tint accepts {} shaders", shaders.len());
    Ok(())
}

fn browser() -> Result<()> {
    npm::ensure_packages()?;
    browsers::ensure(&[Need::Chromium, Need::Firefox, Need::SoftwareVulkan])?;
    model::ensure()?;
    wasm::ensure()?;
    let tests = files_ending_in(&repository().join("tests/browser"), ".test.mjs")?;
    for browser in ["chromium", "firefox"] {
        println!("\n-- {browser} --");
        // One file after the other: a software adapter takes the whole processor.
        run_command(
            npm::node("--test")
                .args(["--test-concurrency=1", "--test-reporter=spec"])
                .args(&tests)
                .env("BROWSER", browser),
        )
        .with_context(|| format!("a browser test failed in {browser}"))?;
    }
    Ok(())
}

fn package() -> Result<()> {
    npm::ensure_packages()?;
    npm::ensure_packages_in("tests/package")?;
    browsers::ensure(&[Need::Chromium, Need::Firefox, Need::SoftwareVulkan])?;
    model::ensure()?;
    // The package holds the declarations, too.
    types::check()?;
    let folder = scratch()?.join("package");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let tarball = dist::pack(&folder)?;
    // Two files at a time: they wait for bundlers and browsers more than they compute.
    run_command(
        npm::node("--test")
            .args(["--test-concurrency=2", "--test-reporter=spec"])
            .args(files_ending_in(&repository().join("tests/package"), ".test.mjs")?)
            .env("PACKAGE", tarball),
    )
}

/// The files of a folder whose names end so, in order; an error where there is none, since nothing
/// tested is nothing shown.
fn files_ending_in(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    if files.is_empty() {
        bail!("{} holds no file that ends in {ending}", folder.display());
    }
    files.sort();
    Ok(files)
}
