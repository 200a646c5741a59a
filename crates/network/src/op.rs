//! The ops of a network and the shapes that flow between them. One value of [`Op`] is one PyTorch module without its
//! tensors; shapes are per sample, the batch is added by the engine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of one sample between two ops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A feature map, stored height, width, channels (NHWC with the batch).
    Map {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels, contiguous in memory.
        channels: usize,
    },
    /// A vector of features.
    Vector(usize),
}

impl Shape {
    /// Number of elements of one sample.
    pub fn len(self) -> usize {
        match self {
            Shape::Map { height, width, channels } => height * width * channels,
            Shape::Vector(n) => n,
        }
    }

    /// True where the shape holds no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of features: the channels of a map, the length of a vector. It is the innermost dimension in memory.
    pub fn features(self) -> usize {
        match self {
            Shape::Map { channels, .. } => channels,
            Shape::Vector(n) => n,
        }
    }
}

/// The shape as PyTorch shows it without the batch: `3x64x64` (channels first) or `512`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Shape::Map { height, width, channels } => format!("{channels}x{height}x{width}"),
            Shape::Vector(n) => n.to_string(),
        };
        f.pad(&text)
    }
}

/// An elementwise activation, as the PyTorch module of the same name with its default arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, x)
    #[default]
    Relu,
    /// min(max(0, x), 6)
    Relu6,
    /// x where positive, else 0.01 x
    LeakyRelu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// tanh(x)
    Tanh,
    /// x Phi(x) with the exact normal distribution (Hendrycks and Gimpel 2016)
    Gelu,
    /// x sigmoid(x) (Elfwing, Uchibe and Doya 2017)
    Silu,
    /// x min(max(0, x + 3), 6) / 6 (Howard et al. 2019)
    Hardswish,
    /// min(max(0, x + 3), 6) / 6 (Courbariaux, Bengio and David 2015, with the slope of Howard et al. 2019)
    Hardsigmoid,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Activation; 9] = [
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Gelu,
        Activation::Silu,
        Activation::Hardswish,
        Activation::Hardsigmoid,
    ];

    /// The slope that LeakyReLU has below zero.
    pub const LEAKY_SLOPE: f64 = 0.01;

    /// The recommended gain for initialisation (`torch.nn.init.calculate_gain`); sqrt 2 for the smooth relatives of
    /// ReLU, for which PyTorch names none.
    pub fn gain(self) -> f64 {
        match self {
            Activation::Relu
            | Activation::Relu6
            | Activation::Gelu
            | Activation::Silu
            | Activation::Hardswish => 2f64.sqrt(),
            Activation::LeakyRelu => (2.0 / (1.0 + Self::LEAKY_SLOPE * Self::LEAKY_SLOPE)).sqrt(),
            Activation::Sigmoid | Activation::Hardsigmoid => 1.0,
            Activation::Tanh => 5.0 / 3.0,
        }
    }

    /// The name of the PyTorch module.
    pub fn module(self) -> &'static str {
        match self {
            Activation::Relu => "ReLU",
            Activation::Relu6 => "ReLU6",
            Activation::LeakyRelu => "LeakyReLU",
            Activation::Sigmoid => "Sigmoid",
            Activation::Tanh => "Tanh",
            Activation::Gelu => "GELU",
            Activation::Silu => "SiLU",
            Activation::Hardswish => "Hardswish",
            Activation::Hardsigmoid => "Hardsigmoid",
        }
    }
}

/// What a convolution sees beyond the edge of its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// Zeros.
    Zeros,
    /// The input mirrored at the edge, the edge itself not repeated.
    #[default]
    Reflect,
}

/// How many rows and columns stand around the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// So many on each side.
    Each(usize),
    /// As many as it takes for a window at every `stride`-th row and column: side / stride windows, rounded up. An odd one stands
    /// behind. (TensorFlow's `SAME`, timm's `pad_same`.)
    Same,
}

/// The window of a convolution or of pooling: square, the same in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    /// Rows and columns from one window to the next.
    pub stride: usize,
    /// Rows and columns added around the input.
    pub padding: Padding,
}

impl Window {
    /// A window of `kernel` x `kernel` at every `stride`-th row and column, with `padding` of them on each side of the input.
    pub const fn new(kernel: usize, stride: usize, padding: usize) -> Self {
        Window { kernel, stride, padding: Padding::Each(padding) }
    }

    /// A window whose padding follows the size of the input: [`Padding::Same`].
    pub const fn same(kernel: usize, stride: usize) -> Self {
        Window { kernel, stride, padding: Padding::Same }
    }

    /// Rows (or columns) added before the first and behind the last of an input of `side` of them.
    pub fn around(self, side: usize) -> (usize, usize) {
        match self.padding {
            Padding::Each(padding) => (padding, padding),
            Padding::Same => {
                let last = (side.div_ceil(self.stride) - usize::from(side > 0)) * self.stride;
                let total = (last + self.kernel).saturating_sub(side);
                (total / 2, total - total / 2)
            }
        }
    }

    /// Number of windows along a side; 0 where the input is smaller than one.
    pub fn count(self, side: usize) -> usize {
        let (before, behind) = self.around(side);
        let padded = before + side + behind;
        if padded < self.kernel { 0 } else { (padded - self.kernel) / self.stride + 1 }
    }
}

/// A convolution without its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// The window.
    pub window: Window,
    /// What is beyond the edge.
    pub padding_mode: PaddingMode,
    /// Groups of channels, each convolved by itself; as many as there are channels make it depthwise.
    pub groups: usize,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Convolution {
    /// A convolution over all channels, with a bias and zeros beyond the edge.
    pub fn new(inputs: usize, outputs: usize, window: Window) -> Self {
        Convolution { inputs, outputs, window, padding_mode: PaddingMode::Zeros, groups: 1, bias: true }
    }

    /// Without the bias, as before a BatchNorm, which would take it away again.
    pub fn without_bias(self) -> Self {
        Convolution { bias: false, ..self }
    }

    /// Input channels that one output sees.
    pub fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }
}

/// One op of a network.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The input of the network: decoded, normalised images.
    Input,
    /// A map to a vector. In memory nothing moves: the vector is in height, width, channels order, and the layout of
    /// the [`Op::Linear`] behind it makes up for PyTorch's channels-first order.
    Flatten,
    /// y = x W + b
    Linear {
        /// Input features.
        inputs: usize,
        /// Output features.
        outputs: usize,
    },
    /// A convolution (cross-correlation, as everywhere in deep learning).
    Conv2d(Convolution),
    /// The largest value of each window and channel.
    MaxPool(Window),
    /// The mean of each window and channel; what is beyond the edge counts as zeros, as in PyTorch.
    AvgPool(Window),
    /// The mean of each channel over the whole map, a map of 1 x 1 (`AdaptiveAvgPool2d(1)`).
    GlobalAvgPool,
    /// The sum of two inputs of one shape: the residual connection (He et al. 2016).
    Add,
    /// A map times one factor for each of its channels, which a second input gives: a map of 1 x 1 or a vector. What
    /// squeeze-and-excitation does with its gates (Hu, Shen and Sun 2018).
    Multiply,
    /// Batch normalisation over every dimension but the features (Ioffe and Szegedy 2015; PyTorch's BatchNorm1d and 2d).
    BatchNorm {
        /// Features, each with its own statistics.
        features: usize,
        /// Added to the variance.
        eps: f64,
        /// Share of the new batch in the running statistics.
        momentum: f64,
    },
    /// Normalisation of each pixel over its channels, with a scale and a shift for each channel (Ba, Kiros and Hinton 2016;
    /// PyTorch's LayerNorm over the innermost dimension, timm's LayerNorm2d).
    LayerNorm {
        /// Features that are normalised together.
        features: usize,
        /// Added to the variance.
        eps: f64,
    },
    /// A learnt factor for each feature, near zero in the beginning (Touvron et al. 2021, "Going Deeper with Image Transformers").
    LayerScale {
        /// Features, each with its own factor.
        features: usize,
    },
    /// An elementwise activation.
    Activation(Activation),
    /// Zeroes each element with probability `p` while training and scales the others by 1 / (1 - p) (Srivastava et al. 2014).
    Dropout {
        /// Probability of a zero.
        p: f64,
    },
    /// Zeroes all of a sample with probability `p` while training and scales the others by 1 / (1 - p): a residual block that is skipped (Huang et al. 2016,
    /// "Deep Networks with Stochastic Depth"; `torchvision.ops.stochastic_depth` by rows).
    StochasticDepth {
        /// Probability that a sample skips the block.
        p: f64,
    },
}

impl Op {
    /// PyTorch's default BatchNorm for so many features.
    pub fn batch_norm(features: usize) -> Self {
        Op::BatchNorm { features, eps: 1e-5, momentum: 0.1 }
    }

    /// The name of the PyTorch module.
    pub fn module(&self) -> &'static str {
        match self {
            Op::Input => "Input",
            Op::Flatten => "Flatten",
            Op::Linear { .. } => "Linear",
            Op::Conv2d(_) => "Conv2d",
            Op::MaxPool(_) => "MaxPool2d",
            Op::AvgPool(_) => "AvgPool2d",
            Op::GlobalAvgPool => "AdaptiveAvgPool2d",
            Op::Add => "Add",
            Op::Multiply => "Multiply",
            Op::BatchNorm { .. } => "BatchNorm",
            Op::LayerNorm { .. } => "LayerNorm",
            Op::LayerScale { .. } => "LayerScale",
            Op::Activation(activation) => activation.module(),
            Op::Dropout { .. } => "Dropout",
            Op::StochasticDepth { .. } => "StochasticDepth",
        }
    }

    /// Multiply-adds of one sample, counted as two operations each. Elementwise work is not counted, as is usual.
    pub fn flops(&self, output: Shape) -> u64 {
        match self {
            Op::Linear { inputs, outputs } => 2 * (*inputs as u64) * (*outputs as u64),
            Op::Conv2d(convolution) => {
                let taps = convolution.window.kernel * convolution.window.kernel;
                2 * (convolution.group_inputs() * taps) as u64 * output.len() as u64
            }
            _ => 0,
        }
    }
}
