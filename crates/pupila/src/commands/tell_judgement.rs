//! What a person reads of how well a model answers.

use super::tell::SHOWN;
use crate::output::{Output, percent};
use pupila::dataset::shown;
use pupila::metrics::{ClassificationReport, Predictions};
use pupila::run_files::{Against, Interval, IntervalsOver, Leaks, LooksSummary, Named};
use pupila::{count, images};

/// The headline: accuracy with its uncertainty, against what needs no learning.
pub(crate) fn judgement(
    output: Output,
    predictions: &Predictions,
    classes: &[String],
    intervals: &Named<Interval>,
    over: &IntervalsOver,
    leaks: Option<&Leaks>,
) {
    let summary = pupila::metrics::summary(predictions);
    let value = |name: &str| summary.get(name).unwrap_or(f64::NAN);
    let interval = |name: &str| match intervals.get(name) {
        Some(&[Some(low), Some(high)]) => {
            format!(" (95 % interval {:.1} to {:.1})", 100.0 * low, 100.0 * high)
        }
        _ => String::new(),
    };
    output.say(format_args!(
        "  accuracy           {}{} on {}",
        percent(value("accuracy")),
        interval("accuracy"),
        images(predictions.len())
    ));
    if let Some(leaks) = leaks {
        leaked(output, leaks, predictions.len());
    }
    if over.unit == "group" && over.none.get("accuracy").is_none() {
        output.say(format_args!(
            "                     the intervals are over {} groups of images: what is alike within a group counts once",
            over.count
        ));
    }
    if let Some((class, share)) = predictions.majority() {
        let name = classes.get(class as usize).map_or("", String::as_str);
        output.say(format_args!(
            "  without learning   {} by always answering {}",
            percent(share),
            shown(name)
        ));
        let limits = intervals.get("accuracy").and_then(|&[low, high]| Some((low?, high?)));
        let clean = if leaks.is_some() { ", without the leaks" } else { "" };
        match Against::of_judged(predictions, limits, leaks) {
            Some(Against::PerhapsChance) => output.say(format_args!(
                "                     the difference may be chance: the interval reaches down to it{clean}"
            )),
            Some(Against::NoBetter) => {
                output.say(format_args!("                     the accuracy is no better than that{clean}"))
            }
            Some(Against::Better | Against::Unknown) | None => {}
        }
    }
    let balanced = interval("balanced_accuracy");
    output.say(format_args!(
        "  balanced accuracy  {}{balanced}, the mean recall",
        percent(value("balanced_accuracy"))
    ));
    for (metric, why) in over.none.iter().filter(|(metric, _)| *metric != "macro_f1") {
        output.say(format_args!("                     of the {}: {why}", metric.replace('_', " ")));
    }
    let auc = value("macro_auc");
    if !auc.is_nan() {
        output.say(format_args!("  macro AUC          {auc:.3} (0.5 is guessing, 1 is perfect ranking)"));
    }
}

/// The score without the images that were trained on too, and on them.
fn leaked(output: Output, leaks: &Leaks, judged: usize) {
    match leaks.without.accuracy_in_words() {
        Some(without) => {
            output.say(format_args!("  without leaks      {without} on {}", images(leaks.without.images)));
        }
        None => output.say("  without leaks      no image is left: nothing can be said of new images"),
    }
    let on = leaks.on.accuracy_in_words().unwrap_or_default();
    output.warn(format_args!(
        "{} of {judged} judged images were trained on too, {}: on them the accuracy is {on}. leaks.csv lists them; {}",
        leaks.images,
        leaks.how(),
        leaks.remedy()
    ));
}

/// The per-class report and the confusion matrix.
pub(crate) fn tables(output: Output, predictions: &Predictions, classes: &[String]) {
    let report = ClassificationReport::new(predictions.confusion());
    output.heading("Per class");
    // The columns of the numbers take 42.
    let names = super::tell_data::shown_names(classes, output.width().saturating_sub(42));
    let text = report.render(&names);
    if classes.len() > 2 * SHOWN {
        // The head, the classes with the lowest and the highest F1, the averages.
        let lines: Vec<&str> = text.lines().collect();
        let (head, rest) = lines.split_at(2.min(lines.len()));
        let (rows, averages) = rest.split_at(classes.len().min(rest.len()));
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| report.per_class[a].f1.total_cmp(&report.per_class[b].f1));
        order.drain(SHOWN / 2..rows.len() - SHOWN / 2);
        head.iter().for_each(|line| output.say(line));
        order.iter().for_each(|&row| output.say(rows[row]));
        output.say(format_args!(
            "  ... {} classes in all, of which these have the lowest and the highest F1; classification_report.txt has all",
            count(classes.len())
        ));
        averages.iter().for_each(|line| output.say(line));
    } else {
        output.say(text.trim_end_matches('\n'));
    }
    if !report.undefined.is_empty() {
        let mut ids: Vec<_> = report.undefined.iter().filter_map(|undefined| undefined.class).collect();
        ids.sort_unstable();
        ids.dedup();
        let names: Vec<_> =
            ids.iter().filter_map(|&class| names.get(class as usize)).map(String::as_str).collect();
        let more = match names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        output.say(format_args!(
            "  0.00 also stands for what is undefined: never predicted or absent are {}{more}",
            shown(&names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", "))
        ));
    }
    output.heading("Confusion matrix (rows: true, columns: predicted)");
    output.say(predictions.confusion().render(&names, output.width()).trim_end_matches('\n'));
}

/// How often a test set was looked at, and what that does to the best of the looks.
pub(crate) fn looks(output: Output, looks: &LooksSummary) {
    for sentence in looks.sentences() {
        output.say(format_args!("  {sentence}"));
    }
    if let Some(trouble) = &looks.trouble {
        output.warn(trouble);
    }
}
