//! `pupila eval`: a trained model judged on labelled images, by the path that training took.

use super::evaluation::{Evaluation, Place, seed};
use super::model::{Trained, cache};
use super::{tell, tell_data};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::Output;
use anyhow::Context;
use pupila_dataset::{Cache, Dataset, Labelled, LabelledOptions, OnBadImage, Split, scan_labelled};
use pupila_engine::thread_pool;
use pupila_train::{Layers, RunFolder, fingerprint, intervals, predictions_csv, scan_for, write_whole};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub(crate) fn run(arguments: &cli::Eval) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    listen();
    let pool =
        thread_pool(arguments.threads.count()).context("cannot start the threads").map_err(Failure::Work)?;
    pool.install(|| eval(arguments, output))
}

/// What is judged: images of one split, or all.
struct Target {
    dataset: Dataset,
    which: Vec<usize>,
    split: Option<Split>,
}

fn eval(arguments: &cli::Eval, output: Output) -> Result<(), Failure> {
    let started = Instant::now();
    let mut model = Trained::open(&arguments.run)?;
    let split = match &arguments.split {
        Some(name) => {
            Some(name.parse::<Split>().map_err(|error| Failure::wrong(format_args!("--split {error}")))?)
        }
        None => None,
    };
    let cache = cache();
    let own = model.folder.as_ref().and_then(own_data);
    let target = match (&arguments.data, own) {
        (None, None) => {
            return Err(Failure::wrong(format_args!(
                "{} does not say which data it was trained on: give DATA",
                arguments.run.display()
            )));
        }
        (None, Some(own)) => own_split(&own, &model, split, cache.as_ref(), output)?,
        // The data that it was trained on, which has no splits of its own: all of it would be mostly training images.
        (Some(data), Some(own)) if own.val_split_off && same(data, &own.path) => {
            own_split(&own, &model, split, cache.as_ref(), output)?
        }
        (Some(data), _) => {
            let options =
                LabelledOptions { split, on_bad_image: OnBadImage::Skip, exclude: arguments.exclude.clone() };
            let Labelled { dataset, split } =
                scan_labelled(data, &model.card.classes, &options, cache.as_ref())
                    .map_err(Failure::request)?;
            Target { which: (0..dataset.samples.len()).collect(), dataset, split }
        }
    };
    let Target { dataset, which, split } = target;
    let views = cli::views(arguments.tta);
    let place = Place::of(arguments.out.as_deref(), &arguments.run, arguments.data.as_deref(), split)?;
    tell::judged(output, &dataset, &which, split);
    let images = model.decode(dataset, &which, cache.as_ref(), OnBadImage::Skip)?;
    tell::notices(output, &images.dataset);
    tell::skipped(output, &images.dataset.skipped);
    let predictions = model.judge(&images, views)?;

    let classes = &model.card.classes;
    let all: Vec<u32> = (0..images.len() as u32).collect();
    if let Some(path) = &arguments.csv {
        let csv = predictions_csv(classes, &images.paths(&all), true, &predictions);
        write_whole(path, csv.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::Work)?;
    }
    let seed = seed(&model);
    let intervals = intervals(&predictions, seed);
    output.heading("Result");
    tell_data::views(output, views);
    tell::judgement(output, &predictions, classes, &intervals);
    tell::tables(output, &predictions, classes);
    let evaluation = Evaluation {
        run: &arguments.run,
        split,
        images: &images,
        predictions: &predictions,
        intervals: &intervals,
        views,
        skipped: tell::skipped_json(&images.dataset.skipped),
        seed,
        threads: arguments.threads.count(),
        started,
    };
    let mut summary = evaluation.summary(&model);
    let written = evaluation.write(&place, &model, &summary);
    if let Ok(folder) = &written {
        output.heading(format_args!("Results: {}", folder.path().display()));
        output.say(
            "  report.html, predictions.csv, summary.json, classification_report.txt, confusion_matrix.png",
        );
    }
    summary["folder"] = json!(written.as_ref().ok().map(|folder| folder.path().to_string_lossy()));
    output.object(&summary);
    // Only now, so that a full disk takes the files but not the result from the user.
    written.map(|_| ())
}

/// The data that a run was trained on.
struct OwnData {
    folder: RunFolder,
    path: PathBuf,
    fingerprint: String,
    val_split_off: bool,
}

fn own_data(folder: &RunFolder) -> Option<OwnData> {
    let text = std::fs::read_to_string(folder.file(RunFolder::ENVIRONMENT)).ok()?;
    let data = &serde_json::from_str::<Value>(&text).ok()?["data"];
    Some(OwnData {
        folder: folder.clone(),
        path: data["path"].as_str()?.into(),
        fingerprint: data["fingerprint"].as_str()?.to_owned(),
        val_split_off: data["val_split_off"].as_bool().unwrap_or(false),
    })
}

fn same(a: &Path, b: &Path) -> bool {
    std::fs::canonicalize(a).is_ok_and(|a| a == b)
}

/// A split of the run's own data, found again as training found it.
fn own_split(
    own: &OwnData,
    model: &Trained,
    split: Option<Split>,
    cache: Option<&Cache>,
    output: Output,
) -> Result<Target, Failure> {
    let file = own.folder.file(RunFolder::RECIPE);
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}; give DATA", file.display()))
        .map_err(Failure::Request)?;
    let resolved =
        Layers { file: Some((file, text)), settings: Vec::new() }.resolve().map_err(Failure::request)?;
    if !own.path.exists() {
        return Err(Failure::wrong(format_args!(
            "the data of this run is no longer at {}: give DATA",
            own.path.display()
        )));
    }
    let (dataset, _) = scan_for(&resolved.recipe, &own.path, cache)?;
    if dataset.classes != model.card.classes {
        return Err(Failure::wrong(format_args!(
            "the classes in {} are no longer those of the model ({}): give DATA",
            own.path.display(),
            model.card.classes.join(", ")
        )));
    }
    if fingerprint(&dataset) != own.fingerprint {
        output.warn(format_args!(
            "{} has changed since the run: images may have moved between training and validation",
            own.path.display()
        ));
    }
    let split = split.unwrap_or(Split::Val);
    let which = dataset.indices(split);
    if which.is_empty() {
        return Err(Failure::wrong(format_args!("{} has no {split} set", own.path.display())));
    }
    Ok(Target { dataset, which, split: Some(split) })
}
