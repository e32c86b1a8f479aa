//! The kernels of a dense layer: which there are, what each needs, and how it is dispatched.

use std::collections::BTreeMap;

use serde::Serialize;

use super::device::Features;
use super::packing::Order;
use super::shaders::{self, Shader};
use crate::engine::MatrixShape;
use crate::error::{Error, Result};
use crate::weights::Format;

/// Up to this many rows are few: the tokens of a title, or one row for each of some documents.
pub(super) const FEW_ROWS: usize = 32;

/// A way to compute a dense layer. The shaders of that name say how each works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearKernel {
    /// Sums in registers and nothing else; runs everywhere.
    Registers,
    /// The four invocations of a quad share what they read.
    Quads,
    /// Operands in workgroup memory as f32.
    Tiles,
    /// Operands in workgroup memory as f16.
    HalfTiles,
    /// Both operands in int8.
    Dot,
}

impl LinearKernel {
    /// Every kernel.
    pub const ALL: [Self; 5] = [Self::Registers, Self::Quads, Self::Tiles, Self::HalfTiles, Self::Dot];

    /// The name in options and in `info()`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Quads => "quads",
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
            Self::Registers | Self::Tiles => true,
            Self::Quads => features.subgroups,
            Self::HalfTiles => features.f16,
            Self::Dot => features.integer_dot && format == Format::Q8,
        }
    }

    /// The order in which it reads weights.
    pub(super) fn order(self) -> Order {
        if self == Self::Quads { Order::Quads } else { Order::Natural }
    }

    /// Whether it rounds activations, so that its answers differ from the reference by more than the order of sums
    /// explains.
    pub(super) fn rounds(self) -> bool {
        matches!(self, Self::HalfTiles | Self::Dot)
    }

    pub(super) fn shader(self, format: Format) -> &'static Shader {
        let [f32, f16, q8, q4] = match self {
            Self::Registers => [
                &shaders::LINEAR_REGISTERS_F32,
                &shaders::LINEAR_REGISTERS_F16,
                &shaders::LINEAR_REGISTERS_Q8,
                &shaders::LINEAR_REGISTERS_Q4,
            ],
            Self::Quads => [
                &shaders::LINEAR_QUADS_F32,
                &shaders::LINEAR_QUADS_F16,
                &shaders::LINEAR_QUADS_Q8,
                &shaders::LINEAR_QUADS_Q4,
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
            Self::Dot => [&shaders::LINEAR_DOT; 4],
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
            Self::Quads => [128, 8 * groups],
            Self::Tiles | Self::HalfTiles => [64, 64],
            Self::Dot => [64, 16],
        }
    }
}

/// The kernels of a matrix, for few rows and for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// For up to 32 rows.
    pub few: LinearKernel,
    /// For more.
    pub many: LinearKernel,
    /// For more, where it is known that rounding activations keeps the model's vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounding: Option<LinearKernel>,
}

impl Plan {
    /// The kernel for so many rows.
    pub(super) fn kernel(self, rows: usize, may_round: bool) -> LinearKernel {
        match self.rounding {
            _ if rows <= FEW_ROWS => self.few,
            Some(rounding) if may_round => rounding,
            _ => self.many,
        }
    }

    pub(super) fn both(kernel: LinearKernel) -> Self {
        Self { few: kernel, many: kernel, rounding: None }
    }
}

/// The plans of a model's matrices.
pub(super) type Plans = BTreeMap<MatrixShape, Plan>;
