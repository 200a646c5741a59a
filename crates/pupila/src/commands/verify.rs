//! `pupila verify`: runs a run again, and says whether every byte is the same.

use super::tell;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen_saying;
use crate::output::Output;
use pupila::{Verification, VerificationOptions};
use serde_json::json;
use std::sync::Arc;

/// Differences that are told one by one.
const TOLD: usize = 20;

pub(crate) fn run(arguments: &cli::Verify) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let bar = tell::bar(0, tell::READING);
    let shown = bar.clone();
    let run = arguments.run.clone();
    let options = VerificationOptions {
        data: arguments.data.clone(),
        threads: Some(arguments.threads.count()),
        stop: listen_saying("nothing is verified"),
        progress: Some(Arc::new(move |progress| tell::advance(&shown, progress))),
        begins: Some(Arc::new(move || {
            output.say(format_args!("{} is run again, which takes as long as it did", run.display()));
        })),
    };
    let verified = Verification::of(&arguments.run, &options);
    bar.finish_and_clear();
    let verified = verified?;
    for note in &verified.notes {
        output.warn(note);
    }
    output.object(&json!({
        "run": arguments.run.to_string_lossy(),
        "same": verified.differences.is_empty(),
        "files": verified.files,
        "differences": verified.differences.iter().map(|difference| json!({
            "file": difference.file, "place": difference.place, "message": difference.to_string(),
        })).collect::<Vec<_>>(),
        "reasons": verified.reasons,
    }));
    if verified.differences.is_empty() {
        output.say(format_args!(
            "the same to the byte: {} files ({})",
            verified.files.len(),
            verified.files.join(", ")
        ));
        return Ok(());
    }
    for difference in verified.differences.iter().take(TOLD) {
        output.say(difference);
    }
    if verified.differences.len() > TOLD {
        output.say(format_args!("and {} more", verified.differences.len() - TOLD));
    }
    for reason in &verified.reasons {
        output.say(reason);
    }
    Err(Failure::Findings)
}
