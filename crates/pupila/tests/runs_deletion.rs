//! What is deleted of a folder of runs and what never is, through the library. File times and the clock are set.
#![allow(clippy::unwrap_used)]

mod common;

use common::made_runs::{Runs, SECOND, delete};
use pupila::RunFolder;
use pupila::runs::{Deletion, Listing, Refusal, Refusals, ToDelete, ToDeleteKind, What};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The names of what is listed in a folder.
fn left(folder: &Path) -> Vec<String> {
    Listing::read(folder).unwrap().entries.into_iter().map(|entry| entry.name).collect()
}

/// The reasons of a refusal, each on a line.
fn refused(runs: &Runs, names: &[&str]) -> Vec<Refusal> {
    delete(runs, names, What::Folders, 10_000).unwrap_err().0
}

#[test]
fn whole_runs_go_by_name_by_path_and_in_their_study() {
    let runs = Runs::new();
    runs.study("s", 10, 2);
    for name in ["a", "b", "c", "s/a-seed0", "s/a-seed1"] {
        runs.ended(name, 10, |_| {});
    }
    runs.evaluation("a/eval-val-1", 10);
    runs.write("a", "mlflow/0123.json", "{}", 10);
    runs.write("a", "events.out.tfevents.1.host.2.0", "x", 10);
    let by_path = runs.path("b");
    let asked = ["a", "./a/", by_path.to_str().unwrap(), "s/a-seed0"];
    let deletion = delete(&runs, &asked, What::Folders, 10_000).unwrap();
    let planned: Vec<(&str, u64)> =
        deletion.items.iter().map(|item| (item.name.as_str(), item.bytes)).collect();
    let bytes = |name: &str| runs.bytes(name);
    assert_eq!(planned, [("a", bytes("a")), ("b", bytes("b")), ("s/a-seed0", bytes("s/a-seed0"))]);
    let expected = deletion.bytes();
    let deleted = deletion.carry_out();
    assert!(deleted.failures.is_empty(), "{:?}", deleted.failures);
    assert_eq!((deleted.items.len(), deleted.bytes()), (3, expected));
    assert_eq!(left(&runs.path("")), ["c", "s"]);
    assert_eq!(left(&runs.path("s")), ["a-seed1"]);

    // A study goes with its runs, which are not counted twice.
    let deletion = delete(&runs, &["s/a-seed1", "s"], What::Folders, 10_000).unwrap();
    let [ToDelete { kind: ToDeleteKind::Study { runs: 1 }, bytes: all, .. }] = deletion.items[..] else {
        panic!("one study")
    };
    assert_eq!(all, bytes("s"));
    deletion.carry_out();
    assert!(!runs.path("s").exists() && runs.path("c").exists());
}

#[test]
fn models_alone_go_and_the_records_stay() {
    let runs = Runs::new();
    runs.study("s", 10, 2);
    for name in ["a", "b", "s/a-seed0", "s/a-seed1"] {
        runs.ended(name, 10, |_| {});
    }
    fs::remove_file(runs.path("b").join(RunFolder::MODEL)).unwrap();
    // Half a model, as of a run that was killed while it wrote it, is one too.
    runs.write("a", "best.safetensors.partial", "mod", 10);
    // What somebody keeps beside the records stays.
    runs.write("a", "notes.txt", "good", 10);
    let deletion = delete(&runs, &["a", "b", "s"], What::Models, 10_000).unwrap();
    assert_eq!(deletion.without_model, ["b"]);
    let model = fs::metadata(runs.path("a").join(RunFolder::MODEL)).unwrap().len();
    let planned: Vec<_> = deletion.items.iter().map(|item| (item.name.as_str(), item.bytes)).collect();
    assert_eq!(planned, [("a", model + 3), ("s", 2 * model)]);
    let before = runs.bytes("");
    assert!(deletion.carry_out().failures.is_empty());
    assert_eq!(runs.bytes(""), before - 3 * model - 3);
    let statuses = Listing::read(&runs.path("")).unwrap().entries;
    assert!(statuses.iter().any(|entry| entry.name == "a" && entry.status() == "completed"));
    let none = delete(&runs, &["a", "s"], What::Models, 10_000).unwrap();
    assert_eq!((none.items.len(), none.without_model.len()), (0, 2));
}

#[test]
fn whatever_is_not_ours_stays_and_all_reasons_are_told_before_anything_goes() {
    let runs = Runs::new();
    runs.ended("good", 10, |_| {});
    runs.ended("noted", 10, |_| {});
    runs.write("noted", "notes.txt", "mine", 10);
    runs.write("noted", "eval-val-1/photographs/x.jpg", "mine", 10);
    runs.evaluation("judged", 10);
    fs::create_dir(runs.path("photographs")).unwrap();
    runs.study("s", 10, 1);
    runs.write("s", "thesis.tex", "mine", 10);
    let elsewhere = Runs::new();
    elsewhere.ended("run", 10, |_| {});
    let far = elsewhere.path("run");
    let asked =
        ["good", "noted", "judged", "photographs", "s", far.to_str().unwrap(), "nothing", "..", ".", ""];
    let all = refused(&runs, &asked);
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    let of = |at: usize| (&all[at], told[at].as_str());
    // Those that are not found come first.
    assert!(matches!(of(0), (Refusal::Elsewhere(..), text) if text.contains("give the folder")), "{told:?}");
    assert!(all[1..5].iter().all(|one| matches!(one, Refusal::Missing(..))), "{told:?}");
    let (Refusal::Foreign(_, paths), text) = of(5) else { panic!("{told:?}") };
    assert_eq!(*paths, [Path::new("eval-val-1/photographs"), Path::new("notes.txt")]);
    assert!(text.contains("move it elsewhere first"));
    assert!(matches!(of(6), (Refusal::NoRun(..), text) if text.contains("pupila eval")));
    assert!(matches!(of(7), (Refusal::NoRun(..), text) if text.contains("no recipe.toml")));
    assert!(matches!(of(8), (Refusal::Foreign(..), text) if text.contains("thesis.tex")));
    assert_eq!(all.len(), 9);
    let one_text = Refusals(all).to_string();
    assert!(told.iter().all(|line| one_text.contains(line)), "{one_text}");
    for name in ["good", "noted", "judged", "photographs", "s"] {
        assert!(runs.path(name).exists(), "{name}");
    }
    assert!(far.exists());
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    use std::os::unix::fs::symlink;
    let runs = Runs::new();
    let elsewhere = Runs::new();
    elsewhere.ended("run", 10, |_| {});
    elsewhere.study("s", 10, 1);
    elsewhere.ended("s/a-seed0", 10, |_| {});
    symlink(elsewhere.path("run"), runs.path("link")).unwrap();
    symlink(elsewhere.path("s"), runs.path("study")).unwrap();
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!((listing.entries.len(), listing.others.len(), listing.bytes()), (0, 2, 0));
    let refusals = refused(&runs, &["link", "link/", "study", "study/a-seed0"]);
    assert!(
        matches!(refusals[..], [Refusal::Elsewhere(..), Refusal::Link(_), Refusal::Link(_)]),
        "{refusals:?}"
    );

    // In a run folder a link is nothing of ours, whatever its name.
    runs.ended("run", 10, |_| {});
    symlink(elsewhere.path("run"), runs.path("run/eval-val-1")).unwrap();
    assert!(matches!(refused(&runs, &["run"])[..], [Refusal::Foreign(..)]));
    fs::remove_file(runs.path("run/eval-val-1")).unwrap();
    fs::remove_file(runs.path("run").join(RunFolder::MODEL)).unwrap();
    symlink(elsewhere.path("run").join(RunFolder::MODEL), runs.path("run").join(RunFolder::MODEL)).unwrap();
    assert!(matches!(delete(&runs, &["run"], What::Models, 10_000).unwrap_err().0[..], [Refusal::Link(_)]));
    assert!(elsewhere.path("run").join(RunFolder::MODEL).exists() && elsewhere.path("s/a-seed0").exists());

    // The folder of the runs itself may be reached by a link, as where it is on another disk.
    symlink(elsewhere.path(""), runs.path("disk")).unwrap();
    assert_eq!(left(&runs.path("disk")), ["run", "s"]);
    let deletion = Deletion::plan(
        &runs.path("disk"),
        &[runs.path("disk/run")],
        What::Folders,
        UNIX_EPOCH + 10_000 * SECOND,
    );
    assert!(deletion.unwrap().carry_out().failures.is_empty());
    assert!(!elsewhere.path("run").exists());
}

#[test]
fn a_study_that_is_running_and_its_runs_stay() {
    let runs = Runs::new();
    runs.study("s", 10, 1);
    runs.ended("s/a-seed0", 10, |_| {});
    let lock = File::create(runs.path("s/study.lock")).unwrap();
    lock.lock().unwrap();
    for what in [What::Folders, What::Models] {
        for name in ["s", "s/a-seed0"] {
            let refusals = delete(&runs, &[name], what, 10_000).unwrap_err().0;
            assert!(matches!(refusals[..], [Refusal::Running(_)]), "{name}: {refusals:?}");
        }
        // The same from inside.
        let names = [PathBuf::from("a-seed0")];
        let refusals = Deletion::plan(&runs.path("s"), &names, what, UNIX_EPOCH + 10_000 * SECOND);
        assert!(matches!(refusals.unwrap_err().0[..], [Refusal::Running(_)]));
    }
    drop(lock);
    // Two runs of one study need its lock once, and as long as the plan stands nobody else gets it.
    runs.ended("s/a-seed1", 10, |_| {});
    let deletion = delete(&runs, &["s/a-seed0", "s/a-seed1"], What::Folders, 10_000).unwrap();
    let lock = File::open(runs.path("s/study.lock")).unwrap();
    assert!(lock.try_lock_shared().is_err());
    deletion.carry_out();
    assert!(lock.try_lock_shared().is_ok());
    assert!(runs.path("s/study.json").exists() && !runs.path("s/a-seed1").exists());
}

#[test]
fn what_was_just_written_is_known() {
    let runs = Runs::new();
    runs.begun("run", 1000, 1);
    runs.study("locked", 1000, 1);
    runs.study("without-a-lock", 1000, 1);
    drop(File::create(runs.path("locked/study.lock")).unwrap());
    let recent = |name: &str, now| delete(&runs, &[name], What::Folders, now).unwrap().items[0].recent;
    assert_eq!(
        [1000, 1059, 1060].map(|now| recent("run", now)),
        [Some(Duration::ZERO), Some(59 * SECOND), None]
    );
    assert_eq!(recent("run", 10), Some(Duration::ZERO), "a clock that was set back");
    // Its lock tells that nobody runs it.
    assert_eq!(recent("locked", 1000), None);
    assert_eq!(recent("without-a-lock", 1000), Some(Duration::ZERO));
}

#[test]
fn what_is_left_of_an_interrupted_deletion_can_be_deleted() {
    let runs = Runs::new();
    runs.ended("run", 10, |_| {});
    runs.study("s", 10, 1);
    for entry in fs::read_dir(runs.path("run")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with(RunFolder::RECIPE) && !path.ends_with(RunFolder::ENVIRONMENT) {
            fs::remove_file(path).unwrap();
        }
    }
    // A run of a study that was killed at once.
    fs::create_dir(runs.path("s/a-seed0")).unwrap();
    let deletion = delete(&runs, &["run", "s"], What::Folders, 10_000).unwrap();
    assert!(deletion.carry_out().failures.is_empty());
    assert_eq!(fs::read_dir(runs.path("")).unwrap().count(), 0);
}

#[test]
fn what_changes_while_the_question_stands_stays() {
    let runs = Runs::new();
    runs.study("s", 10, 1);
    for name in ["a", "b", "c"] {
        runs.ended(name, 10, |_| {});
    }
    let deletion = delete(&runs, &["a", "b", "c", "s"], What::Folders, 10_000).unwrap();
    runs.write("a", "notes.txt", "mine", 10);
    runs.write("s", "notes.txt", "mine", 10);
    fs::remove_dir_all(runs.path("b")).unwrap();
    let deleted = deletion.carry_out();
    let failed: Vec<(String, String)> = deleted
        .failures
        .iter()
        .map(|(path, error)| (path.file_name().unwrap().to_string_lossy().into_owned(), error.to_string()))
        .collect();
    assert_eq!(failed.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "b", "s"]);
    assert!(failed[0].1.contains("notes.txt came into it meanwhile"), "{failed:?}");
    assert_eq!(deleted.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(left(&runs.path("")), ["a", "s"]);
    assert!(runs.path("a").join(RunFolder::MODEL).exists());
}

#[cfg(unix)]
#[test]
fn a_folder_that_became_a_link_is_not_followed() {
    let (runs, elsewhere) = (Runs::new(), Runs::new());
    runs.ended("a", 10, |_| {});
    elsewhere.ended("far", 10, |_| {});
    let deletion = delete(&runs, &["a"], What::Folders, 10_000).unwrap();
    fs::remove_dir_all(runs.path("a")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path("far"), runs.path("a")).unwrap();
    assert_eq!(deletion.carry_out().failures.len(), 1);
    assert!(elsewhere.path("far").join(RunFolder::SUMMARY).exists());
}

/// A search of two trials, one of them killed early, and the study of its best two.
fn search(runs: &Runs, name: &str, time: u64) {
    for file in ["search.lock", "again.lock", "trials.csv", "search.html", "best.toml", "trials.journal"] {
        runs.write(name, file, "x", time);
    }
    let text = r#"{"study": "s", "storage": "postgresql://host/db", "format": 2}"#;
    runs.write(name, "search.json", text, time);
    runs.ended(&format!("{name}/trial-0000"), time, |_| {});
    runs.write(&format!("{name}/trial-0001"), "recipe.toml", "[train]\n", time);
    runs.study(&format!("{name}/again-0-1"), time, 1);
    runs.ended(&format!("{name}/again-0-1/a-seed0"), time, |_| {});
}

#[test]
fn searches_are_deleted_whole() {
    let runs = Runs::new();
    search(&runs, "one", 10);
    let deletion = delete(&runs, &["one", "one/trial-0000"], What::Folders, 10_000).unwrap();
    assert_eq!(deletion.items.len(), 1);
    assert_eq!(deletion.items[0].kind, ToDeleteKind::Search { trials: 1, elsewhere: None });
    assert_eq!(deletion.bytes(), runs.bytes("one"));
    let deleted = deletion.carry_out();
    assert!(deleted.failures.is_empty(), "{:?}", deleted.failures);
    assert!(!runs.path("one").exists());

    // Trials in a database outlive the folder, which is said before.
    search(&runs, "far", 10);
    fs::remove_file(runs.path("far/trials.journal")).unwrap();
    let deletion = delete(&runs, &["far"], What::Folders, 10_000).unwrap();
    let elsewhere = Some("postgresql://host/db".to_owned());
    assert_eq!(deletion.items[0].kind, ToDeleteKind::Search { trials: 1, elsewhere });
    drop(deletion);

    // Of its models, those of the study in it are some.
    let deletion = delete(&runs, &["far"], What::Models, 10_000).unwrap();
    assert!(deletion.carry_out().failures.is_empty());
    assert!(!runs.path("far/trial-0000").join(RunFolder::MODEL).exists());
    assert!(!runs.path("far/again-0-1/a-seed0").join(RunFolder::MODEL).exists());
    assert!(runs.path("far/trial-0000").join(RunFolder::PREDICTIONS).exists());

    // One trial of it goes alone.
    let deletion = delete(&runs, &["far/trial-0000"], What::Folders, 10_000).unwrap();
    assert_eq!(deletion.items[0].kind, ToDeleteKind::Run);
    deletion.carry_out();
    assert!(!runs.path("far/trial-0000").exists() && runs.path("far/search.json").exists());
}

#[test]
fn a_search_that_is_running_and_what_is_none_of_its_files_stay() {
    let runs = Runs::new();
    search(&runs, "s", 10);
    let lock = File::create(runs.path("s/search.lock")).unwrap();
    // Any number of workers hold it together.
    lock.lock_shared().unwrap();
    for what in [What::Folders, What::Models] {
        for name in ["s", "s/trial-0000"] {
            let refusals = delete(&runs, &[name], what, 10_000).unwrap_err().0;
            assert!(matches!(refusals[..], [Refusal::Running(_)]), "{name}: {refusals:?}");
        }
    }
    drop(lock);
    for file in
        ["notes.txt", "trial-0001/notes.txt", "again-0-1/notes.txt", "trial-best/notes.txt", "trials.db"]
    {
        runs.write("s", file, "mine", 10);
        let refusals = delete(&runs, &["s"], What::Folders, 10_000).unwrap_err().0;
        assert!(matches!(refusals[..], [Refusal::Foreign(..)]), "{file}: {refusals:?}");
        fs::remove_file(runs.path("s").join(file)).unwrap();
        let _ = fs::remove_dir(runs.path("s/trial-best"));
    }
    // Somebody's journal of Optuna's is no search.
    runs.write("theirs", "trials.journal", "{}", 10);
    assert!(matches!(refused(&runs, &["theirs"])[..], [Refusal::NoRun(..)]));
    runs.write("theirs", "search.json", r#"{"query": "cats"}"#, 10);
    assert!(matches!(refused(&runs, &["theirs"])[..], [Refusal::NoRun(..)]));
    // A killed worker leaves the lock of the journal, a link to it.
    #[cfg(unix)]
    std::os::unix::fs::symlink(runs.path("s/trials.journal"), runs.path("s/trials.journal.lock")).unwrap();
    let deleted = delete(&runs, &["s"], What::Folders, 10_000).unwrap().carry_out();
    assert!(deleted.failures.is_empty() && !runs.path("s").exists(), "{:?}", deleted.failures);
}

#[test]
fn a_run_that_a_process_has_stays() {
    let runs = Runs::new();
    runs.ended("run", 10, |_| {});
    runs.study("s", 10, 1);
    runs.ended("s/a-seed0", 10, |_| {});
    for (run, names) in [("run", &["run"][..]), ("s/a-seed0", &["s", "s/a-seed0"])] {
        let lock = File::create(runs.path(run).join("run.lock")).unwrap();
        lock.lock().unwrap();
        for name in names {
            for what in [What::Folders, What::Models] {
                let refusals = delete(&runs, &[name], what, 10_000).unwrap_err().0;
                assert!(matches!(refusals[..], [Refusal::Running(_)]), "{name}: {refusals:?}");
            }
        }
        // Of one that was killed the file is left, and nobody has it.
        drop(lock);
        let deleted = delete(&runs, &names[..1], What::Folders, 10_000).unwrap().carry_out();
        assert!(deleted.failures.is_empty() && !runs.path(names[0]).exists(), "{:?}", deleted.failures);
    }
}
