//! Finds the tensors of a safetensors file, and writes the header of one.
//!
//! The types of values are those of the `safetensors` crate. Its own reader counts in `usize`, in which a browser cannot
//! count the bits of a tensor of 512 MiB, nor the bytes of a file of 4 GiB; so headers are read and checked here.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer as _};

use super::checkpoint::scales_key;
use super::index::{Dtype, Stored};
use crate::error::{Error, Result};
use crate::folder::File;

/// The largest header that is read; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

/// What a header says of a tensor.
#[derive(Deserialize, Serialize)]
struct Entry {
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    /// Where its bytes begin and end, counted from the end of the header.
    data_offsets: (u64, u64),
}

impl Entry {
    /// How many bytes its values take, where they are whole bytes and can be counted.
    fn size(&self) -> Option<u64> {
        let values =
            self.shape.iter().try_fold(1_u64, |values, &length| values.checked_mul(length as u64))?;
        let bits = values.checked_mul(self.dtype.bitsize() as u64)?;
        bits.is_multiple_of(8).then_some(bits / 8)
    }
}

/// A header as it is read.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    _notes: Option<IgnoredAny>,
    #[serde(flatten)]
    tensors: BTreeMap<String, Entry>,
}

/// Every tensor of a file, by its key; `name` is the file's, for messages.
pub(super) async fn index(name: &str, file: &impl File) -> Result<Vec<(String, Stored)>> {
    let size = file.size();
    if size < 8 {
        return Err(Error::corrupt(name, format!("it has {size} bytes, too few for a safetensors header")));
    }
    let prefix = file.read(0..8).await?;
    let header_size = u64::from_le_bytes(prefix.try_into().unwrap_or([0; 8]));
    if header_size > MAX_HEADER.min(size - 8) {
        let problem = format!("its header claims {header_size} bytes, but the whole file has {size}");
        return Err(Error::corrupt(name, problem));
    }
    let data_start = 8 + header_size;
    let header = file.read(8..data_start).await?;
    let Header { tensors, .. } = serde_json::from_slice(&header)
        .map_err(|error| Error::corrupt(name, format!("its header cannot be used: {error}")))?;
    let described = described(&tensors).map_err(|problem| Error::corrupt(name, problem))?;
    let found = size - data_start;
    if described != found {
        let problem = format!("its header describes {described} bytes of tensors, but the file has {found}");
        return Err(Error::corrupt(name, problem));
    }
    let stored = tensors.iter().filter_map(|(key, entry)| {
        let offset = data_start + entry.data_offsets.0;
        // Bytes are weights of ours where their scales are beside them.
        let dtype = match (entry.dtype, tensors.contains_key(&scales_key(key))) {
            (safetensors::Dtype::I8, true) => Dtype::I8,
            // Pairs of 4 bits, of which a shape counts both.
            (safetensors::Dtype::U8, true) => Dtype::U4,
            (other, _) => dtype(other),
        };
        let mut shape = entry.shape.clone();
        if let (Dtype::U4, Some(last)) = (dtype, shape.last_mut()) {
            *last = last.checked_mul(2)?;
        }
        Some((key.clone(), Stored::contiguous(dtype, shape, offset)))
    });
    Ok(stored.collect())
}

/// How many bytes a header describes. Tensors lie one behind the other without gaps, each as long as its shape says.
fn described(tensors: &BTreeMap<String, Entry>) -> Result<u64, String> {
    let mut in_order: Vec<(&String, &Entry)> = tensors.iter().collect();
    in_order.sort_by_key(|(_, entry)| entry.data_offsets);
    let mut length = 0;
    for (key, entry) in in_order {
        let (start, end) = entry.data_offsets;
        if start != length {
            return Err(format!(
                "the tensor {key} begins at {start}, but the one before it ends at {length}"
            ));
        }
        if entry.size().and_then(|size| start.checked_add(size)) != Some(end) {
            let Entry { dtype, shape, .. } = entry;
            return Err(format!(
                "the tensor {key} of {dtype} and shape {shape:?} is not what lies in {start}..{end}"
            ));
        }
        length = end;
    }
    Ok(length)
}

/// A tensor of a file that is to be written.
pub(crate) struct Planned {
    pub(crate) key: String,
    pub(crate) dtype: safetensors::Dtype,
    pub(crate) shape: Vec<usize>,
    /// Bytes that it takes.
    pub(crate) size: usize,
}

/// An entry of a header as it is written.
#[derive(Serialize)]
#[serde(untagged)]
enum Member {
    Notes { format: &'static str },
    Tensor(Entry),
}

/// The header of a file with these tensors, whose bytes follow it in this order, and the length of the whole file.
pub(crate) fn header(tensors: Vec<Planned>) -> Result<(Vec<u8>, u64)> {
    let mut offset = 0;
    let tensors = tensors.into_iter().map(|Planned { key, dtype, shape, size }| {
        let data_offsets = (offset, offset + size as u64);
        offset = data_offsets.1;
        (key, Member::Tensor(Entry { dtype, shape, data_offsets }))
    });
    // transformers asks for this entry.
    let notes = ("__metadata__".to_owned(), Member::Notes { format: "pt" });
    let mut text = Vec::new();
    let members = std::iter::once(notes).chain(tensors);
    serde_json::Serializer::new(&mut text)
        .collect_map(members)
        .map_err(|error| Error::internal(error.to_string()))?;
    // The bytes of the tensors are aligned to 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    let size = bytes.len() as u64 + offset;
    Ok((bytes, size))
}

fn dtype(dtype: safetensors::Dtype) -> Dtype {
    match dtype {
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::BF16,
        safetensors::Dtype::I64 => Dtype::I64,
        safetensors::Dtype::F64 => Dtype::Other("f64"),
        safetensors::Dtype::I32 => Dtype::Other("i32"),
        safetensors::Dtype::I8 => Dtype::Other("i8"),
        safetensors::Dtype::U8 => Dtype::Other("u8"),
        safetensors::Dtype::BOOL => Dtype::Other("bool"),
        _ => Dtype::Other("an uncommon dtype"),
    }
}
