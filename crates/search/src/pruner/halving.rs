//! Asynchronous successive halving: at steps that grow by a factor, only the best share goes on.
//!
//! Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020, ASHA), without its waiting for promotion: a trial that is
//! not among the best of those that came as far ends for good. Reference implementation: `optuna.pruners.SuccessiveHalvingPruner` 4.9.

use super::{Pruner, Situation, Verdict};
use crate::trial::{Direction, State, Trial};
use serde_json::Value;

/// Ends a trial at a rung, a step of `min_resource * reduction_factor^(min_early_stopping_rate + rung)`, unless it is among the best
/// `1 / reduction_factor` that have reached the rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessiveHalving {
    /// The step of the first rung. None: a hundredth of the last step of the longest complete trial, and nothing ends before there is one.
    /// Optuna estimates once for each process; here it is estimated at each report.
    pub min_resource: Option<u64>,
    /// By which factor rungs grow, and trials become fewer; 2 or more.
    pub reduction_factor: u64,
    /// How many of the first rungs are skipped.
    pub min_early_stopping_rate: u32,
    /// So many trials must reach a rung before one goes on from it.
    pub bootstrap_count: usize,
}

impl Default for SuccessiveHalving {
    fn default() -> SuccessiveHalving {
        SuccessiveHalving {
            min_resource: None,
            reduction_factor: 4,
            min_early_stopping_rate: 0,
            bootstrap_count: 0,
        }
    }
}

/// The attribute under which a trial's value at a rung is stored, as Optuna names it.
fn rung_key(rung: u32) -> String {
    format!("completed_rung_{rung}")
}

/// A value as an attribute. JSON has no infinity; the largest number orders in the same way.
fn attribute(value: f64) -> Value {
    Value::from(value.clamp(f64::MIN, f64::MAX))
}

impl SuccessiveHalving {
    /// The verdict among those of the trials that `counts` says compete.
    pub(super) fn judge_among(&self, situation: &Situation<'_>, counts: impl Fn(&Trial) -> bool) -> Verdict {
        let mut verdict = Verdict::default();
        let trial = situation.trial;
        let Some((step, value)) = trial.last_report() else { return verdict };
        let others = || situation.others().filter(|other| counts(other));
        let estimate = || {
            let complete = others().filter(|other| other.state == State::Complete);
            let last = complete.filter_map(|other| other.last_report()).map(|(step, _)| step).max();
            last.map(|last| last.max(0).unsigned_abs().div_euclid(100).max(1))
        };
        let Some(min_resource) = self.min_resource.or_else(estimate) else { return verdict };
        let mut rung = 0;
        while trial.system_attributes.contains_key(&rung_key(rung)) {
            rung += 1;
        }
        loop {
            let power = self.reduction_factor.max(2).saturating_pow(self.min_early_stopping_rate + rung);
            let rung_step = min_resource.max(1).saturating_mul(power);
            if u64::try_from(step).unwrap_or(0) < rung_step {
                return verdict;
            }
            if value.is_nan() {
                return Verdict { is_pruned: true, ..verdict };
            }
            let key = rung_key(rung);
            let own = attribute(value);
            let value = own.as_f64().unwrap_or(value);
            let mut competing: Vec<f64> =
                others().filter_map(|other| other.system_attributes.get(&key)?.as_f64()).collect();
            competing.push(value);
            verdict.attributes.push((key, own));
            if competing.len() <= self.bootstrap_count
                || !is_among_best(value, competing, self.reduction_factor, situation.direction)
            {
                return Verdict { is_pruned: true, ..verdict };
            }
            rung += 1;
        }
    }
}

fn is_among_best(value: f64, competing: Vec<f64>, reduction_factor: u64, direction: Direction) -> bool {
    let mut losses: Vec<f64> = competing.into_iter().map(|value| direction.loss(value)).collect();
    losses.sort_by(f64::total_cmp);
    // The best always goes on.
    let places = (losses.len() as u64 / reduction_factor.max(2)).max(1) as usize;
    direction.loss(value) <= losses[places - 1]
}

impl Pruner for SuccessiveHalving {
    fn name(&self) -> &'static str {
        "successive_halving"
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        self.judge_among(situation, |_| true)
    }
}
