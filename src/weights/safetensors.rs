//! Finds the tensors of a safetensors file.
//!
//! The header is read and checked by the `safetensors` crate: offsets without gaps or overlaps, sizes that match
//! shapes. This module adds that the file is as long as its header says.

use safetensors::tensor::Metadata;

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
        let stored = Stored::contiguous(dtype(info.dtype), info.shape.clone(), offset);
        Some((key, stored))
    });
    Ok(tensors.collect())
}

fn dtype(dtype: safetensors::Dtype) -> Dtype {
    match dtype {
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::BF16,
        safetensors::Dtype::I8 => Dtype::I8,
        safetensors::Dtype::I64 => Dtype::I64,
        safetensors::Dtype::F64 => Dtype::Other("f64"),
        safetensors::Dtype::I32 => Dtype::Other("i32"),
        safetensors::Dtype::U8 => Dtype::Other("u8"),
        safetensors::Dtype::BOOL => Dtype::Other("bool"),
        _ => Dtype::Other("an uncommon dtype"),
    }
}
