//! A test set that counts its looks.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::planted::{Shows, planted};
use common::{Ran, Sandbox};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Data with a test set, and two runs of it, `one` and `two`.
fn prepared(sandbox: &Sandbox) -> PathBuf {
    let data = sandbox.path("data");
    planted(&data, &[("train", 10), ("val", 6), ("test", 20)], Shows::CentreMostly(2));
    for (name, seed) in [("one", "0"), ("two", "1")] {
        let trained = sandbox.train(&data, name, &["--seed", seed, "--set", "tracking.report=false"]);
        assert_eq!(trained.code, Some(0), "{}", trained.stderr);
        // Validation is no look at the test set.
        assert!(!sandbox.path("state").exists());
    }
    data
}

fn eval(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let ran = sandbox.run(&[&["eval"], arguments, &["--json"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

fn counts(ran: &Ran) -> (Value, Value) {
    let looks = &ran.json()["looks"];
    (looks["evaluations"].clone(), looks["models"].clone())
}

#[test]
fn evaluations_of_a_test_set_are_counted_by_its_content() {
    let sandbox = Sandbox::new();
    let data = prepared(&sandbox);
    let first = eval(&sandbox, &["runs/one", "--split", "test"]);
    assert_eq!(counts(&first), (1.into(), 1.into()));
    assert!(first.json()["looks"]["record"].as_str().unwrap().starts_with("no record of earlier looks"));
    assert!(first.stderr.contains("no record of earlier looks"), "{}", first.stderr);
    assert_eq!(first.json()["looks"]["optimism_frac"], 0.0);
    // The same model again is no other choice.
    let again = eval(&sandbox, &["runs/one", "--split", "test"]);
    assert_eq!(counts(&again), (2.into(), 1.into()));
    assert_eq!(again.json()["looks"]["record"], "");
    // The same images in another folder, in other files and another order, are the same test set.
    let elsewhere = sandbox.path("elsewhere");
    for class in ["a", "b", "c"] {
        fs::create_dir_all(elsewhere.join(class)).unwrap();
        for number in 0..20 {
            let from = data.join(format!("test/{class}/{number:03}.png"));
            fs::copy(from, elsewhere.join(class).join(format!("{:03}.png", 99 - number))).unwrap();
        }
    }
    let second = eval(&sandbox, &["runs/two", elsewhere.to_str().unwrap()]);
    assert_eq!(counts(&second), (3.into(), 2.into()), "{}", second.stderr);
    let looks = second.json()["looks"].clone();
    let optimism = looks["optimism_frac"].as_f64().unwrap();
    let independent = looks["optimism_of_independent_frac"].as_f64().unwrap();
    assert!(optimism > 0.0 && optimism < 1.2 * independent, "{looks}");
    assert!(second.stderr.contains("looked at 3 times, by 2 models"), "{}", second.stderr);
    assert!(second.stderr.contains("points on average, since it is the best of 2"), "{}", second.stderr);
    let folder = PathBuf::from(second.json()["folder"].as_str().unwrap());
    let page = sandbox.read(folder.join("report.html").to_str().unwrap());
    assert!(page.contains("Looks at this test set") && page.contains("by 2 models"));
    // Both the run and the state folder know; other answers of a model are another choice.
    assert_eq!(sandbox.read("runs/one/looks.jsonl").lines().count(), 2);
    let views = eval(&sandbox, &["runs/one", "--split", "test", "--tta", "flips"]);
    assert_eq!(counts(&views), (4.into(), 3.into()), "{}", views.stderr);
    // A part of it is another set, of which is told what it shares with the first.
    fs::remove_file(elsewhere.join("a/099.png")).unwrap();
    let part = eval(&sandbox, &["runs/two", elsewhere.to_str().unwrap()]);
    assert_eq!(counts(&part), (1.into(), 1.into()));
    let shared = &part.json()["looks"]["shared"];
    assert_eq!(
        (shared[0]["common"].clone(), shared[0]["images"].clone()),
        (59.into(), 60.into()),
        "{shared}"
    );
    assert_eq!((shared[0]["evaluations"].clone(), shared[0]["models"].clone()), (4.into(), 3.into()));
    let told = "All of its 59 images are in another test set too, of 60 images, which was looked at 4 times, by 3 models";
    assert!(part.stderr.contains(told), "{}", part.stderr);
    // Training and validation images are no test set, and the validation images are not by another name.
    let state = fs::read_dir(sandbox.path("state/looks")).unwrap().count();
    let folder = data.join("val");
    for arguments in
        [&["runs/one"][..], &["runs/one", "--split", "train"], &["runs/one", folder.to_str().unwrap()]]
    {
        assert!(eval(&sandbox, arguments).json().get("looks").is_none(), "{arguments:?}");
    }
    assert_eq!(fs::read_dir(sandbox.path("state/looks")).unwrap().count(), state);
    // The notes are files of the run: it can be deleted.
    let deleted = sandbox.run(&["runs", "runs", "--delete", "one", "--yes"]);
    assert_eq!(deleted.code, Some(0), "{}", deleted.stderr);
    assert!(!sandbox.path("runs/one").exists());
}

#[test]
fn a_record_that_cannot_be_kept_or_read_is_told_and_ends_nothing() {
    let sandbox = Sandbox::new();
    prepared(&sandbox);
    fs::write(sandbox.path("a file"), "").unwrap();
    let mut command = sandbox.command(&["eval", "runs/one", "--split", "test", "--json"]);
    let refused: Ran = command.env("PUPILA_STATE_DIR", sandbox.path("a file")).output().unwrap().into();
    assert_eq!(refused.code, Some(0), "{}", refused.stderr);
    assert!(refused.stderr.contains("this look at the test set is not noted"), "{}", refused.stderr);
    assert!(refused.json()["looks"]["trouble"].as_str().unwrap().contains("PUPILA_STATE_DIR names another"));
    // What the run noted is not lost with it.
    let next = eval(&sandbox, &["runs/one", "--split", "test"]);
    assert_eq!(counts(&next), (2.into(), 1.into()));
    // A line that is torn is told, and takes nothing from the others.
    let notes = fs::read_dir(sandbox.path("state/looks")).unwrap().next().unwrap().unwrap().path();
    let torn = fs::read_to_string(&notes).unwrap() + "{\"test_set\": \"";
    fs::write(&notes, torn).unwrap();
    let after = eval(&sandbox, &["runs/two", "--split", "test"]);
    assert_eq!(counts(&after), (2.into(), 2.into()));
    assert!(after.stderr.contains("Of the record one line cannot be read"), "{}", after.stderr);
}

#[test]
fn two_processes_at_once_lose_no_look() {
    let sandbox = Sandbox::new();
    prepared(&sandbox);
    let start = |run: &str| {
        let mut command = sandbox.command(&["eval", run, "--split", "test", "--json"]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let running: Vec<_> = (0..4).flat_map(|_| [start("runs/one"), start("runs/two")]).collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(counts(&eval(&sandbox, &["runs/one", "--split", "test"])), (9.into(), 2.into()));
}
