//! Every op's gradient against a numerical one, in f64.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_engine::{Engine, StepContext, cross_entropy};
use pupila_network::{
    Activation, Builder, Convolution, Init, ModelConfig, Network, Op, PaddingMode, Shape, StateDict, Window,
    architectures,
};
use pupila_random::{Purpose, Stream};

const CONTEXT: StepContext = StepContext { seed: 5, step: 3, label_smoothing: 0.1 };

/// The loss of a batch in training mode.
fn loss(engine: &mut Engine<f64>, images: &[f64], targets: &[u32]) -> f64 {
    let classes = engine.network().classes();
    let logits = engine.forward_training(images, targets.len(), &CONTEXT).to_vec();
    cross_entropy(&logits, classes, targets, CONTEXT.label_smoothing, &[], None).mean()
}

/// The largest difference between analytic and central-difference gradient over all values, relative to the largest
/// gradient. With h = 1e-6 the difference's own error is about h^2 + 1e-16 / h, so 1e-7 leaves a margin of 1000.
fn check(config: &ModelConfig, input: Shape, classes: usize, batch: usize) {
    check_network(&architectures::build(config, input, classes).unwrap(), batch);
}

fn check_network(network: &Network, batch: usize) {
    // On one thread: the networks are so small that waking another takes longer than the work.
    pupila_engine::thread_pool(1).unwrap().install(|| check_every_value(network, batch));
}

/// With layer scales of another size than their first values, which are so small that the layers before them hardly count.
fn check_scaled(network: &Network, batch: usize) {
    let mut state = Init::Pytorch.state(network, 1);
    for (name, tensor) in &mut state {
        if name.ends_with(".gamma") {
            tensor.data.iter_mut().enumerate().for_each(|(i, factor)| *factor = 0.5 + i as f32 / 4.0);
        }
    }
    pupila_engine::thread_pool(1).unwrap().install(|| check_values_from(network, &state, batch));
}

fn check_every_value(network: &Network, batch: usize) {
    check_values_from(network, &Init::Pytorch.state(network, 1), batch);
}

fn check_values_from(network: &Network, state: &StateDict, batch: usize) {
    let (input, classes) = (network.input(), network.classes());
    let mut engine = Engine::<f64>::new(network, batch, true);
    engine.load(state).unwrap();
    let mut stream = Stream::new(9, Purpose::Bootstrap, 0, 0);
    let images: Vec<f64> = (0..batch * input.len()).map(|_| stream.uniform(-1.0, 1.0)).collect();
    let targets: Vec<u32> = (0..batch).map(|i| (i % classes) as u32).collect();
    engine.gradients(&images, &targets, &CONTEXT);
    let analytic = engine.gradient().to_vec();
    let largest = analytic.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    assert!(largest > 1e-3, "a gradient that vanishes proves nothing");
    let h = 1e-6;
    let mut compared = 0;
    for i in 0..analytic.len() {
        let value = engine.values()[i];
        engine.values_mut()[i] = value + h;
        let above = loss(&mut engine, &images, &targets);
        engine.values_mut()[i] = value - h;
        let below = loss(&mut engine, &images, &targets);
        engine.values_mut()[i] = value;
        // The filling between tensors has no influence and must have no gradient.
        if above == below && analytic[i] == 0.0 {
            continue;
        }
        let numeric = (above - below) / (2.0 * h);
        let error = (numeric - analytic[i]).abs() / largest;
        assert!(error < 1e-7, "{network:?}: value {i}: numeric {numeric}, analytic {}", analytic[i]);
        compared += 1;
    }
    // Units that ReLU or dropout silences have no gradient; most others must.
    assert!(compared * 3 > network.parameter_count(), "compared {compared} of {}", network.parameter_count());
}

#[test]
fn every_activation() {
    for activation in Activation::ALL {
        let config = ModelConfig { hidden: Some(vec![7, 5]), activation, ..ModelConfig::default() };
        check(&config, Shape::Vector(6), 3, 4);
    }
}

#[test]
fn batch_norm_and_dropout() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let config = ModelConfig {
            hidden: Some(vec![6, 5]),
            activation,
            batch_norm: true,
            dropout: Some(0.4),
            ..ModelConfig::default()
        };
        check(&config, Shape::Vector(5), 4, 9);
    }
}

#[test]
fn odd_widths_across_panels_and_a_batch_of_one() {
    let config =
        ModelConfig { hidden: Some(vec![33]), activation: Activation::Silu, ..ModelConfig::default() };
    check(&config, Shape::Map { height: 3, width: 2, channels: 3 }, 2, 1);
    check(&config, Shape::Map { height: 1, width: 1, channels: 1 }, 35, 5);
    check(&ModelConfig { hidden: Some(vec![]), ..ModelConfig::default() }, Shape::Vector(70), 3, 6);
}

/// Large enough that every loop over blocks turns more than once; checked along random directions, since single values
/// would take too long.
#[test]
fn blocks_of_batch_depth_and_panels() {
    let config =
        ModelConfig { hidden: Some(vec![300, 40]), activation: Activation::Tanh, ..ModelConfig::default() };
    let (input, classes, batch) = (Shape::Map { height: 19, width: 20, channels: 3 }, 3, 261);
    let network = architectures::build(&config, input, classes).unwrap();
    let mut engine = Engine::<f64>::new(&network, batch, true);
    engine.load(&Init::Pytorch.state(&network, 1)).unwrap();
    let mut stream = Stream::new(9, Purpose::Bootstrap, 0, 0);
    let images: Vec<f64> = (0..batch * input.len()).map(|_| stream.uniform(-1.0, 1.0)).collect();
    let targets: Vec<u32> = (0..batch).map(|i| (i % classes) as u32).collect();
    engine.gradients(&images, &targets, &CONTEXT);
    let analytic = engine.gradient().to_vec();
    let start = engine.values().to_vec();
    for _ in 0..5 {
        let direction: Vec<f64> = start.iter().map(|_| stream.uniform(-1.0, 1.0)).collect();
        let slope: f64 = analytic.iter().zip(&direction).map(|(g, d)| g * d).sum();
        let h = 1e-6;
        let mut at = |h: f64| {
            let moved = engine.values_mut().iter_mut().zip(&start).zip(&direction);
            moved.for_each(|((w, s), d)| *w = s + h * d);
            loss(&mut engine, &images, &targets)
        };
        let numeric = (at(h) - at(-h)) / (2.0 * h);
        assert!((numeric - slope).abs() < 1e-6 * (1.0 + slope.abs()), "numeric {numeric}, analytic {slope}");
    }
}

#[test]
fn convolutions_of_either_padding_and_pooling() {
    for (padding, filters, input) in [
        (PaddingMode::Reflect, vec![3, 4], Shape::Map { height: 8, width: 9, channels: 3 }),
        (PaddingMode::Zeros, vec![5], Shape::Map { height: 5, width: 4, channels: 1 }),
        (PaddingMode::Reflect, vec![33], Shape::Map { height: 4, width: 6, channels: 2 }),
    ] {
        let config = ModelConfig {
            name: "cnn".into(),
            filters: Some(filters),
            hidden: Some(vec![4]),
            padding,
            activation: Activation::Silu,
            batch_norm: true,
            ..ModelConfig::default()
        };
        check(&config, input, 3, 3);
    }
}

/// The tiles of this machine compute in f32 what the portable ones do in f64: the largest difference of logits and gradient,
/// relative to the largest value, stays within a few hundred roundings (2^-24 each).
#[test]
fn single_precision_agrees_with_double() {
    let config = ModelConfig {
        name: "cnn".into(),
        filters: Some(vec![16, 48, 33]),
        hidden: Some(vec![20]),
        batch_norm: true,
        ..ModelConfig::default()
    };
    let (input, classes, batch) = (Shape::Map { height: 33, width: 30, channels: 3 }, 5, 7);
    let network = architectures::build(&config, input, classes).unwrap();
    let state = Init::KaimingNormal.state(&network, 1);
    let mut stream = Stream::new(9, Purpose::Bootstrap, 0, 0);
    let images: Vec<f64> = (0..batch * input.len()).map(|_| stream.uniform(-1.0, 1.0)).collect();
    let targets: Vec<u32> = (0..batch).map(|i| (i % classes) as u32).collect();
    let mut double = Engine::<f64>::new(&network, batch, true);
    double.load(&state).unwrap();
    double.gradients(&images, &targets, &CONTEXT);
    let mut single = Engine::<f32>::new(&network, batch, true);
    single.load(&state).unwrap();
    let single_images: Vec<f32> = images.iter().map(|&x| x as f32).collect();
    single.gradients(&single_images, &targets, &CONTEXT);
    let compare = |what: &str, found: &[f32], expected: &[f64]| {
        let largest = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let error = found.iter().zip(expected).map(|(&f, e)| (f64::from(f) - e).abs()).fold(0.0, f64::max);
        assert!(error < 2e-5 * largest, "{what}: {error} of {largest}");
    };
    let found = single.forward_training(&single_images, batch, &CONTEXT).to_vec();
    compare("logits", &found, double.forward_training(&images, batch, &CONTEXT));
    for (name, found) in single.gradient_state() {
        let expected: Vec<f64> = double.gradient_state()[&name].data.iter().map(|&x| f64::from(x)).collect();
        // The bias before a BatchNorm has no influence: its gradient is rounding alone.
        if expected.iter().any(|x| x.abs() > 1e-6) {
            compare(&name, &found.data, &expected);
        }
    }
}

/// A smooth network around some ops, so that differences are not taken across a kink.
fn around(input: Shape, ops: &[Op]) -> Network {
    let mut builder = Builder::new(input);
    let mut index = 0;
    let mut push = |builder: &mut Builder, op: Op| {
        index += 1;
        builder.push(index.to_string(), op).unwrap()
    };
    let stem = Window::new(1, 1, 0);
    push(&mut builder, Op::Conv2d(Convolution::new(input.features(), 6, stem)));
    push(&mut builder, Op::Activation(Activation::Tanh));
    for op in ops {
        push(&mut builder, op.clone());
    }
    push(&mut builder, Op::Flatten);
    let inputs = builder.shape().len();
    push(&mut builder, Op::Linear { inputs, outputs: 3 });
    builder.finish("test")
}

const MAP: Shape = Shape::Map { height: 7, width: 6, channels: 2 };

#[test]
fn convolutions_of_every_kernel_stride_padding_and_group() {
    for (kernel, stride, padding) in
        [(1, 1, 0), (1, 2, 0), (2, 2, 0), (3, 1, 0), (3, 2, 1), (5, 1, 2), (5, 3, 2)]
    {
        for padding_mode in [PaddingMode::Zeros, PaddingMode::Reflect] {
            for (groups, outputs) in [(1, 5), (2, 4), (6, 6), (6, 12)] {
                let window = Window::new(kernel, stride, padding);
                let convolution =
                    Convolution { padding_mode, groups, ..Convolution::new(6, outputs, window) };
                let bias = groups != 2;
                check_network(&around(MAP, &[Op::Conv2d(Convolution { bias, ..convolution })]), 3);
            }
        }
    }
    // Many channels on both sides: past the copy with padding, past a panel, past a tile's rows.
    let window = Window::new(3, 2, 1);
    for padding_mode in [PaddingMode::Zeros, PaddingMode::Reflect] {
        let wide = Op::Conv2d(Convolution::new(6, 13, Window::new(1, 1, 0)));
        let convolution = Convolution { padding_mode, ..Convolution::new(13, 34, window) };
        check_network(&around(MAP, &[wide, Op::Conv2d(convolution)]), 2);
    }
}

/// Channels in sixteens take Winograd's way: odd sides, tiles that hang over the edge, a panel that is half full, and a gradient
/// that is added to another.
#[test]
fn convolutions_by_winograd() {
    let (one, three) = (Window::new(1, 1, 0), Window::new(3, 1, 1));
    for (height, width, padding_mode, outputs) in [
        (4, 4, PaddingMode::Zeros, 16),
        (5, 7, PaddingMode::Reflect, 16),
        (4, 5, PaddingMode::Reflect, 48),
        (7, 4, PaddingMode::Zeros, 32),
    ] {
        let mut builder = Builder::new(Shape::Map { height, width, channels: 2 });
        builder.push("a", Op::Conv2d(Convolution::new(2, 16, one))).unwrap();
        let start = builder.push("b", Op::Activation(Activation::Tanh)).unwrap();
        let convolution = Convolution { padding_mode, ..Convolution::new(16, 16, three) };
        let main = builder.push("c", Op::Conv2d(convolution)).unwrap();
        builder.push_at("d", Op::Add, &[main, start]).unwrap();
        builder.push("e", Op::Activation(Activation::Sigmoid)).unwrap();
        let last = Convolution { padding_mode, ..Convolution::new(16, outputs, three) };
        builder.push("f", Op::Conv2d(last.without_bias())).unwrap();
        builder.push("g", Op::batch_norm(outputs)).unwrap();
        builder.push("h", Op::GlobalAvgPool).unwrap();
        builder.push("i", Op::Flatten).unwrap();
        builder.push("j", Op::Linear { inputs: outputs, outputs: 3 }).unwrap();
        check_network(&builder.finish("test"), 2);
    }
}

#[test]
fn poolings() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0), (4, 3, 2)] {
        let window = Window::new(kernel, stride, padding);
        for op in [Op::MaxPool(window), Op::AvgPool(window)] {
            check_network(
                &around(MAP, &[Op::batch_norm(6), Op::Activation(Activation::Silu), op.clone()]),
                3,
            );
            check_network(&around(MAP, std::slice::from_ref(&op)), 3);
            // A map that the stride divides: windows may still leave pixels out.
            check_network(&around(Shape::Map { height: 6, width: 6, channels: 2 }, &[op]), 2);
        }
    }
    check_network(&around(MAP, &[Op::GlobalAvgPool]), 3);
}

/// Windows whose padding follows the size of the input, on sides that a stride divides and on others.
#[test]
fn padding_that_follows_the_size() {
    for (height, width) in [(7, 6), (8, 5)] {
        let map = Shape::Map { height, width, channels: 2 };
        for (kernel, stride) in [(1, 1), (1, 2), (2, 2), (3, 1), (3, 2), (5, 2), (5, 3), (7, 2)] {
            let window = Window::same(kernel, stride);
            assert_eq!(window.count(height), height.div_ceil(stride));
            for (groups, outputs) in [(1, 5), (6, 6)] {
                let convolution = Convolution { groups, ..Convolution::new(6, outputs, window) };
                check_network(&around(map, &[Op::Conv2d(convolution)]), 2);
            }
            check_network(&around(map, &[Op::MaxPool(window)]), 2);
            check_network(&around(map, &[Op::AvgPool(window)]), 2);
        }
    }
    let wide = Op::Conv2d(Convolution::new(6, 13, Window::new(1, 1, 0)));
    let mirrored = Convolution::new(13, 34, Window::same(3, 2));
    let mirrored = Op::Conv2d(Convolution { padding_mode: PaddingMode::Reflect, ..mirrored });
    check_network(&around(MAP, &[wide, mirrored]), 2);
}

#[test]
fn depthwise_convolutions_with_large_kernels() {
    for (kernel, stride) in [(5, 1), (5, 2), (7, 1), (7, 2)] {
        let convolution = Convolution::new(6, 6, Window::new(kernel, stride, kernel / 2));
        check_network(&around(MAP, &[Op::Conv2d(Convolution { groups: 6, ..convolution })]), 2);
    }
}

#[test]
fn layer_norms_of_maps_and_vectors() {
    let norm = |features| Op::LayerNorm { features, eps: 1e-6 };
    check_network(&around(MAP, &[norm(6)]), 3);
    let wide = Op::Conv2d(Convolution::new(6, 37, Window::new(1, 1, 0)));
    check_network(&around(MAP, &[wide, norm(37), Op::Activation(Activation::Gelu)]), 2);
    check_network(&around(MAP, &[Op::GlobalAvgPool, norm(6)]), 4);
    // On the images, which want no gradient.
    let mut builder = Builder::new(MAP);
    builder.push("a", norm(2)).unwrap();
    builder.push("b", Op::Flatten).unwrap();
    builder.push("c", Op::Linear { inputs: MAP.len(), outputs: 3 }).unwrap();
    check_network(&builder.finish("test"), 3);
}

/// A factor for each channel, with and without a residual sum behind it, one with what it multiplies itself among them.
#[test]
fn layer_scales() {
    let scale = Op::LayerScale { features: 6 };
    for other in 0..3 {
        let mut builder = Builder::new(MAP);
        builder.push("a", Op::Conv2d(Convolution::new(2, 6, Window::new(1, 1, 0)))).unwrap();
        let start = builder.push("b", Op::Activation(Activation::Tanh)).unwrap();
        builder.push("c", Op::Conv2d(Convolution::new(6, 6, Window::new(3, 1, 1)))).unwrap();
        let main = builder.last();
        let scaled = builder.push("d", scale.clone()).unwrap();
        match other {
            0 => scaled,
            1 => builder.push_at("e", Op::Add, &[scaled, start]).unwrap(),
            _ => builder.push_at("e", Op::Add, &[main, scaled]).unwrap(),
        };
        builder.push("f", Op::Flatten).unwrap();
        builder.push("g", Op::Linear { inputs: builder.shape().len(), outputs: 3 }).unwrap();
        check_scaled(&builder.finish("test"), 3);
    }
}

/// Factors that a network works out of the map they are for, or of another, or that are a map of one pixel themselves.
#[test]
fn products_of_a_map_and_its_channels_factors() {
    let one = Window::new(1, 1, 0);
    for kind in 0..4 {
        let mut builder = Builder::new(MAP);
        builder.push("a", Op::Conv2d(Convolution::new(2, 6, one))).unwrap();
        let map = builder.push("b", Op::Activation(Activation::Tanh)).unwrap();
        let pooled = builder.push("c", Op::GlobalAvgPool).unwrap();
        builder.push("d", Op::Conv2d(Convolution::new(6, 6, one))).unwrap();
        let gates = builder.push("e", Op::Activation(Activation::Hardsigmoid)).unwrap();
        let product = match kind {
            0 => builder.push_at("f", Op::Multiply, &[map, gates]).unwrap(),
            // The factors are read by another too.
            1 => {
                let product = builder.push_at("f", Op::Multiply, &[map, gates]).unwrap();
                builder.push_at("g", Op::Multiply, &[product, gates]).unwrap()
            }
            2 => builder.push_at("f", Op::Multiply, &[gates, gates]).unwrap(),
            _ => {
                let product = builder.push_at("f", Op::Multiply, &[gates, pooled]).unwrap();
                builder.push_at("g", Op::Multiply, &[map, product]).unwrap()
            }
        };
        if kind < 2 {
            builder.push_at("h", Op::Add, &[product, map]).unwrap();
        }
        builder.push("i", Op::Activation(Activation::Tanh)).unwrap();
        builder.push("j", Op::Flatten).unwrap();
        builder.push("k", Op::Linear { inputs: builder.shape().len(), outputs: 3 }).unwrap();
        check_network(&builder.finish("test"), 3);
    }
    // Factors for the images, which want no gradient.
    let mut builder = Builder::new(MAP);
    builder.push("a", Op::GlobalAvgPool).unwrap();
    let gates = builder.push("b", Op::Conv2d(Convolution::new(2, 2, one))).unwrap();
    builder.push_at("c", Op::Multiply, &[0, gates]).unwrap();
    builder.push("d", Op::Flatten).unwrap();
    builder.push("e", Op::Linear { inputs: MAP.len(), outputs: 3 }).unwrap();
    check_network(&builder.finish("test"), 3);
}

/// The images want no gradient; what stands right behind them still does.
#[test]
fn pointwise_ops_on_the_images_themselves() {
    let window = Window::new(2, 2, 0);
    let convolution = Op::Conv2d(Convolution::new(2, 2, Window::new(3, 1, 1)));
    for swapped in [false, true] {
        let mut builder = Builder::new(MAP);
        builder.push("a", Op::batch_norm(2)).unwrap();
        builder.push("b", Op::Activation(Activation::Tanh)).unwrap();
        let bent = builder.push("c", convolution.clone()).unwrap();
        let inputs = if swapped { [bent, 0] } else { [0, bent] };
        builder.push_at("d", Op::Add, &inputs).unwrap();
        builder.push("e", Op::Activation(Activation::Silu)).unwrap();
        builder.push("f", Op::MaxPool(window)).unwrap();
        builder.push("g", Op::Flatten).unwrap();
        let inputs = builder.shape().len();
        builder.push("h", Op::Linear { inputs, outputs: 3 }).unwrap();
        check_network(&builder.finish("test"), 3);
    }
}

#[test]
fn residual_sums_of_every_kind() {
    let window = Window::new(3, 1, 1);
    for (around, activation) in [(true, None), (false, None), (true, Some(Activation::Gelu))] {
        let mut builder = Builder::new(MAP);
        builder.push("a", Op::Conv2d(Convolution::new(2, 6, window).without_bias())).unwrap();
        builder.push("b", Op::batch_norm(6)).unwrap();
        let start = builder.push("c", Op::Activation(Activation::Tanh)).unwrap();
        builder.push("d", Op::Conv2d(Convolution::new(6, 6, window))).unwrap();
        let main = builder.push("e", Op::batch_norm(6)).unwrap();
        let other = if around {
            builder.push_at("f", Op::Conv2d(Convolution::new(6, 6, window)), &[start]).unwrap();
            builder.push("g", Op::batch_norm(6)).unwrap()
        } else {
            start
        };
        builder.push_at("h", Op::Add, &[main, other]).unwrap();
        if let Some(activation) = activation {
            builder.push("i", Op::Activation(activation)).unwrap();
        }
        // Read by three: a sum with itself, one with what came before, and the way on.
        let sum = builder.last();
        builder.push_at("j", Op::Add, &[sum, sum]).unwrap();
        let twice = builder.last();
        builder.push_at("k", Op::Add, &[twice, sum]).unwrap();
        let thrice = builder.last();
        builder.push("l", Op::Activation(Activation::Sigmoid)).unwrap();
        let bent = builder.last();
        builder.push_at("m", Op::Add, &[bent, thrice]).unwrap();
        builder.push("n", Op::GlobalAvgPool).unwrap();
        builder.push("o", Op::Flatten).unwrap();
        builder.push("p", Op::Linear { inputs: 6, outputs: 3 }).unwrap();
        check_network(&builder.finish("test"), 3);
    }
}

/// Some samples skip the block, and the others count for more.
#[test]
fn residual_blocks_that_samples_skip() {
    let window = Window::new(3, 1, 1);
    let mut builder = Builder::new(MAP);
    builder.push("a", Op::Conv2d(Convolution::new(2, 6, window))).unwrap();
    let start = builder.push("b", Op::Activation(Activation::Tanh)).unwrap();
    builder.push("c", Op::Conv2d(Convolution::new(6, 6, window).without_bias())).unwrap();
    builder.push("d", Op::batch_norm(6)).unwrap();
    let end = builder.push("e", Op::StochasticDepth { p: 0.5 }).unwrap();
    builder.push_at("f", Op::Add, &[end, start]).unwrap();
    builder.push("g", Op::GlobalAvgPool).unwrap();
    builder.push("h", Op::Flatten).unwrap();
    builder.push("i", Op::Linear { inputs: 6, outputs: 3 }).unwrap();
    let network = builder.finish("test");
    check_network(&network, 6);
    let mut engine = Engine::<f64>::new(&network, 200, true);
    engine.load(&Init::Pytorch.state(&network, 1)).unwrap();
    let images = vec![0.5; 200 * network.input().len()];
    let logits = engine.forward_training(&images, 200, &CONTEXT).to_vec();
    // All images are the same, so there are two kinds of answers: with the block, and without.
    let kinds: std::collections::BTreeMap<Vec<u64>, usize> = logits
        .chunks(3)
        .map(|row| row.iter().map(|x| x.to_bits()).collect())
        .fold(Default::default(), |mut kinds, row| {
            *kinds.entry(row).or_default() += 1;
            kinds
        });
    let counts: Vec<usize> = kinds.into_values().collect();
    assert!(counts.len() == 2 && counts.iter().all(|&count| (70..=130).contains(&count)), "{counts:?}");
}
