//! `pupila compare`: what differs in the recipes of runs, what it did to the metrics, and whether that is more than noise.

use super::study_table::shortened;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::signal;
use crate::output::Output;
use pupila::report::{Comparison, MetricRow};
use pupila::run_files::StudyFile;
use pupila::{Compared, ComparisonOptions, RunFolder, user_cache};
use std::path::PathBuf;
use unicode_width::UnicodeWidthStr;

/// Longest value of a recipe in the terminal, in columns.
const LONGEST: usize = 36;
/// Nothing is shortened below this, and no metric is wider.
const SHORTEST: usize = 16;
/// Between columns.
const GAP: usize = 2;

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
    compared.lacks.iter().for_each(|lack| output.warn(lack));
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
        let cut = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
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
    lines(names, &rows, output.limit()).iter().for_each(|line| output.say(line));
}

/// The lines of a table, none wider than the terminal: names and values of recipes are shortened, and where that is not enough the
/// runs stand in several tables below each other. Numbers are whole.
fn lines(names: &[String], rows: &[(String, Vec<String>)], limit: Option<usize>) -> Vec<String> {
    let limit = limit.unwrap_or(usize::MAX);
    let keys: Vec<String> = rows.iter().map(|(key, _)| key.clone()).collect();
    let keys = shortened(&keys, (limit / 2).max(SHORTEST));
    let first = keys.iter().map(|key| key.width()).max().unwrap_or(0);
    let room = limit.saturating_sub(2 + first);
    let cap = (room / names.len().max(1)).saturating_sub(GAP).clamp(SHORTEST, LONGEST);
    let short = |text: &String| shortened(std::slice::from_ref(text), cap).remove(0);
    let names = shortened(names, cap);
    let rows: Vec<Vec<String>> = rows.iter().map(|(_, cells)| cells.iter().map(short).collect()).collect();
    let wide = |run: usize| {
        let cells = rows.iter().map(|cells| &cells[run]).chain([&names[run]]);
        GAP + cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let mut lines = Vec::new();
    let mut from = 0;
    while from < names.len() {
        let mut to = from + 1;
        while to < names.len() && (from..=to).map(wide).sum::<usize>() <= room {
            to += 1;
        }
        let line = |head: &str, cells: &[String]| {
            let mut line = format!("  {head}{}", " ".repeat(first - head.width()));
            for run in from..to {
                line += &" ".repeat(wide(run) - cells[run].width());
                line += &cells[run];
            }
            line
        };
        if from > 0 {
            lines.push(String::new());
        }
        lines.push(line("", &names));
        lines.extend(keys.iter().zip(&rows).map(|(key, cells)| line(key, cells)));
        from = to;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_number_is_cut() {
        let names: Vec<String> =
            (0..5).map(|i| format!("{}-{i}", "a-run-of-a-long-name".repeat(4))).collect();
        let cells = |text: &str| vec![text.to_owned(); 5];
        let rows = vec![
            ("loss.class_weights.a_class_of_ninety_characters".repeat(2), cells("0.25")),
            ("augment[1]".to_owned(), cells("gauss_noise std_range=[0.2,0.44] mean_range=[0.0,0.0]\n")),
            ("macro_average_precision".to_owned(), cells("0.3129 (+0.0019)")),
        ];
        for limit in [60, 72, 120] {
            let lines = lines(&names, &rows, Some(limit));
            assert!(lines.iter().all(|line| line.width() <= limit && !line.contains('\n')), "{lines:#?}");
            let numbers: usize = lines.iter().map(|line| line.matches("0.3129 (+0.0019)").count()).sum();
            assert_eq!(numbers, 5);
        }
        assert_eq!(lines(&names, &rows, None).len(), 4);
    }
}
