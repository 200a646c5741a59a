//! Trials that were interrupted: who takes them up again, and where they go on.
//!
//! In: the storage, and what is left in the folders of trials' runs. Out: a run that goes on from its checkpoint, one that has ended and was not
//! told to the storage yet, or one that begins anew, and why. A trial that was interrupted waits under its number with what it has reported. One
//! whose worker was silent for too long is another trial then, as in Optuna, with the same values, and goes on in the folder of the one that was
//! lost where that can be had.

use super::Search;
use super::trial::{Ended, INTERRUPTED, RETRIES, RUN, fail, is_run_name, outcome, run_name};
use crate::error::Error;
use crate::resume::{clear_up, resolve};
use crate::runs::remove_unfinished;
use crate::session::GoingOn;
use crate::study::has_ended;
use pupila_run::{RunEnd, RunFolder, Summary};
use pupila_search::storage::{HEARTBEAT, Storage};
use pupila_search::{State, Trial};
use pupila_train::{CheckedRecipe, EpochRecord, flat_recipe};
use serde_json::{Value, json};
use std::path::Path;

/// The attribute that says in whose search folder a trial runs.
pub(super) const WORKER: &str = "pupila:worker";
/// The attribute of a trial that a pruner has ended: the epoch, and the words. Written before anything else that follows from it, so that a worker
/// that is killed then is taken at its word.
pub(super) const PRUNED: &str = "pupila:pruned";
/// The attribute that says how often in a row a trial was taken up from a process that was gone, and how many epochs it had reported then.
const TAKEN_UP: &str = "pupila:taken_up";

/// Lets a trial wait that this process cannot go on with.
pub(super) fn put_back(storage: &dyn Storage, number: u64) -> Result<(), Error> {
    Ok(storage.put_back(number, &[(WORKER, Value::Null)])?)
}

/// Takes up the trials of this folder that still run by the storage, where it is known that nobody works in the folder. `own`: the storage is the
/// folder's own; then a trial that nobody has signed yet was most likely begun here.
pub(super) fn take_up_all(storage: &dyn Storage, own: bool, worker: Option<&str>) -> Result<(), Error> {
    for lost in storage.trials()?.iter().filter(|trial| trial.state == State::Running) {
        let is_ours = match lost.user_attributes.get(WORKER).and_then(Value::as_str) {
            Some(of) => Some(of) == worker,
            // A program that knows no heartbeats, as Optuna's own, may be at work.
            None => {
                let beats = lost.system_attributes.get(HEARTBEAT).is_some_and(Value::is_string);
                own && beats && lost.intermediate.is_empty()
            }
        };
        if is_ours {
            take_up(storage, lost)?;
        }
    }
    Ok(())
}

/// A trial may be what ends its workers, by the memory that it takes: one that comes no epoch further in some times is given up.
fn take_up(storage: &dyn Storage, lost: &Trial) -> Result<(), Error> {
    let reported = lost.intermediate.len() as u64;
    let known = lost.user_attributes.get(TAKEN_UP);
    let of = |place: usize| known.and_then(|known| known.get(place)?.as_u64()).unwrap_or(0);
    let times = if reported > of(1) { 1 } else { of(0) + 1 };
    if times > RETRIES as u64 {
        return fail(storage, lost.number, INTERRUPTED);
    }
    Ok(storage.put_back(lost.number, &[(TAKEN_UP, json!([times, reported])), (WORKER, Value::Null)])?)
}

/// Where a trial is begun or gone on with.
pub(super) enum Place {
    /// In a folder of its own, at the beginning; and why, if it was begun before.
    Beginning(Option<String>),
    /// From a checkpoint.
    Checkpoint(Box<GoingOn>),
    /// Its run has ended.
    Ended(Ended),
}

/// The name of a trial's run, and where it is to go on.
pub(super) fn place(
    search: &Search,
    trial: &Trial,
    recipe: &CheckedRecipe,
) -> Result<(String, Place), Error> {
    let own = run_name(trial.number);
    let lost = trial.system_attributes.get("retry_history").and_then(Value::as_array);
    let lost = lost.into_iter().flatten().filter_map(Value::as_u64).map(run_name);
    let former = trial.user_attributes.get(RUN).and_then(Value::as_str).map(str::to_owned);
    let was_begun = former.is_some() || trial.system_attributes.contains_key("retry_history");
    // The last that ran it has come furthest. Names of others' folders are not trusted with anything but this.
    let mut names: Vec<String> = lost.chain(former.filter(|name| is_run_name(name))).collect();
    names.reverse();
    let mut why = "its run is not in this folder".to_owned();
    for name in names {
        let folder = search.folder.join(&name);
        if !folder.is_dir() {
            continue;
        }
        if has_ended(&folder)? {
            match cleared(&folder, recipe) {
                Ok(()) => {
                    if let Some(ended) = ended(search, trial, &folder)? {
                        return Ok((name, Place::Ended(ended)));
                    }
                }
                Err(reason) => why = reason,
            }
            continue;
        }
        match GoingOn::find(&folder, recipe) {
            Ok(going_on) => return Ok((name, Place::Checkpoint(Box::new(going_on)))),
            Err(reason) => why = reason,
        }
    }
    let folder = search.folder.join(&own);
    remove_unfinished(&folder)?;
    Ok((own, Place::Beginning(was_begun.then_some(why))))
}

/// Removes what a run of this recipe has left that has ended and whose process was gone before it had cleared up; why it is not to be had.
fn cleared(folder: &Path, recipe: &CheckedRecipe) -> Result<(), String> {
    let files = RunFolder::open(folder).map_err(|_| "its run is gone")?;
    let text = files.recipe().map_err(|error| error.to_string())?.ok_or("its recipe is gone")?;
    let before = resolve(&files, &text, Vec::new()).map_err(|error| error.to_string())?;
    if flat_recipe(&before) != flat_recipe(recipe) {
        return Err("its run was of another recipe".to_owned());
    }
    clear_up(folder, recipe).map_err(|error| error.to_string())
}

/// How a trial ended whose run has left all that it leaves, and whose worker was gone before it could say so.
fn ended(search: &Search, trial: &Trial, folder: &Path) -> Result<Option<Ended>, Error> {
    let files = RunFolder::open(folder)?;
    let Some(Summary::Run(summary)) = files.summary()? else { return Ok(None) };
    let name = search.monitor.name;
    let (tag, mut last) = (search.metric(), None);
    for (epoch, values) in files.epochs()? {
        let value = values.iter().find(|(key, _)| *key == tag);
        let (step, Some(&(_, value))) = (i64::from(epoch), value) else { continue };
        last = Some(value);
        if !trial.intermediate.contains_key(&step) {
            search.storage.report(trial.number, step, value)?;
        }
    }
    let value = summary.val.as_ref().and_then(|val| val.get(name).copied().flatten());
    // Under another number the trial does not know it, and its run does.
    let by_run = || summary.ended_because.clone().filter(|_| summary.status == RunEnd::Ended);
    let why = pruned(trial).map(|(_, why)| why).or_else(by_run);
    Ok(Some(outcome(search, summary.status, why, value, summary.best_epoch, last)))
}

/// Which epoch a pruner has ended a trial in, and its words.
pub(super) fn pruned(trial: &Trial) -> Option<(u32, String)> {
    let known = trial.user_attributes.get(PRUNED)?;
    let epoch = known.get(0)?.as_u64().and_then(|epoch| u32::try_from(epoch).ok())?;
    Some((epoch, known.get(1)?.as_str()?.to_owned()))
}

/// The epochs that a run has behind it where it goes on.
pub(super) fn behind(place: &Place) -> Vec<EpochRecord> {
    match place {
        Place::Checkpoint(going_on) => {
            going_on.checkpoint.as_ref().map_or_else(Vec::new, |checkpoint| checkpoint.state.epochs.clone())
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_search::storage::Memory;
    use std::collections::BTreeMap;

    #[test]
    fn only_what_this_folder_has_signed_is_taken_up() {
        let storage = Memory::default();
        let signed = |worker: Option<&str>, beats: bool| {
            let number = storage.create().unwrap();
            let signature: Vec<_> = worker.map(|worker| (WORKER, json!(worker))).into_iter().collect();
            storage.set_params(number, &BTreeMap::new(), &signature).unwrap();
            if beats {
                storage.set_attribute(number, true, HEARTBEAT, &json!("2026-01-01T00:00:00")).unwrap();
            }
            number
        };
        let ours = signed(Some("a"), true);
        let others = signed(Some("b"), true);
        // Begun a moment ago, or by a program that knows no heartbeats.
        let (unsigned, foreign) = (signed(None, true), signed(None, false));
        let state = |number: u64| storage.trials().unwrap()[number as usize].state;
        take_up_all(&storage, false, Some("a")).unwrap();
        assert_eq!(
            [ours, others, unsigned, foreign].map(state),
            [State::Waiting, State::Running, State::Running, State::Running]
        );
        take_up_all(&storage, true, Some("a")).unwrap();
        assert_eq!([others, unsigned, foreign].map(state), [State::Running, State::Waiting, State::Running]);
    }
}
