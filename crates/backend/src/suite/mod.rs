//! What any backend must do: functions that try one and panic with what differs.
//!
//! A backend's own tests call each of [`ALL`], with a function that makes the backend for a network, the largest batch, and
//! whether it is to train.
//!
//! Numbers that a sum in another order changes are compared within a tolerance that stands where it is used, with its
//! reason. Whatever one backend computes twice is compared to the bit.

// The whole module is tests.
#![allow(clippy::unwrap_used)]

mod looks;
pub mod pytorch;
mod states;
mod steps;

pub use looks::{looking_changes_nothing, maps_explain_the_logits, tensors_are_those_of_the_state};
pub use pytorch::{logits_and_gradients_are_pytorchs, losses_of_five_steps_are_pytorchs};
pub use states::{
    a_state_that_does_not_fit_is_refused, averages_follow_the_formula, snapshots_come_back,
    tensors_that_do_not_fit_are_refused, training_goes_on_from_its_state, what_is_loaded_is_given_back,
};
pub use steps::{
    a_clipped_update_has_the_norm_asked_for, a_loss_that_is_not_finite_updates_nothing,
    a_new_optimizer_begins_anew, a_smaller_batch_sees_nothing_of_a_larger_one, a_step_lowers_the_loss,
    batches_together_are_one, classes_count_by_their_weights, dropout_draws_by_seed_and_step,
    logits_depend_on_their_image_alone, mixed_targets_are_the_mixture_of_their_losses,
};

use crate::{Backend, OptimizerConfig, StepContext, TrainingState};
use pupila_network::{Init, ModelConfig, Network, Shape, StateDict, architectures};

/// Makes the backend that is tried: for a network, the largest batch, and whether it is to train.
pub type Make<'a> = &'a dyn Fn(&Network, usize, bool) -> Box<dyn Backend>;

/// A test of the suite.
pub type Test = fn(Make<'_>);

/// Every test by its name.
pub const ALL: &[(&str, Test)] = &[
    ("what_is_loaded_is_given_back", what_is_loaded_is_given_back),
    ("tensors_that_do_not_fit_are_refused", tensors_that_do_not_fit_are_refused),
    ("logits_depend_on_their_image_alone", logits_depend_on_their_image_alone),
    ("a_smaller_batch_sees_nothing_of_a_larger_one", a_smaller_batch_sees_nothing_of_a_larger_one),
    ("logits_and_gradients_are_pytorchs", logits_and_gradients_are_pytorchs),
    ("losses_of_five_steps_are_pytorchs", losses_of_five_steps_are_pytorchs),
    ("a_step_lowers_the_loss", a_step_lowers_the_loss),
    ("batches_together_are_one", batches_together_are_one),
    ("a_clipped_update_has_the_norm_asked_for", a_clipped_update_has_the_norm_asked_for),
    ("classes_count_by_their_weights", classes_count_by_their_weights),
    ("mixed_targets_are_the_mixture_of_their_losses", mixed_targets_are_the_mixture_of_their_losses),
    ("dropout_draws_by_seed_and_step", dropout_draws_by_seed_and_step),
    ("a_loss_that_is_not_finite_updates_nothing", a_loss_that_is_not_finite_updates_nothing),
    ("a_new_optimizer_begins_anew", a_new_optimizer_begins_anew),
    ("training_goes_on_from_its_state", training_goes_on_from_its_state),
    ("a_state_that_does_not_fit_is_refused", a_state_that_does_not_fit_is_refused),
    ("snapshots_come_back", snapshots_come_back),
    ("averages_follow_the_formula", averages_follow_the_formula),
    ("tensors_are_those_of_the_state", tensors_are_those_of_the_state),
    ("looking_changes_nothing", looking_changes_nothing),
    ("maps_explain_the_logits", maps_explain_the_logits),
];

const INPUT: Shape = Shape::Map { height: 8, width: 10, channels: 3 };
const CLASSES: usize = 3;
const CONTEXT: StepContext = StepContext { seed: 1, step: 0, label_smoothing: 0.0 };

/// A small network for [`INPUT`] and [`CLASSES`].
fn network(name: &str, batch_norm: bool, dropout: f64) -> Network {
    let filters = (name == "cnn").then(|| vec![5, 9]);
    let hidden = Some(vec![20, 7]);
    let config = ModelConfig {
        name: name.into(),
        hidden,
        filters,
        batch_norm,
        dropout: Some(dropout),
        ..ModelConfig::default()
    };
    architectures::build(&config, INPUT, CLASSES).unwrap()
}

/// One of every kind: linear maps alone and behind convolutions, with what trains differently from how it judges.
fn networks() -> [Network; 2] {
    [network("mlp", true, 0.3), network("cnn", true, 0.3)]
}

/// A backend with the network's first values.
fn ready(make: Make<'_>, network: &Network, capacity: usize, training: bool) -> Box<dyn Backend> {
    let mut backend = make(network, capacity, training);
    backend.load(&first_values(network)).unwrap();
    backend
}

/// First values that leave no tensor at its default, as running means of 0 would be.
fn first_values(network: &Network) -> StateDict {
    let mut state = Init::Pytorch.state(network, 3);
    for (place, tensor) in state.values_mut().enumerate().filter(|(_, tensor)| tensor.shape.len() == 1) {
        let shift = |(i, x): (usize, &mut f32)| *x += 0.03 * ((i + place) % 7) as f32;
        tensor.data.iter_mut().enumerate().for_each(shift);
    }
    state
}

/// A backend that trains from the network's first values with an optimizer.
fn trainer(make: Make<'_>, network: &Network, capacity: usize, config: &OptimizerConfig) -> Box<dyn Backend> {
    let mut backend = ready(make, network, capacity, true);
    backend.set_optimizer(config).unwrap();
    backend
}

fn optimizer(name: &str) -> OptimizerConfig {
    OptimizerConfig { name: name.into(), ..OptimizerConfig::default() }
}

/// Images `[count, INPUT]` of values around 0 that differ from image to image and from one `start` to another.
fn images(start: usize, count: usize) -> Vec<f32> {
    let pixel = |i: usize| ((i * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + (i % 977) as f32 / 900.0);
    let len = INPUT.len();
    (start * len..(start + count) * len).map(|i| pixel(i + i / len)).collect()
}

/// Their classes, `[count]`.
fn classes(start: usize, count: usize) -> Vec<u32> {
    (start..start + count).map(|i| (i * 5 % CLASSES) as u32).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Compares to the bit, and says where it differs and by how much.
fn same(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: the number of elements");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert_eq!(a.to_bits(), b.to_bits(), "{what}: element {i} is {a}, not {b}");
    }
}

/// Compares state dicts to the bit.
fn same_state(found: &StateDict, expected: &StateDict, what: &str) {
    let names = |state: &StateDict| state.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected), "{what}: the names of the tensors");
    for (name, tensor) in expected {
        assert_eq!(found[name].shape, tensor.shape, "{what}: the shape of {name}");
        same(&found[name].data, &tensor.data, &format!("{what}: {name}"));
    }
}

/// Compares all that a training is to the bit.
fn same_training(found: &TrainingState, expected: &TrainingState, what: &str) {
    same(&found.values.trained, &expected.values.trained, &format!("{what}: the trained values"));
    same(&found.values.tracked, &expected.values.tracked, &format!("{what}: the tracked values"));
    let moments = |state: &TrainingState| {
        let optimizer = state.optimizer.as_ref();
        let moments = optimizer.map_or(&[][..], |optimizer| &optimizer.moments);
        (optimizer.map(|o| (o.name.clone(), o.steps)), moments.concat())
    };
    let ((steps, found_moments), (expected_steps, expected_moments)) = (moments(found), moments(expected));
    assert_eq!(steps, expected_steps, "{what}: the optimizer and its steps");
    same(&found_moments, &expected_moments, &format!("{what}: the moments"));
    let waiting = |state: &TrainingState| {
        state.waiting.as_ref().map(|waiting| (waiting.weight.to_bits(), bits(&waiting.sum)))
    };
    assert_eq!(waiting(found), waiting(expected), "{what}: the gradients that wait");
}

/// All elements of a state dict in the order of the names, in double precision.
fn all(state: &StateDict) -> Vec<f64> {
    state.values().flat_map(|tensor| tensor.data.iter().map(|&x| f64::from(x))).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// Compares element by element, within a tolerance relative to the largest expected one.
fn near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let bound = tolerance * largest(expected);
    for (i, d) in difference(found, expected).iter().enumerate() {
        // A NaN must not pass as small.
        assert!(
            d.abs() <= bound,
            "{what}: element {i} is {}, not {}: {:.1e} off, above {bound:.1e}",
            found[i],
            expected[i],
            d.abs()
        );
    }
}
