//! The command line: the same engine as in the browser, on Vulkan, Metal or DX12, or on the CPU.

mod classify;
mod convert;
mod embed;
mod http;
mod lines;
mod model;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use specter_web::engine::gpu::shaders;
use specter_web::task::inspect::inspect;

use crate::source::{Model, Parts, Remote};

#[derive(Parser)]
#[command(version, about = "Encoders and classifiers for scientific papers, on the GPU or the CPU")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Papers in, vectors out: one JSON object a line on standard input and output.
    ///
    /// In: {"id"?, "title"?, "abstract"?} or {"id"?, "text"}. Out: {"id", "embedding": [...]}, in order.
    Embed(embed::Embed),
    /// Papers in, labels out: one JSON object a line on standard input and output.
    ///
    /// In: as for embed. Out: {"id", "labels": [{"label", "score"}, ...]}, in order, the best label first.
    Classify(classify::Classify),
    /// Write a folder with quantized weights that the browser and this program read.
    Convert(convert::Convert),
    /// Say what a model, an adapter or a head is, what would run, and how large it is.
    Inspect {
        /// A directory, an address, a hub id or a preset.
        model: String,
        #[command(flatten)]
        parts: Parts,
        #[command(flatten)]
        remote: Remote,
    },
    /// Write every shader as the GPU gets it, for other validators.
    #[command(hide = true)]
    Shaders {
        /// Where to.
        #[arg(long)]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.downcast_ref::<specter_web::Error>().map(|error| format!(" [{}]", error.code()));
            eprintln!("error{}: {error:#}", code.unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Embed(embed) => embed.run(),
        Command::Classify(classify) => classify.run(),
        Command::Convert(convert) => convert.run(),
        Command::Inspect { model, parts, remote } => {
            let Model { folder, weights, .. } = Model::new(&model, &parts, &remote)?;
            print!("{}", pollster::block_on(inspect(&folder, weights.as_deref()))?);
            Ok(())
        }
        Command::Shaders { output } => {
            std::fs::create_dir_all(&output)?;
            for shader in shaders::ALL {
                std::fs::write(output.join(shader.name).with_extension("wgsl"), shader.source(true))?;
            }
            Ok(())
        }
    }
}
