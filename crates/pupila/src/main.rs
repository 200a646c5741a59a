//! The command line: what was typed becomes a checked request, the libraries do the work, and what they found is told to a
//! person (standard output) or to a program (`--json`).

mod cli;
mod commands;
mod failure;
mod interrupt;
mod memory;
mod output;

use clap::Parser;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let started = Instant::now();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => {
            let typed: Vec<String> =
                std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
            let help = cli::with_hint(help, &typed);
            output::print_help(&help);
            return if help.use_stderr() { ExitCode::from(2) } else { ended(Ok(())) };
        }
    };
    start_log(cli.verbose);
    outlive_file_limits();
    // Before any work: a bound that is not understood is none that anybody meant.
    if let Err(error) = pupila::cache_bound() {
        return ended(Err(failure::Failure::from(error)));
    }
    let outcome = match cli.command {
        cli::Command::Train(arguments) => commands::train::run(&arguments, started),
        cli::Command::Resume(arguments) => commands::resume::run(&arguments, started),
        cli::Command::Verify(arguments) => commands::verify::run(&arguments),
        cli::Command::Eval(arguments) => commands::eval::run(&arguments),
        cli::Command::Predict(arguments) => commands::predict::run(&arguments),
        cli::Command::Compare(arguments) => commands::compare::run(&arguments),
        cli::Command::Inspect(arguments) => commands::inspect::run(&arguments),
        cli::Command::Study(arguments) => commands::study::run(&arguments),
        cli::Command::Search(arguments) => commands::search::run(&arguments),
        cli::Command::Runs(arguments) => commands::runs::run(&arguments),
        cli::Command::Augment(arguments) => commands::augment::run(&arguments),
        cli::Command::Bench(arguments) => commands::bench::run(&arguments),
        cli::Command::Sync(arguments) => commands::sync::run(&arguments),
        cli::Command::List(arguments) => commands::list::run(&arguments),
        cli::Command::Schema(arguments) => commands::schema::run(&arguments),
    };
    ended(outcome)
}

/// The exit code. A command whose answer could not be written has failed, whatever else it did.
fn ended(outcome: Result<(), failure::Failure>) -> ExitCode {
    let written = output::all_written().map_err(|error| {
        failure::Failure::Work(anyhow::Error::new(error).context("cannot write to standard output"))
    });
    match (outcome, written) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (Err(failure), Ok(())) | (Ok(()), Err(failure)) => failure.report(),
        (Err(failure), Err(lost)) => {
            lost.report();
            failure.report()
        }
    }
}

/// Warnings of the libraries go to standard error; `PUPILA_LOG` or `--verbose` shows more.
fn start_log(verbose: bool) {
    use tracing_subscriber::EnvFilter;
    // Without either, nothing: what a person must know is part of the command's own output.
    let default = if verbose { "debug" } else { "off" };
    let filter = EnvFilter::try_from_env("PUPILA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}

/// A file that reaches the limit of `ulimit -f` ends the process by a signal, with nothing said. Ignored, the write fails, and is told with its path.
#[cfg(unix)]
#[allow(unsafe_code)]
fn outlive_file_limits() {
    // SAFETY: no handler of ours runs, and no other thread is there yet.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
fn outlive_file_limits() {}
