//! A run that was stopped, or killed, goes on in its folder.
//!
//! In: a run folder. Out: a session that leaves there what the run would have left if it had never been stopped. It goes on from the newest
//! checkpoint that is whole; a run without one begins anew, which is the same.

use crate::checkpoints::newest;
use crate::error::{Error, Tried};
use crate::session::{GoingOn, Session, SessionBuilder, canonical};
use crate::transfer::Learnt;
use pupila_engine::Isa;
use pupila_run::{
    CheckpointFolder, Data, Ending, Environment, FittedHead, RunEnd, RunFileError, RunFolder, RunLock,
    Summary, SystemDisk,
};
use pupila_trackers::mlflow::rewind;
use pupila_train::{CheckedRecipe, Checkpoint, Fault, Layers, ModelFile, RecipeErrors, Setting, flat_recipe};
use std::fs;
use std::path::{Path, PathBuf};

/// What may be asked of a run that goes on.
#[derive(Debug, Clone, Default)]
pub struct ResumptionOptions {
    /// Train up to this epoch, beyond the last one that was asked for.
    pub epochs: Option<u32>,
    /// Other keys of the recipe. Most cannot change on the way, and are refused one by one.
    pub settings: Vec<Setting>,
    /// Where the data are now, if they have moved.
    pub data: Option<PathBuf>,
}

/// A run that can go on.
#[derive(Debug)]
pub struct Resumption {
    recipe: CheckedRecipe,
    data: PathBuf,
    /// Where the weights are that the run began from, where that is elsewhere.
    weights: Option<PathBuf>,
    going_on: GoingOn,
    notes: Vec<String>,
}

/// Keys that may change on the way, since no result depends on them.
pub(crate) const MAY_CHANGE: [&str; 8] = [
    "checkpoint.",
    "data.cache",
    "data.hold",
    "tracking.alias",
    "tracking.experiment",
    "tracking.mlflow",
    "tracking.register",
    "tracking.wait_s",
];

/// That another process has a run folder.
pub(crate) fn in_use(folder: &Path) -> Error {
    Error::request(format_args!(
        "another process is running {}: wait for it, or stop it (once by Ctrl-C or SIGTERM, which keeps where it is)",
        folder.display()
    ))
}

impl Resumption {
    /// Opens a run folder to go on; none where the run has ended and nothing more is asked for.
    ///
    /// # Errors
    /// It is no run's folder, another process has it, the run cannot go on as it is asked for, or a newer Pupila wrote it.
    pub fn open(run: &Path, options: &ResumptionOptions) -> Result<Option<Resumption>, Error> {
        let folder = RunFolder::open(run)?;
        if folder.is_study() {
            return Err(Error::request(format_args!(
                "{} is the folder of a study: give the command again that began it, and it goes on",
                run.display()
            )));
        }
        if let Some(error) = holds_runs(&folder, "resume") {
            return Err(error);
        }
        let text = folder.recipe()?.ok_or_else(|| without(&folder, RunFolder::RECIPE))?;
        let environment = folder.environment()?.filter(|environment| environment.data.train_images.is_some());
        let environment = environment.ok_or_else(|| without(&folder, RunFolder::ENVIRONMENT))?;
        // The lock goes once all is written, the event file of TensorBoard's thread too.
        let was_killed = folder.file(RunLock::NAME).exists();
        let lock = RunLock::take(folder.path()).map_err(Error::io(Tried::Write, folder.path()))?;
        let mut lock = lock.ok_or_else(|| in_use(folder.path()))?;
        // Until it goes on, it is still one that was killed.
        lock.leave(was_killed);
        let ending = folder.ending()?;
        let has_ended = !was_killed && ending == Ending::Whole;
        let before = resolve(&folder, &text, Vec::new())?;
        let mut settings = options.settings.clone();
        settings.extend(options.epochs.map(|epochs| Setting {
            assignment: format!("train.epochs={epochs}"),
            option: format!("--epochs {epochs}"),
        }));
        let recipe = resolve(&folder, &text, settings)?;
        let mut found = newest(folder.path()).map_err(Error::request)?;
        if has_ended && recipe.train.epochs == before.train.epochs {
            clear(&folder, &before)?;
            lock.leave(false);
            return Ok(None);
        }
        if let Some(checkpoint) = &found.checkpoint
            && let Some(damage) = damage_of_records(&folder, checkpoint)?
        {
            return Err(Error::request(format_args!(
                "{damage}: the record of the epochs so far is not whole, and a run that goes on writes behind it: put the file back from a \
                 copy, or begin a run of its own from the weights: pupila train DATA --init-from {}",
                folder.path().display()
            )));
        }
        // The recipe in the folder may have been edited since the state was kept.
        let learnt_by =
            found.checkpoint.as_ref().map(|checkpoint| resolve(&folder, &checkpoint.of.recipe, Vec::new()));
        let mut faults = changed(learnt_by.transpose()?.as_ref().unwrap_or(&before), &recipe);
        if recipe.train.epochs != before.train.epochs {
            // Another epoch will be the last one.
            found.checkpoint.iter_mut().for_each(|checkpoint| checkpoint.looks.last = None);
            faults.extend(extension(&folder, &before, &recipe, has_ended, found.checkpoint.as_ref())?);
        }
        if !faults.is_empty() {
            return Err(RecipeErrors(faults).into());
        }
        // What follows from nothing that was changed is written as it was.
        let is_as_it_was = flat_recipe(&before) == flat_recipe(&recipe);
        let text = if is_as_it_was { text } else { with_origins(&text, &recipe.to_toml()) };
        let recipe = recipe.with_text(text);
        let mut notes = found.damaged;
        match &found.checkpoint {
            Some(checkpoint) if !notes.is_empty() => {
                notes.push(format!("the one before is used: {}", place(checkpoint)));
            }
            None if !notes.is_empty() => notes.push("there is no other, so the run begins anew".into()),
            _ => {}
        }
        notes.extend(found.checkpoint.as_ref().and_then(made_otherwise));
        if let (Ending::Damaged(why), false) = (ending, was_killed) {
            notes.push(format!("the run has ended before, and is made again from where it goes on: {why}"));
        }
        let data = match &options.data {
            Some(data) => data.clone(),
            None => data_of(&environment),
        };
        let weights = weights_of(&folder, &recipe, &environment)?;
        let going_on = GoingOn { folder, lock, checkpoint: found.checkpoint, environment };
        Ok(Some(Resumption { recipe, data, weights, going_on, notes }))
    }

    /// The recipe.
    pub fn recipe(&self) -> &CheckedRecipe {
        &self.recipe
    }

    /// The data.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where it goes on, in words.
    pub fn place(&self) -> String {
        self.going_on.place()
    }

    /// What a person should know: damaged checkpoints, another version or instruction set.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The session that goes on.
    pub fn into_builder(self) -> SessionBuilder {
        let folder = self.going_on.folder.path();
        let runs = folder.parent().unwrap_or(Path::new("")).to_owned();
        let name = self.going_on.folder.name();
        let builder = Session::builder(self.recipe, self.data).runs(runs).name(name);
        builder.weights(self.weights).going_on(self.going_on)
    }
}

impl GoingOn {
    /// The run of a folder that was stopped in the middle, if it is of this very recipe and has a checkpoint; none where it is to begin anew.
    pub(crate) fn of(folder: &Path, recipe: &CheckedRecipe) -> Option<GoingOn> {
        GoingOn::find(folder, recipe).ok()
    }

    /// The same, and otherwise why it cannot go on.
    pub(crate) fn find(folder: &Path, recipe: &CheckedRecipe) -> Result<GoingOn, String> {
        let folder = RunFolder::open(folder).map_err(|_| "its run is gone")?;
        let not_begun = || "it was stopped before its training had begun".to_owned();
        let text = folder.recipe().map_err(|error| error.to_string())?.ok_or_else(not_begun)?;
        let before = resolve(&folder, &text, Vec::new()).map_err(|error| error.to_string())?;
        if flat_recipe(&before) != flat_recipe(recipe) {
            return Err("its run was of another recipe".to_owned());
        }
        let environment = folder.environment().map_err(|error| error.to_string())?.ok_or_else(not_begun)?;
        let found = newest(folder.path()).map_err(|error| error.to_string())?;
        let Some(checkpoint) = found.checkpoint else {
            return Err(match found.damaged.is_empty() {
                true => "it was stopped before its first checkpoint".to_owned(),
                false => found.damaged.join("; "),
            });
        };
        // Runs that are compared are all made alike.
        let of = &checkpoint.of;
        if of.version != env!("CARGO_PKG_VERSION") {
            return Err(format!("its run is of Pupila {}", of.version));
        }
        if of.instruction_set != Isa::detected().name() {
            return Err(format!(
                "its run was trained with {}, which this machine has not",
                of.instruction_set
            ));
        }
        let damage = damage_of_records(&folder, &checkpoint).map_err(|error| error.to_string())?;
        if let Some(damage) = damage {
            return Err(format!("the record of its epochs is not whole: {damage}"));
        }
        let lock = RunLock::take(folder.path()).map_err(|error| error.to_string())?;
        let lock = lock.ok_or("another process is running it")?;
        Ok(GoingOn { folder, lock, checkpoint: Some(checkpoint), environment })
    }

    /// Where it goes on, in words.
    pub(crate) fn place(&self) -> String {
        self.checkpoint.as_ref().map_or_else(|| "the beginning".to_owned(), place)
    }

    /// The folder as it was where the run goes on, if these are the data that it was made of.
    pub(crate) fn ready(
        self,
        now: &Environment,
    ) -> Result<(RunFolder, RunLock, Environment, Option<Checkpoint>), Error> {
        let GoingOn { folder, mut lock, checkpoint, environment } = self;
        if now.data.fingerprint != environment.data.fingerprint {
            return Err(Error::request(format_args!(
                "the images, their labels or their splits are not those that {} was trained on so far (fingerprint {} instead of {}), so it would be the \
                 run of neither: put them back, say where they are by --data, or begin a run of its own from its weights: pupila train DATA --init-from {}",
                folder.path().display(),
                now.data.fingerprint,
                environment.data.fingerprint,
                folder.path().display()
            )));
        }
        lock.leave(false);
        let cut = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.metrics_bytes);
        rewind(folder.path(), cut).map_err(Error::io(Tried::Write, folder.path()))?;
        let kept = checkpoint.as_ref().and_then(|checkpoint| checkpoint.board.as_ref());
        let metrics = folder.file(RunFolder::METRICS);
        for entry in fs::read_dir(folder.path()).map_err(Error::io(Tried::Read, folder.path()))? {
            let path = entry.map_err(Error::io(Tried::Read, folder.path()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // What was begun and not finished; and what is recorded again.
            let is_partial = name.ends_with(".partial");
            // What is not known to the checkpoint is of a part of the run that comes again.
            let comes_again = match kept {
                Some(kept) => is_board(&name) && kept.file != name && !kept.earlier.contains(&name),
                None => checkpoint.is_none() && (is_board(&name) || path == metrics),
            };
            if is_partial || comes_again {
                fs::remove_file(&path).map_err(Error::io(Tried::Write, &path))?;
            }
        }
        // Begun anew it is made here and now; what was typed was typed then. The data may have been moved since: the files that come say paths of now.
        let environment = match &checkpoint {
            Some(_) => {
                let (path, given) = (now.data.path.clone(), now.data.given.clone());
                Environment { data: Data { path, given, ..environment.data }, ..environment }
            }
            None => Environment { arguments: environment.arguments, ..now.clone() },
        };
        folder.write_environment(&environment)?;
        Ok((folder, lock, environment, checkpoint))
    }
}

/// Removes what a process has left that was killed when all was written.
pub(crate) fn clear(folder: &RunFolder, recipe: &CheckedRecipe) -> Result<(), Error> {
    if !recipe.checkpoint.keep_final {
        let removed = CheckpointFolder::of(folder.path()).remove(&SystemDisk);
        removed.map_err(|(path, error)| Error::io(Tried::Write, path)(error))?;
    }
    Ok(())
}

/// Whether a folder of a run that has ended holds what only one that runs has: its process was killed when all was written.
pub(crate) fn is_uncleared(folder: &Path) -> bool {
    folder.join(RunLock::NAME).exists() || !CheckpointFolder::of(folder).files().is_empty()
}

/// The same as [`clear`], of a folder that no process has; and its lock goes too.
pub(crate) fn clear_up(folder: &Path, recipe: &CheckedRecipe) -> Result<(), Error> {
    let lock = RunLock::take(folder).map_err(Error::io(Tried::Write, folder))?;
    let _lock = lock.ok_or_else(|| in_use(folder))?;
    clear(&RunFolder::open(folder)?, recipe)
}

/// What is wrong with the record of the epochs behind which a run goes on, and where; nothing where it is whole.
fn damage_of_records(folder: &RunFolder, checkpoint: &Checkpoint) -> Result<Option<String>, RunFileError> {
    match folder.check_records(checkpoint.metrics_bytes) {
        Ok(()) => Ok(None),
        Err(RunFileError::Damaged { path, line, message }) => {
            let line = line.map_or(String::new(), |line| format!(", line {line}:"));
            Ok(Some(format!("{}{line} {message}", path.display())))
        }
        Err(error) => Err(error),
    }
}

/// Whether a file is one of TensorBoard's.
fn is_board(name: &str) -> bool {
    name.starts_with(RunFolder::EVENTS)
}

/// Where a checkpoint is, in words.
fn place(checkpoint: &Checkpoint) -> String {
    let state = &checkpoint.state;
    match state.batches {
        0 if state.epoch > 1 => format!("the end of epoch {}", state.epoch - 1),
        0 => "the beginning".to_owned(),
        batches => format!("epoch {}, step {batches}", state.epoch),
    }
}

/// That a checkpoint was made by another version or with another instruction set, and what follows.
fn made_otherwise(checkpoint: &Checkpoint) -> Option<String> {
    let of = &checkpoint.of;
    let now = (env!("CARGO_PKG_VERSION"), Isa::detected().name());
    let mut what = Vec::new();
    if of.version != now.0 {
        what.push(format!("by Pupila {}, and this is {}", of.version, now.0));
    }
    if of.instruction_set != now.1 {
        what.push(format!("with {}, and this machine has {}", of.instruction_set, now.1));
    }
    (!what.is_empty()).then(|| {
        format!(
            "so far it was trained {}: what was learnt is kept to the bit, and what follows may differ in its last digits from a run that never \
             stopped",
            what.join("; ")
        )
    })
}

/// That a file is missing without which a run cannot go on: it had not begun to train, or the file was taken away since.
fn without(folder: &RunFolder, file: &str) -> Error {
    let shown = folder.path().display();
    if folder.file(RunFolder::METRICS).exists() || folder.file(RunFolder::SUMMARY).exists() {
        return Error::request(format_args!(
            "{} is not there, or is of no run: put it back from a copy; without it {shown} cannot go on, and a run of its own can begin from its \
             weights: pupila train DATA --init-from {shown}",
            folder.file(file).display()
        ));
    }
    Error::request(format_args!(
        "{shown} holds no run that had begun to train: give the command of `pupila train` again, with another --name"
    ))
}

/// The path as it was typed, if it leads to the data from here; otherwise the whole path.
pub(crate) fn data_of(environment: &Environment) -> PathBuf {
    let given = PathBuf::from(&environment.data.given);
    let whole = PathBuf::from(&environment.data.path);
    if !environment.data.given.is_empty() && canonical(&given) == whole { given } else { whole }
}

pub(crate) fn resolve(
    folder: &RunFolder,
    text: &str,
    settings: Vec<Setting>,
) -> Result<CheckedRecipe, Error> {
    let file = Some((folder.file(RunFolder::RECIPE), text.to_owned()));
    Ok(Layers { file, settings, learnt: None }.resolve()?)
}

/// A fault for each key that is changed and cannot be.
fn changed(before: &CheckedRecipe, now: &CheckedRecipe) -> Vec<Fault> {
    let (before, now) = (flat_recipe(before), flat_recipe(now));
    let keys = before.keys().chain(now.keys().filter(|key| !before.contains_key(*key)));
    keys.filter(|key| before.get(*key) != now.get(*key))
        .filter(|key| *key != "train.epochs" && !MAY_CHANGE.iter().any(|may| key.starts_with(may)))
        .map(|key| Fault {
            key: key.clone(),
            message: format!(
                "cannot change on the way ({} so far): the run would be one of neither recipe; begin one of its own from its weights: pupila train DATA \
                 --init-from RUN",
                before.get(key).map_or_else(|| "left out".to_owned(), ToString::to_string)
            ),
            origin: None,
        })
        .collect()
}

/// What stands against another number of epochs.
fn extension(
    folder: &RunFolder,
    before: &CheckedRecipe,
    now: &CheckedRecipe,
    has_ended: bool,
    checkpoint: Option<&Checkpoint>,
) -> Result<Vec<Fault>, Error> {
    let fault = |key: &str, message: String| Fault { key: key.into(), message, origin: None };
    let mut faults = Vec::new();
    let (from, to) = (before.train.epochs, now.train.epochs);
    if to < from {
        faults.push(fault(
            "train.epochs",
            format!("must be more than the {from} that were asked for, got {to}"),
        ));
    }
    if matches!(now.schedule.name.as_str(), "cosine" | "one_cycle") {
        faults.push(fault(
            "schedule.name",
            format!(
                "is {}, whose learning rate is planned for {from} epochs and has come to its end with them: only runs with another schedule can be \
                 trained on",
                now.schedule.name
            ),
        ));
    }
    if has_ended {
        let status = match folder.summary()? {
            Some(Summary::Run(summary)) => summary.status,
            _ => RunEnd::Completed,
        };
        match status {
            RunEnd::StoppedEarly => faults.push(fault(
                "early_stopping.patience",
                "has ended the run before its last epoch: more epochs change nothing".into(),
            )),
            RunEnd::Diverged => {
                faults.push(fault("train.epochs", "cannot be more: the run has diverged".into()));
            }
            _ if checkpoint.is_none() => faults.push(fault(
                "checkpoint.keep_final",
                format!(
                    "was not set when {} was trained, so the state of its end is gone: train it again with --set checkpoint.keep_final=true, or begin a run of \
                     its own from its weights: pupila train DATA --init-from {0}",
                    folder.path().display()
                ),
            )),
            _ => {}
        }
    }
    Ok(faults)
}

/// A recipe's new text, in which each line whose value is as it was keeps what it says of where that came from.
fn with_origins(before: &str, now: &str) -> String {
    let mut section = String::new();
    let mut known = std::collections::HashMap::new();
    let key_of = |line: &str, section: &mut String| {
        if line.starts_with('[') {
            line.clone_into(section);
        }
        let (key, rest) = line.split_once(" = ").filter(|_| !line.starts_with('#'))?;
        // A text may hold what begins a comment.
        let value = format!("value = {rest}").parse::<toml::Table>().ok()?;
        Some((format!("{section}{key}"), value.to_string()))
    };
    for line in before.lines() {
        if let Some(key) = key_of(line, &mut section) {
            known.insert(key, line);
        }
    }
    section.clear();
    let kept = |line| key_of(line, &mut section).and_then(|key| known.get(&key).copied()).unwrap_or(line);
    now.lines().map(kept).map(|line| format!("{line}\n")).collect()
}

/// That a folder is none of a run, and holds some.
pub(crate) fn holds_runs(folder: &RunFolder, command: &str) -> Option<Error> {
    const SHOWN: usize = 5;
    if folder.file(RunFolder::RECIPE).exists() || folder.file(RunFolder::SUMMARY).exists() {
        return None;
    }
    let entries = fs::read_dir(folder.path()).ok()?.flatten().map(|entry| entry.path());
    let mut runs: Vec<PathBuf> = entries.filter(|path| path.join(RunFolder::RECIPE).is_file()).collect();
    runs.sort();
    let first = runs.first()?;
    let names =
        runs.iter().take(SHOWN).filter_map(|run| Some(run.file_name()?.to_string_lossy().into_owned()));
    let names = names.collect::<Vec<_>>().join(", ");
    let more = if runs.len() > SHOWN { format!(" and {} more", runs.len() - SHOWN) } else { String::new() };
    Some(Error::request(format_args!(
        "{} is a folder of runs ({names}{more}): name one, such as pupila {command} {}",
        folder.path().display(),
        crate::in_a_shell(&first.to_string_lossy())
    )))
}

/// Where the weights are that a run began from, if not where its recipe says from here: a path that was typed elsewhere leads on from there. Known
/// by their SHA-256.
///
/// # Errors
/// They are nowhere; what is looked for.
pub(crate) fn weights_of(
    folder: &RunFolder,
    recipe: &CheckedRecipe,
    environment: &Environment,
) -> Result<Option<PathBuf>, Error> {
    let Some(typed) = recipe.transfer.source() else { return Ok(None) };
    let wanted = recipe.transfer.sha256.as_deref();
    let is_it = |path: &Path| {
        wanted.is_none_or(|wanted| Learnt::open(path).is_ok_and(|found| found.sha256() == wanted))
    };
    // What is in an archive is found by whoever opens it.
    let is_in_archive = typed.ancestors().skip(1).any(Path::is_file);
    if is_in_archive || (typed.exists() && is_it(typed)) {
        return Ok(None);
    }
    // The run's and the data's folders were below where it was typed, or beside it.
    let data = Path::new(&environment.data.path);
    let run = canonical(folder.path());
    let places = run.ancestors().chain(data.ancestors()).map(|place| place.join(typed));
    if let Some(found) = places.into_iter().find(|path| path.exists() && is_it(path)) {
        return Ok(Some(found));
    }
    Err(Error::request(format_args!(
        "{} began from the weights {}, {}, and they are not there any more, or others are: put them back, or give the command where it was given then",
        folder.path().display(),
        typed.display(),
        wanted
            .map_or_else(|| "whose SHA-256 is not recorded".to_owned(), |wanted| format!("SHA-256 {wanted}")),
    )))
}

/// Whether `resume --epochs` can train a run on that has ended: its learning rate has not come to a planned end, and the state of its end is kept.
///
/// # Errors
/// The folder cannot be read.
pub fn can_be_trained_on(run: &Path) -> Result<bool, Error> {
    let folder = RunFolder::open(run)?;
    let Some(text) = folder.recipe()? else { return Ok(false) };
    let recipe = resolve(&folder, &text, Vec::new())?;
    let status = match folder.summary()? {
        Some(Summary::Run(summary)) => summary.status,
        _ => return Ok(false),
    };
    let is_planned = matches!(recipe.schedule.name.as_str(), "cosine" | "one_cycle");
    let is_kept = !CheckpointFolder::of(folder.path()).files().is_empty();
    Ok(status == RunEnd::Completed && !is_planned && !recipe.transfer.fits_head() && is_kept)
}

/// What is gone or damaged of the files that a run has left that has ended: a sentence for each.
///
/// # Errors
/// The folder cannot be read.
pub fn lost_files(run: &Path) -> Result<Vec<String>, Error> {
    let folder = RunFolder::open(run)?;
    let Some(Summary::Run(summary)) = folder.summary()? else { return Ok(Vec::new()) };
    let (model, mut lost) = (folder.file(RunFolder::MODEL), Vec::new());
    // Neighbours vote without a network.
    if summary.best_epoch.is_some() && !matches!(summary.head, Some(FittedHead::Knn { .. })) {
        match ModelFile::read(&model) {
            Ok(_) => {}
            Err(_) if !model.exists() => {
                lost.push(format!(
                    "it has no model any more ({}): what was trained is gone",
                    RunFolder::MODEL
                ));
            }
            Err(error) => lost.push(format!("its model cannot be read: {error}")),
        }
    }
    lost.extend(folder.lost()?.into_iter().map(|(path, what)| format!("{} {what}", path.display())));
    Ok(lost)
}
