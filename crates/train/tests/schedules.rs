//! Learning rates are those of `torch.optim.lr_scheduler`, update by update: parity/schedules/generate.py writes the golden.
#![allow(clippy::unwrap_used)]

use pupila_metrics::Direction;
use pupila_train::schedule::{SCHEDULES, Schedule, ScheduleConfig, ScheduleState};
use serde_json::Value;

/// Closed formulas against PyTorch's chained products in double precision.
const TOLERANCE: f64 = 1e-12;

#[test]
fn learning_rates_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("golden/schedules.json")).unwrap();
    let number = |key: &str| golden[key].as_u64().unwrap();
    let (lr, epochs, steps) = (golden["lr"].as_f64().unwrap(), number("epochs"), number("steps_per_epoch"));
    let mut seen = Vec::new();
    for case in golden["cases"].as_array().unwrap() {
        let mut object = case["keys"].as_object().unwrap().clone();
        object.insert("name".into(), case["name"].clone());
        let config: ScheduleConfig = serde_json::from_value(Value::Object(object)).unwrap();
        let mut schedule = Schedule::new(&config, lr, epochs as u32, steps, Direction::Lower).unwrap();
        let wanted: Vec<f64> = case["lr"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert_eq!(wanted.len() as u64, epochs * steps);
        for (step, wanted) in wanted.iter().enumerate() {
            let epoch = step as u64 / steps;
            let got = schedule.lr(epoch as u32, step as u64);
            assert!(
                (got - wanted).abs() <= TOLERANCE * lr,
                "{config:?} step {step}: {got}, PyTorch {wanted}"
            );
            if (step as u64 + 1).is_multiple_of(steps) {
                schedule.epoch_ended(golden["metric"][epoch as usize].as_f64().unwrap());
            }
        }
        seen.push(config.name);
    }
    assert_eq!(seen.len(), 10);
    assert!(SCHEDULES.iter().all(|entry| seen.iter().any(|name| name == entry.name)), "every schedule");
}

#[test]
fn what_a_schedule_does_not_use_or_cannot_use_is_refused() {
    let keys = |config: ScheduleConfig| config.check().into_iter().map(|error| error.key).collect::<Vec<_>>();
    let default = ScheduleConfig::default();
    assert!(keys(default.clone()).is_empty());
    assert_eq!(keys(ScheduleConfig { name: "cosin".into(), ..default.clone() }), ["name"]);
    assert_eq!(keys(ScheduleConfig { patience: 3, ..default.clone() }), ["patience"]);
    assert_eq!(keys(ScheduleConfig { name: "step".into(), gamma: 1.5, ..default.clone() }), ["gamma"]);
    let errors = ScheduleConfig { name: "cosine".into(), patience: 3, ..default }.check();
    assert_eq!(
        errors[0].to_string(),
        "schedule.patience: is not used by `cosine`, which uses min_lr; plateau uses it: type --set schedule.name=plateau too, or leave it out"
    );
}

#[test]
fn a_schedule_goes_on_from_its_state() {
    let metrics = [3.0, 2.0, f64::NAN, 2.5, 2.1, 1.9, 1.9, 1.9, 1.9, 0.5, 0.6];
    for name in ["plateau", "cosine"] {
        for direction in [Direction::Lower, Direction::Higher] {
            let patience = if name == "plateau" { 1 } else { ScheduleConfig::default().patience };
            let config = ScheduleConfig { name: name.into(), patience, ..ScheduleConfig::default() };
            let new = || Schedule::new(&config, 0.1, metrics.len() as u32, 3, direction).unwrap();
            let (mut whole, mut state) = (new(), ScheduleState::default());
            assert_eq!(whole.state(), state);
            for (epoch, &metric) in metrics.iter().enumerate() {
                let mut part = new();
                part.restore(&state);
                let at = (epoch as u32, 3 * epoch as u64);
                assert_eq!(part.lr(at.0, at.1), whole.lr(at.0, at.1), "{name}, epoch {epoch}");
                part.epoch_ended(metric);
                whole.epoch_ended(metric);
                state = part.state();
                assert_eq!(state, whole.state());
            }
            assert_eq!(state.drops > 1, name == "plateau", "{state:?}");
        }
    }
}

/// Sets a key of a schedule.
type Set = fn(&mut ScheduleConfig, f64);

#[test]
fn ranges_include_the_ends_that_they_name() {
    let refused = |change: &dyn Fn(&mut ScheduleConfig)| {
        let mut config = ScheduleConfig { name: "one_cycle".into(), ..ScheduleConfig::default() };
        change(&mut config);
        config.check().into_iter().any(|error| error.message.starts_with("must be"))
    };
    let set: [(Set, &[f64], &[f64]); 7] = [
        (|c, x| c.warmup_start = x, &[1e-9, 1.0], &[0.0, 1.1, -1.0]),
        (|c, x| c.gamma = x, &[1e-9, 1.0], &[0.0, 1.1, f64::NAN]),
        (|c, x| c.min_lr = x, &[0.0, 1.0], &[-1e-9, f64::INFINITY]),
        (|c, x| c.threshold = x, &[0.0, 0.9], &[1.0, -0.1]),
        (|c, x| c.rise_frac = x, &[0.0, 0.9], &[1.0, -0.1]),
        (|c, x| c.start_divisor = x, &[1.0, 1e9], &[0.9, f64::INFINITY]),
        (|c, x| c.end_divisor = x, &[1.0, 1e9], &[0.9, f64::INFINITY]),
    ];
    for (set, right, wrong) in set {
        assert!(right.iter().all(|&x| !refused(&|config| set(config, x))), "{right:?}");
        assert!(wrong.iter().all(|&x| refused(&|config| set(config, x))), "{wrong:?}");
    }
    assert!(refused(&|config| config.step_epochs = 0) && !refused(&|config| config.step_epochs = 1));
}

/// How often the learning rate has dropped and how long it has waited, after each epoch.
fn waited(direction: Direction, threshold: f64, patience: u32, metrics: &[f64]) -> Vec<(u32, u32)> {
    let config = ScheduleConfig { name: "plateau".into(), threshold, patience, ..ScheduleConfig::default() };
    let mut schedule = Schedule::new(&config, 0.1, metrics.len() as u32, 1, direction).unwrap();
    let after = |&metric: &f64| {
        schedule.epoch_ended(metric);
        (schedule.state().drops, schedule.state().without)
    };
    metrics.iter().map(after).collect()
}

#[test]
fn a_plateau_is_more_epochs_than_patience_without_a_change_beyond_the_threshold() {
    // A tenth below 1 is 0.9, and 0.9 itself is not below it; then from 0.89 on.
    let found = waited(Direction::Lower, 0.1, 1, &[1.0, 0.95, 0.9, 0.89, 0.85, 0.81, 0.8]);
    assert_eq!(found, [(0, 0), (0, 1), (1, 0), (1, 0), (1, 1), (2, 0), (2, 0)]);
    // 1.1 times 1 is 1.1.
    let found = waited(Direction::Higher, 0.1, 1, &[1.0, 1.05, 1.1, 1.2, 1.25, 1.3, 1.4]);
    assert_eq!(found, [(0, 0), (0, 1), (1, 0), (1, 0), (1, 1), (2, 0), (2, 0)]);
    assert_eq!(waited(Direction::Lower, 0.0, 0, &[1.0, 1.0, 0.5]), [(0, 0), (1, 0), (1, 0)]);
}

#[test]
fn drops_of_a_hundred_millionth_are_not_made() {
    // As ReduceLROnPlateau's eps.
    for (lr, dropped) in [(2.1e-8, 1.05e-8), (2e-8, 2e-8), (1e-8, 1e-8)] {
        let config = ScheduleConfig { name: "plateau".into(), gamma: 0.5, ..ScheduleConfig::default() };
        let mut schedule = Schedule::new(&config, lr, 10, 1, Direction::Lower).unwrap();
        schedule.restore(&ScheduleState { drops: 1, ..ScheduleState::default() });
        assert_eq!(schedule.lr(1, 1), dropped);
    }
}
