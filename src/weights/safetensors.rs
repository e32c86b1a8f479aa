//! Reads tensors from `model.safetensors`, row block by row block, so that a file is never in memory as a whole.
//!
//! The header is read and checked by the `safetensors` crate: offsets without gaps or overlaps, sizes that match
//! shapes. This module adds that the file is as long as its header says, and reads ranges.

use std::collections::HashMap;
use std::ops::Range;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::TensorSpec;
use super::format::{Block, GROUP};
use crate::error::{Error, Result};
use crate::folder::{File, Folder};

/// The key of the scales that belong to a q8 tensor.
pub(crate) fn scales_key(key: &str) -> String {
    format!("{key}.scales")
}

/// The largest header that is read; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// How many bytes of a tensor are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// An open safetensors file whose tensors go by the names that a model uses.
pub struct Checkpoint<F> {
    name: String,
    file: F,
    data_start: u64,
    metadata: Metadata,
    /// Model's name of a tensor → its key in the file.
    keys: HashMap<String, String>,
}

impl<F: File> Checkpoint<F> {
    /// Opens a file of a folder; `None` where the folder has none of this name.
    ///
    /// `canonical_name` gives the name by which the model asks for a key of the file.
    pub async fn open(
        folder: &impl Folder<File = F>,
        file: &str,
        canonical_name: impl Fn(&str) -> String,
    ) -> Result<Option<Self>> {
        let Some(open) = folder.open(file).await? else { return Ok(None) };
        let name = format!("{}/{file}", folder.name());
        let size = open.size();

        if size < 8 {
            return Err(Error::corrupt(
                name,
                format!("it has {size} bytes, too few for a safetensors header"),
            ));
        }
        let prefix = open.read(0..8).await?;
        let header_size = u64::from_le_bytes(prefix.try_into().unwrap_or([0; 8]));
        if header_size > MAX_HEADER.min(size - 8) {
            let problem = format!("its header claims {header_size} bytes, but the whole file has {size}");
            return Err(Error::corrupt(name, problem));
        }
        let data_start = 8 + header_size;
        let header = open.read(8..data_start).await?;
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| Error::corrupt(&name, format!("its header cannot be used: {error}")))?;
        let expected = data_start + metadata.data_len() as u64;
        if expected != size {
            let problem = format!("its header describes {expected} bytes, but the file has {size}");
            return Err(Error::corrupt(name, problem));
        }

        let mut keys = HashMap::new();
        for key in metadata.offset_keys() {
            let canonical = canonical_name(&key);
            if let Some(other) = keys.insert(canonical.clone(), key.clone()) {
                let problem = format!("both {other} and {key} claim to be {canonical}");
                return Err(Error::corrupt(name, problem));
            }
        }
        Ok(Some(Self { name, file: open, data_start, metadata, keys }))
    }

    /// Folder and file, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all tensors, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<(&str, usize)> = self
            .keys
            .iter()
            .filter_map(|(name, key)| Some((name.as_str(), self.metadata.info(key)?.data_offsets.0)))
            .collect();
        names.sort_unstable_by_key(|&(name, offset)| (offset, name));
        names.into_iter().map(|(name, _)| name)
    }

    /// The shape of a tensor, if the file has it.
    #[must_use]
    pub fn shape(&self, tensor: &str) -> Option<&[usize]> {
        self.info(tensor).map(|info| info.shape.as_slice())
    }

    /// The dtype of a tensor as the file spells it, if the file has it.
    #[must_use]
    pub fn dtype(&self, tensor: &str) -> Option<Dtype> {
        self.info(tensor).map(|info| info.dtype)
    }

    fn info(&self, tensor: &str) -> Option<&TensorInfo> {
        self.metadata.info(self.keys.get(tensor)?)
    }

    /// Checks that every tensor of a list is there in its shape; the error names all that are not.
    pub fn require(&self, needed: &[TensorSpec]) -> Result<()> {
        let mut missing = Vec::new();
        let mut misshapen = Vec::new();
        for TensorSpec { name, shape } in needed {
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

    /// Rows per block so that a block is about a mebibyte, a multiple of four as kernels tile by four.
    pub(crate) fn rows_per_block(&self, tensor: &str) -> usize {
        let row = self.shape(tensor).map_or(1, |shape| shape.iter().skip(1).product::<usize>().max(1));
        (BLOCK_BYTES / (row * 4)).max(1).next_multiple_of(4)
    }

    /// Some rows of a matrix, in the nearest format to that of the file.
    ///
    /// bf16 becomes f32, which holds it exactly.
    pub async fn rows(&self, tensor: &str, rows: Range<usize>) -> Result<Block> {
        let info = self.info(tensor).ok_or_else(|| Error::internal(format!("{tensor} was not checked")))?;
        let columns: usize = info.shape.iter().skip(1).product();
        let values = rows.start * columns..rows.end * columns;
        let block = match info.dtype {
            Dtype::F32 => Block::F32(self.values(info, values, f32::from_le_bytes).await?),
            Dtype::F16 => Block::F16(self.values(info, values, f16::from_le_bytes).await?),
            Dtype::BF16 => {
                Block::F32(self.values(info, values, |bytes| bf16::from_le_bytes(bytes).to_f32()).await?)
            }
            Dtype::I8 if columns.is_multiple_of(GROUP) => {
                let key = scales_key(tensor);
                let scales = self.info(&key).filter(|scales| {
                    scales.dtype == Dtype::F16
                        && scales.shape.first() == info.shape.first()
                        && scales.shape.iter().skip(1).product::<usize>() == columns / GROUP
                });
                let scales =
                    scales.ok_or_else(|| Error::corrupt(&self.name, format!("{tensor} has no {key}")))?;
                let groups = values.start / GROUP..values.end / GROUP;
                Block::Q8 {
                    quants: self.values(info, values, i8::from_le_bytes).await?,
                    scales: self.values(scales, groups, f16::from_le_bytes).await?,
                }
            }
            other => {
                return Err(Error::unsupported(format!(
                    "{tensor} in {} is stored as {other:?}; f32, f16 and bf16 are read",
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

    /// A whole tensor as f32, for the small ones.
    pub async fn vector(&self, tensor: &str) -> Result<Vec<f32>> {
        let rows = self.shape(tensor).and_then(|shape| shape.first().copied()).unwrap_or(0);
        Ok(self.rows(tensor, 0..rows).await?.to_f32())
    }

    async fn values<T, const N: usize>(
        &self,
        info: &TensorInfo,
        values: Range<usize>,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let start = self.data_start + info.data_offsets.0 as u64;
        let bytes = start + (values.start * N) as u64..start + (values.end * N) as u64;
        let bytes = self.file.read(bytes).await?;
        Ok(bytes.as_chunks().0.iter().map(|&chunk| decode(chunk)).collect())
    }
}

fn block_is_finite(block: &Block) -> bool {
    match block {
        Block::F32(values) => values.iter().all(|value| value.is_finite()),
        Block::F16(values) | Block::Q8 { scales: values, .. } => values.iter().all(|value| value.is_finite()),
    }
}

#[cfg(test)]
mod tests {
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
        let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,9],"data_offsets":[0,16]}}"#;
        assert_eq!(code_of(file(huge, 16)), corrupt);
        assert_eq!(code_of(file("{not json", 0)), corrupt);
        assert_eq!(code_of(vec![0; 3]), corrupt);
        assert_eq!(code_of(u64::MAX.to_le_bytes().to_vec()), corrupt);
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
}
