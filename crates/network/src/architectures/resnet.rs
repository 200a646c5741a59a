//! ResNet-18 and ResNet-34 (He et al. 2016, "Deep Residual Learning for Image Recognition"), with torchvision's names,
//! so that its state dicts load and its logits come out.

use super::Architecture;
use crate::config::ConfigError;
use crate::network::{Builder, Network, NodeId, ShapeError};
use crate::op::{Activation, Convolution, Op, Shape, Window};

pub(super) const RESNET18: Architecture = Architecture {
    name: "resnet18",
    description: "residual network of 18 layers, as torchvision's",
    keys: &[],
    hidden: &[],
    filters: &[],
    build: |_, input, classes| build("resnet18", [2, 2, 2, 2], input, classes),
};

pub(super) const RESNET34: Architecture = Architecture {
    name: "resnet34",
    description: "residual network of 34 layers, as torchvision's",
    keys: &[],
    hidden: &[],
    filters: &[],
    build: |_, input, classes| build("resnet34", [3, 4, 6, 3], input, classes),
};

/// Channels of the four layers.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

fn build(name: &str, blocks: [usize; 4], input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let stem = Window { kernel: 7, stride: 2, padding: 3 };
    builder
        .push("conv1", Op::Conv2d(Convolution::new(input.features(), CHANNELS[0], stem).without_bias()))?;
    builder.push("bn1", Op::batch_norm(CHANNELS[0]))?;
    builder.push("relu", Op::Activation(Activation::Relu))?;
    builder.push("maxpool", Op::MaxPool(Window { kernel: 3, stride: 2, padding: 1 }))?;
    for (layer, (&channels, blocks)) in CHANNELS.iter().zip(blocks).enumerate() {
        for index in 0..blocks {
            // Every layer but the first begins by halving the map.
            let stride = if layer > 0 && index == 0 { 2 } else { 1 };
            block(&mut builder, &format!("layer{}.{index}", layer + 1), channels, stride)?;
        }
    }
    builder.push("avgpool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    builder.push("fc", Op::Linear { inputs: CHANNELS[3], outputs: classes })?;
    Ok(builder.finish(name))
}

/// Two 3x3 convolutions and the way around them, which is a 1x1 convolution where the shapes differ.
fn block(builder: &mut Builder, name: &str, channels: usize, stride: usize) -> Result<NodeId, ShapeError> {
    let (start, inputs) = (builder.last(), builder.shape().features());
    let convolution = |inputs, kernel, stride| {
        let window = Window { kernel, stride, padding: kernel / 2 };
        Op::Conv2d(Convolution::new(inputs, channels, window).without_bias())
    };
    builder.push(format!("{name}.conv1"), convolution(inputs, 3, stride))?;
    builder.push(format!("{name}.bn1"), Op::batch_norm(channels))?;
    builder.push(format!("{name}.relu1"), Op::Activation(Activation::Relu))?;
    builder.push(format!("{name}.conv2"), convolution(channels, 3, 1))?;
    let main = builder.push(format!("{name}.bn2"), Op::batch_norm(channels))?;
    let around = if stride == 1 && inputs == channels {
        start
    } else {
        builder.push_at(format!("{name}.downsample.0"), convolution(inputs, 1, stride), &[start])?;
        builder.push(format!("{name}.downsample.1"), Op::batch_norm(channels))?
    };
    builder.push_at(format!("{name}.add"), Op::Add, &[main, around])?;
    builder.push(format!("{name}.relu2"), Op::Activation(Activation::Relu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    /// The counts of `sum(p.numel() for p in torchvision.models.resnet18().parameters())` and its sister.
    #[test]
    fn parameters_are_counted_as_by_torchvision() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        for (architecture, count) in [(RESNET18, 11_689_512), (RESNET34, 21_797_672)] {
            let network = (architecture.build)(&ModelConfig::default(), input, 1000).unwrap();
            assert_eq!(network.parameter_count(), count);
        }
    }
}
