//! What a study says where runs are missing, or gave no value.
#![allow(clippy::unwrap_used)]

use pupila_study::results::{looks, to_json};
use pupila_study::words::{Data, answer, verdict};
use pupila_study::{
    Analysis, Compared, Definition, Facts, Outcome, Place, Plan, Request, RunFacts, analyse, overlap,
};
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
        // The baseline has a run that no other has, which is in no pair.
        let before = before.compared.clone().map(|compared| Compared { is_partial: true, ..compared });
        assert_eq!(before, after.compared);
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

#[test]
fn means_and_difference_of_a_claim_are_of_the_same_runs() {
    let plan = plan(2, 1, 6);
    // `b` failed for the two seeds on which `a` is worst: over all runs the means differ otherwise than over the pairs.
    let ran = |Place { variant, seed, .. }: Place| match (variant, seed) {
        (1, 0 | 1) => None,
        (0, 0 | 1) => Some(0.2),
        (0, seed) => Some(0.5 + 0.001 * seed as f64),
        (_, seed) => Some(0.7 + 0.0011 * seed as f64),
    };
    let all = facts(&plan, ran);
    let found = analyse(&all, IMAGES, TRAIN_IMAGES);
    let compared = found.variants[1].compared.clone().unwrap();
    let (variant, base) = compared.means;
    assert!((variant - base - compared.difference.mean).abs() < 1e-12 && base > 0.5, "{compared:?}");
    let told = told(&plan, &found).join(" ");
    assert!(told.contains("(70.4 % against 50.3 % over the 4 seeds that both have;"), "{told}");
    assert!(verdict(&plan, &compared).ends_with(", over the 4 seeds that both have"));
    let whole = analyse(&facts(&plan, |place| Some(value(place))), IMAGES, TRAIN_IMAGES);
    assert!(!whole.variants[1].compared.as_ref().unwrap().is_partial);
}

#[test]
fn what_the_images_leave_open_is_always_told() {
    let two = plan(2, 1, 3);
    let with = |pseudo: Option<&[f64]>| {
        let mut facts = Facts::new(&two);
        for place in two.places() {
            let run = RunFacts { pseudo_values: pseudo.map(<[f64]>::to_vec), ..ended(value(place)) };
            facts.set(place, run);
        }
        analyse(&facts, 4, 16)
    };
    let told = |analysis: &Analysis| {
        answer(&two, analysis, Data { images: 4, without_learning: f64::NAN, classes: &[] }).join(" ")
    };
    // Four images that agree know a share to no better than one of them.
    let agree = with(Some(&[1.0, 0.0, 1.0, 1.0]));
    assert!(agree.images_half_width.unwrap() > 0.25, "{agree:?}");
    assert!(
        told(&agree).contains("The 4 validation images (one image is 25.0 points) leave about ±"),
        "{}",
        told(&agree)
    );
    let unknown = told(&with(None));
    assert!(
        unknown.contains("What the 4 validation images") && unknown.contains("cannot be worked out"),
        "{unknown}"
    );
}

#[test]
fn an_interval_that_is_not_known_is_null() {
    let plan = plan(2, 1, 2);
    let all = facts(&plan, |place| Some(if place.variant == 1 { f64::NAN } else { value(place) }));
    let analysis = analyse(&all, IMAGES, TRAIN_IMAGES);
    let json = to_json(&plan, &all, &analysis, &[]);
    assert!(
        json["variants"][1]["interval"].is_null() && json["variants"][0]["interval"].is_array(),
        "{json}"
    );
    assert!(json["seed_sd"].is_null() && json["residual_sd"].is_number(), "{json}");
}

#[test]
fn a_recipe_is_the_same_however_its_defaults_are_written() {
    let read = |text: &str| Definition::parse(Path::new("p.toml"), text).unwrap();
    let spelled = "[variants.plain]\n[variants.spelled]\n\"augment.transforms\" = [{ horizontal_flip = { p = 0.5 } }, { random_brightness_contrast = { p = 0.2 } }]\n\"model.hidden\" = [512, 128]\n";
    let told = Plan::new(&read(spelled), &Request::default()).unwrap_err().to_string();
    assert_eq!(
        told,
        "the variants `plain` and `spelled` are the same recipe; leave one out, or change what it sets"
    );
    let wrong = "[variants.a]\n[variants.b]\n\"augment.transforms\" = [{ horizontal_flip = { p = 2.0 } }]\n";
    let told = Plan::new(&read(wrong), &Request::default()).unwrap_err().to_string();
    assert!(
        told.starts_with("variant `b`: augment.transforms[0].horizontal_flip.p expected a probability"),
        "{told}"
    );
    // The recipe as it is leads, unless a variant is that already.
    let names = |text: &str| -> Vec<String> {
        Plan::new(&read(text), &Request::default()).unwrap().variants.into_iter().map(|v| v.name).collect()
    };
    assert_eq!(names("[alone]\n\"model.dropout\" = [0.1]\n"), ["as it is", "dropout=0.1"]);
    assert_eq!(names("[alone]\n\"model.dropout\" = [0.1, 0.0]\n"), ["dropout=0.0", "dropout=0.1"]);
    let named = "[alone]\n\"model.dropout\" = [0.1]\n[variants.a]\n";
    assert_eq!(names(named), ["a", "dropout=0.1"]);
    let asked = "baseline = \"optimizer=x lr=1e-3\"\n[alone]\n\"optimizer.lr\" = [1e30]\n";
    let plan =
        Plan::new(&read(&asked.replace("optimizer=x lr=1e-3", "lr=1E+30")), &Request::default()).unwrap();
    assert_eq!(
        (plan.variants[1].name.as_str(), plan.variants[1].slug.as_str(), plan.baseline),
        ("lr=1e30", "lr-1e30", 1)
    );
}
