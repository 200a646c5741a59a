//! What is special to SQLite files.

use crate::suite;
use pupila_search::storage::{StorageError, open, open_with};
use pupila_search::{Direction, Storage};
use rusqlite::Connection;
use tempfile::TempDir;

suite::tests!(every_check with heartbeats, || {
    let folder = TempDir::new().unwrap();
    Box::new(move |clock| {
        let address = format!("sqlite:///{}/new/study.db", folder.path().display());
        open_with(&address, "s", Direction::Minimize, clock).unwrap()
    })
});

fn address(folder: &TempDir) -> String {
    format!("sqlite:///{}/study.db", folder.path().display())
}

fn refused(result: Result<Box<dyn Storage>, StorageError>) -> String {
    result.expect_err("an error").to_string()
}

#[test]
fn a_study_of_another_kind_is_told() {
    let folder = TempDir::new().unwrap();
    let address = address(&folder);
    open(&address, "s", Direction::Minimize).unwrap();
    let error = refused(open(&address, "s", Direction::Maximize));
    assert!(error.contains("is to minimize, and this search is to maximize"), "{error}");
    let connection = Connection::open(folder.path().join("study.db")).unwrap();
    connection
        .execute(
            "INSERT INTO study_directions (direction, study_id, objective) VALUES ('MAXIMIZE', 1, 1)",
            [],
        )
        .unwrap();
    let error = refused(open(&address, "s", Direction::Minimize));
    assert!(error.contains("has 2 objectives"), "{error}");
    let storage = open(&address, "other", Direction::Maximize).unwrap();
    connection
        .execute_batch(
            "DELETE FROM study_directions WHERE study_id = 2; DELETE FROM studies WHERE study_id = 2",
        )
        .unwrap();
    for error in [storage.create().unwrap_err(), storage.trials().unwrap_err()] {
        assert!(error.to_string().contains("it was deleted"), "{error}");
    }
}

#[test]
fn what_is_none_of_optunas_is_told_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let (address, path) = (address(&folder), folder.path().join("study.db"));
    std::fs::write(&path, "{\"op_code\":0}\n".repeat(100)).unwrap();
    let error = refused(open(&address, "s", Direction::Minimize));
    assert!(error.contains("file is not a database") && error.contains("--storage"), "{error}");
    for (statements, message) in [
        ("CREATE TABLE runs (a INTEGER)", "holds the tables of another program"),
        (
            "CREATE TABLE alembic_version (version_num TEXT); CREATE TABLE runs (a INTEGER)",
            "holds the tables of another program",
        ),
    ] {
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch(statements).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = refused(open(&address, "s", Direction::Minimize));
        assert!(error.contains(message), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    std::fs::remove_file(&path).unwrap();
    open(&address, "s", Direction::Minimize).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'", [])
        .unwrap();
    let error = refused(open(&address, "s", Direction::Minimize));
    assert!(
        error.contains("`v9.0.0.a`") && error.contains("optuna storage upgrade --storage sqlite:///"),
        "{error}"
    );
}
