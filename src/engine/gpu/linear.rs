//! The kernels of a dense layer: which there are, what each needs, and how it is dispatched.

use std::collections::BTreeMap;

use serde::Serialize;

use super::device::Features;
use super::packing::Order;
use super::shaders::{self, Shader};
use crate::engine::MatrixShape;
use crate::error::{Error, Result};
use crate::weights::Format;

/// How many rows a layer multiplies, as far as kernels differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RowClass {
    /// Up to 32: the tokens of a title, or one row for each of some documents.
    Few,
    /// Up to 256: a paper.
    Several,
    /// More.
    Many,
}

impl RowClass {
    pub(super) fn of(rows: usize) -> Self {
        match rows {
            0..=32 => Self::Few,
            33..=256 => Self::Several,
            _ => Self::Many,
        }
    }

    /// The least number of rows that belongs to it.
    pub(super) fn least(self) -> usize {
        match self {
            Self::Few => 1,
            Self::Several => 33,
            Self::Many => 257,
        }
    }
}

/// A way to compute a dense layer. The shaders of that name say how each works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearKernel {
    /// Sums in registers and nothing else; runs everywhere.
    Registers,
    /// The inputs of an output are split among the invocations of a workgroup.
    Split,
    /// The four invocations of a quad share what they read.
    Quads,
    /// Operands in workgroup memory as f32, in tiles of 32 rows and 32 outputs.
    SmallTiles,
    /// The same in tiles of 64.
    Tiles,
    /// The same as f16.
    HalfTiles,
    /// Both operands in int8, in tiles of 32.
    Dot,
}

impl LinearKernel {
    /// Every kernel.
    pub const ALL: [Self; 7] = [
        Self::Registers,
        Self::Split,
        Self::Quads,
        Self::SmallTiles,
        Self::Tiles,
        Self::HalfTiles,
        Self::Dot,
    ];

    /// The name in options and in `info()`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Split => "split",
            Self::Quads => "quads",
            Self::SmallTiles => "small-tiles",
            Self::Tiles => "tiles",
            Self::HalfTiles => "half-tiles",
            Self::Dot => "dot",
        }
    }

    /// The kernel of that name.
    pub fn from_name(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|kernel| kernel.name() == name);
        named.ok_or_else(|| Error::InvalidOption {
            problem: format!(
                "tuning is {name:?}; it can be 'measured', 'usual' or a kernel: {}",
                Self::ALL.map(Self::name).join(", ")
            ),
        })
    }

    /// Whether a device has what it takes, for weights of this format.
    pub(super) fn runs_on(self, features: Features, format: Format) -> bool {
        match self {
            Self::Registers | Self::Split | Self::SmallTiles | Self::Tiles => true,
            Self::Quads => features.subgroups,
            Self::HalfTiles => features.f16,
            Self::Dot => features.integer_dot && format.has_groups(),
        }
    }

    /// Whether it can be the fastest for so many rows: a large tile is mostly empty where they are few, and splitting inputs
    /// reads all weights again for each eight of them.
    pub(super) fn suits(self, rows: RowClass) -> bool {
        match self {
            Self::Registers | Self::Quads => true,
            Self::Split => rows == RowClass::Few,
            Self::SmallTiles => rows != RowClass::Many,
            Self::Tiles | Self::HalfTiles | Self::Dot => rows != RowClass::Few,
        }
    }

    /// The order in which it reads weights.
    pub(super) fn order(self) -> Order {
        if self == Self::Quads { Order::Quads } else { Order::Natural }
    }

    /// Whether it rounds operands, so that its answers differ from the reference by more than the order of sums
    /// explains.
    pub(super) fn rounds(self) -> bool {
        matches!(self, Self::HalfTiles | Self::Dot)
    }

    /// Whether there is a chance that a model bears it. Of q4, int8 products round the levels, too, which takes the mean
    /// cosine of all-MiniLM-L6-v2 from 0.986 to 0.980.
    pub(super) fn may_be_borne(self, format: Format) -> bool {
        !(self == Self::Dot && format == Format::Q4)
    }

    pub(super) fn shader(self, format: Format) -> &'static Shader {
        let [f32, f16, q8, q4] = match self {
            Self::Registers => [
                &shaders::LINEAR_REGISTERS_F32,
                &shaders::LINEAR_REGISTERS_F16,
                &shaders::LINEAR_REGISTERS_Q8,
                &shaders::LINEAR_REGISTERS_Q4,
            ],
            Self::Split => [
                &shaders::LINEAR_SPLIT_F32,
                &shaders::LINEAR_SPLIT_F16,
                &shaders::LINEAR_SPLIT_Q8,
                &shaders::LINEAR_SPLIT_Q4,
            ],
            Self::Quads => [
                &shaders::LINEAR_QUADS_F32,
                &shaders::LINEAR_QUADS_F16,
                &shaders::LINEAR_QUADS_Q8,
                &shaders::LINEAR_QUADS_Q4,
            ],
            Self::SmallTiles => [
                &shaders::LINEAR_SMALL_TILES_F32,
                &shaders::LINEAR_SMALL_TILES_F16,
                &shaders::LINEAR_SMALL_TILES_Q8,
                &shaders::LINEAR_SMALL_TILES_Q4,
            ],
            Self::Tiles => [
                &shaders::LINEAR_TILES_F32,
                &shaders::LINEAR_TILES_F16,
                &shaders::LINEAR_TILES_Q8,
                &shaders::LINEAR_TILES_Q4,
            ],
            Self::HalfTiles => [
                &shaders::LINEAR_HALF_TILES_F32,
                &shaders::LINEAR_HALF_TILES_F16,
                &shaders::LINEAR_HALF_TILES_Q8,
                &shaders::LINEAR_HALF_TILES_Q4,
            ],
            Self::Dot => {
                debug_assert!(format.has_groups(), "it runs on nothing else");
                let [q8, q4] = [&shaders::LINEAR_DOT_Q8, &shaders::LINEAR_DOT_Q4];
                [q8, q8, q8, q4]
            }
        };
        match format {
            Format::F32 => f32,
            Format::F16 => f16,
            Format::Q8 => q8,
            Format::Q4 => q4,
        }
    }

    /// How many outputs and how many rows a workgroup computes; `groups` as in `linear_quads.wgsl`.
    pub(super) fn workgroup(self, groups: usize) -> [usize; 2] {
        match self {
            Self::Registers => [64, 32],
            Self::Split => [4, 8],
            Self::Quads => [128, 8 * groups],
            Self::SmallTiles | Self::Dot => [32, 32],
            Self::Tiles | Self::HalfTiles => [64, 64],
        }
    }
}

/// The kernels of a matrix, which all read its weights in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// For up to 32 rows.
    pub few: LinearKernel,
    /// For up to 256.
    pub several: LinearKernel,
    /// For more.
    pub many: LinearKernel,
    /// In their places, where it is known that rounding activations keeps the model's vectors.
    #[serde(skip_serializing_if = "RoundingKernels::is_empty")]
    pub rounding: RoundingKernels,
}

/// Kernels that round activations, where they are worth it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RoundingKernels {
    /// For 33 to 256 rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub several: Option<LinearKernel>,
    /// For more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub many: Option<LinearKernel>,
}

impl RoundingKernels {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Plan {
    /// The kernel for so many rows that rounds activations, where there is one.
    pub(super) fn rounding(self, rows: RowClass) -> Option<LinearKernel> {
        match rows {
            RowClass::Few => None,
            RowClass::Several => self.rounding.several,
            RowClass::Many => self.rounding.many,
        }
    }

    /// The kernel that is taken unless another one may round.
    pub(super) fn plain(self, rows: RowClass) -> LinearKernel {
        match rows {
            RowClass::Few => self.few,
            RowClass::Several => self.several,
            RowClass::Many => self.many,
        }
    }

    /// One kernel for any number of rows.
    pub(super) fn all(kernel: LinearKernel) -> Self {
        Self { few: kernel, several: kernel, many: kernel, rounding: RoundingKernels::default() }
    }

    /// All of its kernels, some of them perhaps twice.
    pub(super) fn kernels(self) -> impl Iterator<Item = LinearKernel> {
        let RoundingKernels { several, many } = self.rounding;
        [self.few, self.several, self.many].into_iter().chain(several).chain(many)
    }

    /// The order in which weights are read.
    pub(super) fn order(self) -> Order {
        self.few.order()
    }
}

/// The plans of a model's matrices.
pub(super) type Plans = BTreeMap<MatrixShape, Plan>;
