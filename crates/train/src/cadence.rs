//! How often something expensive is looked at beside the training: by the sizes of network and data, never by the clock, so
//! that equal runs record the same.
//!
//! The costs of a step and of a look are estimated in seconds of a machine that does [`FLOPS`] and moves [`BYTES`] a second.
//! Another machine is faster or slower at both, so the share that looks take of its time is about the same.

use crate::tracking::COUNTED;
use crate::trainer::Plan;
use pupila_network::Network;

/// Floating-point operations a second, as two cores with AVX-512 do them in training.
const FLOPS: f64 = 2.5e11;
/// Bytes a second that the same cores read or write.
const BYTES: f64 = 4e10;
/// What a step or a pass costs, however small the network, in seconds.
const PASS_S: f64 = 5e-5;
/// What the preparation of a training image costs, in seconds.
const IMAGE_S: f64 = 3e-6;
/// A look of any kind may take so much of a whole run, in seconds, however short the run: nobody waits for it.
const FREE_S: f64 = 0.02;

/// A look every so many epochs, beginning with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cadence {
    every: u32,
}

impl Cadence {
    #[cfg(test)]
    pub(crate) fn every(every: u32) -> Self {
        Cadence { every }
    }

    /// Whether an epoch, from 1, is looked at.
    pub(crate) fn due(self, epoch: u32) -> bool {
        (epoch - 1).is_multiple_of(self.every)
    }

    /// The same, but at most once in `every` epochs.
    pub(crate) fn at_most_every(self, every: u32) -> Self {
        let every = every.max(1);
        Cadence { every: self.every.div_ceil(every) * every }
    }
}

/// The estimated costs of a run, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    epochs: u32,
    step_s: f64,
    /// Of the batches that make one update.
    update_s: f64,
    epoch_s: f64,
    /// Of a pass forward for one image.
    image_s: f64,
    /// Of reading or writing all parameters once.
    parameters_s: f64,
    /// Of reading those that a histogram counts.
    counted_s: f64,
}

impl Costs {
    pub(crate) fn of_run(plan: &Plan<'_>) -> Self {
        let train = &plan.recipe.train;
        let costs = Costs::new(
            plan.network,
            train.batch.min(plan.train.samples().max(1)),
            plan.train.batches(),
            plan.val.samples(),
            train.epochs,
        );
        Costs { update_s: costs.step_s * train.accumulate as f64, ..costs }
    }

    fn new(network: &Network, batch: usize, steps: usize, val_images: usize, epochs: u32) -> Self {
        let image_s = network.flops() as f64 / FLOPS;
        let parameters_s = (size_of::<f32>() * network.parameter_count()) as f64 / BYTES;
        // Forward and both gradients; values and both moments read and written.
        let step_s = PASS_S + batch as f64 * (3.0 * image_s + IMAGE_S) + 6.0 * parameters_s;
        let epoch_s = steps as f64 * step_s + val_images as f64 * image_s;
        let trained = network.parameters().into_iter().filter(|spec| spec.role.trained());
        let counted: usize = trained.map(|spec| spec.len().min(COUNTED)).sum();
        let counted_s = (size_of::<f32>() * counted) as f64 / BYTES;
        Costs { epochs, step_s, update_s: step_s, epoch_s, image_s, parameters_s, counted_s }
    }

    /// Optimizer updates in so many seconds.
    pub(crate) fn updates_in(&self, seconds: f64) -> u64 {
        (seconds / self.update_s).round().max(1.0) as u64
    }

    /// A pass forward and backward of `images` images that updates nothing.
    pub(crate) fn pass_s(&self, images: usize) -> f64 {
        PASS_S + images as f64 * 3.0 * self.image_s + 2.0 * self.parameters_s
    }

    /// Counting the parameters, or their gradients, into histograms: about as much as reading what is counted fifteen times.
    pub(crate) fn histograms_s(&self) -> f64 {
        PASS_S + 15.0 * self.counted_s + self.parameters_s
    }

    /// How often a look of `look_s` seconds may be taken, if all looks together may take `frac` of the run.
    pub(crate) fn cadence(&self, look_s: f64, frac: f64) -> Cadence {
        if frac >= 1.0 {
            return Cadence { every: 1 };
        }
        let epochs = f64::from(self.epochs);
        let allowed = (frac * self.epoch_s * epochs).max(FREE_S);
        let looks = (allowed / look_s).floor().clamp(1.0, epochs.max(1.0));
        Cadence { every: (epochs / looks).ceil().max(1.0) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_network::{ModelConfig, Shape, architectures};

    fn costs(hidden: Vec<usize>, side: usize, steps: usize, epochs: u32) -> Costs {
        let config = ModelConfig { hidden: Some(hidden), ..ModelConfig::default() };
        let shape = Shape::Map { height: side, width: side, channels: 3 };
        let network = architectures::build(&config, shape, 3).unwrap();
        Costs::new(&network, 32, steps, 60, epochs)
    }

    fn looks(cadence: Cadence, epochs: u32) -> usize {
        (1..=epochs).filter(|&epoch| cadence.due(epoch)).count()
    }

    #[test]
    fn small_runs_are_looked_at_every_epoch() {
        let small = costs(vec![64], 32, 8, 30);
        let histograms = small.cadence(small.histograms_s(), 0.003);
        assert_eq!(looks(histograms, 30), 30);
        let gradients = small.cadence(small.pass_s(32) + small.histograms_s(), 0.006);
        assert_eq!(looks(gradients, 30), 30);
    }

    #[test]
    fn looks_stay_within_their_share_of_a_long_run() {
        for (hidden, steps, epochs) in
            [(vec![512, 128], 60, 100), (vec![2048, 2048], 500, 20), (vec![64], 10, 5000)]
        {
            let run = costs(hidden, 64, steps, epochs);
            let look_s = run.pass_s(32) + run.histograms_s();
            let taken = looks(run.cadence(look_s, 0.01), epochs) as f64 * look_s;
            let whole = f64::from(epochs) * run.epoch_s;
            assert!(taken <= (0.01 * whole).max(FREE_S) + look_s, "{taken} of {whole}");
            let all = looks(run.cadence(look_s, 0.01), epochs) == epochs as usize;
            assert!(all || taken > 0.2 * 0.01 * whole, "{taken} of {whole}: more was allowed");
        }
    }

    #[test]
    fn the_first_epoch_is_always_looked_at_and_a_rate_is_kept() {
        let large = costs(vec![4096, 4096], 64, 1, 3);
        assert_eq!(looks(large.cadence(10.0, 0.01), 3), 1);
        assert!(large.cadence(10.0, 0.01).due(1));
        assert_eq!(large.cadence(10.0, 1.0), Cadence { every: 1 });
        assert_eq!(Cadence { every: 3 }.at_most_every(2), Cadence { every: 4 });
        assert_eq!(Cadence { every: 1 }.at_most_every(5), Cadence { every: 5 });
    }
}
