//! Initialisers: the first values of every trained tensor, drawn in PyTorch's element order from a stream keyed by
//! (seed, tensor), so that they don't depend on the engine's memory layout or on other tensors.

use crate::network::Network;
use crate::op::{Activation, Op};
use crate::parameter::{ParameterSpec, Role, StateDict, Tensor};
use pupila_random::{Purpose, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the weights of linear maps start. Biases start at zero, except with `pytorch`; normalisations start at scale 1,
/// shift 0, and a layer scale at 1e-6, whatever is chosen here.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// What nn.Linear and nn.Conv2d do when nothing is said: uniform within 1 / sqrt(fan_in), weights and biases alike.
    #[default]
    Pytorch,
    /// Uniform within gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); gain 1.
    XavierUniform,
    /// Normal with deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio 2010); gain 1.
    XavierNormal,
    /// Uniform within gain sqrt(3 / fan_in), with the gain of the network's activation (He et al. 2015).
    KaimingUniform,
    /// Normal with deviation gain / sqrt(fan_in), with the gain of the network's activation (He et al. 2015).
    KaimingNormal,
    /// Uniform in [low, high).
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// One value for all, which keeps all units of a layer alike for ever: here to be seen failing.
    Constant {
        /// The value.
        value: f64,
    },
}

/// An initialiser in the registry.
#[derive(Debug, Clone, Copy)]
pub struct InitEntry {
    /// The name in a recipe.
    pub name: &'static str,
    /// One line for `pupila list initializers`.
    pub description: &'static str,
    /// The initialiser with example values.
    pub example: Init,
}

impl Init {
    /// Every initialiser.
    pub const REGISTRY: [InitEntry; 8] = [
        InitEntry {
            name: "pytorch",
            description: "uniform within 1/sqrt(fan_in), biases too: what nn.Linear and nn.Conv2d do by themselves",
            example: Init::Pytorch,
        },
        InitEntry {
            name: "xavier_uniform",
            description: "uniform within sqrt(6/(fan_in+fan_out)); for tanh and sigmoid",
            example: Init::XavierUniform,
        },
        InitEntry {
            name: "xavier_normal",
            description: "normal, deviation sqrt(2/(fan_in+fan_out)); for tanh and sigmoid",
            example: Init::XavierNormal,
        },
        InitEntry {
            name: "kaiming_uniform",
            description: "uniform within gain*sqrt(3/fan_in) (He); for ReLU and its relatives",
            example: Init::KaimingUniform,
        },
        InitEntry {
            name: "kaiming_normal",
            description: "normal, deviation gain/sqrt(fan_in) (He); for ReLU and its relatives",
            example: Init::KaimingNormal,
        },
        InitEntry {
            name: "uniform",
            description: "uniform in [low, high): init = { uniform = { low = -0.1, high = 0.1 } }",
            example: Init::Uniform { low: -0.1, high: 0.1 },
        },
        InitEntry {
            name: "normal",
            description: "normal with mean 0: init = { normal = { std = 0.01 } }",
            example: Init::Normal { std: 0.01 },
        },
        InitEntry {
            name: "constant",
            description: "one value for all weights: init = { constant = { value = 0.01 } }; such a network cannot learn",
            example: Init::Constant { value: 0.01 },
        },
    ];

    /// The value is usable.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        match *self {
            Init::Uniform { low, high } if !(low.is_finite() && high.is_finite() && low <= high) => {
                Err(format!("uniform needs finite low <= high, got low = {low}, high = {high}"))
            }
            Init::Normal { std } if !(std.is_finite() && std >= 0.0) => {
                Err(format!("normal needs a finite std >= 0, got {std}"))
            }
            Init::Constant { value } if !value.is_finite() => {
                Err(format!("constant needs a finite value, got {value}"))
            }
            _ => Ok(()),
        }
    }

    /// First values for every tensor of the network, tracked ones included.
    pub fn state(&self, network: &Network, seed: u64) -> StateDict {
        let specs = network.parameters();
        let tensors = specs.iter().enumerate().map(|(i, spec)| {
            let mut stream = Stream::new(seed, Purpose::Init, u32::try_from(i).unwrap_or(u32::MAX), 0);
            let data = self.values(spec, gain_behind(network, spec), &mut stream);
            (spec.name.clone(), Tensor { shape: spec.shape.clone(), data })
        });
        tensors.collect()
    }

    fn values(&self, spec: &ParameterSpec, gain: f64, stream: &mut Stream) -> Vec<f32> {
        let n = spec.len();
        match (spec.role, self) {
            (Role::Scale | Role::RunningVar, _) => vec![1.0; n],
            (Role::Shift | Role::RunningMean, _) => vec![0.0; n],
            (Role::LayerScale, _) => vec![LAYER_SCALE; n],
            (Role::Bias, Init::Pytorch) => uniform(n, 1.0 / (spec.fan_in as f64).sqrt(), stream),
            (Role::Bias, _) => vec![0.0; n],
            (Role::Weight, init) => {
                let (fan_in, fan_out) = (spec.fan_in as f64, spec.fan_out as f64);
                match *init {
                    // kaiming_uniform with a = sqrt 5 has gain sqrt(1/3), so its bound is sqrt(3)*gain/sqrt(fan_in) = 1/sqrt(fan_in).
                    Init::Pytorch => uniform(n, 1.0 / fan_in.sqrt(), stream),
                    Init::XavierUniform => uniform(n, (6.0 / (fan_in + fan_out)).sqrt(), stream),
                    Init::XavierNormal => normal(n, (2.0 / (fan_in + fan_out)).sqrt(), stream),
                    Init::KaimingUniform => uniform(n, gain * (3.0 / fan_in).sqrt(), stream),
                    Init::KaimingNormal => normal(n, gain / fan_in.sqrt(), stream),
                    Init::Uniform { low, high } => (0..n).map(|_| stream.uniform(low, high) as f32).collect(),
                    Init::Normal { std } => normal(n, std, stream),
                    Init::Constant { value } => vec![value as f32; n],
                }
            }
        }
    }
}

/// The first value of a layer scale (Liu et al. 2022, "A ConvNet for the 2020s", table 5).
const LAYER_SCALE: f32 = 1e-6;

fn uniform(n: usize, bound: f64, stream: &mut Stream) -> Vec<f32> {
    // 24 random bits fill an f32; half the generator's work of a 53-bit draw counts with millions of weights.
    let scale = 2.0 * bound / f64::from(1u32 << 24);
    (0..n).map(|_| (f64::from(stream.next_u32() >> 8) * scale - bound) as f32).collect()
}

fn normal(n: usize, std: f64, stream: &mut Stream) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        let (a, b) = stream.normal_pair();
        values.extend([(a * std) as f32, (b * std) as f32]);
    }
    values.truncate(n);
    values
}

/// The gain of the activation that follows a linear op, over norms and dropout; 1 where none follows (the logits).
fn gain_behind(network: &Network, spec: &ParameterSpec) -> f64 {
    let mut id = spec.node;
    loop {
        let next = network.nodes().iter().position(|node| node.inputs.contains(&id));
        match next.map(|next| (next, &network.nodes()[next].op)) {
            Some((_, Op::Activation(activation))) => return Activation::gain(*activation),
            Some((next, Op::BatchNorm { .. } | Op::LayerNorm { .. } | Op::Dropout { .. })) => id = next,
            _ => return 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Shape;
    use crate::{ModelConfig, architectures};

    fn network(activation: Activation) -> Network {
        let config =
            ModelConfig { hidden: Some(vec![300]), activation, batch_norm: true, ..ModelConfig::default() };
        architectures::build(&config, Shape::Map { height: 10, width: 10, channels: 3 }, 50).unwrap()
    }

    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let var = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        (mean, var.sqrt(), values.iter().fold(0.0, |m: f64, &x| m.max(f64::from(x).abs())))
    }

    #[test]
    fn every_initialiser_has_the_deviation_its_paper_names() {
        // 300x300 weights: the deviation of a sample of 90,000 is within 1 % with great certainty.
        let cases = [
            (Init::Pytorch, (1.0 / 300f64).sqrt() / 3f64.sqrt()),
            (Init::XavierUniform, (2.0 / 600f64).sqrt()),
            (Init::XavierNormal, (2.0 / 600f64).sqrt()),
            (Init::KaimingUniform, (2.0 / 300f64).sqrt()),
            (Init::KaimingNormal, (2.0 / 300f64).sqrt()),
            (Init::Uniform { low: -0.3, high: 0.3 }, 0.3 / 3f64.sqrt()),
            (Init::Normal { std: 0.02 }, 0.02),
            (Init::Constant { value: 0.25 }, 0.0),
        ];
        assert_eq!(cases.len(), Init::REGISTRY.len());
        let network = network(Activation::Relu);
        for (init, expected) in cases {
            let state = init.state(&network, 3);
            let (mean, deviation, _) = moments(&state["1.weight"].data);
            assert!(
                (deviation - expected).abs() <= 0.01 * expected + 1e-9,
                "{init:?}: {deviation} against {expected}"
            );
            let centre = if let Init::Constant { value } = init { value } else { 0.0 };
            assert!((mean - centre).abs() < 0.02 * expected.max(1e-6), "{init:?}: mean {mean}");
            assert!(
                state["2.weight"].data.iter().all(|&x| x == 1.0)
                    && state["2.running_mean"].data.iter().all(|&x| x == 0.0)
            );
            let bias = moments(&state["1.bias"].data).2;
            assert_eq!(bias > 0.0, init == Init::Pytorch, "{init:?}");
            assert!(bias <= 1.0 / 300f64.sqrt());
        }
    }

    #[test]
    fn kaiming_uses_the_gain_of_the_activation_that_follows() {
        let deviation =
            |activation| moments(&Init::KaimingNormal.state(&network(activation), 0)["1.weight"].data).1;
        let relu = deviation(Activation::Relu);
        assert!((deviation(Activation::Tanh) / relu - (5.0 / 3.0) / 2f64.sqrt()).abs() < 1e-6);
        // No activation follows the logits.
        let logits = moments(&Init::KaimingNormal.state(&network(Activation::Relu), 0)["4.weight"].data).1;
        assert!((logits - 1.0 / 300f64.sqrt()).abs() < 0.02 / 300f64.sqrt());
    }

    #[test]
    fn registered_names_round_trip_and_values_follow_the_seed() {
        let network = network(Activation::Relu);
        for entry in Init::REGISTRY {
            let json = serde_json::to_value(entry.example).unwrap();
            let name = json.as_str().map(str::to_owned).or_else(|| json.as_object()?.keys().next().cloned());
            assert_eq!(name.as_deref(), Some(entry.name));
            assert_eq!(serde_json::from_value::<Init>(json).unwrap(), entry.example);
            assert_eq!(entry.example.state(&network, 1), entry.example.state(&network, 1));
            assert!(entry.example.check().is_ok());
            if !matches!(entry.example, Init::Constant { .. }) {
                assert_ne!(entry.example.state(&network, 1), entry.example.state(&network, 2));
            }
        }
    }
}
