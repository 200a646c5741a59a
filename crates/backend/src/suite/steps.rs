//! Passes, losses and updates.

use super::*;
use crate::optimizer::REGISTRY;
use crate::{NotFinite, Targets};

/// Sums of two or three gradients in another order, and updates of f32 values by them, relative to the largest: a few roundings
/// of 6e-8, by the number of terms.
const REORDERED: f64 = 2e-5;

/// An image's logits are its own to the bit: alone, in any company, at any place, and by a backend that trains as by one that
/// only judges.
pub fn logits_depend_on_their_image_alone(make: Make<'_>) {
    let built = |name: &str| {
        let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
        architectures::build(&config, Shape::Map { height: 32, width: 32, channels: 3 }, CLASSES).unwrap()
    };
    let all = networks().into_iter().chain(
        ["cnn", "resnet18", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_lite0", "convnext_atto"]
            .map(built),
    );
    for network in all {
        let len = network.input().len();
        let images: Vec<f32> =
            (0..9 * len).map(|i| ((i * 37 + i / len * 11) % 101) as f32 / 50.0 - 1.0).collect();
        let what = network.architecture.clone();
        let mut judge = ready(make, &network, 9, false);
        let together = judge.forward(&images, 9).to_vec();
        assert_eq!(together.len(), 9 * network.classes(), "{what}");
        let logits = |image: usize| &together[image * CLASSES..][..CLASSES];
        assert_ne!(logits(0), logits(1), "{what}: images have logits of their own");
        for image in [0, 4, 8] {
            let alone = judge.forward(&images[image * len..][..len], 1);
            same(alone, logits(image), &format!("{what}: image {image} alone"));
        }
        let turned = [&images[5 * len..], &images[..5 * len]].concat();
        let turned = judge.forward(&turned, 9);
        for image in 0..9 {
            let place = (image + 4) % 9;
            same(
                &turned[place * CLASSES..][..CLASSES],
                logits(image),
                &format!("{what}: image {image} at {place}"),
            );
        }
        let mut trains = ready(make, &network, 9, true);
        same(trains.forward(&images, 9), &together, &format!("{what}: a backend that trains"));
    }
}

/// The gradient of a batch is the same to the bit after a larger one as in a backend that has seen nothing else.
pub fn a_smaller_batch_sees_nothing_of_a_larger_one(make: Make<'_>) {
    for network in networks() {
        let gradient = |backend: &mut Box<dyn Backend>, batch: usize| {
            let loss = backend.gradients(&images(2, batch), Targets::from(&classes(2, batch)), &CONTEXT);
            (loss, backend.gradient_state())
        };
        let mut used = ready(make, &network, 9, true);
        gradient(&mut used, 9);
        for batch in [4, 2] {
            let what = format!("{}, a batch of {batch}", network.architecture);
            let (loss, found) = gradient(&mut used, batch);
            let (expected_loss, expected) = gradient(&mut ready(make, &network, 9, true), batch);
            assert_eq!(loss, expected_loss, "{what}");
            same_state(&found, &expected, &what);
        }
    }
}

/// A small step of every optimizer lowers the loss of its batch, and gives the loss of before it.
pub fn a_step_lowers_the_loss(make: Make<'_>) {
    for network in [network("mlp", false, 0.0), network("cnn", true, 0.0)] {
        for entry in REGISTRY {
            let what = format!("{}, {}", network.architecture, entry.name);
            let mut backend = trainer(make, &network, 6, &optimizer(entry.name));
            let (images, targets) = (images(0, 6), classes(0, 6));
            let targets = Targets::from(&targets);
            let before = backend.gradients(&images, targets, &CONTEXT);
            assert_eq!(backend.updates(), 0, "{what}");
            let lr = if entry.name == "sgd" { 1e-2 } else { 1e-4 };
            let of_step = backend.step(&images, targets, &CONTEXT, lr);
            assert_eq!(of_step, before, "{what}: the loss of before the update");
            assert_eq!((of_step.samples, of_step.weight), (6, 6.0), "{what}");
            let after = backend.gradients(&images, targets, &CONTEXT);
            assert!(after.mean() < before.mean(), "{what}: {} after {}", after.mean(), before.mean());
            assert_eq!(backend.updates(), 1, "{what}");
            assert!(backend.memory_bytes().moments > 0, "{what}");
        }
    }
}

/// Several batches that are added up give the update of one batch of them all, with class weights too.
pub fn batches_together_are_one(make: Make<'_>) {
    for network in [network("mlp", false, 0.0), network("cnn", false, 0.0)] {
        let (images, targets) = (images(0, 7), [0, 2, 1, 1, 0, 2, 2]);
        let parts = [0..2, 2..6, 6..7];
        let begun = || {
            let mut backend = trainer(make, &network, 7, &optimizer("sgd"));
            backend.set_class_weights(&[0.5, 1.0, 3.0]);
            let start = all(&backend.state());
            (backend, start)
        };
        let (mut whole, start) = begun();
        let loss = whole.step(&images, Targets::from(&targets), &CONTEXT, 1.0);
        let expected = difference(&all(&whole.state()), &start);
        assert!(largest(&expected) > 1e-2, "an update to be seen");
        let (mut backend, _) = begun();
        // The second round must not see anything of the first.
        for round in 0..2 {
            backend.load(&first_values(&network)).unwrap();
            let mut sum = crate::LossSum::default();
            for part in parts.clone() {
                let images = &images[part.start * INPUT.len()..part.end * INPUT.len()];
                sum += backend.accumulate(images, Targets::from(&targets[part]), &CONTEXT);
            }
            assert_eq!(backend.updates(), round, "nothing is updated before it is applied");
            let waiting = backend.training_state().waiting.unwrap().weight;
            assert!(
                (waiting - loss.weight).abs() < 1e-12,
                "{waiting} waits, the batch weighs {}",
                loss.weight
            );
            assert!((sum.mean() - loss.mean()).abs() <= REORDERED * loss.mean());
            assert!(backend.apply(1.0, None) > 0.0);
            let update = difference(&all(&backend.state()), &start);
            near(&update, &expected, REORDERED, &format!("{}, round {round}", network.architecture));
        }
        let before = backend.training_state();
        assert_eq!(before.waiting, None, "nothing is left");
        assert_eq!(backend.apply(1.0, None), 0.0, "nothing is left to apply");
        same_training(&backend.training_state(), &before, "after nothing was applied");
    }
}

/// The norm of an update's gradient is given, and held down where that is asked for.
pub fn a_clipped_update_has_the_norm_asked_for(make: Make<'_>) {
    let network = network("mlp", true, 0.0);
    let mut backend = trainer(make, &network, 5, &optimizer("sgd"));
    let (images, targets) = (images(0, 5), classes(0, 5));
    let targets = Targets::from(&targets);
    backend.gradients(&images, targets, &CONTEXT);
    let gradient = all(&backend.gradient_state());
    let length = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
    let norm = length(&gradient);
    let given = backend.gradient_norm();
    assert!((given - norm).abs() <= REORDERED * norm, "the norm {given} is {norm}");
    for max_norm in [None, Some(norm * 2.0), Some(norm / 4.0)] {
        backend.load(&first_values(&network)).unwrap();
        let trained = |backend: &dyn Backend| {
            let mut state = backend.state();
            state.retain(|name, _| !name.contains("running"));
            all(&state)
        };
        let start = trained(&*backend);
        backend.accumulate(&images, targets, &CONTEXT);
        let found = backend.apply(1.0, max_norm);
        assert!((found - norm).abs() <= REORDERED * norm, "{max_norm:?}: the norm {found} is {norm}");
        let factor = max_norm.map_or(1.0, |max| (max / norm).min(1.0));
        let expected: Vec<f64> = gradient.iter().map(|g| -factor * g).collect();
        near(&difference(&trained(&*backend), &start), &expected, REORDERED, &format!("{max_norm:?}"));
    }
}

/// A sample whose class weighs nothing leaves loss and gradient as if it were not there, and each counts by its weight.
pub fn classes_count_by_their_weights(make: Make<'_>) {
    let network = network("mlp", false, 0.0);
    let mut backend = ready(make, &network, 4, true);
    let images = images(0, 4);
    let len = INPUT.len();
    let mut gradients = |images: &[f32], targets: &[u32], weights: &[f64]| {
        backend.set_class_weights(weights);
        let loss = backend.gradients(images, Targets::from(targets), &CONTEXT);
        (loss, all(&backend.gradient_state()))
    };
    let (loss, gradient) = gradients(&images, &[0, 1, 2, 0], &[2.0, 0.0, 0.5]);
    let others = [&images[..len], &images[2 * len..]].concat();
    let (expected_loss, expected) = gradients(&others, &[0, 2, 0], &[2.0, 1.0, 0.5]);
    assert_eq!((loss.weight, loss.samples), (4.5, 4));
    assert!((loss.mean() - expected_loss.mean()).abs() <= REORDERED * loss.mean());
    near(&gradient, &expected, REORDERED, "the gradient without a class");
    let (plain, _) = gradients(&others, &[0, 2, 0], &[]);
    assert_eq!(plain.weight, 3.0, "no weights weigh all alike");
    assert!((plain.mean() - expected_loss.mean()).abs() > 1e-3, "weights change the loss");
    let (nothing, gradient) = gradients(&images[..len], &[1], &[2.0, 0.0, 0.5]);
    assert_eq!((nothing.loss, nothing.weight), (0.0, 0.0));
    assert!(gradient.iter().all(|&g| g == 0.0), "classes that weigh nothing have no gradient");
}

/// A mixed sample's loss and gradient are those of its two classes by their shares.
pub fn mixed_targets_are_the_mixture_of_their_losses(make: Make<'_>) {
    let network = network("mlp", false, 0.0);
    let mut backend = ready(make, &network, 2, true);
    let images = images(0, 2);
    let mut gradients = |targets: Targets<'_>| {
        let loss = backend.gradients(&images, targets, &CONTEXT);
        (loss, all(&backend.gradient_state()))
    };
    let ((first, of_first), (second, of_second)) =
        (gradients(Targets::from(&[0, 1])), gradients(Targets::from(&[2, 0])));
    let mixed = |share: f64| Targets {
        classes: &[0, 1],
        partners: &[2, 0],
        shares: if share == 1.0 { &[1.0, 1.0] } else { &[0.3, 0.3] },
    };
    let (whole, of_whole) = gradients(mixed(1.0));
    assert_eq!(whole, first, "a share of 1 is the plain target");
    near(&of_whole, &of_first, 0.0, "the gradient of a share of 1");
    let (loss, gradient) = gradients(mixed(0.3));
    let expected = 0.3 * first.mean() + 0.7 * second.mean();
    assert!((loss.mean() - expected).abs() <= 1e-6 * expected, "{} for {expected}", loss.mean());
    let expected: Vec<f64> = of_first.iter().zip(&of_second).map(|(a, b)| 0.3 * a + 0.7 * b).collect();
    near(&gradient, &expected, REORDERED, "the gradient of a mixture");
}

/// Dropout's draws depend on the seed and the step and on nothing that was drawn before; judging drops nothing.
pub fn dropout_draws_by_seed_and_step(make: Make<'_>) {
    let network = network("mlp", false, 0.5);
    let mut backend = ready(make, &network, 6, true);
    let (images, targets) = (images(0, 6), classes(0, 6));
    let mut loss = |seed: u64, step: u64| {
        let context = StepContext { seed, step, ..CONTEXT };
        backend.gradients(&images, Targets::from(&targets), &context).loss
    };
    let first = loss(1, 0);
    assert!(loss(1, 1) != first && loss(2, 0) != first, "another step and another seed draw anew");
    assert_eq!(loss(1, 0), first, "the same step draws the same");
    let without = super::network("mlp", false, 0.0);
    let expected = ready(make, &without, 6, false).forward(&images, 6).to_vec();
    // The last layer has another number where there is no dropout, and so another name.
    let mut state = StateDict::new();
    let from = network.parameters().into_iter().zip(without.parameters());
    let values = first_values(&without);
    from.for_each(|(spec, other)| _ = state.insert(spec.name, values[&other.name].clone()));
    backend.load(&state).unwrap();
    same(backend.forward(&images, 6), &expected, "logits in evaluation mode");
}

/// A batch whose loss is not a number changes nothing and is found; what is not finite in a network is named.
pub fn a_loss_that_is_not_finite_updates_nothing(make: Make<'_>) {
    for network in [network("mlp", false, 0.0), network("cnn", false, 0.0)] {
        let what = &network.architecture;
        let mut backend = trainer(make, &network, 4, &optimizer("adam"));
        let (good, targets) = (images(0, 4), classes(0, 4));
        let targets = Targets::from(&targets);
        backend.step(&good, targets, &CONTEXT, 0.01);
        backend.accumulate(&good, targets, &CONTEXT);
        let before = backend.training_state();
        let mut broken = good.clone();
        broken[INPUT.len() + 7] = f32::NAN;
        let loss = backend.step(&broken, targets, &CONTEXT, 0.01);
        assert!(!loss.loss.is_finite(), "{what}: {loss:?}");
        same_training(&backend.training_state(), &before, &format!("{what}: after a step"));
        assert!(!backend.accumulate(&broken, targets, &CONTEXT).loss.is_finite(), "{what}");
        same_training(&backend.training_state(), &before, &format!("{what}: after a batch was to be added"));
        assert_eq!(backend.find_not_finite(&broken, 4, &CONTEXT), Some(NotFinite::Images), "{what}");
        assert_eq!(backend.find_not_finite(&good, 4, &CONTEXT), None, "{what}");
        let weight = network.parameters()[2].name.clone();
        let mut state = first_values(&network);
        state.get_mut(&weight).unwrap().data[3] = f32::INFINITY;
        backend.load(&state).unwrap();
        let found = backend.find_not_finite(&good, 4, &CONTEXT);
        assert_eq!(found, Some(NotFinite::Tensor(weight.clone())), "{what}");
        // Finite values whose sums are not.
        state.get_mut(&weight).unwrap().data.fill(3e38);
        backend.load(&state).unwrap();
        let found = backend.find_not_finite(&good, 4, &CONTEXT);
        assert!(matches!(found, Some(NotFinite::Layer(..))), "{what}: {found:?}");
    }
}

/// Another optimizer begins without a step and without what was added up for the last one; a wrong one changes nothing.
pub fn a_new_optimizer_begins_anew(make: Make<'_>) {
    let network = network("mlp", true, 0.0);
    let mut backend = trainer(make, &network, 4, &optimizer("adam"));
    let (images, targets) = (images(0, 4), classes(0, 4));
    let targets = Targets::from(&targets);
    backend.step(&images, targets, &CONTEXT, 0.01);
    backend.accumulate(&images, targets, &CONTEXT);
    let before = backend.training_state();
    let wrong = OptimizerConfig { lr: -1.0, ..optimizer("adam") };
    assert_eq!(backend.set_optimizer(&wrong).unwrap_err().key, "lr");
    same_training(&backend.training_state(), &before, "after an optimizer that cannot be");
    for entry in REGISTRY {
        backend.set_optimizer(&optimizer(entry.name)).unwrap();
        let state = backend.training_state();
        assert_eq!((backend.updates(), &state.waiting), (0, &None), "{}", entry.name);
        let begun = state.optimizer.unwrap();
        assert_eq!((begun.name.as_str(), begun.steps, begun.moments.len()), (entry.name, 0, entry.moments));
        assert!(begun.moments.iter().flatten().all(|&x| x == 0.0), "{}", entry.name);
        assert_eq!(state.values, before.values, "{}: the values stay", entry.name);
        backend.accumulate(&images, targets, &CONTEXT);
        backend.restore(&before.values);
    }
    backend.end_training();
    let ended = backend.training_state();
    assert_eq!((backend.updates(), ended.optimizer, ended.waiting), (0, None, None), "training has ended");
}
