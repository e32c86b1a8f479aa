//! Where a file keeps its tensors, in whatever format: what the readers of formats make, and all that is needed to
//! read rows.

use std::fmt;

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
    /// Indices, such as BERT's `position_ids`, which the networks make themselves.
    I64,
    /// Any other, by name: listed, and refused when read.
    Other(&'static str),
}

impl Dtype {
    /// Whether a network can take its weights from values of this kind.
    #[must_use]
    pub fn is_weight(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::I8)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::I8 => "i8",
            Self::I64 => "i64",
            Self::Other(name) => name,
        })
    }
}

/// A tensor's place in its file. Whoever makes one has checked that every value lies within the file, and that the
/// tensor is no larger than the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    /// How many values lie between neighbours along each dimension.
    pub(crate) strides: Vec<usize>,
    /// Byte position of the first value.
    pub(crate) offset: u64,
}

impl Stored {
    /// A tensor whose values lie row by row without gaps.
    pub(crate) fn contiguous(dtype: Dtype, shape: Vec<usize>, offset: u64) -> Self {
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
        Self { dtype, shape, strides, offset }
    }

    /// Whether the values lie row by row without gaps. The stride of a dimension of length 1 means nothing.
    pub(crate) fn is_contiguous(&self) -> bool {
        let plain = Self::contiguous(self.dtype, self.shape.clone(), self.offset);
        let mut strides = self.shape.iter().zip(self.strides.iter().zip(&plain.strides));
        self.shape.contains(&0) || strides.all(|(&length, (found, plain))| length == 1 || found == plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
