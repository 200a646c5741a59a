//! What a person reads of the data, the model, the training and the result.

use super::tell_judgement;
use super::tell_runs::wrapped;
use crate::failure::Failure;
use crate::output::{Output, percent};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pupila::backend::{Backend, MemoryBytes};
use pupila::dataset::shown_path;
use pupila::dataset::{
    Dataset, DuplicateGroup, Fit, Keep, OtherPictures, ResizeRule, Skipped, Split, conversion, list_pictures,
};
use pupila::network::Network;
use pupila::recipe::{CheckedRecipe, ClassWeights, Head};
use pupila::run_files::RunSummary;
use pupila::train::{Images, Plan};
use pupila::{Beginning, EpochRecord, Judging, Outcome, Progress, Recipe, RunEnd, RunFolder, count, images};
use std::path::Path;

/// The bar of the images that are read.
pub(super) const READING: &str = "reading images {bar:40} {pos}/{len} {eta}";

/// Items of a list that are shown before it is cut.
pub(super) const SHOWN: usize = 10;

/// A progress bar on standard error; it is hidden where that is no terminal.
pub(crate) fn bar(len: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::stderr_with_hz(10));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// How far the reading of images is.
pub(crate) fn advance(bar: &ProgressBar, Progress { done, total }: Progress) {
    bar.set_length(total as u64);
    // Threads tell in any order.
    if done as u64 > bar.position() {
        bar.set_position(done as u64);
    }
}

/// Judging whose reading of images is shown by a bar, and the bar.
pub(crate) fn reading(judging: Judging) -> (Judging, ProgressBar) {
    let bar = bar(0, READING);
    let shown = bar.clone();
    (judging.on_progress(move |progress| advance(&shown, progress)), bar)
}

/// What was typed otherwise than a recipe has it, and what it was taken as.
pub(crate) fn taken(output: Output, recipe: &CheckedRecipe) {
    recipe.taken().iter().for_each(|taken| output.say(taken));
}

/// Where the pixels came from and how long that took.
pub(crate) fn decoding(output: Output, images: &Images, rule: &ResizeRule) {
    let seconds = images.decode_time.as_secs_f64();
    output.say(format_args!(
        "  {}: {} decoded, {} from the cache, in {seconds:.2} s",
        sized(rule),
        count(images.decoded),
        count(images.from_cache),
    ));
    if images.left_in_cache > 0 {
        output.say(format_args!(
            "  {} images stay in the cache and are read as they are needed",
            count(images.left_in_cache)
        ));
    }
}

/// How files become inputs, in words.
fn sized(rule: &ResizeRule) -> String {
    let ResizeRule { width, height, interpolation, .. } = rule;
    let color = if rule.channels == 1 { "gray" } else { "color" };
    let order = if width == height { "" } else { " (width x height)" };
    let input = format!("{width}x{height} px{order} {color}");
    let way = match rule.fit {
        Fit::Squash => format!("resized to {input}"),
        Fit::Crop { cover: [rows, columns] } => match rows == columns {
            true => format!("scaled to {rows} px on the shorter side, the middle cut to {input}"),
            false => format!("scaled to cover {columns}x{rows} px, the middle cut to {input}"),
        },
        Fit::Letterbox => format!("scaled to lie within {input}"),
    };
    let kept = match rule.keep {
        Some(Keep::ShorterSide(side)) => format!("kept with at most {side} px on the shorter side, then "),
        Some(Keep::Whole) => "kept whole, then ".to_owned(),
        None => String::new(),
    };
    let antialias = if rule.antialias { ", antialiased" } else { "" };
    let scaled = if rule.scaled_decoding { ", scaled decoding" } else { "" };
    format!("{kept}{way} ({interpolation}{antialias}{scaled})")
}

/// What should be known about the data before a number is believed.
pub(crate) fn warnings(output: Output, dataset: &Dataset) {
    beside(output, dataset, &dataset.root);
    if dataset.held_back > 0 {
        let held_back = images(dataset.held_back);
        output.say(format_args!("  {held_back} left out by data.fraction or data.max_per_class"));
    }
    let leaks = dataset.cross_split_duplicates();
    if !leaks.is_empty() {
        let trained = leaks
            .iter()
            .any(|group| group.samples.iter().any(|&sample| dataset.samples[sample].split == Split::Train));
        let why = if trained {
            "the scores are flattered by images that were trained on"
        } else {
            "what is chosen by validation is chosen by images of the test set too"
        };
        output.warn(format_args!("{} in more than one split: {why}", groups(&leaks)));
        show_groups(output, dataset, &leaks);
    }
    super::tell_data::parted_groups(output, dataset);
    let conflicts = dataset.conflicting_duplicates();
    if !conflicts.is_empty() {
        output.warn(format_args!("{} with different labels: at least one is wrong", groups(&conflicts)));
        show_groups(output, dataset, &conflicts);
    }
}

/// What the scan and the decoding have to say, and what else was beside the images.
pub(crate) fn beside(output: Output, dataset: &Dataset, path: &Path) {
    dataset.notices.iter().for_each(|notice| output.warn(notice));
    skipped(output, &dataset.skipped);
    other_pictures(output, &dataset.other_pictures, path);
    if dataset.ignored_files > 0 {
        output.say(match dataset.ignored_files {
            1 => "  one other file is no image by its name and was ignored".to_owned(),
            n => format!("  {} other files are no images by their names and were ignored", count(n)),
        });
    }
    if !dataset.system_folders.is_empty() {
        let names =
            dataset.system_folders.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        output.say(format_args!("  left out as folders that systems make for themselves: {names}"));
    }
    let folders = match dataset.excluded_folders {
        0 => None,
        1 => Some("1 folder".to_owned()),
        n => Some(format!("{} folders", count(n))),
    };
    let excluded = dataset.excluded - dataset.excluded_folders;
    let excluded = (excluded > 0).then(|| images(excluded)).into_iter().chain(folders);
    let excluded = excluded.collect::<Vec<_>>().join(" and ");
    if !excluded.is_empty() {
        output.say(format_args!(
            "  {excluded} left out by data.exclude, data.exclude_list or data.split_values"
        ));
    }
}

/// Pictures that are not read here, and how they would be.
fn other_pictures(output: Output, pictures: &[OtherPictures], path: &Path) {
    // The kind with the most of them.
    let of = |extension: &str| -> usize {
        pictures.iter().filter(|other| other.extension == extension).map(|other| other.count).sum()
    };
    let Some(most) = pictures.iter().rev().max_by_key(|pictures| of(&pictures.extension)) else { return };
    output.warn(format_args!(
        "pictures of kinds that are not read were left out: {}; convert them to JPEG or PNG, such as by",
        list_pictures(pictures)
    ));
    output.say(format_args!("    {}", conversion(&most.extension, path)));
}

/// What a model is judged on.
pub(crate) fn judged(output: Output, dataset: &Dataset, which: &[usize], split: Option<Split>) {
    let split = split.map_or(String::new(), |split| format!(", the {split} set"));
    let root = shown_path(&dataset.root);
    output.heading(format_args!("Data: {root} ({}){split}: {}", dataset.form, images(which.len())));
    output.say(format_args!("  taken as {}", dataset.taken));
}

/// Images that were left out, and why.
pub(crate) fn skipped(output: Output, skipped: &[Skipped]) {
    if skipped.is_empty() {
        return;
    }
    let are = if skipped.len() == 1 { "is" } else { "are" };
    output.warn(format_args!("{} cannot be read and {are} left out:", images(skipped.len())));
    for skipped in skipped.iter().take(SHOWN) {
        output.say(format_args!("    {skipped}"));
    }
    if skipped.len() > SHOWN {
        let more = skipped.len() - SHOWN;
        output.say(format_args!("    ... and {more} more; --json lists all under skipped_images"));
    }
}

fn groups(groups: &[DuplicateGroup]) -> String {
    match groups.len() {
        1 => "one image has exact copies".to_owned(),
        n => format!("{} images have exact copies", count(n)),
    }
}

fn show_groups(output: Output, dataset: &Dataset, groups: &[DuplicateGroup]) {
    for group in groups.iter().take(3) {
        let paths: Vec<_> = group.samples.iter().map(|&i| shown_path(&dataset.samples[i].path)).collect();
        output.say(format_args!("    {}", paths.join(" = ")));
    }
    if groups.len() > 3 {
        output.say(format_args!("    ... and {} more", groups.len() - 3));
    }
}

/// The network's layers, all of them or, where they are many, its stages.
pub(crate) fn model(output: Output, network: &Network, layers: bool) {
    output.heading(format_args!("Model: {}, input {}", network.architecture, network.input()));
    output.say(if layers { network.layers() } else { network.summary() });
}

/// What the run begins from, and what of it fitted.
pub(crate) fn learnt(output: Output, learnt: &Beginning) {
    output.heading(format_args!("Weights: {}", learnt.record.path));
    for said in learnt.record.sentences().iter().chain(&learnt.taken).chain(&learnt.fitted) {
        wrapped(said, output.width(), "  ").iter().for_each(|line| output.say(line));
    }
}

/// How many of the network's values learn, where not all of them do in every epoch.
pub(crate) fn learning(output: Output, plan: &Plan<'_>) {
    let specs = plan.network.parameters();
    let all: usize = specs.iter().filter(|spec| spec.role.trained()).map(|spec| spec.len()).sum();
    let of = |epoch: u32| -> usize {
        let learning = plan.learning(epoch);
        let learns = specs.iter().filter(|spec| spec.role.trained() && learning.of(spec.node).rate > 0.0);
        learns.map(|spec| spec.len()).sum()
    };
    let (first, last) = (of(1), of(plan.recipe.train.epochs));
    if first < all || last < all {
        let later = if last == first {
            String::new()
        } else {
            format!(" in the first epoch, {} in the last", count(last))
        };
        output.say(format_args!(
            "  {} of {} values learn{later}; the others stay as they are",
            count(first),
            count(all)
        ));
    }
}

/// What the network takes while it is trained, besides the images.
pub(crate) fn memory(output: Output, engine: &dyn Backend, optimizer: &str) {
    let MemoryBytes { values, gradients, step, .. } = engine.memory_bytes();
    // The optimizer's are made when training begins.
    let entry = pupila::backend::optimizer::REGISTRY.iter().find(|entry| entry.name == optimizer);
    let moments = entry.map_or(0, |entry| entry.moments) * gradients;
    let mb = |bytes: usize| format!("{:.1}", bytes as f64 / 1e6);
    output.say(format_args!(
        "  memory {} MB: values {}, gradients {}, moments {}, activations and scratch {}",
        mb(values + gradients + moments + step),
        mb(values),
        mb(gradients),
        mb(moments),
        mb(step)
    ));
}

/// That it is a negative control, where it is one.
pub(crate) fn controls(output: Output, controls: &[String]) {
    for control in controls {
        output.warn(format_args!("this is a negative control, no model for use: {control}"));
    }
}

/// What the training will do.
pub(crate) fn plan(
    output: Output,
    recipe: &CheckedRecipe,
    (steps, left_out): (usize, usize),
    threads: usize,
) {
    let Recipe { train, optimizer, schedule, loss, early_stopping, augment, transfer, .. } = recipe.recipe();
    if transfer.fits_head() {
        let what = if transfer.head == Head::Knn { "nearest neighbours" } else { "a linear probe" };
        output.heading(format_args!(
            "Nothing is trained: {what} on the features of the backbone, seed {}",
            train.seed
        ));
        return;
    }
    output.heading(format_args!(
        "Training: {} epoch{} of {} step{}, batch {}, {} at lr {}, seed {}, {} thread{}",
        train.epochs,
        if train.epochs == 1 { "" } else { "s" },
        count(steps),
        if steps == 1 { "" } else { "s" },
        train.batch,
        optimizer.name,
        optimizer.lr,
        train.seed,
        threads,
        if threads == 1 { "" } else { "s" },
    ));
    let transforms: Vec<_> = augment.transforms.iter().map(|t| t.name.as_str()).collect();
    let mixing = super::tell_data::mixing(augment);
    let augmented = match (transforms.is_empty(), mixing.is_empty()) {
        (true, true) => "not augmented".to_owned(),
        (true, false) => format!("augmented by {}", mixing.trim_start_matches(", ")),
        _ => format!("augmented by {}{mixing}", transforms.join(", ")),
    };
    let stopping = match early_stopping.patience {
        Some(patience) => format!(
            "stops after {patience} epochs without a better {}{}",
            train.monitor,
            beyond(early_stopping.min_delta)
        ),
        None => "no early stopping".to_owned(),
    };
    output.say(format_args!("  {augmented}; {stopping}"));
    controls(output, &recipe.controls());
    let mut more = Vec::new();
    if schedule.name != "constant" {
        more.push(format!("lr by the {} schedule", schedule.name));
    }
    if schedule.warmup_steps > 0 {
        more.push(format!("warm-up over {} updates", count(schedule.warmup_steps as usize)));
    }
    if train.accumulate > 1 {
        more.push(format!("an update for every {} steps", train.accumulate));
    }
    more.extend(train.clip_norm.map(|norm| format!("gradient norm clipped at {norm}")));
    more.extend(train.ema_decay.map(|decay| format!("weights averaged with decay {decay}")));
    if loss.class_weights != ClassWeights::None {
        more.push("loss weighted by class".into());
    }
    if !more.is_empty() {
        output.say(format_args!("  {}", more.join("; ")));
    }
    if left_out > 0 {
        output.say(format_args!(
            "  one image is left out of each epoch, another one each time: a batch of one has no variance for BatchNorm"
        ));
    }
    let updates = u64::from(train.epochs) * steps.div_ceil(train.accumulate) as u64;
    let warmup = schedule.warmup_steps;
    if warmup >= updates && updates > 0 {
        let share =
            schedule.warmup_start + (1.0 - schedule.warmup_start) * (updates - 1) as f64 / warmup as f64;
        output.warn(format_args!(
            "schedule.warmup_steps={warmup} is no shorter than the run, which has {} updates: the learning rate gets no further \
             than {:.0} % of what the schedule says",
            count(updates as usize),
            100.0 * share
        ));
    }
}

/// What early stopping calls better, where that is not every better epoch.
fn beyond(min_delta: f64) -> String {
    if min_delta > 0.0 {
        format!(" by more than {min_delta} (* marks every better one: the best is kept)")
    } else {
        String::new()
    }
}

/// A loss in ten columns.
fn loss(value: f64) -> String {
    if value.abs() >= 1e5 { format!("{value:.3e}") } else { format!("{value:.4}") }
}

/// The head of the table of epochs.
pub(crate) fn epoch_header(output: Output, monitor: &str) {
    output.say(format_args!(
        "\n  {:>9}   {:>10} {:>9}   {:>10} {:>9}   {:>9}   best by {monitor}",
        "epoch", "train loss", "accuracy", "val loss", "accuracy", "images/s"
    ));
}

/// The line of an epoch.
pub(crate) fn epoch(output: Output, record: &EpochRecord, recipe: &CheckedRecipe) {
    let epoch = format!("{}/{}", record.epoch, recipe.train.epochs);
    let monitored = record.val(recipe.monitor().name);
    let line = format!(
        "  {epoch:>9}   {:>10} {:>9}   {:>10} {:>9}   {:>9}   {}",
        loss(record.train_loss),
        percent(record.train_accuracy),
        loss(record.val("loss")),
        percent(record.val("accuracy")),
        count(record.images_per_s as usize),
        if record.improved { format!("* {}", loss(monitored)) } else { String::new() },
    );
    output.say(line.trim_end());
}

/// Something that is wrong with the training, under the line of the epoch in which it showed.
pub(crate) fn finding(output: Output, message: &str, suggestion: &str) {
    output.warn(message);
    output.say(format_args!("    {suggestion}"));
}

/// Whether predictions may go to a file: what holds anything else is never written over.
pub(crate) fn check_csv(path: Option<&Path>) -> Result<(), Failure> {
    if path.is_some_and(|path| path == Path::new("-")) {
        return Err(Failure::wrong("--csv takes the name of a file; --json writes to standard output"));
    }
    let Some(path) = path.filter(|path| !pupila::run_files::may_hold_predictions(path)) else {
        return Ok(());
    };
    Err(Failure::wrong(format_args!(
        "{} is there already, as a run's own record or as something else than predictions, and is not written over: choose another --csv, or remove it",
        path.display()
    )))
}

/// How good the classifier is.
pub(crate) fn outcome(
    output: Output,
    outcome: &Outcome,
    recipe: &Recipe,
    dataset: &Dataset,
    summary: &RunSummary,
) {
    let (Some(best), Some(predictions)) = (outcome.best_epoch, &outcome.predictions) else { return };
    let Some(record) = outcome.epochs.iter().find(|record| record.epoch == best) else { return };
    let ran = outcome.epochs.len();
    if recipe.transfer.fits_head() {
        output.heading("Result");
    } else {
        output.heading(format_args!("Result: epoch {best} of {ran}, the best by {}", recipe.train.monitor));
    }
    controls(output, &summary.negative_controls);
    let intervals = summary.val_intervals.clone().unwrap_or_default();
    let over = summary.val_intervals_over.clone().unwrap_or_default();
    tell_judgement::judgement(
        output,
        predictions,
        &dataset.classes,
        &intervals,
        &over,
        summary.val_leaks.as_ref(),
    );
    if summary.accuracy_gap().is_some() {
        // Whether that is overfitting says the diagnosis, which looks at the losses too.
        let overfits = outcome.findings.iter().any(|finding| finding.kind == "overfitting");
        output.say(format_args!(
            "  It knows the training images ({}) much better than new ones ({}){}.",
            percent(record.train_accuracy),
            percent(record.val("accuracy")),
            if overfits { ": it overfits" } else { "" },
        ));
    }
    if let (RunEnd::StoppedEarly, Some(patience)) = (outcome.end, recipe.early_stopping.patience) {
        let by = match recipe.early_stopping.min_delta {
            0.0 => String::new(),
            min_delta => format!(" by more than {min_delta}"),
        };
        output.say(format_args!(
            "  Stopped early, after epoch {ran} of {}: {} had not improved{by} for {patience} epoch{}.",
            recipe.train.epochs,
            recipe.train.monitor,
            if patience == 1 { "" } else { "s" }
        ));
    }
    // Where something is wrong, more of it does not help.
    let wrong = outcome.findings.iter().any(pupila::run_files::Finding::hinders_learning);
    if outcome.end == RunEnd::Completed && best as usize == ran && ran > 1 && !wrong {
        output.say("  The last epoch was the best: training longer may still help (--epochs).");
    }
    super::tell_data::waiting(output, &outcome.epochs, recipe);
    tell_judgement::tables(output, predictions, &dataset.classes);
}

/// What a run leaves, in the two lines that name it.
const FILES: [&[&str]; 2] = [
    &[RunFolder::MODEL, RunFolder::PREDICTIONS, RunFolder::SUMMARY, RunFolder::REPORT, RunFolder::CONFUSION],
    &[RunFolder::METRICS, RunFolder::RECIPE, RunFolder::ENVIRONMENT],
];

/// Where everything is, and what can be done with it.
pub(crate) fn where_it_is(output: Output, folder: &RunFolder, dataset: &Dataset, recipe: &Recipe) {
    output.heading(format_args!("Run folder: {}", folder.path().display()));
    let test = dataset.indices(Split::Test).len();
    let tracking = &recipe.tracking;
    let lines = what_is_there(folder, tracking.report, tracking.tensorboard, test, &program());
    lines.iter().for_each(|line| output.say(line));
}

/// What stands in a run's folder and what can be done with it. A full disk or a folder in the way leaves files unwritten, which a warning
/// has said: nothing points to those.
fn what_is_there(
    folder: &RunFolder,
    report: bool,
    tensorboard: bool,
    test: usize,
    program: &str,
) -> Vec<String> {
    let path = pupila::in_a_shell(&folder.path().display().to_string());
    let is_there = |name: &&str| folder.file(name).is_file();
    let files = FILES.map(|names| names.iter().copied().filter(is_there).collect::<Vec<_>>().join(", "));
    let files: Vec<String> = files.into_iter().filter(|line| !line.is_empty()).collect();
    let mut lines = Vec::new();
    if !files.is_empty() {
        lines.push(format!("  {}", files.join(",\n  ")));
    }
    if report && is_there(&RunFolder::PAGE) {
        lines.push(format!("  all of it on one page:       {}", folder.file(RunFolder::PAGE).display()));
    }
    if tensorboard && has_events(folder) {
        let runs = folder.path().parent().filter(|runs| !runs.as_os_str().is_empty());
        let runs = runs.unwrap_or(Path::new("."));
        lines.push(format!(
            "  curves, images, histograms:  tensorboard --logdir {}",
            pupila::in_a_shell(&runs.display().to_string())
        ));
    }
    if is_there(&RunFolder::MODEL) {
        lines.push(format!("  classify a photograph:  {program} predict {path} PHOTO.jpg"));
        if test > 0 {
            let untouched = images(test);
            lines.push(format!(
                "  {untouched} of the test set are untouched:  {program} eval {path} --split test"
            ));
        }
    }
    lines
}

/// Whether a run has an event file of TensorBoard.
fn has_events(folder: &RunFolder) -> bool {
    let entries = std::fs::read_dir(folder.path()).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(RunFolder::EVENTS))
}

/// The program as it was called, so that what is suggested can be copied.
pub(super) fn program() -> String {
    std::env::args_os().next().map_or("pupila".into(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_points_only_to_what_is_there() {
        let runs = tempfile::tempdir().unwrap();
        let place = runs.path().join("run");
        std::fs::create_dir(&place).unwrap();
        for name in [RunFolder::MODEL, RunFolder::SUMMARY, RunFolder::METRICS, "events.out.tfevents.1"] {
            std::fs::write(place.join(name), "{}").unwrap();
        }
        // What could not be written: a folder is in its way.
        std::fs::create_dir(place.join(RunFolder::PAGE)).unwrap();
        let folder = RunFolder::open(&place).unwrap();
        let text = what_is_there(&folder, true, true, 3, "pupila").join("\n");
        assert!(text.starts_with("  best.safetensors, summary.json,\n  metrics.jsonl\n"), "{text}");
        for there in ["tensorboard --logdir", "pupila predict", "3 images of the test set"] {
            assert!(text.contains(there), "{there}: {text}");
        }
        for missing in [RunFolder::PAGE, RunFolder::PREDICTIONS, RunFolder::CONFUSION, RunFolder::RECIPE] {
            assert!(!text.contains(missing), "{missing}: {text}");
        }
        std::fs::remove_dir(place.join(RunFolder::PAGE)).unwrap();
        std::fs::write(place.join(RunFolder::PAGE), "page").unwrap();
        std::fs::remove_file(place.join(RunFolder::MODEL)).unwrap();
        std::fs::remove_file(place.join("events.out.tfevents.1")).unwrap();
        let text = what_is_there(&folder, true, true, 3, "pupila").join("\n");
        assert!(
            text.contains("run/report.html") && !text.contains("pupila") && !text.contains("tensorboard")
        );
    }
}
