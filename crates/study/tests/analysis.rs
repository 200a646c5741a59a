//! What a study says where runs are missing, or gave no value.
#![allow(clippy::unwrap_used)]

use pupila_study::results::{looks, to_json};
use pupila_study::words::{Data, answer};
use pupila_study::{Analysis, Definition, Facts, Outcome, Place, Plan, Request, RunFacts, analyse, overlap};
use std::path::Path;

const IMAGES: usize = 60;
const TRAIN_IMAGES: usize = 240;

/// A plan of variants `a` (the baseline), `b` and so on.
fn plan(variants: usize, splits: usize, seeds: usize) -> Plan {
    let named = |i: usize| format!("[variants.{}]\n\"train.batch\" = {}\n", ["a", "b", "c"][i], 8 + i);
    let mut text = format!("seeds = {seeds}\n");
    if splits > 1 {
        text += &format!("splits = {splits}\n");
    }
    text.extend((0..variants).map(named));
    Plan::new(&Definition::parse(Path::new("p.toml"), &text).unwrap(), &Request::default()).unwrap()
}

fn ended(value: f64) -> RunFacts {
    RunFacts { outcome: Outcome::Ended("completed".into()), value, gap: f64::NAN, ..RunFacts::default() }
}

/// Some values between 0.5 and 0.7, and 0.1 more for each variant.
fn value(place: Place) -> f64 {
    let Place { variant, split, seed } = place;
    let scatter = (7 * variant + 5 * split + 3 * seed + variant * split * seed) % 11;
    0.5 + 0.02 * scatter as f64 + 0.1 * variant as f64
}

/// The facts of the runs that `ran` says a value of.
fn facts(plan: &Plan, ran: impl Fn(Place) -> Option<f64>) -> Facts<'_> {
    let mut facts = Facts::new(plan);
    for place in plan.places() {
        if let Some(value) = ran(place) {
            facts.set(place, ended(value));
        }
    }
    facts
}

fn told(plan: &Plan, analysis: &Analysis) -> Vec<String> {
    answer(plan, analysis, Data { images: IMAGES, without_learning: f64::NAN, classes: &[] })
}

#[test]
fn a_study_with_splits_that_is_extended_says_what_it_said_until_more_is_known() {
    let whole = plan(3, 4, 2);
    let before = analyse(&facts(&whole, |place| Some(value(place))), IMAGES, TRAIN_IMAGES);
    let extended = plan(3, 4, 5);
    let ran = |place: Place| {
        (place.seed < 2 || place.seed == 2 && place.split == 0 && place.variant == 0).then(|| value(place))
    };
    let after = analyse(&facts(&extended, ran), IMAGES, TRAIN_IMAGES);
    assert_eq!((after.comparisons, after.pairs), (2, 4));
    for (before, after) in before.variants.iter().zip(&after.variants) {
        assert_eq!(before.compared, after.compared);
    }
    let told = told(&extended, &after).join(" ");
    assert!(!told.contains("One run of each") && told.contains("3 variants and 4 splits"), "{told}");
}

#[test]
fn the_first_round_of_splits_is_compared() {
    let plan = plan(2, 3, 5);
    let analysis =
        analyse(&facts(&plan, |place| (place.seed == 0).then(|| value(place))), IMAGES, TRAIN_IMAGES);
    assert_eq!((analysis.comparisons, analysis.pairs), (1, 3));
}

#[test]
fn the_reason_why_nothing_is_compared_is_the_true_one() {
    let single = plan(2, 1, 1);
    let analysis = analyse(&facts(&single, |place| Some(value(place))), IMAGES, TRAIN_IMAGES);
    assert!(told(&single, &analysis)[0].starts_with("One run of each tells nothing of chance"));
    // Two seeds of the baseline ended without a value.
    let plan = plan(2, 1, 3);
    let base = |place: Place| if place.variant == 0 && place.seed > 0 { f64::NAN } else { value(place) };
    let lacking = analyse(&facts(&plan, |place| Some(base(place))), IMAGES, TRAIN_IMAGES);
    let sentence = &told(&plan, &lacking)[0];
    assert!(
        sentence.contains("Of 3 seeds have a value: `a` 1, `b` 3. The other runs gave no value."),
        "{sentence}"
    );
    // They were not run yet.
    let begun = |place: Place| (place.variant == 1 || place.seed == 0).then(|| value(place));
    let stopped = analyse(&facts(&plan, begun), IMAGES, TRAIN_IMAGES);
    let sentence = &told(&plan, &stopped)[0];
    assert!(sentence.contains("`a` 1, `b` 3. Runs are missing"), "{sentence}");
}

#[test]
fn power_is_told_of_the_pairs_and_variants_that_were_compared() {
    let plan = plan(3, 1, 5);
    // Of four values each, `a` and `b` have three in pairs; `c` has one value.
    let ran = |Place { variant, seed, .. }: Place| match variant {
        0 => seed < 4,
        1 => seed > 0,
        _ => seed == 0,
    };
    let found = analyse(&facts(&plan, |place| ran(place).then(|| value(place))), IMAGES, TRAIN_IMAGES);
    assert_eq!((found.comparisons, found.pairs), (1, 3));
    let told = told(&plan, &found).join(" ");
    assert!(told.contains("A study of 2 variants and 3 seeds finds"), "{told}");
    assert!(told.contains("Not compared, with fewer than two pairs of seeds: `c`."), "{told}");
}

#[test]
fn a_second_look_is_told_as_another_chance() {
    let plan = plan(2, 1, 10);
    let all = facts(&plan, |place| Some(value(place)));
    let first = analyse(&all, IMAGES, TRAIN_IMAGES).after([10]);
    assert_eq!(first.looks, [10]);
    assert!(told(&plan, &first).iter().all(|sentence| !sentence.contains("another chance")));
    let second = analyse(&all, IMAGES, TRAIN_IMAGES).after([5]);
    let said = told(&plan, &second);
    let sentence = said.iter().find(|sentence| sentence.contains("another chance")).unwrap();
    assert!(sentence.starts_with("The study was judged with 5 and 10 seeds"), "{sentence}");
    assert!(sentence.contains("of 2 variants without a difference"), "{sentence}");
    // The answer of the next call is that of this one.
    let json = to_json(&plan, &all, &second, &said);
    assert_eq!(looks(&json), [5, 10]);
    assert_eq!(
        looks(&serde_json::json!({"variants": [{"difference": null}, {"difference": {"pairs": 5}}]})),
        [5]
    );
    assert!(looks(&serde_json::json!({})).is_empty());
}

#[test]
fn a_mean_over_splits_stands_in_the_middle_of_an_interval_that_knows_of_their_overlap() {
    let plan = plan(2, 3, 2);
    // The last split of `b` has one of its two seeds.
    let ran = |place: Place| (place != Place { variant: 1, split: 2, seed: 1 }).then(|| value(place));
    let of = |train_images| analyse(&facts(&plan, ran), IMAGES, train_images).variants[1].clone();
    let (much, hardly) = (of(TRAIN_IMAGES), of(1_000_000));
    for variant in [&much, &hardly] {
        let middle = 0.5 * (variant.interval.0 + variant.interval.1);
        assert!((variant.mean - middle).abs() < 1e-12, "{variant:?}");
    }
    let width = |variant: &pupila_study::VariantAnalysis| variant.interval.1 - variant.interval.0;
    let grown = (1.0 / 3.0 + overlap(&plan, IMAGES, TRAIN_IMAGES)) / (1.0 / 3.0 + 60e-6);
    assert!((width(&much) / width(&hardly) - f64::sqrt(grown)).abs() < 1e-9);
    assert_eq!(overlap(&self::plan(2, 1, 2), IMAGES, TRAIN_IMAGES), 0.0);
}
