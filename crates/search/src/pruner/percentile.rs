//! The median rule: a trial ends if its best report is worse than the median of what complete trials reported at the same step.
//!
//! Golovin et al., "Google Vizier: A Service for Black-Box Optimization" (KDD 2017), section 3.1.2. Reference implementation:
//! `optuna.pruners.PercentilePruner` and `MedianPruner` 4.9.

use super::{Pruner, Situation, Verdict};
use crate::trial::{Direction, State};

/// Keeps the trials that are among the best `percentile` percent at their step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile {
    /// Which share is kept, in percent: 50 is the median.
    pub percentile: f64,
    /// Complete trials that must be there before any is ended.
    pub startup_trials: usize,
    /// Reports before this step end nothing.
    pub warmup_steps: i64,
    /// It is judged once in so many steps.
    pub interval_steps: i64,
    /// Complete trials that must have reported at the step.
    pub min_trials: usize,
}

impl Percentile {
    /// The median rule with Optuna's defaults.
    pub fn median() -> Percentile {
        Percentile { percentile: 50.0, startup_trials: 5, warmup_steps: 0, interval_steps: 1, min_trials: 1 }
    }

    /// Whether this is the first report since a step at which it is judged.
    fn is_due(&self, step: i64, before: Option<i64>) -> bool {
        let interval = self.interval_steps.max(1);
        let due = (step - self.warmup_steps).div_euclid(interval) * interval + self.warmup_steps;
        before.unwrap_or(-1) < due
    }
}

impl Pruner for Percentile {
    fn name(&self) -> &'static str {
        "median"
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let Situation { direction, trial, .. } = *situation;
        let complete = || situation.others().filter(|other| other.state == State::Complete);
        let count = complete().count();
        let Some((step, _)) = trial.last_report() else { return Verdict::default() };
        let before = trial.intermediate.keys().rev().nth(1).copied();
        if count == 0 || count < self.startup_trials || step < self.warmup_steps || !self.is_due(step, before)
        {
            return Verdict::default();
        }
        // f64::min leaves NaN out.
        let best = trial.intermediate.values().map(|&value| direction.loss(value)).fold(f64::NAN, f64::min);
        if best.is_nan() {
            return Verdict { is_pruned: true, ..Verdict::default() };
        }
        let reports: Vec<f64> =
            complete().filter_map(|other| other.intermediate.get(&step).copied()).collect();
        if reports.len() < self.min_trials {
            return Verdict::default();
        }
        let share = match direction {
            Direction::Minimize => self.percentile,
            Direction::Maximize => 100.0 - self.percentile,
        };
        // NaN, where nobody reported a number, ends nothing.
        let limit = direction.loss(percentile(reports, share));
        Verdict { is_pruned: best > limit, ..Verdict::default() }
    }
}

/// As `numpy.nanpercentile`: linear between the values that are the closest, in numpy's order of operations.
fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.retain(|value| !value.is_nan());
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    let place = percent / 100.0 * last as f64;
    let below = (place.floor() as usize).min(last);
    let (a, b) = (values[below], values[(below + 1).min(last)]);
    let share = place - below as f64;
    if share >= 0.5 { b - (b - a) * (1.0 - share) } else { a + (b - a) * share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        assert_eq!(percentile(vec![3.0, f64::NAN, 1.0, 2.0], 50.0), 2.0);
        assert_eq!(percentile(vec![4.0, 1.0], 25.0), 1.75);
        assert!(percentile(vec![f64::NAN], 50.0).is_nan());
    }
}
