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
    assert_eq!(errors[0].to_string(), "schedule.patience: is not used by `cosine`, which uses min_lr");
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
