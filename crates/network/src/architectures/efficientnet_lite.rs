//! EfficientNet-Lite0 to 4 (Liu 2020, the "lite" variants of Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for
//! Convolutional Neural Networks"): no squeeze-and-excitation, ReLU6, and a stem and head that are not scaled.
//!
//! The authors' networks, with TensorFlow's padding and BatchNorm: timm's `tf_efficientnet_lite0` to `4`, whose parameter names
//! these are, so that its state dicts load and its logits come out.

use super::Architecture;
use super::blocks::{Norm, dense, depthwise, divisible, dropout, stochastic_depth};
use super::efficientnet::{ENDS, STAGES};
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network, NodeId, ShapeError};
use crate::op::{Activation, Op, Shape, Window};

/// A scaled variant.
#[derive(Debug, Clone, Copy)]
struct Scale {
    name: &'static str,
    /// Factor of the channels.
    width: f64,
    /// Factor of the blocks.
    depth: f64,
}

const fn entry(
    name: &'static str,
    description: &'static str,
    dropout: f64,
    build: fn(&ModelConfig, Shape, usize) -> Result<Network, ConfigError>,
) -> Architecture {
    Architecture {
        name,
        description,
        keys: &["dropout", "stochastic_depth"],
        hidden: &[],
        filters: &[],
        dropout,
        build,
    }
}

const LITE0: Scale = Scale { name: "efficientnet_lite0", width: 1.0, depth: 1.0 };
const LITE1: Scale = Scale { name: "efficientnet_lite1", width: 1.0, depth: 1.1 };
const LITE2: Scale = Scale { name: "efficientnet_lite2", width: 1.1, depth: 1.2 };
const LITE3: Scale = Scale { name: "efficientnet_lite3", width: 1.2, depth: 1.4 };
const LITE4: Scale = Scale { name: "efficientnet_lite4", width: 1.4, depth: 1.8 };

pub(super) const ARCHITECTURES: [Architecture; 5] = [
    entry(
        LITE0.name,
        "EfficientNet-Lite0 for 224 pixels, as timm's tf_efficientnet_lite0",
        0.2,
        |config, input, classes| build(LITE0, config, input, classes),
    ),
    entry(
        LITE1.name,
        "EfficientNet-Lite1 for 240 pixels, as timm's tf_efficientnet_lite1",
        0.2,
        |config, input, classes| build(LITE1, config, input, classes),
    ),
    entry(
        LITE2.name,
        "EfficientNet-Lite2 for 260 pixels, as timm's tf_efficientnet_lite2",
        0.3,
        |config, input, classes| build(LITE2, config, input, classes),
    ),
    entry(
        LITE3.name,
        "EfficientNet-Lite3 for 280 pixels, as timm's tf_efficientnet_lite3",
        0.3,
        |config, input, classes| build(LITE3, config, input, classes),
    ),
    entry(
        LITE4.name,
        "EfficientNet-Lite4 for 300 pixels, as timm's tf_efficientnet_lite4",
        0.3,
        |config, input, classes| build(LITE4, config, input, classes),
    ),
];

/// TensorFlow's eps, and PyTorch's momentum, as in timm.
const NORM: Norm = Norm { eps: 1e-3, momentum: 0.1 };
const ACTIVATION: Op = Op::Activation(Activation::Relu6);
const ONE: Window = Window::same(1, 1);

fn build(scale: Scale, config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let (first, last) = ENDS;
    builder.push("conv_stem", dense(&builder, first, Window::same(3, 2)))?;
    builder.push("bn1", NORM.of(first))?;
    builder.push("act1", ACTIVATION)?;
    // The first and the last stage are not deepened.
    let deepened = |stage: usize| match stage {
        0 | 6 => STAGES[stage].2,
        _ => (STAGES[stage].2 as f64 * scale.depth).ceil() as usize,
    };
    let all: usize = (0..STAGES.len()).map(deepened).sum();
    let mut before = 0;
    for (stage, (expansion, channels, _, kernel, stride)) in STAGES.into_iter().enumerate() {
        let blocks = deepened(stage);
        let outputs = divisible(channels as f64 * scale.width);
        for index in 0..blocks {
            let window = Window::same(kernel, if index == 0 { stride } else { 1 });
            let skip = config.stochastic_depth.unwrap_or(0.0) * before as f64 / all as f64;
            block(&mut builder, &format!("blocks.{stage}.{index}"), expansion, outputs, window, skip)?;
            before += 1;
        }
    }
    builder.push("conv_head", dense(&builder, last, ONE))?;
    builder.push("bn2", NORM.of(last))?;
    builder.push("act2", ACTIVATION)?;
    builder.push("global_pool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    dropout(&mut builder, "dropout", config.dropout)?;
    builder.push("classifier", Op::Linear { inputs: last, outputs: classes })?;
    Ok(builder.finish(scale.name))
}

/// timm's `DepthwiseSeparableConv` without an expansion, else its `InvertedResidual`.
fn block(
    builder: &mut Builder,
    name: &str,
    expansion: usize,
    outputs: usize,
    window: Window,
    skip: f64,
) -> Result<NodeId, ShapeError> {
    let (start, inputs) = (builder.last(), builder.shape().features());
    let wide = inputs * expansion;
    // How many norms there have been: they are numbered.
    let mut norms = 0;
    let mut norm = |builder: &mut Builder, activation: bool| {
        norms += 1;
        let end = builder.push(format!("{name}.bn{norms}"), NORM.of(builder.shape().features()))?;
        if activation { builder.push(format!("{name}.act{norms}"), ACTIVATION) } else { Ok(end) }
    };
    if expansion > 1 {
        builder.push(format!("{name}.conv_pw"), dense(builder, wide, ONE))?;
        norm(builder, true)?;
    }
    builder.push(format!("{name}.conv_dw"), depthwise(builder, window))?;
    norm(builder, true)?;
    let narrow = if expansion > 1 { "conv_pwl" } else { "conv_pw" };
    builder.push(format!("{name}.{narrow}"), dense(builder, outputs, ONE))?;
    let end = norm(builder, false)?;
    if window.stride == 1 && inputs == outputs {
        let end = stochastic_depth(builder, name, end, skip)?;
        builder.push_at(format!("{name}.add"), Op::Add, &[end, start])
    } else {
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The counts of `sum(p.numel() for p in timm.create_model("tf_efficientnet_lite0").parameters())` and so on.
    #[test]
    fn parameters_are_counted_as_by_timm() {
        let counts = [4_652_008, 5_416_680, 6_092_072, 8_197_096, 13_006_568];
        for ((architecture, count), side) in ARCHITECTURES.iter().zip(counts).zip([224, 240, 260, 280, 300]) {
            let input = Shape::Map { height: side, width: side, channels: 3 };
            let network = (architecture.build)(&ModelConfig::default(), input, 1000).unwrap();
            assert_eq!(network.parameter_count(), count, "{}", architecture.name);
        }
    }
}
