//! What a page downloads before the model: all code, gzipped, held under a limit.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::places::package;

/// Bytes of code after gzip. Raise it only with a reason in the commit that does.
const LIMIT: usize = 900_000;

/// What a page of somebody else's does not load: the demo, and modules that hold types alone.
const NOT_LOADED: [&str; 4] = ["demo", "node_modules", "types.js", "protocol.js"];

/// Prints the sizes of the code and fails where the sum is over the limit.
pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    collect(&package(), &mut files)?;
    files.sort();

    println!("{:>11} {:>11}", "bytes", "gzipped");
    let (mut plain_sum, mut gzipped_sum) = (0, 0);
    for path in &files {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let gzipped = gzipped_size(&bytes)?;
        let name = path.strip_prefix(package()).unwrap_or(path).display();
        println!("{:>11} {gzipped:>11}  {name}", bytes.len());
        plain_sum += bytes.len();
        gzipped_sum += gzipped;
    }
    println!("{plain_sum:>11} {gzipped_sum:>11}  all code, of {LIMIT} allowed");
    if gzipped_sum > LIMIT {
        bail!(
            "the code has grown to {gzipped_sum} bytes gzipped, over the limit of {LIMIT} in xtask/src/size.rs"
        );
    }
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if NOT_LOADED.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|kind| kind == "js" || kind == "mjs" || kind == "wasm") {
            files.push(path);
        }
    }
    Ok(())
}

fn gzipped_size(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gzipped_size_is_that_of_the_compressed_bytes() {
        let size = gzipped_size(&vec![7; 100_000]).unwrap_or(usize::MAX);
        assert!((20..1000).contains(&size), "{size}");
    }
}
