//! A run that is run again, to see whether it is what it says.
//!
//! In: a run folder. Out: where it differs from what its recipe makes of its data here and now, and why that may be.

pub mod sameness;

use crate::error::{Error, Tried};
use crate::resume::{MAY_CHANGE, data_of, holds_runs, resolve, weights_of};
use crate::session::{OnProgress, Session};
use crate::stop_signal::StopSignal;
use pupila_engine::Isa;
use pupila_run::{RunEnd, RunFolder, RunLock, Summary};
use pupila_trackers::read_board;
use pupila_train::{CheckedRecipe, Setting, flat_recipe};
use sameness::{Difference, Side, compared};
use serde_json::{Map, Value};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a run is verified.
#[derive(Clone, Default)]
pub struct VerificationOptions {
    /// Where the data are now, if they have moved.
    pub data: Option<PathBuf>,
    /// Threads to work on; all cores if left out.
    pub threads: Option<usize>,
    /// What may stop it.
    pub stop: StopSignal,
    /// Told how far the reading of the images is.
    pub progress: Option<OnProgress>,
    /// Told once the run can be run again, before it is.
    pub begins: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for VerificationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationOptions").field("data", &self.data).finish_non_exhaustive()
    }
}

/// What came out.
#[derive(Debug)]
pub struct Verification {
    /// The first difference of each file.
    pub differences: Vec<Difference>,
    /// Files that were compared.
    pub files: Vec<String>,
    /// Why they may differ.
    pub reasons: Vec<String>,
    /// What a person should know though nothing differs.
    pub notes: Vec<String>,
}

impl Verification {
    /// Runs a run again in a temporary folder, and compares.
    ///
    /// # Errors
    /// It is no run that has ended by itself; its recipe or data cannot be used any more; whatever keeps a run from its end.
    pub fn of(run: &Path, options: &VerificationOptions) -> Result<Verification, Error> {
        let folder = RunFolder::open(run)?;
        let shown = run.display();
        if folder.is_study() {
            return Err(Error::request(format_args!(
                "{shown} is the folder of a study: verify its runs one by one"
            )));
        }
        if let Some(error) = holds_runs(&folder, "verify") {
            return Err(error);
        }
        let status = match folder.summary()? {
            Some(Summary::Run(summary)) => summary.status,
            _ => {
                return Err(Error::request(format_args!(
                    "{shown} holds no run that has ended: it has no {} of one; a run that was stopped, or has lost it, gets it by `pupila resume {shown}`",
                    RunFolder::SUMMARY
                )));
            }
        };
        // What is wrong with its files is found by comparing them. The lock is left where a process was killed, or works on it.
        let goes_on = folder.file(RunLock::NAME).exists();
        if goes_on || matches!(status, RunEnd::Interrupted | RunEnd::Ended) {
            return Err(Error::request(format_args!(
                "{shown} has not come to its own end, so nobody knows where to stop: go on with it by `pupila resume {shown}`, and verify it then"
            )));
        }
        let text = folder.recipe()?.ok_or_else(|| {
            Error::request(format_args!(
                "{} is not there, and it says how the run was made: put it back from a copy",
                folder.file(RunFolder::RECIPE).display()
            ))
        })?;
        let recipe = resolve(&folder, &text, Vec::new())?.with_text(text);
        let environment = folder.environment().ok().flatten().unwrap_or_default();
        if options.data.is_none() && environment.data.path.is_empty() {
            return Err(Error::request(format_args!(
                "{} is gone or damaged, and it says where the data are: give them by --data",
                folder.file(RunFolder::ENVIRONMENT).display()
            )));
        }
        let data = options.data.clone().unwrap_or_else(|| data_of(&environment));
        let start = folder.start().ok().flatten();
        // By the name that it had: a copy is called otherwise.
        let name = start.as_ref().map_or_else(|| folder.name(), |start| start.run.clone());
        let begun_as =
            start.as_ref().and_then(|start| begun_as(&folder, &recipe, &recipe.to_toml(), &start.recipe));
        let asked = begun_as.as_ref().map(|first| first.train.epochs);
        let is_longer = asked.is_some_and(|first| first < recipe.train.epochs);
        let weights = weights_of(&folder, &recipe, &environment)?;
        let temporary = tempfile::tempdir().map_err(Error::io(Tried::MakeFolder, std::env::temp_dir()))?;
        let mut builder = Session::builder(recipe, &data)
            .runs(temporary.path())
            .name(&name)
            .save_while_running(false)
            .begun_as(begun_as)
            .weights(weights)
            .send(false)
            .stop_signal(&options.stop);
        if let Some(threads) = options.threads {
            builder = builder.threads(threads);
        }
        if let Some(progress) = options.progress.clone() {
            builder = builder.on_progress(move |now| progress(now));
        }
        if let Some(group) = start.and_then(|start| start.group) {
            builder = builder.group(group);
        }
        let mut session = builder.open()?;
        if let Some(begins) = &options.begins {
            begins();
        }
        let again = session.run(&mut ())?;
        if again.outcome().end == RunEnd::Interrupted {
            return Err(Error::Stopped("interrupted: nothing is verified"));
        }
        let given = match environment.data.given.as_str() {
            "" => environment.data.path.clone(),
            // One that went on from another working directory has the whole path in its files.
            _ if names_whole_paths(&folder, &environment.data.path) => environment.data.path.clone(),
            given => given.to_owned(),
        };
        let found = Side { folder: folder.path().to_owned(), data: given };
        let expected =
            Side { folder: again.folder().path().to_owned(), data: data.to_string_lossy().into_owned() };
        let (differences, files) =
            compared(&found, &expected, is_longer).map_err(Error::io(Tried::Read, folder.path()))?;
        let now = again.folder().environment()?.unwrap_or_default();
        let mut made = Vec::new();
        for (what, then, now) in [
            ("the version of Pupila", &environment.version, &env!("CARGO_PKG_VERSION").to_owned()),
            ("the instruction set", &environment.instruction_set, &Isa::detected().name().to_owned()),
            ("the data (their fingerprint)", &environment.data.fingerprint, &now.data.fingerprint),
        ] {
            if then != now {
                made.push(format!("{what} is another: {then} then, {now} now"));
            }
        }
        let mut verification = Verification { differences, files, reasons: Vec::new(), notes: Vec::new() };
        match (verification.differences.is_empty(), made.is_empty()) {
            (true, _) => verification.notes = made,
            (false, true) => verification.reasons.push(
                "data, version and instruction set are those of the run: a file of its folder was changed"
                    .into(),
            ),
            (false, false) => verification.reasons = made,
        }
        Ok(verification)
    }
}

/// What a run was asked for at first, where `resume` has changed keys since on which no result of its beginning depends; none where it is the
/// recipe that it has. `first`: as its record has it.
fn begun_as(
    folder: &RunFolder,
    recipe: &CheckedRecipe,
    text: &str,
    first: &Map<String, Value>,
) -> Option<CheckedRecipe> {
    let now = flat_recipe(recipe);
    let changed: Vec<&String> = first.keys().filter(|key| now.get(*key) != first.get(*key)).collect();
    let may_change = |key: &str| MAY_CHANGE.iter().any(|may| key.starts_with(may));
    let may = |key: &&String| *key == "train.epochs" || may_change(key);
    // Keys of no result that the run has got since; a later version may know more keys than the record has.
    let mut table: toml::Table = text.parse().ok()?;
    let mut has_more = false;
    for (section, keys) in &mut table {
        let Some(keys) = keys.as_table_mut() else { continue };
        let before = keys.len();
        keys.retain(|key, _| {
            let key = format!("{section}.{key}");
            !may_change(&key) || first.contains_key(&key)
        });
        has_more |= keys.len() < before;
    }
    let epochs = first.get("train.epochs").and_then(Value::as_u64);
    // A run is trained on, and never back.
    let is_shorter = epochs.is_none_or(|epochs| epochs <= u64::from(recipe.train.epochs));
    if (changed.is_empty() && !has_more) || !is_shorter || !changed.iter().all(may) {
        return None;
    }
    let setting =
        |key: &&String| Setting { assignment: format!("{key}={}", first[*key]), option: (*key).clone() };
    let text = if has_more { &table.to_string() } else { text };
    let begun = resolve(folder, text, changed.iter().map(setting).collect()).ok()?;
    // TensorBoard has the recipe's text, with where its values came from: it is believed where it says the same as the record.
    let told = read_board(folder.path()).ok()?;
    let told =
        told.iter().find(|event| event.tag.starts_with("recipe")).map(|event| told_recipe(&event.value));
    let is_same = |told: &String| {
        resolve(folder, told, Vec::new()).is_ok_and(|told| flat_recipe(&told) == flat_recipe(&begun))
    };
    Some(match told.filter(is_same) {
        Some(text) => begun.with_text(text),
        None => begun,
    })
}

/// The recipe in an event of TensorBoard: its lines are set in by four spaces.
fn told_recipe(event: &[u8]) -> String {
    const INDENT: &str = "    ";
    let text = String::from_utf8_lossy(event);
    let start = text.find("    #").unwrap_or(text.len());
    let lines = text[start..].lines().map_while(|line| line.strip_prefix(INDENT));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Whether a run's predictions are of images below the whole path of its data, and not the one that was typed.
fn names_whole_paths(folder: &RunFolder, data: &str) -> bool {
    let text = fs::read_to_string(folder.file(RunFolder::PREDICTIONS)).unwrap_or_default();
    let root = format!("{}/", data.trim_end_matches('/'));
    text.lines().nth(1).is_some_and(|line| line.trim_start_matches('"').starts_with(&root))
}
