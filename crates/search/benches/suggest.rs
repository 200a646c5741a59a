//! One suggestion with 1,000 trials known, 10 parameters: `cargo bench -p pupila-search`. The same for Optuna: `benches/compare_search.py`.

#![allow(clippy::unwrap_used)] // a benchmark may fail
#![allow(missing_docs)] // of what criterion's macro makes

use criterion::{Criterion, criterion_group, criterion_main};
use pupila_search::sampler::{Random, Tpe};
use pupila_search::{Direction, Request, Sampler, Space, State, Trial};
use std::hint::black_box;
use std::path::Path;

const TRIALS: u64 = 1000;

/// Spaces of 10 parameters.
fn spaces() -> [(&'static str, String); 3] {
    let ten = |of: fn(usize) -> String| {
        let lines: Vec<String> = (0..10).map(|i| format!("x{i} = {}\n", of(i))).collect();
        format!("[space]\n{}", lines.concat())
    };
    [
        ("floats", ten(|_| "{ float = [-5, 5] }".into())),
        ("ints", ten(|_| "{ int = [1, 50] }".into())),
        (
            "mixed",
            ten(|i| {
                let ranges = [
                    "{ float = [1e-4, 1e-1], log = true }",
                    "{ float = [0, 1], step = 0.1 }",
                    "{ int = [1, 8] }",
                    "{ int = [8, 512], log = true }",
                    "{ categorical = [\"a\", \"b\", \"c\"] }",
                ];
                ranges[i % ranges.len()].into()
            }),
        ),
    ]
}

fn suggest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("suggest");
    group.sample_size(50);
    for (name, text) in spaces() {
        let space = Space::parse(Path::new("bench.toml"), &text).unwrap();
        let mut trials: Vec<Trial> = Vec::new();
        for number in 0..TRIALS {
            let chosen =
                Random.suggest(&Request::new(&space, Direction::Minimize, 0, number, &[])).unwrap().unwrap();
            let value = chosen.values().map(|value| value.internal().powi(2)).sum();
            trials.push(Trial {
                params: space.params(&chosen),
                values: vec![value],
                ..Trial::new(number, State::Complete)
            });
        }
        group.bench_function(name, |bencher| {
            let request = Request::new(&space, Direction::Minimize, 0, TRIALS, &trials);
            bencher.iter(|| black_box(Tpe::default().suggest(&request).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, suggest);
criterion_main!(benches);
