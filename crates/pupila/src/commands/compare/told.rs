//! The comparison in words and tables.

use crate::output::{Output, images};
use pupila_report::{Comparison, MetricRow, PairTest};
use pupila_train::FinishedRun;

/// The level of the tests.
const LEVEL: f64 = 0.05;
/// Longest value of a recipe in the terminal, in characters.
const LONGEST: usize = 36;

/// Whether both the test and the interval of the accuracy say so.
pub(super) fn beyond_noise(test: &PairTest) -> bool {
    let interval = test.intervals.iter().find(|(metric, ..)| metric == "accuracy");
    test.adjusted < LEVEL && interval.is_some_and(|&(_, _, low, high)| low > 0.0 || high < 0.0)
}

/// A plain sentence or two for each run.
pub(super) fn findings(names: &[String], runs: &[FinishedRun], tests: &[PairTest]) -> Vec<String> {
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

/// Everything for people.
pub(super) fn tell(output: Output, comparison: &Comparison) {
    let names: Vec<String> = comparison.runs.iter().map(|run| run.name.clone()).collect();
    output.heading("What differs");
    if comparison.differences.is_empty() {
        output.say("  the recipes are the same");
    } else {
        let cut = |value: &Option<String>| match value {
            None => "-".to_owned(),
            Some(text) if text.chars().count() > LONGEST => {
                text.chars().take(LONGEST - 3).chain("...".chars()).collect()
            }
            Some(text) => text.clone(),
        };
        let rows = comparison.differences.iter();
        table(output, &names, rows.map(|(key, values)| (key.clone(), values.iter().map(cut).collect())));
    }
    output.heading("Metrics");
    table(output, &names, comparison.metrics.iter().map(|row| (row.name.clone(), cells(row))));
    output.heading("Verdict");
    comparison.findings.iter().for_each(|finding| output.say(format_args!("  {finding}")));
}

/// The values of a metric, with their differences from the first.
fn cells(row: &MetricRow) -> Vec<String> {
    let first = row.values.first().copied().unwrap_or(f64::NAN);
    let cell = |(run, &value): (usize, &f64)| {
        let difference = value - first;
        match (row.share, run == 0 || !difference.is_finite()) {
            _ if !value.is_finite() => "NaN".to_owned(),
            (true, true) => format!("{:.1} %", 100.0 * value),
            (true, false) => format!("{:.1} % ({:+.1})", 100.0 * value, 100.0 * difference),
            (false, true) => format!("{value:.4}"),
            (false, false) => format!("{value:.4} ({difference:+.4})"),
        }
    };
    row.values.iter().enumerate().map(cell).collect()
}

fn table(output: Output, names: &[String], rows: impl Iterator<Item = (String, Vec<String>)>) {
    let rows: Vec<(String, Vec<String>)> = rows.collect();
    let wide =
        |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let first = wide(&mut rows.iter().map(|row| &row.0));
    let widths: Vec<usize> =
        (0..names.len()).map(|i| wide(&mut rows.iter().map(|row| &row.1[i]).chain([&names[i]]))).collect();
    let line = |name: &str, cells: &[String]| {
        let cells: String =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}")).collect();
        output.say(format_args!("  {name:<first$}{cells}"));
    };
    line("", names);
    rows.iter().for_each(|(name, cells)| line(name, cells));
}
