//! `cargo xtask demo`: the page with the default model, for a person, or headless with `--check`.

use anyhow::Result;
use clap::Args;

use crate::browsers::{self, Need};
use crate::steps::run as run_command;
use crate::{model, npm, wasm};

#[derive(Args)]
pub(crate) struct Options {
    /// Embed three papers in a headless Chromium, print what comes out, and end
    #[arg(long)]
    check: bool,
    /// The port to serve on; 0 takes any free one
    #[arg(long, default_value_t = 8137)]
    port: u16,
    /// Do not open a browser
    #[arg(long)]
    no_open: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    npm::ensure_packages()?;
    if options.check {
        browsers::ensure(&[Need::Chromium])?;
    }
    model::ensure()?;
    wasm::ensure()?;

    if options.check {
        return run_command(&mut npm::node("xtask/browser/check.mjs"));
    }
    let mut server = npm::node("xtask/browser/serve.mjs");
    // Isolated, so that the CPU works with several threads where there is no GPU.
    server.arg("--isolate").arg("--port").arg(options.port.to_string());
    if !options.no_open {
        server.arg("--open");
    }
    run_command(&mut server)
}
