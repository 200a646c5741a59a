//! The tensors of a network: names, shapes and roles, as PyTorch has them in a state dict.

use crate::network::NodeId;
use std::collections::BTreeMap;

/// What a tensor is to its op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The weight of a linear map.
    Weight,
    /// An added bias.
    Bias,
    /// The scale of a normalisation (PyTorch's `weight` of BatchNorm and LayerNorm).
    Scale,
    /// The shift of a normalisation (PyTorch's `bias` of BatchNorm and LayerNorm).
    Shift,
    /// The factors of a layer scale (timm's `gamma` of ConvNeXt).
    LayerScale,
    /// Running mean: tracked, not trained.
    RunningMean,
    /// Running variance: tracked, not trained.
    RunningVar,
}

impl Role {
    /// True for what the optimizer updates.
    pub fn trained(self) -> bool {
        !matches!(self, Role::RunningMean | Role::RunningVar)
    }

    /// The last part of the tensor's name in a PyTorch state dict.
    pub fn suffix(self) -> &'static str {
        match self {
            Role::Weight | Role::Scale => "weight",
            Role::Bias | Role::Shift => "bias",
            Role::LayerScale => "gamma",
            Role::RunningMean => "running_mean",
            Role::RunningVar => "running_var",
        }
    }
}

/// A map seen as a vector of `positions * channels` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlattenedMap {
    /// Height times width.
    pub positions: usize,
    /// Channels.
    pub channels: usize,
}

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterSpec {
    /// The op it belongs to.
    pub node: NodeId,
    /// Its name in a PyTorch state dict, for example `1.weight`.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its shape in a PyTorch state dict.
    pub shape: Vec<usize>,
    /// The map whose flattened vector a weight sees: of a linear op the flattened input, of a convolution one window.
    /// PyTorch counts that vector channels first, the engine channels last, so whoever moves the weight between the two
    /// needs the map's shape.
    pub flattened: Option<FlattenedMap>,
    /// Groups of a convolution's channels; 1 for everything else.
    pub groups: usize,
    /// Inputs that one output sums over; 0 where the notion has no meaning.
    pub fan_in: usize,
    /// Outputs that one input feeds; 0 where the notion has no meaning.
    pub fan_out: usize,
}

impl ParameterSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for a tensor without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A tensor in a PyTorch state dict: row-major, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub data: Vec<f32>,
}

/// Tensors by their PyTorch names.
pub type StateDict = BTreeMap<String, Tensor>;

/// A state dict that doesn't fit the network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StateError {
    /// A tensor of the network is not in the state dict.
    #[error("the state dict has no tensor `{0}`, which the network needs")]
    Missing(String),
    /// A tensor has another shape than the network's.
    #[error("tensor `{name}` has shape {found:?}, the network needs {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// What the network needs.
        expected: Vec<usize>,
        /// What the state dict has.
        found: Vec<usize>,
    },
    /// A tensor of the state dict is not of the network.
    #[error("the state dict has a tensor `{0}`, which the network does not have")]
    Unexpected(String),
}
