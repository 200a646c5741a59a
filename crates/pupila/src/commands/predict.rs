//! `pupila predict`: classes for images of which nothing is known.

use super::{in_pool, tell, tell_data};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::{Output, percent};
use pupila::{Classifier, Judging, predictions_csv, write_whole};
use serde_json::{Value, json};

pub(crate) fn run(arguments: &cli::Predict) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let stop = listen();
    in_pool(arguments.threads.count(), || {
        let judging = Judging::new().stop_signal(&stop).views(cli::views(arguments.tta));
        predict(arguments, output, judging)
    })
}

fn predict(arguments: &cli::Predict, output: Output, judging: Judging) -> Result<(), Failure> {
    let mut model = Classifier::open(&arguments.run)?;
    let (judging, bar) = tell::reading(judging);
    let answers = model.predict_files(&arguments.images, &judging);
    bar.finish_and_clear();
    let answers = answers?;
    let classes = model.classes();
    if let Some(path) = &arguments.csv {
        write_whole(
            path,
            predictions_csv(classes, &answers.paths, None, false, &answers.predictions).as_bytes(),
        )
        .map_err(Failure::writing(path))?;
    }

    let width = answers.paths.iter().map(|path| path.chars().count()).max().unwrap_or(0);
    let name_width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
    let mut objects = Vec::new();
    for (path, answer) in answers.iter() {
        let top = answer.top(usize::from(arguments.top));
        if !arguments.json.json {
            let cells =
                top.iter().map(|(class, p)| format!("{class:<name_width$} {:>7}", percent(f64::from(*p))));
            output.say(format_args!("{path:<width$}  {}", cells.collect::<Vec<_>>().join("   ")));
        }
        let top: Vec<Value> =
            top.iter().map(|(class, p)| json!({ "class": class, "probability": p })).collect();
        objects.push(json!({ "path": path, "predicted": answer.class(), "top": top }));
    }
    tell_data::views(output, judging.views);
    let dataset = &answers.images.dataset;
    tell::beside(output, dataset, arguments.images.first().map_or(&dataset.root, |path| path));
    output.object(&json!({
        "run": arguments.run.to_string_lossy(),
        "tta": judging.views.name(),
        "classes": classes,
        "predictions": objects,
        "skipped_images": pupila::train::skipped_images(&dataset.skipped),
        "other_pictures": pupila::train::other_pictures_of(&dataset.other_pictures),
    }));
    Ok(())
}
