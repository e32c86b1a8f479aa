//! The format of `torch.save` until 2020, and still with `_use_new_zipfile_serialization=False`: a magic number, the
//! version of the protocol, facts about the machine, the object, and the keys of the storages, a pickle each; then for
//! each storage the number of its values in eight bytes, and the values.

use std::collections::HashMap;
use std::rc::Rc;

use super::pickle::{Foreign, Pickle, Stop, Value};
use super::{Contents, Fields, MAX_CONTENTS, big_endian, explain, parameters, place, state_dict};
use crate::error::{Error, Result};
use crate::folder::File;
use crate::weights::index::{Lead, Region};

/// `torch.serialization.MAGIC_NUMBER`, 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// `torch.serialization.PROTOCOL_VERSION`.
const PROTOCOL: i64 = 1001;
/// Bytes of the number in front of a storage.
const COUNT: u64 = 8;
/// How much is read at first: the pickles of a BERT fit.
const FIRST_READ: u64 = 128 << 10;

/// The pickles at the start of a file.
struct Pickles<'a> {
    big_endian: bool,
    object: Pickle<'a>,
    keys: Vec<&'a str>,
    length: usize,
}

pub(super) async fn index(name: &str, file: &impl File, foreign: Foreign) -> Result<Contents> {
    // Nothing says how long the pickles are, so what is read doubles until they end.
    let limit = file.size().min(MAX_CONTENTS);
    let mut length = limit.min(FIRST_READ);
    loop {
        let bytes = file.read(0..length).await?;
        match Pickles::read(&bytes, foreign) {
            Ok(pickles) => return pickles.place(name, file.size()),
            Err(Stop::Truncated) if length < limit => length = limit.min(length * 2),
            Err(stop) => return Err(explain(name, stop)),
        }
    }
}

impl<'a> Pickles<'a> {
    fn read(bytes: &'a [u8], foreign: Foreign) -> Result<Self, Stop> {
        let corrupt = |problem: &str| Err(Stop::Corrupt(problem.to_owned()));
        let mut length = 0;
        let mut next = |foreign| {
            let pickle = Pickle::read(bytes.get(length..).unwrap_or_default(), foreign)?;
            length += pickle.length;
            Ok(pickle)
        };
        if next(Foreign::Refused)?.root != Value::Long(&MAGIC) {
            return corrupt("it is a pickle, but not one of torch.save");
        }
        if next(Foreign::Refused)?.root != Value::Int(PROTOCOL) {
            return corrupt("its protocol is not that of torch.save");
        }
        let machine = next(Foreign::Refused)?;
        let mut facts = machine.pairs(machine.root).unwrap_or_default().iter();
        let big_endian = facts.any(|&fact| fact == (Value::Str("little_endian"), Value::Bool(false)));
        let object = next(foreign)?;
        let keys = next(Foreign::Refused)?;
        let keys = keys.items(keys.root).and_then(|keys| {
            let mut keys = keys.iter().map(|&key| match key {
                Value::Str(key) => Some(key),
                _ => None,
            });
            keys.by_ref().collect()
        });
        match keys {
            Some(keys) => Ok(Self { big_endian, object, keys, length }),
            None => corrupt("the keys of its storages are no list of texts"),
        }
    }

    fn place(&self, name: &str, file_size: u64) -> Result<Contents> {
        if self.big_endian {
            return Err(big_endian(name));
        }
        let mut sizes = HashMap::new();
        for storage in &self.object.storages {
            let size = (storage.length, storage.width);
            if sizes.insert(storage.key, size).is_some_and(|other| other != size) {
                return Err(Error::corrupt(name, format!("the storage {:?} has two sizes", storage.key)));
            }
        }
        let mut regions = HashMap::new();
        let mut position = self.length as u64;
        for &key in &self.keys {
            let region = sizes.get(key).and_then(|&(count, width)| {
                let (at, size) = (position, count.checked_mul(width)?);
                position = at.checked_add(COUNT)?.checked_add(size)?;
                let lead = Lead { at, length: COUNT, limit: position, size, announced: count, gap: no_gap };
                (position <= file_size).then(|| (Rc::new(Region::behind(lead)), size))
            });
            let Some(region) = region else {
                let problem =
                    format!("the storage {key:?} is not described, or runs past the end of the file");
                return Err(Error::corrupt(name, problem));
            };
            if regions.insert(key, region).is_some() {
                return Err(Error::corrupt(name, format!("it holds the storage {key:?} twice")));
            }
        }
        let tensors = place(name, file_size, &self.object, state_dict(name, &self.object)?, &regions)?;
        Ok(Contents { tensors, parameters: parameters(&self.object) })
    }
}

/// The values follow the number of them, which must be what the pickle says.
fn no_gap(lead: &[u8], count: u64) -> Option<u64> {
    (Fields(lead).u64(0)? == count).then_some(0)
}
