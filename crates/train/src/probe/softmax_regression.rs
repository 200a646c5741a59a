//! Multinomial logistic regression on features, with an L2 penalty of the weights but not of the biases.
//!
//! What is lowest is `C * sum of w_i loss_i + |W|^2 / 2`, as in scikit-learn's `LogisticRegression` for three classes or more. For two it has one row
//! of weights, where here, as in the network's last layer, each class has one: the same classifier, with a C of half as much.

use super::Rows;
use super::lbfgs::{Lowest, minimize};
use super::product::{Panels, product};
use rayon::prelude::*;

/// Iterations at most.
const ITERATIONS: usize = 2000;

/// A linear map of features to logits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Linear {
    /// `[features, classes]`
    weight: Panels,
    /// `[classes]`
    bias: Vec<f64>,
}

impl Linear {
    pub(crate) fn zeros(features: usize, classes: usize) -> Self {
        Linear { weight: Panels::zeros(features, classes), bias: vec![0.0; classes] }
    }

    /// In PyTorch's layout: `[classes, features]`.
    pub(crate) fn weight(&self) -> Vec<f32> {
        let weight = &self.weight;
        (0..weight.columns)
            .flat_map(|class| (0..weight.rows).map(move |feature| weight.at(feature, class) as f32))
            .collect()
    }

    pub(crate) fn bias(&self) -> Vec<f32> {
        self.bias.iter().map(|&bias| bias as f32).collect()
    }

    /// The logits of features `[N, features]`: `[N, classes]`.
    fn logits(&self, rows: &[f32]) -> Panels {
        let mut logits = product(rows, &self.weight);
        for row in 0..logits.rows {
            for (class, bias) in self.bias.iter().enumerate() {
                let at = logits.place(row, class);
                logits.values[at] += bias;
            }
        }
        logits
    }

    /// For each row its loss, and whether its largest logit is its class's.
    pub(crate) fn judge(&self, rows: &Rows) -> Vec<(f64, bool)> {
        let logits = self.logits(&rows.values);
        let judge = |(row, &label): (usize, &u32)| {
            let row: Vec<f64> = logits.row(row).collect();
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let first = row.iter().position(|&logit| logit == largest);
            (loss(&row, label as usize), first == Some(label as usize))
        };
        rows.labels.par_iter().enumerate().map(|(row, label)| judge((row, label))).collect()
    }
}

fn loss(logits: &[f64], label: usize) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    total.ln() + largest - logits[label]
}

/// Rows that are fitted to, with what is worked out of them once.
pub(crate) struct Problem<'a> {
    rows: &'a Rows,
    /// `[features, N]`
    transposed: Vec<f32>,
    /// `[features]`
    mean: Vec<f64>,
    /// Mean variance of a feature.
    pub(crate) variance: f64,
    classes: usize,
    /// The weight of each row in the loss.
    weights: Vec<f64>,
}

impl<'a> Problem<'a> {
    /// `class_weights` are one for each class, or none where all are alike.
    pub(crate) fn new(rows: &'a Rows, classes: usize, class_weights: &[f64]) -> Self {
        let (count, features) = (rows.labels.len(), rows.features);
        let mut transposed = vec![0.0; rows.values.len()];
        transposed.par_chunks_mut(count.max(1)).enumerate().for_each(|(feature, column)| {
            column.iter_mut().enumerate().for_each(|(row, to)| *to = rows.values[row * features + feature]);
        });
        let n = count as f64;
        let moments: Vec<(f64, f64)> = transposed
            .par_chunks(count.max(1))
            .map(|column| {
                let mean = column.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
                (mean, column.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n)
            })
            .collect();
        Problem {
            rows,
            transposed,
            variance: moments.iter().map(|of| of.1).sum::<f64>() / features.max(1) as f64,
            mean: moments.into_iter().map(|of| of.0).collect(),
            classes,
            weights: rows
                .labels
                .iter()
                .map(|&label| class_weights.get(label as usize).copied().unwrap_or(1.0))
                .collect(),
        }
    }

    /// The best linear map with a penalty, from another one on.
    ///
    /// It ends where no derivative of the mean loss with its penalty is above `tolerance`.
    pub(crate) fn fit(&self, c: f64, start: &Linear, tolerance: f64) -> (Linear, usize) {
        let (features, classes) = (self.rows.features, self.classes);
        let total: f64 = self.weights.iter().sum();
        let penalty = 1.0 / (c * total);
        let weights = start.weight.values.len();
        // Features are taken from their mean, which changes what the bias is but not what is best, and makes the way there much shorter.
        let mut at = start.weight.values.clone();
        at.extend((0..classes).map(|class| start.bias[class] + self.through_mean(&start.weight, class)));
        let Lowest { at, iterations, .. } = minimize(at, tolerance, ITERATIONS, |at, gradient| {
            let weight = start.weight.with(at[..weights].to_vec());
            let bias =
                (0..classes).map(|class| at[weights + class] - self.through_mean(&weight, class)).collect();
            let map = Linear { weight, bias };
            let (loss, errors) = self.errors(&map, total);
            let by_weight = product(&self.transposed, &errors);
            let sums: Vec<f64> =
                (0..classes).map(|class| (0..errors.rows).map(|row| errors.at(row, class)).sum()).collect();
            for feature in 0..features {
                for class in 0..classes {
                    let place = by_weight.place(feature, class);
                    gradient[place] =
                        by_weight.values[place] - self.mean[feature] * sums[class] + penalty * at[place];
                }
            }
            gradient[weights..].copy_from_slice(&sums);
            loss + 0.5 * penalty * at[..weights].iter().map(|w| w * w).sum::<f64>()
        });
        let weight = start.weight.with(at[..weights].to_vec());
        let bias =
            (0..classes).map(|class| at[weights + class] - self.through_mean(&weight, class)).collect();
        (Linear { weight, bias }, iterations)
    }

    /// What a class's weights make of the mean features.
    fn through_mean(&self, weight: &Panels, class: usize) -> f64 {
        self.mean.iter().enumerate().map(|(feature, mean)| mean * weight.at(feature, class)).sum()
    }

    /// The mean loss, and its derivative by each logit. `[N, classes]`
    fn errors(&self, map: &Linear, total: f64) -> (f64, Panels) {
        let logits = map.logits(&self.rows.values);
        let of_row = |row: usize| {
            let mut values: Vec<f64> = logits.row(row).collect();
            let (label, weight) = (self.rows.labels[row] as usize, self.weights[row]);
            let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let own = values[label];
            values.iter_mut().for_each(|value| *value = (*value - largest).exp());
            let sum: f64 = values.iter().sum();
            values.iter_mut().for_each(|value| *value *= weight / (total * sum));
            values[label] -= weight / total;
            (weight * (sum.ln() + largest - own), values)
        };
        let rows: Vec<(f64, Vec<f64>)> = (0..logits.rows).into_par_iter().map(of_row).collect();
        let mut errors = logits;
        let mut loss = 0.0;
        for (row, (of_row, values)) in rows.into_iter().enumerate() {
            loss += of_row;
            for (class, value) in values.into_iter().enumerate() {
                let at = errors.place(row, class);
                errors.values[at] = value;
            }
        }
        (loss / total, errors)
    }
}
