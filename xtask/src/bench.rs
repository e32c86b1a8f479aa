//! `cargo xtask bench`: specter-web beside other engines, in one browser, on the same weights and documents.
//!
//! The other engines' code and tools are in `bench/`, with a `package.json` and a `requirements.txt` of its own; no
//! other command downloads them. With `--dawn`, specter-web alone and under Node.js: `bench/dawn/`. With `--native`,
//! without WebAssembly too: `benches/native/`, which needs none of the above. What is made lies in the target folder's
//! `bench/`:
//!
//! | folder | what |
//! |---|---|
//! | `python/` | the virtual environment that makes the other files |
//! | `models/` | networks of SPECTER2's size, as SPECTER2, SemCSE and SciMult are published |
//! | `hub/` | the same networks as ONNX, as on a model hub |
//! | `inputs/` | documents and the vectors that PyTorch makes of them |
//! | `report.md`, `report.json`, `*.svg` | the results |
//! | `native.json`, `dawn.json` | the results of `--native` and `--dawn` |

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};

use crate::browsers::{self, Need};
use crate::model::{self, python};
use crate::places::{command, repository, target};
use crate::steps::{Step, run as run_command, run_quietly};
use crate::{npm, wasm};

#[derive(Args)]
pub(crate) struct Options {
    /// The models to measure; all of them where none is named. Some are measured in turns with specter2-sized, which says how
    /// much longer they take
    #[arg(long)]
    model: Vec<Network>,
    /// What to measure: 1x32, 1x128, 8x128, 1x512, mixed, start, line, frames; everything where nothing is named. With --native
    /// or --dawn, any shapes such as 8x128
    #[arg(long)]
    shape: Vec<String>,
    /// The engines to measure, by name or by what names begin with; all of them where none is named
    #[arg(long)]
    engine: Vec<String>,
    /// How often each is measured, where that does not take too long: 3 times where nothing is said, or 20 times
    /// with --native on a GPU and with --dawn
    #[arg(long)]
    rounds: Option<u16>,
    /// Papers with a title and an abstract for `mixed` and `frames`, which are left out without: a JSON array, or one
    /// object a line
    #[arg(long)]
    papers: Option<PathBuf>,
    /// Seconds that one run over the papers may take: an engine that needs more embeds a part of them
    #[arg(long, default_value_t = 120)]
    patience: u32,
    /// Measure this machine's own GPU, and not Chromium's software adapter
    #[arg(long)]
    hardware: bool,
    /// Measure without a browser, on this machine's own GPU, and against what that can do
    #[arg(long, conflicts_with_all = ["engine", "papers", "patience", "hardware"])]
    native: bool,
    /// Measure the WebAssembly of browsers under Node.js, on the WebGPU of Dawn and this machine's own GPU
    #[arg(long, conflicts_with_all = ["engine", "papers", "patience", "hardware", "native"])]
    dawn: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Network {
    /// all-MiniLM-L6-v2, with its trained weights
    Minilm,
    /// A network of SPECTER2's size with seeded weights
    #[value(name = "specter2-sized")]
    Specter2Sized,
    /// A DeBERTa-v2 of that size, as SemCSE is one, in turns with it
    Deberta,
    /// A network of that size with experts, as SciMult has them, in turns with it
    Scimult,
}

impl Network {
    fn name(self) -> &'static str {
        match self {
            Network::Minilm => "all-MiniLM-L6-v2",
            Network::Specter2Sized => "specter2-sized",
            Network::Deberta => "deberta",
            Network::Scimult => "scimult",
        }
    }

    /// Whether it is measured beside the network of SPECTER2's size alone, which other engines have no part in.
    fn is_twin(self) -> bool {
        matches!(self, Network::Deberta | Network::Scimult)
    }

    /// The folder of its published files.
    fn folder(self) -> Result<PathBuf> {
        match self {
            Network::Minilm => Ok(model::published()),
            seeded => Ok(files()?.join("models").join(seeded.name())),
        }
    }

    /// What makes its seeded weights, and how large they are.
    fn made_by(self) -> Option<(&'static str, &'static [&'static str], &'static str)> {
        match self {
            Network::Minilm => None,
            Network::Specter2Sized => {
                Some(("tests/fixtures/specter2_sized.py", &["--safetensors"], "440 MB"))
            }
            Network::Deberta => Some(("tests/fixtures/full_size.py", &["semcse"], "370 MB")),
            Network::Scimult => {
                Some(("tests/fixtures/full_size.py", &["--no-optimizer", "scimult"], "550 MB"))
            }
        }
    }

    /// How `bench/models.mjs` says that its vectors are made.
    fn pooling(self) -> &'static [&'static str] {
        match self {
            Network::Minilm => &["--pooling", "mean", "--normalize"],
            _ => &["--pooling", "cls"],
        }
    }
}

/// The folder of all that is made here.
fn files() -> Result<PathBuf> {
    Ok(target()?.join("bench"))
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let networks: Vec<Network> = Network::value_variants()
        .iter()
        .copied()
        .filter(|network| options.model.is_empty() || options.model.contains(network))
        .collect();
    if options.native {
        return on_native(&networks, options);
    }
    npm::ensure_packages()?;
    npm::ensure_packages_in("bench")?;
    if options.dawn {
        return on_dawn(&networks, options);
    }
    browsers::ensure(&[Need::Chromium])?;
    model::ensure_published()?;
    let (twins, others): (Vec<Network>, Vec<Network>) =
        networks.iter().partition(|network| network.is_twin());
    if !others.is_empty() {
        ensure_python()?;
    }
    let papers = papers(options)?;
    for network in others {
        ensure_files(network, papers.as_deref())?;
    }
    if !twins.is_empty() {
        ensure_seeded(Network::Specter2Sized)?;
    }
    for network in twins {
        ensure_seeded(network)?;
    }
    wasm::ensure()?;
    in_chromium(&networks, options)
}

/// All engines that run in a browser.
fn in_chromium(networks: &[Network], options: &Options) -> Result<()> {
    let mut measurement = npm::node("bench/run.mjs");
    measurement.arg("--files").arg(files()?);
    choose(&mut measurement, networks, options)?;
    for engine in &options.engine {
        measurement.args(["--engine", engine]);
    }
    measurement.args(["--patience", &options.patience.to_string()]);
    if options.hardware {
        measurement.arg("--hardware");
    }
    run_command(&mut measurement)
}

/// What runs in browsers, outside of them.
fn on_dawn(networks: &[Network], options: &Options) -> Result<()> {
    model::ensure_published()?;
    let networks: Vec<Network> = networks.iter().copied().filter(|network| !network.is_twin()).collect();
    ensure!(
        !networks.is_empty(),
        "these models are measured in turns with BERT, in a browser or with --native"
    );
    for &network in &networks {
        ensure_seeded(network)?;
    }
    wasm::ensure()?;
    let mut measurement = npm::node("bench/dawn/run.mjs");
    measurement.arg("--files").arg(files()?);
    choose(&mut measurement, &networks, options)?;
    run_command(&mut measurement)
}

/// The forward pass alone, outside browsers.
fn on_native(networks: &[Network], options: &Options) -> Result<()> {
    if networks.contains(&Network::Minilm) {
        model::ensure_published()?;
    }
    let mut measurement = command("cargo");
    measurement.args(["bench", "--quiet", "--package", "specter-web", "--bench", "native", "--"]);
    choose(&mut measurement, networks, options)?;
    run_command(&mut measurement)
}

/// Passes on what is to be measured.
fn choose(measurement: &mut Command, networks: &[Network], options: &Options) -> Result<()> {
    for network in networks {
        measurement
            .args(["--model", network.to_possible_value().context("a network has no name")?.get_name()]);
    }
    for shape in &options.shape {
        measurement.args(["--shape", shape]);
    }
    if let Some(rounds) = options.rounds {
        measurement.args(["--rounds", &rounds.to_string()]);
    }
    Ok(())
}

/// The papers to measure with; without any, the report says what was left out.
fn papers(options: &Options) -> Result<Option<PathBuf>> {
    let canonical = |papers: &PathBuf| {
        // Python runs in the repository's folder, not in that of whoever types the path.
        fs::canonicalize(papers).with_context(|| format!("{} cannot be read", papers.display()))
    };
    options.papers.as_ref().map(canonical).transpose()
}

/// Sees to it that there is a Python with what `bench/peers` needs: PyTorch and onnxruntime.
fn ensure_python() -> Result<()> {
    let requirements = "bench/peers/requirements.txt";
    let environment = files()?.join("python");
    let wanted = text_of(requirements)?;
    Made { at: environment.join("installed.txt"), from: wanted }.ensure(
        &Step {
            does: "installing PyTorch and onnxruntime (several GB, once)",
            by_hand: "python3 -m venv target/bench/python, \
                      then target/bench/python/bin/pip install --requirement bench/peers/requirements.txt",
        },
        || {
            run_quietly(command(python()?).args(["-m", "venv", "--clear"]).arg(&environment))?;
            run_quietly(
                command(&interpreter()?)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
                    .args(["--only-binary", ":all:", "--requirement", requirements]),
            )
        },
    )
}

/// The Python of the virtual environment.
fn interpreter() -> Result<String> {
    let inside = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    Ok(files()?.join("python").join(inside).to_string_lossy().into_owned())
}

/// Sees to it that the files of a network are there: its weights, those for other engines, documents and vectors.
fn ensure_files(network: Network, papers: Option<&Path>) -> Result<()> {
    let (name, folder) = (network.name(), network.folder()?);
    ensure_seeded(network)?;

    let weights = stamp_of(&folder.join("model.safetensors"))?;
    let hub = files()?.join("hub").join(name);
    let script = "bench/peers/export.py";
    Made { at: hub.join("made.txt"), from: format!("{weights}\n{}", text_of(script)?) }.ensure(
        &Step {
            does: &format!("writing {name} as ONNX, for the other engines"),
            by_hand: &format!("target/bench/python/bin/python {script} MODEL {}", hub.display()),
        },
        || run_quietly(command(&interpreter()?).arg(script).arg(&folder).arg(&hub)),
    )?;

    let inputs = files()?.join("inputs").join(name);
    let script = "bench/peers/inputs.py";
    let source = papers.map_or_else(|| Ok("no papers".to_owned()), stamp_of)?;
    Made { at: inputs.join("made.txt"), from: format!("{weights}\n{source}\n{}", text_of(script)?) }.ensure(
        &Step {
            does: &format!("computing the vectors of {name} with PyTorch"),
            by_hand: &format!("target/bench/python/bin/python {script} MODEL {}", inputs.display()),
        },
        || {
            let mut making = command(&interpreter()?);
            making.arg(script).arg(&folder).arg(&inputs).args(network.pooling());
            if let Some(papers) = papers {
                making.arg("--papers").arg(papers);
            }
            run_quietly(&mut making)
        },
    )
}

/// A network with seeded weights, and the default model's tokenizer: the words of papers are tokens to that one, as
/// they are to those of the models that it stands for.
fn ensure_seeded(network: Network) -> Result<()> {
    let Some((script, arguments, size)) = network.made_by() else { return Ok(()) };
    let (name, folder) = (network.name(), network.folder()?);
    // Both scripts lie beside each other, and one reads the other.
    let from = format!("{}\n{}", text_of("tests/fixtures/specter2_sized.py")?, text_of(script)?);
    Made { at: folder.join("made.txt"), from }.ensure(
        &Step {
            does: &format!("making the network {name} ({size})"),
            by_hand: &format!(
                "python3 {script} {} {}, then replace vocab.txt there by the tokenizer.json and \
                 tokenizer_config.json of models/all-MiniLM-L6-v2",
                arguments.join(" "),
                folder.display()
            ),
        },
        || {
            run_quietly(command(python()?).arg(script).args(arguments).arg(&folder))?;
            fs::remove_file(folder.join("vocab.txt"))?;
            for name in ["tokenizer.json", "tokenizer_config.json"] {
                fs::copy(model::published().join(name), folder.join(name))?;
            }
            Ok(())
        },
    )
}

/// Something that is made anew where what it is made from has changed.
struct Made {
    /// The file that says what it was made from. It lies inside what is made, and is deleted with it.
    at: PathBuf,
    from: String,
}

impl Made {
    fn ensure(&self, step: &Step, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let done = fs::read_to_string(&self.at).is_ok_and(|old| old == self.from);
        step.run(done, || {
            work()?;
            fs::write(&self.at, &self.from)
                .with_context(|| format!("{} cannot be written", self.at.display()))
        })
    }
}

/// A file of the repository.
fn text_of(path: &str) -> Result<String> {
    fs::read_to_string(repository().join(path)).with_context(|| format!("{path} cannot be read"))
}

/// Tells one file from another without reading it.
fn stamp_of(file: &Path) -> Result<String> {
    let about = fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(format!("{} {} {:?}", file.display(), about.len(), about.modified()?))
}
