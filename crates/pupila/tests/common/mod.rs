//! Runs the binary on the sample photographs, each test in a folder and with a cache of its own.
#![allow(clippy::unwrap_used, dead_code)]

pub mod killed;
pub mod made_runs;
pub mod planted;
pub mod studies;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub struct Sandbox {
    pub folder: TempDir,
}

pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON object: {e}\n{}\n{}", self.stdout, self.stderr))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The sample photographs.
pub fn skin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/skin").canonicalize().unwrap()
}

impl Sandbox {
    pub fn new() -> Self {
        Sandbox { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
        command.args(arguments).current_dir(self.folder.path()).env("PUPILA_CACHE_DIR", self.path("cache"));
        command.env("PUPILA_STATE_DIR", self.path("state"));
        command.env_remove("PUPILA_LOG").env_remove("PUPILA_ISA").env("COLUMNS", "100");
        for name in ["URI", "USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS"] {
            command.env_remove(format!("MLFLOW_TRACKING_{name}"));
        }
        command.env_remove("MLFLOW_EXPERIMENT_NAME").env_remove("MLFLOW_RUN_ID");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// A short training run on small pictures; the run's folder is `runs/NAME`.
    pub fn train(&self, data: &Path, name: &str, more: &[&str]) -> Ran {
        let data = data.to_str().unwrap();
        let mut arguments = vec!["train", data, "--name", name, "--epochs", "2", "--size", "16", "--json"];
        arguments.extend(more);
        self.run(&arguments)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}
