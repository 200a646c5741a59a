//! How a command fails, and the exit code that says so: 1 the work failed, 2 the request was wrong, 130 interrupted.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense or does not exist.
    Request(anyhow::Error),
    /// The work was begun and could not be done.
    Work(anyhow::Error),
    /// The user stopped it.
    Interrupted(String),
}

impl Failure {
    pub(crate) fn request(error: impl Into<anyhow::Error>) -> Self {
        Failure::Request(error.into())
    }

    pub(crate) fn work(error: impl Into<anyhow::Error>) -> Self {
        Failure::Work(error.into())
    }

    pub(crate) fn wrong(message: impl Display) -> Self {
        Failure::Request(anyhow::anyhow!("{message}"))
    }

    /// Tells the user and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Failure::Request(error) => {
                eprint_error(&error);
                ExitCode::from(2)
            }
            Failure::Work(error) => {
                eprint_error(&error);
                ExitCode::from(1)
            }
            Failure::Interrupted(message) => {
                eprintln!("{message}");
                ExitCode::from(130)
            }
        }
    }
}

impl From<pupila_train::DataError> for Failure {
    fn from(error: pupila_train::DataError) -> Self {
        use pupila_dataset::LoadError;
        use pupila_train::DataError;
        match error {
            DataError::Scan(_) => Failure::request(error),
            DataError::Load(LoadError::Interrupted) => {
                Failure::Interrupted("interrupted while the images were read; there is no run yet".into())
            }
            _ => Failure::work(error),
        }
    }
}

/// Prints an error and what caused it; a cause that the message already holds is not said twice.
fn eprint_error(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let mut lines = text.lines();
    eprintln!("error: {}", lines.next().unwrap_or_default());
    lines.for_each(|line| eprintln!("       {line}"));
}
