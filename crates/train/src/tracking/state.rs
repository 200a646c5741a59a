//! What tracking remembers of a run besides what is in its files: the loop's checkpoints hold it.

use crate::observer::EpochRecord;
use pupila_backend::LossSum;
use std::sync::Arc;

/// What tracking remembers of a run besides what is in its files.
#[derive(Debug, Clone, Default)]
pub struct TrackingState {
    pub(super) steps: StepMeans,
    /// Of every epoch so far.
    pub(super) epochs: Vec<EpochMetrics>,
    /// Samples of the system so far.
    pub(super) system: u64,
}

impl TrackingState {
    /// What was recorded of the steps (epoch, updates, sums when it was last), samples of the system, and the epochs.
    pub(crate) fn new(
        (epoch, updates, recorded): (u32, u64, LossSum),
        system: u64,
        epochs: &[EpochRecord],
    ) -> Self {
        let steps = StepMeans { epoch, updates, recorded };
        let mut state = TrackingState { steps, epochs: Vec::with_capacity(epochs.len()), system };
        for record in epochs {
            state.remember(record.epoch, record.step, record.val.iter().copied());
        }
        state
    }

    /// Remembers the validation's metrics of an epoch.
    pub(super) fn remember<'a>(&mut self, epoch: u32, step: u64, val: impl Iterator<Item = (&'a str, f64)>) {
        let (names, values): (Vec<&str>, Vec<f64>) = val.unzip();
        let before = self.epochs.last().map(|last| &last.names);
        let same = before.filter(|before| before.iter().map(String::as_str).eq(names.iter().copied()));
        let names = same.cloned().unwrap_or_else(|| names.into_iter().map(str::to_owned).collect());
        self.epochs.push(EpochMetrics { epoch, step, names, values: values.into() });
    }

    /// Epoch, updates, and the sums when the steps were last recorded.
    pub(crate) fn steps(&self) -> (u32, u64, &LossSum) {
        (self.steps.epoch, self.steps.updates, &self.steps.recorded)
    }

    /// Samples of the system so far.
    pub(crate) fn system(&self) -> u64 {
        self.system
    }
}

/// The validation's metrics of an epoch. Shared, and the names with the epochs before: every checkpoint copies them.
#[derive(Debug, Clone)]
pub(super) struct EpochMetrics {
    pub(super) epoch: u32,
    pub(super) step: u64,
    pub(super) names: Arc<[String]>,
    pub(super) values: Arc<[f64]>,
}

/// Means over the batches since they were last recorded.
#[derive(Debug, Clone, Default)]
pub(super) struct StepMeans {
    epoch: u32,
    /// Updates at the last batch: several batches may make one.
    pub(super) updates: u64,
    recorded: LossSum,
}

impl StepMeans {
    /// The means, where an update has just been made that is a multiple of `every`; they begin anew with each epoch.
    pub(super) fn due(
        &mut self,
        epoch: u32,
        updates: u64,
        so_far: &LossSum,
        every: u32,
    ) -> Option<Vec<(String, f64)>> {
        if self.epoch != epoch {
            *self = StepMeans { epoch, updates: self.updates, recorded: LossSum::default() };
        }
        let updated = std::mem::replace(&mut self.updates, updates) != updates;
        if !updated || every == 0 || !updates.is_multiple_of(u64::from(every)) {
            return None;
        }
        let since = *so_far - std::mem::replace(&mut self.recorded, *so_far);
        let accuracy = since.correct as f64 / since.samples as f64;
        Some(vec![("step/loss".to_owned(), since.mean()), ("step/accuracy".to_owned(), accuracy)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_by_updates_and_by_the_weights_of_the_classes() {
        let mut means = StepMeans::default();
        let mut so_far = LossSum::default();
        let mut seen = Vec::new();
        // Two batches to an update, recorded every second update; the sums begin anew with the epoch.
        for batch in 0..16u64 {
            if batch % 8 == 0 {
                so_far = LossSum::default();
            }
            so_far += LossSum { loss: 6.0 + batch as f64, weight: 3.0, correct: 1, samples: 4 };
            let epoch = 1 + (batch / 8) as u32;
            seen.extend(means.due(epoch, batch.div_ceil(2), &so_far, 2).map(|v| (batch, v[0].1, v[1].1)));
        }
        // An update that its second batch makes is seen there: batches 3, 7, 11, 15 with the four before them.
        assert_eq!(seen, [(3, 2.5, 0.25), (7, 23.0 / 6.0, 0.25), (11, 31.0 / 6.0, 0.25), (15, 6.5, 0.25)]);
        assert!(means.due(2, 9, &so_far, 0).is_none());
    }
}
