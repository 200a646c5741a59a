//! The density of one parameter among some trials, on a grid: a kernel for each grid point that trials stand on, weighted by how many do, and
//! a wide one, the prior.
//!
//! The order of floating-point operations is that of the reference where a value between two grid points goes to either.

use crate::distribution::{Distribution, ParamValue};
use crate::normal;
use crate::trial::Trial;

/// Most grid points of a range.
const GRID: usize = 50;

/// Weight of the prior, as if it were so many trials.
const PRIOR_WEIGHT: f64 = 1.0;

/// The smallest bandwidth, in grid points: nine tenths of a kernel stay within its point.
const NARROWEST: f64 = 0.5 / 1.64;

/// The probability of each grid point, or choice.
pub(super) fn on_grid(name: &str, range: &Distribution, trials: &[(f64, &Trial)]) -> Vec<f64> {
    let values: Vec<ParamValue> =
        trials.iter().filter_map(|(_, trial)| Some(trial.params.get(name)?.value)).collect();
    match range {
        Distribution::Categorical { choices } => {
            let mut counts = vec![0.0; choices.len()];
            for value in values {
                if let ParamValue::Choice(place) = value {
                    counts[place.min(choices.len() - 1)] += 1.0;
                }
            }
            of_choices(&counts)
        }
        Distribution::Float { low, high, log, step } => {
            let points = match step {
                Some(step) if !log => ((high - low) / step).round_ties_even() as usize + 1,
                _ => GRID,
            };
            of_points(&counts(*low, *high, *log, points.min(GRID), &values))
        }
        Distribution::Int { low, high, log, step } => {
            let points = if *log {
                (((high - low + 1) as f64).ln() / 2f64.ln()).ceil() as usize + 1
            } else {
                ((high - low) as f64 / *step as f64).round_ties_even() as usize + 1
            };
            of_points(&counts(*low as f64, *high as f64, *log, points.min(GRID), &values))
        }
    }
}

/// How many values belong to each of `points` grid points between the ends.
fn counts(low: f64, high: f64, log: bool, points: usize, values: &[ParamValue]) -> Vec<f64> {
    let scaled = |x: f64| if log { x.ln() } else { x };
    let (low, high) = (scaled(low), scaled(high));
    // numpy.linspace
    let spacing = (high - low) / (points - 1) as f64;
    let mut grid: Vec<f64> = (0..points).map(|i| i as f64 * spacing + low).collect();
    grid[points - 1] = high;
    let half = (grid[1] - grid[0]) / 2.0;
    let mut counts = vec![0.0; points];
    for value in values {
        let x = scaled(value.internal()) - half;
        counts[grid.partition_point(|&point| point < x).min(points - 1)] += 1.0;
    }
    counts
}

/// Grid points with a normal kernel, by Scott's rule (Scott, "Multivariate Density Estimation", 1992).
fn of_points(counts: &[f64]) -> Vec<f64> {
    let points = counts.len();
    let observed: Vec<(f64, f64)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0.0)
        .map(|(i, &count)| (i as f64, count))
        .collect();
    let n: f64 = counts.iter().sum();
    let mean: f64 = observed.iter().map(|(point, count)| point * (count / n)).sum();
    let squares: f64 = observed.iter().map(|(point, count)| (point - mean).powi(2) * count).sum();
    let sd = (squares / (n - 1.0).max(1.0)).sqrt();
    let mut sum = 0.0;
    let cumulated: Vec<f64> = observed
        .iter()
        .map(|(_, count)| {
            sum += count;
            sum
        })
        .collect();
    let lower = cumulated.partition_point(|&sum| sum < (n / 4.0).floor());
    let upper = cumulated.partition_point(|&sum| sum <= (n * 3.0 / 4.0).floor());
    let between_quartiles = observed[upper.min(observed.len() - 1)].0 - observed[lower].0;
    let bandwidth = (1.059 * (between_quartiles / 1.34).min(sd) * n.powf(-0.2)).max(NARROWEST);
    let end = points as f64 - 0.5;
    let mut density = vec![0.0; points];
    let mut add = |center: f64, bandwidth: f64, weight: f64| {
        let inside = normal::mass((-0.5 - center) / bandwidth, (end - center) / bandwidth);
        for (i, density) in density.iter_mut().enumerate() {
            let from = i as f64 - 0.5 - center;
            *density += weight * normal::mass(from / bandwidth, (from + 1.0) / bandwidth) / inside;
        }
    };
    for &(point, count) in &observed {
        add(point, bandwidth, count / (n + PRIOR_WEIGHT));
    }
    add(0.5 * (points - 1) as f64, points as f64, PRIOR_WEIGHT / (n + PRIOR_WEIGHT));
    density
}

/// Choices: a kernel has most on its own and a little on each.
fn of_choices(counts: &[f64]) -> Vec<f64> {
    let n: f64 = counts.iter().sum();
    let kernels = counts.iter().filter(|&&count| count > 0.0).count() as f64 + 1.0;
    let little = PRIOR_WEIGHT / kernels;
    let whole = 1.0 + little * counts.len() as f64;
    counts
        .iter()
        .map(|count| {
            let own = count * (1.0 + little) / whole;
            let others = (n - count) * little / whole;
            (own + others + PRIOR_WEIGHT / counts.len() as f64) / (n + PRIOR_WEIGHT)
        })
        .collect()
}
