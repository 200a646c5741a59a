//! What is special to journals: whole lines, locks, and files that are none.

use crate::clock::Turned;
use crate::suite;
use pupila_search::storage::{Clock, HEARTBEAT, Journal};
use pupila_search::{Direction, State, Storage};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

suite::tests!(every_check with heartbeats, || {
    let folder = TempDir::new().unwrap();
    Box::new(move |clock| {
        let path = folder.path().join("new/study.log");
        Box::new(Journal::open_with(&path, "s", Direction::Minimize, clock).unwrap())
    })
});

fn journal() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("study.log");
    (folder, path)
}

fn open(path: &Path) -> Journal {
    Journal::open(path, "s", Direction::Minimize).unwrap()
}

fn append(path: &Path, text: &str) {
    fs::write(path, fs::read_to_string(path).unwrap() + text).unwrap();
}

#[test]
fn a_torn_line_is_cut_off_by_whoever_writes_next() {
    let (_folder, path) = journal();
    let storage = open(&path);
    storage.create().unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    // Also a line that lacks nothing but its end, and one torn within a letter.
    for torn in [
        "{\"op_code\":4,\"worker_id\":\"x\",\"stu",
        "{",
        "{\"op_code\":4,\"worker_id\":\"x\",\"study_id\":0,\"datetime_start\":null}",
    ] {
        fs::write(&path, format!("{whole}{torn}")).unwrap();
        assert_eq!(open(&path).trials().unwrap().len(), 1, "{torn}");
        append(&path, torn);
        assert_eq!(storage.trials().unwrap().len(), 1, "{torn}");
    }
    let mut bytes = whole.clone().into_bytes();
    bytes.extend(b"{\"op_code\":9,\"worker_id\":\"\xc3");
    fs::write(&path, bytes).unwrap();
    storage.report(0, 1, 0.5).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with(&whole) && text.ends_with("\n"), "{text}");
    assert_eq!(text.lines().count(), whole.lines().count() + 1);
    assert_eq!(open(&path).trials().unwrap()[0].intermediate[&1], 0.5);
    // A journal whose very first line is torn.
    fs::write(&path, "{\"op_code\":0,\"wor").unwrap();
    assert_eq!(open(&path).trials().unwrap(), []);
}

#[test]
fn a_lock_whose_holder_is_gone_is_broken() {
    for is_link in [true, false] {
        let (folder, path) = journal();
        let storage = open(&path);
        let lock = folder.path().join("study.log.lock");
        if is_link {
            std::os::unix::fs::symlink(&path, &lock).unwrap();
        } else {
            fs::write(&lock, "").unwrap();
        }
        drop(storage);
        let mut clock = Turned::new(0);
        clock.turns_in_pauses = true;
        let clock = Arc::new(clock);
        let storage =
            Journal::open_with(&path, "s", Direction::Minimize, Arc::<Turned>::clone(&clock)).unwrap();
        let waited = clock.elapsed();
        assert!(waited > Duration::from_secs(30) && waited < Duration::from_secs(31), "{waited:?}");
        storage.create().unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["study.log"], "nothing is left of the locks");
    }
}

/// A clock that looks at the lock whenever it is asked for the time, as it is while a record is made.
#[derive(Debug)]
struct Looking(PathBuf, Mutex<Vec<PathBuf>>);

impl Clock for Looking {
    fn now_us(&self) -> i64 {
        self.1.lock().unwrap().extend(fs::read_link(&self.0));
        0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

#[test]
fn a_lock_points_to_the_journal_by_its_absolute_path() {
    let (folder, path) = journal();
    let clock = Arc::new(Looking(folder.path().join("study.log.lock"), Mutex::default()));
    let storage = Journal::open_with(&path, "s", Direction::Minimize, Arc::<Looking>::clone(&clock)).unwrap();
    let number = storage.create().unwrap();
    storage.finish(number, State::Fail, None, &[]).unwrap();
    let seen = clock.1.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|seen| *seen == path), "{seen:?}");
}

#[test]
fn trials_of_optuna_have_no_heartbeat_and_are_left_alone() {
    let (_folder, path) = journal();
    let clock = Arc::new(Turned::new(0));
    let storage = Journal::open_with(&path, "s", Direction::Minimize, Arc::<Turned>::clone(&clock)).unwrap();
    append(
        &path,
        "{\"op_code\":4,\"worker_id\":\"x\",\"study_id\":0,\"datetime_start\":\"2020-01-01T00:00:00.000000\"}\n",
    );
    for _ in 0..3 {
        assert_eq!(storage.fail_stale(0).unwrap(), []);
        clock.pass(Duration::from_secs(1000));
    }
    let trial = &storage.trials().unwrap()[0];
    assert!(trial.state == State::Running && !trial.system_attributes.contains_key(HEARTBEAT));
}

#[test]
fn what_is_no_journal_is_told_and_left_as_it_is() {
    let (_folder, path) = journal();
    for (content, message) in [
        ("SQLite format 3\0...", "type sqlite:///"),
        ("hello", "is no journal of Optuna"),
        ("{\"a\": 1}", "is no journal of Optuna"),
        ("{\"a\": 1}\n", "line 1 is no record of Optuna's journal (there is no `op_code`)"),
        (
            "{\"op_code\":0,\"worker_id\":\"x\",\"study_name\":\"a\",\"directions\":[1]}\n{\"op_{\"op_code\":4}\n",
            "line 2 is no record",
        ),
        ("{\"op_code\":77}\n", "later version"),
    ] {
        fs::write(&path, content).unwrap();
        let error = Journal::open(&path, "s", Direction::Minimize).unwrap_err().to_string();
        assert!(error.contains(message) && error.contains("study.log"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    let error = Journal::open(path.parent().unwrap(), "s", Direction::Minimize).unwrap_err().to_string();
    assert!(error.contains("--storage"), "{error}");
}

#[test]
fn a_study_of_another_kind_is_told() {
    let (_folder, path) = journal();
    drop(open(&path));
    append(&path, "{\"op_code\":0,\"worker_id\":\"x\",\"study_name\":\"two\",\"directions\":[1,2]}\n");
    let error = Journal::open(&path, "s", Direction::Maximize).unwrap_err().to_string();
    assert!(
        error.contains("the study `s`") && error.contains("is to minimize, and this search is to maximize"),
        "{error}"
    );
    let error = Journal::open(&path, "two", Direction::Maximize).unwrap_err().to_string();
    assert!(error.contains("has 2 objectives"), "{error}");
    Journal::open(&path, "other", Direction::Maximize).unwrap();
    // A study that somebody deletes under a search.
    let storage = open(&path);
    append(&path, "{\"op_code\":1,\"worker_id\":\"x\",\"study_id\":0}\n");
    for error in [storage.create().unwrap_err(), storage.trials().unwrap_err()] {
        assert!(error.to_string().contains("was deleted meanwhile"), "{error}");
    }
}

#[test]
fn a_file_that_is_replaced_is_told() {
    let (_folder, path) = journal();
    let storage = open(&path);
    storage.create().unwrap();
    fs::write(&path, "").unwrap();
    assert!(storage.trials().unwrap_err().to_string().contains("was cut or replaced"));
}
