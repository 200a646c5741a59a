//! The checks that every storage must pass. Each takes a function that opens a handle of one storage, as another process would, with a clock of
//! its own.

use crate::clock::Turned;
use pupila_search::storage::{STALE_S, StorageError};
use pupila_search::{Choice, Distribution, Param, ParamValue, State, Storage};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Opens a handle.
pub type Open = Box<dyn Fn(Arc<Turned>) -> Box<dyn Storage>>;

/// The checks as tests of a storage, for which `$new` makes a new one and says how to open it.
macro_rules! tests {
    (@each $new:expr, $($check:ident)*) => {
        $(#[test]
        fn $check() {
            let new: fn() -> crate::suite::Open = $new;
            crate::suite::$check(&new());
        })*
    };
    ($storage:ident, $new:expr) => {
        mod $storage {
            #[allow(unused_imports)]
            use super::*;
            crate::suite::tests!(@each $new, numbers_are_distinct_among_threads waiting_trials_are_taken_once
                what_is_written_comes_back numbers_that_json_does_not_have what_has_ended_stays
                a_study_has_one_space waiting_trials_may_be_given_values
                no_trial_is_made_too_many a_trial_that_is_given_back_waits
                a_trial_that_is_put_back_keeps_its_number_and_what_is_known);
        }
    };
    ($storage:ident with heartbeats, $new:expr) => {
        crate::suite::tests!($storage, $new);
        mod heartbeats {
            #[allow(unused_imports)]
            use super::*;
            crate::suite::tests!(@each $new, a_silent_trial_fails_once clocks_may_differ an_old_heartbeat_is_seen_at_once
                trials_without_a_heartbeat_are_left_alone a_lost_trial_waits_and_makes_no_room);
        }
    };
}
pub(crate) use tests;

fn handle(open: &Open) -> Box<dyn Storage> {
    open(Arc::new(Turned::new(0)))
}

fn params() -> BTreeMap<String, Param> {
    let param = |distribution, value| Param { distribution: Arc::new(distribution), value };
    let choices = vec![
        Choice::Null,
        Choice::Bool(true),
        Choice::Int(7),
        Choice::Float(0.1),
        Choice::Text("a \"b\" é\n".to_owned()),
    ];
    let float = |log, step| Distribution::Float { low: 1e-4, high: 1e-1, log, step };
    [
        ("log", param(float(true, None), ParamValue::Float(0.1 * 0.1 / 3.0))),
        ("float", param(float(false, None), ParamValue::Float(1e-4))),
        (
            "step",
            param(
                Distribution::Float { low: 0.0, high: 1.0, log: false, step: Some(0.25) },
                ParamValue::Float(0.75),
            ),
        ),
        ("int", param(Distribution::Int { low: -3, high: 9, log: false, step: 3 }, ParamValue::Int(-3))),
        ("int.log", param(Distribution::Int { low: 1, high: 1024, log: true, step: 1 }, ParamValue::Int(17))),
        ("choice", param(Distribution::Categorical { choices: choices.clone() }, ParamValue::Choice(0))),
        ("other", param(Distribution::Categorical { choices }, ParamValue::Choice(4))),
    ]
    .into_iter()
    .map(|(name, param)| (name.to_owned(), param))
    .collect()
}

pub fn numbers_are_distinct_among_threads(open: &Open) {
    let handles = [handle(open), handle(open)];
    let numbers: Vec<u64> = std::thread::scope(|scope| {
        let worker = |place: usize| {
            let storage = &handles[place % 2];
            move || {
                let mut numbers = Vec::new();
                for _ in 0..25 {
                    let number = storage.create().unwrap();
                    storage.finish(number, State::Complete, Some(number as f64), &[]).unwrap();
                    numbers.push(number);
                }
                numbers
            }
        };
        let workers: Vec<_> = (0..4).map(|place| scope.spawn(worker(place))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(numbers.iter().copied().collect::<BTreeSet<_>>(), (0..100).collect());
    for storage in &handles {
        let trials = storage.trials().unwrap();
        assert!(trials.iter().map(|trial| trial.number).eq(0..100));
        assert!(trials.iter().all(|trial| trial.value() == Some(trial.number as f64)));
    }
}

pub fn waiting_trials_are_taken_once(open: &Open) {
    let handles = [handle(open), handle(open)];
    for n in 0..20 {
        handles[0].enqueue(&BTreeMap::from([("n".to_owned(), json!(n))]), &[]).unwrap();
    }
    let taken: Vec<u64> = std::thread::scope(|scope| {
        let worker = |place: usize| {
            let storage = &handles[place % 2];
            move || std::iter::from_fn(|| storage.claim().unwrap()).collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..4).map(|place| scope.spawn(worker(place))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), 20);
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (0..20).collect());
    assert_eq!(handles[1].claim().unwrap(), None);
    assert!(handles[1].trials().unwrap().iter().all(|trial| trial.state == State::Running));
}

pub fn no_trial_is_made_too_many(open: &Open) {
    let handles = [handle(open), handle(open)];
    let failed = handles[0].create().unwrap();
    handles[0].finish(failed, State::Fail, None, &[]).unwrap();
    handles[1].enqueue(&BTreeMap::new(), &[]).unwrap();
    let made: Vec<u64> = std::thread::scope(|scope| {
        let worker = |place: usize| {
            let storage = &handles[place % 2];
            move || {
                let mut made = Vec::new();
                while let Some(number) = storage.create_within(30).unwrap() {
                    if number % 3 == 0 {
                        storage.finish(number, State::Complete, Some(0.0), &[]).unwrap();
                    }
                    made.push(number);
                }
                made
            }
        };
        let workers: Vec<_> = (0..4).map(|place| scope.spawn(worker(place))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    // The one that waits counts, and the one that failed does not.
    assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), (2..31).collect());
    handles[0].finish(2, State::Fail, None, &[]).unwrap();
    assert_eq!(handles[1].create_within(30).unwrap(), Some(31));
    assert_eq!(handles[0].create_within(30).unwrap(), None);
    assert_eq!(handles[0].create_within(31).unwrap(), Some(32));
}

pub fn a_trial_that_is_given_back_waits(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let mut number = a.create_within(1).unwrap().unwrap();
    a.set_params(number, &params(), &[]).unwrap();
    for tries in 1..4 {
        a.retry(number, 3, &[("why", json!(tries))]).unwrap();
        assert_eq!(b.trials().unwrap()[number as usize].user_attributes["why"], json!(tries));
        assert!(b.retry(number, 3, &[]).unwrap_err().to_string().contains("has ended already"));
        // It counts while it waits.
        assert_eq!(b.create_within(1).unwrap(), None);
        number = b.claim().unwrap().unwrap();
        assert_eq!(number, tries);
        let trial = &b.trials().unwrap()[number as usize];
        let attributes = &trial.system_attributes;
        assert_eq!(attributes["failed_trial"], json!(0));
        assert_eq!(attributes["retry_history"], json!((0..tries).collect::<Vec<_>>()));
        assert_eq!(attributes["fixed_params"].as_object().unwrap().len(), params().len());
        assert_eq!(attributes["fixed_params"]["other"], json!("a \"b\" é\n"));
    }
    b.retry(number, 3, &[]).unwrap();
    assert_eq!(a.claim().unwrap(), None);
    assert_eq!(a.create_within(1).unwrap(), Some(4));
}

pub fn a_trial_that_is_put_back_keeps_its_number_and_what_is_known(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let number = a.create_within(1).unwrap().unwrap();
    a.set_params(number, &params(), &[("run", json!("r")), ("worker", json!("a"))]).unwrap();
    a.report(number, 1, 0.5).unwrap();
    a.set_attribute(number, true, "completed_rung_0", &json!(0.5)).unwrap();
    a.put_back(number, &[("worker", Value::Null)]).unwrap();
    // It counts while it waits.
    assert_eq!(b.create_within(1).unwrap(), None);
    let waiting = b.trials().unwrap().remove(0);
    assert_eq!(waiting.state, State::Waiting);
    assert_eq!((waiting.params.len(), waiting.intermediate.get(&1)), (params().len(), Some(&0.5)));
    assert_eq!(waiting.user_attributes["run"], json!("r"));
    assert_eq!(waiting.user_attributes["worker"], Value::Null);
    assert_eq!(waiting.system_attributes["completed_rung_0"], json!(0.5));
    // Whoever takes it and knows no heartbeats is left alone: the old one is gone.
    assert!(waiting.system_attributes.get("pupila:heartbeat").is_none_or(Value::is_null));
    assert_eq!([a.claim().unwrap(), b.claim().unwrap()], [Some(number), None]);
    // As a trial that runs it takes what it is told, also the same again.
    b.set_params(number, &params(), &[]).unwrap();
    b.report(number, 1, 0.5).unwrap();
    b.report(number, 2, 0.25).unwrap();
    b.finish(number, State::Complete, Some(0.25), &[]).unwrap();
    assert_eq!(a.trials().unwrap()[0].intermediate.len(), 2);
    assert!(a.put_back(number, &[]).unwrap_err().to_string().contains("has ended already"));
}

pub fn waiting_trials_may_be_given_values(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let fixed = BTreeMap::from([("x".to_owned(), json!(0.5)), ("c".to_owned(), json!(null))]);
    let number = a.enqueue(&fixed, &[("pupila:again".to_owned(), json!([1, "é"]))]).unwrap();
    let running = b.create().unwrap();
    assert_eq!([number, running], [0, 1]);
    assert_eq!(b.trials().unwrap()[0].state, State::Waiting);
    assert_eq!(b.claim().unwrap(), Some(number));
    let trial = &a.trials().unwrap()[0];
    assert_eq!(trial.state, State::Running);
    assert_eq!(trial.system_attributes["fixed_params"], json!(fixed));
    assert_eq!(trial.system_attributes["pupila:again"], json!([1, "é"]));
}

pub fn what_is_written_comes_back(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let number = a.create().unwrap();
    a.set_params(number, &params(), &[("run", json!("trial-0000")), ("a", json!(0))]).unwrap();
    for (step, value) in [(1, 0.5), (3, 0.1 + 0.2), (1, 0.25), (-2, -1e300)] {
        a.report(number, step, value).unwrap();
    }
    for (key, value) in
        [("a", json!("é\u{1f600}\"\n")), ("b", json!({"x": [1, null, 0.1]})), ("a", json!(false))]
    {
        a.set_attribute(number, false, key, &value).unwrap();
        a.set_attribute(number, true, key, &json!([value])).unwrap();
        a.set_study_attribute(key, &value).unwrap();
    }
    let check = |storage: &dyn Storage| {
        let trial = &storage.trials().unwrap()[0];
        assert_eq!(trial.params, params());
        assert_eq!(trial.intermediate, BTreeMap::from([(-2, -1e300), (1, 0.25), (3, 0.1 + 0.2)]));
        assert_eq!(trial.user_attributes["a"], json!(false));
        assert_eq!(trial.user_attributes["run"], json!("trial-0000"));
        assert_eq!(trial.user_attributes["b"], json!({"x": [1, null, 0.1]}));
        assert_eq!(trial.system_attributes["b"], json!([{"x": [1, null, 0.1]}]));
        let study = storage.study_attributes().unwrap();
        assert_eq!((&study["a"], &study["b"]), (&json!(false), &json!({"x": [1, null, 0.1]})));
        trial.clone()
    };
    assert_eq!(check(&*b).state, State::Running);
    b.finish(number, State::Pruned, Some(0.1), &[("why", json!("é")), ("epoch", json!(3))]).unwrap();
    for storage in [&a, &b, &handle(open)] {
        let trial = check(&**storage);
        assert_eq!((trial.state, trial.values), (State::Pruned, vec![0.1]));
        assert_eq!(
            (&trial.user_attributes["why"], &trial.user_attributes["epoch"]),
            (&json!("é"), &json!(3))
        );
    }
}

pub fn numbers_that_json_does_not_have(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let number = a.create().unwrap();
    for (step, value) in
        [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE].into_iter().enumerate()
    {
        a.report(number, step as i64, value).unwrap();
    }
    a.finish(number, State::Complete, Some(f64::NEG_INFINITY), &[]).unwrap();
    // As Optuna has it, a trial is not complete with NaN.
    for (state, value) in [
        (State::Complete, Some(f64::NAN)),
        (State::Complete, None),
        (State::Pruned, Some(f64::NAN)),
        (State::Fail, Some(1.0)),
    ] {
        let number = a.create().unwrap();
        a.finish(number, state, value, &[]).unwrap();
    }
    let trials = b.trials().unwrap();
    let reported: Vec<f64> = trials[0].intermediate.values().copied().collect();
    assert!(reported[0].is_nan());
    assert_eq!(reported[1..], [f64::INFINITY, f64::NEG_INFINITY, 0.0, f64::MIN_POSITIVE]);
    assert_eq!(trials[0].value(), Some(f64::NEG_INFINITY));
    let states: Vec<_> = trials.iter().map(|trial| (trial.state, trial.values.len())).collect();
    let failed = (State::Fail, 0);
    assert_eq!(states, [(State::Complete, 1), failed, failed, (State::Pruned, 0), failed]);
}

pub fn what_has_ended_stays(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let number = a.create().unwrap();
    a.finish(number, State::Complete, Some(1.0), &[]).unwrap();
    let trial = b.trials().unwrap();
    let refused = |result: Result<(), StorageError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, StorageError::Trial { number: 0, .. }), "{error}");
        assert_eq!(error.to_string(), "trial 0 has ended already");
    };
    for storage in [&a, &b] {
        refused(storage.finish(number, State::Complete, Some(2.0), &[]));
        refused(storage.finish(number, State::Fail, None, &[("a", Value::Null)]));
        refused(storage.report(number, 0, 1.0));
        refused(storage.set_params(number, &params(), &[]));
        refused(storage.set_attribute(number, false, "a", &Value::Null));
    }
    assert_eq!(a.trials().unwrap(), trial);
    assert!(a.report(7, 0, 1.0).unwrap_err().to_string().contains("trial 7 is not there"));
    let other = b.create().unwrap();
    assert!(b.finish(other, State::Waiting, None, &[]).is_err());
    b.finish(other, State::Fail, None, &[]).unwrap();
}

pub fn a_study_has_one_space(open: &Open) {
    let (a, b) = (handle(open), handle(open));
    let number = a.create().unwrap();
    let range = |low, log| {
        BTreeMap::from([(
            "lr".to_owned(),
            Param {
                distribution: Arc::new(Distribution::Float { low, high: 1.0, log, step: None }),
                value: ParamValue::Float(0.5),
            },
        )])
    };
    a.set_params(number, &range(0.1, true), &[]).unwrap();
    let number = b.create().unwrap();
    let error = b.set_params(number, &range(0.1, false), &[]).unwrap_err().to_string();
    assert!(
        error.contains("`lr` is {\"name\":\"FloatDistribution\"") && error.contains("--study"),
        "{error}"
    );
    // Another length of the range goes with it.
    b.set_params(number, &range(0.2, true), &[]).unwrap();
    assert_eq!(a.trials().unwrap()[1].params, range(0.2, true));
}

const LONG: Duration = Duration::from_secs(STALE_S + 1);
const SHORT: Duration = Duration::from_secs(STALE_S - 1);

pub fn a_silent_trial_fails_once(open: &Open) {
    let clocks = [0, 0, 0].map(|ahead| Arc::new(Turned::new(ahead)));
    let [worker, a, b] = [0, 1, 2].map(|place| open(Arc::clone(&clocks[place])));
    let pass = |time| clocks.iter().for_each(|clock| clock.pass(time));
    let created = worker.create().unwrap();
    worker.enqueue(&BTreeMap::new(), &[]).unwrap();
    let claimed = worker.claim().unwrap().unwrap();
    let waiting = worker.enqueue(&BTreeMap::new(), &[]).unwrap();
    let look = |storage: &dyn Storage| -> Vec<u64> {
        storage.fail_stale(0).unwrap().iter().map(|trial| trial.number).collect()
    };
    assert_eq!((look(&*a), look(&*b)), (vec![], vec![]));
    pass(SHORT);
    assert_eq!((look(&*a), look(&*b)), (vec![], vec![]));
    // A report and a heartbeat are signs of life.
    worker.report(created, 0, 1.0).unwrap();
    worker.beat(claimed).unwrap();
    assert_eq!((look(&*a), look(&*b)), (vec![], vec![]));
    pass(SHORT);
    assert_eq!((look(&*a), look(&*b)), (vec![], vec![]));
    worker.beat(claimed).unwrap();
    pass(LONG - SHORT);
    pass(LONG - SHORT);
    assert_eq!(look(&*a), [created]);
    assert_eq!((look(&*a), look(&*b)), (vec![], vec![]));
    pass(LONG);
    assert_eq!((look(&*b), look(&*a)), (vec![claimed], vec![]));
    let states: Vec<_> = a.trials().unwrap().iter().map(|trial| trial.state).collect();
    assert_eq!(states, [State::Fail, State::Fail, State::Waiting]);
    assert_eq!(waiting, 2);
    // Whoever was taken for gone is told.
    assert!(worker.beat(created).is_err());
    assert!(worker.finish(created, State::Complete, Some(1.0), &[]).is_err());
}

pub fn a_lost_trial_waits_and_makes_no_room(open: &Open) {
    let clock = Arc::new(Turned::new(0));
    let storage = open(Arc::clone(&clock));
    assert_eq!(storage.create_within(1).unwrap(), Some(0));
    assert_eq!(storage.fail_stale(1).unwrap(), []);
    clock.pass(LONG);
    assert_eq!(storage.create_within(1).unwrap(), None);
    let lost = storage.fail_stale(1).unwrap();
    assert_eq!(lost.iter().map(|trial| (trial.number, trial.state)).collect::<Vec<_>>(), [(0, State::Fail)]);
    assert_eq!(storage.create_within(1).unwrap(), None);
    assert_eq!(storage.claim().unwrap(), Some(1));
    // It has been tried often enough then, and does not count for ever.
    assert_eq!(storage.fail_stale(1).unwrap(), []);
    clock.pass(LONG);
    assert_eq!(storage.fail_stale(1).unwrap().len(), 1);
    assert_eq!(storage.claim().unwrap(), None);
    assert_eq!(storage.create_within(1).unwrap(), Some(2));
}

pub fn clocks_may_differ(open: &Open) {
    for ahead in [-60, 60] {
        let clocks = [Arc::new(Turned::new(0)), Arc::new(Turned::new(ahead))];
        let (worker, other) = (open(Arc::clone(&clocks[0])), open(Arc::clone(&clocks[1])));
        let number = worker.create().unwrap();
        // Alive for an hour, and never taken for gone.
        for _ in 0..36 {
            clocks.iter().for_each(|clock| clock.pass(Duration::from_secs(100)));
            worker.beat(number).unwrap();
            assert_eq!(other.fail_stale(0).unwrap(), []);
        }
        // Then gone, and noticed.
        clocks.iter().for_each(|clock| clock.pass(LONG));
        assert_eq!(other.fail_stale(0).unwrap().len(), 1);
    }
}

pub fn an_old_heartbeat_is_seen_at_once(open: &Open) {
    let number = open(Arc::new(Turned::new(0))).create().unwrap();
    let later = open(Arc::new(Turned::new(3600)));
    let failed = later.fail_stale(0).unwrap();
    assert_eq!(
        failed.iter().map(|trial| (trial.number, trial.state)).collect::<Vec<_>>(),
        [(number, State::Fail)]
    );
    assert_eq!(later.fail_stale(0).unwrap(), []);
}

pub fn trials_without_a_heartbeat_are_left_alone(open: &Open) {
    // A trial that waits has none, however long it waits.
    let clock = Arc::new(Turned::new(0));
    let storage = open(Arc::clone(&clock));
    storage.enqueue(&BTreeMap::new(), &[]).unwrap();
    for _ in 0..3 {
        assert_eq!(storage.fail_stale(0).unwrap(), []);
        clock.pass(LONG);
    }
    assert_eq!(storage.claim().unwrap(), Some(0));
}
