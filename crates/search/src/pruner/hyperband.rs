//! Hyperband: several successive halvings that begin to end trials at different steps.
//!
//! Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization" (JMLR 2018). Reference implementation:
//! `optuna.pruners.HyperbandPruner` 4.9, of which also the bracket of a trial, a hash of the study's name and its number, is the same.

use super::{Pruner, Situation, SuccessiveHalving, Verdict};
use crate::trial::{State, Trial};
use std::borrow::Cow;

/// Each trial belongs to a bracket, and competes within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hyperband {
    /// The step of the first rung of the first bracket.
    pub min_resource: u64,
    /// Steps of a whole trial. None: of the longest complete one, and nothing ends before there is one. Optuna looks once for each process,
    /// so brackets may differ from its where lengths do.
    pub max_resource: Option<u64>,
    /// By which factor rungs grow; 2 or more.
    pub reduction_factor: u64,
    /// So many trials must reach a rung before one goes on from it.
    pub bootstrap_count: usize,
}

impl Default for Hyperband {
    fn default() -> Hyperband {
        Hyperband { min_resource: 1, max_resource: None, reduction_factor: 3, bootstrap_count: 0 }
    }
}

impl Hyperband {
    /// How many of the trials, relatively, belong to each bracket.
    fn budgets(&self, max_resource: u64) -> Vec<u64> {
        let factor = self.reduction_factor.max(2) as f64;
        // In Optuna's order of operations: it floors the quotient of two logarithms, which for 243 and 3 is below 5.
        let ratio = max_resource as f64 / self.min_resource.max(1) as f64;
        let brackets = (ratio.ln() / factor.ln()).floor() + 1.0;
        let count = if brackets >= 1.0 { brackets as u32 } else { 0 };
        let budget = |bracket: u32| {
            let s = count - 1 - bracket;
            (f64::from(count) * factor.powi(s as i32) / f64::from(s + 1)).ceil() as u64
        };
        (0..count).map(budget).collect()
    }

    /// The same by the trials known; none where the length of trials is not known, or there is no bracket.
    fn budgets_among<'a>(&self, trials: impl Iterator<Item = &'a Trial>) -> Option<Vec<u64>> {
        let longest = || {
            let complete = trials.filter(|trial| trial.state == State::Complete);
            let last = complete.filter_map(Trial::last_report).map(|(step, _)| step).max();
            last.map(|last| last.max(0).unsigned_abs() + 1)
        };
        Some(self.budgets(self.max_resource.or_else(longest)?)).filter(|budgets| !budgets.is_empty())
    }
}

/// The bracket of a trial.
fn bracket(study: &str, number: u64, budgets: &[u64]) -> usize {
    let total: u64 = budgets.iter().sum();
    let mut rest = u64::from(crc32(format!("{study}_{number}").as_bytes())).checked_rem(total).unwrap_or(0);
    for (bracket, &budget) in budgets.iter().enumerate() {
        if rest < budget {
            return bracket;
        }
        rest -= budget;
    }
    0
}

/// CRC-32 of IEEE 802.3, as Python's `binascii.crc32`. Of a few bytes: no table.
fn crc32(bytes: &[u8]) -> u32 {
    const REVERSED_POLYNOMIAL: u32 = 0xEDB8_8320;
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { REVERSED_POLYNOMIAL } else { 0 };
        }
    }
    !crc
}

impl Pruner for Hyperband {
    fn name(&self) -> &'static str {
        "hyperband"
    }

    // As `optuna.pruners._filter_study`.
    fn peers<'a>(&self, study: &str, number: u64, trials: &'a [Trial]) -> Cow<'a, [Trial]> {
        let Some(budgets) = self.budgets_among(trials.iter()) else { return Cow::Borrowed(trials) };
        let own = bracket(study, number, &budgets);
        let is_peer = |trial: &&Trial| bracket(study, trial.number, &budgets) == own;
        Cow::Owned(trials.iter().filter(is_peer).cloned().collect())
    }

    fn judge(&self, situation: &Situation<'_>) -> Verdict {
        let Some(budgets) = self.budgets_among(situation.others()) else { return Verdict::default() };
        let own = bracket(situation.study, situation.trial.number, &budgets);
        let halving = SuccessiveHalving {
            min_resource: Some(self.min_resource),
            reduction_factor: self.reduction_factor,
            min_early_stopping_rate: own as u32,
            bootstrap_count: self.bootstrap_count,
        };
        halving.judge_among(situation, |other| bracket(situation.study, other.number, &budgets) == own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_crc32() {
        // The check value of the catalogue of parametrised CRC algorithms.
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn brackets_are_as_many_as_optuna_makes() {
        let budgets =
            |max, factor| Hyperband { reduction_factor: factor, ..Hyperband::default() }.budgets(max);
        assert_eq!(budgets(81, 3), [81, 34, 15, 8, 5]);
        assert_eq!(budgets(243, 3).len(), 5);
        assert_eq!(budgets(1, 3), [1]);
        assert_eq!(budgets(0, 3), [] as [u64; 0]);
    }
}
