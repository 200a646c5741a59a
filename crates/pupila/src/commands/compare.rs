//! `pupila compare`: what differs in the recipes of runs, what it did to the metrics, and whether that is more than noise.

use crate::cli;
use crate::failure::Failure;
use crate::interrupt::signal;
use crate::output::Output;
use pupila::report::{Comparison, MetricRow};
use pupila::run_files::StudyFile;
use pupila::{Compared, ComparisonOptions, RunFolder, user_cache};
use std::path::PathBuf;

/// Longest value of a recipe in the terminal, in characters.
const LONGEST: usize = 36;

pub(crate) fn run(arguments: &cli::Compare) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let options = ComparisonOptions {
        out: arguments.out.clone(),
        metric: arguments.metric.clone(),
        different_data: arguments.different_data,
        cache: user_cache(),
        stop: signal(),
    };
    name_runs(&arguments.runs)?;
    let compared = Compared::of(&arguments.runs, &options)?;
    tell(output, &compared.comparison);
    let written = compared.write();
    if written.is_ok() {
        output.say(format_args!("\ncurves, tests and the images that flipped: {}", compared.page.display()));
    }
    output.object(&compared.to_json());
    Ok(written?)
}

/// Refuses the folders of studies, and names runs of theirs.
fn name_runs(folders: &[PathBuf]) -> Result<(), Failure> {
    let mut told = Vec::new();
    for (place, folder) in folders.iter().enumerate() {
        if folders[..place].contains(folder) {
            continue;
        }
        let Some(study) = RunFolder::open(folder).ok().filter(RunFolder::is_study) else { continue };
        let runs = study.runs().unwrap_or_default();
        let names: Vec<String> = runs.iter().take(2).map(|run| run.path().display().to_string()).collect();
        let such = if names.is_empty() { String::new() } else { format!(", such as {}", names.join(" ")) };
        told.push(format!(
            "{} is a study: name two of its runs or more{such}; `pupila study` compares all of them, in {}",
            folder.display(),
            folder.join(StudyFile::PAGE).display()
        ));
    }
    if told.is_empty() && folders.len() < 2 {
        told.push("2 values required: name the runs that are compared, the first of them first".to_owned());
    }
    if told.is_empty() { Ok(()) } else { Err(Failure::wrong(told.join("\n"))) }
}

/// Everything for people.
fn tell(output: Output, comparison: &Comparison) {
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
    if let Some(command) = &comparison.command {
        output.say(format_args!("    {command}"));
    }
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
