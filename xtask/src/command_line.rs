//! The command line as it stands, built and run for those who measure with it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::places::{command, repository, target};
use crate::steps::run_quietly;

/// The program, built of the code as it stands.
pub(crate) fn specter_web() -> Result<Command> {
    run_quietly(command("cargo").args([
        "build",
        "--release",
        "--package",
        "specter-web",
        "--bin",
        "specter-web",
    ]))?;
    let mut command = Command::new(target()?.join("release/specter-web"));
    command.current_dir(repository());
    Ok(command)
}

/// The vectors of papers, which are JSON objects, one a line.
pub(crate) fn embed(model: &Path, dtype: &str, device: &str, papers: &str) -> Result<Vec<Vec<f64>>> {
    let mut child = specter_web()?
        .arg("embed")
        .arg("--model")
        .arg(model)
        .args(["--dtype", dtype, "--device", device])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut pipe = child.stdin.take().context("no pipe")?;
    // Answers come while papers are still being asked about, and both pipes have an end.
    let papers = papers.to_owned();
    let asking = std::thread::spawn(move || pipe.write_all(papers.as_bytes()));
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("specter-web embed ended with {}", output.status);
    }
    asking.join().map_err(|_| anyhow::anyhow!("the papers could not be written"))??;
    let vector = |line: &str| -> Result<Vec<f64>> {
        let answer: Value = serde_json::from_str(line)?;
        let values = answer.get("embedding").and_then(Value::as_array).context("a line without a vector")?;
        Ok(values.iter().filter_map(Value::as_f64).collect())
    };
    String::from_utf8(output.stdout)?.lines().map(vector).collect()
}
