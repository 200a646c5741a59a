//! Whole pages: bounded, escaped, the same for the same data, and complete however little is known.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::Image;
use pupila_metrics::Predictions;
use pupila_report::{
    Distribution, EpochPoint, Heat, Judged, MAX_BYTES, Picture, Report, Training, ValueCounts, select,
};
use pupila_run::{Environment, Finding, Intervals, RunEnd, RunSummary, SkippedImage, Summary, Timing};

fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

fn predictions(samples: usize, classes: usize) -> Predictions {
    let mut predictions = Predictions::new(classes);
    let mut draw = noise(7);
    for _ in 0..samples {
        let target = draw() as usize % classes;
        let logits: Vec<f32> = (0..classes)
            .map(|class| (draw() % 1000) as f32 / 300.0 + if class == target { 2.0 } else { 0.0 })
            .collect();
        predictions.push_logits(&logits, &[target as u32]).unwrap();
    }
    predictions
}

/// Pictures that compress badly.
fn pictures(predictions: &Predictions, side: u32) -> Vec<Picture> {
    let picture = |sample: usize| {
        let mut draw = noise(sample as u64);
        let pixels = (0..side * side * 3).map(|_| draw() as u8).collect();
        let values = (0..side * side).map(|_| draw() as f32).collect();
        let heat = Some(Heat { height: side as usize, width: side as usize, values });
        Picture { sample, image: Image::new(side, side, 3, pixels).unwrap(), heat }
    };
    select(predictions, &[]).all().into_iter().map(picture).collect()
}

fn epochs(count: u32) -> Vec<EpochPoint> {
    let point = |epoch: u32| EpochPoint {
        epoch,
        lr: 1e-3,
        train_loss: 1.0 / f64::from(epoch),
        train_accuracy: 0.9,
        val_loss: 1.0,
        val_accuracy: 0.6,
        val_balanced_accuracy: 0.5,
    };
    (1..=count).map(point).collect()
}

struct Known {
    classes: Vec<String>,
    predictions: Predictions,
    paths: Vec<String>,
    epochs: Vec<EpochPoint>,
    side: u32,
}

fn page(known: &Known) -> String {
    let counts = ValueCounts { buckets: vec![(-1.0, 0.0, 50), (0.0, 1.0, 50)], zeros: 3, std: 0.5 };
    let distribution = |i: usize| Distribution {
        name: format!("layer {i} <w>"),
        first: Some(counts.clone()),
        last: counts.clone(),
    };
    let mut draw = noise(1);
    let filters = Image::new(1024, 512, 3, (0..1024 * 512 * 3).map(|_| draw() as u8).collect()).unwrap();
    let skipped = (0..500).map(|i| SkippedImage { path: format!("<{i}>"), reason: "\"torn\"".into() });
    let summary = RunSummary {
        model: "mlp".into(),
        skipped_images: skipped.collect(),
        diagnosis: vec![Finding {
            kind: "dead_relu".into(),
            epoch: 2,
            message: "layer <dead> is silent".into(),
            suggestion: "--lr <rate>".into(),
        }],
        timing: Timing { epoch_train_s: Some(1.0), epoch_eval_s: Some(0.1), ..Timing::default() },
        ..RunSummary::default()
    };
    let intervals = Intervals::of(&known.predictions, &known.classes, None);
    Report {
        title: "a & b".into(),
        subtitle: "<i>".into(),
        classes: &known.classes,
        judged: Some(Judged {
            predictions: &known.predictions,
            paths: &known.paths,
            what: "validation image".into(),
            intervals: &intervals,
            leaks: None,
            leaked: &[],
        }),
        training: Some(Training {
            epochs: &known.epochs,
            best: Some(2),
            planned: 10,
            end: RunEnd::StoppedEarly,
            monitor: "val/loss",
            patience: Some(3),
            min_delta: 0.0,
            would_stop: None,
        }),
        pictures: pictures(&known.predictions, known.side),
        explained_by: Some("By <magic>.".into()),
        weights: (0..60).map(distribution).collect(),
        activations: (0..60).map(distribution).collect(),
        times: ("epoch 1".into(), "epoch 10".into()),
        filters: Some(("0.<weight>".into(), filters)),
        recipe: "[model]\nname = \"</pre><script>\"\n",
        summary: &Summary::Run(Box::new(summary)),
        environment: &Environment {
            data: pupila_run::Data { path: "/<data>".into(), ..Default::default() },
            arguments: vec!["train".into(), "<x>".into()],
            ..Environment::default()
        },
        phases: vec![("training".into(), 10.0), ("the <rest>".into(), 1.0)],
    }
    .render()
}

#[test]
fn large_data_stay_below_the_bound_and_hostile_names_are_text() {
    for (samples, classes, side) in [(4000, 1000, 112), (3000, 95, 224), (500, 3, 28)] {
        let known = Known {
            classes: (0..classes).map(|i| format!("<img src=x onerror=alert({i})>\"'&\u{0}")).collect(),
            predictions: predictions(samples, classes),
            paths: (0..samples).map(|i| format!("/<b>{i}</b>/\" onload=\"x.jpg")).collect(),
            epochs: epochs(10_000),
            side,
        };
        let html = page(&known);
        assert!(html.len() < MAX_BYTES, "{classes} classes: {}", html.len());
        assert!(html.matches("<image ").count() > 20, "{classes}: {}", html.matches("<image ").count());
        for hostile in [
            "<img src=x",
            "<b>1",
            "<script",
            "<magic",
            "<weight",
            "<data",
            "<rest",
            "<w>",
            "<dead>",
            "<rate>",
            "\" onload=\"",
            "\0",
        ] {
            assert!(!html.contains(hostile), "{hostile}");
        }
        assert!(html.contains("dead relu, epoch 2") && html.contains("What to try: --lr &lt;rate&gt;"));
        // Every picture that is shown is there, once.
        for id in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert_eq!(html.matches(&format!("id=\"{id}\"")).count(), 1, "{id}");
        }
        assert!(html == page(&known), "the same data give the same page");
    }
}

#[test]
fn little_is_enough_for_a_page() {
    let classes = ["a".to_owned(), "b".to_owned()];
    let mut one = Predictions::new(2);
    one.push_probabilities(&[0.4, 0.6], &[1]).unwrap();
    let paths = ["x.png".to_owned()];
    let intervals = Intervals::of(&one, &classes, None);
    let (summary, environment) = (Summary::Run(Box::default()), Environment::default());
    let report = |end| Report {
        title: "t".into(),
        subtitle: String::new(),
        classes: &classes,
        judged: None,
        training: Some(Training {
            epochs: &[],
            best: None,
            planned: 3,
            end,
            monitor: "val/loss",
            patience: None,
            min_delta: 0.0,
            would_stop: None,
        }),
        pictures: Vec::new(),
        explained_by: None,
        weights: Vec::new(),
        activations: Vec::new(),
        times: (String::new(), String::new()),
        filters: None,
        recipe: "",
        summary: &summary,
        environment: &environment,
        phases: Vec::new(),
    };
    let html = report(RunEnd::Diverged).render();
    assert!(html.contains("There is no model to judge") && html.contains("diverged"));
    assert!(report(RunEnd::Interrupted).render().contains("interrupted before the first epoch"));
    let judged = Judged {
        predictions: &one,
        paths: &paths,
        what: "test image".into(),
        intervals: &intervals,
        leaks: None,
        leaked: &[],
    };
    let html = Report { judged: Some(judged), training: None, ..report(RunEnd::Completed) }.render();
    assert!(html.contains("Of 1 test image, <b>100.0\u{a0}%</b>") && html.contains("None: every image"));
    assert!(html.contains("The images leave undefined"));
    assert!(!html.contains(">NaN<") || html.contains("NaN*"), "what is undefined is marked");
}
