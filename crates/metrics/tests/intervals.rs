//! Score limits against those of `parity/metrics/intervals.py`, which follows the same definition by other means: complex steps for
//! slopes, a numeric Hessian for the bias, scipy's roots and quantiles.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_metrics::{
    NoInterval, PairedError, Predictions, group_numbers, interval, metric, paired_interval, proportion,
};
use serde::Deserialize;

const METRICS: [&str; 3] = ["accuracy", "balanced_accuracy", "macro_f1"];
const CASES: &str = include_str!("../../../parity/metrics/intervals.json");

#[derive(Deserialize)]
struct Case {
    classes: usize,
    /// So many images after one another are a group.
    of_group: usize,
    /// Three digits an image: its true class and the answers of the two.
    images: String,
    limits: Vec<Limits>,
}

#[derive(Deserialize)]
struct Limits {
    metric: String,
    grouped: bool,
    /// Value, lower and upper limit of the first classifier, at 95 %.
    single: [f64; 3],
    /// Of the difference.
    paired: [f64; 3],
    p: f64,
}

fn of_case(case: &Case, answer: usize) -> Predictions {
    let mut predictions = Predictions::new(case.classes);
    for image in case.images.as_bytes().chunks_exact(3) {
        let mut row = vec![0.0; case.classes];
        row[usize::from(image[answer] - b'0')] = 1.0;
        predictions.push_probabilities(&row, &[u32::from(image[0] - b'0')]).unwrap();
    }
    predictions
}

#[test]
fn score_limits_are_those_of_their_definition() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let (first, second) = (of_case(case, 1), of_case(case, 2));
        let numbers: Vec<u32> = (0..first.len()).map(|image| (image / case.of_group) as u32).collect();
        for Limits { metric: name, grouped, single, paired, p } in &case.limits {
            let (of, groups) = (metric(name).unwrap(), grouped.then_some(numbers.as_slice()));
            // 1e-9: the tilt of a limit is found to 1e-10 of it, and the Hessian's differences to 1e-8 of the bias.
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            let found = interval(&first, of, groups).unwrap();
            let same =
                near(found.value, single[0]) && near(found.low, single[1]) && near(found.high, single[2]);
            assert!(same, "{name}, {grouped}: {found:?} for {single:?}");
            let found = paired_interval(&first, &second, of, groups, 0.95).unwrap();
            let same =
                near(found.value, paired[0]) && near(found.low, paired[1]) && near(found.high, paired[2]);
            assert!(same && near(found.p_value, *p), "{name}, {grouped}: {found:?} for {paired:?}, {p}");
            assert_eq!(found.groups, grouped.then_some(first.len().div_ceil(case.of_group)));
        }
    }
    assert_eq!(cases.iter().map(|case| case.limits.len()).sum::<usize>(), 27);
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
            assert!(p < 0.3 && p > 0.0, "{name}: {p}");
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

/// Predictions of so many images of each class, all right.
fn right(images: &[usize]) -> Predictions {
    let mut predictions = Predictions::new(images.len());
    for (class, &count) in images.iter().enumerate() {
        let mut row = vec![0.0; images.len()];
        row[class] = 1.0;
        (0..count).for_each(|_| predictions.push_probabilities(&row, &[class as u32]).unwrap());
    }
    predictions
}

#[test]
fn what_is_just_enough_has_an_interval() {
    let of = |images: &[usize], groups: Option<&[u32]>| {
        interval(&right(images), metric("macro_f1").unwrap(), groups).map(|_| ())
    };
    assert_eq!(of(&[25, 25], None), Ok(()));
    assert_eq!(of(&[25, 24], None), Err(NoInterval::Images(49)));
    // A class that does not occur is none too few.
    assert_eq!(of(&[30, 10, 0, 15], None), Ok(()));
    assert_eq!(of(&[30, 9, 0, 15], None), Err(NoInterval::ImagesOfAClass { class: 1, images: 9 }));
    // Groups of two images; the images of class 1 begin in the twelfth group.
    let groups = |of_second: u32| -> Vec<u32> {
        (0..24)
            .chain((0..16).map(|image| 100 + image % of_second))
            .chain((0..24).map(|image| 200 + image))
            .collect()
    };
    assert_eq!(of(&[24, 16, 24], Some(&groups(8))), Ok(()));
    let few = NoInterval::GroupsOfAClass { class: 1, groups: 7 };
    assert_eq!(of(&[24, 16, 24], Some(&groups(7))), Err(few));
    let shares = |count: u32| {
        let groups: Vec<u32> = (0..40).map(|image| image % count).collect();
        proportion(&[true; 40], Some(&groups)).map(|found| found.groups)
    };
    assert_eq!((shares(8), shares(7)), (Ok(Some(8)), Err(NoInterval::Groups(7))));
}

#[test]
fn pairs_are_of_the_same_samples_and_classes() {
    let accuracy = metric("accuracy").unwrap();
    let pair = |first: &[usize], second: &[usize]| {
        paired_interval(&right(first), &right(second), accuracy, None, 0.95).map(|found| found.value)
    };
    assert_eq!(pair(&[2, 3], &[2, 3]), Ok(0.0));
    assert_eq!(pair(&[2, 3], &[3, 2]), Err(PairedError::Samples));
    assert_eq!(pair(&[2, 3], &[2, 3, 0]), Err(PairedError::Classes(2, 3)));
}
