//! What a server has acknowledged of a run: a small file in the run folder, one for each server and experiment.

use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The state of sending a run to one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    /// The server, without credentials.
    pub server: String,
    /// The experiment's name.
    pub experiment: String,
    /// A name that the server's run carries as a tag, so that it is found again when the answer to its creation was lost.
    pub mark: String,
    pub experiment_id: Option<String>,
    pub run_id: Option<String>,
    /// Where the server keeps the run's artifacts.
    pub artifact_uri: String,
    /// Bytes of `metrics.jsonl` that are acknowledged.
    pub acknowledged: u64,
    /// Where the last request ended that may or may not have arrived.
    pub in_doubt: Option<u64>,
    /// Whether the run goes on from before what is acknowledged: its lines come again, with other times, and what the server has of a step stays.
    pub replays: bool,
    /// Whether the server is to be told that the run goes on.
    pub reopens: bool,
    /// The logged model, where the server has these.
    pub model_id: Option<String>,
    /// Whether the server was found to have no logged models.
    pub without_logged_models: bool,
    /// Files that cannot be sent to this server, and why.
    pub skipped: Vec<String>,
}

impl Ledger {
    /// The folder of the ledgers in a run folder.
    const FOLDER: &'static str = "mlflow";

    /// Where the ledgers of a folder are.
    pub(super) fn folder(run: &Path) -> PathBuf {
        run.join(Self::FOLDER)
    }

    pub(super) fn path(run: &Path, server: &str, experiment: &str) -> PathBuf {
        let hash = twox_hash::XxHash3_64::oneshot(format!("{server}\n{experiment}").as_bytes());
        Self::folder(run).join(format!("{hash:016x}.json"))
    }

    /// The ledger, a new one where there is none.
    pub(super) fn open(path: &Path, server: &str, experiment: &str) -> io::Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let unique =
                    format!("{:?} {} {}", std::time::SystemTime::now(), std::process::id(), path.display());
                Ok(Ledger {
                    server: server.to_owned(),
                    experiment: experiment.to_owned(),
                    mark: format!("{:016x}", twox_hash::XxHash3_64::oneshot(unique.as_bytes())),
                    ..Ledger::default()
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes it whole or not at all.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = path.with_extension("new");
        let mut file = std::fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&new, path)
    }
}
