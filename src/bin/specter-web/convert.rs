//! `specter-web convert`.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use specter_web::folder::DirectorySink;
use specter_web::task::convert::Conversion;
use specter_web::weights::Format;

use crate::source::{Model, Parts, Remote};

#[derive(Args)]
pub(crate) struct Convert {
    /// The published model, or an adapter: a directory, an address, a hub id or a preset.
    #[arg(long)]
    model: String,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    remote: Remote,
    /// q8, q4, f16 or f32.
    #[arg(long, default_value = "q8")]
    dtype: String,
    /// The folder to write; it is made where it does not exist.
    #[arg(long)]
    output: PathBuf,
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let format = Format::from_name(&self.dtype)?;
        let Model { folder, weights, .. } = Model::new(&self.model, &self.parts, &self.remote)?;
        let own = Path::new(&self.model).canonicalize().ok();
        if own.is_some() && self.output.canonicalize().ok() == own {
            bail!(
                "the output is the model's own folder; name another one, so that the published weights stay"
            );
        }
        // What is left of another model would be read together with this one.
        if let Some(file) =
            ["config.json", "adapter_config.json"].iter().find(|file| self.output.join(file).exists())
        {
            bail!("{} has a {file} already; name a new folder, or remove this one", self.output.display());
        }
        let mut sink = DirectorySink::new(&self.output);
        let conversion = Conversion { weights: weights.as_deref(), ..Conversion::new(format) };
        pollster::block_on(conversion.run(&folder, &mut sink, |_, _| Ok(())))?;
        eprintln!("{}", self.output.display());
        Ok(())
    }
}
