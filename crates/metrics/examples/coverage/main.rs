//! How often the 95 % intervals of `pupila_metrics` hold the true value, over many populations of which it is known:
//! `cargo run --release -p pupila-metrics --example coverage -- [single|paired|groups|paired-groups] [REPETITIONS] [PART OF A NAME]`.
//!
//! A line for each population: its name, and by metric the coverage and the mean width in points, `-` where there is no interval. The
//! last lines, which begin with `result:`, are the lowest coverage of each metric, with the Monte-Carlo interval of that.

#![allow(clippy::unwrap_used)] // A program to run by hand: a panic is its answer to a mistake.

mod population;

use population::{Errors, Held, METRICS, Population};
use pupila_metrics::clopper_pearson;

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
    let halves = populations.len().div_ceil(2).max(1);
    let found: Vec<[Held; 3]> = std::thread::scope(|scope| {
        let simulate = |chunk: &[Population]| -> Vec<[Held; 3]> {
            chunk.iter().map(|of| of.simulate(repetitions, paired)).collect()
        };
        let parts: Vec<_> =
            populations.chunks(halves).map(|chunk| scope.spawn(move || simulate(chunk))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let mut lowest: [Option<(f64, Held, String)>; 3] = [None, None, None];
    for (population, found) in populations.iter().zip(&found) {
        let cell = |of: &Held| match of.tried {
            0 => "-".to_owned(),
            tried => format!(
                "{:.1} ({:.1})",
                100.0 * f64::from(of.held) / f64::from(tried),
                100.0 * of.widths / f64::from(tried)
            ),
        };
        println!("{}: {}", population.name(), found.iter().map(cell).collect::<Vec<_>>().join("  "));
        for (of, lowest) in found.iter().zip(&mut lowest).filter(|(of, _)| of.tried > 0) {
            let share = f64::from(of.held) / f64::from(of.tried);
            if lowest.as_ref().is_none_or(|(least, ..)| share < *least) {
                *lowest = Some((share, *of, population.name()));
            }
        }
    }
    for (name, lowest) in METRICS.iter().zip(lowest) {
        let Some((share, of, population)) = lowest else { continue };
        let (low, high) = clopper_pearson(of.held.into(), of.tried.into(), 0.95);
        println!(
            "result: {part}, {name}: of {} populations the lowest coverage is {:.1} % ({:.1} to {:.1}): {population}",
            populations.len(),
            100.0 * share,
            100.0 * low,
            100.0 * high
        );
    }
}
