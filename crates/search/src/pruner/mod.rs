//! Pruners: whether a trial that runs should end early.
//!
//! A pruner is a function of the trial and of all trials of the study. What it must remember it hands back as system attributes, which are
//! stored with the trial under the names that Optuna uses, so that both may prune in one study.

mod halving;
mod hyperband;
mod percentile;

pub use halving::SuccessiveHalving;
pub use hyperband::Hyperband;
pub use percentile::Percentile;

use crate::trial::{Direction, Trial};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What a pruner says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Whether the trial should end.
    pub is_pruned: bool,
    /// System attributes to store with the trial, which the pruner needs to see in all trials.
    pub attributes: Vec<(String, Value)>,
}

/// What a pruner is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The study's name.
    pub study: &'a str,
    /// Which values are better.
    pub direction: Direction,
    /// The trial, which has just reported.
    pub trial: &'a Trial,
    /// All trials of the study; the trial itself may be among them.
    pub trials: &'a [Trial],
}

impl<'a> Situation<'a> {
    /// The trials without the one that is asked about.
    fn others(&self) -> impl Iterator<Item = &'a Trial> + use<'a> {
        let number = self.trial.number;
        self.trials.iter().filter(move |trial| trial.number != number)
    }
}

/// Ends trials early.
pub trait Pruner: fmt::Debug + Send + Sync {
    /// The name by which it is asked for.
    fn name(&self) -> &'static str;

    /// Whether the trial should end after its last report.
    fn judge(&self, situation: &Situation<'_>) -> Verdict;

    /// The trials of the study `study` that a sampler may learn from for the trial of a number. All of them, unless trials compete within groups:
    /// the others' values were judged after other numbers of steps.
    fn peers<'a>(&self, study: &str, number: u64, trials: &'a [Trial]) -> Cow<'a, [Trial]> {
        let _ = (study, number);
        Cow::Borrowed(trials)
    }

    /// Whether it never ends a trial, so that nobody need ask.
    fn is_idle(&self) -> bool {
        false
    }
}

/// Every trial runs to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Never;

impl Pruner for Never {
    fn name(&self) -> &'static str {
        "none"
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn judge(&self, _: &Situation<'_>) -> Verdict {
        Verdict::default()
    }
}

/// The pruners by name.
pub const PRUNERS: [&str; 4] = ["none", "median", "successive_halving", "hyperband"];

/// The pruner of a name, as it is by default. `steps` is how many reports a trial makes that is not ended early, such as its epochs, counted
/// from 1.
pub fn by_name(name: &str, steps: u64) -> Option<Box<dyn Pruner>> {
    match name {
        "none" => Some(Box::new(Never)),
        "median" => Some(Box::new(Percentile::median())),
        "successive_halving" => {
            Some(Box::new(SuccessiveHalving { min_resource: Some(1), ..SuccessiveHalving::default() }))
        }
        "hyperband" => Some(Box::new(Hyperband { max_resource: Some(steps.max(1)), ..Hyperband::default() })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::State;

    #[test]
    fn every_name_has_its_pruner_and_none_ends_a_trial_alone() {
        let mut trial = Trial::new(0, State::Running);
        trial.intermediate.insert(1, 0.5);
        for name in PRUNERS {
            let pruner = by_name(name, 27).unwrap();
            assert_eq!(pruner.name(), name);
            let alone = Situation { study: "s", direction: Direction::Maximize, trial: &trial, trials: &[] };
            assert!(!pruner.judge(&alone).is_pruned, "{name}");
            // Nothing was reported.
            let silent = Trial::new(1, State::Running);
            let verdict = pruner.judge(&Situation { trial: &silent, ..alone });
            assert_eq!(verdict, Verdict::default());
        }
        assert!(by_name("some", 27).is_none());
    }
}
