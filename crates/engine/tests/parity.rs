//! The engine against PyTorch, on the networks and values that `parity/engine/generate.py` wrote.
//!
//! The generator also says how far PyTorch in float32 is from PyTorch in float64, which is what rounding alone does to a
//! result. The tolerances stand a little above that; the twin in f64 shows that nothing but rounding is left.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_engine::{Engine, Float, Optimizer, OptimizerConfig, StepContext};
use pupila_network::{Activation, ModelConfig, Network, Shape, StateDict, Tensor, architectures};
use safetensors::SafeTensors;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const CASES: &str = include_str!("../../../parity/engine/cases.json");
const TENSORS: &[u8] = include_bytes!("../../../parity/engine/tensors.safetensors");

/// Logits and gradients of one pass in f32. PyTorch's own rounding: 3e-7 and 9e-7. The kernels sum in another order, which
/// differs between instruction sets: 2.1e-6 has been seen.
const PASS: f64 = 4e-6;
/// The loss at every of 50 steps in f32, relative. PyTorch's own rounding: up to 4e-6, most of it from AdamW.
const LOSS: f64 = 1e-5;
/// Logits after 50 steps in f32, where BatchNorm stands behind no bias. PyTorch's own rounding: 1.1e-6.
const LOGITS: f64 = 5e-6;
/// The same behind BatchNorm without weight decay: the true gradient of a bias before BatchNorm is zero, so Adam
/// enlarges what rounding leaves of it. No loss in training mode sees that bias, but the running mean lags behind it.
/// PyTorch's own rounding: 4e-4.
const LOGITS_BEHIND_BATCH_NORM: f64 = 2e-3;
/// Everything in f64.
const DOUBLE: f64 = 1e-11;

const BATCH: usize = 32;

#[derive(Deserialize)]
struct Cases {
    passes: Vec<Pass>,
    models: BTreeMap<String, ModelConfig>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Pass {
    name: String,
    model: ModelConfig,
    input: [usize; 3],
    classes: usize,
    label_smoothing: f64,
    loss: f64,
    loss_f64: f64,
}

#[derive(Deserialize)]
struct Run {
    name: String,
    model: String,
    optimizer: OptimizerConfig,
    lr: f64,
    label_smoothing: f64,
    losses: Vec<f64>,
    losses_f64: Vec<f64>,
}

struct Fixtures {
    cases: Cases,
    tensors: SafeTensors<'static>,
}

impl Fixtures {
    fn read() -> Self {
        Fixtures {
            cases: serde_json::from_str(CASES).unwrap(),
            tensors: SafeTensors::deserialize(TENSORS).unwrap(),
        }
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let tensor = self.tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32, "{name}");
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn doubles(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F64, "{name}");
        tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn indices(&self, name: &str) -> Vec<u32> {
        let tensor = self.tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::I32, "{name}");
        tensor.data().chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// All tensors under a prefix, by what is left of their names.
    fn state(&self, prefix: &str) -> StateDict {
        let names = self.tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix));
        let tensor = |name: &str| {
            let full = format!("{prefix}{name}");
            let shape = self.tensors.tensor(&full).unwrap().shape().to_vec();
            (name.to_owned(), Tensor { shape, data: self.floats(&full) })
        };
        names.map(tensor).collect()
    }
}

fn network(model: &ModelConfig, [height, width, channels]: [usize; 3], classes: usize) -> Network {
    architectures::build(model, Shape::Map { height, width, channels }, classes).unwrap()
}

fn cast<T: Float>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&x| T::of(f64::from(x))).collect()
}

fn doubles<T: Float>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |m, x| m.max(f64::from(x.abs())))
}

/// The largest of several deviations, and which it was.
#[derive(Default)]
struct Worst(f64, String);

impl Worst {
    fn note(&mut self, deviation: f64, what: &str) {
        // A NaN must not pass as small.
        assert!(deviation.is_finite(), "{what}: {deviation}");
        if deviation > self.0 {
            *self = Worst(deviation, what.to_owned());
        }
    }

    /// Compares element by element, relative to `scale`.
    fn compare(&mut self, got: &[f64], expected: &[f64], scale: f64, what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        got.iter().zip(expected).for_each(|(a, b)| self.note((a - b).abs() / scale, what));
    }

    /// As [`Worst::compare`], relative to the largest expected element.
    fn compare_all(&mut self, got: &[f64], expected: &[f64], what: &str) {
        let scale = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        self.compare(got, expected, scale, what);
    }

    fn below(&self, tolerance: f64, what: &str) {
        println!("{what}: {:.1e} at {}", self.0, self.1);
        assert!(self.0 <= tolerance, "{what}: {:.2e} above {tolerance:.0e} at {}", self.0, self.1);
    }
}

#[test]
fn logits_losses_gradients_and_running_statistics_are_pytorchs() {
    let fixtures = Fixtures::read();
    let [mut logits, mut losses, mut gradients, mut running]: [Worst; 4] = Default::default();
    let [mut logits64, mut losses64]: [Worst; 2] = Default::default();
    let (mut tensors, mut activations) = (0, BTreeSet::new());
    for pass in &fixtures.cases.passes {
        let name = &pass.name;
        let network = network(&pass.model, pass.input, pass.classes);
        let images = fixtures.floats(&format!("{name}.images"));
        let targets = fixtures.indices(&format!("{name}.targets"));
        let state = fixtures.state(&format!("{name}.state."));
        let context = StepContext { seed: 0, step: 0, label_smoothing: pass.label_smoothing };
        let batch = targets.len();

        let mut engine = Engine::<f32>::new(&network, batch, true);
        engine.load(&state).unwrap();
        let expected = doubles(&fixtures.floats(&format!("{name}.logits")));
        logits.compare_all(&doubles(engine.forward(&images, batch)), &expected, name);
        let loss = engine.gradients(&images, &targets, &context);
        losses.note((loss.loss / batch as f64 - pass.loss).abs() / pass.loss, name);

        let expected = fixtures.state(&format!("{name}.gradient."));
        let found = engine.gradient_state();
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "the names of the parameters of {name}"
        );
        let all = expected.values().map(|t| largest(&t.data)).fold(0.0, f64::max);
        for (key, expected) in &expected {
            assert_eq!(found[key].shape, expected.shape, "{name}.{key}");
            // Relative to the tensor's largest gradient. That of a bias before BatchNorm is nothing but rounding.
            let own = largest(&expected.data);
            let scale = if own > 1e-6 * all { own } else { all };
            let (got, expected) = (doubles(&found[key].data), doubles(&expected.data));
            gradients.compare(&got, &expected, scale, &format!("{name}.{key}"));
            tensors += 1;
        }
        let found = engine.state();
        for (key, expected) in &fixtures.state(&format!("{name}.running.")) {
            let (got, expected) = (doubles(&found[key].data), doubles(&expected.data));
            running.compare_all(&got, &expected, &format!("{name}.{key}"));
            tensors += 1;
        }

        let mut engine = Engine::<f64>::new(&network, batch, true);
        engine.load(&state).unwrap();
        let images: Vec<f64> = cast(&images);
        let expected = fixtures.doubles(&format!("{name}.logits_f64"));
        logits64.compare_all(engine.forward(&images, batch), &expected, name);
        let loss = engine.gradients(&images, &targets, &context);
        losses64.note((loss.loss / batch as f64 - pass.loss_f64).abs() / pass.loss_f64, name);
        activations.insert(format!("{:?}", pass.model.activation));
    }
    logits.below(PASS, "logits");
    losses.below(PASS, "losses");
    gradients.below(PASS, "gradients");
    running.below(PASS, "running statistics");
    logits64.below(DOUBLE, "logits in f64");
    losses64.below(DOUBLE, "losses in f64");
    assert_eq!(fixtures.cases.passes.len(), 19);
    assert_eq!(tensors, 138);
    assert_eq!(activations.len(), Activation::ALL.len());
}

/// The losses of all steps, and the logits of the first samples in evaluation mode afterwards.
fn train<T: Float>(fixtures: &Fixtures, run: &Run) -> (Vec<f64>, Vec<f64>) {
    let input = [16, 16, 3];
    let network = network(&fixtures.cases.models[&run.model], input, 3);
    let pixels = fixtures.tensors.tensor("runs.images").unwrap().data().to_vec();
    let images: Vec<T> = pixels.iter().map(|&x| T::of((f64::from(x) - 127.5) / 64.0)).collect();
    let targets = fixtures.indices("runs.targets");
    let order = fixtures.indices("runs.order");
    let len = network.input().len();
    let mut engine = Engine::<T>::new(&network, BATCH, true);
    engine.load(&fixtures.state(&format!("runs.{}.state.", run.model))).unwrap();
    let mut optimizer = Optimizer::new(&run.optimizer, engine.values().len()).unwrap();
    let mut losses = Vec::new();
    let batches = order.chunks_exact(targets.len()).flat_map(|epoch| epoch.chunks(BATCH));
    for (step, batch) in batches.take(run.losses.len()).enumerate() {
        let images: Vec<T> =
            batch.iter().flat_map(|&i| &images[i as usize * len..][..len]).copied().collect();
        let targets: Vec<u32> = batch.iter().map(|&i| targets[i as usize]).collect();
        let context = StepContext { seed: 0, step: step as u64, label_smoothing: run.label_smoothing };
        let loss = engine.step(&images, &targets, &context, &mut optimizer, run.lr);
        losses.push(loss.loss / loss.samples as f64);
    }
    assert_eq!(optimizer.steps() as usize, losses.len());
    (losses, doubles(engine.forward(&images[..BATCH * len], BATCH)))
}

#[test]
fn fifty_steps_of_every_optimizer_follow_pytorchs() {
    let fixtures = Fixtures::read();
    let [mut losses, mut logits, mut behind_norm, mut losses64, mut logits64]: [Worst; 5] =
        Default::default();
    let mut steps = 0;
    let mut optimizers = BTreeSet::new();
    for run in &fixtures.cases.runs {
        let name = &run.name;
        let (found, after) = train::<f32>(&fixtures, run);
        assert_eq!(found.len(), run.losses.len());
        for (step, (loss, expected)) in found.iter().zip(&run.losses).enumerate() {
            losses.note((loss - expected).abs() / expected, &format!("{name}, step {step}"));
            steps += 1;
        }
        let expected = doubles(&fixtures.floats(&format!("{name}.logits")));
        let l2 = run.optimizer.name == "adam" && run.optimizer.weight_decay > 0.0;
        let vanishing = fixtures.cases.models[&run.model].batch_norm && !l2;
        let worst = if vanishing { &mut behind_norm } else { &mut logits };
        worst.compare_all(&after, &expected, name);

        let (found, after) = train::<f64>(&fixtures, run);
        for (step, (loss, expected)) in found.iter().zip(&run.losses_f64).enumerate() {
            losses64.note((loss - expected).abs() / expected, &format!("{name}, step {step}"));
        }
        logits64.compare_all(&after, &fixtures.doubles(&format!("{name}.logits_f64")), name);
        optimizers.insert(run.optimizer.name.clone());
    }
    losses.below(LOSS, "losses");
    logits.below(LOGITS, "logits afterwards");
    behind_norm.below(LOGITS_BEHIND_BATCH_NORM, "logits afterwards behind BatchNorm");
    losses64.below(DOUBLE, "losses in f64");
    logits64.below(DOUBLE, "logits afterwards in f64");
    assert_eq!(fixtures.cases.runs.len(), 18);
    assert_eq!(steps, 18 * 50);
    let registered: BTreeSet<_> =
        pupila_engine::optimizer::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(optimizers, registered, "every optimizer is compared");
}
