//! A run that goes on from a checkpoint: what was recorded behind it comes again, and the server has some of it already.

use super::ledger::Ledger;
use std::io;
use std::path::Path;

/// Tells the ledgers of a run folder that its `metrics.jsonl` is cut behind so many bytes, and goes on from there. What a server has of a later step
/// stays there and is not sent a second time, so that it shows one run.
///
/// # Errors
/// A ledger cannot be read or written.
pub fn rewind(folder: &Path, bytes: u64) -> io::Result<()> {
    let entries = match std::fs::read_dir(Ledger::folder(folder)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let mut ledger: Ledger = serde_json::from_slice(&std::fs::read(&path)?).map_err(io::Error::other)?;
        if ledger.acknowledged <= bytes && ledger.in_doubt.is_none_or(|doubt| doubt <= bytes) {
            continue;
        }
        ledger.acknowledged = ledger.acknowledged.min(bytes);
        ledger.in_doubt = None;
        (ledger.replays, ledger.reopens) = (true, ledger.run_id.is_some());
        ledger.write(&path)?;
    }
    Ok(())
}
