//! The project's only build tool: `cargo xtask demo | test | fidelity | learning | dist | bench`.
//!
//! Each command first sets the machine up as far as it needs, and says so; on a machine that is set
//! up it goes straight to work. Rust, Node.js and Python 3 are all that must be there before.
//!
//! | file | question |
//! |---|---|
//! | `steps.rs` | how is a piece of set-up run, skipped, reported? |
//! | `places.rs` | where do things lie in the repository? |
//! | `apt.rs`, `toolchain.rs`, `npm.rs`, `browsers.rs` | what must the machine have? |
//! | `model.rs` | where does the default model come from? |
//! | `wasm.rs`, `size.rs` | how is the module built, how large may it be? |
//! | `types.rs` | do the types of the JavaScript hold? |
//! | `fidelity.rs` | how true are the vectors of each dtype? |
//! | `learning.rs` | how well do heads do that are learned here? |
//! | `command_line.rs` | what do those two measure with? |
//! | `bench.rs` | how fast is it, beside others? |
//! | `demo.rs`, `tests.rs`, `dist.rs` | what do the commands do? |

mod apt;
mod bench;
mod browsers;
mod command_line;
mod demo;
mod dist;
mod fidelity;
mod kernels;
mod learning;
mod model;
mod npm;
mod places;
mod size;
mod steps;
mod tests;
mod toolchain;
mod types;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Builds, shows, tests and packs specter-web",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the demo page with the default model, and open it
    Demo(demo::Options),
    /// Run the tests: all stages, or those named
    Test(tests::Options),
    /// Make the npm package and the static demo site in dist/
    Dist,
    /// Print how close the vectors of each dtype come to those of float32
    Fidelity(fidelity::Options),
    /// Print how well heads do that are learned from few examples and from many
    Learning(learning::Options),
    /// Measure the speed: beside other engines in a headless Chromium, or alone on this machine's GPU
    Bench(bench::Options),
}

fn run(command: &Command) -> Result<()> {
    match command {
        Command::Demo(options) => demo::run(options),
        Command::Test(options) => tests::run(options),
        Command::Dist => dist::run(),
        Command::Fidelity(options) => fidelity::run(options),
        Command::Learning(options) => learning::run(options),
        Command::Bench(options) => bench::run(options),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
