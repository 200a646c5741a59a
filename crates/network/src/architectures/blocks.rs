//! What several architectures are made of: a convolution with its norm and activation, squeeze-and-excitation, and the inverted
//! residual of torchvision's MobileNetV3 and EfficientNet.

use crate::network::{Builder, NodeId, ShapeError};
use crate::op::{Activation, Convolution, Op, Window};

/// A BatchNorm's constants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    /// Added to the variance.
    pub(super) eps: f64,
    /// Share of the new batch in the running statistics.
    pub(super) momentum: f64,
}

impl Norm {
    /// PyTorch's defaults.
    pub(super) const PYTORCH: Norm = Norm { eps: 1e-5, momentum: 0.1 };

    pub(super) fn of(self, features: usize) -> Op {
        let Norm { eps, momentum } = self;
        Op::BatchNorm { features, eps, momentum }
    }
}

/// A convolution without a bias over all channels, for what the builder holds.
pub(super) fn dense(builder: &Builder, outputs: usize, window: Window) -> Op {
    Op::Conv2d(Convolution::new(builder.shape().features(), outputs, window).without_bias())
}

/// A convolution without a bias over each channel by itself.
pub(super) fn depthwise(builder: &Builder, window: Window) -> Op {
    let channels = builder.shape().features();
    let convolution = Convolution::new(channels, channels, window).without_bias();
    Op::Conv2d(Convolution { groups: channels, ..convolution })
}

/// Convolution, BatchNorm, activation under the names `0`, `1` and `2` (torchvision's `Conv2dNormActivation`).
pub(super) fn convolution(
    builder: &mut Builder,
    name: &str,
    convolution: Op,
    norm: Norm,
    activation: Option<Activation>,
) -> Result<NodeId, ShapeError> {
    builder.push(format!("{name}.0"), convolution)?;
    let end = builder.push(format!("{name}.1"), norm.of(builder.shape().features()))?;
    match activation {
        Some(activation) => builder.push(format!("{name}.2"), Op::Activation(activation)),
        None => Ok(end),
    }
}

/// Factors for the channels of a map from the means over all of it (Hu, Shen and Sun 2018, "Squeeze-and-Excitation Networks";
/// torchvision's `SqueezeExcitation`).
#[derive(Debug, Clone, Copy)]
pub(super) struct SqueezeExcitation {
    /// Channels in between.
    pub(super) squeezed: usize,
    /// The activation of these.
    pub(super) activation: Activation,
    /// The activation that makes them factors.
    pub(super) gate: Activation,
}

impl SqueezeExcitation {
    pub(super) fn push(self, builder: &mut Builder, name: &str) -> Result<NodeId, ShapeError> {
        let (map, channels) = (builder.last(), builder.shape().features());
        let one = Window::new(1, 1, 0);
        builder.push(format!("{name}.avgpool"), Op::GlobalAvgPool)?;
        builder.push(format!("{name}.fc1"), Op::Conv2d(Convolution::new(channels, self.squeezed, one)))?;
        builder.push(format!("{name}.activation"), Op::Activation(self.activation))?;
        builder.push(format!("{name}.fc2"), Op::Conv2d(Convolution::new(self.squeezed, channels, one)))?;
        let factors = builder.push(format!("{name}.scale_activation"), Op::Activation(self.gate))?;
        builder.push_at(format!("{name}.multiply"), Op::Multiply, &[map, factors])
    }
}

/// Widen, convolve each channel by itself, weigh the channels, narrow again without an activation; around it all where the
/// shapes allow (torchvision's `InvertedResidual` of MobileNetV3 and `MBConv` of EfficientNet).
#[derive(Debug, Clone, Copy)]
pub(super) struct InvertedResidual {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Channels of the depthwise convolution.
    pub(super) wide: usize,
    /// Channels of what comes out.
    pub(super) outputs: usize,
    pub(super) squeeze: Option<SqueezeExcitation>,
    pub(super) activation: Activation,
    pub(super) norm: Norm,
    /// Probability of skipping it while training.
    pub(super) skip: f64,
}

impl InvertedResidual {
    pub(super) fn push(self, builder: &mut Builder, name: &str) -> Result<NodeId, ShapeError> {
        let InvertedResidual { kernel, stride, wide, outputs, squeeze, activation, norm, skip } = self;
        let (start, inputs) = (builder.last(), builder.shape().features());
        let one = Window::new(1, 1, 0);
        let mut next = (0..).map(|index| format!("{name}.block.{index}"));
        let mut name_of = || next.next().unwrap_or_default();
        if wide != inputs {
            let widen = dense(builder, wide, one);
            convolution(builder, &name_of(), widen, norm, Some(activation))?;
        }
        let alone = depthwise(builder, Window::new(kernel, stride, kernel / 2));
        convolution(builder, &name_of(), alone, norm, Some(activation))?;
        if let Some(squeeze) = squeeze {
            squeeze.push(builder, &name_of())?;
        }
        let narrow = dense(builder, outputs, one);
        let end = convolution(builder, &name_of(), narrow, norm, None)?;
        if stride == 1 && inputs == outputs {
            let end = stochastic_depth(builder, name, end, skip)?;
            builder.push_at(format!("{name}.add"), Op::Add, &[end, start])
        } else {
            Ok(end)
        }
    }
}

/// Dropout where there is any.
pub(super) fn dropout(builder: &mut Builder, name: &str, p: Option<f64>) -> Result<(), ShapeError> {
    if let Some(p) = p.filter(|&p| p > 0.0) {
        builder.push(name, Op::Dropout { p })?;
    }
    Ok(())
}

/// Stochastic depth behind a residual block's last layer, where there is any.
pub(super) fn stochastic_depth(
    builder: &mut Builder,
    name: &str,
    end: NodeId,
    p: f64,
) -> Result<NodeId, ShapeError> {
    if p > 0.0 {
        builder.push(format!("{name}.stochastic_depth"), Op::StochasticDepth { p })
    } else {
        Ok(end)
    }
}

/// A number of channels rounded to a multiple of eight, and never down by more than a tenth (`_make_divisible` of Sandler et
/// al. 2018).
pub(super) fn divisible(channels: f64) -> usize {
    let rounded = ((channels + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }
}
