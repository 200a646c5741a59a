//! Intervals hold the true value as often as they say: a part of `examples/coverage`, on the populations that are the hardest for them.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

#[path = "../examples/coverage/population.rs"]
mod population;

use population::{Errors, METRICS, Population};
use pupila_metrics::{Predictions, group_numbers, interval, metric, paired_interval, proportion};

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

/// Evaluations of `images` images of each of two classes, of which `wrong` of the first class are wrong.
fn judged(images: usize, wrong: usize) -> Predictions {
    let mut predictions = Predictions::new(2);
    for image in 0..2 * images {
        let target = (image % 2) as u32;
        let answer = if image % 2 == 0 && image / 2 < wrong { 1 } else { target };
        let row = if answer == 0 { [0.9, 0.1] } else { [0.1, 0.9] };
        predictions.push_probabilities(&row, &[target]).unwrap();
    }
    predictions
}

#[test]
fn nothing_is_known_for_certain_of_any_number_of_right_images() {
    for images in [25, 100, 1000] {
        for name in METRICS {
            let of = interval(&judged(images, 0), metric(name).unwrap(), None).unwrap();
            assert!(of.value == 1.0 && of.high == 1.0, "{of:?}");
            // The rule of three, in both directions with room: of N of N right, 3 / N may be wrong.
            let wrong = (1.0 - of.low) * 2.0 * images as f64;
            assert!((2.0..8.0).contains(&wrong), "{name} of {images}: {of:?}");
            let same =
                paired_interval(&judged(images, 3), &judged(images, 3), metric(name).unwrap(), None, 0.95);
            let same = same.unwrap();
            assert!(same.low < 0.0 && same.high > 0.0 && same.p_value == 1.0, "{name}: {same:?}");
        }
    }
}

#[test]
fn limits_grow_apart_with_confidence_and_p_is_where_they_meet_zero() {
    let (better, worse) = (judged(60, 2), judged(60, 14));
    for name in METRICS {
        for groups in [None, Some((0..120).map(|image| image / 6).collect::<Vec<u32>>())] {
            let at = |confidence: f64| {
                paired_interval(&worse, &better, metric(name).unwrap(), groups.as_deref(), confidence)
                    .unwrap()
            };
            let p = at(0.95).p_value;
            assert!(p < 0.2 && p > 0.0, "{name}: {p}");
            // Just below and just above the level that p is of.
            assert!(
                at(1.0 - 1.02 * p).low > 0.0 && at(1.0 - 0.98 * p).low <= 0.0,
                "{name}: {:?}",
                at(1.0 - p)
            );
            assert!(at(0.99).low < at(0.9).low && at(0.99).high > at(0.9).high);
            let turned =
                paired_interval(&better, &worse, metric(name).unwrap(), groups.as_deref(), 0.95).unwrap();
            let straight = at(0.95);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
            assert!(near(turned.value, -straight.value) && near(turned.low, -straight.high), "{name}");
            assert!(near(turned.high, -straight.low) && near(turned.p_value, p), "{name}");
        }
    }
}

#[test]
fn too_few_images_or_groups_have_no_interval_and_it_says_why() {
    let why = |predictions: &Predictions, name: &str, groups: Option<&[u32]>| {
        interval(predictions, metric(name).unwrap(), groups).unwrap_err().to_string()
    };
    assert!(interval(&judged(3, 1), metric("accuracy").unwrap(), None).is_ok());
    assert_eq!(why(&judged(24, 1), "macro_f1", None), "an interval needs 50 images or more, here are 48");
    assert!(interval(&judged(25, 1), metric("macro_f1").unwrap(), None).is_ok());
    let mut rare = judged(25, 0);
    for predicted in 0..9 {
        let mut row = [0.0; 3];
        row[predicted % 3] = 1.0;
        let mut of_three = Predictions::new(3);
        of_three.push_probabilities(&row, &[2]).unwrap();
        if predicted == 0 {
            let mut wider = Predictions::new(3);
            for (row, &target) in rare.rows().zip(rare.targets()) {
                wider.push_probabilities(&[row[0], row[1], 0.0], &[target]).unwrap();
            }
            rare = wider;
        }
        rare.merge(&of_three).unwrap();
    }
    assert!(why(&rare, "balanced_accuracy", None).ends_with("or more, the rarest has 9"));
    assert_eq!(why(&judged(25, 1), "macro_auc", None), "there is no interval of `macro_auc`");
    assert_eq!(why(&Predictions::new(2), "accuracy", None), "there are no images");
    let groups: Vec<u32> = (0..50).map(|image| image % 7).collect();
    assert_eq!(
        why(&judged(25, 1), "accuracy", Some(&groups)),
        "an interval needs 8 groups of images or more, here are 7"
    );
    // Of each class, too: here the second class is in two groups.
    let groups: Vec<u32> =
        (0..50).map(|image| if image % 2 == 0 { image } else { 100 + image % 3 % 2 }).collect();
    assert!(why(&judged(25, 1), "macro_f1", Some(&groups)).contains("with images of each class"));
    assert!(proportion(&[], None).is_err());
}

#[test]
fn groups_are_told_apart_by_their_names() {
    assert_eq!(group_numbers(&["", ""]), None);
    assert_eq!(group_numbers(&["a", "", "b", "a", ""]), Some(vec![0, 1, 2, 0, 3]));
    assert_eq!(group_numbers::<String>(&[]), None);
}
