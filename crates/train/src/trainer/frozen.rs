//! The loop where a part of the network never learns: its features are kept, or a last layer is fitted to them.

use super::{End, TrainError, Training};
use crate::evaluate::{EvaluateError, evaluate_on};
use crate::features::Features;
use crate::fitted::{Fitted, evaluate_votes, fit};
use crate::observer::{Observer, Stop};
use pupila_metrics::Predictions;
use std::time::Instant;

impl Training<'_> {
    /// Judges the validation images, by what is asked for.
    pub(super) fn evaluate(&mut self, stop: &mut dyn FnMut() -> bool) -> Result<Predictions, EvaluateError> {
        let features = self.features.as_mut();
        match (&self.fitted, features) {
            (Some(Fitted::Neighbours(neighbours)), Some(features)) => {
                evaluate_votes(self.engine, self.plan.val, features, neighbours, stop)
            }
            (_, features) => evaluate_on(self.engine, self.plan.val, features, stop),
        }
    }

    /// Fits the last layer to the features, in place of training.
    pub(super) fn fit_head(&mut self, observer: &mut dyn Observer) -> Result<Option<End>, TrainError> {
        let plan = self.plan;
        let learning = plan.learning(self.epoch);
        self.engine.set_learning(&learning);
        let features = Features::new(self.engine, plan.train, plan.val, &learning, plan.kept);
        let Some(mut features) = features else { return Err(TrainError::NoFeatures) };
        let start = Instant::now();
        self.first_step.get_or_insert(start);
        let mut stop = None;
        let fitted = fit(plan, self.engine, &mut features, &mut || {
            stop = stop.take().or_else(|| observer.stop());
            stop.is_some()
        })?;
        self.features = Some(features);
        self.keep_features(observer);
        let Some((fitted, scores)) = fitted else {
            return Ok(Some(End::Asked(stop.unwrap_or(Stop::Interrupted))));
        };
        observer.note(&format!("the answers are those of {}", fitted.record()));
        (self.sums, self.batches, self.batches_in_all) =
            (scores, plan.train.batches(), plan.train.batches() as u64);
        self.fitted = Some(fitted);
        self.train_time = start.elapsed();
        Ok(None)
    }

    /// Leaves the features that are new in the cache.
    pub(super) fn keep_features(&mut self, observer: &mut dyn Observer) {
        if let (Some(features), Some(kept)) = (&mut self.features, self.plan.kept) {
            features.keep(kept);
        }
        self.tell_of_features(observer);
    }

    pub(super) fn tell_of_features(&mut self, observer: &mut dyn Observer) {
        let Some(features) = &mut self.features else { return };
        let said = std::mem::take(&mut features.said);
        said.notes.iter().for_each(|note| observer.note(note));
        said.warnings.iter().for_each(|warning| observer.warning(warning));
    }
}
