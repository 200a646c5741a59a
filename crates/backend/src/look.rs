//! What whoever watches a training sees of a network: its tensors, how layers spread, what it looked at.

use pupila_network::ParameterSpec;

/// A trained tensor as it lies in memory: its elements in the backend's own order, for whoever only counts or sums them.
#[derive(Debug, Clone, Copy)]
pub struct TensorMemory<'a, T> {
    /// Its name and shape.
    pub spec: &'a ParameterSpec,
    /// Its values, and zeros where memory is filled up.
    pub values: &'a [T],
    /// The gradient of the last [`gradients`](crate::Backend::gradients), filled up likewise; empty where the backend doesn't train.
    pub gradient: &'a [T],
    /// How many elements only fill up memory.
    pub filling: usize,
}

/// What a network's memory is taken by, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryBytes {
    /// Values, tracked ones included.
    pub values: usize,
    /// Their gradients.
    pub gradients: usize,
    /// What the optimizer keeps.
    pub moments: usize,
    /// What lives for a part of a step.
    pub step: usize,
}

/// The first place at which a network's values are NaN or infinite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFinite {
    /// The images themselves.
    Images,
    /// A tensor of the network, by its name in the state dict: an update has overflowed.
    Tensor(String),
    /// The output of a layer, by its name and PyTorch module.
    Layer(String, &'static str),
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotFinite::Images => write!(f, "the images themselves"),
            NotFinite::Tensor(name) => write!(f, "the values of {name}"),
            NotFinite::Layer(name, module) => write!(f, "the output of {name} ({module})"),
        }
    }
}

/// How the output of a layer and the gradient of the loss by it spread over a batch.
#[derive(Debug, Clone, Default)]
pub struct Spread {
    /// Name of the layer; where ops run together, of the last of them.
    pub layer: String,
    /// Its PyTorch module.
    pub module: &'static str,
    /// Mean of the output's elements.
    pub activation_mean: f64,
    /// Variance of the output's elements.
    pub activation_variance: f64,
    /// Share of the output's elements that are exactly zero, as behind a ReLU.
    pub zeros_frac: f64,
    /// Features of the output: the units of a linear layer, the channels of a map.
    pub features: usize,
    /// Share of the features that are zero for every sample of the batch, and at every place of a map.
    pub dead_frac: f64,
    /// Variance of the gradient's elements.
    pub gradient_variance: f64,
}

/// How a map came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Grad-CAM at the output of this layer, the last convolution with the ops that run together with it:
    /// normalisation, residual sum, activation, max-pooling.
    GradCam {
        /// The layer, by its name in the network.
        layer: String,
    },
    /// The largest magnitude, over the channels, of the gradient of the class's logit by each pixel as the network sees it.
    InputGradient,
}

/// Maps of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// How they came about.
    pub method: Method,
    /// Rows of a map.
    pub height: usize,
    /// Columns of a map.
    pub width: usize,
    /// The maps, not scaled. `[batch, height, width]`
    pub maps: Vec<f32>,
    /// The logits of the forward pass. `[batch, classes]`
    pub logits: Vec<f32>,
}

/// The outputs of one layer for a batch, for whoever counts them.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Name of the layer; where ops run together, of the last of them.
    pub layer: String,
    /// Its PyTorch module.
    pub module: &'static str,
    /// The output's elements.
    pub values: Vec<f32>,
}
