//! `pupila inspect`: a data set before anything is trained on it.

use super::recipe::layers;
use super::{in_pool, tell, tell_inspection};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen_saying;
use crate::output::Output;
use pupila::inspect::{Finding, Severity};
use pupila::recipe::Setting;
use pupila::{Asked, Inspected, InspectionOptions, Progress, check_inspection_files, user_cache};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const LOOKING: &str = "looking at images {bar:30} {pos}/{len} {eta}";
const FOLDS: &str = "asking the folds  {bar:30} {pos}/{len} {eta}";

/// What the networks of --label-errors are trained by where no recipe is given.
const RECIPE: &str = include_str!("../../../../recipes/label_errors.toml");

pub(crate) fn run(arguments: &cli::Inspect) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let set = |s: &String| Setting { assignment: s.clone(), option: format!("--set {s}") };
    let settings = arguments.settings.iter().map(set).collect();
    let mut layers = layers(arguments.recipe.as_deref(), settings)?;
    if arguments.label_errors && layers.file.is_none() {
        // The crops have the size of the input.
        let typed = |s: &String| {
            s.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        };
        let size = arguments.settings.iter().filter_map(typed).find(|(key, _)| key == "input.size");
        let size = size.map_or("64".to_owned(), |(_, size)| size);
        let sides = if size.starts_with('[') { size } else { format!("[{size}, {size}]") };
        let text = RECIPE.replace("[64, 64]", &sides);
        layers.file = Some(("the recipe of --label-errors".into(), text));
    }
    let recipe = match arguments.label_errors {
        true => layers.resolve(),
        false => layers.resolve_for_viewing(),
    };
    let recipe = recipe.map_err(Failure::request)?;
    tell::taken(output, &recipe);
    check_inspection_files(&arguments.out, arguments.exclude_list.as_deref())?;
    let same = |list: &Path, other: &Path| {
        list == other
            || list.canonicalize().is_ok_and(|list| other.canonicalize().is_ok_and(|other| list == other))
    };
    if let (Some(list), Some(read)) = (&arguments.exclude_list, &recipe.data.exclude_list)
        && same(list, read)
    {
        return Err(Failure::wrong(format_args!(
            "--exclude-list {0}: the data is read without what {0} lists, so the new list would lack it: name another file",
            list.display()
        )));
    }
    let options = InspectionOptions { cache: user_cache(), stop: listen_saying("nothing will be written") };
    let start = Instant::now();
    let bar = tell::bar(0, LOOKING);
    let inspected = in_pool(arguments.threads.count(), || {
        Ok(Inspected::of(&arguments.data, &recipe, &options, &|progress| tell::advance(&bar, progress))?)
    });
    bar.finish_and_clear();
    let mut inspected = inspected?;
    // What is trained is no matter here.
    let of_data =
        recipe.without_effect(&inspected.dataset).into_iter().filter(|said| said.starts_with("data."));
    of_data.for_each(|said| output.warn(said));
    let looked = start.elapsed();
    let asked = match &arguments.run {
        Some(run) => Some(Asked::Runs(run.clone())),
        None => arguments.label_errors.then(|| Asked::Train(Box::new(recipe.clone()))),
    };
    if let Some(asked) = asked {
        let bar = tell::bar(0, FOLDS);
        let fold = |fold: usize, of: usize| {
            tell::advance(&bar, Progress { done: fold - 1, total: of });
        };
        let answer = in_pool(arguments.threads.count(), || {
            Ok(inspected.ask(&arguments.data, &asked, &options, &fold)?)
        });
        bar.finish_and_clear();
        answer?;
    }
    tell_inspection::tell(output, &inspected, &arguments.data, looked);
    if options.stop.is_set() {
        return Err(Failure::Interrupted("interrupted; nothing was written".into()));
    }
    in_pool(arguments.threads.count(), || {
        Ok(inspected.write_page(&arguments.out, &recipe, arguments.no_pictures, &options.stop)?)
    })?;
    output.say(format_args!("\n  all of it on one page: {}", arguments.out.display()));
    let excluded = match &arguments.exclude_list {
        Some(file) => {
            let excluded = inspected.write_exclude_list(file)?;
            tell_inspection::excluded(output, file, excluded, inspected.inspection.summary.images);
            Some(excluded.images)
        }
        None => None,
    };
    output.object(&object(&inspected, &arguments.out, arguments.exclude_list.as_deref(), excluded));
    let level = arguments.fail_on.map(|level| match level {
        cli::Level::Note => Severity::Note,
        cli::Level::Warning => Severity::Warning,
        cli::Level::Error => Severity::Error,
    });
    match level.filter(|&level| inspected.inspection.findings.iter().any(|f| f.severity >= level)) {
        Some(_) => Err(Failure::Findings),
        None => Ok(()),
    }
}

fn object(inspected: &Inspected, page: &Path, list: Option<&Path>, excluded: Option<usize>) -> Value {
    let Inspected { dataset, looked, inspection, notes } = inspected;
    let summary = &inspection.summary;
    let path = |place: usize| dataset.samples[place].path.to_string_lossy();
    let finding = |finding: &Finding| {
        let mut value = json!({
            "kind": finding.kind.name(),
            "severity": finding.severity.name(),
            "message": finding.message,
            "advice": finding.advice,
        });
        let single = finding.groups.iter().all(|group| group.len() == 1);
        if !finding.files.is_empty() {
            value["files"] = finding.files.iter().map(|file| json!(file.path.to_string_lossy())).collect();
            value["reasons"] = finding.files.iter().map(|file| json!(file.reason)).collect();
        } else if single && !finding.groups.is_empty() {
            value["files"] = finding.groups.iter().flatten().map(|&place| json!(path(place))).collect();
        } else if !finding.groups.is_empty() {
            let group = |group: &Vec<usize>| group.iter().map(|&place| json!(path(place))).collect::<Value>();
            value["groups"] = finding.groups.iter().map(group).collect();
        }
        if !finding.notes.is_empty() {
            value["notes"] = json!(finding.notes);
        }
        value
    };
    let splits: Value = summary
        .splits
        .iter()
        .map(|split| {
            json!({
                "split": split.split.map(|split| split.name()), "images": split.images, "brightness": split.brightness,
                "contrast": split.contrast, "sharpness": split.sharpness,
            })
        })
        .collect();
    let classes: Value = summary
        .classes
        .iter()
        .zip(&summary.class_averages)
        .map(|((name, [train, val, test]), [brightness, contrast, sharpness])| {
            json!({
                "class": name, "train": train, "val": val, "test": test,
                "brightness": brightness, "contrast": contrast, "sharpness": sharpness,
            })
        })
        .collect();
    let shortcuts: Value = inspection
        .shortcuts
        .iter()
        .map(|shortcut| {
            json!({
                "fact": shortcut.fact, "accuracy": shortcut.accuracy,
                "interval": [shortcut.interval.0, shortcut.interval.1], "majority": shortcut.majority,
                "mean_recall": shortcut.mean_recall.map(|(value, low, high)| json!({"value": value, "interval": [low, high]})),
                "classes": shortcut.given_away, "seen_by_a_network": shortcut.seen,
            })
        })
        .collect();
    let baseline = inspection.baseline.map(|baseline| {
        json!({
            "accuracy": baseline.accuracy, "interval": [baseline.interval.0, baseline.interval.1],
            "majority": baseline.majority, "judged": baseline.judged, "split": baseline.split.map(|split| split.name()),
        })
    });
    let label_errors = inspection.label_errors.as_ref().map(|errors| {
        json!({
            "by": errors.by, "judged": errors.judged, "accuracy": errors.accuracy.value,
            "interval": [errors.accuracy.low, errors.accuracy.high],
            "doubts": errors.doubts.iter().map(|(place, doubt)| {
                let sample = &dataset.samples[*place];
                json!({
                    "file": path(*place), "label": dataset.classes[sample.label as usize],
                    "likely": dataset.classes[doubt.likely as usize], "quality": doubt.quality,
                    "split": pupila::inspect::splits::given(dataset, *place).name(),
                })
            }).collect::<Value>(),
            "notes": notes,
        })
    });
    json!({
        "summary": {
            "data": dataset.root.to_string_lossy(),
            "form": dataset.form.to_string(),
            "images": summary.images,
            "unreadable": summary.bad,
            "from_cache": looked.from_cache,
            "classes": classes,
            "split_given": pupila::inspect::splits::are_given(dataset),
            "splits": splits,
            "formats": summary.formats,
            "widths": summary.widths,
            "heights": summary.heights,
            "sizes": summary.sizes,
            "gray_files": summary.gray_files,
            "gray_content": summary.gray_content,
            "bytes": summary.bytes,
            "cameras": summary.cameras.iter().map(|(name, n)| json!({"camera": name, "images": n})).collect::<Value>(),
            "taken": summary.taken.map(|(first, last)| json!([pupila::day(first), pupila::day(last)])),
            "mean": summary.mean,
            "std": summary.std,
            "nearest_neighbours": baseline,
            "resolution": inspection.resolution.map(|of| json!({
                "images": of.images, "smallest_difference": of.smallest, "images_for_two_points": of.for_two_points,
            })),
            "shortcuts": shortcuts,
            "label_errors": label_errors,
        },
        "findings": inspection.findings.iter().map(finding).collect::<Value>(),
        "page": page.to_string_lossy(),
        "exclude_list": list.map(|list| list.to_string_lossy()),
        "excluded": excluded,
    })
}
