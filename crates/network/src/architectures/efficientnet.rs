//! EfficientNet-B0 (Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"), with
//! torchvision's names, so that its state dicts load and its logits come out.

use super::Architecture;
use super::blocks::{InvertedResidual, Norm, SqueezeExcitation, convolution, dense, dropout};
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network};
use crate::op::{Activation, Op, Shape, Window};

pub(super) const B0: Architecture = Architecture {
    name: "efficientnet_b0",
    description: "EfficientNet-B0 for 224 pixels: inverted residuals with squeeze-and-excitation, as torchvision's",
    keys: &["dropout", "stochastic_depth"],
    hidden: &[],
    filters: &[],
    dropout: 0.2,
    build,
};

/// Expansion, channels, blocks, kernel and first stride of each stage of B0 (table 1 of the paper), which the Lites are made from too.
pub(super) const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 16, 1, 3, 1),
    (6, 24, 2, 3, 2),
    (6, 40, 2, 5, 2),
    (6, 80, 3, 3, 2),
    (6, 112, 3, 5, 1),
    (6, 192, 4, 5, 2),
    (6, 320, 1, 3, 1),
];
/// Channels behind the first convolution and before the classifier.
pub(super) const ENDS: (usize, usize) = (32, 1280);
const ACTIVATION: Activation = Activation::Silu;

fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let (norm, (first, last)) = (Norm::PYTORCH, ENDS);
    let stem = dense(&builder, first, Window::new(3, 2, 1));
    convolution(&mut builder, "features.0", stem, norm, Some(ACTIVATION))?;
    let all: usize = STAGES.iter().map(|stage| stage.2).sum();
    let mut before = 0;
    for (stage, (expansion, outputs, blocks, kernel, stride)) in STAGES.into_iter().enumerate() {
        for index in 0..blocks {
            let inputs = builder.shape().features();
            // A quarter of the block's own inputs, not of what it widens them to.
            let squeeze =
                SqueezeExcitation { squeezed: inputs / 4, activation: ACTIVATION, gate: Activation::Sigmoid };
            let block = InvertedResidual {
                kernel,
                stride: if index == 0 { stride } else { 1 },
                wide: inputs * expansion,
                outputs,
                squeeze: Some(squeeze),
                activation: ACTIVATION,
                norm,
                // As torchvision counts: the last block of n has the (n - 1)th part.
                skip: config.stochastic_depth.unwrap_or(0.0) * before as f64 / all as f64,
            };
            before += 1;
            block.push(&mut builder, &format!("features.{}.{index}", stage + 1))?;
        }
    }
    let head = dense(&builder, last, Window::new(1, 1, 0));
    convolution(&mut builder, &format!("features.{}", STAGES.len() + 1), head, norm, Some(ACTIVATION))?;
    builder.push("avgpool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    dropout(&mut builder, "classifier.0", config.dropout)?;
    builder.push("classifier.1", Op::Linear { inputs: last, outputs: classes })?;
    Ok(builder.finish(B0.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of `sum(p.numel() for p in torchvision.models.efficientnet_b0().parameters())`.
    #[test]
    fn parameters_are_counted_as_by_torchvision() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        let network = build(&ModelConfig::default(), input, 1000).unwrap();
        assert_eq!(network.parameter_count(), 5_288_548);
    }
}
