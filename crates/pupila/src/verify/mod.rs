//! A run that is run again, to see whether it is what it says.
//!
//! In: a run folder. Out: where it differs from what its recipe makes of its data here and now, and why that may be.

pub mod sameness;

use crate::error::{Error, Tried};
use crate::resume::{data_of, resolve};
use crate::session::{OnProgress, Session};
use crate::stop_signal::StopSignal;
use pupila_engine::Isa;
use pupila_run::{RunEnd, RunFolder, RunLock, Summary};
use sameness::{Difference, Side, differences};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

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
        let status = match folder.summary()? {
            Some(Summary::Run(summary)) => summary.status,
            _ => return Err(Error::request(format_args!("{shown} holds no run that has ended"))),
        };
        // What is wrong with its files is found by comparing them. The lock is left where a process was killed, or works on it.
        let goes_on = folder.file(RunLock::NAME).exists();
        if goes_on || matches!(status, RunEnd::Interrupted | RunEnd::Ended) {
            return Err(Error::request(format_args!(
                "{shown} has not come to its own end, so nobody knows where to stop: go on with it by `pupila resume {shown}`, and verify it then"
            )));
        }
        let path = folder.file(RunFolder::RECIPE);
        let text = fs::read_to_string(&path).map_err(Error::io(Tried::Read, &path))?;
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
        let temporary = tempfile::tempdir().map_err(Error::io(Tried::MakeFolder, std::env::temp_dir()))?;
        let mut builder = Session::builder(recipe, &data)
            .runs(temporary.path())
            .name(&name)
            .save_while_running(false)
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
        let again = builder.open()?.run(&mut ())?;
        if again.outcome().end == RunEnd::Interrupted {
            return Err(Error::Stopped("interrupted: nothing is verified"));
        }
        let given = match environment.data.given.as_str() {
            "" => environment.data.path.clone(),
            given => given.to_owned(),
        };
        let found = Side { folder: folder.path().to_owned(), data: given };
        let expected =
            Side { folder: again.folder().path().to_owned(), data: data.to_string_lossy().into_owned() };
        let (differences, files) =
            differences(&found, &expected).map_err(Error::io(Tried::Read, folder.path()))?;
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
                "data, version and instruction set are those of the run: a file of its folder was changed, or it was trained on by `resume --epochs`"
                    .into(),
            ),
            (false, false) => verification.reasons = made,
        }
        Ok(verification)
    }
}
