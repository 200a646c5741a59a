//! ConvNeXt-Atto (Liu et al. 2022, "A ConvNet for the 2020s", in the size of Wightman 2022), with timm's names, so that its
//! state dicts load and its logits come out.

use super::Architecture;
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network, NodeId, ShapeError};
use crate::op::{Activation, Convolution, Op, Shape, Window};

pub(super) const ATTO: Architecture = Architecture {
    name: "convnext_atto",
    description: "ConvNeXt-Atto for 224 pixels, 32 or more: depthwise 7x7, LayerNorm, GELU, as timm's",
    keys: &["dropout", "stochastic_depth"],
    hidden: &[],
    filters: &[],
    dropout: 0.0,
    build,
};

/// Blocks and channels of each stage.
const STAGES: [(usize, usize); 4] = [(2, 40), (2, 80), (6, 160), (2, 320)];
/// What a block widens its channels by.
const EXPANSION: usize = 4;
/// The least side of an image: stem and stages divide it by this.
const LEAST_SIDE: usize = 32;

fn norm(features: usize) -> Op {
    Op::LayerNorm { features, eps: 1e-6 }
}

fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    if let Shape::Map { height, width, .. } = input
        && height.min(width) < LEAST_SIDE
    {
        let message = format!("{} needs --size {LEAST_SIDE} or more, got {}", ATTO.name, height.min(width));
        return Err(ConfigError::Value { key: "name", message });
    }
    let mut builder = Builder::new(input);
    let (_, first) = STAGES[0];
    builder.push("stem.0", Op::Conv2d(Convolution::new(input.features(), first, Window::new(4, 4, 0))))?;
    builder.push("stem.1", norm(first))?;
    let all: usize = STAGES.iter().map(|stage| stage.0).sum();
    let mut before = 0;
    for (stage, (blocks, channels)) in STAGES.into_iter().enumerate() {
        let inputs = builder.shape().features();
        if stage > 0 {
            let halve = Convolution::new(inputs, channels, Window::new(2, 2, 0));
            builder.push(format!("stages.{stage}.downsample.0"), norm(inputs))?;
            builder.push(format!("stages.{stage}.downsample.1"), Op::Conv2d(halve))?;
        }
        for index in 0..blocks {
            // As timm counts: evenly from 0 to all of it.
            let skip = config.stochastic_depth.unwrap_or(0.0) * before as f64 / (all - 1) as f64;
            block(&mut builder, &format!("stages.{stage}.blocks.{index}"), skip)?;
            before += 1;
        }
    }
    let last = builder.shape().features();
    builder.push("head.global_pool", Op::GlobalAvgPool)?;
    builder.push("head.norm", norm(last))?;
    builder.push("head.flatten", Op::Flatten)?;
    super::blocks::dropout(&mut builder, "head.drop", config.dropout)?;
    builder.push("head.fc", Op::Linear { inputs: last, outputs: classes })?;
    Ok(builder.finish(ATTO.name))
}

/// Each channel by itself, then each pixel by itself, and around it all. The pixels' two maps are 1x1 convolutions (timm's
/// `conv_mlp`).
fn block(builder: &mut Builder, name: &str, skip: f64) -> Result<NodeId, ShapeError> {
    let (start, channels) = (builder.last(), builder.shape().features());
    let (wide, one) = (EXPANSION * channels, Window::new(1, 1, 0));
    let alone = Convolution::new(channels, channels, Window::new(7, 1, 3));
    builder.push(format!("{name}.conv_dw"), Op::Conv2d(Convolution { groups: channels, ..alone }))?;
    builder.push(format!("{name}.norm"), norm(channels))?;
    builder.push(format!("{name}.mlp.fc1"), Op::Conv2d(Convolution::new(channels, wide, one)))?;
    builder.push(format!("{name}.mlp.act"), Op::Activation(Activation::Gelu))?;
    builder.push(format!("{name}.mlp.fc2"), Op::Conv2d(Convolution::new(wide, channels, one)))?;
    // Its tensor is `gamma` of the block itself.
    let end = builder.push(name, Op::LayerScale { features: channels })?;
    let end = super::blocks::stochastic_depth(builder, name, end, skip)?;
    builder.push_at(format!("{name}.add"), Op::Add, &[end, start])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of `sum(p.numel() for p in timm.create_model("convnext_atto").parameters())`.
    #[test]
    fn parameters_are_counted_as_by_timm() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        let network = build(&ModelConfig::default(), input, 1000).unwrap();
        assert_eq!(network.parameter_count(), 3_695_520);
    }

    #[test]
    fn small_images_are_refused_with_the_size_that_is_needed() {
        let input = Shape::Map { height: 64, width: 31, channels: 3 };
        let error = build(&ModelConfig::default(), input, 3).unwrap_err().to_string();
        assert_eq!(error, "convnext_atto needs --size 32 or more, got 31");
    }
}
