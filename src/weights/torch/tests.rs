//! Files that PyTorch wrote (`tests/fixtures/torch`), and what is done to them here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pollster::block_on;
use proptest::prelude::*;
use serde::Deserialize;

use super::pickle::{Pickle, Stop};
use crate::error::Result;
use crate::folder::MemoryFolder;
use crate::weights::{Checkpoint, Dtype};

#[derive(Deserialize)]
struct Expected {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/torch/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| unreachable!("{path}: {error}"))
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint<std::rc::Rc<[u8]>>> {
    let folder = MemoryFolder::new("m", [("pytorch_model.bin".to_owned(), bytes)]);
    let open = block_on(Checkpoint::open(&folder, "pytorch_model.bin", str::to_owned))?;
    open.ok_or(crate::Error::Aborted)
}

/// Opens a file and reads all that is in it; says what went wrong first.
fn read_all(bytes: Vec<u8>) -> Result<()> {
    let checkpoint = open(bytes)?;
    let mut failed = Ok(());
    for name in checkpoint.tensors() {
        if checkpoint.dtype(name) != Some(Dtype::I64) {
            failed = failed.and(block_on(checkpoint.vector(name)).map(drop));
        }
    }
    failed
}

fn failure(bytes: Vec<u8>) -> (String, String) {
    let error = read_all(bytes).expect_err("it cannot be read");
    (error.code().to_owned(), error.to_string())
}

const READABLE: [&str; 6] =
    ["zip.bin", "legacy.bin", "protocol_5.bin", "legacy_protocol_4.bin", "nested.bin", "zip64.bin"];

#[test]
fn every_layout_in_every_container_has_the_values_that_torch_has() {
    let expected = fixture("tensors.json");
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).expect("it parses");
    for file in READABLE {
        let checkpoint = open(fixture(file)).unwrap_or_else(|error| unreachable!("{file}: {error}"));
        assert_eq!(checkpoint.tensors().count(), expected.len(), "{file}");
        for (name, tensor) in &expected {
            let dtype = match tensor.dtype.as_str() {
                "float32" => Dtype::F32,
                "float16" => Dtype::F16,
                "bfloat16" => Dtype::BF16,
                _ => Dtype::I64,
            };
            assert_eq!(checkpoint.dtype(name), Some(dtype), "{file} {name}");
            assert_eq!(checkpoint.shape(name), Some(tensor.shape.as_slice()), "{file} {name}");
            if dtype == Dtype::I64 {
                let refused = block_on(checkpoint.vector(name)).expect_err("indices are no weights");
                assert_eq!(refused.code(), "unsupported-model");
                continue;
            }
            let rows = tensor.shape.first().copied().unwrap_or(1);
            let whole = block_on(checkpoint.rows(name, 0..rows)).expect("it reads").to_f32();
            let by_row = (0..rows)
                .flat_map(|row| block_on(checkpoint.rows(name, row..row + 1)).expect("it reads").to_f32());
            assert_eq!(whole, tensor.values, "{file} {name}");
            assert_eq!(by_row.collect::<Vec<_>>(), tensor.values, "{file} {name} row by row");
        }
    }
}

#[test]
fn what_could_run_code_or_mean_something_else_is_refused_by_name() {
    for (file, code, words) in [
        ("refused_command.bin", "unsupported-model", "posix.system"),
        ("refused_command_legacy.bin", "unsupported-model", "posix.system"),
        ("refused_module.bin", "unsupported-model", "torch.nn.modules.normalization.LayerNorm"),
        ("refused_compressed.bin", "unsupported-model", "compressed"),
        ("refused_big_endian.bin", "unsupported-model", "big-endian"),
        ("refused_several.bin", "unsupported-model", "(a, b)"),
        ("refused_when_read.bin", "unsupported-model", "f64"),
        ("refused_list.bin", "corrupt-file", "dictionary of tensors"),
        ("refused_no_tensors.bin", "corrupt-file", "no tensors"),
    ] {
        let (found, message) = failure(fixture(file));
        println!("{file}: {message}");
        assert_eq!(found, code, "{file}: {message}");
        assert!(message.contains(words) && message.contains("m/pytorch_model.bin"), "{file}: {message}");
    }
    let (_, message) = failure(fixture("refused_command.bin"));
    assert!(message.contains("nothing of it was executed"), "{message}");
    let (_, message) = failure(replaced("legacy.bin", b"little_endianq\x02\x88", b"little_endianq\x02\x89"));
    assert!(message.contains("big-endian"), "{message}");
    let (code, message) = failure(b"<!DOCTYPE html><html>".to_vec());
    assert!(code == "corrupt-file" && message.contains("<!DOCTYP"), "{message}");
}

#[test]
fn a_file_that_was_cut_anywhere_is_refused() {
    for file in READABLE {
        let whole = fixture(file);
        for length in 0..whole.len() {
            let (code, message) = failure(whole[..length].to_vec());
            assert_eq!(code, "corrupt-file", "{file} cut at {length}: {message}");
        }
    }
}

/// The file with the first of these bytes replaced by those.
fn replaced(file: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = fixture(file);
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    bytes.splice(at..at + from.len(), to.iter().copied());
    bytes
}

#[test]
fn a_tensor_that_runs_past_its_bytes_is_refused() {
    // The first tensor: its offset 0 and shape (4, 6), and its strides (6, 1).
    for file in ["zip.bin", "legacy.bin"] {
        for (from, to) in [
            (&b"K\x00K\x04K\x06\x86"[..], &b"K\x00K\x05K\x06\x86"[..]),
            (b"K\x00K\x04K\x06\x86", b"K\x01K\x04K\x06\x86"),
            (b"K\x06K\x01\x86", b"K\x07K\x01\x86"),
        ] {
            let (code, message) = failure(replaced(file, from, to));
            assert_eq!(code, "corrupt-file");
            assert!(message.contains("does not lie within its bytes"), "{message}");
        }
    }
    // A storage of 24 values that says it has 25.
    let count = [&24_u64.to_le_bytes()[..], &(-1.0_f32).to_le_bytes()].concat();
    let lie = [&25_u64.to_le_bytes()[..], &(-1.0_f32).to_le_bytes()].concat();
    let (_, message) = failure(replaced("legacy.bin", &count, &lie));
    assert!(message.contains("another length"), "{message}");
}

#[test]
fn archive_members_that_overlap_are_refused() {
    // The last entry for a storage claims the position of the first: one of the two runs into the other's header, or
    // the name in front of the bytes differs.
    let bytes = fixture("zip.bin");
    let entries: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| window == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    let header = |entry: usize| bytes[entry + 42..entry + 46].to_vec();
    let mut moved = bytes.clone();
    let size = u32::from_le_bytes(bytes[entries[4] + 20..entries[4] + 24].try_into().expect("four bytes"));
    for field in [20, 24] {
        moved[entries[4] + field..entries[4] + field + 4].copy_from_slice(&(size + 200).to_le_bytes());
    }
    let (_, message) = failure(moved);
    assert!(message.contains("not where its table of contents says"), "{message}");
    let mut moved = bytes.clone();
    moved[entries[0] + 42..entries[0] + 46].copy_from_slice(&header(entries[4]));
    assert_eq!(failure(moved).0, "corrupt-file");
}

fn timed(read: impl FnOnce()) {
    let start = Instant::now();
    read();
    // Milliseconds, in truth; the bound is for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(10), "took {:?}", start.elapsed());
}

#[test]
fn a_pickle_made_to_exhaust_its_reader_ends_soon() {
    let repeat = |head: &[u8], part: &[u8], tail: &[u8]| {
        let mut bytes = head.to_vec();
        while bytes.len() < 4 << 20 {
            bytes.extend_from_slice(part);
        }
        bytes.extend_from_slice(tail);
        bytes
    };
    let refused = |bytes: &[u8]| timed(|| assert!(matches!(Pickle::read(bytes), Err(Stop::Corrupt(_)))));
    let fine = |bytes: &[u8]| timed(|| assert!(Pickle::read(bytes).is_ok()));

    // Lists within lists, and a list within itself.
    let deep = repeat(b"\x80\x02", b"]", b"");
    fine(&[&deep[..], &vec![b'a'; deep.len() - 3], b"."].concat());
    fine(b"\x80\x02]q\x00h\x00a.");
    // A dictionary of the same list of pairs, again and again.
    let pairs =
        [b"\x80\x02ccollections\nOrderedDict\nq\x00](".as_slice(), &b"NN\x86".repeat(1 << 20), b"e\x85q\x01"];
    refused(&repeat(&pairs.concat(), b"h\x00h\x01R0", b"N."));
    // A shape of a million dimensions.
    let shape = repeat(b"\x80\x02(", b"K\x01", b"tq\x00");
    let storage = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000NK\x01tQK\x00h\x00h\x00NNtR.";
    refused(&[&shape[..], storage].concat());
    // One long key a million times.
    let key = [&b"\x80\x02X\x00\x00\x10\x00"[..], &vec![b'k'; 1 << 20], b"q\x000}("].concat();
    let keys = repeat(&key, b"h\x00N", b"u.");
    fine(&keys);
    timed(|| {
        let pickle = Pickle::read(&keys).expect("it was fine");
        assert!(super::state_dict("m", &pickle).is_err());
    });
    // Lengths that no file has.
    for length in
        [&b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"X\xff\xff\xff\xff", b"\x8b\xff\xff\xff\xff"]
    {
        assert_eq!(Pickle::read(length).expect_err("it is short"), Stop::Truncated);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_a_result(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"\x80\x02"]),
    ) {
        bytes.splice(0..0, start.iter().copied());
        timed(|| drop(read_all(bytes)));
    }

    #[test]
    fn any_instructions_end_in_a_result(
        code in prop::collection::vec(prop::sample::select(OPCODES), 0..200),
    ) {
        timed(|| drop(Pickle::read(&code)));
    }

    #[test]
    fn a_file_with_damaged_bytes_ends_in_a_result(
        file in prop::sample::select(READABLE.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = fixture(file);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        timed(|| drop(read_all(bytes)));
    }
}

/// Every instruction without arguments, some with short ones, and small numbers to be their arguments.
const OPCODES: &[u8] =
    b"(.012NQRa]be}dlsut)hqKKK\x00\x01\x02\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x93\x94C\x81";
