//! Intervals hold the true value as often as they say: a part of `examples/coverage`, on the populations that are the hardest for them.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

#[path = "../examples/coverage/population.rs"]
mod population;

use population::{Errors, METRICS, Population};

const REPETITIONS: u32 = 300;

/// Panics where so few were held that the promise is as good as impossible: four standard deviations below it.
fn holds(population: &Population, paired: bool) {
    let promised = population.promised();
    let room = 4.0 * (promised * (1.0 - promised) / f64::from(REPETITIONS)).sqrt();
    for (name, found) in METRICS.iter().zip(population.simulate(7, REPETITIONS, paired)) {
        if found.tried == 0 {
            continue;
        }
        assert!(found.share() > promised - room, "{name}, {}: {}", population.name(), found.share());
    }
}

#[test]
fn of_independent_images() {
    for (images, right, mixed, errors) in [
        (vec![10, 40], 0.97, false, Errors::First),
        (vec![10, 190], 0.5, false, Errors::Anywhere),
        (vec![10; 5], 0.9, false, Errors::First),
        (vec![10; 9], 0.97, true, Errors::Neighbour),
        (vec![10; 30], 0.5, false, Errors::First),
    ] {
        holds(&Population::plain(images, right, mixed, errors), false);
    }
}

#[test]
fn of_the_difference_of_two_classifiers() {
    for (images, right, shared, worse) in
        [(vec![10, 190], 0.5, 0.0, 0.0), (vec![10; 9], 0.9, 0.7, 0.1), (vec![25, 25], 0.97, 0.95, 0.02)]
    {
        let mut of = Population::plain(images, right, false, Errors::Anywhere);
        of.shared = shared;
        of.right.iter_mut().for_each(|right| right[1] -= worse);
        holds(&of, true);
    }
}

#[test]
fn of_images_in_groups() {
    let grouped = |of_class: [usize; 2], each: usize, alike: f64, right: f64| {
        let images = of_class.map(|groups| groups * each).to_vec();
        let plain = Population::plain(images, right, false, Errors::Anywhere);
        Population { groups: Some((of_class.to_vec(), alike)), ..plain }
    };
    holds(&grouped([6, 2], 20, 0.7, 0.8), false);
    holds(&grouped([6, 2], 20, 1.0, 0.9), false);
    holds(&grouped([20, 20], 20, 0.7, 0.95), false);
    holds(&grouped([14, 14], 6, 1.0, 0.5), false);
    let compared = Population { shared: 0.5, ..grouped([10, 10], 6, 0.7, 0.8) };
    holds(&compared, true);
}
