//! What is wrong with a training while it goes on: each finding with what was seen, in numbers, and one thing to try.
//!
//! Records of epochs, counts of predictions and a look into the layers come in, findings go out. A check is a file of its
//! own and one line of [`REGISTRY`]; it sees plain data and neither the engine nor the trackers.
//!
//! The looks are taken at one batch, kept for the whole run so that they can be compared: before the first update, after
//! the first and the last epoch, and in between as often as `BUDGET_FRAC` of the time allows.

mod advice;
mod class_collapse;
mod data_starvation;
mod dead_relu;
mod divergence;
mod explosion;
mod health;
mod lr_too_high;
mod lr_too_low;
mod overfitting;
mod plateau;
mod symmetric_weights;
#[cfg(test)]
mod testing;
mod vanishing_gradient;

use crate::budget::Budget;
use crate::recipe::Recipe;
use crate::trainer::{EpochRecord, Observer, Outcome, Plan};
use health::{Health, Sample};
use pupila_engine::{Engine, StepContext};
use pupila_loader::Batch;
use pupila_metrics::Predictions;
use pupila_trackers::Event;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Share of the training time that the looks between the first and the last epoch may take. With the 1.5 % of
/// `tracking.budget_frac` all that watches a run stays within 2 %.
const BUDGET_FRAC: f64 = 0.005;

/// Something that is wrong with a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is: the name of a check, such as `overfitting`.
    pub kind: String,
    /// The epoch after which it was seen, from 1; 0 before the first update.
    pub epoch: u32,
    /// What was seen, with numbers.
    pub message: String,
    /// One thing to try, with what to type.
    pub suggestion: String,
}

/// A check in the registry.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// The kind of its findings.
    pub kind: &'static str,
    /// What it looks for, in a few words.
    pub title: &'static str,
    /// What it looks at.
    pub looks_at: &'static str,
    check: fn(&Situation<'_>) -> Option<Found>,
}

/// Every check, causes before what they cause: a check knows what those before it have found.
pub const REGISTRY: [Check; 11] = [
    divergence::CHECK,
    symmetric_weights::CHECK,
    lr_too_high::CHECK,
    explosion::CHECK,
    dead_relu::CHECK,
    vanishing_gradient::CHECK,
    lr_too_low::CHECK,
    class_collapse::CHECK,
    overfitting::CHECK,
    plateau::CHECK,
    data_starvation::CHECK,
];

/// What a check says. It is told again only once its grade is higher than when it was told last.
#[derive(Debug)]
struct Found {
    grade: u32,
    message: String,
    suggestion: String,
}

/// Where training stopped being finite.
#[derive(Debug)]
struct Divergence {
    epoch: u32,
    step: u64,
    /// The first layer or tensor that is not finite, where it could be found.
    place: Option<String>,
}

/// All that a check may look at.
#[derive(Debug)]
struct Situation<'a> {
    recipe: &'a Recipe,
    classes: &'a [String],
    /// Training images in an epoch.
    train_images: usize,
    /// The epochs so far; none before the first update.
    epochs: &'a [EpochRecord],
    /// Of each epoch so far, how many validation images were predicted as each class.
    predicted: &'a [Vec<u64>],
    /// How many validation images are of each class.
    actual: &'a [u64],
    /// The layers now, where they were looked at.
    health: Option<&'a Health>,
    diverged: Option<&'a Divergence>,
    /// What was found before.
    findings: &'a [Finding],
}

impl Situation<'_> {
    fn epoch(&self) -> u32 {
        self.diverged.map(|d| d.epoch).or(self.epochs.last().map(|r| r.epoch)).unwrap_or(0)
    }

    fn found(&self, kind: &str) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    /// Whether the network as it was initialised is the cause of it.
    fn found_at_start(&self, kind: &str) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind && finding.epoch == 0)
    }

    /// The loss of whoever gives every class the same probability: what a network that knows nothing should begin with.
    fn chance_loss(&self) -> f64 {
        (self.classes.len() as f64).ln()
    }

    /// The epoch, in words.
    fn when(&self) -> String {
        match self.epoch() {
            0 => "before the first update".into(),
            epoch => format!("after epoch {epoch}"),
        }
    }
}

/// Follows a run and says what is wrong with it.
#[derive(Debug)]
pub(crate) struct Diagnosis<'a> {
    plan: &'a Plan<'a>,
    budget: Budget,
    sample: Option<Sample>,
    predicted: Vec<Vec<u64>>,
    actual: Vec<u64>,
    /// The grade at which each check of the registry was told last; 0 for never.
    grades: [u32; REGISTRY.len()],
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(plan: &'a Plan<'a>) -> Self {
        Diagnosis {
            plan,
            budget: Budget::new(BUDGET_FRAC),
            sample: None,
            predicted: Vec::new(),
            actual: Vec::new(),
            grades: [0; REGISTRY.len()],
            findings: Vec::new(),
        }
    }

    /// A batch is about to be learnt from. The first one is looked at, and kept for later looks.
    pub(crate) fn first_batch(
        &mut self,
        engine: &mut Engine<f32>,
        batch: &Batch,
        context: &StepContext,
        observer: &mut dyn Observer,
    ) {
        if self.sample.is_none() {
            let sample = self.sample.insert(Sample::of(batch, *context));
            let health = sample.look(engine, true);
            self.budget.begin();
            self.examine(&[], Some(&health), None, 0, observer);
        }
    }

    /// An epoch has ended, whose values `engine` has; afterwards it has them still.
    pub(crate) fn epoch(
        &mut self,
        engine: &mut Engine<f32>,
        epochs: &[EpochRecord],
        predictions: &Predictions,
        observer: &mut dyn Observer,
    ) {
        let Some(record) = epochs.last() else { return };
        self.predicted.push(predictions.confusion().predicted_counts());
        self.actual = predictions.confusion().true_counts();
        let first_or_last = epochs.len() == 1 || record.epoch == self.plan.recipe.train.epochs;
        let due = first_or_last || self.budget.allows(Duration::ZERO);
        let health = self.sample.as_ref().filter(|_| due).map(|sample| {
            let start = Instant::now();
            let health = sample.look(engine, false);
            self.budget.spend(start.elapsed());
            health
        });
        self.examine(epochs, health.as_ref(), None, record.step, observer);
    }

    /// The run has ended: what is left to say where it diverged.
    pub(crate) fn ended(&mut self, outcome: &Outcome, observer: &mut dyn Observer) {
        let Some((epoch, step)) = outcome.diverged else { return };
        let place = outcome.not_finite.as_ref().map(ToString::to_string);
        self.examine(&outcome.epochs, None, Some(&Divergence { epoch, step, place }), step, observer);
    }

    fn examine(
        &mut self,
        epochs: &[EpochRecord],
        health: Option<&Health>,
        diverged: Option<&Divergence>,
        step: u64,
        observer: &mut dyn Observer,
    ) {
        for (check, told) in REGISTRY.iter().zip(&mut self.grades) {
            let situation = Situation {
                recipe: self.plan.recipe,
                classes: self.plan.classes,
                train_images: self.plan.train.samples(),
                epochs,
                predicted: &self.predicted,
                actual: &self.actual,
                health,
                diverged,
                findings: &self.findings,
            };
            let Some(found) = (check.check)(&situation).filter(|found| found.grade > *told) else { continue };
            *told = found.grade;
            let Found { message, suggestion, .. } = found;
            let (kind, epoch) = (check.kind.to_owned(), situation.epoch());
            let finding = Finding { kind, epoch, message, suggestion };
            let Finding { kind, epoch, message, suggestion } = finding.clone();
            observer.event(Event::Finding { kind, epoch, step, message, suggestion });
            self.findings.push(finding);
        }
    }
}

/// A number with three digits that count.
fn short(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{x:.1e}"),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// A share as a percentage.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_unique_and_in_snake_case() {
        for (i, check) in REGISTRY.iter().enumerate() {
            assert!(check.kind.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(REGISTRY[..i].iter().all(|other| other.kind != check.kind));
            assert!(!check.title.is_empty() && !check.looks_at.is_empty());
        }
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 0.00012, 0.0456, 1.2345, 45.67, 1234.5, 2.5e7];
        let expected = ["0", "1.2e-4", "0.046", "1.23", "45.7", "1234", "2.5e7"];
        assert_eq!(numbers.map(short), expected);
    }
}
