//! The activation functions that published models name.

/// An elementwise function between two dense layers.
///
/// Names and formulas: `transformers/activations.py`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `x`.
    #[default]
    Identity,
    /// `x/2 (1 + erf(x/√2))`, BERT's own.
    Gelu,
    /// [`Gelu`](Self::Gelu), clipped to ±10.
    ClippedGelu,
    /// `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`.
    GeluTanh,
    /// `x σ(1.702 x)`.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `max(x, 0)²`.
    SquaredRelu,
    /// `x` where positive, `x/100` elsewhere.
    LeakyRelu,
    /// `x σ(x)`, also called swish.
    Silu,
    /// `x tanh(ln(1 + eˣ))`.
    Mish,
    /// `1/2 (1 + erf((x - 0.707107) / (0.282095 √2)))`.
    Laplace,
    /// `tanh(x)`.
    Tanh,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
}

impl Activation {
    /// All of them, in the order in which shaders and kernels number them.
    pub const ALL: [Self; 14] = [
        Self::Identity,
        Self::Gelu,
        Self::ClippedGelu,
        Self::GeluTanh,
        Self::QuickGelu,
        Self::Relu,
        Self::Relu6,
        Self::SquaredRelu,
        Self::LeakyRelu,
        Self::Silu,
        Self::Mish,
        Self::Laplace,
        Self::Tanh,
        Self::Sigmoid,
    ];

    /// The names that can be written in a config.
    pub const NAMES: &str = "gelu, gelu_10, gelu_new, quick_gelu, relu, relu6, relu2, leakyrelu, silu (swish), mish, laplace, tanh, \
         sigmoid, linear";

    /// Its number in the shaders and kernels.
    #[must_use]
    pub fn number(self) -> u32 {
        Self::ALL.iter().position(|&activation| activation == self).unwrap_or_default() as u32
    }

    /// The function of that name in transformers or adapters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "linear" => Self::Identity,
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_accurate" => {
                Self::GeluTanh
            }
            "gelu_10" => Self::ClippedGelu,
            "laplace" => Self::Laplace,
            "quick_gelu" => Self::QuickGelu,
            "relu" => Self::Relu,
            "relu6" => Self::Relu6,
            "relu2" => Self::SquaredRelu,
            "leakyrelu" | "leaky_relu" => Self::LeakyRelu,
            "silu" | "swish" => Self::Silu,
            "mish" => Self::Mish,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            _ => return None,
        })
    }
}
