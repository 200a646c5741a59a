//! Everything about a study that can be wrong, told at once and before any run; and what it will take.

use super::{Forecast, Keep, StudyPlan};
use crate::error::Error;
use crate::memory_need::{self, AvailableMemory, Need, available_bytes, available_memory};
use crate::session::trained_before_by;
use crate::shared_data::SharedData;
use pupila_dataset::{Dataset, Split};
use pupila_engine::thread_pool;
use pupila_run::{RunFolder, StudyFile};
use pupila_study::statistics::power::{false_claims_of_an_unstable_baseline, power};
use pupila_study::{Place, StudyErrors, StudyFault, overlap};
use pupila_train::{CheckedRecipe, ModelCard, Monitor, fingerprint, fingerprint_of};
use pupila_transforms::Normalization;
use std::path::PathBuf;

/// What a run's files take besides the model, in bytes. Measured on runs of 2 to 30 epochs with inputs of 16 to 128 pixels over the sample images.
fn files_bytes(recipe: &CheckedRecipe, judged: usize, parameters: usize) -> u64 {
    let (epochs, pixels) = (u64::from(recipe.train.epochs), recipe.input.size.pixels());
    let tables = 25_000 + 1_000 * epochs + 120 * judged as u64;
    // Pictures of validation images, as large as the input.
    let page = 200_000 + (300 * pixels).min(400_000);
    // The same, and pictures of the first layer and histograms.
    let events = 250_000 + 10_000 * epochs + 290 * pixels + (parameters as u64 / 4).min(1_500_000);
    let of = |on: bool, bytes: u64| if on { bytes } else { 0 };
    tables + of(recipe.tracking.report, page) + of(recipe.tracking.tensorboard, events)
}

/// What the files of runs that have ended take besides the model: the mean. None without a run.
pub(super) fn measured(runs: &[PathBuf]) -> Option<u64> {
    let of = |run: &PathBuf| {
        let files = std::fs::read_dir(run).into_iter().flatten().flatten();
        let files = files.filter(|file| file.file_name() != RunFolder::MODEL);
        files
            .filter_map(|file| file.metadata().ok())
            .filter(std::fs::Metadata::is_file)
            .map(|m| m.len())
            .sum::<u64>()
    };
    let all: u64 = runs.iter().map(of).sum();
    all.checked_div(runs.len() as u64)
}

/// Which of the runs that have ended lack files that nothing is worked out of, as after a full disk.
pub(super) fn incomplete(runs: &[PathBuf]) -> Option<String> {
    let lacking = |run: &PathBuf| {
        // A run without an ended epoch has none of them.
        let judged = run.join(RunFolder::PREDICTIONS).is_file();
        let files = [RunFolder::REPORT, RunFolder::CONFUSION];
        let gone: Vec<&str> = files.into_iter().filter(|file| judged && !run.join(file).is_file()).collect();
        (!gone.is_empty()).then(|| format!("{} lacks {}", run.display(), gone.join(" and ")))
    };
    let told: Vec<String> = runs.iter().filter_map(lacking).collect();
    let more = if told.len() > 3 { format!("; so do {} more", told.len() - 3) } else { String::new() };
    (!told.is_empty()).then(|| {
        format!(
            "{}{more}: the numbers are whole; whoever needs the files deletes the run's folder, and the same command makes it again",
            told[..told.len().min(3)].join("; ")
        )
    })
}

/// What was found while checking.
#[derive(Debug)]
pub(super) struct Checked {
    /// Validation images of the first split.
    pub images: usize,
    /// The classes, each with the training images of the baseline.
    pub classes: Vec<(String, usize)>,
    /// Of the data of this variant, at the first split.
    pub fingerprint: String,
    /// The variant.
    pub fingerprinted: String,
    /// Training images of the baseline.
    pub train_images: usize,
    /// The accuracy of always answering the most frequent class of the validation images.
    pub without_learning: f64,
    /// What a run's files take besides the model, in bytes; about.
    pub files_bytes: u64,
    /// Trained values of each variant.
    pub parameters: Vec<usize>,
    /// What a run takes of memory while it trains, of the largest variant; about.
    pub run_bytes: u64,
    /// Validation images of which exact copies are trained on.
    pub leaked: usize,
    /// What should be known.
    pub notes: Vec<String>,
}

/// Checks a plan against the data.
pub(super) fn check(
    plan: &StudyPlan,
    shared: &SharedData,
    before: Option<&StudyFile>,
    mut faults: Vec<StudyFault>,
) -> Result<Checked, Error> {
    let mut checked = Checked {
        images: 0,
        classes: Vec::new(),
        fingerprint: String::new(),
        fingerprinted: String::new(),
        train_images: 0,
        without_learning: f64::NAN,
        files_bytes: 0,
        parameters: Vec::new(),
        run_bytes: 0,
        leaked: 0,
        notes: Vec::new(),
    };
    let memory = available_memory();
    let one = thread_pool(1).map_err(|error| Error::Threads(error.to_string()))?;
    let mut begun_from: Vec<PathBuf> = Vec::new();
    let mut judged_on: Vec<Option<String>> = vec![None; plan.splits.len()];
    let fingerprinted = before.map(|before| before.fingerprinted.clone()).filter(|name| !name.is_empty());
    for (place, variant) in plan.variants.iter().enumerate() {
        let name = format!("variant `{}`", variant.name);
        let mut add = |message: String| {
            // A fault that all variants share is told once.
            if !faults.iter().any(|fault| fault.message == message) {
                faults.push(StudyFault::new(name.clone(), message));
            }
        };
        for split in 0..plan.splits.len() {
            let recipe = match plan.recipe(Place { variant: place, split, seed: 0 }) {
                Ok(recipe) => recipe,
                Err(StudyErrors(wrong)) => {
                    wrong.into_iter().for_each(|fault| add(fault.message));
                    continue;
                }
            };
            let dataset = match shared.scan(&recipe) {
                Ok((dataset, _)) => dataset,
                // Without data nothing else can be said of them.
                Err(error) if faults.is_empty() => return Err(error),
                Err(error) => {
                    faults.push(StudyFault::new("", error.to_string()));
                    return Err(StudyErrors(faults).into());
                }
            };
            if split == 0 && place == plan.baseline {
                let counts = dataset.class_counts(Split::Train);
                let judged = dataset.class_counts(Split::Val);
                let most = judged.iter().copied().max().unwrap_or(0);
                checked.without_learning = most as f64 / judged.iter().sum::<usize>() as f64;
                checked.train_images = counts.iter().sum();
                checked.classes = dataset.classes.iter().cloned().zip(counts).collect();
            }
            if split == 0 {
                // The seeds are the study's own.
                let is_own = |said: &String| {
                    said.starts_with("data.subset_seed")
                        || said.starts_with("data.split_seed") && plan.split_seed.is_none()
                };
                for said in recipe.without_effect(&dataset).into_iter().filter(|said| !is_own(said)) {
                    if !checked.notes.contains(&said) {
                        checked.notes.push(said);
                    }
                }
                // Of weights that several variants begin from it is told once.
                if let Some(from) =
                    recipe.transfer.source().filter(|from| !begun_from.contains(&from.to_path_buf()))
                {
                    begun_from.push(from.to_path_buf());
                    // Weights that are gone are told by the runs that need them: a study that has ended needs none.
                    checked.notes.extend(trained_before_by(from, &dataset).unwrap_or_default());
                }
                against_data(plan, &recipe, &dataset, &mut add);
                let classes = dataset.classes.clone();
                let normalization = Normalization::imagenet(usize::from(recipe.input.channels));
                let card =
                    ModelCard::new(classes, recipe.input.clone(), &normalization, recipe.model.clone());
                match card.network() {
                    Ok(network) => {
                        if place == plan.baseline {
                            let judged = dataset.indices(Split::Val).len();
                            checked.files_bytes = files_bytes(&recipe, judged, network.parameter_count());
                        }
                        checked.parameters.push(network.parameter_count());
                        // A run of several side by side has one thread.
                        let (need, short) = one.install(|| {
                            let check = |there: &AvailableMemory| {
                                memory_need::check(&recipe, &network, &dataset, there)
                            };
                            (
                                Need::of(&recipe, &network, &dataset),
                                memory.as_ref().and_then(|there| check(there).err()),
                            )
                        });
                        if let Some(error) = short {
                            add(error.to_string());
                        }
                        checked.run_bytes = checked.run_bytes.max(need.network);
                    }
                    Err(error) => add(Error::from(error).to_string()),
                }
                if fingerprinted.as_ref().map_or(place == 0, |first| *first == variant.name) {
                    checked.fingerprint = fingerprint(&dataset);
                    checked.fingerprinted.clone_from(&variant.name);
                }
            }
            let judged = fingerprint_of(&dataset, &dataset.indices(Split::Val));
            match &judged_on[split] {
                None => {
                    judged_on[split] = Some(judged);
                    if split == 0 {
                        let judged = dataset.indices(Split::Val);
                        checked.images = judged.len();
                        checked.leaked = dataset.copies_in_training(&judged).iter().flatten().count();
                    }
                }
                Some(first) if *first != judged => add(format!(
                    "would be judged on other validation images than `{}`, and could not be compared with it",
                    plan.variants[0].name
                )),
                Some(_) => {}
            }
        }
    }
    if let Some(before) = before.filter(|before| !before.fingerprint.is_empty())
        && !checked.fingerprint.is_empty()
        && before.fingerprint != checked.fingerprint
    {
        faults.push(StudyFault::new(
            "",
            format!(
                "the data are not those of the study, {}, or have changed since: runs of both cannot be compared; choose another --name",
                before.data
            ),
        ));
    }
    let blocks = plan.blocks(plan.places().len().min(plan.limit()));
    checked.notes.extend(few_blocks(plan, blocks));
    if faults.is_empty() { Ok(checked) } else { Err(StudyErrors(faults).into()) }
}

/// What so few blocks leave to chance: a baseline that scatters much is in every comparison.
fn few_blocks(plan: &StudyPlan, blocks: usize) -> Option<String> {
    if !(2..5).contains(&blocks) {
        return None;
    }
    let share = |blocks| 100.0 * false_claims_of_an_unstable_baseline(plan.variants.len(), blocks);
    let (few, five) = (share(blocks), share(5));
    let what = plan.block();
    (few > 6.0).then(|| {
        format!(
            "{blocks} {what}s are few: where the baseline scatters several times as much as the others, a difference is claimed by chance in up to {few:.0} % of studies; with five {what}s in up to {five:.0} %"
        )
    })
}

fn against_data(plan: &StudyPlan, recipe: &CheckedRecipe, dataset: &Dataset, add: &mut dyn FnMut(String)) {
    recipe.check_classes(&dataset.classes).into_iter().for_each(|fault| add(fault.to_string()));
    let val = dataset.indices(Split::Val);
    if val.is_empty() {
        add("the data have no validation images, so nothing can be judged; set data.val_frac or data.folds"
            .into());
        return;
    }
    let counts = dataset.class_counts(Split::Val);
    for (key, name) in [("metric", plan.metric.name), ("train.monitor", recipe.monitor().name)] {
        let why = Monitor::parse(&format!("val/{name}"))
            .ok()
            .and_then(|monitor| monitor.useless_on(&dataset.classes, &counts));
        if let Some(why) = why {
            add(format!("{key}: val/{name} {why}; val/accuracy and val/loss can be computed on any data"));
        }
    }
    if plan.splits.len() > 1 && !dataset.val_from_train && recipe.data.folds.is_none() {
        add("splits: the data bring their own validation set, so there is one split alone; data.folds=5 cuts training and validation images anew".into());
    }
}

/// What a study takes. `threads` in all, and the jobs that were asked for.
pub(super) fn forecast(
    plan: &StudyPlan,
    checked: &Checked,
    done: &[bool],
    (threads, jobs): (usize, Option<usize>),
    keep: Keep,
) -> Forecast {
    let runs = done.len();
    let left = done.iter().filter(|done| !**done).count();
    // Side by side a run has one thread and nothing to wait for: faster in all than one after the other on all threads, as long as
    // there are runs enough.
    // Half of what is free, so that neither images nor other programs are pushed out.
    let fit = available_bytes().map_or(usize::MAX, |bytes| (bytes / 2 / checked.run_bytes.max(1)) as usize);
    let jobs = jobs.unwrap_or(threads.min(fit.max(1))).min(threads).min(left.max(1));
    let each = plan.seeds.len() as u64 * plan.splits.len() as u64;
    let model = |parameters: &usize| 4 * *parameters as u64;
    let models: u64 = checked.parameters.iter().map(model).sum();
    let largest = checked.parameters.iter().map(model).max().unwrap_or(0);
    let (models, running_bytes) = match keep {
        Keep::All => (models * each, 0),
        Keep::Best => (models, largest * jobs as u64),
        Keep::None => (0, largest * jobs as u64),
    };
    let overlap = overlap(plan, checked.images, checked.train_images);
    Forecast {
        runs,
        done: runs - left,
        jobs,
        threads_each: (threads / jobs).max(1),
        disk_bytes: models + checked.files_bytes * runs as u64,
        running_bytes: if left > 0 { running_bytes } else { 0 },
        power: [1.0, 2.0, 3.0].map(|effect| power(effect, plan.variants.len(), plan.blocks(runs), overlap)),
    }
}
