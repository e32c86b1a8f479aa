//! Where a file keeps its tensors, in whatever format: what the readers of formats make, and all that is needed to
//! read rows.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::folder::File;

/// How a file stores one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an [`F32`](Self::F32).
    BF16,
    /// Int8 with scales beside it, as a converted folder has it.
    I8,
    /// Two values of 4 bits a byte with scales beside them, as a converted folder has them.
    U4,
    /// Indices, such as BERT's `position_ids`, which the networks make themselves.
    I64,
    /// Any other, by name: listed, and refused when read.
    Other(&'static str),
}

impl Dtype {
    /// Bits of a value, where it is known.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::U4 => 4,
            Self::I8 => 8,
            Self::F16 | Self::BF16 => 16,
            Self::F32 => 32,
            Self::I64 | Self::Other(_) => 64,
        }
    }

    /// Whether a network can take its weights from values of this kind.
    #[must_use]
    pub fn is_weight(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::I8 | Self::U4)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::I8 => "i8",
            Self::U4 => "u4",
            Self::I64 => "i64",
            Self::Other(name) => name,
        })
    }
}

/// A tensor's place in its file. Whoever makes one has checked that every value lies within its region, and that the
/// tensor is no larger than the file.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// How many values lie between neighbours along each dimension.
    pub(crate) strides: Vec<usize>,
    /// The bytes that it is a view of, perhaps with others.
    pub(crate) region: Rc<Region>,
    /// Byte position of the first value within the region.
    pub(crate) first: u64,
}

/// Some consecutive bytes of a file.
#[derive(Debug)]
pub(crate) struct Region {
    /// What is written in front of the bytes and must be read before them, if anything. It is read late, when the file
    /// has been read up to there: reading it early would be a request to a server for each tensor.
    pub(crate) lead: Option<Lead>,
    /// Where the bytes begin, once it is known.
    start: OnceCell<u64>,
}

/// What is written in front of a region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lead {
    /// Its position and length.
    pub(crate) at: u64,
    pub(crate) length: u64,
    /// The first byte after the region that is known to belong to something else.
    pub(crate) limit: u64,
    /// Bytes of the region.
    pub(crate) size: u64,
    /// How long a name it must announce, or how many values.
    pub(crate) announced: u64,
    /// Checks what is announced and gives the number of bytes between the end of this lead and the region.
    pub(crate) gap: fn(lead: &[u8], announced: u64) -> Option<u64>,
}

impl Region {
    /// Bytes that begin at a known position.
    pub(crate) fn at(start: u64) -> Self {
        Self { lead: None, start: OnceCell::from(start) }
    }

    /// Bytes behind a lead.
    pub(crate) fn behind(lead: Lead) -> Self {
        Self { lead: Some(lead), start: OnceCell::new() }
    }

    /// Roughly where the region is, for bringing tensors into the order of the file.
    pub(crate) fn position(&self) -> u64 {
        self.start.get().copied().or(self.lead.map(|lead| lead.at)).unwrap_or(0)
    }

    /// Where the bytes begin; `name` is the file's, for messages.
    pub(crate) async fn start(&self, name: &str, file: &impl File) -> Result<u64> {
        if let Some(&start) = self.start.get() {
            return Ok(start);
        }
        let damaged = || {
            Error::corrupt(
                name,
                "the bytes of a tensor are not where its table of contents says, or of another length",
            )
        };
        let lead = self.lead.ok_or_else(damaged)?;
        let end = lead.at + lead.length;
        if end > file.size() {
            return Err(damaged());
        }
        let gap = (lead.gap)(&file.read(lead.at..end).await?, lead.announced).ok_or_else(damaged)?;
        let start = end.saturating_add(gap);
        if start.saturating_add(lead.size) > lead.limit {
            return Err(damaged());
        }
        Ok(*self.start.get_or_init(|| start))
    }
}

impl Stored {
    /// A tensor whose values lie row by row without gaps from a position in the file on.
    pub(crate) fn contiguous(dtype: Dtype, shape: Vec<usize>, offset: u64) -> Self {
        let strides = contiguous_strides(&shape);
        Self { dtype, shape, strides, region: Rc::new(Region::at(offset)), first: 0 }
    }

    /// Whether both are the same values because they are the same bytes, seen in the same way.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.region, &other.region)
            && self.first == other.first
            && self.dtype == other.dtype
            && self.shape == other.shape
            && self.strides == other.strides
    }

    /// Where it lies among others, for reading them in the order of the file.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.region.position(), self.first)
    }

    /// Whether the values lie row by row without gaps. The stride of a dimension of length 1 means nothing.
    pub(crate) fn is_contiguous(&self) -> bool {
        let plain = contiguous_strides(&self.shape);
        let mut strides = self.shape.iter().zip(self.strides.iter().zip(&plain));
        self.shape.contains(&0) || strides.all(|(&length, (found, plain))| length == 1 || found == plain)
    }
}

fn contiguous_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides: Vec<usize> = shape
        .iter()
        .rev()
        .scan(1_usize, |stride, &length| {
            let this = *stride;
            *stride = stride.saturating_mul(length);
            Some(this)
        })
        .collect();
    strides.reverse();
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_the_same_where_nothing_about_them_differs() {
        let tensor = Stored::contiguous(Dtype::F32, vec![2, 3], 8);
        assert!(tensor.is_same(&tensor.clone()));
        for other in [
            Stored { dtype: Dtype::F16, ..tensor.clone() },
            Stored { shape: vec![2, 2], ..tensor.clone() },
            Stored { strides: vec![1, 2], ..tensor.clone() },
            Stored { first: 4, ..tensor.clone() },
            Stored::contiguous(Dtype::F32, vec![2, 3], 8),
        ] {
            assert!(!tensor.is_same(&other), "{other:?}");
        }
    }

    #[test]
    fn a_dimension_of_length_one_does_not_matter() {
        let mut tensor = Stored::contiguous(Dtype::F32, vec![4, 1, 3], 0);
        assert_eq!(tensor.strides, [3, 3, 1]);
        tensor.strides = vec![3, 77, 1];
        assert!(tensor.is_contiguous());
        tensor.strides = vec![1, 1, 4];
        assert!(!tensor.is_contiguous());
    }
}
