//! What is special to PostgreSQL. `PUPILA_TEST_POSTGRES` names an empty database for tests, such as
//! `postgresql://USER:PASSWORD@localhost/DATABASE`; without it these tests do nothing.

use crate::clock::Turned;
use pupila_search::storage::{open, open_with};
use pupila_search::{Direction, State, Storage};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn database() -> Option<String> {
    std::env::var("PUPILA_TEST_POSTGRES").ok()
}

/// Each test has a study of its own.
fn study() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The checks of the suite that hold where heartbeats are told by the server's clock.
macro_rules! checks {
    ($($check:ident)*) => {
        $(#[test]
        fn $check() {
            let Some(address) = database() else { return };
            let study = study();
            crate::suite::$check(&(Box::new(move |clock: Arc<Turned>| -> Box<dyn Storage> {
                open_with(&address, &study, Direction::Minimize, clock).unwrap()
            }) as crate::suite::Open));
        })*
    };
}

checks!(numbers_are_distinct_among_threads waiting_trials_are_taken_once what_is_written_comes_back
    numbers_that_json_does_not_have what_has_ended_stays a_study_has_one_space waiting_trials_may_be_given_values
    a_silent_trial_fails_once clocks_may_differ trials_without_a_heartbeat_are_left_alone no_trial_is_made_too_many
    a_trial_that_is_given_back_waits a_trial_that_is_put_back_keeps_its_number_and_what_is_known a_lost_trial_waits_and_makes_no_room);

#[test]
fn an_old_heartbeat_is_seen_at_once() {
    let Some(address) = database() else { return };
    let study = study();
    let storage = open(&address, &study, Direction::Minimize).unwrap();
    let number = storage.create().unwrap();
    assert_eq!(storage.fail_stale(0).unwrap(), []);
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    client
        .execute(
            "UPDATE trial_heartbeats SET heartbeat = heartbeat - INTERVAL '1 hour' WHERE trial_id = \
             (SELECT trial_id FROM trials t JOIN studies s ON s.study_id = t.study_id WHERE s.study_name = $1)",
            &[&study],
        )
        .unwrap();
    let failed = open(&address, &study, Direction::Minimize).unwrap().fail_stale(0).unwrap();
    assert_eq!(
        failed.iter().map(|trial| (trial.number, trial.state)).collect::<Vec<_>>(),
        [(number, State::Fail)]
    );
    assert_eq!(storage.fail_stale(0).unwrap(), []);
}

#[test]
fn a_connection_that_was_lost_is_made_anew() {
    let Some(address) = database() else { return };
    let name = study();
    let named = format!("{address}?application_name={name}");
    let storage = open(&named, &name, Direction::Minimize).unwrap();
    storage.create().unwrap();
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    client.execute(end, &[&name]).unwrap();
    // What was under way is lost, and told; what comes after works.
    let lost = storage.create();
    let number = storage.create().unwrap();
    assert_eq!(number, 1 + u64::from(lost.is_ok()));
}

#[test]
fn what_cannot_be_reached_is_told_without_its_password() {
    for address in ["postgresql://me:secret@127.0.0.1:1/db", "postgresql://me:secret@127.0.0.1:none/db"] {
        let error = open(address, "s", Direction::Minimize).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("postgresql://me@127.0.0.1") && !error.contains("secret"), "{error}");
        assert!(error.contains("--storage"), "{error}");
    }
}
