//! `pupila eval`: a trained model judged on labelled images.

use super::recipe::{LAYOUT_KEYS, layers};
use super::{in_pool, tell, tell_data, tell_judgement, typed};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::Output;
use pupila::dataset::Split;
use pupila::recipe::CheckedRecipe;
use pupila::recipe::Setting;
use pupila::{Classifier, Evaluation, EvaluationOptions, Judging, write_whole};
use serde_json::json;

pub(crate) fn run(arguments: &cli::Eval) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let stop = listen();
    in_pool(arguments.threads.count(), || {
        let judging = Judging::new().stop_signal(&stop).views(cli::views(arguments.tta));
        eval(arguments, output, judging)
    })
}

/// The column of a table whose values name groups.
const GROUP: &str = "data.group";

/// What the settings say of the data.
fn settings(arguments: &cli::Eval) -> Result<CheckedRecipe, Failure> {
    let other = |setting: &&String| {
        let key = setting.split('=').next().unwrap_or_default().trim();
        !LAYOUT_KEYS.contains(&key) && key != GROUP
    };
    if let Some(setting) = arguments.settings.iter().find(other) {
        return Err(Failure::wrong(format_args!(
            "--set {setting}: eval takes the keys that say what of DATA is what: {}, {GROUP}",
            LAYOUT_KEYS.join(", ")
        )));
    }
    let settings =
        arguments.settings.iter().map(|s| Setting { assignment: s.clone(), option: format!("--set {s}") });
    layers(None, settings.collect())?.resolve().map_err(Failure::request)
}

fn eval(arguments: &cli::Eval, output: Output, judging: Judging) -> Result<(), Failure> {
    tell::check_csv(arguments.csv.as_deref())?;
    let mut model = Classifier::open(&arguments.run)?;
    if let Some(data) = &arguments.data
        && let Some(split) = data.to_str().and_then(|name| name.parse::<Split>().ok())
        && !data.exists()
    {
        return Err(Failure::wrong(format_args!(
            "{split} does not exist; the {split} part of the data that the run was trained on is judged by --split {split}"
        )));
    }
    let split = arguments.split.as_ref().map(|name| name.parse::<Split>()).transpose();
    let split = split.map_err(|error| Failure::wrong(format_args!("--split {error}")))?;
    let views = judging.views;
    let (judging, bar) = tell::reading(judging);
    let given = settings(arguments)?;
    let options = EvaluationOptions {
        data: arguments.data.clone(),
        split,
        exclude: arguments.exclude.clone(),
        layout: given.data.layout(),
        group: given.data.group.clone(),
        out: arguments.out.clone(),
        judging,
        arguments: typed(),
        state: None,
    };
    let evaluation = Evaluation::open(&mut model, options)?;
    evaluation.warnings.iter().for_each(|warning| output.warn(warning));
    tell::judged(output, evaluation.dataset(), evaluation.which(), evaluation.split());
    let judged = evaluation.judge();
    bar.finish_and_clear();
    let judged = judged?;
    tell::beside(
        output,
        &judged.images.dataset,
        arguments.data.as_deref().unwrap_or(&judged.images.dataset.root),
    );
    if let Some(path) = &arguments.csv {
        write_whole(path, judged.csv().as_bytes()).map_err(Failure::writing(path))?;
    }
    output.heading("Result");
    tell_data::views(output, views);
    tell_judgement::judgement(
        output,
        &judged.predictions,
        judged.classes(),
        &judged.intervals.of_metrics,
        &judged.intervals.over,
        judged.leaks.as_ref(),
    );
    if judged.near_unknown {
        output.say(
            "  pictures that are nearly the same as training images were not looked for: those are not to be found, too many, or too small as the network sees them",
        );
    }
    if let Some(looks) = &judged.looks {
        tell_judgement::looks(output, looks);
    }
    tell_judgement::tables(output, &judged.predictions, judged.classes());
    let summary = judged.summary();
    let written = judged.write(&summary);
    if let Ok(folder) = &written {
        output.heading(format_args!("Results: {}", folder.path().display()));
        output.say(
            "  report.html, predictions.csv, summary.json, classification_report.txt, confusion_matrix.png",
        );
    }
    let mut object = summary.to_json();
    object["folder"] = json!(written.as_ref().ok().map(|folder| folder.path().to_string_lossy()));
    output.object(&object);
    // Only now, so that a full disk takes the files but not the result from the user.
    written?;
    Ok(())
}
