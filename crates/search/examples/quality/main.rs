//! How good the samplers are on named functions, and how long they take; read by `benches/compare_search.py`.
//!
//! `quality [SEEDS] [TRIALS]` prints a line `function,sampler,seed,best` for each study. `quality --speed [TRIALS]` prints for each space
//! the milliseconds that TPE takes for a trial, mean over the last tenth of a study.

#![allow(clippy::unwrap_used)] // a measurement may fail

mod functions;

use functions::{Values, best, functions, study};
use pupila_search::{Direction, Request, State, Trial, sampler};
use std::time::Instant;

/// Prints the time of a suggestion.
fn speed(trials: u64) {
    for function in
        functions().iter().filter(|function| function.name == "sphere-10" || function.name == "conditional")
    {
        let mut known = study(function, "random", 0, trials - trials / 10);
        let sampler = sampler::by_name("tpe").unwrap();
        let start = Instant::now();
        for number in trials - trials / 10..trials {
            let request = Request::new(&function.space, Direction::Minimize, 0, number, &known);
            let chosen = sampler.suggest(&request).unwrap().unwrap();
            let value = (function.value)(&Values { space: &function.space, chosen: &chosen });
            let params = function.space.params(&chosen);
            known.push(Trial { params, values: vec![value], ..Trial::new(number, State::Complete) });
        }
        println!("{},{:.4}", function.name, start.elapsed().as_secs_f64() * 1e3 / (trials / 10) as f64);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, otherwise: u64| {
        arguments.get(place).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    if arguments.first().is_some_and(|first| first == "--speed") {
        return speed(number(1, 1000));
    }
    for function in functions() {
        for sampler in ["tpe", "random", "qmc"] {
            for seed in 0..number(0, 20) {
                let trials = study(&function, sampler, seed, number(1, 100));
                println!("{},{sampler},{seed},{:?}", function.name, best(&trials));
            }
        }
    }
}
