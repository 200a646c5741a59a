//! Results that no number of threads and no neighbours in a batch can change, to the bit.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_engine::{Engine, Optimizer, OptimizerConfig, StepContext, thread_pool};
use pupila_network::{Activation, Init, ModelConfig, Network, Shape, architectures};
use pupila_random::{Purpose, Stream};

const INPUT: Shape = Shape::Map { height: 23, width: 20, channels: 3 };
const CLASSES: usize = 5;

/// Wide and deep enough that every kernel cuts its work into several jobs: 1380 inputs, 300 outputs. With ReLU about half of the
/// gradients are zero, with GELU and BatchNorm none.
fn network(activation: Activation) -> Network {
    let config = ModelConfig {
        hidden: Some(vec![300, 70]),
        activation,
        batch_norm: activation != Activation::Relu,
        dropout: Some(0.3),
        ..ModelConfig::default()
    };
    architectures::build(&config, INPUT, CLASSES).unwrap()
}

fn images(samples: usize) -> Vec<f32> {
    images_of(INPUT, samples)
}

fn images_of(input: Shape, samples: usize) -> Vec<f32> {
    let mut stream = Stream::new(11, Purpose::Bootstrap, 0, 0);
    (0..samples * input.len()).map(|_| stream.uniform(-2.0, 2.0) as f32).collect()
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// Trains for 20 steps over batches of 270 and a smaller one, and returns the engine with all losses.
fn train(activation: Activation, threads: usize) -> (Engine<f32>, Vec<u64>) {
    const BATCH: usize = 270;
    const SAMPLES: usize = BATCH + 37;
    let images = images(SAMPLES);
    let targets: Vec<u32> = (0..SAMPLES).map(|i| (i % CLASSES) as u32).collect();
    let network = network(activation);
    let pool = thread_pool(threads).unwrap();
    assert_eq!(pool.current_num_threads(), threads);
    pool.install(|| {
        let mut engine = Engine::<f32>::new(&network, BATCH, true);
        engine.load(&Init::Pytorch.state(&network, 2)).unwrap();
        let config = OptimizerConfig { weight_decay: 1e-2, ..OptimizerConfig::default() };
        let mut optimizer = Optimizer::new(&config, engine.values().len()).unwrap();
        let losses = (0..20).map(|step| {
            let range = if step % 2 == 0 { 0..BATCH } else { BATCH..SAMPLES };
            let context = StepContext { seed: 4, step, label_smoothing: 0.1 };
            let images = &images[range.start * INPUT.len()..range.end * INPUT.len()];
            engine.step(images, &targets[range], &context, &mut optimizer, 1e-3).loss.to_bits()
        });
        let losses = losses.collect();
        (engine, losses)
    })
}

#[test]
fn training_is_the_same_for_every_number_of_threads() {
    for activation in [Activation::Gelu, Activation::Relu] {
        let (engine, losses) = train(activation, 1);
        let state = engine.state();
        let start = Init::Pytorch.state(engine.network(), 2);
        assert!(state.iter().all(|(name, tensor)| tensor.data != start[name].data), "every tensor has moved");
        for threads in [2, 3, 4, 8] {
            let (other, other_losses) = train(activation, threads);
            assert_eq!(losses, other_losses, "losses with {threads} threads");
            assert_eq!(
                bits(engine.values().iter().copied()),
                bits(other.values().iter().copied()),
                "{threads} threads"
            );
            for (name, tensor) in &other.state() {
                // The running statistics too.
                assert_eq!(
                    bits(tensor.data.iter().copied()),
                    bits(state[name].data.iter().copied()),
                    "{name} with {threads} threads"
                );
            }
        }
    }
}

/// Three epochs of each architecture over two batches and a smaller one.
#[test]
fn every_architecture_is_the_same_for_every_number_of_threads() {
    const BATCH: usize = 6;
    const SAMPLES: usize = 2 * BATCH + 5;
    // The smallest that all of them take.
    let input = Shape::Map { height: 32, width: 35, channels: 3 };
    let images = images_of(input, SAMPLES);
    let targets: Vec<u32> = (0..SAMPLES).map(|i| (i % CLASSES) as u32).collect();
    for architecture in architectures::REGISTRY {
        let mut config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
        config.batch_norm = architecture.keys.contains(&"batch_norm");
        config.dropout = architecture.keys.contains(&"dropout").then_some(0.2);
        let network = architectures::build(&config, input, CLASSES).unwrap();
        let start = Init::Pytorch.state(&network, 2);
        let train = |threads: usize| {
            thread_pool(threads).unwrap().install(|| {
                let mut engine = Engine::<f32>::new(&network, BATCH, true);
                engine.load(&start).unwrap();
                let len = engine.values().len();
                let mut optimizer = Optimizer::new(&OptimizerConfig::default(), len).unwrap();
                for step in 0..9 {
                    let range = step as usize % 3 * BATCH..SAMPLES.min((step as usize % 3 + 1) * BATCH);
                    let context = StepContext { seed: 4, step, label_smoothing: 0.1 };
                    let images = &images[range.start * input.len()..range.end * input.len()];
                    let loss = engine.step(images, &targets[range], &context, &mut optimizer, 1e-3);
                    assert!(loss.loss.is_finite());
                }
                engine.state()
            })
        };
        let state = train(1);
        // A bias before a BatchNorm has no effect, and so no gradient.
        let cancels = |name: &str| {
            let Some((layer, "bias")) = name.split_once('.') else { return false };
            let Ok(layer) = layer.parse::<usize>() else { return false };
            state.contains_key(&format!("{}.running_mean", layer + 1))
        };
        for (name, tensor) in &state {
            let moved = tensor.data != start[name].data;
            assert_eq!(moved, !cancels(name), "{} of {}", name, architecture.name);
        }
        for threads in [2, 3, 8] {
            for (name, tensor) in &train(threads) {
                assert_eq!(
                    bits(tensor.data.iter().copied()),
                    bits(state[name].data.iter().copied()),
                    "{}: {name} with {threads} threads",
                    architecture.name
                );
            }
        }
    }
}

#[test]
fn a_sample_has_the_same_logits_in_every_batch() {
    const BATCH: usize = 33;
    let (trained, _) = train(Activation::Gelu, 1);
    let state = trained.state();
    let images = images(BATCH);
    let sample = |i: usize| &images[i * INPUT.len()..][..INPUT.len()];
    let mut compared = 0;
    for threads in [1, 3] {
        thread_pool(threads).unwrap().install(|| {
            let mut engine = Engine::<f32>::new(trained.network(), BATCH, false);
            engine.load(&state).unwrap();
            let together = bits(engine.forward(&images, BATCH).iter().copied());
            assert!(together.iter().collect::<std::collections::BTreeSet<_>>().len() > 100);
            // Alone in the same buffers, and alone in an engine laid out for one.
            let mut single = Engine::<f32>::new(trained.network(), 1, false);
            single.load(&state).unwrap();
            for i in 0..BATCH {
                let expected = &together[i * CLASSES..][..CLASSES];
                for engine in [&mut engine, &mut single] {
                    assert_eq!(bits(engine.forward(sample(i), 1).iter().copied()), expected, "sample {i}");
                }
                compared += 1;
            }
            // In every smaller batch, at whatever place.
            for start in 0..BATCH {
                let batch = BATCH - start;
                let logits = bits(engine.forward(&images[start * INPUT.len()..], batch).iter().copied());
                assert_eq!(logits, together[start * CLASSES..], "the last {batch} samples");
            }
        });
    }
    assert_eq!(compared, 2 * BATCH);
}

#[test]
fn tensors_in_memory_and_leading_rows_are_those_of_the_state() {
    let config = ModelConfig { hidden: Some(vec![70]), batch_norm: true, ..ModelConfig::default() };
    let network = architectures::build(&config, Shape::Map { height: 3, width: 2, channels: 3 }, 5).unwrap();
    let mut engine = Engine::<f32>::new(&network, 1, true);
    engine.load(&Init::Pytorch.state(&network, 4)).unwrap();
    let state = engine.state();
    let mut seen = 0;
    for tensor in engine.tensors() {
        let expected = &state[&tensor.spec.name];
        assert_eq!(tensor.values.len(), expected.data.len() + tensor.filling);
        let sorted = |values: &[f32]| {
            let mut values: Vec<f32> = values.iter().copied().filter(|&v| v != 0.0).collect();
            values.sort_by(f32::total_cmp);
            values
        };
        assert_eq!(sorted(tensor.values), sorted(&expected.data), "{}", tensor.spec.name);
        assert_eq!(tensor.gradient.len(), tensor.values.len());
        seen += 1;
    }
    assert_eq!(seen, 6);
    for rows in [1, 33, 70, 99] {
        let leading = engine.leading_rows("1.weight", rows).unwrap();
        assert_eq!(leading.shape, [rows.min(70), 18]);
        assert_eq!(leading.data, state["1.weight"].data[..leading.data.len()]);
    }
    assert!(engine.leading_rows("1.bias", 2).is_none() && engine.leading_rows("nope", 2).is_none());
}
