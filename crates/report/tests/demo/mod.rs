//! Invented studies, of an ordinary and of an extreme kind.

#![allow(dead_code)] // each of those that include this file uses a part of it

use pupila_report::{
    Curves, DifferenceRow, ExtraTable, MetricAxis, RunPoint, StudyPage, VariantResult, Verdict,
};

/// A variant: name, settings, accuracy, loss, how fast it overfits.
type Spec = (&'static str, &'static [(&'static str, &'static str)], f64, f64, f64);

/// Numbers from -1 to 1 that look random and are always the same.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}

fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// Curves towards a loss, overfitting by so much an epoch from the tenth on.
pub fn curves(seed: u64, epochs: u32, reached: f64, overfits: f64, accuracy: f64) -> Curves {
    let mut draw = noise(seed);
    let mut curves = Curves { epochs: (1..=epochs).collect(), ..Curves::default() };
    for epoch in 1..=epochs {
        let t = f64::from(epoch);
        let falls = (-t / 5.0).exp();
        let loss = reached + 1.2 * falls + overfits * (t - 10.0).max(0.0) + 0.015 * draw();
        let train = 1.9 * (-t / 6.0).exp() + 0.02 / overfits.max(0.004) * 0.02;
        let share = accuracy * (1.0 - 0.6 * falls) + 0.01 * draw();
        curves.val_loss.push([loss * 0.93, loss, loss * 1.08]);
        curves.val_metric.push([share - 0.04, share, (share + 0.035).min(1.0)]);
        curves.train_loss.push([train * 0.85, train, train * 1.2]);
    }
    curves
}

fn runs(seeds: usize, center: f64, around: f64, draw: &mut impl FnMut() -> f64, name: &str) -> Vec<RunPoint> {
    let run = |seed: usize| RunPoint {
        seed: seed.to_string(),
        // Sixty images make steps of one in sixty.
        value: ((center + around * draw()) * 60.0).round() / 60.0,
        status: "completed".into(),
        folder: format!("{name}-seed{seed}/report.html"),
    };
    (0..seeds).map(run).collect()
}

/// Seven variants of regularization with five seeds.
pub fn ordinary() -> StudyPage {
    let specs: [Spec; 7] = [
        ("none", &[], 0.705, 0.62, 0.022),
        ("dropout", &[("model.dropout", "0.5")], 0.748, 0.58, 0.008),
        ("batch-norm", &[("model.norm", "\"batch\"")], 0.72, 0.6, 0.018),
        ("both", &[("model.dropout", "0.5"), ("model.norm", "\"batch\"")], 0.755, 0.56, 0.006),
        ("weight decay", &[("optimizer.weight_decay", "0.05")], 0.70, 0.615, 0.02),
        (
            "augmentation",
            &[("data.transforms", "[{ flip = {} }, { rotate = { degrees = 15 } }, { color_jitter = {} }]")],
            0.81,
            0.48,
            0.0,
        ),
        (
            "all",
            &[
                ("model.dropout", "0.5"),
                ("model.norm", "\"batch\""),
                ("optimizer.weight_decay", "0.05"),
                ("data.transforms", "[{ flip = {} }, { rotate = { degrees = 15 } }]"),
            ],
            0.655,
            0.68,
            0.0,
        ),
    ];
    let mut baseline = f64::NAN;
    let mut draw = noise(3);
    let mut variants = Vec::new();
    for (i, (name, values, center, loss, overfits)) in specs.into_iter().enumerate() {
        let runs = runs(5, center, 0.035, &mut draw, name);
        let values_of: Vec<f64> = runs.iter().map(|run| run.value).collect();
        let (mean, spread) = mean_and_spread(&values_of);
        let half = 2.776 * spread / 5f64.sqrt();
        if i == 0 {
            baseline = mean;
        }
        let by = mean - baseline;
        let holds_zero = |reach: f64| by.abs() < reach;
        let verdict = match (holds_zero(0.9 * half), holds_zero(0.075), by > 0.0) {
            (true, _, _) => Verdict::Open,
            (false, true, true) => Verdict::BetterHere,
            (false, true, false) => Verdict::WorseHere,
            (false, false, true) => Verdict::Better,
            (false, false, false) => Verdict::Worse,
        };
        let difference = DifferenceRow {
            mean: by,
            interval_seeds: (by - 0.9 * half, by + 0.9 * half),
            interval_both: Some((by - 0.075, by + 0.075)),
            p_value: if verdict == Verdict::Open { 0.41 } else { 0.012 },
            verdict,
            words: if verdict == Verdict::Better { "better by 2 to 17 points".into() } else { String::new() },
        };
        variants.push(VariantResult {
            name: name.into(),
            values: values.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            mean,
            interval: (mean - half, mean + half),
            difference: (i > 0).then_some(difference),
            gap: 0.98 - mean - if i > 4 { 0.12 } else { 0.0 },
            epochs_to: Some(if i == 6 { f64::NAN } else { 6.0 + i as f64 / 2.0 }),
            reached: (if i == 6 { 1 } else { 5 }, 5),
            time_to_s: if i == 6 { f64::NAN } else { 21.0 + 3.0 * i as f64 },
            time_s: 64.0 + 9.0 * i as f64,
            memory_bytes: Some(310_000_000 + 4_000_000 * i as u64),
            spread,
            findings: if i == 0 {
                vec![("overfitting".into(), 5)]
            } else {
                vec![("dead_relu".into(), i % 2)]
            },
            curves: curves(i as u64, 30, loss, overfits, center),
            runs,
            ..VariantResult::default()
        });
    }
    StudyPage {
        title: "Study of regularization: skin".into(),
        question: "Does regularization help on these images?".into(),
        subtitle: "samples/skin: 240 training and 60 validation images in 3 classes; 7 variants, 5 seeds, 35 runs".into(),
        answer: vec![
            "Augmentation helps: accuracy is 81.7 %, against 72.0 % without regularization.".into(),
            "Dropout, alone and with batch normalisation, is better on these 60 images, but other images may say otherwise.".into(),
            "All of them together are worse than none.".into(),
        ],
        warnings: vec!["60 validation images are few: one image is 1.7 points.".into()],
        metric: MetricAxis { name: "accuracy".into(), share: true, higher_is_better: true },
        baseline: 0,
        variants,
        seeds: (0..5).map(|seed| seed.to_string()).collect(),
        splits: false,
        target_loss: Some(0.65),
        images: 60,
        power: "With 5 seeds, this study finds a difference of 4.6 points four times of five.".into(),
        controls: None,
        extra: vec![ExtraTable {
            title: "Dropout and batch normalisation together".into(),
            heads: ["", "without batch-norm", "with batch-norm"].map(Into::into).to_vec(),
            rows: vec![
                ["without dropout", "72.0", "71.7"].map(Into::into).to_vec(),
                ["with dropout", "74.3", "74.3"].map(Into::into).to_vec(),
            ],
            note: "Accuracy, %. The interaction is +0.3 points, 95 % interval −5.1 to +3.8.".into(),
        }],
        command: "pupila study regularization samples/skin --seeds 5 --epochs 30".into(),
        method: vec![
            "Each variant is trained with the same seeds, and differences are paired by seed.".into(),
            "Intervals of means are Student’s t over seeds.".into(),
            "p-values are those of a paired t-test, adjusted by Holm’s method.".into(),
        ],
        version: "0.1.0".into(),
    }
}

/// As [`ordinary`], with what goes wrong: runs that diverge and fail, a loss that explodes, a name that is long.
pub fn troubled() -> StudyPage {
    let mut study = ordinary();
    let words =
        "a name of many words that says everything about the variant, down to <the last> \"value\" of it";
    study.variants[2].name = words.into();
    let diverged = &mut study.variants[3];
    for run in &mut diverged.runs {
        (run.value, run.status) = (f64::NAN, "diverged".into());
    }
    (diverged.mean, diverged.interval, diverged.spread, diverged.gap) =
        (f64::NAN, (f64::NAN, f64::NAN), f64::NAN, f64::NAN);
    (diverged.difference, diverged.diverged) = (None, 5);
    for (i, loss) in diverged.curves.val_loss.iter_mut().enumerate().skip(5) {
        *loss = if i < 9 { [1e3, 1e7, 1e22] } else { [f64::NAN; 3] };
    }
    let failed = &mut study.variants[4];
    (failed.runs[1].value, failed.runs[1].status) = (f64::NAN, "failed: out of memory".into());
    failed.failed = 1;
    let collapsed = &mut study.variants[6];
    for run in &mut collapsed.runs {
        run.value = 0.1;
    }
    (collapsed.mean, collapsed.interval, collapsed.spread) = (0.1, (0.1, 0.1), 0.0);
    if let Some(difference) = &mut collapsed.difference {
        (difference.mean, difference.interval_seeds) = (-0.6, (-0.64, -0.56));
        (difference.interval_both, difference.verdict) = (Some((-0.7, -0.5)), Verdict::Worse);
        difference.words = "worse by 56 to 64 points".into();
    }
    study.answer[0] =
        "Nothing is shown to help: one variant of six diverged, and 4 runs of 35 have no result.".into();
    study
}

/// Many variants with many seeds and epochs.
pub fn large(variants: usize, seeds: usize, epochs: u32) -> StudyPage {
    let base = ordinary();
    let mut draw = noise(11);
    let variant = |i: usize| {
        let like = &base.variants[i % 7];
        let name = format!("variant {i}, {}", like.name);
        let runs = runs(seeds, 0.7 + 0.002 * i as f64, 0.04, &mut draw, &name);
        let (mean, spread) = mean_and_spread(&runs.iter().map(|run| run.value).collect::<Vec<_>>());
        VariantResult {
            name,
            runs,
            mean,
            spread,
            interval: (mean - spread / 2.0, mean + spread / 2.0),
            difference: (i > 0).then(|| base.variants[1 + i % 6].difference.clone()).flatten(),
            curves: curves(i as u64, epochs, 0.6, 0.002, 0.7),
            ..like.clone()
        }
    };
    StudyPage {
        variants: (0..variants).map(variant).collect(),
        seeds: (0..seeds).map(|seed| seed.to_string()).collect(),
        images: 6000,
        ..base
    }
}

/// Three variants, so that the curves have bands.
pub fn small() -> StudyPage {
    let mut study = ordinary();
    study.variants.truncate(3);
    study
}
