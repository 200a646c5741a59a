//! Runs on a server that another run stands in for: a run of a study that was interrupted is made anew, and a study has one child for each.
//!
//! In: the ledgers of a run folder that is about to be removed, which are kept in the folder of its group. Out: the runs that they know, deleted
//! on the server as a user deletes them in its pages: hidden, and in the server's trash until that is emptied.

use super::client::ClientError;
use super::delivery::{Delivery, DeliveryError};
use super::ledger::Ledger;
use super::target::Target;
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the names of such ledgers begin with.
const REPLACED: &str = "replaced-";

/// Keeps the ledgers of a run folder that is to be made anew, in the folder of its group. Nothing where the run was never sent.
///
/// # Errors
/// The file system refuses.
pub fn set_aside(run: &Path, group: &Path) -> io::Result<()> {
    for (path, ledger) in ledgers(run)? {
        if ledger.mark.is_empty() {
            continue;
        }
        let aside = Ledger::folder(group).join(format!("{REPLACED}{}.json", ledger.mark));
        // Written and not moved: a process that is killed between two files does the same again.
        ledger.write(&aside)?;
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Deletes on a server the runs of ledgers that [`set_aside`] has kept for it; how many. Those of other servers stay for later.
///
/// # Errors
/// The server does not answer, or refuses; nothing is lost then. A run that it has no more is done with.
pub fn delete_replaced(group: &Path, target: &Target) -> Result<usize, DeliveryError> {
    let failed = |source| DeliveryError::Folder { path: Ledger::folder(group), source };
    let mut deleted = 0;
    for (path, ledger) in ledgers(group).map_err(failed)? {
        let is_kept = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(REPLACED));
        if !is_kept || ledger.server != target.uri || ledger.experiment != target.experiment {
            continue;
        }
        let delivery = Delivery::of_ledger(group, target.clone(), ledger, path.clone());
        if let Some(id) = delivery.known_run()? {
            match delivery.client.post("mlflow/runs/delete", &json!({ "run_id": id })) {
                Ok(_) => deleted += 1,
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        match fs::remove_file(&path) {
            // Another worker of the study was at it too.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(deleted)
}

/// Whether the server has no such run, or has it in its trash already: MLflow says so of a run that is not active.
fn is_gone(error: &ClientError) -> bool {
    error.is_missing()
        || matches!(error, ClientError::Refused { code, .. } if code == "INVALID_PARAMETER_VALUE")
}

/// The ledgers of a folder, by their places; what is none is left out.
fn ledgers(folder: &Path) -> io::Result<Vec<(PathBuf, Ledger)>> {
    let entries = match fs::read_dir(Ledger::folder(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if let Some(ledger) = is_json.then(|| fs::read(&path).ok()).flatten()
            && let Ok(ledger) = serde_json::from_slice(&ledger)
        {
            found.push((path, ledger));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}
