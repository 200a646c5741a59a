//! How a command fails, and the exit code that says so: 1 the work failed, 2 the request was wrong, 3 there are findings, 130 interrupted.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for makes no sense or does not exist.
    Request(anyhow::Error),
    /// The work was begun and could not be done.
    Work(anyhow::Error),
    /// The work was done, and found what the request calls a failure. All is said already.
    Findings,
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

    /// For `map_err`: a file that could not be written.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
        let message = format!("cannot write {}", path.display());
        move |error| Failure::Work(anyhow::Error::new(error).context(message))
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
            Failure::Findings => ExitCode::from(3),
            Failure::Interrupted(message) => {
                eprintln!("{message}");
                ExitCode::from(130)
            }
        }
    }
}

impl From<pupila::Error> for Failure {
    fn from(error: pupila::Error) -> Self {
        use pupila::ErrorKind;
        match (error.kind(), &error) {
            (ErrorKind::Request, _) => Failure::request(error),
            (ErrorKind::Work, _) => Failure::work(error),
            (ErrorKind::Stopped, pupila::Error::Stopped(message)) => {
                Failure::Interrupted((*message).to_owned())
            }
            (ErrorKind::Stopped, _) => {
                Failure::Interrupted("interrupted while the images were read; there is no run yet".into())
            }
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
    let text = crate::output::without_controls(&text);
    let mut lines = text.lines();
    eprintln!("error: {}", lines.next().unwrap_or_default());
    lines.for_each(|line| eprintln!("       {line}"));
}
