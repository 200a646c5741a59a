//! What is wrong with a training while it goes on: each finding with what was seen, in numbers, and one thing to try.
//!
//! Records of epochs, counts of predictions and a look into the layers come in, findings go out. A check is a file of its
//! own and one line of [`REGISTRY`]; it sees plain data and neither the engine nor the trackers.
//!
//! The looks are taken at one batch, kept for the whole run so that they can be compared: before the first update, after
//! the first and the last epoch, and in between as often as `LOOKS_FRAC` of the estimated time allows.

mod advice;
mod class_collapse;
mod dead_relu;
mod divergence;
mod explosion;
#[cfg(test)]
mod following;
mod forgetting;
mod frozen_limits;
mod health;
mod lr_too_high;
mod lr_too_low;
mod other_domain;
mod overfitting;
mod plateau;
mod symmetric_weights;
#[cfg(test)]
mod testing;
mod vanishing_gradient;

use crate::cadence::{Cadence, Costs};
use crate::observer::{EpochRecord, Observer};
use crate::recipe::Recipe;
use crate::trainer::{Outcome, Plan};
use health::{Health, Sample};
use pupila_backend::{Backend, Learning, StepContext};
use pupila_metrics::Predictions;
pub use pupila_run::Finding;
use pupila_trackers::Event;

/// Share of the estimated training time that the looks between the first and the last epoch may take. With the 1.5 % of
/// `tracking.budget_frac` all that watches a run stays within 2 %.
const LOOKS_FRAC: f64 = 0.005;

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
pub const REGISTRY: [Check; 13] = [
    divergence::CHECK,
    symmetric_weights::CHECK,
    other_domain::CHECK,
    forgetting::CHECK,
    lr_too_high::CHECK,
    explosion::CHECK,
    dead_relu::CHECK,
    vanishing_gradient::CHECK,
    lr_too_low::CHECK,
    class_collapse::CHECK,
    overfitting::CHECK,
    frozen_limits::CHECK,
    plateau::CHECK,
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
    looks: Cadence,
    /// All that ever learns: nothing else is looked at.
    learns: Learning,
    pub(crate) state: DiagnosisState,
}

/// What a diagnosis remembers.
#[derive(Debug, Clone, Default)]
pub struct DiagnosisState {
    /// The batch that every look is at, once there was one.
    sample: Option<Sample>,
    /// Of each epoch, how many validation images were predicted as each class.
    pub(crate) predicted: Vec<Vec<u64>>,
    /// How many validation images are of each class.
    pub(crate) actual: Vec<u64>,
    /// The grade at which each check of the registry was told last; 0 for never.
    pub(crate) grades: [u32; REGISTRY.len()],
    /// What was found so far.
    pub findings: Vec<Finding>,
}

impl DiagnosisState {
    /// From its parts.
    pub(crate) fn new(
        sample: Option<(Vec<f32>, Vec<u32>, StepContext)>,
        predicted: Vec<Vec<u64>>,
        actual: Vec<u64>,
        grades: [u32; REGISTRY.len()],
        findings: Vec<Finding>,
    ) -> Self {
        let sample = sample.map(|(images, targets, context)| Sample { images, targets, context });
        DiagnosisState { sample, predicted, actual, grades, findings }
    }

    /// The batch that every look is at: images, targets and context.
    pub(crate) fn sample(&self) -> Option<(&[f32], &[u32], &StepContext)> {
        self.sample.as_ref().map(|sample| (&sample.images[..], &sample.targets[..], &sample.context))
    }
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(plan: &'a Plan<'a>, state: DiagnosisState) -> Self {
        let costs = Costs::of_run(plan);
        let looks = costs.cadence(costs.pass_s(health::IMAGES), LOOKS_FRAC);
        Diagnosis { plan, looks, learns: plan.learns_at_most(), state }
    }

    /// A batch is about to be learnt from: its images, or their features where the engine reads these, and their classes. The first one is looked at,
    /// and kept for later looks.
    pub(crate) fn first_batch(
        &mut self,
        engine: &mut dyn Backend,
        batch: (&[f32], &[u32]),
        context: &StepContext,
        observer: &mut dyn Observer,
    ) {
        if self.state.sample.is_none() {
            let sample = self.state.sample.insert(Sample::of(batch, *context));
            // What begins to learn later is looked at from its first epoch on: its values now are none of the initialiser's.
            if engine.updates() == 0 {
                let mut health = sample.look(engine, &self.learns, true);
                health.norms = health::norm_shifts(engine, self.plan, &self.learns);
                self.examine(&[], Some(&health), None, 0, observer);
            }
        }
    }

    /// Other parts learn from now on, which see other features: later looks are at another batch.
    pub(crate) fn forget_sample(&mut self) {
        self.state.sample = None;
    }

    /// An epoch has ended, whose values `engine` has; afterwards it has them still.
    pub(crate) fn epoch(
        &mut self,
        engine: &mut dyn Backend,
        epochs: &[EpochRecord],
        predictions: &Predictions,
        observer: &mut dyn Observer,
    ) {
        let Some(record) = epochs.last() else { return };
        // What is fitted has no course that could go wrong.
        if self.plan.recipe.transfer.fits_head() {
            return;
        }
        self.state.predicted.push(predictions.confusion().predicted_counts());
        self.state.actual = predictions.confusion().true_counts();
        let due = self.looks.due(record.epoch) || record.epoch == self.plan.recipe.train.epochs;
        let sample = self.state.sample.as_ref().filter(|_| due);
        let health = sample.map(|sample| sample.look(engine, &self.learns, false));
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
        let DiagnosisState { predicted, actual, grades, findings, .. } = &mut self.state;
        for (check, told) in REGISTRY.iter().zip(grades) {
            let situation = Situation {
                recipe: self.plan.recipe,
                classes: self.plan.classes,
                train_images: self.plan.train.samples(),
                epochs,
                predicted,
                actual,
                health,
                diverged,
                findings,
            };
            let Some(found) = (check.check)(&situation).filter(|found| found.grade > *told) else { continue };
            *told = found.grade;
            let Found { message, suggestion, .. } = found;
            let (kind, epoch) = (check.kind.to_owned(), situation.epoch());
            let finding = Finding { kind, epoch, message, suggestion };
            let Finding { kind, epoch, message, suggestion } = finding.clone();
            observer.event(&Event::Finding { kind, epoch, step, message, suggestion });
            findings.push(finding);
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
