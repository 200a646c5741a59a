//! The multilayer perceptron: Flatten, then Linear, (BatchNorm,) activation, (Dropout) for every hidden width, then Linear.
//! Names are those of the `nn.Sequential` with the same modules.

use super::Architecture;
use crate::config::{ConfigError, ModelConfig};
use crate::network::{Builder, Network};
use crate::op::{Op, Shape};

pub(super) const ARCHITECTURE: Architecture = Architecture {
    name: "mlp",
    description: "multilayer perceptron: Flatten, then hidden layers of any width (default 512, 128)",
    keys: &["hidden", "activation", "batch_norm", "dropout"],
    hidden: &HIDDEN,
    filters: &[],
    dropout: 0.0,
    build,
};

/// The widths of the course's network.
const HIDDEN: [usize; 2] = [512, 128];

fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    let mut builder = Builder::new(input);
    let mut index = 0;
    let mut push = |op| {
        let name = index.to_string();
        index += 1;
        builder.push(name, op)
    };
    push(Op::Flatten)?;
    let mut width = input.len();
    for &hidden in config.hidden.as_deref().unwrap_or(&HIDDEN) {
        push(Op::Linear { inputs: width, outputs: hidden })?;
        if config.batch_norm {
            push(Op::batch_norm(hidden))?;
        }
        push(Op::Activation(config.activation))?;
        if let Some(p) = config.dropout.filter(|&p| p > 0.0) {
            push(Op::Dropout { p })?;
        }
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
        let input = Shape::Map { height: 64, width: 64, channels: 3 };
        let network = build(&ModelConfig::default(), input, 9).unwrap();
        // 12288*512 + 512 + 512*128 + 128 + 128*9 + 9, as PyTorch counts them.
        assert_eq!(network.parameter_count(), 6_358_793);
        let names: Vec<_> = network.parameters().into_iter().map(|p| (p.name, p.shape)).collect();
        let expected = [
            ("1.weight", vec![512, 12288]),
            ("1.bias", vec![512]),
            ("3.weight", vec![128, 512]),
            ("3.bias", vec![128]),
            ("5.weight", vec![9, 128]),
            ("5.bias", vec![9]),
        ];
        assert_eq!(names, expected.map(|(name, shape)| (name.to_owned(), shape)));
    }

    #[test]
    fn norm_and_dropout_stand_where_the_course_puts_them() {
        let input = Shape::Vector(4);
        let config = ModelConfig {
            hidden: Some(vec![8]),
            batch_norm: true,
            dropout: Some(0.5),
            ..ModelConfig::default()
        };
        let network = build(&config, input, 2).unwrap();
        let modules: Vec<_> = network.nodes().iter().map(|n| n.op.module()).collect();
        assert_eq!(modules, ["Input", "Flatten", "Linear", "BatchNorm", "ReLU", "Dropout", "Linear"]);
    }

    #[test]
    fn no_hidden_layer_is_logistic_regression() {
        let config = ModelConfig { hidden: Some(vec![]), ..ModelConfig::default() };
        let network = build(&config, Shape::Vector(4), 3).unwrap();
        assert_eq!(network.parameter_count(), 4 * 3 + 3);
    }
}
