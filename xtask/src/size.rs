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

/// What the names of the CPU's modules begin with, of which a page loads one where it has no GPU.
const FOR_CPUS: &str = "wasm/cpu_";

/// What a page loads only when it is used, by the beginning of its path.
const ON_DEMAND: [(&str, &str); 3] = [
    ("suggest/", "the form's element"),
    ("wasm/specter_web_fit_bg", "learning a head"),
    ("labels/", "labels that are shipped"),
];

/// Prints the sizes of the code and fails where a page without a GPU, which loads the most, is over the limit.
pub(crate) fn check() -> Result<()> {
    let mut files = Vec::new();
    collect(&package(), &mut files)?;
    files.sort();

    println!("{:>11} {:>11}", "bytes", "gzipped");
    let (mut everywhere, mut for_cpus, mut on_demand) = (0, 0, [0; ON_DEMAND.len()]);
    for path in &files {
        let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let gzipped = gzipped_size(&bytes)?;
        let name = path.strip_prefix(package()).unwrap_or(path).to_string_lossy().into_owned();
        println!("{:>11} {gzipped:>11}  {name}", bytes.len());
        let mut parts = ON_DEMAND.iter().zip(&mut on_demand);
        if let Some((_, sum)) = parts.find(|((beginning, _), _)| name.starts_with(beginning)) {
            *sum += gzipped;
        } else if name.starts_with(FOR_CPUS) {
            for_cpus = gzipped.max(for_cpus);
        } else {
            everywhere += gzipped;
        }
    }
    let all = everywhere + for_cpus;
    println!("{:>11} {everywhere:>11}  all code of a page with a GPU", "");
    println!("{:>11} {all:>11}  of one without, of {LIMIT} allowed", "");
    for ((_, what), sum) in ON_DEMAND.iter().zip(on_demand) {
        println!("{:>11} {sum:>11}  besides, once it is used: {what}", "");
    }
    if all > LIMIT {
        bail!("the code has grown to {all} bytes gzipped, over the limit of {LIMIT} in xtask/src/size.rs");
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
