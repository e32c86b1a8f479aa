//! `specter-web convert`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use specter_web::folder::Directory;
use specter_web::weights::Format;

#[derive(Args)]
pub(crate) struct Convert {
    /// The published model.
    #[arg(long)]
    model: PathBuf,
    /// q8, f16 or f32.
    #[arg(long, default_value = "q8")]
    dtype: String,
    /// The folder to write; it is made where it does not exist.
    #[arg(long)]
    output: PathBuf,
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let format = Format::from_name(&self.dtype)?;
        let files =
            pollster::block_on(specter_web::task::convert::convert(&Directory::new(&self.model)?, format))?;
        if self.output.exists() && self.output.canonicalize()? == self.model.canonicalize()? {
            bail!(
                "the output is the model's own folder; name another one, so that the published weights stay"
            );
        }
        for (name, bytes) in files {
            let path = self.output.join(name);
            let folder = path.parent().unwrap_or(&self.output);
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            std::fs::write(&path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("{} {:.1} MB", path.display(), bytes.len() as f64 / 1e6);
        }
        Ok(())
    }
}
