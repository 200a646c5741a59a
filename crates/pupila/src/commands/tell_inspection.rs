//! What a person reads of a data set that was inspected.

use super::tell::SHOWN;
use super::tell_data::class_table;
use super::tell_runs::wrapped;
use super::tell_study::bytes;
use crate::output::{Output, percent};
use pupila::dataset::shown_path;
use pupila::inspect::{Finding, Kind, Severity, Summary};
use pupila::{Excluded, Inspected, count, images};
use std::path::Path;
use std::time::Duration;

/// Groups of a finding that are shown.
const GROUPS: usize = 3;
/// Doubted labels that are shown.
const DOUBTS: usize = 10;

pub(crate) fn tell(output: Output, inspected: &Inspected, data: &Path, took: Duration) {
    let Inspected { dataset, looked, inspection, notes } = inspected;
    let summary = &inspection.summary;
    output.heading(format_args!("Data: {} ({})", shown_path(data), dataset.form));
    if dataset.classes.is_empty() {
        output.say("  no labels: folders inside it would be the classes");
    } else {
        output.say(format_args!("  taken as {}", dataset.taken));
        class_table(output, dataset, None);
    }
    contents(output, summary);
    output.say(format_args!(
        "  looked at in {:.1} s, {} images from the cache",
        took.as_secs_f64(),
        count(looked.from_cache)
    ));
    if let Some(baseline) = &inspection.baseline {
        let which = match baseline.split {
            Some(split) => format!("{} of {split}", images(baseline.judged)),
            None => format!("{}, five folds", images(baseline.judged)),
        };
        output.say(format_args!(
            "  how easy it is: {} [{:.1}, {:.1}] are of the class that most of their five most similar images have ({which}); always the \
             most frequent class: {}",
            percent(baseline.accuracy),
            100.0 * baseline.interval.0,
            100.0 * baseline.interval.1,
            percent(baseline.majority)
        ));
    }
    if let Some(resolution) = inspection.resolution {
        output.say(format_args!("  {}", pupila::what_can_be_told(resolution)));
    }
    if let Some(errors) = &inspection.label_errors {
        output.say(format_args!(
            "  labels: {}, which never saw the images, agree with {} [{:.1}, {:.1}] of {}",
            errors.by,
            percent(errors.accuracy.value),
            100.0 * errors.accuracy.low,
            100.0 * errors.accuracy.high,
            count(errors.judged)
        ));
    }
    for note in notes {
        output.say(format_args!("  {note}"));
    }
    let findings = &inspection.findings;
    if findings.is_empty() {
        output.heading("Findings: none");
        return;
    }
    let of = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter(|&&severity| of(severity) > 0)
        .map(|&severity| {
            let n = of(severity);
            format!("{n} {}{}", severity.name(), if n == 1 { "" } else { "s" })
        })
        .collect();
    output.heading(format_args!("Findings: {}, the worst first", counts.join(", ")));
    for finding in findings {
        one(output, inspected, finding);
    }
}

/// What the list of images to leave out has.
pub(crate) fn excluded(output: Output, list: &Path, excluded: Excluded, of: usize) {
    /// A list of so large a share is worth a second look.
    const MUCH: f64 = 0.2;
    let Excluded { images: written, unwritable } = excluded;
    output.say(format_args!("  {}: {} to leave out", list.display(), images(written)));
    if unwritable > 0 {
        output.warn(format_args!(
            "{} not in the list: a line cannot hold a name with a line break or another control character; rename or remove them",
            match unwritable {
                1 => "1 image is".to_owned(),
                n => format!("{} images are", count(n)),
            }
        ));
    }
    if written as f64 > MUCH * of as f64 {
        output.warn(format_args!(
            "the list takes {} of {}: look at the groups of similar pictures on the page before it is used",
            percent(written as f64 / of as f64),
            images(of)
        ));
    }
}

fn contents(output: Output, summary: &Summary) {
    let range = |[low, middle, high]: [u32; 3]| match low == high {
        true => low.to_string(),
        false => format!("{low} to {high} (median {middle})"),
    };
    let formats: Vec<String> =
        summary.formats.iter().map(|(name, n)| format!("{} {name}", count(*n))).collect();
    output.say(format_args!(
        "  {}: {}; {} wide, {} high{}",
        images(summary.images),
        formats.join(", "),
        range(summary.widths),
        range(summary.heights),
        if summary.bytes > 0 { format!("; {} in all", bytes(summary.bytes)) } else { String::new() }
    ));
    if summary.gray_files + summary.gray_content > 0 {
        let content = match summary.gray_content {
            0 => String::new(),
            n => format!("; {} more are stored in color and show only gray", count(n)),
        };
        output.say(format_args!("  {} in gray{content}", images(summary.gray_files)));
    }
    if !summary.cameras.is_empty() {
        let named: Vec<String> =
            summary.cameras.iter().take(3).map(|(name, n)| format!("{name} {}", count(*n))).collect();
        let more = summary.cameras.len().saturating_sub(3);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        output.say(format_args!("  cameras: {}{more}", named.join(", ")));
    }
    if let Some((first, last)) = summary.taken {
        let (first, last) = (pupila::day(first), pupila::day(last));
        let days = if first == last { first } else { format!("{first} to {last}") };
        output.say(format_args!("  taken {days}, by the cameras' clocks"));
    }
    let three = |values: [f64; 3]| values.map(|value| format!("{value:.3}")).join(", ");
    output.say(format_args!(
        "  mean {} and deviation {} of red, green, blue",
        three(summary.mean),
        three(summary.std)
    ));
}

fn one(output: Output, inspected: &Inspected, finding: &Finding) {
    let name = finding.severity.name();
    let indent = "           ";
    let lines = wrapped(&finding.message, output.width(), indent);
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_start();
        if at == 0 {
            output.say(format_args!("  {name:<9}{line}"))
        } else {
            output.say(format_args!("{indent}{line}"))
        }
    }
    let path = |place: usize| {
        let path = &inspected.dataset.samples[place].path;
        shown_path(path.strip_prefix(&inspected.dataset.root).unwrap_or(path))
    };
    if !finding.files.is_empty() {
        for file in finding.files.iter().take(GROUPS) {
            output.say(format_args!("{indent}{file}"));
        }
        more(output, indent, finding.files.len(), GROUPS);
    } else if finding.kind == Kind::LabelError {
        for (group, note) in finding.groups.iter().zip(&finding.notes).take(DOUBTS) {
            output.say(format_args!("{indent}{}: {note}", path(group[0])));
        }
        more(output, indent, finding.groups.len(), DOUBTS);
    } else if finding.groups.iter().all(|group| group.len() == 1) {
        for note in finding.notes.iter().take(GROUPS) {
            output.say(format_args!("{indent}{note}"));
        }
        for group in finding.groups.iter().take(GROUPS) {
            output.say(format_args!("{indent}{}", path(group[0])));
        }
        more(output, indent, finding.groups.len(), GROUPS);
    } else {
        for (at, group) in finding.groups.iter().take(GROUPS).enumerate() {
            let paths: Vec<String> = group.iter().take(SHOWN).map(|&place| path(place)).collect();
            let note = finding.notes.get(at).map_or(String::new(), |note| format!("{note}: "));
            let rest = group.len().saturating_sub(SHOWN);
            let rest = if rest > 0 { format!(" = {rest} more") } else { String::new() };
            let between = if finding.kind == Kind::GroupAcrossSplits { ", " } else { " = " };
            output.say(format_args!("{indent}{note}{}{rest}", paths.join(between)));
        }
        more(output, indent, finding.groups.len(), GROUPS);
    }
    for line in wrapped(&format!("-> {}", finding.advice), output.width(), indent) {
        output.say(format_args!("{indent}{}", line.trim_start()));
    }
}

fn more(output: Output, indent: &str, all: usize, shown: usize) {
    if all > shown {
        output.say(format_args!("{indent}... and {} more; --json lists all", count(all - shown)));
    }
}
