//! `pupila runs`: which runs there are, what they take on disk, and their deletion.

use super::tell_runs::{after, ago, before, listed};
use crate::cli;
use crate::failure::Failure;
use crate::output::Output;
use pupila::runs::{Deletion, Listing, Order, What};
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::SystemTime;

/// The folder that `train` and `study` make runs in, if they are told no other.
const RUNS: &str = "runs";

pub(crate) fn run(arguments: &cli::Runs) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let folder = arguments.dir.as_deref().unwrap_or(Path::new(RUNS));
    match (arguments.delete.as_slice(), arguments.delete_models.as_slice()) {
        ([], []) if arguments.yes => {
            Err(Failure::wrong("--yes is for --delete and --delete-models: name what is to be deleted"))
        }
        ([], []) => list(arguments, output, folder),
        ([], models) => {
            let deletion = Deletion::plan(folder, models, What::Models, SystemTime::now());
            delete(arguments, output, deletion.map_err(Failure::request)?)
        }
        (names, _) => {
            let deletion = Deletion::plan(folder, names, What::Folders, SystemTime::now());
            delete(arguments, output, deletion.map_err(Failure::request)?)
        }
    }
}

fn list(arguments: &cli::Runs, output: Output, folder: &Path) -> Result<(), Failure> {
    // Before the first run there is no such folder, which is nothing wrong.
    if arguments.dir.is_none() && !folder.exists() {
        output.say("there are no runs yet; `pupila train DATA` makes one");
        output.object(&json!({ "runs": [], "bytes": 0 }));
        return Ok(());
    }
    let mut listing = Listing::read(folder)?;
    listing.sort(match arguments.sort {
        cli::Sort::Age => Order::Age,
        cli::Sort::Score => Order::Score,
        cli::Sort::Size => Order::Size,
        cli::Sort::Name => Order::Name,
    });
    let lines = listed(&listing, SystemTime::now(), output.width());
    if let Some(head) = &lines.head {
        output.heading(head);
    }
    lines.rows.iter().for_each(|line| output.say(line));
    output.object(&listing.to_json());
    Ok(())
}

/// Deletes what is planned, once that is wanted for certain.
fn delete(arguments: &cli::Runs, output: Output, deletion: Deletion) -> Result<(), Failure> {
    for name in &deletion.without_model {
        output.say(format_args!("{name} has no model to delete"));
    }
    if deletion.items.is_empty() {
        output.object(&json!({ "deleted": [], "bytes": 0 }));
        return Ok(());
    }
    before(&deletion, output.width()).iter().for_each(|line| output.say(line));
    let mut recent = Vec::new();
    for item in &deletion.items {
        if let Some(time) = item.recent {
            recent.push(format!("{} was written {} and may be running", item.name, ago(time)));
        }
    }
    if arguments.yes {
        recent.iter().for_each(|line| output.warn(line));
    } else if !recent.is_empty() {
        let lines = recent.join("\n");
        return Err(Failure::wrong(format_args!(
            "nothing was deleted: {lines}\nwait a minute, or add --yes if nothing writes it any more"
        )));
    } else if !std::io::stdin().is_terminal() {
        return Err(Failure::wrong(
            "nothing was deleted: standard input is no terminal, so nobody can be asked; add --yes to delete",
        ));
    } else {
        output.say("Delete? Type y for yes, anything else for no:");
        if !wanted(std::io::stdin().lock()) {
            output.say("nothing was deleted");
            output.object(&json!({ "deleted": [], "bytes": 0 }));
            return Ok(());
        }
    }
    let what = deletion.what;
    let deleted = deletion.carry_out();
    if !deleted.items.is_empty() {
        output.say(after(what, &deleted));
    }
    let objects = deleted
        .items
        .iter()
        .map(|item| json!({ "name": item.name, "path": item.path.to_string_lossy(), "bytes": item.bytes }));
    output.object(&json!({ "deleted": objects.collect::<Vec<_>>(), "bytes": deleted.bytes() }));
    if deleted.failures.is_empty() {
        return Ok(());
    }
    let failures =
        deleted.failures.iter().map(|(path, error)| format!("cannot delete {}: {error}", path.display()));
    Err(Failure::work(anyhow::anyhow!("{}", failures.collect::<Vec<_>>().join("\n"))))
}

/// Whether the answer is yes. No answer is none.
fn wanted(mut answers: impl BufRead) -> bool {
    let mut line = String::new();
    answers.read_line(&mut line).is_ok() && ["y", "yes"].contains(&line.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn only_a_yes_deletes() {
        assert_eq!(
            ["y\n", "Yes \n", "n\n", "\n", "", "yy\n", "\u{ff}\n"].map(|answer| wanted(answer.as_bytes())),
            [true, true, false, false, false, false, false]
        );
        assert!(!wanted(&b"\xff\n"[..]));
    }
}
