//! MobileNetV3 small and large (Howard et al. 2019, "Searching for MobileNetV3"), with torchvision's names, so that its state
//! dicts load and its logits come out.

use super::Architecture;
use super::blocks::{InvertedResidual, Norm, SqueezeExcitation, convolution, dense, divisible, dropout};
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network};
use crate::op::Activation::{Hardsigmoid, Hardswish, Relu};
use crate::op::{Activation, Op, Shape, Window};

pub(super) const SMALL: Architecture = Architecture {
    name: "mobilenet_v3_small",
    description: "MobileNetV3 small for 224 pixels: inverted residuals with squeeze-and-excitation, as torchvision's",
    keys: &["dropout"],
    hidden: &[],
    filters: &[],
    dropout: 0.2,
    build: |config, input, classes| build(SMALL.name, &SMALL_BLOCKS, 1024, config, input, classes),
};

pub(super) const LARGE: Architecture = Architecture {
    name: "mobilenet_v3_large",
    description: "MobileNetV3 large for 224 pixels: inverted residuals with squeeze-and-excitation, as torchvision's",
    keys: &["dropout"],
    hidden: &[],
    filters: &[],
    dropout: 0.2,
    build: |config, input, classes| build(LARGE.name, &LARGE_BLOCKS, 1280, config, input, classes),
};

/// Kernel, channels of the depthwise convolution, channels behind it, squeeze-and-excitation or not, activation, stride.
type Block = (usize, usize, usize, bool, Activation, usize);

/// Table 2 of the paper.
const SMALL_BLOCKS: [Block; 11] = [
    (3, 16, 16, true, Relu, 2),
    (3, 72, 24, false, Relu, 2),
    (3, 88, 24, false, Relu, 1),
    (5, 96, 40, true, Hardswish, 2),
    (5, 240, 40, true, Hardswish, 1),
    (5, 240, 40, true, Hardswish, 1),
    (5, 120, 48, true, Hardswish, 1),
    (5, 144, 48, true, Hardswish, 1),
    (5, 288, 96, true, Hardswish, 2),
    (5, 576, 96, true, Hardswish, 1),
    (5, 576, 96, true, Hardswish, 1),
];

/// Table 1 of the paper.
const LARGE_BLOCKS: [Block; 15] = [
    (3, 16, 16, false, Relu, 1),
    (3, 64, 24, false, Relu, 2),
    (3, 72, 24, false, Relu, 1),
    (5, 72, 40, true, Relu, 2),
    (5, 120, 40, true, Relu, 1),
    (5, 120, 40, true, Relu, 1),
    (3, 240, 80, false, Hardswish, 2),
    (3, 200, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 480, 112, true, Hardswish, 1),
    (3, 672, 112, true, Hardswish, 1),
    (5, 672, 160, true, Hardswish, 2),
    (5, 960, 160, true, Hardswish, 1),
    (5, 960, 160, true, Hardswish, 1),
];

/// Channels behind the first convolution.
const FIRST: usize = 16;
/// torchvision's constants for these two.
const NORM: Norm = Norm { eps: 1e-3, momentum: 0.01 };

fn build(
    name: &str,
    blocks: &[Block],
    last: usize,
    config: &ModelConfig,
    input: Shape,
    classes: usize,
) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let stem = dense(&builder, FIRST, Window::new(3, 2, 1));
    convolution(&mut builder, "features.0", stem, NORM, Some(Hardswish))?;
    for (index, &(kernel, wide, outputs, squeezes, activation, stride)) in blocks.iter().enumerate() {
        let squeezed = divisible((wide / 4) as f64);
        let squeeze = SqueezeExcitation { squeezed, activation: Relu, gate: Hardsigmoid };
        let squeeze = squeezes.then_some(squeeze);
        let block =
            InvertedResidual { kernel, stride, wide, outputs, squeeze, activation, norm: NORM, skip: 0.0 };
        block.push(&mut builder, &format!("features.{}", index + 1))?;
    }
    let wide = 6 * builder.shape().features();
    let head = dense(&builder, wide, Window::new(1, 1, 0));
    convolution(&mut builder, &format!("features.{}", blocks.len() + 1), head, NORM, Some(Hardswish))?;
    builder.push("avgpool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    builder.push("classifier.0", Op::Linear { inputs: wide, outputs: last })?;
    builder.push("classifier.1", Op::Activation(Hardswish))?;
    dropout(&mut builder, "classifier.2", config.dropout)?;
    builder.push("classifier.3", Op::Linear { inputs: last, outputs: classes })?;
    Ok(builder.finish(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts of `sum(p.numel() for p in torchvision.models.mobilenet_v3_small().parameters())` and its sister.
    #[test]
    fn parameters_are_counted_as_by_torchvision() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        for (architecture, count) in [(SMALL, 2_542_856), (LARGE, 5_483_032)] {
            let network = (architecture.build)(&ModelConfig::default(), input, 1000).unwrap();
            assert_eq!(network.parameter_count(), count);
        }
    }
}
