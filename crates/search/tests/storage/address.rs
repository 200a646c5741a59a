//! Addresses of storages.

use pupila_search::storage::open;
use pupila_search::{Direction, State};
use tempfile::TempDir;

#[test]
fn journals_have_two_forms() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (address, shown) in [
        (path("a.log"), path("a.log")),
        (path("a.journal"), path("a.journal")),
        (format!("journal:{}", path("a.log")), path("a.log")),
        (format!("journal:{}", path("a.txt")), format!("journal:{}", path("a.txt"))),
    ] {
        let storage = open(&address, "s", Direction::Maximize).unwrap();
        let number = storage.create().unwrap();
        storage.finish(number, State::Complete, Some(1.0), &[]).unwrap();
        assert_eq!(storage.address(), shown);
        assert_eq!(
            open(&shown, "s", Direction::Maximize).unwrap().trials().unwrap(),
            storage.trials().unwrap()
        );
    }
}

#[test]
fn other_addresses_are_told_without_their_password() {
    for address in [
        "",
        "study.txt",
        "journal:",
        "mysql://me:secret@host/db",
        "http://me:secret@host/a.log",
        "redis://h?password=secret",
    ] {
        let error = open(address, "s", Direction::Minimize).unwrap_err().to_string();
        assert!(error.contains("is no storage: type journal:PATH") && !error.contains("secret"), "{error}");
    }
}

#[test]
fn a_storage_that_is_not_built_in_says_how_to_build_it() {
    for (address, feature, is_there) in [
        ("sqlite:///nowhere/study.db", "sqlite", cfg!(feature = "sqlite")),
        ("postgresql://me:secret@127.0.0.1:1/db", "postgres", cfg!(feature = "postgres")),
    ] {
        if !is_there {
            let error = open(address, "s", Direction::Minimize).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {feature}")) && !error.contains("secret"), "{error}");
        }
    }
}
