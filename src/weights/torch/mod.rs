//! Finds the tensors of a file that `torch.save` wrote, without running what is in it.
//!
//! Such a file is a pickle, a program that builds objects, beside the bytes of the tensors. The program is read by a
//! machine that can build dictionaries and views into bytes and nothing else. Two containers hold the
//! two parts: a zip archive since 2020, and before that pickles and bytes one after the other.
//!
//! A training checkpoint holds the state of an optimizer and settings beside the weights. Of these, the settings that
//! are plain values are read; the rest stays unknown, and the optimizer's tensors are neither listed nor read.

mod legacy;
mod pickle;
#[cfg(test)]
mod tests;
mod zip;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

pub(super) use self::pickle::Foreign;
use self::pickle::{Pickle, Stop, Storage, Tensor, Value};
use super::checkpoint::Parameter;
use super::index::{Region, Stored};
use crate::error::{Error, Result};
use crate::folder::File;

/// The largest pickle and the largest table of contents that are read. A tensor takes 150 bytes of either.
const MAX_CONTENTS: u64 = 4 << 20;
/// The longest key of a tensor or a storage; a pickle can name a long text again and again.
const MAX_KEY: usize = 512;

/// The key of the settings of an encoder in the checkpoints of DPR and of what was made of it.
const PARAMETERS: &str = "encoder_params";
/// The most settings that are kept; DPR has a dozen.
const MAX_PARAMETERS: usize = 1000;

/// The most objects that a message names.
const MAX_NAMED: usize = 4;

/// What there is of use in a file.
pub(super) struct Contents {
    /// Every tensor of the state dict, by its key.
    pub(super) tensors: Vec<(String, Stored)>,
    /// The settings of the encoder.
    pub(super) parameters: BTreeMap<String, Parameter>,
}

/// Reads what a file says of itself; `name` is the file's, for messages.
pub(super) async fn index(name: &str, file: &impl File, foreign: Foreign) -> Result<Contents> {
    let start = file.read(0..file.size().min(8)).await?;
    match start.as_slice() {
        [b'P', b'K', 3, 4, ..] => zip::index(name, file, foreign).await,
        [0x80, ..] => legacy::index(name, file, foreign).await,
        other => {
            let seen = String::from_utf8_lossy(other);
            let problem = format!("torch.save writes a zip archive or a pickle, but it begins with {seen:?}");
            Err(Error::corrupt(name, problem))
        }
    }
}

/// What a pickle that was not read to its end means for a file.
fn explain(name: &str, stop: Stop) -> Error {
    match stop {
        Stop::Truncated => Error::corrupt(name, "it ends within its pickle, or its pickle is too long"),
        Stop::Corrupt(problem) => Error::corrupt(name, problem),
        Stop::Foreign(global) => Error::unsupported(format!(
            "{name} asks Python for {global}, which tensors do not need; nothing of it was executed. Use a file \
             that holds only a state dict, best as safetensors"
        )),
    }
}

fn big_endian(name: &str) -> Error {
    Error::unsupported(format!("{name} was written on a big-endian machine; save it again on another"))
}

/// The tensors of a state dict: those at the top of the pickle, or else those of the one dictionary there that holds
/// any. An optimizer has its own one level deeper. Single numbers do not make a state dict: a checkpoint may have the
/// loss as one.
fn state_dict<'p, 'a>(name: &str, pickle: &'p Pickle<'a>) -> Result<Vec<(&'a str, &'p Tensor)>> {
    let Some(top) = pickle.pairs(pickle.root) else {
        return Err(without_tensors(name, pickle, "it holds something else than a dictionary of tensors"));
    };
    let is_state = |tensors: &[(&str, &Tensor)]| tensors.iter().any(|(_, tensor)| !tensor.shape.is_empty());
    let tensors = tensors_of(pickle, top);
    if is_state(&tensors) {
        return Ok(tensors);
    }
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for &(key, value) in top {
        // A pickle can name one dictionary again and again.
        if let (Value::Str(key), Value::Dict(index)) = (key, value)
            && seen.insert(index)
        {
            let inner = tensors_of(pickle, pickle.pairs(value).unwrap_or_default());
            if is_state(&inner) {
                found.push((key, inner));
            }
        }
    }
    let keys: Vec<&str> = found.iter().map(|&(key, _)| key).collect();
    match found.into_iter().next() {
        Some((_, tensors)) if keys.len() == 1 => Ok(tensors),
        Some(_) => Err(Error::unsupported(format!(
            "{name} holds several dictionaries of tensors ({}); save the one that is the model's",
            keys.join(", ")
        ))),
        None => Err(without_tensors(name, pickle, "there are no tensors in it")),
    }
}

/// Why no state dict was found. Where Python would have made an object, that may have been it.
fn without_tensors(name: &str, pickle: &Pickle<'_>, problem: &str) -> Error {
    let pairs = latest(pickle.pairs(pickle.root).unwrap_or_default()).into_iter();
    let objects = pairs.filter_map(|(key, value)| Some(format!("{key} ({})", pickle.foreign_name(value)?)));
    let objects: Vec<String> = objects.take(MAX_NAMED).collect();
    let first = pickle.foreign_name(pickle.root).or_else(|| pickle.foreign_name(Value::Object(0)));
    let asks = match first {
        _ if !objects.is_empty() => format!("Python would have to make {}", objects.join(", ")),
        Some(first) => format!("it asks Python for {first}"),
        None => return Error::corrupt(name, problem),
    };
    Error::unsupported(format!(
        "{name} holds no tensors that can be read, because {asks}; nothing of it was executed. Save its state dict \
         alone, best as safetensors"
    ))
}

/// The settings of an encoder. Of those that are no plain values, only that they are there is known.
fn parameters(pickle: &Pickle<'_>) -> BTreeMap<String, Parameter> {
    let settings = pickle.get(pickle.root, PARAMETERS);
    let pairs = settings.and_then(|settings| pickle.pairs(settings)).unwrap_or_default();
    let parameters = latest(pairs).into_iter().take(MAX_PARAMETERS).map(|(key, value)| {
        let parameter = match value {
            Value::None => Parameter::None,
            Value::Bool(value) => Parameter::Bool(value),
            Value::Int(value) => Parameter::Int(value),
            Value::Float(value) => Parameter::Float(value),
            Value::Str(text) if text.len() <= MAX_KEY => Parameter::Text(text.to_owned()),
            _ => Parameter::Other,
        };
        (key.to_owned(), parameter)
    });
    parameters.collect()
}

fn tensors_of<'p, 'a>(
    pickle: &'p Pickle<'a>,
    pairs: &[(Value<'a>, Value<'a>)],
) -> Vec<(&'a str, &'p Tensor)> {
    let tensors = latest(pairs).into_iter().filter_map(|(key, value)| match value {
        Value::Tensor(index) => Some((key, pickle.tensors.get(index)?)),
        _ => None,
    });
    tensors.collect()
}

/// What a dictionary holds by its keys that are texts: the last value of each. Keys stay borrowed, as a pickle can name
/// one again and again.
fn latest<'a>(pairs: &[(Value<'a>, Value<'a>)]) -> BTreeMap<&'a str, Value<'a>> {
    let mut latest = BTreeMap::new();
    for &(key, value) in pairs {
        if let Value::Str(key) = key
            && key.len() <= MAX_KEY
        {
            latest.insert(key, value);
        }
    }
    latest
}

/// Places tensors in the file, given the bytes of each storage and how many they are.
fn place(
    name: &str,
    file_size: u64,
    pickle: &Pickle<'_>,
    tensors: Vec<(&str, &Tensor)>,
    regions: &HashMap<&str, (Rc<Region>, u64)>,
) -> Result<Vec<(String, Stored)>> {
    let place = |(key, tensor): (&str, &Tensor)| {
        let storage = pickle.storages.get(tensor.storage);
        let region = storage.and_then(|storage| Some((storage, regions.get(storage.key)?)));
        let stored =
            region.and_then(|(storage, (region, size))| stored(tensor, storage, region, *size, file_size));
        let stored = stored.ok_or_else(|| {
            let problem =
                format!("the tensor {key} of shape {:?} does not lie within its bytes", tensor.shape);
            Error::corrupt(name, problem)
        })?;
        Ok((key.to_owned(), stored))
    };
    tensors.into_iter().map(place).collect()
}

/// A tensor's place; `None` where it is not within its storage or larger than the file.
fn stored(
    tensor: &Tensor,
    storage: &Storage<'_>,
    region: &Rc<Region>,
    size: u64,
    file_size: u64,
) -> Option<Stored> {
    let bytes =
        tensor.shape.iter().try_fold(storage.width, |bytes, &length| bytes.checked_mul(length.max(1)))?;
    let first = storage.first.checked_add(tensor.offset)?;
    let mut last = first;
    for (length, stride) in tensor.shape.iter().zip(&tensor.strides) {
        last = last.checked_add(length.saturating_sub(1).checked_mul(*stride)?)?;
    }
    let end = if tensor.shape.contains(&0) { first } else { last.checked_add(1)? };
    let within = end <= storage.length && end.checked_mul(storage.width)? <= size && bytes <= file_size;
    let lengths = |lengths: &[u64]| -> Option<Vec<usize>> {
        lengths.iter().map(|&length| usize::try_from(length).ok()).collect()
    };
    let stored = Stored {
        dtype: storage.dtype,
        shape: lengths(&tensor.shape)?,
        strides: lengths(&tensor.strides)?,
        region: Rc::clone(region),
        first: first.checked_mul(storage.width)?,
    };
    within.then_some(stored)
}

/// The little-endian fields of a record; `None` beyond its end.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u16::from_le_bytes(bytes))
    }

    fn u32(self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes))
    }

    fn u64(self, at: usize) -> Option<u64> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u64::from_le_bytes(bytes))
    }
}
