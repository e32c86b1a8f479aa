//! The kernels of attention: which there are, and what each needs.

use serde::Serialize;

use super::device::Features;
use super::shaders::{self, Shader};

/// A way to compute the attention of all tokens of a batch. The shaders of that name say how each works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKernel {
    /// An invocation for each query row and head; runs everywhere.
    Rows,
    /// The four invocations of a quad share four query rows of a head.
    Quads,
}

impl AttentionKernel {
    /// The kernel of that name, where there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "rows" => Some(Self::Rows),
            "quads" => Some(Self::Quads),
            _ => None,
        }
    }

    /// Whether a device has what it takes, for heads of this size.
    pub(super) fn runs_on(self, features: Features, head_size: usize) -> bool {
        self == Self::Rows || features.subgroups && [32, 64].contains(&head_size)
    }

    pub(super) fn shader(self, head_size: usize, relative: bool) -> &'static Shader {
        match (self, relative) {
            (Self::Rows, false) => &shaders::ATTENTION,
            (Self::Rows, true) => &shaders::ATTENTION_POSITIONS,
            (Self::Quads, false) if head_size == 32 => &shaders::ATTENTION_QUADS_32,
            (Self::Quads, false) => &shaders::ATTENTION_QUADS_64,
            (Self::Quads, true) if head_size == 32 => &shaders::ATTENTION_QUADS_POSITIONS_32,
            (Self::Quads, true) => &shaders::ATTENTION_QUADS_POSITIONS_64,
        }
    }
}
