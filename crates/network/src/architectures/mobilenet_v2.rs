//! MobileNetV2 (Sandler et al. 2018, "Inverted Residuals and Linear Bottlenecks"), with torchvision's names, so that its
//! state dicts load and its logits come out.

use super::Architecture;
use super::blocks::{Norm, convolution, dense, depthwise, dropout};
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network, NodeId, ShapeError};
use crate::op::{Activation, Op, Shape, Window};

pub(super) const ARCHITECTURE: Architecture = Architecture {
    name: "mobilenet_v2",
    description: "inverted residuals with depthwise convolutions, as torchvision's; small and deep",
    keys: &["dropout"],
    hidden: &[],
    filters: &[],
    dropout: 0.0,
    build,
};

/// Expansion, channels, blocks and first stride of each run of blocks (table 2 of the paper).
const RUNS: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];
/// Channels behind the first convolution and before the classifier.
const ENDS: (usize, usize) = (32, 1280);
const NORM: Norm = Norm::PYTORCH;
const ACTIVATION: Option<Activation> = Some(Activation::Relu6);
const ONE: Window = Window::new(1, 1, 0);

fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let (first, last) = ENDS;
    let stem = dense(&builder, first, Window::new(3, 2, 1));
    convolution(&mut builder, "features.0", stem, NORM, ACTIVATION)?;
    let mut index = 1;
    for (expansion, channels, blocks, stride) in RUNS {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            inverted_residual(&mut builder, &format!("features.{index}.conv"), expansion, channels, stride)?;
            index += 1;
        }
    }
    let head = dense(&builder, last, ONE);
    convolution(&mut builder, &format!("features.{index}"), head, NORM, ACTIVATION)?;
    builder.push("pool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    dropout(&mut builder, "classifier.0", config.dropout)?;
    builder.push("classifier.1", Op::Linear { inputs: last, outputs: classes })?;
    Ok(builder.finish(ARCHITECTURE.name))
}

/// Widen, convolve each channel by itself, narrow again without an activation; around it all where the shapes allow.
fn inverted_residual(
    builder: &mut Builder,
    name: &str,
    expansion: usize,
    channels: usize,
    stride: usize,
) -> Result<NodeId, ShapeError> {
    let (start, inputs) = (builder.last(), builder.shape().features());
    let wide = inputs * expansion;
    let mut index = 0;
    if expansion != 1 {
        let widen = dense(builder, wide, ONE);
        convolution(builder, &format!("{name}.0"), widen, NORM, ACTIVATION)?;
        index = 1;
    }
    let alone = depthwise(builder, Window::new(3, stride, 1));
    convolution(builder, &format!("{name}.{index}"), alone, NORM, ACTIVATION)?;
    let narrow = dense(builder, channels, ONE);
    builder.push(format!("{name}.{}", index + 1), narrow)?;
    let end = builder.push(format!("{name}.{}", index + 2), NORM.of(channels))?;
    if stride == 1 && inputs == channels {
        builder.push_at(format!("{name}.add"), Op::Add, &[end, start])
    } else {
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of `sum(p.numel() for p in torchvision.models.mobilenet_v2().parameters())`.
    #[test]
    fn parameters_are_counted_as_by_torchvision() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        let network = build(&ModelConfig::default(), input, 1000).unwrap();
        assert_eq!(network.parameter_count(), 3_504_872);
    }
}
