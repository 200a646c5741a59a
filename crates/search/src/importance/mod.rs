//! How much each parameter mattered for reaching the best values: PED-ANOVA.
//!
//! Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces" (IJCAI 2023, arXiv
//! 2304.10255): the Pearson divergence between the density of a parameter among the best trials and among all of them. Reference
//! implementation: `optuna.importance.PedAnovaImportanceEvaluator` 4.9, with which the numbers agree to 1e-9.
//!
//! Parameters that not all complete trials have with the same range (conditional ones, and ranges that were changed) are left out, as
//! Optuna 4.9 leaves them out; asked for by name they are judged among the trials that have them.

mod density;

use crate::distribution::Distribution;
use crate::trial::{Direction, State, Trial};
use std::collections::BTreeMap;
use std::fmt;

/// At least so many trials are the best.
const FEWEST_TOP: usize = 2;

/// The evaluator's settings, Optuna's by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PedAnova {
    /// The share of trials that are the best.
    pub target_quantile: f64,
    /// The share of trials among which they are judged; above `target_quantile`, at most 1.
    pub region_quantile: f64,
    /// Whether the others are where the search went; otherwise all values are taken as equally frequent.
    pub is_local: bool,
}

impl Default for PedAnova {
    fn default() -> PedAnova {
        PedAnova { target_quantile: 0.1, region_quantile: 1.0, is_local: true }
    }
}

/// Why there are no importances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportanceError {
    /// Fewer than two complete trials; how many.
    TooFewTrials(usize),
    /// No complete trial has all of these parameters.
    NoTrialHas(Vec<String>),
    /// This parameter was asked for, and its range differs among trials.
    RangeChanges(String),
}

impl fmt::Display for ImportanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportanceError::TooFewTrials(count) => {
                write!(
                    f,
                    "importance needs two complete trials or more, and there are {count}; run more trials"
                )
            }
            ImportanceError::NoTrialHas(names) => write!(
                f,
                "no complete trial has {} together; ask for fewer parameters, or run more trials",
                names.join(", ")
            ),
            ImportanceError::RangeChanges(name) => {
                write!(f, "the range of {name} differs among the trials; ask for parameters without it")
            }
        }
    }
}

impl std::error::Error for ImportanceError {}

impl PedAnova {
    /// The importances, highest first. `names`: only these, among the trials that have all of them; otherwise of all that every complete
    /// trial has with the same range. Parameters of a single value have 0, and all have 0 where there are two trials or fewer.
    ///
    /// # Errors
    /// Fewer than two complete trials, or `names` that no trials have, or with ranges that differ.
    pub fn evaluate(
        &self,
        direction: Direction,
        trials: &[Trial],
        names: Option<&[String]>,
    ) -> Result<Vec<(String, f64)>, ImportanceError> {
        let complete: Vec<&Trial> = trials.iter().filter(|trial| trial.state == State::Complete).collect();
        if complete.len() < 2 {
            return Err(ImportanceError::TooFewTrials(complete.len()));
        }
        let ranges = match names {
            None => common_ranges(&complete),
            Some(names) => ranges_of(&complete, names)?,
        };
        let has_all = |trial: &&&Trial| ranges.keys().all(|name| trial.params.contains_key(*name));
        let judged: Vec<(f64, &Trial)> = complete
            .iter()
            .filter(has_all)
            .filter_map(|trial| Some((direction.loss(trial.value()?), *trial)))
            .filter(|(loss, _)| loss.is_finite())
            .collect();
        let none = || ranges.keys().map(|name| ((*name).to_owned(), 0.0)).collect();
        if judged.len() <= FEWEST_TOP || ranges.values().all(|range| range.is_single()) {
            return Ok(none());
        }
        let target = best(&judged, self.target_quantile);
        let region = if self.region_quantile == 1.0 { judged } else { best(&judged, self.region_quantile) };
        let share = target.len() as f64 / region.len() as f64;
        let (open, single): (Vec<_>, Vec<_>) = ranges.iter().partition(|(_, range)| !range.is_single());
        let mut importances: Vec<(String, f64)> = open
            .into_iter()
            .map(|(name, range)| {
                ((*name).to_owned(), share * share * self.divergence(name, range, &target, &region))
            })
            .collect();
        importances.extend(single.into_iter().map(|(name, _)| ((*name).to_owned(), 0.0)));
        // The order among equal ones is Optuna's, too.
        importances.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        importances.reverse();
        Ok(importances)
    }

    /// Pearson divergence of a parameter's density among the best from that among the region.
    fn divergence(
        &self,
        name: &str,
        range: &Distribution,
        target: &[(f64, &Trial)],
        region: &[(f64, &Trial)],
    ) -> f64 {
        // So that no density is 0.
        const LEAST: f64 = 1e-12;
        let top = density::on_grid(name, range, target);
        let others = if self.is_local {
            density::on_grid(name, range, region)
        } else {
            vec![1.0 / top.len() as f64 - LEAST; top.len()]
        };
        let terms = top.iter().zip(&others).map(|(top, other)| {
            let (top, other) = (top + LEAST, other + LEAST);
            other * (top / other - 1.0).powi(2)
        });
        terms.sum()
    }
}

/// As shares of their sum, 1 together; equal shares where all are 0. As `optuna.importance.get_param_importances` gives them by default.
pub fn normalised(importances: &[(String, f64)]) -> Vec<(String, f64)> {
    let sum: f64 = importances.iter().map(|(_, importance)| importance).sum();
    let equal = 1.0 / importances.len() as f64;
    let share = |importance: f64| if sum == 0.0 { equal } else { importance / sum };
    importances.iter().map(|(name, importance)| (name.clone(), share(*importance))).collect()
}

/// The parameters that all trials have with the same range, in alphabetical order.
fn common_ranges<'a>(complete: &[&'a Trial]) -> BTreeMap<&'a str, &'a Distribution> {
    let mut ranges: BTreeMap<&str, &Distribution> = BTreeMap::new();
    if let Some((last, others)) = complete.split_last() {
        ranges.extend(last.params.iter().map(|(name, param)| (name.as_str(), &*param.distribution)));
        for trial in others {
            ranges.retain(|name, range| {
                trial.params.get(*name).is_some_and(|param| *param.distribution == **range)
            });
        }
    }
    ranges
}

/// The ranges of the named parameters in the trials that have all of them.
fn ranges_of<'a>(
    complete: &[&'a Trial],
    names: &[String],
) -> Result<BTreeMap<&'a str, &'a Distribution>, ImportanceError> {
    let mut ranges: BTreeMap<&str, &Distribution> = BTreeMap::new();
    let mut is_first = true;
    for trial in complete.iter().filter(|trial| names.iter().all(|name| trial.params.contains_key(name))) {
        for name in names {
            if let Some((name, param)) = trial.params.get_key_value(name) {
                let range = ranges.entry(name).or_insert(&param.distribution);
                if **range != *param.distribution {
                    return Err(ImportanceError::RangeChanges(name.clone()));
                }
            }
        }
        is_first = false;
    }
    if is_first { Err(ImportanceError::NoTrialHas(names.to_vec())) } else { Ok(ranges) }
}

/// The trials whose loss is at most that of the last of the best `quantile`; more than that where losses are equal.
fn best<'a>(judged: &[(f64, &'a Trial)], quantile: f64) -> Vec<(f64, &'a Trial)> {
    let mut losses: Vec<f64> = judged.iter().map(|(loss, _)| *loss).collect();
    losses.sort_by(f64::total_cmp);
    let last = ((quantile * losses.len() as f64).ceil() as usize).saturating_sub(1);
    let limit = losses[last.max(FEWEST_TOP - 1).min(losses.len() - 1)];
    judged.iter().copied().filter(|(loss, _)| *loss <= limit).collect()
}
