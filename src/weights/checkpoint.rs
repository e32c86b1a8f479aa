//! An open weight file: which tensors it has, and their rows, block by block, so that a file is never in memory as a
//! whole.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use half::{bf16, f16};

use super::format::{Block, Format, GROUP};
use super::index::{Dtype, Stored};
use super::{TensorSpec, safetensors, torch};
use crate::error::{Error, Result};
use crate::folder::{File, Folder};

/// The key of the scales that belong to a q8 tensor.
pub(crate) fn scales_key(key: &str) -> String {
    format!("{key}.scales")
}

/// How many bytes of a tensor are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Values that lie further apart than this are read one by one, where a tensor's rows are scattered over its file.
const GATHER_GAP: u64 = 16 << 10;

/// How the name of a training checkpoint ends, which holds more than tensors.
const TRAINING: &str = ".ckpt";

/// A setting that a training checkpoint holds beside its tensors.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A number in double precision.
    Float(f64),
    /// A text of up to 512 bytes.
    Text(String),
    /// Anything else: a list, a longer text, an object of Python's.
    Other,
}

/// An open weight file whose tensors go by the names that a model uses.
pub struct Checkpoint<F> {
    name: String,
    file: F,
    /// Model's name of a tensor → its place.
    tensors: HashMap<String, Stored>,
    /// Model's name of a tensor → its key in the file.
    keys: HashMap<String, String>,
    /// The settings of the encoder, in a training checkpoint.
    parameters: BTreeMap<String, Parameter>,
}

impl<F: File> Checkpoint<F> {
    /// Opens a file of a folder; `None` where the folder has none of this name. A name in `.safetensors` is read as
    /// such, any other as what `torch.save` writes.
    ///
    /// A name in `.ckpt` is that of a training checkpoint, of which the tensors of the state dict are listed and no
    /// others. What else it asks Python for is passed over; in any other file of `torch.save` that is an error. Nothing
    /// is executed in either.
    ///
    /// `canonical_name` gives the name by which the model asks for a key of the file. Two keys may be given the same
    /// name where they share all their bytes: a pair of encoders with the same weights is saved as such.
    pub async fn open(
        folder: &impl Folder<File = F>,
        file: &str,
        canonical_name: impl Fn(&str) -> String,
    ) -> Result<Option<Self>> {
        let Some(open) = folder.open(file).await? else { return Ok(None) };
        let name = format!("{}/{file}", folder.name());
        let training = file.ends_with(TRAINING);
        let (stored, parameters) = if file.ends_with(".safetensors") {
            (safetensors::index(&name, &open).await?, BTreeMap::new())
        } else {
            let foreign = if training { torch::Foreign::Opaque } else { torch::Foreign::Refused };
            let contents = torch::index(&name, &open, foreign).await?;
            (contents.tensors, contents.parameters)
        };

        let mut keys = HashMap::new();
        let mut tensors: HashMap<String, Stored> = HashMap::new();
        for (key, stored) in stored {
            let canonical = canonical_name(&key);
            let Some(first) = tensors.get(&canonical) else {
                keys.insert(canonical.clone(), key);
                tensors.insert(canonical, stored);
                continue;
            };
            if first.is_same(&stored) {
                continue;
            }
            let other = keys.get(&canonical).unwrap_or(&canonical);
            let problem = format!("both {other} and {key} claim to be {canonical}");
            return Err(if training {
                Error::unsupported(format!(
                    "{name} holds two encoders that differ: {problem}, each with weights of its own. Save the state \
                     dict of one of them"
                ))
            } else {
                Error::corrupt(name, problem)
            });
        }
        Ok(Some(Self { name, file: open, tensors, keys, parameters }))
    }

    /// A setting of the encoder that a training checkpoint holds, by its name: an entry of `encoder_params`, where that
    /// is a plain dictionary.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.get(name)
    }

    /// The key of a tensor in the file.
    #[must_use]
    pub fn key<'t>(&'t self, tensor: &'t str) -> &'t str {
        self.keys.get(tensor).map_or(tensor, String::as_str)
    }

    /// Folder and file, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all tensors, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<((u64, u64), &str)> =
            self.tensors.iter().map(|(name, stored)| (stored.position(), name.as_str())).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name)
    }

    /// The shape of a tensor, if the file has it.
    #[must_use]
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.tensors.get(tensor).map(|stored| stored.shape.as_slice())
    }

    /// How a tensor is stored, if the file has it.
    #[must_use]
    pub fn dtype(&self, tensor: &str) -> Option<Dtype> {
        self.tensors.get(tensor).map(|stored| stored.dtype)
    }

    /// Whether a tensor is a vector or a matrix of a dtype that a network can take its weights from.
    pub(crate) fn is_weight(&self, tensor: &str) -> bool {
        self.dtype(tensor).is_some_and(Dtype::is_weight)
            && self.shape(tensor).is_some_and(|shape| (1..=2).contains(&shape.len()))
    }

    /// The format that a tensor is in as it is stored, if it is one of ours.
    #[must_use]
    pub fn format(&self, tensor: &str) -> Option<Format> {
        match self.dtype(tensor)? {
            Dtype::F32 => Some(Format::F32),
            Dtype::F16 => Some(Format::F16),
            Dtype::I8 => Some(Format::Q8),
            Dtype::U4 => Some(Format::Q4),
            _ => None,
        }
    }

    /// Whether all bytes of a tensor can be read already, where the file is still being written.
    pub(crate) fn is_whole(&self, tensor: &str) -> bool {
        self.tensors.get(tensor).is_some_and(|stored| {
            let bits = stored
                .shape
                .iter()
                .fold(stored.dtype.bits(), |bits, &length| bits.saturating_mul(length as u64));
            stored.region.position().saturating_add(bits / 8) <= self.file.available()
        })
    }

    /// Checks that every tensor of a list is there in its shape; the error names all that are not.
    pub fn require(&self, needed: &[TensorSpec]) -> Result<()> {
        let mut missing = Vec::new();
        let mut misshapen = Vec::new();
        for TensorSpec { name, shape, .. } in needed {
            match self.shape(name) {
                None => missing.push(name.clone()),
                Some(found) if found != shape => {
                    misshapen.push(format!("{name} has shape {found:?} where {shape:?} is needed"));
                }
                Some(_) => {}
            }
        }
        if !misshapen.is_empty() {
            return Err(Error::corrupt(&self.name, misshapen.join("; ")));
        }
        if !missing.is_empty() {
            let problem = format!("it lacks {} tensors: {}", missing.len(), missing.join(", "));
            return Err(Error::corrupt(&self.name, problem));
        }
        Ok(())
    }

    /// The rows of a tensor in blocks of about a mebibyte, a multiple of eight rows as kernels take up to eight at a time.
    pub(crate) fn blocks(&self, tensor: &str) -> impl Iterator<Item = Range<usize>> + use<F> {
        let shape = self.shape(tensor).unwrap_or_default();
        let columns = columns(shape);
        let rows = if columns == 0 { 0 } else { shape.first().copied().unwrap_or(1) };
        let step = (BLOCK_BYTES / columns.max(1).saturating_mul(4)).max(1).next_multiple_of(8);
        (0..rows).step_by(step).map(move |start| start..rows.min(start.saturating_add(step)))
    }

    /// Some rows of a matrix, in the nearest format to that of the file.
    ///
    /// bf16 becomes f32, which holds it exactly.
    pub async fn rows(&self, tensor: &str, rows: Range<usize>) -> Result<Block> {
        let stored = self.tensors.get(tensor);
        let stored = stored.ok_or_else(|| Error::internal(format!("{tensor} was not checked")))?;
        let length = stored.shape.first().copied().unwrap_or(1);
        if rows.start > rows.end || rows.end > length {
            return Err(Error::internal(format!("rows {rows:?} of {tensor}, which has {length}")));
        }
        let block = match stored.dtype {
            Dtype::F32 => Block::F32(self.values(stored, rows, f32::from_le_bytes).await?),
            Dtype::F16 => Block::F16(self.values(stored, rows, f16::from_le_bytes).await?),
            Dtype::BF16 => {
                Block::F32(self.values(stored, rows, |bytes| bf16::from_le_bytes(bytes).to_f32()).await?)
            }
            Dtype::I8 if columns(&stored.shape).is_multiple_of(GROUP) => Block::Q8 {
                scales: self.scales(tensor, stored, rows.clone()).await?,
                quants: self.values(stored, rows, i8::from_le_bytes).await?,
            },
            Dtype::U4 if columns(&stored.shape).is_multiple_of(GROUP) => Block::Q4 {
                quants: self.consecutive(stored, rows.clone(), columns(&stored.shape) / 2).await?,
                scales: self.scales(tensor, stored, rows).await?,
            },
            other => {
                return Err(Error::unsupported(format!(
                    "{tensor} in {} is stored as {other}; f32, f16 and bf16 are read",
                    self.name
                )));
            }
        };
        if block_is_finite(&block) {
            Ok(block)
        } else {
            Err(Error::corrupt(&self.name, format!("{tensor} holds values that are not finite numbers")))
        }
    }

    /// Some rows of a matrix in the format that is asked for.
    pub async fn rows_in(&self, tensor: &str, rows: Range<usize>, format: Format) -> Result<Block> {
        let block = self.rows(tensor, rows).await?.into_format(format);
        if block_is_finite(&block) {
            Ok(block)
        } else {
            let problem = format!("{tensor} holds values that are too large for {}", format.name());
            Err(Error::corrupt(&self.name, problem))
        }
    }

    /// A whole tensor as f32, for the small ones.
    pub async fn vector(&self, tensor: &str) -> Result<Vec<f32>> {
        let rows = self.shape(tensor).and_then(|shape| shape.first().copied()).unwrap_or(0);
        Ok(self.rows(tensor, 0..rows).await?.to_f32())
    }

    /// The scales of some rows in groups.
    async fn scales(&self, tensor: &str, stored: &Stored, rows: Range<usize>) -> Result<Vec<f16>> {
        let key = scales_key(tensor);
        let scales = self.tensors.get(&key).filter(|scales| {
            scales.dtype == Dtype::F16
                && scales.shape.first() == stored.shape.first()
                && columns(&scales.shape) == columns(&stored.shape) / GROUP
        });
        let scales = scales.ok_or_else(|| Error::corrupt(&self.name, format!("{tensor} has no {key}")))?;
        self.values(scales, rows, f16::from_le_bytes).await
    }

    async fn values<T, const N: usize>(
        &self,
        stored: &Stored,
        rows: Range<usize>,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let bytes = if stored.is_contiguous() {
            self.consecutive(stored, rows, columns(&stored.shape) * N).await?
        } else {
            self.gather(stored, rows, N).await?
        };
        Ok(bytes.as_chunks().0.iter().map(|&chunk| decode(chunk)).collect())
    }

    /// Rows of so many bytes each that lie one behind the other. A tensor may have more bytes than a browser's `usize`
    /// counts.
    async fn consecutive(&self, stored: &Stored, rows: Range<usize>, bytes: usize) -> Result<Vec<u8>> {
        let start = self.start(stored).await?;
        let at = |row: usize| start + row as u64 * bytes as u64;
        self.file.read(at(rows.start)..at(rows.end)).await
    }

    /// Byte position of a tensor's first value.
    async fn start(&self, stored: &Stored) -> Result<u64> {
        Ok(stored.region.start(&self.name, &self.file).await? + stored.first)
    }

    /// Rows of a tensor whose values do not lie row by row, such as a transposed one. Neighbours in the file are read
    /// together, a mebibyte at most at a time; what is far apart is read value by value, so the memory is bounded but
    /// the time is that of an exception: no published model is stored so.
    async fn gather(&self, stored: &Stored, rows: Range<usize>, width: usize) -> Result<Vec<u8>> {
        let (columns, row_stride, column_stride) = match (&*stored.shape, &*stored.strides) {
            (&[_], &[stride]) => (1, stride, 0),
            (&[_, columns], &[row_stride, column_stride]) => (columns, row_stride, column_stride),
            (shape, strides) => {
                let problem = format!(
                    "{} has a tensor of shape {shape:?} with strides {strides:?}; of those that are not stored row by \
                     row, vectors and matrices are read. Save the model with safetensors",
                    self.name
                );
                return Err(Error::unsupported(problem));
            }
        };
        let first = self.start(stored).await?;
        let mut gathered = vec![0; rows.len() * columns * width];
        let mut window = Window::default();
        let by_row = row_stride >= column_stride;
        let (outer, inner) = if by_row { (rows.len(), columns) } else { (columns, rows.len()) };
        for outer in 0..outer {
            for inner in 0..inner {
                let (row, column) = if by_row { (outer, inner) } else { (inner, outer) };
                let value =
                    (rows.start + row) as u64 * row_stride as u64 + column as u64 * column_stride as u64;
                let start = first + value * width as u64;
                if !window.takes(start, width as u64) {
                    window.read_into(&self.file, &mut gathered, width).await?;
                }
                window.add(start, width as u64, (row * columns + column) * width);
            }
        }
        window.read_into(&self.file, &mut gathered, width).await?;
        Ok(gathered)
    }
}

/// Values that lie near each other in a file and are read together.
#[derive(Default)]
struct Window {
    bytes: Range<u64>,
    /// Position in the file → position in the tensor.
    values: Vec<(u64, usize)>,
}

impl Window {
    /// Whether a value lies close enough behind those that are here.
    fn takes(&self, start: u64, width: u64) -> bool {
        self.values.is_empty()
            || (start >= self.bytes.start
                && start <= self.bytes.end + GATHER_GAP
                && start + width - self.bytes.start <= BLOCK_BYTES as u64
                && self.values.len() < BLOCK_BYTES)
    }

    fn add(&mut self, start: u64, width: u64, target: usize) {
        let end = start + width;
        self.bytes =
            if self.values.is_empty() { start..end } else { self.bytes.start..self.bytes.end.max(end) };
        self.values.push((start, target));
    }

    /// Reads the values to where they belong, and is empty again.
    async fn read_into(&mut self, file: &impl File, target: &mut [u8], width: usize) -> Result<()> {
        if self.values.is_empty() {
            return Ok(());
        }
        let bytes = file.read(self.bytes.clone()).await?;
        for (from, to) in self.values.drain(..) {
            let from = (from - self.bytes.start) as usize;
            let value = bytes.get(from..from + width).zip(target.get_mut(to..to + width));
            let (value, target) =
                value.ok_or_else(|| Error::internal("a file gave fewer bytes than asked"))?;
            target.copy_from_slice(value);
        }
        Ok(())
    }
}

/// How many values a row has.
fn columns(shape: &[usize]) -> usize {
    shape.iter().skip(1).fold(1, |product, &length| product.saturating_mul(length))
}

fn block_is_finite(block: &Block) -> bool {
    match block {
        Block::F32(values) => values.iter().all(|value| value.is_finite()),
        Block::F16(values) | Block::Q8 { scales: values, .. } | Block::Q4 { scales: values, .. } => {
            values.iter().all(|value| value.is_finite())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;
    use crate::folder::MemoryFolder;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        bytes
    }

    fn code_of(bytes: Vec<u8>) -> Option<String> {
        let folder = MemoryFolder::new("m", [("model.safetensors".to_owned(), bytes)]);
        let open = pollster::block_on(Checkpoint::open(&folder, "model.safetensors", str::to_owned));
        open.err().map(|error| error.code().to_owned())
    }

    #[test]
    fn a_header_that_lies_is_refused() {
        let corrupt = Some("corrupt-file".to_owned());
        let good = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
        assert_eq!(code_of(file(good, 16)), None);
        assert_eq!(code_of(file(good, 15)), corrupt, "truncated");
        assert_eq!(code_of(file(good, 17)), corrupt, "trailing bytes");
        assert_eq!(
            code_of(file(r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,16]}}"#, 16)),
            corrupt
        );
        assert_eq!(
            code_of(file(r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[4,20]}}"#, 20)),
            corrupt
        );
        assert_eq!(code_of(file(r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[8,4]}}"#, 4)), corrupt);
        assert_eq!(code_of(file(r#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}"#, 1)), corrupt);
        let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,9],"data_offsets":[0,16]}}"#;
        assert_eq!(code_of(file(huge, 16)), corrupt);
        // Their bytes can still be counted; with those of the header in front of them, they cannot.
        let length = u64::MAX / 8;
        let tensor = |n: u64| {
            let (start, end) = (n * length, (n + 1) * length);
            format!(r#""{n}":{{"dtype":"U8","shape":[{length}],"data_offsets":[{start},{end}]}}"#)
        };
        let endless = (0..8).map(tensor).collect::<Vec<_>>().join(",");
        assert_eq!(code_of(file(&format!("{{{endless}}}"), 16)), corrupt);
        assert_eq!(code_of(file("{not json", 0)), corrupt);
        assert_eq!(code_of(vec![0; 3]), corrupt);
        assert_eq!(code_of(u64::MAX.to_le_bytes().to_vec()), corrupt);
    }

    #[test]
    fn bytes_are_weights_of_ours_only_beside_their_scales_and_rows_of_nothing_are_none() {
        let header = r#"{"mask":{"dtype":"U8","shape":[1,32],"data_offsets":[0,32]},
            "w":{"dtype":"U8","shape":[1,16],"data_offsets":[32,48]},
            "w.scales":{"dtype":"F16","shape":[1,1],"data_offsets":[48,50]},
            "empty":{"dtype":"F32","shape":[4611686018427387904,0],"data_offsets":[50,50]}}"#;
        let folder = MemoryFolder::new("m", [("model.safetensors".to_owned(), file(header, 50))]);
        let open = pollster::block_on(Checkpoint::open(&folder, "model.safetensors", str::to_owned));
        let checkpoint = open.expect("it is sound").expect("it is there");
        assert_eq!((checkpoint.dtype("mask"), checkpoint.format("mask")), (Some(Dtype::Other("u8")), None));
        assert_eq!((checkpoint.shape("w"), checkpoint.format("w")), (Some(&[1, 32][..]), Some(Format::Q4)));
        assert_eq!(checkpoint.blocks("empty").count(), 0);
        assert_eq!(checkpoint.blocks("w").next(), Some(0..1));
    }

    #[test]
    fn a_weight_that_is_not_a_number_is_refused() {
        let mut bytes = file(r#"{"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#, 0);
        bytes.extend(f32::NAN.to_le_bytes());
        let folder = MemoryFolder::new("m", [("model.safetensors".to_owned(), bytes)]);
        let read = pollster::block_on(async {
            let open = Checkpoint::open(&folder, "model.safetensors", str::to_owned).await?;
            open.ok_or(Error::Aborted)?.vector("a").await
        });
        assert!(read.is_err_and(|error| error.code() == "corrupt-file"));
    }

    /// A file of any length whose value at a position is that position, and which watches how it is read.
    #[derive(Default)]
    struct Ruler {
        largest: Cell<u64>,
        reads: Cell<usize>,
    }

    impl File for Ruler {
        fn size(&self) -> u64 {
            u64::MAX
        }

        async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
            self.largest.set(self.largest.get().max(range.end - range.start));
            self.reads.set(self.reads.get() + 1);
            assert_eq!((range.start % 4, range.end % 4), (0, 0));
            Ok((range.start / 4..range.end / 4)
                .flat_map(|position| (position as f32).to_le_bytes())
                .collect())
        }
    }

    fn ruler(shape: [usize; 2], strides: [usize; 2], offset: u64) -> Checkpoint<Ruler> {
        let mut stored = Stored::contiguous(Dtype::F32, shape.into(), offset * 4);
        stored.strides = strides.into();
        let tensors = HashMap::from([("a".to_owned(), stored)]);
        Checkpoint {
            name: "ruler".to_owned(),
            file: Ruler::default(),
            tensors,
            keys: HashMap::new(),
            parameters: BTreeMap::new(),
        }
    }

    proptest! {
        #[test]
        fn rows_are_gathered_wherever_they_lie(
            (row_count, columns) in (1_usize..9, 1_usize..9),
            strides in [0_usize..6000, 0_usize..6000],
            offset in 0_u64..100,
            rows in any::<[prop::sample::Index; 2]>(),
        ) {
            let mut rows = rows.map(|row| row.index(row_count + 1));
            rows.sort_unstable();
            let [start, end] = rows;
            let checkpoint = ruler([row_count, columns], strides, offset);
            let found = pollster::block_on(checkpoint.rows("a", start..end)).expect("it reads").to_f32();
            let expected = (start..end).flat_map(|row| {
                (0..columns).map(move |column| {
                    (offset as usize + row * strides[0] + column * strides[1]) as f32
                })
            });
            prop_assert_eq!(found, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_transposed_matrix_is_read_in_pieces() {
        let (rows, columns) = (3072, 768);
        let checkpoint = ruler([rows, columns], [1, rows], 0);
        let second = checkpoint.blocks("a").nth(1).expect("it has several");
        let step = second.start;
        let block = pollster::block_on(checkpoint.rows("a", second)).expect("it reads").to_f32();
        assert_eq!(block[..3], [step as f32, (step + rows) as f32, (step + 2 * rows) as f32]);
        assert!(checkpoint.file.largest.get() <= BLOCK_BYTES as u64, "{}", checkpoint.file.largest.get());
        assert!(checkpoint.file.reads.get() <= columns, "{}", checkpoint.file.reads.get());
    }

    #[test]
    fn rows_that_a_tensor_does_not_have_are_not_read() {
        let checkpoint = ruler([4, 4], [4, 1], 0);
        assert!(pollster::block_on(checkpoint.rows("a", 3..5)).is_err());
    }
}
