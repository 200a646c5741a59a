//! What models say of images that they never saw: those of the folds of a run, or folds that are trained for the purpose.

use crate::classifier::{Classifier, Judging};
use crate::error::{Error, Tried};
use crate::session::Session;
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use pupila_dataset::shown;
use pupila_dataset::{Cache, Dataset, Split};
use pupila_inspect::Opinions;
use pupila_run::{RunFiles, RunFolder};
use pupila_trackers::mlflow::TrackingUri;
use pupila_train::{CheckedRecipe, Images, Recipe};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Folds of a training for the purpose.
const FOLDS: usize = 5;

/// Who is asked.
#[derive(Debug)]
pub enum Asked {
    /// The folds of a run that was trained before: the run folder of one of them, or the folder that they are in.
    Runs(PathBuf),
    /// Folds that are trained now, by this recipe.
    Train(Box<CheckedRecipe>),
}

/// How the folds are trained.
pub(super) struct Training<'a> {
    pub(super) path: &'a Path,
    pub(super) cache: Option<&'a Cache>,
    pub(super) stop: &'a StopSignal,
    /// Told which fold of how many begins, from 1.
    pub(super) fold: &'a dyn Fn(usize, usize),
}

/// Probabilities that are summed, by image.
struct Collected {
    classes: usize,
    sums: BTreeMap<usize, (Vec<f64>, u32)>,
}

impl Collected {
    fn new(classes: usize) -> Self {
        Collected { classes, sums: BTreeMap::new() }
    }

    fn add(&mut self, sample: usize, row: impl Iterator<Item = f32>) {
        let (sum, count) = self.sums.entry(sample).or_insert_with(|| (vec![0.0; self.classes], 0));
        sum.iter_mut().zip(row).for_each(|(sum, p)| *sum += f64::from(p));
        *count += 1;
    }

    fn into_opinions(self, by: String, notes: Vec<String>) -> Opinions {
        let mean = |(sum, count): &(Vec<f64>, u32)| -> Vec<f32> {
            sum.iter().map(|sum| (sum / f64::from(*count)) as f32).collect()
        };
        let probabilities = self.sums.values().flat_map(mean).collect();
        Opinions { samples: self.sums.into_keys().collect(), probabilities, by, notes }
    }
}

/// Trains the folds, and asks each of them of the images that it did not see.
pub(super) fn trained(
    dataset: &Dataset,
    recipe: &CheckedRecipe,
    training: &Training<'_>,
) -> Result<Opinions, Error> {
    let folder = tempfile::tempdir().map_err(Error::io(Tried::MakeFolder, std::env::temp_dir()))?;
    let shared = SharedData::new(training.path, training.cache.cloned());
    let folds: Vec<CheckedRecipe> =
        (1..=FOLDS).map(|fold| of_fold(recipe, fold)).collect::<Result<_, _>>()?;
    let places = Places::of(dataset);
    let mut collected = Collected::new(dataset.classes.len());
    let mut decoded = None;
    let mut notes = Vec::new();
    for (at, recipe) in folds.into_iter().enumerate() {
        (training.fold)(at + 1, FOLDS);
        let mut session = Session::builder(recipe, training.path)
            .runs(folder.path())
            .cache(training.cache.cloned())
            .shared(&shared)
            .save_while_running(false)
            .send(false)
            .threads(rayon::current_num_threads())
            .stop_signal(training.stop)
            .open()?;
        let run = session.run(&mut ())?;
        if training.stop.is_set() {
            return Err(super::STOPPED);
        }
        let Some(predictions) = &run.outcome().predictions else {
            return Err(Error::request(format_args!(
                "--label-errors: fold {} of {FOLDS} left no model{}: choose another recipe with --recipe or --set",
                at + 1,
                run.outcome().ended_because.as_ref().map_or(String::new(), |why| format!(" ({why})"))
            )));
        };
        let mine = columns(dataset, run.classes(), run.folder().path())?;
        for (path, row) in run.paths().iter().zip(predictions.rows()) {
            if let Some(sample) = places.of_path(path) {
                collected.add(sample, mine.iter().map(|&column| row[column]));
            }
        }
        judge_test(dataset, run.folder().path(), &mine, training, &mut collected, &mut notes, &mut decoded)?;
    }
    Ok(collected.into_opinions(format!("{FOLDS} networks ({})", recipe.model.name), notes))
}

fn of_fold(recipe: &CheckedRecipe, fold: usize) -> Result<CheckedRecipe, Error> {
    let mut recipe: Recipe = recipe.recipe().clone();
    (recipe.data.folds, recipe.data.fold) = (Some(FOLDS), Some(fold));
    // Damaged pictures and leaks are for training to decide, but every label is judged.
    (recipe.data.fraction, recipe.data.max_per_class) = (1.0, None);
    let tracking = &mut recipe.tracking;
    (tracking.tensorboard, tracking.report) = (false, false);
    tracking.mlflow = Some(TrackingUri::new("off"));
    (tracking.histograms_every, tracking.images_every, tracking.system_every_s) = (0, 0, 0.0);
    Ok(recipe.checked()?)
}

/// Reads what the folds of a run say.
pub(super) fn of_runs(dataset: &Dataset, asked: &Path, training: &Training<'_>) -> Result<Opinions, Error> {
    let runs = folds_of(asked)?;
    let places = Places::of(dataset);
    let mut collected = Collected::new(dataset.classes.len());
    let mut decoded = None;
    let mut notes = Vec::new();
    let (mut unknown, mut of_runs) = (0, 0);
    for (at, run) in runs.all.iter().enumerate() {
        (training.fold)(at + 1, runs.all.len());
        let mine = columns(dataset, &run.classes, run.folder.path())?;
        for (path, row) in run.paths.iter().zip(run.predictions.rows()) {
            of_runs += 1;
            match places.of_path(path) {
                Some(sample) => collected.add(sample, mine.iter().map(|&column| row[column])),
                None => unknown += 1,
            }
        }
        judge_test(dataset, run.folder.path(), &mine, training, &mut collected, &mut notes, &mut decoded)?;
    }
    if collected.sums.is_empty() {
        return Err(Error::request(format_args!(
            "--run {}: none of the {} that it judged is in this data (by their paths below the data's folder): name the data that it was trained on",
            asked.display(),
            crate::images(of_runs)
        )));
    }
    if unknown > 0 {
        notes.push(format!(
            "{} that the runs judged are not in this data by their paths, or are in another class's folder now: their labels are not judged",
            crate::images(unknown)
        ));
    }
    notes.extend(runs.note);
    Ok(collected.into_opinions(runs.by, notes))
}

/// The runs that are asked.
struct Folds {
    all: Vec<RunFiles>,
    by: String,
    note: Option<String>,
}

/// All folds of the run that is named, which lie beside it or in the folder that is named.
fn folds_of(asked: &Path) -> Result<Folds, Error> {
    let folder = RunFolder::open(asked)?;
    let is_run = folder.file(RunFolder::METRICS).is_file();
    let beside = match is_run {
        true => RunFolder::open(&parent(asked))?.runs()?,
        false => folder.runs()?,
    };
    let first = match (is_run, beside.first()) {
        (true, _) => RunFiles::read(asked)?,
        (false, Some(run)) => RunFiles::read(run.path())?,
        (false, None) => {
            return Err(RunFiles::read(asked).err().map_or_else(
                || Error::request(format_args!("--run {}: there is no run in it", asked.display())),
                Error::from,
            ));
        }
    };
    let name = asked.display();
    let Some(folds) = first.recipe.get("data.folds").and_then(serde_json::Value::as_u64) else {
        if !is_run {
            return Err(Error::request(format_args!(
                "--run {name}: the runs in it are no folds; name a run, or make folds by --set data.folds=5 --set data.fold=1 to 5"
            )));
        }
        let note = "only its validation images were judged; the folds of a cross-validation judge all: train with --set data.folds=5 and \
                    data.fold=1 to 5, or use --label-errors";
        return Ok(Folds {
            all: vec![first],
            by: format!("the model of {name}"),
            note: Some(note.to_owned()),
        });
    };
    let fold_of =
        |run: &RunFiles| run.recipe.get("data.fold").and_then(serde_json::Value::as_u64).unwrap_or(1);
    let alike = |run: &RunFiles| {
        let keys: BTreeSet<&String> = run.recipe.keys().chain(first.recipe.keys()).collect();
        let other = |key: &&&String| {
            key.as_str() != "data.fold"
                && !key.starts_with("tracking.")
                && run.recipe.get(**key) != first.recipe.get(**key)
        };
        keys.iter().find(other).is_none() && run.environment.data.path == first.environment.data.path
    };
    let mut all = Vec::new();
    for run in beside {
        // What was interrupted or is damaged is no fold; a missing one is told below.
        let Ok(run) = RunFiles::read(run.path()) else { continue };
        if alike(&run) && !run.predictions.targets().is_empty() {
            all.push(run);
        }
    }
    let there: BTreeSet<u64> = all.iter().map(fold_of).collect();
    let missing: Vec<String> =
        (1..=folds).filter(|fold| !there.contains(fold)).map(|fold| fold.to_string()).collect();
    if let Some(fold) = missing.first() {
        let recipe = first.folder.file(RunFolder::RECIPE);
        return Err(Error::request(format_args!(
            "--run {name}: {} of its {folds} folds {} not there, or left no model ({}): pupila train {} --recipe {} --runs {} --set data.fold={fold}{}",
            missing.len(),
            if missing.len() == 1 { "is" } else { "are" },
            missing.join(", "),
            crate::in_a_shell(&first.environment.data.path),
            crate::in_a_shell(&recipe.to_string_lossy()),
            crate::in_a_shell(&parent(first.folder.path()).to_string_lossy()),
            if missing.len() > 1 { ", and so on" } else { "" },
        )));
    }
    let by = match all.len() as u64 == folds {
        true => format!("the {folds} folds of {name}"),
        false => format!("the {folds} folds of {name} ({} runs)", all.len()),
    };
    Ok(Folds { all, by, note: None })
}

fn parent(path: &Path) -> PathBuf {
    let path = crate::session::canonical(path);
    path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// For each class of the data its column in the probabilities of a model.
fn columns(dataset: &Dataset, classes: &[String], run: &Path) -> Result<Vec<usize>, Error> {
    let column = |class: &String| classes.iter().position(|other| other == class);
    let known: Option<Vec<usize>> = dataset.classes.iter().map(column).collect();
    known.filter(|known| known.len() == classes.len()).ok_or_else(|| {
        Error::request(format_args!(
            "{} knows the classes {}, and the data have {}: name a run that was trained on this data",
            run.display(),
            shown(&classes.join(", ")),
            shown(&dataset.classes.join(", "))
        ))
    })
}

/// Asks a model of the test images, which no fold has seen.
fn judge_test(
    dataset: &Dataset,
    run: &Path,
    columns: &[usize],
    training: &Training<'_>,
    collected: &mut Collected,
    notes: &mut Vec<String>,
    decoded: &mut Option<Images>,
) -> Result<(), Error> {
    let test = dataset.indices(Split::Test);
    if test.is_empty() {
        return Ok(());
    }
    if !run.join(RunFolder::MODEL).is_file() {
        let note = format!("the test images were not judged: {} has no model", run.display());
        notes.push(note);
        return Ok(());
    }
    let mut model = Classifier::open(run)?;
    let mut judging = Judging::new().stop_signal(training.stop);
    judging.cache = training.cache.cloned();
    // All folds are of one recipe but for what they left out, so they see the same pictures.
    let images = match decoded {
        Some(images) => images,
        None => decoded.insert(model.decode(dataset.clone(), &test, &judging)?),
    };
    let predictions = model.judge(images, &judging)?;
    for (&sample, row) in images.kept.iter().zip(predictions.rows()) {
        collected.add(sample, columns.iter().map(|&column| row[column]));
    }
    Ok(())
}

/// The samples of a data set by their paths.
struct Places {
    of: HashMap<String, usize>,
    /// By their paths below the data's folder, with `/` between their parts.
    below: HashMap<String, usize>,
}

impl Places {
    fn of(dataset: &Dataset) -> Places {
        let samples = || dataset.samples.iter().enumerate();
        // A table names its images from its own folder.
        let folders = [Some(dataset.root.as_path()), dataset.root.parent()];
        let below = samples().filter_map(|(place, sample)| {
            let below = folders.iter().flatten().find_map(|folder| sample.path.strip_prefix(folder).ok())?;
            Some((joined(below), place))
        });
        Places {
            of: samples()
                .map(|(place, sample)| (sample.path.to_string_lossy().into_owned(), place))
                .collect(),
            below: below.collect(),
        }
    }

    /// The sample of a path that a run has, which may have been typed otherwise, or from another folder: then it is that whose path below the
    /// data's folder is its end.
    fn of_path(&self, path: &str) -> Option<usize> {
        let parts = || Path::new(path).components();
        let ends = (0..parts().count()).map(|from| joined(parts().skip(from).collect::<PathBuf>().as_path()));
        self.of.get(path).copied().or_else(|| ends.into_iter().find_map(|end| self.below.get(&end).copied()))
    }
}

fn joined(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
