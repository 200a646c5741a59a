use super::*;
use crate::distribution::ParamValue;
use crate::trial::State;
use std::collections::BTreeSet;
use std::path::Path;

const SPACE: &str = r#"
[space]
lr = { float = [1e-4, 1e-1], log = true }
dropout = { float = [0, 1], step = 0.25 }
name = { categorical = ["mlp", "cnn", "linear"] }
layers = { int = [1, 4], when = { name = "mlp" } }
width = { int = [8, 64], log = true, when = { layers = [3, 4] } }
"#;

const GRID: &str = r#"
[space]
dropout = { float = [0, 1], step = 0.25 }
name = { categorical = ["mlp", "cnn", "linear"] }
layers = { int = [1, 4], when = { name = "mlp" } }
width = { int = [8, 9], when = { layers = [3, 4] } }
"#;

/// 5 times: two others, two short mlps, two long ones of two widths.
const POINTS: usize = 5 * (2 + 2 + 2 * 2);

fn space(text: &str) -> Space {
    Space::parse(Path::new("s.toml"), text).unwrap()
}

fn trial(space: &Space, number: u64, chosen: &Assignment, value: f64) -> Trial {
    Trial { params: space.params(chosen), values: vec![value], ..Trial::new(number, State::Complete) }
}

/// Low for a learning rate of 1e-2, no dropout, and an mlp of three layers.
fn loss(chosen: &Assignment) -> f64 {
    let of = |name: &str| chosen.get(name).map(|value| value.internal());
    let lr = (of("lr").unwrap_or(1e-2).log10() + 2.0).powi(2);
    let layers = of("layers").map_or(2.0, |layers| (layers - 3.0).abs());
    lr + of("dropout").unwrap_or(0.0) + layers
}

fn run(sampler: &dyn Sampler, space: &Space, seed: u64, count: u64) -> Vec<Trial> {
    let mut trials = Vec::new();
    for number in 0..count {
        let request = Request::new(space, Direction::Minimize, seed, number, &trials);
        let chosen = sampler.suggest(&request).unwrap().unwrap();
        trials.push(trial(space, number, &chosen, loss(&chosen)));
    }
    trials
}

#[test]
fn every_sampler_gives_active_parameters_within_their_ranges_and_the_same_again() {
    for name in SAMPLERS {
        let space = space(if name == "grid" { GRID } else { SPACE });
        let sampler = by_name(name).unwrap();
        assert_eq!(sampler.name(), name);
        let trials = run(&*sampler, &space, 3, 30);
        assert_eq!(trials, run(&*sampler, &space, 3, 30));
        assert_ne!(trials, run(&*sampler, &space, 4, 30), "{name}");
        for trial in &trials {
            let is_mlp = trial.params["name"].value == ParamValue::Choice(0);
            let layers = trial.params.get("layers");
            assert_eq!(layers.is_some(), is_mlp);
            let is_deep = layers.is_some_and(|layers| layers.value.internal() >= 3.0);
            assert_eq!(trial.params.contains_key("width"), is_deep);
            assert!(trial.params.values().all(|param| param.distribution.contains(param.value)));
        }
        // The order in which trials are known says nothing.
        let mut reversed = trials.clone();
        reversed.reverse();
        let ask = |trials: &[Trial]| {
            sampler.suggest(&Request::new(&space, Direction::Minimize, 3, 30, trials)).unwrap()
        };
        assert_eq!(ask(&trials), ask(&reversed), "{name}");
    }
    assert!(by_name("best").is_none());
}

#[test]
fn fixed_values_stand_and_decide_what_is_active() {
    for name in SAMPLERS {
        let space = space(if name == "grid" { GRID } else { SPACE });
        let sampler = by_name(name).unwrap();
        let trials = run(&*sampler, &space, 0, 20);
        for number in 20..30 {
            let mut request = Request::new(&space, Direction::Minimize, 0, number, &trials);
            request.fixed.insert("name".into(), ParamValue::Choice(0));
            request.fixed.insert("layers".into(), ParamValue::Int(4));
            let chosen = sampler.suggest(&request).unwrap().unwrap();
            assert_eq!(chosen["layers"], ParamValue::Int(4));
            assert!(chosen.contains_key("width") && chosen.contains_key("dropout"));
        }
    }
}

#[test]
fn a_grid_tries_every_point_once_in_an_order_of_its_own() {
    let space = space(GRID);
    assert_eq!(Grid.count(&space).unwrap() as usize, POINTS);
    let trials = run(&Grid, &space, 1, POINTS as u64);
    let points: BTreeSet<String> = trials.iter().map(|trial| format!("{:?}", trial.params)).collect();
    assert_eq!(points.len(), POINTS);
    let after = Request::new(&space, Direction::Minimize, 1, POINTS as u64, &trials);
    assert_eq!(Grid.suggest(&after).unwrap(), None);
    // The first few are from all over it.
    let names: BTreeSet<u64> =
        trials[..12].iter().map(|trial| trial.params["name"].value.internal() as u64).collect();
    assert_eq!(names.len(), 3);
}

#[test]
fn points_of_failed_trials_and_of_numbers_used_otherwise_come_at_the_end() {
    let space = space(GRID);
    let mut trials = run(&Grid, &space, 1, POINTS as u64);
    trials[4].state = State::Fail;
    // Trial 9 was enqueued with the point that trial 2 has.
    trials[9].params = trials[2].params.clone();
    let lost = [4, 9].map(|number| run(&Grid, &space, 1, POINTS as u64)[number].params.clone());
    let mut found = Vec::new();
    for number in POINTS as u64..POINTS as u64 + 2 {
        let request = Request::new(&space, Direction::Minimize, 1, number, &trials);
        let chosen = Grid.suggest(&request).unwrap().unwrap();
        trials.push(trial(&space, number, &chosen, 0.0));
        found.push(space.params(&chosen));
    }
    assert!(lost.iter().all(|params| found.contains(params)));
    // An early trial whose point is taken already does not end the search.
    let early = &trials[..3];
    let mut taken = early.to_vec();
    taken[2].params = run(&Grid, &space, 1, 4)[3].params.clone();
    let mut request = Request::new(&space, Direction::Minimize, 1, 3, &taken);
    assert!(Grid.suggest(&request).unwrap().is_some());
    request.trials = early;
    assert!(Grid.suggest(&request).unwrap().is_some());
}

#[test]
fn a_grid_without_an_end_is_refused_with_what_to_type() {
    let told =
        Grid.suggest(&Request::new(&space(SPACE), Direction::Minimize, 0, 0, &[])).unwrap_err().to_string();
    assert!(
        told.starts_with("space.\"lr\": a grid needs values that can be counted; give it a step"),
        "{told}"
    );
    let large = "[space]\na = { int = [1, 1000] }\nb = { int = [1, 1000] }\nc = { int = [1, 2] }\n";
    let told = Grid.count(&space(large)).unwrap_err().to_string();
    assert!(told.contains("more than 1000000 points"), "{told}");
}

#[test]
fn tpe_finds_better_values_than_random_draws_also_for_the_high() {
    let space = space(SPACE);
    let mean_of_last = |sampler: &dyn Sampler, seed| {
        let trials = run(sampler, &space, seed, 60);
        trials[30..].iter().map(|trial| trial.values[0]).sum::<f64>() / 30.0
    };
    for seed in 0..4 {
        let (tpe, random) = (mean_of_last(&Tpe::default(), seed), mean_of_last(&Random, seed));
        assert!(tpe < 0.6 * random, "{seed}: {tpe} {random}");
    }
    // The same trials with their values turned round.
    let mut trials = run(&Random, &space, 0, 40);
    let low = Tpe::default().suggest(&Request::new(&space, Direction::Minimize, 0, 40, &trials)).unwrap();
    for trial in &mut trials {
        trial.values[0] = -trial.values[0];
    }
    let high = Tpe::default().suggest(&Request::new(&space, Direction::Maximize, 0, 40, &trials)).unwrap();
    assert_eq!(low, high);
}

#[test]
fn tpe_keeps_away_from_what_runs_and_bears_trials_of_others() {
    let space = space("[space]\nx = { float = [0, 1] }\n");
    let mut trials: Vec<Trial> = (0..30)
        .map(|number| {
            let x = number as f64 / 30.0;
            let chosen = Assignment::from([("x".to_owned(), ParamValue::Float(x))]);
            trial(&space, number, &chosen, (x - 0.5).abs())
        })
        .collect();
    let ask = |trials: &[Trial], number| {
        let request = Request::new(&space, Direction::Minimize, 0, number, trials);
        Tpe::default().suggest(&request).unwrap().unwrap()["x"].internal()
    };
    let alone = ask(&trials, 100);
    // Twenty workers try that very place.
    for number in 30..50 {
        let chosen = Assignment::from([("x".to_owned(), ParamValue::Float(alone))]);
        trials.push(Trial { state: State::Running, values: vec![], ..trial(&space, number, &chosen, 0.0) });
    }
    assert!((ask(&trials, 100) - alone).abs() > 0.02);
    // Without parameters, outside of the range, of another kind, infinite, without a value.
    let outside = Assignment::from([("x".to_owned(), ParamValue::Float(7.0))]);
    trials.push(trial(&space, 50, &outside, 0.0));
    let kind = Assignment::from([("x".to_owned(), ParamValue::Choice(1))]);
    trials.push(trial(&space, 51, &kind, 0.0));
    trials.push(Trial { values: vec![f64::NEG_INFINITY], ..Trial::new(52, State::Complete) });
    trials.push(Trial::new(53, State::Complete));
    trials.push(Trial::new(54, State::Waiting));
    assert!((0.0..=1.0).contains(&ask(&trials, 100)));
}
