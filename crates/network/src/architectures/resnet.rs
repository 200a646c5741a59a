//! ResNet-18, ResNet-34 and ResNet-50 (He et al. 2016, "Deep Residual Learning for Image Recognition"), with torchvision's
//! names, so that its state dicts load and its logits come out.

use super::Architecture;
use super::blocks::dense;
use crate::config::ConfigError;
use crate::network::{Builder, Network, NodeId, ShapeError};
use crate::op::{Activation, Convolution, Op, Shape, Window};

pub(super) const RESNET18: Architecture = Architecture {
    name: "resnet18",
    description: "residual network of 18 layers, as torchvision's",
    keys: &[],
    hidden: &[],
    filters: &[],
    dropout: 0.0,
    build: |_, input, classes| build("resnet18", [2, 2, 2, 2], false, input, classes),
};

pub(super) const RESNET34: Architecture = Architecture {
    name: "resnet34",
    description: "residual network of 34 layers, as torchvision's",
    keys: &[],
    hidden: &[],
    filters: &[],
    dropout: 0.0,
    build: |_, input, classes| build("resnet34", [3, 4, 6, 3], false, input, classes),
};

pub(super) const RESNET50: Architecture = Architecture {
    name: "resnet50",
    description: "residual network of 50 layers with bottlenecks, as torchvision's",
    keys: &[],
    hidden: &[],
    filters: &[],
    dropout: 0.0,
    build: |_, input, classes| build("resnet50", [3, 4, 6, 3], true, input, classes),
};

/// Channels of the four layers.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

/// What a bottleneck widens its channels by.
const EXPANSION: usize = 4;

fn build(
    name: &str,
    blocks: [usize; 4],
    bottlenecks: bool,
    input: Shape,
    classes: usize,
) -> Result<Network, ConfigError> {
    let block = if bottlenecks { bottleneck } else { basic };
    let mut builder = Builder::new(input);
    let stem = Window::new(7, 2, 3);
    builder
        .push("conv1", Op::Conv2d(Convolution::new(input.features(), CHANNELS[0], stem).without_bias()))?;
    builder.push("bn1", Op::batch_norm(CHANNELS[0]))?;
    builder.push("relu", Op::Activation(Activation::Relu))?;
    builder.push("maxpool", Op::MaxPool(Window::new(3, 2, 1)))?;
    for (layer, (&channels, blocks)) in CHANNELS.iter().zip(blocks).enumerate() {
        for index in 0..blocks {
            // Every layer but the first begins by halving the map.
            let stride = if layer > 0 && index == 0 { 2 } else { 1 };
            block(&mut builder, &format!("layer{}.{index}", layer + 1), channels, stride)?;
        }
    }
    builder.push("avgpool", Op::GlobalAvgPool)?;
    builder.push("flatten", Op::Flatten)?;
    let inputs = builder.shape().features();
    builder.push("fc", Op::Linear { inputs, outputs: classes })?;
    Ok(builder.finish(name))
}

/// Two 3x3 convolutions and the way around them.
fn basic(builder: &mut Builder, name: &str, channels: usize, stride: usize) -> Result<NodeId, ShapeError> {
    let start = builder.last();
    push(builder, name, 1, channels, Window::new(3, stride, 1))?;
    builder.push(format!("{name}.relu1"), Op::Activation(Activation::Relu))?;
    let main = push(builder, name, 2, channels, Window::new(3, 1, 1))?;
    join(builder, name, (start, main), channels, stride, 2)
}

/// A 1x1 convolution to fewer channels, a 3x3 one, which has the stride, and a 1x1 one to four times as many; and the way around
/// them. (The paper has the stride in the first one; torchvision's place for it is known as ResNet v1.5.)
fn bottleneck(
    builder: &mut Builder,
    name: &str,
    channels: usize,
    stride: usize,
) -> Result<NodeId, ShapeError> {
    let (start, outputs) = (builder.last(), EXPANSION * channels);
    push(builder, name, 1, channels, Window::new(1, 1, 0))?;
    builder.push(format!("{name}.relu1"), Op::Activation(Activation::Relu))?;
    push(builder, name, 2, channels, Window::new(3, stride, 1))?;
    builder.push(format!("{name}.relu2"), Op::Activation(Activation::Relu))?;
    let main = push(builder, name, 3, outputs, Window::new(1, 1, 0))?;
    join(builder, name, (start, main), outputs, stride, 3)
}

/// A block's convolution of a number with its BatchNorm.
fn push(
    builder: &mut Builder,
    name: &str,
    number: usize,
    outputs: usize,
    window: Window,
) -> Result<NodeId, ShapeError> {
    let convolution = dense(builder, outputs, window);
    builder.push(format!("{name}.conv{number}"), convolution)?;
    builder.push(format!("{name}.bn{number}"), Op::batch_norm(outputs))
}

/// The sum of a block's convolutions and of the way around them, which is a 1x1 convolution where the shapes differ.
fn join(
    builder: &mut Builder,
    name: &str,
    (start, main): (NodeId, NodeId),
    outputs: usize,
    stride: usize,
    number: usize,
) -> Result<NodeId, ShapeError> {
    let inputs = builder.shape_of(start).features();
    let around = if stride == 1 && inputs == outputs {
        start
    } else {
        let convolution = Convolution::new(inputs, outputs, Window::new(1, stride, 0)).without_bias();
        builder.push_at(format!("{name}.downsample.0"), Op::Conv2d(convolution), &[start])?;
        builder.push(format!("{name}.downsample.1"), Op::batch_norm(outputs))?
    };
    builder.push_at(format!("{name}.add"), Op::Add, &[main, around])?;
    builder.push(format!("{name}.relu{number}"), Op::Activation(Activation::Relu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelConfig;

    /// The counts of `sum(p.numel() for p in torchvision.models.resnet18().parameters())` and its sisters.
    #[test]
    fn parameters_are_counted_as_by_torchvision() {
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        for (architecture, count) in [(RESNET18, 11_689_512), (RESNET34, 21_797_672), (RESNET50, 25_557_032)]
        {
            let network = (architecture.build)(&ModelConfig::default(), input, 1000).unwrap();
            assert_eq!(network.parameter_count(), count);
        }
    }
}
