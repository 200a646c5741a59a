//! A folder in which the program is run within bounds, and what must hold of every end.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A folder of a test.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        let prefix = format!("hostile-{name}-");
        let folder =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        World { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program within its bounds.
    fn pupila(&self, arguments: &[&OsStr]) -> Output {
        let bounded = "ulimit -v 2000000; ulimit -t 120; ulimit -c 0; exec timeout -s KILL 600 \"$0\" \"$@\"";
        Command::new("bash")
            .args(["-c", bounded, env!("CARGO_BIN_EXE_pupila")])
            .args(arguments)
            .current_dir(&self.folder)
            .env("PUPILA_CACHE_DIR", self.path("cache"))
            .env("PUPILA_STATE_DIR", self.path("state"))
            .env("RUST_BACKTRACE", "1")
            .env_remove("MLFLOW_TRACKING_URI")
            .output()
            .unwrap()
    }

    /// The same, and what must hold of every end.
    pub(crate) fn tried(&self, arguments: &[&str], what: &str) -> (i32, String) {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let output = self.pupila(&arguments);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code();
        assert!(
            code.is_some_and(|code| (0..=3).contains(&code)) && !said.contains("panicked"),
            "{what}: {arguments:?}: {:?}\n{said}",
            output.status
        );
        assert!(
            code == Some(0) || !output.stderr.is_empty() || !output.stdout.is_empty(),
            "{what}: no word of it"
        );
        // Names are shown without what a terminal obeys.
        assert!(
            !said.contains("\u{1b}[31mred"),
            "{what}: {arguments:?}: an escape of a name reaches the terminal"
        );
        (code.unwrap_or(-1), said)
    }

    /// Photographs to train on, different in their last bytes.
    pub(crate) fn photographs(&self, photograph: &[u8], data: &str) {
        for (split, n) in [("train", 6), ("val", 3)] {
            for class in ["a", "b"] {
                let folder = self.path(data).join(split).join(class);
                fs::create_dir_all(&folder).unwrap();
                for number in 0..n {
                    let bytes = [photograph, format!("{split}{class}{number}").as_bytes()].concat();
                    fs::write(folder.join(format!("good{number}.jpg")), bytes).unwrap();
                }
            }
        }
    }

    pub(crate) fn fifo(&self, path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
}

pub(crate) const TINY: [&str; 12] = [
    "--epochs",
    "1",
    "--size",
    "8",
    "--batch",
    "8",
    "--no-tensorboard",
    "--set",
    "model.name=mlp",
    "--set",
    "model.hidden=[4]",
    "--set",
];
