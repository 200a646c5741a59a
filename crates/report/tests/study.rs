//! Pages of studies: the answer first, escaped, bounded, the same for the same data, and whole however little is known.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod demo;

use pupila_report::{
    Curves, DifferenceRow, ExtraTable, MAX_BYTES, MetricAxis, RunPoint, StudyPage, VariantResult, Verdict,
};

/// What stands in a section; nothing where the page has none of that name.
fn section(html: &str, id: &str) -> String {
    let start = format!("<section id=\"{id}\">");
    let section = html.split_once(&start).map_or("", |(_, rest)| rest.split_once("</section>").unwrap().0);
    // Without what a narrow page shows beside a cell.
    let mut parts = section.split(" data-head=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('"').unwrap().1)
}

/// That tags are closed in the order in which they were opened, as far as this can be told from the text.
fn assert_well_formed(html: &str) {
    let body = html.split_once("<body>").unwrap().1;
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            if name != "body" && name != "html" {
                assert_eq!(open.pop(), Some(name), "…{}", open.join(" "));
            }
        } else if !tag.ends_with('/') && name != "br" {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

/// That no coordinate is missing: what is not known is not drawn.
fn assert_drawn(html: &str) {
    let body = html.split_once("<body>").unwrap().1;
    for wrong in ["NaN", "inf", "=\"-%", "=\"%"] {
        let at = body.find(wrong);
        assert!(at.is_none(), "{wrong}: …{}", &body[at.unwrap().saturating_sub(200)..at.unwrap() + 20]);
    }
}

fn checked(study: &StudyPage) -> String {
    let html = study.render();
    assert!(html.len() < MAX_BYTES, "{}", html.len());
    assert_well_formed(&html);
    assert_drawn(&html);
    assert!(html == study.render(), "the same data give the same page");
    html
}

#[test]
fn the_answer_stands_first_and_every_number_has_its_unit() {
    let study = demo::ordinary();
    let html = checked(&study);
    let ids: Vec<&str> =
        html.split("<section id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "answer",
            "results",
            "differences",
            "variants",
            "curves",
            "stability",
            "cost",
            "runs",
            "more",
            "method"
        ]
    );
    let answer = section(&html, "answer");
    assert!(answer.contains(&format!("<p class=\"answer\">{}</p>", study.answer[0])));
    assert!(answer.find(&study.question).unwrap() < answer.find("class=\"answer\"").unwrap());
    assert!(answer.contains("60 validation images are few"));

    let results = section(&html, "results");
    assert_eq!(results.matches("<circle").count(), 1 + 35, "a dot a run, and the legend's");
    assert_eq!(results.matches("class=\"s1 mean\"").count(), 1 + 6, "a mean a variant, and the legend's");
    assert_eq!(results.matches("<b>72.0\u{a0}%</b><small>95&nbsp;%: 69.7 to 74.3").count(), 1);
    assert!(results.contains("<title>seed 0: 73.3\u{a0}%</title>"), "{results}");
    assert!(results.contains("All runs are judged on the same 60 images."));

    let differences = section(&html, "differences");
    assert_eq!(differences.matches("class=\"cap\" x1").count(), 2 * 6, "a whisker has two ends");
    assert_eq!(differences.matches("<li><div class=\"name\">").count(), 6, "none for the baseline");
    assert!(
        differences
            .contains("▲\u{a0}better by 2 to 17 points</b><small>+9.7\u{a0}points; 95&nbsp;%: +6.7 to +12.6")
    );
    assert!(
        differences.contains("○\u{a0}no difference shown") && differences.contains("△\u{a0}better on these")
    );
    assert!(differences.contains("four times of five"));

    let variants = section(&html, "variants");
    assert!(variants.contains("<code>model.norm = &quot;batch&quot;</code>"));
    assert!(variants.contains("<td>−7.0</td><td>−9.6 to −4.4</td><td>−14.5 to +0.5</td><td>0.012</td>"));
    let cost = section(&html, "cost");
    assert!(cost.contains("<td>6.5</td>") && cost.contains("not reached") && cost.contains("314 MB"));
    assert!(section(&html, "runs").contains("<a href=\"weight%20decay-seed4/report.html\">"));
    assert!(section(&html, "more").contains("<td>71.7</td>"));
    assert!(section(&html, "method").contains("<code>pupila study regularization samples/skin"));
}

#[test]
fn the_sides_of_the_forest_follow_the_metric() {
    let mut study = demo::ordinary();
    assert!(checked(&study).contains("<span>← worse</span><span>better →</span>"));
    study.metric = MetricAxis { name: "loss".into(), share: false, higher_is_better: false };
    let html = checked(&study);
    assert!(html.contains("<span>← better</span><span>worse →</span>"));
    assert!(section(&html, "results").contains("<b>0.72</b>") && html.contains("Lower is better."));
    assert!(!section(&html, "differences").contains("points;"), "only shares differ by points");
    study.splits = true;
    // Splits differ in their images, so there is nothing to say of other images beside them.
    study.variants.iter_mut().filter_map(|v| v.difference.as_mut()).for_each(|d| d.interval_both = None);
    study.method.clear();
    let html = checked(&study);
    assert!(html.contains("Each split sets other images aside"));
    for said in [
        "a run: a seed on a split",
        "interval over splits",
        "by the split and the seed",
        "the mean over splits",
    ] {
        assert!(html.contains(said), "{said:?}");
    }
    for of_seeds in ["over seeds", "by the seed alone", "seed of its own", "Every seed"] {
        assert!(!html.contains(of_seeds), "{of_seeds:?}");
    }
}

#[test]
fn an_interval_that_is_cut_ends_in_arrows() {
    let mut study = demo::ordinary();
    let arrows = |html: &str| section(html, "results").matches("interval\" d=\"M").count();
    let html = checked(&study);
    assert_eq!(arrows(&html), 0);
    study.variants[2].interval = (0.0, 0.984);
    let runs = &mut study.variants;
    runs.iter_mut()
        .flat_map(|variant| &mut variant.runs)
        .for_each(|run| run.value = 0.3 + 0.1 * (run.value - 0.7));
    runs.iter_mut().for_each(|variant| variant.mean = 0.3 + 0.1 * (variant.mean - 0.7));
    let html = checked(&study);
    assert!(arrows(&html) >= 1, "the text says 98.4 and the bar ends before");
    assert!(html.contains("An interval that reaches beyond the axis ends in an arrow."));
}

#[test]
fn variants_without_a_result_are_rows_with_their_words() {
    let html = checked(&demo::troubled());
    let results = section(&html, "results");
    assert!(results.contains("no result</b><small>5 diverged</small>"));
    assert!(results.contains("<small>1 failed: out of memory</small>"));
    assert!(
        results.contains("5 runs lie outside of the axis"),
        "a collapsed variant does not hide the others"
    );
    assert!(section(&html, "differences").contains("not compared</b><small>5 diverged</small>"));
    let stability = section(&html, "stability");
    assert!(
        stability.contains("<th>diverged</th><th>failed</th>")
            && stability.contains("<td>5 of 5</td><td>0</td>")
    );
    assert!(section(&html, "runs").contains(">failed: out of memory</a>"));
    assert!(section(&html, "curves").contains("What lies beyond the axis is drawn at its edge."));
    // What occurs nowhere has no column.
    let html = checked(&demo::ordinary());
    assert!(!section(&html, "stability").contains("diverged"));
}

#[test]
fn nothing_known_is_a_page_too() {
    assert!(checked(&StudyPage::default()).contains("</html>"));
    let run = |value: f64| RunPoint { seed: "0".into(), value, status: String::new(), folder: String::new() };
    let unknown = VariantResult { name: "a".into(), runs: vec![run(f64::NAN)], ..VariantResult::default() };
    let mut study = StudyPage {
        seeds: vec!["0".into()],
        variants: vec![unknown.clone()],
        baseline: 7,
        ..StudyPage::default()
    };
    let html = checked(&study);
    assert!(section(&html, "results").contains("no result</b><small>1 without a result</small>"));
    assert!(section(&html, "differences").contains("not compared") && section(&html, "curves").is_empty());
    study.baseline = 0;
    assert!(section(&checked(&study), "differences").is_empty(), "one variant is compared with nothing");
    // One variant, one seed.
    study.variants[0].runs = vec![run(0.5)];
    study.variants[0].mean = 0.5;
    let html = checked(&study);
    assert!(section(&html, "results").contains("one run, no interval"));
    assert_eq!(section(&html, "results").matches("<circle").count(), 2);
    // All runs of all variants without a value, with everything else known.
    let mut study = demo::ordinary();
    for variant in &mut study.variants {
        variant.runs.iter_mut().for_each(|run| run.value = f64::NAN);
        (variant.mean, variant.interval) = (f64::NAN, (f64::NAN, f64::NAN));
        variant.difference = None;
        variant.curves = Curves { epochs: vec![1, 2], val_loss: vec![[f64::NAN; 3]; 2], ..Curves::default() };
    }
    let html = checked(&study);
    assert_eq!(section(&html, "results").matches("no result").count(), 7);
    assert!(html.contains("No variant could be compared."));
}

#[test]
fn huge_and_odd_numbers_break_nothing() {
    for share in [false, true] {
        for value in [1e22, -1e22, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, 0.0] {
            let mut study = demo::ordinary();
            study.metric.share = share;
            study.target_loss = Some(value);
            let variant = &mut study.variants[2];
            variant.runs[0].value = value;
            (variant.mean, variant.spread, variant.gap) = (value, value, value);
            variant.interval = (-value, value);
            (variant.epochs_to, variant.time_to_s, variant.time_s) = (Some(value), value, value);
            variant.memory_bytes = Some(u64::MAX);
            variant.difference = Some(DifferenceRow {
                mean: value,
                interval_seeds: (-value, value),
                interval_both: Some((-value, f64::NAN)),
                p_value: value,
                verdict: Verdict::Open,
                words: String::new(),
            });
            variant.curves.val_loss.iter_mut().for_each(|point| *point = [-value, value, value]);
            variant.curves.val_metric.iter_mut().for_each(|point| *point = [value; 3]);
            variant.curves.train_loss.truncate(3);
            let html = checked(&study);
            let digits = html.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
            assert!(digits < Some(21), "{value}: a number of {digits:?} digits");
        }
    }
}

#[test]
fn hostile_names_are_text_and_links_stay_below_the_page() {
    let hostile = "</li><script>alert('x')</script>&\" onload=\"\n\u{202e}";
    let mut study = demo::ordinary();
    let text = || hostile.to_owned();
    for field in [
        &mut study.title,
        &mut study.question,
        &mut study.subtitle,
        &mut study.power,
        &mut study.command,
        &mut study.version,
        &mut study.metric.name,
    ] {
        *field = text();
    }
    (study.answer, study.warnings, study.method) = (vec![text(); 3], vec![text(); 2], vec![text()]);
    study.seeds[0] = text();
    for variant in &mut study.variants {
        variant.name = format!("{hostile}{}", variant.name);
        variant.values = vec![(text(), text())];
        variant.findings = vec![(text(), 1)];
        variant.runs[0] = RunPoint {
            seed: text(),
            value: f64::NAN,
            status: text(),
            folder: "javascript:alert(1)//".into(),
        };
        variant.runs[1].folder = format!("a/{hostile}");
        variant.runs[2].folder = "//elsewhere/x".into();
        if let Some(difference) = &mut variant.difference {
            difference.words = text();
        }
    }
    study.extra =
        vec![ExtraTable { title: text(), heads: vec![text()], rows: vec![vec![text()]], note: text() }];
    let html = checked(&study);
    for hostile in ["<script", "</li><s", "\" onload", "\u{202e}", "javascript:", "elsewhere", "\"//"] {
        assert!(!html.contains(hostile), "{hostile}");
    }
    assert!(html.contains("href=\"javascript%3Aalert%281%29//\""));
}

#[test]
fn long_names_are_whole_and_longer_ones_are_cut() {
    let mut study = demo::ordinary();
    study.variants[1].name = "n".repeat(94);
    study.variants[2].name = "m".repeat(100_000);
    let html = checked(&study);
    assert!(section(&html, "results").contains(&format!(">{}</div>", "n".repeat(94))));
    assert!(html.contains(&format!("{}…", "m".repeat(99))) && !html.contains(&"m".repeat(101)));
}

#[test]
fn large_studies_stay_below_the_bound() {
    let html = checked(&demo::large(40, 20, 100));
    assert_eq!(section(&html, "results").matches("<circle").count(), 1 + 800);
    assert!(section(&html, "curves").contains("Of 40 variants, the baseline and those with the best means"));
    assert!(html.len() < MAX_BYTES / 4, "there is room: {}", html.len());
    // Far more than anyone trains: less is shown, and it is said.
    let mut study = demo::large(600, 60, 20);
    let row = vec!["cell".to_owned(); 40];
    study.extra[0].rows = vec![row; 20_000];
    let html = checked(&study);
    assert!(html.contains("Of 600 variants, the first ") && html.contains("Of 20,000 rows, the first "));
}

#[test]
fn bands_are_drawn_where_they_can_be_told_apart() {
    let html = checked(&demo::small());
    assert_eq!(
        section(&html, "curves").matches("class=\"band").count(),
        3 * 3,
        "three variants, three charts"
    );
    assert!(!section(&html, "curves").contains("each variant beside"));
    let html = checked(&demo::ordinary());
    let curves = section(&html, "curves");
    assert!(curves.contains("Validation accuracy, %, each variant beside “none”"));
    assert_eq!(curves.matches("class=\"band").count(), 2 * 6 * 2, "each of six beside the baseline, twice");
    assert!(curves.contains("target 0.65") && curves.contains("Logarithmic axis."));
}
