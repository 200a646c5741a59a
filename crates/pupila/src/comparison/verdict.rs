//! The comparison in words.

use crate::describe::images;
use pupila_report::PairTest;
use pupila_run::RunFiles;

/// The level of the tests.
const LEVEL: f64 = 0.05;

/// Whether both the test and the interval of the accuracy say so.
pub(super) fn beyond_noise(test: &PairTest) -> bool {
    let interval = test.intervals.iter().find(|(metric, ..)| metric == "accuracy");
    test.adjusted < LEVEL && interval.is_some_and(|&(_, _, low, high)| low > 0.0 || high < 0.0)
}

/// A plain sentence or two for each run.
pub(super) fn findings(names: &[String], runs: &[RunFiles], tests: &[PairTest]) -> Vec<String> {
    let mut found: Vec<String> = tests.iter().map(|test| finding(names, test, tests.len() > 1)).collect();
    let untested: Vec<&str> = (1..runs.len())
        .filter(|&run| tests.iter().all(|test| test.run != run))
        .map(|run| names[run].as_str())
        .collect();
    if !untested.is_empty() {
        found.push(format!(
            "{} and {} were judged on different images: no test can tell whether their numbers differ by more than noise.",
            names[0],
            untested.join(", ")
        ));
    }
    if tests.len() > 1 {
        found.push("The p-values are adjusted by Holm's method for the number of runs compared.".into());
    }
    if let Some(run) = runs.first().filter(|_| !tests.is_empty()) {
        found.push(format!(
            "All are judged on the same {}. Other seeds would give other differences: a result to rely on is that of several seeds.",
            images(run.predictions.len())
        ));
    }
    found
}

fn finding(names: &[String], test: &PairTest, several: bool) -> String {
    let (name, first) = (&names[test.run], &names[0]);
    let p = match test.adjusted {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p if p < 0.01 => format!("= {p:.4}"),
        p => format!("= {p:.2}"),
    };
    let p = if several { format!("adjusted McNemar p {p}") } else { format!("McNemar p {p}") };
    let of = |metric: &str| test.intervals.iter().find(|(name, ..)| name == metric);
    let Some(&(_, value, low, high)) = of("accuracy") else { return String::new() };
    let (points, range) = (100.0 * value, format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high));
    if test.discordant == (0, 0) {
        return format!("No difference: {name} and {first} are right on the same images.");
    }
    if beyond_noise(test) {
        let word = if value > 0.0 { "better" } else { "worse" };
        return format!(
            "{name} is {word} than {first} by {:.1} points of accuracy (95 % interval of the difference {range}); {p}.",
            points.abs()
        );
    }
    let mut text = match value {
        0.0 => format!("Within noise: {name} and {first} have the same accuracy"),
        _ => format!(
            "Within noise: {name} is {:.1} points {} {first} in accuracy",
            points.abs(),
            if value > 0.0 { "above" } else { "below" }
        ),
    };
    text += &format!(", and the 95 % interval of the difference runs from {range}; {p}.");
    let clear =
        |metric: &&(String, f64, f64, f64)| metric.0 != "accuracy" && (metric.2 > 0.0 || metric.3 < 0.0);
    let clear = test.intervals.iter().filter(clear).map(|(metric, value, low, high)| {
        let name = if metric == "macro_f1" { "macro F1".to_owned() } else { metric.replace('_', " ") };
        let [value, low, high] = [value, low, high].map(|x| 100.0 * x);
        format!("{name} by {value:+.1} points (95 % interval {low:.1} to {high:.1})")
    });
    let clear: Vec<String> = clear.collect();
    if !clear.is_empty() {
        text += &format!(" But other metrics differ by more than noise: {}.", clear.join(", "));
    }
    text
}
