//! PyTorch's values, which `parity/engine/generate.py` wrote, and what they are compared with.

use super::Make;
use crate::{OptimizerConfig, StepContext, Targets};
use pupila_network::{ModelConfig, Network, Shape, StateDict, Tensor, architectures};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::BTreeMap;

const CASES: &str = include_str!("../../../../parity/engine/cases.json");
const TENSORS: &[u8] = include_bytes!("../../../../parity/engine/tensors.safetensors");

/// Logits and gradients of one pass in f32, relative to the largest element of the tensor. PyTorch's own rounding: 3e-7 and
/// 9e-7; kernels that sum in another order are 2e-6 off. A product in 16 bits or in TF32 would be 1e-3 off.
const PASS: f64 = 1e-5;
/// The losses of the first steps in f32, relative. PyTorch's own rounding: up to 4e-6, most of it from AdamW.
const LOSS: f64 = 1e-5;

/// Samples of a batch of a run.
pub const BATCH: usize = 32;

/// One network and one batch. Its tensors are the fixture's `NAME.images` and so on.
#[derive(Debug, Deserialize)]
pub struct Pass {
    /// Its name.
    pub name: String,
    /// The network.
    pub model: ModelConfig,
    /// Height, width and channels of an image.
    pub input: [usize; 3],
    /// Classes.
    pub classes: usize,
    /// Share of the target distribution that is spread over all classes.
    pub label_smoothing: f64,
    /// PyTorch's loss in single precision.
    pub loss: f64,
    /// And in double precision.
    pub loss_f64: f64,
}

/// 50 steps of an optimizer over a small data set.
#[derive(Debug, Deserialize)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// The network, by its name in [`Fixtures::models`].
    pub model: String,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning rate of every step.
    pub lr: f64,
    /// Share of the target distribution that is spread over all classes.
    pub label_smoothing: f64,
    /// PyTorch's loss of every step in single precision.
    pub losses: Vec<f64>,
    /// And in double precision.
    pub losses_f64: Vec<f64>,
}

/// All of it.
#[derive(Debug)]
pub struct Fixtures {
    /// Networks with one batch each.
    pub passes: Vec<Pass>,
    /// The networks of the runs.
    pub models: BTreeMap<String, ModelConfig>,
    /// Runs of optimizers.
    pub runs: Vec<Run>,
    tensors: SafeTensors<'static>,
}

impl Fixtures {
    /// Reads the fixture.
    ///
    /// # Panics
    /// Where it cannot be read. So do all that follow where a tensor is not there, or is of another type.
    pub fn read() -> Self {
        #[derive(Deserialize)]
        struct Cases {
            passes: Vec<Pass>,
            models: BTreeMap<String, ModelConfig>,
            runs: Vec<Run>,
        }
        let Cases { passes, models, runs } = serde_json::from_str(CASES).unwrap();
        Fixtures { passes, models, runs, tensors: SafeTensors::deserialize(TENSORS).unwrap() }
    }

    fn elements<T, const BYTES: usize>(&self, name: &str, dtype: Dtype, of: fn([u8; BYTES]) -> T) -> Vec<T> {
        let tensor = self.tensors.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), dtype, "{name}");
        tensor.data().as_chunks().0.iter().map(|&bytes| of(bytes)).collect()
    }

    /// A tensor in single precision.
    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.elements(name, Dtype::F32, f32::from_le_bytes)
    }

    /// A tensor in double precision.
    pub fn doubles(&self, name: &str) -> Vec<f64> {
        self.elements(name, Dtype::F64, f64::from_le_bytes)
    }

    /// A tensor of classes or of places.
    pub fn indices(&self, name: &str) -> Vec<u32> {
        self.elements(name, Dtype::I32, u32::from_le_bytes)
    }

    /// All tensors under a prefix, by what is left of their names.
    pub fn state(&self, prefix: &str) -> StateDict {
        let names = self.tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix));
        let tensor = |name: &str| {
            let full = format!("{prefix}{name}");
            let shape = self.tensors.tensor(&full).unwrap().shape().to_vec();
            (name.to_owned(), Tensor { shape, data: self.floats(&full) })
        };
        names.map(tensor).collect()
    }

    /// The network of a run, and its first values.
    pub fn network(&self, run: &Run) -> (Network, StateDict) {
        let network = network(&self.models[&run.model], [16, 16, 3], 3);
        (network, self.state(&format!("runs.{}.state.", run.model)))
    }

    /// The batches of every run, in order: images `[batch, 16, 16, 3]` and targets `[batch]`. The last one of an epoch is
    /// smaller.
    pub fn batches(&self) -> Vec<(Vec<f64>, Vec<u32>)> {
        let pixels = self.elements("runs.images", Dtype::U8, |[x]: [u8; 1]| (f64::from(x) - 127.5) / 64.0);
        let (targets, order) = (self.indices("runs.targets"), self.indices("runs.order"));
        let len = pixels.len() / targets.len();
        let epochs = order.chunks_exact(targets.len());
        let batch = |samples: &[u32]| {
            let image = |&i: &u32| &pixels[i as usize * len..][..len];
            let images = samples.iter().flat_map(image).copied().collect();
            (images, samples.iter().map(|&i| targets[i as usize]).collect())
        };
        epochs.flat_map(|epoch| epoch.chunks(BATCH)).map(batch).collect()
    }

    /// The first images of the data set, in its own order: what the logits after a run are of. `[BATCH, 16, 16, 3]`
    pub fn judged(&self) -> Vec<f64> {
        let all = self.elements("runs.images", Dtype::U8, |[x]: [u8; 1]| (f64::from(x) - 127.5) / 64.0);
        all[..BATCH * 16 * 16 * 3].to_vec()
    }
}

/// The network of a `[model]` section.
///
/// # Panics
/// Where it cannot be built.
pub fn network(model: &ModelConfig, [height, width, channels]: [usize; 3], classes: usize) -> Network {
    architectures::build(model, Shape::Map { height, width, channels }, classes).unwrap()
}

/// The largest of several deviations, and which it was.
#[derive(Debug, Default)]
pub struct Worst(f64, String);

impl Worst {
    /// Takes a deviation into account.
    ///
    /// # Panics
    /// Where it is not finite: a NaN must not pass as small.
    pub fn note(&mut self, deviation: f64, what: &str) {
        assert!(deviation.is_finite(), "{what}: {deviation}");
        if deviation > self.0 {
            *self = Worst(deviation, what.to_owned());
        }
    }

    /// Compares element by element, relative to `scale`.
    ///
    /// # Panics
    /// Where there are not as many.
    pub fn compare(&mut self, got: &[f64], expected: &[f64], scale: f64, what: &str) {
        assert_eq!(got.len(), expected.len(), "{what}");
        got.iter().zip(expected).for_each(|(a, b)| self.note((a - b).abs() / scale, what));
    }

    /// As [`Worst::compare`], relative to the largest expected element.
    pub fn compare_all(&mut self, got: &[f64], expected: &[f64], what: &str) {
        let scale = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        self.compare(got, expected, scale, what);
    }

    /// Compares the gradients of a network by their names, each relative to its tensor's largest. Gives the number of
    /// tensors.
    ///
    /// # Panics
    /// Where they are not the same tensors.
    pub fn compare_gradients(&mut self, got: &StateDict, expected: &StateDict, what: &str) -> usize {
        let names = |state: &StateDict| state.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(got), names(expected), "the names of the parameters of {what}");
        let largest = |tensor: &Tensor| tensor.data.iter().fold(0.0, |m: f64, x| m.max(f64::from(x.abs())));
        let all = expected.values().map(largest).fold(0.0, f64::max);
        for (key, expected) in expected {
            assert_eq!(got[key].shape, expected.shape, "{what}.{key}");
            // The gradient of a bias before BatchNorm is nothing but rounding.
            let own = largest(expected);
            let scale = if own > 1e-6 * all { own } else { all };
            self.compare(&doubles(&got[key].data), &doubles(&expected.data), scale, &format!("{what}.{key}"));
        }
        expected.len()
    }

    /// Asks that all of them were small.
    ///
    /// # Panics
    /// Where one was above the tolerance.
    pub fn below(&self, tolerance: f64, what: &str) {
        println!("{what}: {:.1e} at {}", self.0, self.1);
        assert!(self.0 <= tolerance, "{what}: {:.2e} above {tolerance:.0e} at {}", self.0, self.1);
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// One pass of every network of the fixture: logits, loss, gradients and running statistics.
pub fn logits_and_gradients_are_pytorchs(make: Make<'_>) {
    let fixtures = Fixtures::read();
    let [mut logits, mut losses, mut gradients, mut running]: [Worst; 4] = Default::default();
    for pass in &fixtures.passes {
        let name = &pass.name;
        let targets = fixtures.indices(&format!("{name}.targets"));
        let (images, batch) = (fixtures.floats(&format!("{name}.images")), targets.len());
        let mut backend = make(&network(&pass.model, pass.input, pass.classes), batch, true);
        backend.load(&fixtures.state(&format!("{name}.state."))).unwrap();
        let expected = doubles(&fixtures.floats(&format!("{name}.logits")));
        logits.compare_all(&doubles(backend.forward(&images, batch)), &expected, name);
        let context = StepContext { seed: 0, step: 0, label_smoothing: pass.label_smoothing };
        let loss = backend.gradients(&images, Targets::from(&targets), &context);
        losses.note((loss.mean() - pass.loss).abs() / pass.loss, name);
        let expected = fixtures.state(&format!("{name}.gradient."));
        gradients.compare_gradients(&backend.gradient_state(), &expected, name);
        let found = backend.state();
        for (key, expected) in &fixtures.state(&format!("{name}.running.")) {
            let (got, expected) = (doubles(&found[key].data), doubles(&expected.data));
            running.compare_all(&got, &expected, &format!("{name}.{key}"));
        }
    }
    assert_eq!(fixtures.passes.len(), 19);
    logits.below(PASS, "logits");
    losses.below(PASS, "losses");
    gradients.below(PASS, "gradients");
    running.below(PASS, "running statistics");
}

/// The first five steps of every run of the fixture: all optimizers, with and without BatchNorm.
pub fn losses_of_five_steps_are_pytorchs(make: Make<'_>) {
    let fixtures = Fixtures::read();
    let batches = fixtures.batches();
    let mut losses = Worst::default();
    for run in &fixtures.runs {
        let (network, state) = fixtures.network(run);
        let mut backend = make(&network, BATCH, true);
        backend.load(&state).unwrap();
        backend.set_optimizer(&run.optimizer).unwrap();
        for (step, ((images, targets), expected)) in batches.iter().zip(&run.losses).take(5).enumerate() {
            let images: Vec<f32> = images.iter().map(|&x| x as f32).collect();
            let context = StepContext { seed: 0, step: step as u64, label_smoothing: run.label_smoothing };
            let loss = backend.step(&images, Targets::from(targets), &context, run.lr).mean();
            losses.note((loss - expected).abs() / expected, &format!("{}, step {step}", run.name));
        }
        assert_eq!(backend.updates(), 5);
    }
    assert_eq!(fixtures.runs.len(), 18);
    losses.below(LOSS, "losses of five steps");
}
