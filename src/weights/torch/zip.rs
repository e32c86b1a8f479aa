//! The format of `torch.save` since 2020: a zip archive without compression, with the pickle in `NAME/data.pkl` and
//! each storage in `NAME/data/KEY`.
//!
//! Own code, because the crates for zip (zip, rawzip) read synchronously, which a browser's file cannot; of the
//! format, only the table of contents is needed. Checksums are not compared, as that would take reading it all.

use std::collections::HashMap;
use std::rc::Rc;

use super::pickle::{Foreign, Pickle};
use super::{Contents, Fields, MAX_CONTENTS, big_endian, explain, parameters, place, state_dict};
use crate::error::{Error, Result};
use crate::folder::File;
use crate::weights::index::{Lead, Region};

/// The record at the end without its comment, its zip64 form, and what points to the latter.
const END: u64 = 22;
const END_64: u64 = 56;
const LOCATOR: u64 = 20;
/// A record in the table of contents, and the one in front of the bytes of a file, without names and extras.
const ENTRY: usize = 46;
const LOCAL: u64 = 30;
/// The values of fields that are in a zip64 record instead.
const IN_ZIP64: u32 = u32::MAX;

/// One file of an archive.
#[derive(Debug)]
struct Record {
    /// Position of the record in front of its bytes.
    header: u64,
    size: u64,
    name_length: u16,
}

/// The table of contents.
#[derive(Debug)]
struct Archive {
    records: HashMap<String, Record>,
    /// Where each record and the table itself begin, ascending.
    starts: Vec<u64>,
}

/// Where the table of contents is.
struct Directory {
    offset: u64,
    size: u64,
    entries: u64,
}

pub(super) async fn index(name: &str, file: &impl File, foreign: Foreign) -> Result<Contents> {
    let archive = Archive::open(name, file).await?;
    let folders = archive.records.keys().filter_map(|record| record.strip_suffix("data.pkl"));
    let folders: Vec<&str> = folders.filter(|folder| folder.is_empty() || folder.ends_with('/')).collect();
    let &[folder] = folders.as_slice() else {
        return Err(Error::corrupt(name, "it is a zip archive, but not one that torch.save wrote"));
    };
    let record = |below: &str| archive.records.get(&format!("{folder}{below}"));
    if record("constants.pkl").is_some() {
        return Err(Error::unsupported(format!(
            "{name} is a TorchScript program; a file of weights is needed"
        )));
    }
    if let Some(byteorder) = record("byteorder")
        && archive.read(name, file, byteorder).await? != b"little"
    {
        return Err(big_endian(name));
    }
    let Some(data) = record("data.pkl") else { return Err(Error::internal("data.pkl is gone")) };
    let bytes = archive.read(name, file, data).await?;
    let pickle = Pickle::read(&bytes, foreign).map_err(|stop| explain(name, stop))?;
    let tensors = state_dict(name, &pickle)?;

    let mut regions = HashMap::new();
    for storage in tensors.iter().filter_map(|(_, tensor)| pickle.storages.get(tensor.storage)) {
        let key = storage.key;
        let missing = || Error::corrupt(name, format!("its pickle refers to data/{key}, which is not there"));
        let record = record(&format!("data/{key}")).ok_or_else(missing)?;
        regions.entry(key).or_insert_with(|| (Rc::new(archive.region(record)), record.size));
    }
    let tensors = place(name, file.size(), &pickle, tensors, &regions)?;
    Ok(Contents { tensors, parameters: parameters(&pickle) })
}

impl Archive {
    async fn open(name: &str, file: &impl File) -> Result<Self> {
        let directory = Directory::find(name, file).await?;
        let bytes = file.read(directory.offset..directory.offset + directory.size).await?;
        let damaged = || Error::corrupt(name, "its table of contents is damaged");

        let mut archive = Self { records: HashMap::new(), starts: vec![directory.offset] };
        let mut rest = bytes.as_slice();
        for _ in 0..directory.entries {
            let fields = Fields(rest);
            let (entry, length) = Entry::read(rest).ok_or_else(damaged)?;
            if entry.encrypted || entry.method != 0 || entry.packed != entry.size {
                return Err(Error::unsupported(format!(
                    "{} in {name} is compressed or encrypted, which torch.save never does; unpack the archive and \
                     pack it again without compression",
                    entry.name
                )));
            }
            if fields.u32(0) != Some(u32::from_le_bytes(*b"PK\x01\x02")) || entry.header >= directory.offset {
                return Err(damaged());
            }
            archive.starts.push(entry.header);
            let record = Record { header: entry.header, size: entry.size, name_length: entry.name_length };
            if archive.records.insert(entry.name.to_owned(), record).is_some() {
                return Err(Error::corrupt(name, format!("it holds {} twice", entry.name)));
            }
            rest = rest.get(length..).ok_or_else(damaged)?;
        }
        if !rest.is_empty() {
            return Err(damaged());
        }
        archive.starts.sort_unstable();
        Ok(archive)
    }

    /// A small file of the archive.
    async fn read(&self, name: &str, file: &impl File, record: &Record) -> Result<Vec<u8>> {
        if record.size > MAX_CONTENTS {
            let problem = format!("its pickle has {} bytes, too many to be one", record.size);
            return Err(Error::corrupt(name, problem));
        }
        let start = self.region(record).start(name, file).await?;
        file.read(start..start + record.size).await
    }

    /// The bytes of a file, which end before the next record begins.
    fn region(&self, record: &Record) -> Region {
        let next = self.starts.partition_point(|&start| start <= record.header);
        Region::behind(Lead {
            at: record.header,
            length: LOCAL,
            limit: self.starts.get(next).copied().unwrap_or(0),
            size: record.size,
            announced: record.name_length.into(),
            gap: local_gap,
        })
    }
}

/// The name and the extras between the record in front of a file and its bytes. They may be longer than in the table
/// of contents: PyTorch pads them so that the bytes are aligned.
fn local_gap(record: &[u8], name_length: u64) -> Option<u64> {
    let record = Fields(record);
    let signed = record.u32(0)? == u32::from_le_bytes(*b"PK\x03\x04");
    let same = record.u16(8)? == 0 && u64::from(record.u16(26)?) == name_length;
    (signed && same).then_some(name_length + u64::from(record.u16(28)?))
}

impl Directory {
    async fn find(name: &str, file: &impl File) -> Result<Self> {
        let size = file.size();
        let tail_start = size.saturating_sub(END + LOCATOR + END_64 + u64::from(u16::MAX));
        let tail = file.read(tail_start..size).await?;
        let end = (0..=tail.len().saturating_sub(END as usize)).rev().find(|&at| {
            let record = tail.get(at..).unwrap_or_default();
            let comment = Fields(record).u16(20).map(|length| END as usize + usize::from(length));
            record.starts_with(b"PK\x05\x06") && comment == Some(record.len())
        });
        let truncated = || Error::corrupt(name, "the end of the zip archive is missing, so it is not whole");
        let end = end.ok_or_else(truncated)?;

        let (before, record) = tail.split_at_checked(end).ok_or_else(truncated)?;
        let (mut directory, in_zip64) = Self::from_end(Fields(record)).ok_or_else(truncated)?;
        let mut limit = tail_start + end as u64;
        if in_zip64 {
            let locator = before.len().checked_sub(LOCATOR as usize).and_then(|at| before.get(at..));
            let at = locator.filter(|locator| locator.starts_with(b"PK\x06\x07"));
            let at = at
                .and_then(|locator| Fields(locator).u64(8))
                .filter(|&at| at.checked_add(END_64).is_some_and(|end| end <= limit - LOCATOR));
            limit = at.ok_or_else(truncated)?;
            let record = file.read(limit..limit + END_64).await?;
            directory = Self::from_end_64(Fields(&record)).ok_or_else(truncated)?;
        }
        let fits = directory.offset.checked_add(directory.size).is_some_and(|end| end <= limit);
        if fits && directory.size <= MAX_CONTENTS {
            Ok(directory)
        } else {
            Err(Error::corrupt(name, "its table of contents is too large, or runs past the end of the file"))
        }
    }

    /// The directory, and whether the truth is in the zip64 record.
    fn from_end(record: Fields<'_>) -> Option<(Self, bool)> {
        let (entries, size, offset) = (record.u16(10)?, record.u32(12)?, record.u32(16)?);
        let in_zip64 = entries == u16::MAX || size == IN_ZIP64 || offset == IN_ZIP64;
        Some((Self { offset: offset.into(), size: size.into(), entries: entries.into() }, in_zip64))
    }

    fn from_end_64(record: Fields<'_>) -> Option<Self> {
        let signed = record.u32(0)? == u32::from_le_bytes(*b"PK\x06\x06");
        let directory = Self { entries: record.u64(32)?, size: record.u64(40)?, offset: record.u64(48)? };
        signed.then_some(directory)
    }
}

/// One entry of the table of contents.
struct Entry<'a> {
    name: &'a str,
    name_length: u16,
    method: u16,
    encrypted: bool,
    packed: u64,
    size: u64,
    header: u64,
}

impl<'a> Entry<'a> {
    /// The first entry of some bytes, and its length.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let fields = Fields(bytes);
        let name_length = fields.u16(28)?;
        let name_end = ENTRY + usize::from(name_length);
        let extra_end = name_end + usize::from(fields.u16(30)?);
        let length = extra_end + usize::from(fields.u16(32)?);
        let mut zip64 = zip64_values(bytes.get(name_end..extra_end)?);
        let mut wide = |value: u32| if value == IN_ZIP64 { zip64.next() } else { Some(value.into()) };
        let entry = Self {
            name: str::from_utf8(bytes.get(ENTRY..name_end)?).ok()?,
            name_length,
            encrypted: fields.u16(8)? & 1 == 1,
            method: fields.u16(10)?,
            // The order in which a zip64 record has them.
            size: wide(fields.u32(24)?)?,
            packed: wide(fields.u32(20)?)?,
            header: wide(fields.u32(42)?)?,
        };
        Some((entry, length))
    }
}

/// The numbers of the zip64 record among an entry's extras.
fn zip64_values(mut extras: &[u8]) -> impl Iterator<Item = u64> {
    let mut values: &[u8] = &[];
    while let (Some(kind), Some(length)) = (Fields(extras).u16(0), Fields(extras).u16(2)) {
        let end = 4 + usize::from(length);
        if kind == 1 {
            values = extras.get(4..end).unwrap_or_default();
        }
        extras = extras.get(end..).unwrap_or_default();
    }
    values.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes))
}
