//! Every op by itself against PyTorch, forward and backward, over what `parity/ops/generate.py` wrote: odd sizes, a batch of one,
//! both kinds of padding, groups, and every way in which a convolution is done.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_engine::{Engine, StepContext};
use pupila_network::{
    Activation, Builder, Convolution, Network, NodeId, Op, PaddingMode, Shape, StateDict, Tensor, Window,
};
use safetensors::SafeTensors;
use serde::Deserialize;

const CASES: &str = include_str!("../../../parity/ops/cases.json");
const TENSORS: &[u8] = include_bytes!("../../../parity/ops/tensors.safetensors");

/// Largest difference relative to the largest value of the tensor. The fixtures are rounded from float64, so what is left is
/// the engine's own rounding in float32: 7e-6 has been seen.
const TOLERANCE: f64 = 1e-5;
/// Cases in the file: none is passed over.
const COUNT: usize = 183;

#[derive(Deserialize)]
struct Case {
    name: String,
    key: String,
    input: [usize; 3],
    batch: usize,
    channels: usize,
    ops: Vec<Described>,
    loss: f64,
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Described {
    Conv2d {
        outputs: usize,
        #[serde(flatten)]
        window: Sides,
        mode: PaddingMode,
        groups: usize,
        bias: bool,
    },
    MaxPool(Sides),
    AvgPool(Sides),
    GlobalAvgPool,
    BatchNorm,
    LayerNorm,
    LayerScale,
    SqueezeExcitation {
        squeezed: usize,
    },
    Flatten,
    Linear {
        outputs: usize,
    },
    Activation {
        name: Activation,
    },
    Dropout,
    Residual {
        chain: Vec<Described>,
    },
}

#[derive(Deserialize, Clone, Copy)]
struct Sides {
    kernel: usize,
    stride: usize,
    padding: Around,
}

/// A number of rows and columns, or `same`.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Around {
    Each(usize),
    Same(Same),
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Same {
    Same,
}

impl From<Sides> for Window {
    fn from(Sides { kernel, stride, padding }: Sides) -> Window {
        match padding {
            Around::Each(padding) => Window::new(kernel, stride, padding),
            Around::Same(Same::Same) => Window::same(kernel, stride),
        }
    }
}

/// Appends ops under the names that they have in PyTorch's `nn.Sequential`.
fn push(builder: &mut Builder, ops: &[Described], prefix: &str, first: usize) -> NodeId {
    for (index, op) in ops.iter().enumerate() {
        let name = format!("{prefix}{}", first + index);
        let shape = builder.shape();
        let op = match op {
            Described::Conv2d { outputs, window, mode, groups, bias } => Op::Conv2d(Convolution {
                padding_mode: *mode,
                groups: *groups,
                bias: *bias,
                ..Convolution::new(shape.features(), *outputs, (*window).into())
            }),
            Described::MaxPool(window) => Op::MaxPool((*window).into()),
            Described::AvgPool(window) => Op::AvgPool((*window).into()),
            Described::GlobalAvgPool => Op::GlobalAvgPool,
            Described::BatchNorm => Op::batch_norm(shape.features()),
            Described::LayerNorm => Op::LayerNorm { features: shape.features(), eps: 1e-6 },
            Described::LayerScale => Op::LayerScale { features: shape.features() },
            Described::SqueezeExcitation { squeezed } => {
                squeeze_excitation(builder, &name, *squeezed);
                continue;
            }
            Described::Flatten => Op::Flatten,
            Described::Linear { outputs } => Op::Linear { inputs: shape.len(), outputs: *outputs },
            Described::Activation { name } => Op::Activation(*name),
            Described::Dropout => Op::Dropout { p: 0.0 },
            Described::Residual { chain } => {
                let start = builder.last();
                let end = push(builder, chain, &format!("{name}.chain."), 0);
                builder.push_at(name, Op::Add, &[end, start]).unwrap();
                continue;
            }
        };
        builder.push(name, op).unwrap();
    }
    builder.last()
}

fn squeeze_excitation(builder: &mut Builder, name: &str, squeezed: usize) {
    let (map, channels, one) = (builder.last(), builder.shape().features(), Window::new(1, 1, 0));
    for (part, op) in [
        ("pool", Op::GlobalAvgPool),
        ("fc1", Op::Conv2d(Convolution::new(channels, squeezed, one))),
        ("relu", Op::Activation(Activation::Relu)),
        ("fc2", Op::Conv2d(Convolution::new(squeezed, channels, one))),
        ("gate", Op::Activation(Activation::Sigmoid)),
    ] {
        builder.push(format!("{name}.{part}"), op).unwrap();
    }
    builder.push_at(name, Op::Multiply, &[map, builder.last()]).unwrap();
}

fn network(case: &Case) -> Network {
    let [height, width, channels] = case.input;
    let mut builder = Builder::new(Shape::Map { height, width, channels });
    let one = Window::new(1, 1, 0);
    builder.push("0", Op::Conv2d(Convolution::new(channels, case.channels, one))).unwrap();
    builder.push("1", Op::Activation(Activation::Tanh)).unwrap();
    push(&mut builder, &case.ops, "", 2);
    let mut next = 2 + case.ops.len();
    if let Shape::Map { .. } = builder.shape() {
        builder.push(next.to_string(), Op::Flatten).unwrap();
        next += 1;
    }
    let inputs = builder.shape().len();
    builder.push(next.to_string(), Op::Linear { inputs, outputs: 3 }).unwrap();
    builder.finish("test")
}

/// All tensors of a case under a prefix, by what is left of their names. What pads a module in PyTorch is no layer here.
fn tensors(all: &SafeTensors<'_>, prefix: &str) -> StateDict {
    let names = all.names().into_iter().filter_map(|name| Some((name, name.strip_prefix(prefix)?)));
    let read = |(full, name): (&str, &str)| {
        let view = all.tensor(full).unwrap();
        let data = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        (name.replace(".module.", "."), Tensor { shape: view.shape().to_vec(), data })
    };
    names.map(read).collect()
}

fn compare(case: &Case, what: &str, found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len(), "{}, {what}", case.name);
    let largest = expected.iter().fold(1e-3, |m: f64, x| m.max(f64::from(x.abs())));
    let error =
        found.iter().zip(expected).map(|(f, e)| f64::from((f - e).abs())).fold(0.0, f64::max) / largest;
    assert!(error < TOLERANCE, "{} ({} images), {what}: {error:e}", case.name, case.batch);
    error
}

#[test]
fn every_op_is_pytorchs_forward_and_backward() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let all = SafeTensors::deserialize(TENSORS).unwrap();
    assert_eq!(cases.len(), COUNT);
    let mut worst = 0.0f64;
    for case in &cases {
        let given = tensors(&all, &format!("{}/", case.key));
        let mut engine = Engine::<f32>::new(&network(case), case.batch, true);
        engine.load(&tensors(&all, &format!("{}/state/", case.key))).unwrap();
        let images = &given["images"].data;
        let targets: Vec<u32> = (0..case.batch as u32).map(|i| i % 3).collect();
        let found = engine.forward(images, case.batch).to_vec();
        worst = worst.max(compare(case, "logits", &found, &given["logits"].data));
        // An engine that only judges takes ways of its own, such as a weight that is transformed once.
        let mut judge = Engine::<f32>::new(engine.network(), case.batch, false);
        judge.load(&engine.state()).unwrap();
        assert_eq!(judge.forward(images, case.batch), found, "{}", case.name);
        let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
        let loss = engine.gradients(images, &targets, &context).mean();
        assert!((loss - case.loss).abs() < TOLERANCE * (1.0 + case.loss.abs()), "{}: {loss}", case.name);
        let found = engine.gradient_state();
        for (name, expected) in tensors(&all, &format!("{}/gradient/", case.key)) {
            // A bias that a BatchNorm takes off again has no gradient but rounding.
            if expected.data.iter().any(|x| x.abs() > 1e-6) {
                worst = worst.max(compare(case, &name, &found[&name].data, &expected.data));
            }
        }
    }
    println!("largest difference {worst:e}");
}
