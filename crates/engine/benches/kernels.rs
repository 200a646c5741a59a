//! Each kernel by itself, over the sizes that the course's networks have: `cargo bench -p pupila-engine`.
//!
//! A kernel runs as a network of one op, forward and as a whole step with its gradient; the rate is in multiply-adds, each counted as
//! two operations, or in elements. Threads are all of the machine's, as in training.

#![allow(clippy::unwrap_used)] // a benchmark may fail
#![allow(missing_docs)] // of what criterion's macro makes

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pupila_engine::{Engine, Optimizer, OptimizerConfig, StepContext};
use pupila_network::{Activation, Builder, Convolution, Init, Network, Op, PaddingMode, Shape, Window};
use std::hint::black_box;

const BATCH: usize = 32;
const CLASSES: usize = 10;
const CONTEXT: StepContext = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };

/// A network of one op behind a 1x1 convolution to `channels`, so that there is a gradient of its input to work out.
fn network(side: usize, channels: usize, op: Op) -> Network {
    let mut builder = Builder::new(Shape::Map { height: side, width: side, channels: 3 });
    let one = Window::new(1, 1, 0);
    builder.push("stem", Op::Conv2d(Convolution::new(3, channels, one))).unwrap();
    builder.push("op", op).unwrap();
    builder.push("pool", Op::GlobalAvgPool).unwrap();
    builder.push("flatten", Op::Flatten).unwrap();
    let inputs = builder.shape().len();
    builder.push("logits", Op::Linear { inputs, outputs: CLASSES }).unwrap();
    builder.finish("benchmark")
}

fn linear(inputs: usize, outputs: usize, activation: Option<Activation>) -> Network {
    let mut builder = Builder::new(Shape::Vector(inputs));
    builder.push("op", Op::Linear { inputs, outputs }).unwrap();
    if let Some(activation) = activation {
        builder.push("activation", Op::Activation(activation)).unwrap();
    }
    builder.push("logits", Op::Linear { inputs: outputs, outputs: CLASSES }).unwrap();
    builder.finish("benchmark")
}

fn measure(criterion: &mut Criterion, name: &str, network: &Network, batch: usize) {
    let len = network.input().len();
    let images: Vec<f32> =
        (0..batch * len).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect();
    let targets: Vec<u32> = (0..batch).map(|i| (i % CLASSES) as u32).collect();
    let mut engine = Engine::<f32>::new(network, batch, true);
    engine.load(&Init::KaimingNormal.state(network, 1)).unwrap();
    let flops: u64 = network.nodes().iter().map(|node| node.op.flops(node.shape)).sum();
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).throughput(Throughput::Elements(flops.max(1) * batch as u64));
    group.bench_function(BenchmarkId::new("forward", batch), |bencher| {
        bencher.iter(|| {
            black_box(engine.forward(&images, batch));
        });
    });
    group.bench_function(BenchmarkId::new("gradient", batch), |bencher| {
        bencher.iter(|| black_box(engine.gradients(&images, &targets[..], &CONTEXT)));
    });
    group.finish();
}

fn linears(criterion: &mut Criterion) {
    for batch in [1, 32, 128, 512] {
        measure(criterion, "linear 12288 to 512", &linear(12288, 512, None), batch);
    }
    // Whose gradient is half zeros.
    for batch in [128, 512] {
        measure(criterion, "linear 12288 to 512, ReLU", &linear(12288, 512, Some(Activation::Relu)), batch);
    }
}

fn convolutions(criterion: &mut Criterion) {
    let window = |kernel, stride| Window::new(kernel, stride, kernel / 2);
    let dense = |inputs, outputs, kernel, stride| Convolution::new(inputs, outputs, window(kernel, stride));
    for (name, side, convolution) in [
        ("conv2d 3x3, 32 to 64 (Winograd)", 32, dense(32, 64, 3, 1)),
        ("conv2d 3x3, 64 to 128 (Winograd)", 16, dense(64, 128, 3, 1)),
        ("conv2d 3x3, 64 to 128, stride 2 (direct)", 16, dense(64, 128, 3, 2)),
        ("conv2d 1x1, 64 to 128", 16, dense(64, 128, 1, 1)),
        (
            "conv2d 3x3, 64 to 64, reflected",
            16,
            Convolution { padding_mode: PaddingMode::Reflect, ..dense(64, 64, 3, 1) },
        ),
        ("conv2d 3x3, 96 depthwise", 16, Convolution { groups: 96, ..dense(96, 96, 3, 1) }),
    ] {
        measure(criterion, name, &network(side, convolution.inputs, Op::Conv2d(convolution)), BATCH);
    }
}

fn pointwise(criterion: &mut Criterion) {
    let half = Window::new(2, 2, 0);
    for (name, op) in [
        ("batch_norm", Op::batch_norm(64)),
        ("max_pool", Op::MaxPool(half)),
        ("avg_pool", Op::AvgPool(half)),
        ("dropout", Op::Dropout { p: 0.5 }),
        ("gelu", Op::Activation(Activation::Gelu)),
        ("relu", Op::Activation(Activation::Relu)),
    ] {
        measure(criterion, name, &network(32, 64, op), BATCH);
    }
}

fn optimizers(criterion: &mut Criterion) {
    let network = linear(2048, 512, None);
    let images = vec![0.1f32; 2048 * 8];
    let targets = [0u32, 1, 2, 3, 4, 5, 6, 7];
    for name in ["adam", "adamw", "sgd", "rmsprop"] {
        let config = OptimizerConfig { name: name.into(), lr: 1e-5, ..OptimizerConfig::default() };
        let mut engine = Engine::<f32>::new(&network, 8, true);
        engine.load(&Init::KaimingNormal.state(&network, 1)).unwrap();
        let mut optimizer = Optimizer::new(&config, engine.values().len()).unwrap();
        let mut group = criterion.benchmark_group("step of 1,053,706 parameters, batch 8");
        group.sample_size(20).throughput(Throughput::Elements(network.parameter_count() as u64));
        group.bench_function(name, |bencher| {
            bencher
                .iter(|| black_box(engine.step(&images, &targets[..], &CONTEXT, &mut optimizer, config.lr)));
        });
        group.finish();
    }
}

criterion_group!(kernels, linears, convolutions, pointwise, optimizers);
criterion_main!(kernels);
