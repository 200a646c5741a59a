//! How often the 95 % intervals of `pupila_metrics` hold the true value, over many populations of which it is known:
//! `cargo run --release -p pupila-metrics --example coverage -- [single|paired|groups|paired-groups] [REPETITIONS] [PART OF A NAME]`.
//!
//! A line for each population: its name, and by metric the coverage and the mean width in points, `-` where there is no interval. The
//! lowest of many are low by chance too, so for each metric those that are furthest below what is promised of them are drawn anew, ten
//! times as often. The last lines, which begin with `result:`, are the lowest of these, with the Monte-Carlo interval. The exit code is 1
//! where the whole of such an interval is below the promise.

#![allow(clippy::unwrap_used)] // A program to run by hand: a panic is its answer to a mistake.

mod population;

use population::{Errors, Held, METRICS, Population};
use pupila_metrics::clopper_pearson;

/// Seeds of the first draws and of those anew.
const FIRST: u64 = 7;
const SECOND: u64 = 11;
/// Populations that are drawn anew, for each metric.
const DRAWN_ANEW: usize = 20;

/// A part of the program: populations, and whether two classifiers are compared.
fn populations(part: &str) -> (Vec<Population>, bool) {
    match part {
        "single" => (independent(), false),
        "paired" => (compared(), true),
        "groups" => (grouped(0.0), false),
        "paired-groups" => (grouped(0.5), true),
        other => panic!("there is no part {other}: single, paired, groups, paired-groups"),
    }
}

/// Images that are drawn one by one.
fn independent() -> Vec<Population> {
    let sets = [
        vec![25, 25],
        vec![10, 40],
        vec![10, 190],
        vec![17; 3],
        vec![10; 5],
        vec![10; 9],
        [vec![10; 8], vec![200]].concat(),
        vec![10; 30],
    ];
    let mut all = Vec::new();
    for images in &sets {
        for right in [0.5, 0.8, 0.9, 0.97, 0.99] {
            for mixed in [false, true] {
                for errors in [Errors::Anywhere, Errors::Neighbour, Errors::First] {
                    all.push(Population::plain(images.clone(), right, mixed, errors));
                }
            }
        }
    }
    all
}

/// Two classifiers: as good as one another or not, with other mistakes or nearly the same.
fn compared() -> Vec<Population> {
    let mut all = Vec::new();
    for population in independent() {
        for (shared, worse) in [(0.0, 0.0), (0.7, 0.0), (0.7, 0.1), (0.95, 0.02), (1.0, 0.1)] {
            let mut of = population.clone();
            of.shared = shared;
            of.right.iter_mut().for_each(|right| right[1] = (right[0] - worse).max(0.0));
            all.push(of);
        }
    }
    all
}

/// Images in groups, from hardly alike to all the same, in groups of one size and of many.
fn grouped(shared: f64) -> Vec<Population> {
    let mut all = Vec::new();
    for groups in [8usize, 10, 14, 20, 40] {
        for each in [2, 6, 20] {
            for alike in [0.0, 0.4, 0.7, 1.0] {
                for right in [0.5, 0.8, 0.85, 0.9, 0.95, 0.97, 0.99] {
                    for skew in [1.0, 8.0] {
                        // Groups of each class, or of few and many.
                        for of_class in [[groups, groups], [groups - groups / 4, groups / 4]] {
                            let images = of_class.map(|groups| groups * each).to_vec();
                            let plain = Population::plain(images, right, false, Errors::Anywhere);
                            let groups = Some((of_class.to_vec(), alike));
                            all.push(Population { groups, skew, shared, ..plain });
                        }
                    }
                }
            }
        }
    }
    all
}

fn main() {
    let argument = |place: usize| std::env::args().nth(place);
    let part = argument(1).unwrap_or_else(|| "single".into());
    let repetitions: u32 = argument(2).and_then(|n| n.parse().ok()).unwrap_or(1000);
    let (mut populations, paired) = populations(&part);
    if let Some(only) = argument(3) {
        populations.retain(|population| population.name().contains(&only));
    }
    let found = simulate(&populations, FIRST, repetitions, paired);
    for (population, found) in populations.iter().zip(&found) {
        let cell = |of: &Held| match of.tried {
            0 => "-".to_owned(),
            tried => format!("{:.1} ({:.1})", 100.0 * of.share(), 100.0 * of.widths / f64::from(tried)),
        };
        println!("{}: {}", population.name(), found.iter().map(cell).collect::<Vec<_>>().join("  "));
    }
    let margin = |population: &Population, held: &Held| held.share() - population.promised();
    let mut broken = false;
    for (metric, name) in METRICS.iter().enumerate() {
        let mut order: Vec<usize> = (0..populations.len()).filter(|&i| found[i][metric].tried > 0).collect();
        order.sort_by(|&a, &b| {
            margin(&populations[a], &found[a][metric]).total_cmp(&margin(&populations[b], &found[b][metric]))
        });
        let again: Vec<Population> =
            order.iter().take(DRAWN_ANEW).map(|&of| populations[of].clone()).collect();
        let drawn = simulate(&again, SECOND, 10 * repetitions, paired);
        let held = again.iter().zip(drawn.iter().map(|drawn| drawn[metric]));
        let lowest = held.min_by(|(p, a), (q, b)| margin(p, a).total_cmp(&margin(q, b)));
        let Some((population, held)) = lowest else { continue };
        let (low, high) = clopper_pearson(held.held.into(), held.tried.into(), 0.95);
        broken |= high < population.promised();
        println!(
            "result: {part}, {name}: of {} populations the lowest coverage is {:.1} % ({:.1} to {:.1}), promised {:.0} %: {}",
            populations.len(),
            100.0 * held.share(),
            100.0 * low,
            100.0 * high,
            100.0 * population.promised(),
            population.name()
        );
    }
    std::process::exit(i32::from(broken));
}

/// By population and metric, on two threads.
fn simulate(populations: &[Population], seed: u64, repetitions: u32, paired: bool) -> Vec<[Held; 3]> {
    let halves = populations.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        let simulate = |chunk: &[Population]| -> Vec<[Held; 3]> {
            chunk.iter().map(|of| of.simulate(seed, repetitions, paired)).collect()
        };
        let parts: Vec<_> =
            populations.chunks(halves).map(|chunk| scope.spawn(move || simulate(chunk))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}
