//! What a frozen backbone's features are good for, without a training loop: a linear probe and the nearest neighbours.
//!
//! In: features of the training images with their classes. Out: a last layer, or votes. Both choose the one number that they have, the penalty or the count of
//! neighbours, by cross-validation on the training images alone. References: Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
//! probes" (arXiv 1610.01644); scikit-learn's `LogisticRegressionCV` and `KNeighborsClassifier`, which `parity/probe` compares with.

mod knn;
mod lbfgs;
mod product;
mod softmax_regression;

pub(crate) use knn::Neighbours;
pub(crate) use softmax_regression::Linear;

use pupila_random::{Purpose, Stream};
use softmax_regression::Problem;
use std::collections::BTreeMap;

/// Features with what they are of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    /// `[N, features]`
    pub(crate) values: Vec<f32>,
    /// Values of a row.
    pub(crate) features: usize,
    /// `[N]`
    pub(crate) labels: Vec<u32>,
    /// What each row belongs to: the views and copies of one image are of one unit, which a cross-validation never takes apart. `[N]`
    pub(crate) units: Vec<u128>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.features..(row + 1) * self.features]
    }

    /// Those rows for which it says yes.
    fn part(&self, which: impl Fn(usize) -> bool) -> Rows {
        let rows: Vec<usize> = (0..self.len()).filter(|&row| which(row)).collect();
        Rows {
            values: rows.iter().flat_map(|&row| self.row(row)).copied().collect(),
            features: self.features,
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            units: rows.iter().map(|&row| self.units[row]).collect(),
        }
    }
}

/// Folds of the cross-validation.
const FOLDS: usize = 5;
/// C is tried at `10^(k/2)` by the mean variance of a feature, for k from the first to the last of these, so that features of any scale have the same
/// choice.
const POWERS: std::ops::RangeInclusive<i32> = -8..=4;
/// A derivative that counts as zero while C is chosen, and in the end.
const TOLERANCES: [f64; 2] = [5e-4, 1e-6];
/// So many values of C in a row that are worse than the best end the search, as the held-out loss has one lowest point.
const PATIENCE: usize = 2;

/// A linear probe, and how it was chosen.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) map: Linear,
    /// The inverse strength of the penalty, as scikit-learn counts it.
    pub(crate) c: f64,
    /// The mean loss of what was held out with it; none where nothing could be.
    pub(crate) held_out_loss: Option<f64>,
    /// Folds of the cross-validation; 0 where no class could be in two of them.
    pub(crate) folds: usize,
}

/// The fold of each row: every class is dealt out in an order by chance, unit by unit. None where no class has two units.
fn folds(rows: &Rows, classes: usize, seed: u64) -> Option<(Vec<usize>, usize)> {
    let mut units: Vec<Vec<u128>> = vec![Vec::new(); classes];
    let mut of_unit: BTreeMap<u128, usize> = BTreeMap::new();
    for (&label, &unit) in rows.labels.iter().zip(&rows.units) {
        if of_unit.insert(unit, 0).is_none() {
            units[label as usize].push(unit);
        }
    }
    let largest = units.iter().map(Vec::len).max().unwrap_or(0);
    let folds = largest.min(FOLDS);
    if folds < 2 {
        return None;
    }
    let mut next = 0;
    for (class, units) in units.iter_mut().enumerate() {
        // By content, and not by the order in which they came.
        units.sort_unstable();
        let mut stream = Stream::new(seed, Purpose::Split, class as u32, 2);
        stream.shuffle(units);
        // Goes on where the class before has ended, so that folds are equally large.
        for unit in units {
            of_unit.insert(*unit, next % folds);
            next += 1;
        }
    }
    Some((rows.units.iter().map(|unit| of_unit[unit]).collect(), folds))
}

/// Fits a linear probe whose penalty gives the lowest loss on what is held out. `stop` is asked between fits: none where it says yes.
pub(crate) fn probe(
    rows: &Rows,
    classes: usize,
    class_weights: &[f64],
    seed: u64,
    stop: &mut dyn FnMut() -> bool,
) -> Option<Probe> {
    let all = Problem::new(rows, classes, class_weights);
    let variance = if all.variance > 0.0 { all.variance } else { 1.0 };
    let c_of = |power: i32| 10f64.powf(f64::from(power) / 2.0) / variance;
    let zeros = || Linear::zeros(rows.features, classes);
    let mut chosen = (c_of(0), None);
    let mut count = 0;
    if let Some((fold, folds)) = folds(rows, classes, seed) {
        count = folds;
        let parts: Vec<(Rows, Rows)> = (0..folds)
            .map(|out| (rows.part(|row| fold[row] != out), rows.part(|row| fold[row] == out)))
            .collect();
        let problems: Vec<Problem<'_>> =
            parts.iter().map(|(rest, _)| Problem::new(rest, classes, class_weights)).collect();
        let mut starts: Vec<Linear> = (0..folds).map(|_| zeros()).collect();
        let mut worse = 0;
        for power in POWERS {
            let mut sums = [0.0; 2];
            for ((problem, (_, out)), start) in problems.iter().zip(&parts).zip(&mut starts) {
                if stop() {
                    return None;
                }
                *start = problem.fit(c_of(power), start, TOLERANCES[0]).0;
                for ((loss, _), &label) in start.judge(out).into_iter().zip(&out.labels) {
                    let weight = class_weights.get(label as usize).copied().unwrap_or(1.0);
                    sums[0] += weight * loss;
                    sums[1] += weight;
                }
            }
            let loss = sums[0] / sums[1];
            if chosen.1.is_none_or(|best| loss < best) {
                chosen = (c_of(power), Some(loss));
                worse = 0;
            } else {
                worse += 1;
                if worse == PATIENCE {
                    break;
                }
            }
        }
    }
    if stop() {
        return None;
    }
    let (map, _) = all.fit(chosen.0, &zeros(), TOLERANCES[1]);
    Some(Probe { map, c: chosen.0, held_out_loss: chosen.1, folds: count })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Of `parity/probe/generate.py`.
    pub(super) fn golden() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../parity/probe/values.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    pub(super) fn numbers(value: &Value) -> Vec<f64> {
        match value {
            Value::Array(list) => list.iter().flat_map(numbers).collect(),
            number => vec![number.as_f64().unwrap()],
        }
    }

    pub(super) fn rows(golden: &Value) -> Rows {
        let values: Vec<f32> = numbers(&golden["features"]).into_iter().map(|x| x as f32).collect();
        let labels: Vec<u32> = numbers(&golden["labels"]).into_iter().map(|x| x as u32).collect();
        Rows {
            features: values.len() / labels.len(),
            units: (0..labels.len() as u128).collect(),
            values,
            labels,
        }
    }

    /// The minimum is one point, and scikit-learn stops within 1e-10 of it: what differs is where each stops.
    #[test]
    fn the_probe_is_scikit_learns_logistic_regression() {
        let golden = golden();
        let rows = rows(&golden);
        let weights = numbers(&golden["class_weights"]);
        for case in golden["regressions"].as_array().unwrap() {
            let weights = if case["weighted"] == true { &weights[..] } else { &[] };
            let problem = Problem::new(&rows, 3, weights);
            let c = case["c"].as_f64().unwrap();
            let (map, _) = problem.fit(c, &Linear::zeros(rows.features, 3), 1e-9);
            let bias: Vec<f64> = map.bias().into_iter().map(f64::from).collect();
            let mean = bias.iter().sum::<f64>() / 3.0;
            let found = map.weight().into_iter().map(f64::from).chain(bias.iter().map(|b| b - mean));
            let expected = [numbers(&case["weight"]), numbers(&case["bias"])].concat();
            for (found, expected) in found.zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-4 * (1.0 + expected.abs()),
                    "C {c}: {found} and {expected}"
                );
            }
        }
    }

    #[test]
    fn units_stay_in_one_fold_and_every_class_is_dealt_out() {
        let mut rows = rows(&golden());
        let last = rows.clone();
        // Two views of each.
        rows.values.extend(last.values);
        rows.labels.extend(last.labels);
        rows.units.extend(last.units);
        let (fold, count) = folds(&rows, 3, 0).unwrap();
        assert_eq!(count, FOLDS);
        let half = fold.len() / 2;
        assert_eq!(fold[..half], fold[half..]);
        for class in 0..3 {
            let of_fold = |wanted: usize| {
                (0..half).filter(|&row| rows.labels[row] == class && fold[row] == wanted).count()
            };
            let counts: Vec<usize> = (0..count).map(of_fold).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
        assert_ne!(folds(&rows, 3, 1).unwrap().0, fold);
        let one = rows.part(|row| row == 0);
        assert!(folds(&one, 3, 0).is_none());
    }

    #[test]
    fn a_probe_is_the_same_for_any_number_of_threads_and_stops_when_asked() {
        let rows = rows(&golden());
        let fit = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| probe(&rows, 3, &[], 7, &mut || false).unwrap())
        };
        let (one, three) = (fit(1), fit(3));
        assert_eq!(
            (one.map.weight(), one.map.bias(), one.c),
            (three.map.weight(), three.map.bias(), three.c)
        );
        assert!(one.held_out_loss.unwrap() < 3f64.ln() && one.folds == FOLDS);
        assert!(probe(&rows, 3, &[], 7, &mut || true).is_none());
        // One image of each class leaves nothing to choose by.
        let few =
            rows.part(|row| (0..3).any(|class| rows.labels.iter().position(|&l| l == class) == Some(row)));
        let probe = probe(&few, 3, &[], 7, &mut || false).unwrap();
        assert_eq!((probe.folds, probe.held_out_loss), (0, None));
    }
}
