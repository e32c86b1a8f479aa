//! A few seconds of fuzzing with every test: the inputs that once broke something, and small changes to real files.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../fuzz/targets.rs"]
mod targets;

/// How long each target is tried.
const TIME: Duration = Duration::from_secs(3);

/// An input that takes longer than this is a finding too; most take a millisecond.
const LIMIT: Duration = Duration::from_secs(5);

fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(path(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("it is a file")).collect()
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// A few changes of the kinds that break readers.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(16)).min(bytes.len());
            match self.below(6) {
                0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
                1 => bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 0xff),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let piece = bytes.get(at..end).unwrap_or_default().to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                4 => bytes.truncate(at),
                _ => {
                    let texts: [&[u8]; 6] = [b"0", b"-1", b"null", b"99999999999", b"[]", b"\"\""];
                    let text = texts.get(self.below(texts.len())).copied().unwrap_or_default();
                    bytes.splice(at..at, text.iter().copied());
                }
            }
        }
    }
}

fn try_for_a_while(target: &str, run: fn(&[u8])) {
    let timed = |bytes: &[u8]| {
        let start = Instant::now();
        run(bytes);
        assert!(start.elapsed() < LIMIT, "{target} took {:?} for {bytes:?}", start.elapsed());
    };
    for input in files(&format!("fuzz/regressions/{target}")) {
        timed(&input);
    }
    let seeds = files(&format!("fuzz/seeds/{target}"));
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let mut random = Random(0x5eed);
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        let mut input = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
        random.damage(&mut input);
        timed(&input);
        count += 1;
    }
    println!("{target}: {count} inputs");
}

#[test]
fn any_safetensors_file_ends_in_a_result() {
    try_for_a_while("safetensors", targets::safetensors);
}

#[test]
fn any_pickle_ends_in_a_result() {
    try_for_a_while("pickle", targets::pickle);
}

#[test]
fn any_zip_archive_ends_in_a_result() {
    try_for_a_while("zip", targets::zip);
}

#[test]
fn any_settings_end_in_a_result() {
    try_for_a_while("config", targets::config);
}

#[test]
fn any_head_ends_in_a_result() {
    try_for_a_while("head", targets::head);
}

#[test]
fn any_tokenizer_ends_in_a_result() {
    try_for_a_while("tokenizer", targets::tokenizer);
}
