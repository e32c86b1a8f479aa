//! Finds the tensors of a safetensors file, and writes the header of one.
//!
//! The header is read and checked by the `safetensors` crate: offsets without gaps or overlaps, sizes that match
//! shapes. This module adds that the file is as long as its header says.

use std::collections::HashMap;

use safetensors::tensor::{Metadata, TensorInfo};

use super::checkpoint::scales_key;
use super::index::{Dtype, Stored};
use crate::error::{Error, Result};
use crate::folder::File;

/// The largest header that is read; the format's own limit.
const MAX_HEADER: u64 = 100_000_000;

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
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|error| Error::corrupt(name, format!("its header cannot be used: {error}")))?;
    let expected = data_start + metadata.data_len() as u64;
    if expected != size {
        let problem = format!("its header describes {expected} bytes, but the file has {size}");
        return Err(Error::corrupt(name, problem));
    }
    let tensors = metadata.offset_keys().into_iter().filter_map(|key| {
        let info = metadata.info(&key)?;
        let offset = data_start + info.data_offsets.0 as u64;
        // Bytes are weights of ours where their scales are beside them.
        let has_scales = metadata.info(&scales_key(&key)).is_some();
        let dtype = match (info.dtype, has_scales) {
            (safetensors::Dtype::I8, true) => Dtype::I8,
            // Pairs of 4 bits, of which a shape counts both.
            (safetensors::Dtype::U8, true) => Dtype::U4,
            (other, _) => dtype(other),
        };
        let mut shape = info.shape.clone();
        if let (Dtype::U4, Some(last)) = (dtype, shape.last_mut()) {
            *last = last.checked_mul(2)?;
        }
        Some((key, Stored::contiguous(dtype, shape, offset)))
    });
    Ok(tensors.collect())
}

/// A tensor of a file that is to be written.
pub(crate) struct Planned {
    pub(crate) key: String,
    pub(crate) dtype: safetensors::Dtype,
    pub(crate) shape: Vec<usize>,
    /// Bytes that it takes.
    pub(crate) size: usize,
}

/// The header of a file with these tensors, whose bytes follow it in this order, and the length of the whole file.
pub(crate) fn header(tensors: Vec<Planned>) -> Result<(Vec<u8>, u64)> {
    let mut offset = 0;
    let infos = tensors.into_iter().map(|Planned { key, dtype, shape, size }| {
        let data_offsets = (offset, offset + size);
        offset += size;
        (key, TensorInfo { dtype, shape, data_offsets })
    });
    let infos = infos.collect();
    // transformers asks for this entry.
    let notes = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let metadata = Metadata::new(Some(notes), infos).map_err(|error| Error::internal(error.to_string()))?;
    let mut text = serde_json::to_vec(&metadata).map_err(|error| Error::internal(error.to_string()))?;
    // The bytes of the tensors are aligned to 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    let size = (bytes.len() + offset) as u64;
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
