//! A worker on a storage, for tests with other programs on the same one: claims or begins trials of a toy function until the study has enough.
//!
//! `storage_worker ADDRESS STUDY COMPLETIONS [SAMPLER]` works until that many trials are complete, and prints a line `number value` for each that
//! it completed, `stale number` for each whose worker it found gone, and `lost number` for one of its own that another worker has failed. In
//! the environment `WORKER_HANGS` makes it print `hangs number` in its first trial and wait to be killed, `WORKER_AHEAD_S` sets its clock ahead by so many seconds, and `WORKER_FAST` makes all time that it measures
//! or waits pass so many times as fast, so that nobody waits two minutes for a worker that was killed.

use pupila_search::storage::{Clock, StorageError, SystemClock, open_with};
use pupila_search::{Assignment, Choice, Direction, Request, Space, State, Storage, Trial, sampler};
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SPACE: &str = r#"
[space]
"x" = { float = [-5.0, 5.0] }
"lr" = { float = [1e-4, 1.0], log = true }
"n" = { int = [1, 5] }
"kind" = { categorical = ["a", "b", 3] }
"#;

/// A clock that is ahead and fast.
#[derive(Debug)]
struct Odd {
    clock: SystemClock,
    ahead_us: i64,
    fast: u32,
}

impl Clock for Odd {
    fn now_us(&self) -> i64 {
        self.clock.now_us() + self.ahead_us
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed() * self.fast
    }

    fn sleep(&self, time: Duration) {
        self.clock.sleep(time / self.fast);
    }
}

/// A number of the environment.
fn setting(name: &str, otherwise: i64) -> Result<i64, Box<dyn Error>> {
    std::env::var(name).map_or(Ok(otherwise), |text| Ok(text.parse()?))
}

/// What is known to be wanted of a trial that was enqueued.
fn fixed(space: &Space, trial: &Trial) -> Assignment {
    let given = trial.system_attributes.get("fixed_params").and_then(Value::as_object);
    let given = given.into_iter().flatten().filter_map(|(key, value)| {
        let parameter = space.parameters().iter().find(|parameter| parameter.key == *key)?;
        Some((key.clone(), parameter.distribution.from_external(&Choice::from_json(value))?))
    });
    given.collect()
}

/// Runs a trial; gives back its value.
fn run(storage: &dyn Storage, space: &Space, sampler: &str, number: u64) -> Result<f64, Box<dyn Error>> {
    let trials = storage.trials()?;
    let this = trials.iter().find(|trial| trial.number == number).ok_or("the trial is not there")?;
    let mut request = Request::new(space, Direction::Minimize, 0, number, &trials);
    request.fixed = fixed(space, this);
    let sampler = sampler::by_name(sampler).ok_or("no such sampler")?;
    let chosen =
        sampler.suggest(&request).map_err(|fault| fault.to_string())?.ok_or("nothing is left to try")?;
    storage.set_params(number, &space.params(&chosen), &[])?;
    let value = (chosen["x"].internal() - 1.0).powi(2)
        + chosen["lr"].internal().ln().abs()
        + chosen["kind"].internal();
    if std::env::var_os("WORKER_HANGS").is_some() {
        println!("hangs {number}");
        loop {
            std::thread::park();
        }
    }
    for step in 0..2 {
        storage.report(number, step, value / (step + 1) as f64)?;
    }
    storage.finish(number, State::Complete, Some(value), &[("worker", Value::from(std::process::id()))])?;
    Ok(value)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, study, completions, sampler @ ..] = &arguments[..] else {
        return Err("storage_worker ADDRESS STUDY COMPLETIONS [SAMPLER]".into());
    };
    let completions: usize = completions.parse()?;
    let clock = Odd {
        clock: SystemClock::default(),
        ahead_us: setting("WORKER_AHEAD_S", 0)? * 1_000_000,
        fast: u32::try_from(setting("WORKER_FAST", 1)?)?,
    };
    let storage = open_with(address, study, Direction::Minimize, Arc::new(clock))?;
    let space = Space::parse(Path::new("space.toml"), SPACE)?;
    let sampler = sampler.first().map_or("tpe", String::as_str);
    loop {
        let trials = storage.trials()?;
        let count = |state| trials.iter().filter(|trial| trial.state == state).count();
        if count(State::Complete) >= completions {
            return Ok(());
        }
        for trial in storage.fail_stale(3)? {
            println!("stale {}", trial.number);
        }
        let number = match storage.claim()? {
            Some(number) => number,
            None => match storage.create_within(completions as u64)? {
                Some(number) => number,
                // Trials that run will be complete too, or will be seen to be stale.
                None => {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
            },
        };
        match run(&*storage, &space, sampler, number) {
            Ok(value) => println!("{number} {value:?}"),
            // This process stood still for so long that it was taken for gone.
            Err(error) => match error.downcast_ref() {
                Some(StorageError::Trial { .. }) => println!("lost {number}"),
                _ => return Err(error),
            },
        }
    }
}
