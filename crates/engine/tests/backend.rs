//! The engine does what every backend must.

use pupila_backend::Backend;
use pupila_backend::suite::{self, Make};
use pupila_engine::CpuBackend;

const CPU: Make<'_> = &|network, capacity, training| {
    let backend: Box<dyn Backend> = Box::new(CpuBackend::new(network, capacity, training));
    backend
};

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { suite::$name(CPU); })*

        #[test]
        fn all_of_the_suite_is_run() {
            let here = [$(stringify!($name)),*];
            let all: Vec<&str> = suite::ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(here.as_slice(), all);
        }
    };
}

tests!(
    what_is_loaded_is_given_back,
    tensors_that_do_not_fit_are_refused,
    logits_depend_on_their_image_alone,
    a_smaller_batch_sees_nothing_of_a_larger_one,
    logits_and_gradients_are_pytorchs,
    losses_of_five_steps_are_pytorchs,
    a_step_lowers_the_loss,
    batches_together_are_one,
    a_clipped_update_has_the_norm_asked_for,
    classes_count_by_their_weights,
    mixed_targets_are_the_mixture_of_their_losses,
    dropout_draws_by_seed_and_step,
    a_loss_that_is_not_finite_updates_nothing,
    a_new_optimizer_begins_anew,
    training_goes_on_from_its_state,
    a_state_that_does_not_fit_is_refused,
    snapshots_come_back,
    averages_follow_the_formula,
    tensors_are_those_of_the_state,
    looking_changes_nothing,
    maps_explain_the_logits,
);
