//! A density over several parameters: a mixture of one kernel for each trial, and a wide one, the prior.
//!
//! Every range is mapped to the unit interval (logarithmic ones by their logarithm, stepped ones with a cell for each value), so that
//! bandwidths need no unit. A kernel is a product over the parameters: a normal distribution cut off at the ends, its mass over a cell where
//! there are steps, and for choices a share for the trial's own choice and a little for each.

use crate::distribution::{Distribution, ParamValue, UnitCell};
use crate::normal;
use crate::trial::Trial;
use pupila_random::Stream;

/// Where a range has more values than this, a cell is no wider than a kernel, and its mass is taken as density times width. The width is the
/// same in both densities, so it cancels.
const MANY_CELLS: u64 = 20;

/// The newest trials that count in full; Optuna's `default_weights`.
const NEWEST: usize = 25;

/// One parameter of a density.
#[derive(Debug)]
pub(super) struct Dimension<'a> {
    pub key: &'a str,
    distribution: &'a Distribution,
    /// The cells of a range with few values.
    cells: Vec<UnitCell>,
}

impl<'a> Dimension<'a> {
    pub fn new(key: &'a str, distribution: &'a Distribution) -> Self {
        let is_few = !matches!(distribution, Distribution::Categorical { .. });
        let count = distribution.count().filter(|&count| is_few && count <= MANY_CELLS).unwrap_or(0);
        let cells = (0..count).filter_map(|nth| distribution.unit_cell(distribution.nth(nth))).collect();
        Dimension { key, distribution, cells }
    }

    fn is_dense(&self) -> bool {
        self.cells.is_empty() && self.choices().is_none()
    }

    /// The middle of a cell, or for the prior that of the range.
    fn center(&self, place: usize) -> f64 {
        self.cells.get(place).map_or(0.5, |cell| cell.at)
    }

    fn choices(&self) -> Option<usize> {
        match self.distribution {
            Distribution::Categorical { choices } => Some(choices.len()),
            _ => None,
        }
    }
}

/// The kernels' places in one dimension, the prior last.
#[derive(Debug)]
enum Places {
    /// In the unit interval.
    Dense(Vec<f64>),
    /// The places of their values, of which there are few; the prior has none of them.
    Cells(Vec<usize>),
    /// The choices; the prior has none of them.
    Choices(Vec<usize>),
}

/// The density.
#[derive(Debug)]
pub(super) struct Parzen<'a> {
    dimensions: &'a [Dimension<'a>],
    places: Vec<Places>,
    /// Bandwidth of every kernel but the prior, whose bandwidth is 1.
    bandwidth: f64,
    /// Sums of the weights up to each kernel; the last is 1.
    cumulated: Vec<f64>,
    /// Logarithm of each kernel's weight over all that does not depend on where the density is asked.
    log_factors: Vec<f64>,
    /// Probability of the kernel's own choice, and of each other one, for each dimension of choices.
    choice_shares: Vec<(f64, f64)>,
}

impl<'a> Parzen<'a> {
    /// From the trials, oldest first, that have all the dimensions' parameters within their ranges. `bandwidth` is that of a trial alone, as
    /// a share of the range; more trials have narrower kernels, by BOHB's rule with the reference's limits.
    pub fn new(
        dimensions: &'a [Dimension<'a>],
        trials: &[&Trial],
        prior_weight: f64,
        bandwidth: f64,
    ) -> Parzen<'a> {
        let mut places: Vec<Places> = dimensions
            .iter()
            .map(|dimension| match dimension.choices() {
                Some(_) => Places::Choices(Vec::new()),
                None if !dimension.cells.is_empty() => Places::Cells(Vec::new()),
                None => Places::Dense(Vec::new()),
            })
            .collect();
        let mut observations = 0;
        let mut values = Vec::new();
        for trial in trials {
            values.clear();
            values.extend(dimensions.iter().filter_map(|dimension| {
                let value = trial.params.get(dimension.key)?.value;
                match dimension.is_dense() {
                    true => dimension.distribution.unit_cell(value).map(|cell| cell.at),
                    false => dimension.distribution.place(value).map(|place| place as f64),
                }
            }));
            if values.len() < dimensions.len() {
                continue;
            }
            observations += 1;
            for (places, &value) in places.iter_mut().zip(&values) {
                match places {
                    Places::Dense(places) => places.push(value),
                    Places::Cells(places) | Places::Choices(places) => places.push(value as usize),
                }
            }
        }
        for places in &mut places {
            match places {
                Places::Dense(places) => places.push(0.5),
                Places::Cells(places) | Places::Choices(places) => places.push(usize::MAX),
            }
        }
        let n = observations as f64;
        let spread = bandwidth * n.max(1.0).powf(-1.0 / (dimensions.len() as f64 + 4.0));
        let bandwidth = spread.max(1.0 / (n + 2.0).min(100.0)).min(1.0);
        let mut weights = trial_weights(observations);
        weights.push(if observations == 0 { 1.0 } else { prior_weight });
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulated = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        let cumulated: Vec<f64> = cumulated.collect();
        let mut parzen = Parzen {
            dimensions,
            bandwidth,
            cumulated,
            log_factors: Vec::new(),
            choice_shares: Vec::new(),
            places,
        };
        parzen.choice_shares = dimensions
            .iter()
            .map(|dimension| {
                let little = prior_weight / (n + 1.0);
                let total = 1.0 + little * dimension.choices().unwrap_or(0) as f64;
                ((1.0 + little) / total, little / total)
            })
            .collect();
        let norms = parzen.norms();
        parzen.log_factors =
            weights.iter().zip(norms).map(|(weight, norm)| (weight / total / norm).ln()).collect();
        parzen
    }

    fn bandwidth(&self, kernel: usize) -> f64 {
        if kernel + 1 == self.cumulated.len() { 1.0 } else { self.bandwidth }
    }

    /// What each kernel's product is divided by: its mass within the ranges, and for dense dimensions the normal density's own factor.
    fn norms(&self) -> Vec<f64> {
        let prior = self.cumulated.len() - 1;
        let inside =
            |center: f64, bandwidth: f64| normal::mass(-center / bandwidth, (1.0 - center) / bandwidth);
        let mut norms = vec![1.0; prior + 1];
        for (dimension, places) in self.dimensions.iter().zip(&self.places) {
            match places {
                Places::Dense(places) => {
                    let factor = std::f64::consts::TAU.sqrt();
                    for (norm, &place) in norms[..prior].iter_mut().zip(places) {
                        *norm *= factor * self.bandwidth * inside(place, self.bandwidth);
                    }
                    norms[prior] *= factor * inside(0.5, 1.0);
                }
                Places::Cells(places) => {
                    let known: Vec<f64> =
                        dimension.cells.iter().map(|cell| inside(cell.at, self.bandwidth)).collect();
                    for (norm, &place) in norms[..prior].iter_mut().zip(places) {
                        *norm *= known[place];
                    }
                    norms[prior] *= inside(0.5, 1.0);
                }
                Places::Choices(_) => {}
            }
        }
        norms
    }

    /// A draw, one value for each dimension.
    pub fn draw(&self, stream: &mut Stream) -> Vec<ParamValue> {
        let unit = stream.unit();
        let kernel = self.cumulated.partition_point(|&sum| sum <= unit).min(self.cumulated.len() - 1);
        let of_dimension = self.dimensions.iter().zip(&self.places).zip(&self.choice_shares);
        of_dimension
            .map(|((dimension, places), &(own, other))| match places {
                Places::Dense(places) => self.draw_near(stream, dimension, places[kernel], kernel),
                Places::Cells(places) => {
                    self.draw_near(stream, dimension, dimension.center(places[kernel]), kernel)
                }
                Places::Choices(places) => {
                    // Either any of the choices, or the trial's own.
                    let choices = dimension.choices().unwrap_or(1);
                    let is_any = places[kernel] == usize::MAX || !stream.chance(own - other);
                    let any = stream.below(choices as u32) as usize;
                    ParamValue::Choice(if is_any { any } else { places[kernel] })
                }
            })
            .collect()
    }

    fn draw_near(
        &self,
        stream: &mut Stream,
        dimension: &Dimension<'_>,
        center: f64,
        kernel: usize,
    ) -> ParamValue {
        let unit = normal::truncated(stream, center, self.bandwidth(kernel), 0.0, 1.0);
        dimension.distribution.quantile(unit)
    }

    /// Logarithm of the density at a value of each dimension. `scratch` is overwritten.
    pub fn log_density(&self, values: &[ParamValue], scratch: &mut Vec<f64>) -> f64 {
        scratch.clear();
        scratch.extend_from_slice(&self.log_factors);
        let half_precision = -0.5 / (self.bandwidth * self.bandwidth);
        let prior = self.log_factors.len() - 1;
        for (i, (dimension, places)) in self.dimensions.iter().zip(&self.places).enumerate() {
            match (places, values[i]) {
                (Places::Choices(places), ParamValue::Choice(choice)) => {
                    let (own, other) = self.choice_shares[i];
                    let (own, other) = (own.ln(), other.ln());
                    for (sum, &place) in scratch[..prior].iter_mut().zip(places) {
                        *sum += if place == choice { own } else { other };
                    }
                    scratch[prior] -= (dimension.choices().unwrap_or(1) as f64).ln();
                }
                (Places::Dense(places), value) => {
                    let at = dimension.distribution.unit_cell(value).map_or(0.5, |cell| cell.at);
                    for (sum, &place) in scratch[..prior].iter_mut().zip(places) {
                        *sum += half_precision * (at - place) * (at - place);
                    }
                    scratch[prior] -= 0.5 * (at - places[prior]) * (at - places[prior]);
                }
                (Places::Cells(places), value) => {
                    let cell = dimension.distribution.unit_cell(value);
                    let UnitCell { low, high, .. } =
                        cell.unwrap_or(UnitCell { low: 0.0, at: 0.5, high: 1.0 });
                    let log_mass = |place: f64, bandwidth: f64| {
                        // Far from a kernel the mass is 0 in f64; its logarithm must stay finite.
                        normal::mass((low - place) / bandwidth, (high - place) / bandwidth)
                            .max(f64::MIN_POSITIVE)
                            .ln()
                    };
                    // Few values: each is worked out once.
                    let known: Vec<f64> =
                        dimension.cells.iter().map(|cell| log_mass(cell.at, self.bandwidth)).collect();
                    for (sum, &place) in scratch[..prior].iter_mut().zip(places) {
                        *sum += known[place];
                    }
                    scratch[prior] += log_mass(0.5, 1.0);
                }
                _ => {}
            }
        }
        let largest = scratch.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + scratch.iter().map(|sum| (sum - largest).exp()).sum::<f64>().ln()
    }
}

/// Weights of `n` trials, oldest first: the newest count in full, older ones less and less.
fn trial_weights(n: usize) -> Vec<f64> {
    let older = n.saturating_sub(NEWEST);
    let ramp = (0..older).map(|i| {
        let from = 1.0 / n as f64;
        if older > 1 { from + (1.0 - from) * i as f64 / (older - 1) as f64 } else { from }
    });
    ramp.chain(std::iter::repeat_n(1.0, n - older)).collect()
}
