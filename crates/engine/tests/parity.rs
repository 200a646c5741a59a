//! The engine against PyTorch, on the networks and values that `parity/engine/generate.py` wrote.
//!
//! The generator also says how far PyTorch in float32 is from PyTorch in float64, which is what rounding alone does to a
//! result. The tolerances stand a little above that; the twin in f64 shows that nothing but rounding is left.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_backend::suite::pytorch::{BATCH, Fixtures, Run, Worst, network};
use pupila_engine::{Engine, Float, Optimizer, StepContext};
use pupila_network::Activation;
use std::collections::BTreeSet;

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

fn cast<T: Float>(values: &[f32]) -> Vec<T> {
    values.iter().map(|&x| T::of(f64::from(x))).collect()
}

fn doubles<T: Float>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

#[test]
fn logits_losses_gradients_and_running_statistics_are_pytorchs() {
    let fixtures = Fixtures::read();
    let [mut logits, mut losses, mut gradients, mut running]: [Worst; 4] = Default::default();
    let [mut logits64, mut losses64]: [Worst; 2] = Default::default();
    let (mut tensors, mut activations) = (0, BTreeSet::new());
    for pass in &fixtures.passes {
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
        tensors += gradients.compare_gradients(&engine.gradient_state(), &expected, name);
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
    assert_eq!(fixtures.passes.len(), 19);
    assert_eq!(tensors, 138);
    let others: Vec<Activation> =
        Activation::ALL.into_iter().filter(|other| !activations.contains(&format!("{other:?}"))).collect();
    // These are in parity/ops, and in no pass of a whole network.
    assert_eq!(others, [Activation::Hardswish, Activation::Hardsigmoid]);
}

/// The losses of all steps, and the logits of the first samples in evaluation mode afterwards.
fn train<T: Float>(fixtures: &Fixtures, run: &Run) -> (Vec<f64>, Vec<f64>) {
    let (network, state) = fixtures.network(run);
    let mut engine = Engine::<T>::new(&network, BATCH, true);
    engine.load(&state).unwrap();
    let mut optimizer = Optimizer::new(&run.optimizer, engine.values().len()).unwrap();
    let mut losses = Vec::new();
    let cast = |images: &[f64]| images.iter().map(|&x| T::of(x)).collect::<Vec<_>>();
    for (step, (images, targets)) in fixtures.batches().iter().take(run.losses.len()).enumerate() {
        let images = cast(images);
        let context = StepContext { seed: 0, step: step as u64, label_smoothing: run.label_smoothing };
        let loss = engine.step(&images, targets, &context, &mut optimizer, run.lr);
        losses.push(loss.loss / loss.samples as f64);
    }
    assert_eq!(optimizer.steps() as usize, losses.len());
    (losses, doubles(engine.forward(&cast(&fixtures.judged()), BATCH)))
}

#[test]
fn fifty_steps_of_every_optimizer_follow_pytorchs() {
    let fixtures = Fixtures::read();
    let [mut losses, mut logits, mut behind_norm, mut losses64, mut logits64]: [Worst; 5] =
        Default::default();
    let mut steps = 0;
    let mut optimizers = BTreeSet::new();
    for run in &fixtures.runs {
        let name = &run.name;
        let (found, after) = train::<f32>(&fixtures, run);
        assert_eq!(found.len(), run.losses.len());
        for (step, (loss, expected)) in found.iter().zip(&run.losses).enumerate() {
            losses.note((loss - expected).abs() / expected, &format!("{name}, step {step}"));
            steps += 1;
        }
        let expected = doubles(&fixtures.floats(&format!("{name}.logits")));
        let l2 = run.optimizer.name == "adam" && run.optimizer.weight_decay > 0.0;
        let vanishing = fixtures.models[&run.model].batch_norm && !l2;
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
    assert_eq!(fixtures.runs.len(), 18);
    assert_eq!(steps, 18 * 50);
    let registered: BTreeSet<_> =
        pupila_engine::optimizer::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(optimizers, registered, "every optimizer is compared");
}
