//! Files that PyTorch wrote (`tests/fixtures/torch` and `tests/fixtures/checkpoint`), and what is done to them here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use pollster::block_on;
use proptest::prelude::*;
use serde::Deserialize;

use super::pickle::{Foreign, Pickle, Stop};
use crate::error::Result;
use crate::folder::{File, Folder, MemoryFolder};
use crate::weights::{Checkpoint, Dtype, Parameter};

#[derive(Deserialize)]
struct Expected {
    dtype: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn fixture(name: &str) -> Vec<u8> {
    below("torch", name)
}

fn training(name: &str) -> Vec<u8> {
    below("checkpoint", name)
}

fn below(folder: &str, name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| unreachable!("{path}: {error}"))
}

/// The names of a file that may hold a state dict alone, and of one that may hold more.
const WEIGHTS: &str = "pytorch_model.bin";
const TRAINING: &str = "model.ckpt";

fn open_as(
    file: &str,
    bytes: Vec<u8>,
    canonical_name: impl Fn(&str) -> String,
) -> Result<Checkpoint<Rc<[u8]>>> {
    let folder = MemoryFolder::new("m", [(file.to_owned(), bytes)]);
    block_on(Checkpoint::open(&folder, file, canonical_name))?.ok_or(crate::Error::Aborted)
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint<Rc<[u8]>>> {
    open_as(WEIGHTS, bytes, str::to_owned)
}

/// Opens a file and reads all that is in it; says what went wrong first.
fn read_all(bytes: Vec<u8>) -> Result<()> {
    read_all_as(WEIGHTS, bytes)
}

fn read_all_as(file: &str, bytes: Vec<u8>) -> Result<()> {
    let checkpoint = open_as(file, bytes, of_the_pair)?;
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

/// The name of a tensor of a pair of encoders, without saying whose it is.
fn of_the_pair(key: &str) -> String {
    let halves = ["question_model.encoder.", "ctx_model.encoder."];
    halves.iter().find_map(|half| key.strip_prefix(half)).unwrap_or(key).to_owned()
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
    let refused = |bytes: &[u8]| {
        for foreign in BOTH {
            timed(|| assert!(matches!(Pickle::read(bytes, foreign), Err(Stop::Corrupt(_)))));
        }
    };
    let fine = |bytes: &[u8]| {
        for foreign in BOTH {
            timed(|| assert!(Pickle::read(bytes, foreign).is_ok()));
        }
    };

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
        let pickle = Pickle::read(&keys, Foreign::Refused).expect("it was fine");
        assert!(super::state_dict("m", &pickle).is_err());
    });
    // A dictionary that holds itself a million times.
    let itself = repeat(b"\x80\x02}q\x00(X\x01\x00\x00\x00kq\x01h\x00", b"h\x01h\x00", b"u.");
    timed(|| {
        let pickle = Pickle::read(&itself, Foreign::Refused).expect("it is a pickle");
        assert!(super::state_dict("m", &pickle).is_err());
    });
    // Lengths that no file has.
    for length in
        [&b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"X\xff\xff\xff\xff", b"\x8b\xff\xff\xff\xff"]
    {
        assert_eq!(Pickle::read(length, Foreign::Refused).expect_err("it is short"), Stop::Truncated);
    }
}

#[test]
fn a_training_checkpoint_made_to_exhaust_its_reader_ends_soon() {
    let fine = |bytes: &[u8], check: fn(&Pickle<'_>)| {
        timed(|| check(&Pickle::read(bytes, Foreign::Opaque).expect("it is a pickle")));
    };
    let count = 1 << 20;
    // A class of a class of a class, with a million of arguments, attributes and items.
    let steps = b")R)\x81)}\x92}bNaNNs(Ne(NNu(N\x90".repeat(count / 8);
    fine(&[&b"\x80\x04ca\nb\n"[..], &steps, b"."].concat(), |pickle| {
        assert_eq!(pickle.foreign_name(pickle.root).as_deref(), Some("a.b"));
    });
    // A million of names, and one name that is a mebibyte long.
    fine(&[&b"\x80\x02"[..], &b"c\n\n".repeat(count), b"."].concat(), |pickle| {
        assert_eq!(pickle.foreign.len(), 1 << 20);
    });
    let long = [&b"\x80\x02c"[..], &vec![b'm'; count], b"\n", &vec![b'n'; count], b"\n."].concat();
    fine(&long, |pickle| {
        assert_eq!(pickle.foreign_name(pickle.root).map(|name| name.len()), Some(200));
        let error = super::state_dict("m", pickle).expect_err("there is no state dict");
        assert!(error.to_string().len() < 600, "{error}");
    });
    // An object that holds itself.
    fine(b"\x80\x02ca\nb\n)\x81q\x00h\x00ah\x00h\x00s}q\x01h\x00h\x01sb.", |_| {});

    // Half a million of settings, all but the first the same text of 512 bytes.
    let mut settings = b"\x80\x02}X\x0e\x00\x00\x00encoder_params}(".to_vec();
    for number in 0..u32::try_from(count / 2).expect("it fits") {
        settings.extend(b"X\x04\x00\x00\x00");
        settings.extend([21, 14, 7, 0].map(|bits| (number >> bits) as u8 & 0x7f));
        match number {
            0 => settings.extend([&b"X\x01\x02\x00\x00"[..], &[b't'; super::MAX_KEY + 1]].concat()),
            1 => settings.extend([&b"X\x00\x02\x00\x00"[..], &[b't'; super::MAX_KEY], b"q\x00"].concat()),
            _ => settings.extend(b"h\x00"),
        }
    }
    settings.extend(b"us.");
    fine(&settings, |pickle| {
        let parameters = super::parameters(pickle);
        assert_eq!(parameters.len(), super::MAX_PARAMETERS);
        assert_eq!(parameters.get("\0\0\0\0"), Some(&Parameter::Other), "a text that is too long");
        assert!(matches!(parameters.get("\0\0\0\u{1}"), Some(Parameter::Text(_))));
    });
}

/// What becomes of names that tensors do not need.
const BOTH: [Foreign; 2] = [Foreign::Refused, Foreign::Opaque];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_end_in_a_result(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"\x80\x02"]),
    ) {
        bytes.splice(0..0, start.iter().copied());
        for file in [WEIGHTS, TRAINING] {
            let bytes = bytes.clone();
            timed(|| drop(read_all_as(file, bytes)));
        }
    }

    #[test]
    fn any_instructions_end_in_a_result(
        code in prop::collection::vec(prop::sample::select(instructions()), 0..200),
    ) {
        let code = code.concat();
        for foreign in BOTH {
            timed(|| drop(Pickle::read(&code, foreign)));
        }
    }

    #[test]
    fn a_file_with_damaged_bytes_ends_in_a_result(
        (file, whole) in prop::sample::select(sound()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = whole;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        timed(|| drop(read_all_as(file, bytes)));
    }
}

/// The name and the bytes of every file that is read.
fn sound() -> Vec<(&'static str, Vec<u8>)> {
    let weights = READABLE.iter().map(|file| (WEIGHTS, fixture(file)));
    weights.chain(PAIRS.iter().map(|file| (TRAINING, training(file)))).collect()
}

/// The pieces that pickles are made of at random.
fn instructions() -> Vec<&'static [u8]> {
    OPCODES.chunks(1).chain([&b"ca\nb\n"[..], b"ca\nb\n)R", b"\x92", b"G\x3f\xf0\0\0\0\0\0\0"]).collect()
}

/// Every instruction without arguments, some with short ones, and small numbers to be their arguments.
const OPCODES: &[u8] =
    b"(.012NQRa]be}dlsut)hqKKK\x00\x01\x02\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x93\x94C\x81";

// ---------------------------------------------------------------- training checkpoints

/// Files that hold a pair of encoders with the same weights.
const PAIRS: [&str; 6] = [
    "zip.ckpt",
    "legacy.ckpt",
    "protocol_5.ckpt",
    "legacy_protocol_4.ckpt",
    "no_settings.ckpt",
    "command.ckpt",
];

#[test]
fn a_training_checkpoint_has_the_tensors_of_its_state_dict_and_no_others() {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_slice(&training("tensors.json")).expect("it parses");
    assert_eq!(expected.len(), 12);
    for file in PAIRS.into_iter().chain(["tutorial.ckpt"]) {
        let checkpoint = open_as(TRAINING, training(file), of_the_pair)
            .unwrap_or_else(|error| unreachable!("{file}: {error}"));
        let mut names: Vec<&str> = checkpoint.tensors().collect();
        names.sort_unstable();
        assert!(names.iter().eq(expected.keys()), "{file}: {names:?}");
        for (name, tensor) in &expected {
            assert_eq!(checkpoint.shape(name), Some(tensor.shape.as_slice()), "{file} {name}");
            if tensor.dtype == "float32" {
                let values = block_on(checkpoint.vector(name)).expect("it reads");
                assert_eq!(values, tensor.values, "{file} {name}");
            }
        }
        if file != "tutorial.ckpt" {
            let name = "encoder.layer.0.attention.self.moe_query.2.weight";
            assert_eq!(checkpoint.key(name), format!("ctx_model.encoder.{name}"));
        }
    }
}

#[test]
fn settings_of_an_encoder_are_read_where_they_are_plain_values() {
    let text = |text: &str| Some(Parameter::Text(text.to_owned()));
    for file in ["zip.ckpt", "legacy.ckpt", "protocol_5.ckpt", "legacy_protocol_4.ckpt", "command.ckpt"] {
        let checkpoint = open_as(TRAINING, training(file), of_the_pair).expect("it opens");
        for (name, expected) in [
            ("mean_pool", Some(Parameter::Bool(false))),
            ("use_moe", Some(Parameter::Bool(true))),
            ("num_expert", Some(Parameter::Int(3))),
            ("negative", Some(Parameter::Int(-(1 << 40)))),
            ("large", Some(Parameter::Other)),
            ("moe_type", text("mod2:attn")),
            ("pretrained_file", Some(Parameter::None)),
            ("dropout", Some(Parameter::Float(0.1))),
            ("list", Some(Parameter::Other)),
            ("long", Some(Parameter::Other)),
            ("absent", None),
            ("epoch", None),
        ] {
            assert_eq!(checkpoint.parameter(name), expected.as_ref(), "{file} {name}");
        }
        let objects = [
            "settings",
            "named",
            "routing",
            "set",
            "frozen",
            "ordered",
            "items",
            "scalar",
            "array",
            "namespace",
            "bytes",
            "complex",
            "surrogate",
            "dtype",
            "device",
            "counts",
            "function",
            "layer",
            "parameter",
            "unsigned",
        ];
        for name in if file == "command.ckpt" { &["greeting"][..] } else { &objects } {
            assert_eq!(checkpoint.parameter(name), Some(&Parameter::Other), "{file} {name}");
        }
    }
    for (folder, file) in [("checkpoint", "no_settings.ckpt"), ("torch", "nested.bin")] {
        let checkpoint = open_as(TRAINING, below(folder, file), of_the_pair).expect("it opens");
        assert_eq!(checkpoint.parameter("mean_pool"), None, "{file}");
    }
}

#[test]
fn a_command_is_passed_over_in_a_training_checkpoint_and_refused_elsewhere() {
    for file in ["refused_command.bin", "refused_command_legacy.bin"] {
        let checkpoint = open_as(TRAINING, fixture(file), str::to_owned).expect("it opens");
        assert_eq!(checkpoint.tensors().collect::<Vec<_>>(), ["weight"], "{file}");
        assert_eq!(block_on(checkpoint.vector("weight")).expect("it reads").len(), 24);
    }
    for (file, name) in [
        ("zip.ckpt", "__main__.Routing"),
        ("legacy.ckpt", "__main__.Routing"),
        ("protocol_5.ckpt", "__main__.Routing"),
        ("command.ckpt", "__main__.Routing"),
        ("refused_command.ckpt", "posix.system"),
        ("refused_all.ckpt", "posix.system"),
    ] {
        let (code, message) = failure(training(file));
        assert_eq!(code, "unsupported-model", "{file}: {message}");
        assert!(
            message.contains(name) && message.contains("nothing of it was executed"),
            "{file}: {message}"
        );
    }
}

#[test]
fn a_state_dict_that_python_would_have_to_make_is_refused() {
    for (file, words) in [
        ("refused_command.ckpt", "Python would have to make model_dict (posix.system)"),
        ("refused_subclass.ckpt", "Python would have to make model_dict (__main__.Ordered)"),
        ("refused_all.ckpt", "it asks Python for posix.system"),
    ] {
        let error = read_all_as(TRAINING, training(file)).expect_err("there are no tensors");
        println!("{file}: {error}");
        assert_eq!(error.code(), "unsupported-model", "{file}");
        let message = error.to_string();
        assert!(message.contains(words) && message.contains("m/model.ckpt"), "{file}: {message}");
        assert!(message.contains("nothing of it was executed"), "{file}: {message}");
    }
    // Where no name was passed over, the file is at fault.
    for (file, words) in
        [("refused_list.bin", "dictionary of tensors"), ("refused_no_tensors.bin", "no tensors")]
    {
        let error = read_all_as(TRAINING, fixture(file)).expect_err("there are no tensors");
        assert!(error.code() == "corrupt-file" && error.to_string().contains(words), "{file}: {error}");
    }
}

#[test]
fn two_keys_are_one_tensor_where_they_share_all_their_bytes() {
    let refusal = |file: &str, bytes: Vec<u8>, same: [&str; 2]| {
        let name = |key: &str| if same.contains(&key) { "same".to_owned() } else { key.to_owned() };
        open_as(file, bytes, name).err().map(|error| (error.code().to_owned(), error.to_string()))
    };
    for bytes in [fixture("zip.bin"), fixture("legacy.bin")] {
        for file in [WEIGHTS, TRAINING] {
            assert_eq!(refusal(file, bytes.clone(), ["shared.whole", "shared.again"]), None);
        }
        // One storage: another part of it, another shape, other strides, another storage with the same values.
        for other in ["shared.offset", "shared.matrix", "column", "every_other_column", "float16"] {
            let same = [if other.starts_with("shared") { "shared.whole" } else { "float32" }, other];
            let (code, message) = refusal(WEIGHTS, bytes.clone(), same).expect("they differ");
            assert!(code == "corrupt-file" && message.contains("claim to be same"), "{other}: {message}");
            let (code, message) = refusal(TRAINING, bytes.clone(), same).expect("they differ");
            assert!(code == "unsupported-model" && message.contains("two encoders"), "{other}: {message}");
            assert!(same.iter().all(|key| message.contains(key)), "{other}: {message}");
        }
    }
    let error = read_all_as(TRAINING, training("refused_two_encoders.ckpt")).expect_err("they differ");
    println!("{error}");
    assert_eq!(error.code(), "unsupported-model");
    for words in ["two encoders", "ctx_model.encoder.", "question_model.encoder."] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_training_checkpoint_that_was_cut_anywhere_is_refused() {
    for file in ["zip.ckpt", "legacy.ckpt", "legacy_protocol_4.ckpt"] {
        let whole = training(file);
        for length in (0..whole.len()).step_by(5) {
            let error = read_all_as(TRAINING, whole[..length].to_vec()).expect_err("it was cut");
            assert_eq!(error.code(), "corrupt-file", "{file} cut at {length}: {error}");
        }
    }
}

/// A file of zeros but for some parts, which keeps what was asked of it.
#[derive(Clone)]
struct Extents {
    size: u64,
    parts: Vec<(u64, Vec<u8>)>,
    reads: Rc<RefCell<Vec<Range<u64>>>>,
}

impl Extents {
    /// As `tests/fixtures/checkpoint.py` writes it.
    fn load(name: &str) -> Self {
        let bytes = training(name);
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let (mut parts, mut at) = (Vec::new(), 8);
        while at < bytes.len() {
            let length = usize::try_from(number(at + 8)).expect("it fits");
            parts.push((number(at), bytes[at + 16..at + 16 + length].to_vec()));
            at += 16 + length;
        }
        Self { size: number(0), parts, reads: Rc::default() }
    }
}

impl File for Extents {
    fn size(&self) -> u64 {
        self.size
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        assert!(range.start <= range.end && range.end <= self.size, "{range:?} of {}", self.size);
        self.reads.borrow_mut().push(range.clone());
        let mut bytes = vec![0; usize::try_from(range.end - range.start).expect("it fits")];
        for (at, part) in &self.parts {
            for (position, byte) in (*at..).zip(part) {
                if range.contains(&position) {
                    bytes[usize::try_from(position - range.start).expect("it fits")] = *byte;
                }
            }
        }
        Ok(bytes)
    }
}

impl Folder for Extents {
    type File = Self;

    fn name(&self) -> &'static str {
        "m"
    }

    async fn open(&self, _: &str) -> Result<Option<Self>> {
        Ok(Some(self.clone()))
    }
}

#[test]
fn a_large_training_checkpoint_is_opened_by_little_and_read_forward() {
    let folder = Extents::load("large.ckpt.extents");
    assert!(folder.size > 11_000_000_000, "{}", folder.size);
    let open = block_on(Checkpoint::open(&folder, TRAINING, of_the_pair)).expect("it is sound");
    let checkpoint = open.expect("it is there");

    let opening = folder.reads.take();
    let bytes: u64 = opening.iter().map(|range| range.end - range.start).sum();
    println!("{} bytes: {} reads of {bytes} bytes to open it", folder.size, opening.len());
    // The first bytes, the end of the archive twice, its table, and two files in it with what is in front of each.
    assert!(opening.len() <= 8, "{opening:?}");
    // The end of an archive may have a comment of 64 KiB.
    assert!(bytes < 80 << 10, "{opening:?}");

    let names: Vec<&str> = checkpoint.tensors().collect();
    assert_eq!(names, ["layer.2.weight", "layer.0.weight", "layer.3.weight", "layer.1.weight"]);
    let (rows, columns) = (300_000, 768);
    for (layer, name) in [2.0, 0.0, 3.0, 1.0].into_iter().zip(names) {
        assert_eq!(checkpoint.shape(name), Some(&[rows, columns][..]));
        let first = block_on(checkpoint.rows(name, 0..1)).expect("it reads").to_f32();
        let last = block_on(checkpoint.rows(name, rows - 1..rows)).expect("it reads").to_f32();
        assert_eq!((first[0], last[columns - 1]), (layer + 0.25, layer + 0.5), "{name}");
    }
    let reads = folder.reads.take();
    assert!(reads.is_sorted_by_key(|range| range.start), "{reads:?}");
    assert!(reads.last().is_some_and(|range| range.start > 5 << 30), "{reads:?}");
    // A row of each end and what is in front of each tensor; nothing of the optimizer's tensors between them.
    assert_eq!(reads.len(), 4 * 3, "{reads:?}");
}
