//! The course's convolutional network: for each number of filters Conv 3x3, (BatchNorm,) activation, (Dropout,) MaxPool 2;
//! then Flatten, hidden linear layers, and the logits. Names are those of the `nn.Sequential` with the same modules.

use super::Architecture;
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network};
use crate::op::{Convolution, Op, Shape, Window};

pub(super) const ARCHITECTURE: Architecture = Architecture {
    name: "cnn",
    description: "3x3 convolutions, each halved by max-pooling (default 16, 32, 64 filters), then a hidden layer",
    keys: &["filters", "hidden", "padding", "activation", "batch_norm", "dropout"],
    hidden: &HIDDEN,
    filters: &FILTERS,
    dropout: 0.0,
    build,
};

/// The filters of the course's network.
const FILTERS: [usize; 3] = [16, 32, 64];
/// Its hidden layer.
const HIDDEN: [usize; 1] = [128];
/// Keeps height and width.
const WINDOW: Window = Window::new(3, 1, 1);
/// Halves them.
const POOL: Window = Window::new(2, 2, 0);

fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let filters = config.filters.as_deref().unwrap_or(&FILTERS);
    if let Shape::Map { height, width, .. } = input
        && let Ok(halvings) = u32::try_from(filters.len())
        && let Some(least) = 2usize.checked_pow(halvings).filter(|&least| height.min(width) < least)
    {
        return Err(ConfigError::Value {
            key: "filters",
            message: format!(
                "cnn with {halvings} poolings needs --size {least} or more, got {}",
                height.min(width)
            ),
        });
    }
    let mut builder = Builder::new(input);
    let mut index = 0;
    let mut push = |op| {
        let name = index.to_string();
        index += 1;
        builder.push(name, op).map(|node| (node, builder.shape()))
    };
    let (mut channels, mut shape) = (input.features(), input);
    for &filters in filters {
        let convolution = Convolution::new(channels, filters, WINDOW);
        push(Op::Conv2d(Convolution { padding_mode: config.padding, ..convolution }))?;
        if config.batch_norm {
            push(Op::batch_norm(filters))?;
        }
        push(Op::Activation(config.activation))?;
        if let Some(p) = config.dropout.filter(|&p| p > 0.0) {
            push(Op::Dropout { p })?;
        }
        (_, shape) = push(Op::MaxPool(POOL))?;
        channels = filters;
    }
    push(Op::Flatten)?;
    let mut width = shape.len();
    for &hidden in config.hidden.as_deref().unwrap_or(&HIDDEN) {
        push(Op::Linear { inputs: width, outputs: hidden })?;
        push(Op::Activation(config.activation))?;
        width = hidden;
    }
    push(Op::Linear { inputs: width, outputs: classes })?;
    Ok(builder.finish(ARCHITECTURE.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_course_network() {
        let network =
            build(&ModelConfig::default(), Shape::Map { height: 64, width: 64, channels: 3 }, 9).unwrap();
        // 448 + 4640 + 18496 + 4096*128 + 128 + 128*9 + 9, as PyTorch counts them.
        assert_eq!(network.parameter_count(), 549_161);
        let names: Vec<_> = network.parameters().into_iter().map(|p| (p.name, p.shape)).take(3).collect();
        let expected =
            [("0.weight", vec![16, 3, 3, 3]), ("0.bias", vec![16]), ("3.weight", vec![32, 16, 3, 3])];
        assert_eq!(names, expected.map(|(name, shape)| (name.to_owned(), shape)));
        assert_eq!(network.parameters()[6].name, "10.weight");
    }

    #[test]
    fn an_input_too_small_to_be_halved_is_refused() {
        let error =
            build(&ModelConfig::default(), Shape::Map { height: 4, width: 4, channels: 3 }, 2).unwrap_err();
        assert_eq!(error.to_string(), "cnn with 3 poolings needs --size 8 or more, got 4");
        let two = ModelConfig { filters: Some(vec![4, 4]), ..ModelConfig::default() };
        assert!(build(&two, Shape::Map { height: 4, width: 4, channels: 3 }, 2).is_ok());
    }
}
