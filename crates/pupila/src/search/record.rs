//! What a search leaves in its folder: the journal, the best recipe, the trials as a table, `search.json` and the page.

use super::trial::RUN_PREFIX;
use super::{Search, SearchObserver, SearchResult, json_of, page};
use crate::describe::trials;
use crate::error::{Error, Tried};
use crate::session::canonical;
use crate::source;
use pupila_dataset::Dataset;
use pupila_run::{DataRecord, FORMAT, RunEnd, RunFolder, write_whole};
use pupila_search::storage::{Storage, unique_name};
use pupila_search::{Space, State, Trial};
use pupila_trackers::mlflow::sync;
use pupila_trackers::{Event, Jsonl, RunInfo, Tracker, host, now};
use pupila_train::{CheckedRecipe, fingerprint, flat_recipe, mlflow_target};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs::{File, TryLockError};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The trials, where no other storage is named.
pub(crate) const JOURNAL: &str = "trials.journal";
/// What there is to know, for programs.
pub(crate) const FILE: &str = "search.json";
/// The page.
pub(super) const PAGE: &str = "search.html";
/// The recipe of the best trial.
pub(super) const RECIPE: &str = "best.toml";
/// A row for each trial.
pub(super) const TABLE: &str = "trials.csv";

/// Locked by whoever works in the folder.
pub(crate) const LOCK: &str = "search.lock";
/// Locked by whoever trains the best two again, or writes to the search's own record.
const AGAIN_LOCK: &str = "again.lock";
/// The attribute of a study that says what it was begun with.
const BEGUN: &str = "pupila:begun_with";

/// The lock of the journal, which is a link: a worker that was killed leaves it.
pub(crate) const JOURNAL_LOCK: &str = "trials.journal.lock";

/// Whether a search writes files of this name.
pub(crate) fn is_of_a_search(name: &str) -> bool {
    [JOURNAL, FILE, PAGE, RECIPE, TABLE, LOCK, AGAIN_LOCK].contains(&name) || name.starts_with(JOURNAL_LOCK)
}

/// Whether a folder is that of a search.
pub(crate) fn is_search(folder: &Path) -> bool {
    // Of one that another worker begins at this moment, the lock is all there is.
    [FILE, JOURNAL, LOCK].iter().any(|name| folder.join(name).is_file())
}

/// Says that the folder is a search's, to trackers too: it is the parent of its runs.
pub(super) fn begin(search: &Search) -> Result<(), Error> {
    write_start(search)?;
    let path = search.folder.join(FILE);
    match path.exists() {
        true => Ok(()),
        false => write(&path, &json!({"study": search.study, "storage": search.storage(), "format": FORMAT})),
    }
}

/// Whether the folder is free for a study, or of that study already.
///
/// # Errors
/// It is of another study.
pub(super) fn of_study(folder: &Path, study: &str) -> Result<(), Error> {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    let known: Option<Value> = serde_json::from_str(&text).ok();
    match known.as_ref().and_then(|known| known["study"].as_str()).filter(|&known| known != study) {
        None => Ok(()),
        Some(known) => Err(Error::request(format_args!(
            "{} is the folder of the study `{known}`, and not of `{study}`: choose another --name, or --study {known}",
            folder.display()
        ))),
    }
}

/// Whether the storage knows every trial whose run is in the folder. Nobody else may work in it.
///
/// # Errors
/// It lacks some: they would be drawn and counted anew, and another trial be the best.
pub(super) fn nothing_lost(folder: &Path, storage: &dyn Storage) -> Result<(), Error> {
    let known = storage.trials()?;
    let entries = std::fs::read_dir(folder).map_err(Error::io(Tried::Read, folder))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let number = |name: &str| name.strip_prefix(RUN_PREFIX)?.parse::<u64>().ok();
    let mut lost: Vec<String> = names
        .filter(|name| number(name).is_some_and(|number| known.iter().all(|trial| trial.number != number)))
        .collect();
    lost.sort();
    let Some(first) = lost.first() else { return Ok(()) };
    Err(Error::request(format_args!(
        "{} knows {}, and {} holds {} more, such as {first}: it was cut or emptied, or is that of another search. Put it back from a copy, or \
         move {} away, or choose another --name",
        storage.address(),
        trials(known.len()),
        folder.display(),
        lost.len(),
        folder.display()
    )))
}

/// The lock of a search's folder, while it is found out what others left there.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
    /// Whether nobody else works in the folder, nor can begin to before [`Lock::shared`].
    pub(super) is_alone: bool,
    /// The folder's; empty where a worker of an older version has it.
    id: String,
}

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Lock, Error> {
        let path = folder.join(LOCK);
        let failed = |source| Error::io(Tried::Write, &path)(source);
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed)?;
        let is_alone = file.try_lock().is_ok();
        if !is_alone {
            file.lock_shared().map_err(failed)?;
        }
        let mut id = String::new();
        file.read_to_string(&mut id).map_err(failed)?;
        if is_alone && id.is_empty() {
            id = unique_name();
            file.write_all(id.as_bytes()).map_err(failed)?;
        }
        Ok(Lock { file, path, is_alone, id })
    }

    /// What tells trials that run in this folder on this machine from those of others, also of a copy of it: the storage may be shared, and so may the
    /// folder, on a file system whose locks other machines do not see.
    pub(super) fn worker(&self, folder: &Path) -> Option<String> {
        (!self.id.is_empty()).then(|| format!("{} {} {}", self.id, host(), canonical(folder).display()))
    }

    /// From now on others may work in the folder too.
    pub(super) fn shared(self) -> Result<File, Error> {
        if self.is_alone {
            self.file.unlock().map_err(Error::io(Tried::Write, &self.path))?;
            self.file.lock_shared().map_err(Error::io(Tried::Write, &self.path))?;
        }
        Ok(self.file)
    }
}

/// Waits until no other process trains the best two in this folder, or writes to its record; none where the search is to stop before that.
pub(super) fn turn(search: &Search) -> Result<Option<File>, Error> {
    let path = search.folder.join(AGAIN_LOCK);
    let file = File::create(&path).map_err(Error::io(Tried::Write, &path))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if search.options.stop.is_set() => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(super::trial::POLL),
            // A file system without locks: docs/cluster.md says what not to do at once there.
            Err(TryLockError::Error(_)) => return Ok(Some(file)),
        }
    }
}

/// What a study was begun with, which all of its trials must have: the images, and the recipe but for what the space sets.
///
/// # Errors
/// The study in the storage was begun with something else.
pub(super) fn same_study(
    storage: &dyn Storage,
    study: &str,
    base: &CheckedRecipe,
    space: &Space,
    dataset: &Dataset,
) -> Result<(), Error> {
    let mut recipe = flat_recipe(base);
    // What the space sets, and what no result depends on.
    let varied = |key: &str| {
        space.parameters().iter().any(|parameter| parameter.key == key)
            || ["tracking.", "checkpoint.", "data.cache"].iter().any(|free| key.starts_with(free))
    };
    recipe.retain(|key, _| !varied(key));
    let own = json!({"data": fingerprint(dataset), "recipe": recipe});
    let known = storage.study_attributes()?;
    let Some(before) = known.get(BEGUN) else {
        storage.set_study_attribute(BEGUN, &own)?;
        return Ok(());
    };
    let place = storage.address();
    if before["data"] != own["data"] {
        return Err(Error::request(format_args!(
            "the study `{study}` in {place} was begun on other images, labels or splits: choose another --name, or another --study"
        )));
    }
    let of = |value: &Value, key: &str| value["recipe"].get(key).cloned().unwrap_or(Value::Null);
    let keys = before["recipe"].as_object().into_iter().flatten().map(|(key, _)| key).chain(recipe.keys());
    let mut others: Vec<String> = keys
        .filter(|key| !varied(key) && of(before, key) != of(&own, key))
        .map(|key| format!("{key} was {}, and is {}", of(before, key), of(&own, key)))
        .collect();
    others.sort();
    others.dedup();
    match others.is_empty() {
        true => Ok(()),
        false => Err(Error::request(format_args!(
            "the study `{study}` in {place} was begun with another recipe ({}): choose another --name, or another --study",
            others.join("; ")
        ))),
    }
}

/// How long the end waits for a server.
const PATIENCE: Duration = Duration::from_secs(30);

fn write_start(search: &Search) -> Result<(), Error> {
    let path = search.folder.join(RunFolder::METRICS);
    let is_there = || -> Result<bool, Error> { Ok(RunFolder::open(&search.folder)?.start()?.is_some()) };
    if is_there()? {
        return Ok(());
    }
    // Many workers may begin at once, and one of them may have been killed as it began.
    let Some(_turn) = turn(search)? else { return Ok(()) };
    if is_there()? {
        return Ok(());
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(Tried::Write, path)(error));
        }
        _ => {}
    }
    let mut recipe = Map::new();
    recipe.insert("search.metric".to_owned(), search.metric().into());
    recipe.insert("search.sampler".to_owned(), search.options.sampler.clone().into());
    recipe.insert("search.pruner".to_owned(), search.options.pruner.clone().into());
    let keys: Vec<&str> = search.space().parameters().iter().map(|parameter| &parameter.key[..]).collect();
    recipe.insert("search.parameters".to_owned(), keys.join(", ").into());
    let name = Path::new(&search.data()).file_name().map(|name| name.to_string_lossy().into_owned());
    let start = RunInfo {
        run: search.name.clone(),
        tags: source::tags(&search.options.data),
        recipe,
        data: DataRecord { name: name.unwrap_or_default(), path: search.data(), ..DataRecord::default() },
        ..RunInfo::default()
    };
    let mut own = Jsonl::create(&path).map_err(Error::io(Tried::Write, &path))?;
    own.record(now(), &Event::Start(Box::new(start))).map_err(Error::io(Tried::Write, path))
}

/// Says to trackers what came out, and sends it where the recipe or the environment name a server.
pub(super) fn send(
    search: &Search,
    result: &SearchResult,
    observer: &dyn SearchObserver,
) -> Result<(), Error> {
    let path = search.folder.join(RunFolder::METRICS);
    // Two that append at once would write over each other. Who is to stop, and would have to wait, leaves it to the others.
    let Some(_turn) = turn(search)? else { return Ok(()) };
    let mut own = Jsonl::append(&path).map_err(Error::io(Tried::Write, &path))?;
    let best = result.best.and_then(|number| result.trials.iter().find(|trial| trial.number == number));
    let mut values: Vec<(String, f64)> =
        best.and_then(Trial::value).map(|value| ("best_value".to_owned(), value)).into_iter().collect();
    if let Ok(honest) = &result.honest {
        values.push(("honest_mean".to_owned(), honest.winner.mean));
        values.extend(honest.winner.test.map(|(mean, _)| ("honest_test_mean".to_owned(), mean)));
    }
    values.retain(|(_, value)| value.is_finite());
    let end = if result.stopped { RunEnd::Interrupted } else { RunEnd::Completed };
    let mut events = vec![Event::Result { epoch: 0, step: 0, values }, Event::End { end, best_epoch: None }];
    events.extend([PAGE, TABLE, FILE].map(|file| Event::Artifact { path: file.to_owned() }));
    if result.recipe.is_some() {
        events.push(Event::Artifact { path: RECIPE.to_owned() });
    }
    for event in &events {
        own.record(now(), event).map_err(Error::io(Tried::Write, &path))?;
    }
    let target = match mlflow_target(&search.base.tracking) {
        Ok(Some(target)) => target,
        Ok(None) => return Ok(()),
        Err(message) => {
            observer.warning(&format!("nothing is sent: {message}"));
            return Ok(());
        }
    };
    let uri = target.uri.clone();
    let reason = match sync(&search.folder, target, PATIENCE) {
        Ok(sent) if sent.complete => return Ok(()),
        Ok(sent) => sent.reason.unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    observer.warning(&format!(
        "{uri} was not told what came out: {reason}; `pupila sync {}` sends it later",
        search.folder.display()
    ));
    Ok(())
}

fn write(path: &Path, value: &Value) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    write_whole(path, text.as_bytes()).map_err(Error::io(Tried::Write, path))
}

/// Writes what came out.
pub(super) fn end(search: &Search, result: &SearchResult) -> Result<(), Error> {
    let table = search.folder.join(TABLE);
    write_whole(&table, csv(search, &result.trials).as_bytes()).map_err(Error::io(Tried::Write, &table))?;
    let page = page::of(search, result);
    write_whole(&result.page, page.as_bytes()).map_err(Error::io(Tried::Write, &result.page))?;
    let mut object = result.json.clone();
    object["storage"] = json!(search.storage());
    object["data"] = json!(search.data());
    object["sampler"] = json!(search.options.sampler);
    object["pruner"] = json!(search.options.pruner);
    object["seed"] = json!(search.options.seed);
    object["version"] = json!(env!("CARGO_PKG_VERSION"));
    object["format"] = json!(FORMAT);
    write(&search.folder.join(FILE), &object)
}

/// Writes the recipe of a trial, ready for `train`.
pub(super) fn write_recipe(search: &Search, trial: &Trial) -> Result<PathBuf, Error> {
    let path = search.folder.join(RECIPE);
    let recipe = search.recipe(trial)?;
    let text = format!("# Trial {} of the search {}\n{}", trial.number, search.name, recipe.to_toml());
    write_whole(&path, text.as_bytes()).map_err(Error::io(Tried::Write, &path))?;
    Ok(path)
}

/// The name of a state.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Complete => "complete",
        State::Pruned => "pruned",
        State::Fail => "failed",
        State::Waiting => "waiting",
    }
}

/// Trials as rows: number, state, value, epochs, a column for each parameter, and why one failed.
fn csv(search: &Search, trials: &[Trial]) -> String {
    let keys: Vec<&str> = search.space().parameters().iter().map(|parameter| &parameter.key[..]).collect();
    let field = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let mut text = String::from("number,state,value,epochs");
    keys.iter().for_each(|key| text += &format!(",{}", field(key)));
    text += ",why\n";
    for trial in trials {
        let value = trial.value().map_or(String::new(), |value| value.to_string());
        let _ = write!(text, "{},{},{value},{}", trial.number, state(trial.state), trial.intermediate.len());
        for key in &keys {
            let value = trial.params.get(*key).map_or(String::new(), |param| param.external().to_string());
            text += &format!(",{}", field(&value));
        }
        let why = trial.user_attributes.get(super::trial::WHY).and_then(Value::as_str).unwrap_or_default();
        text += &format!(",{}\n", field(why));
    }
    text
}

/// The object that `--json` prints.
pub(super) fn json(search: &Search, result: &SearchResult) -> Value {
    let count = |state: State| result.trials.iter().filter(|trial| trial.state == state).count();
    let best = result.best.and_then(|number| result.trials.iter().find(|trial| trial.number == number));
    let importance: Value = match &result.importance {
        Ok(of) => Value::Object(of.iter().map(|(key, share)| (key.clone(), json!(share))).collect()),
        Err(_) => Value::Null,
    };
    json!({
        "study": search.study,
        "folder": search.folder.to_string_lossy(),
        "metric": search.metric(),
        "direction": search.direction.name(),
        "trials": {
            "complete": count(State::Complete), "pruned": count(State::Pruned), "failed": super::failed(&result.trials).count(),
        },
        "best": best.map(|trial| json!({
            "number": trial.number, "value": trial.value(), "params": json_of(&search.settings(trial)),
        })),
        "honest": result.honest.as_ref().ok().map(super::Honest::to_json),
        "no_honest_score": result.honest.as_ref().err(),
        "importance": importance,
        "no_importance": result.importance.as_ref().err(),
        "recipe": result.recipe.as_ref().map(|path| path.to_string_lossy()),
        "page": result.page.to_string_lossy(),
        "stopped": result.stopped,
    })
}
