//! Learning rates are those of `torch.optim.lr_scheduler`, update by update: parity/schedules/generate.py writes the golden.
#![allow(clippy::unwrap_used)]

use pupila_metrics::Direction;
use pupila_train::schedule::{SCHEDULES, Schedule, ScheduleConfig};
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
fn what_a_schedule_does_not_heed_or_cannot_use_is_refused() {
    let keys = |config: ScheduleConfig| config.check().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let default = ScheduleConfig::default();
    assert!(keys(default.clone()).is_empty());
    assert_eq!(keys(ScheduleConfig { name: "cosin".into(), ..default.clone() }), ["name"]);
    assert_eq!(keys(ScheduleConfig { patience: 3, ..default.clone() }), ["patience"]);
    assert_eq!(keys(ScheduleConfig { name: "step".into(), gamma: 1.5, ..default }), ["gamma"]);
}
