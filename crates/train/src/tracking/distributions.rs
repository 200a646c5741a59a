//! How parameters and gradients are distributed: one pass over the engine's memory, on all threads.

use pupila_backend::{Backend, StepContext, TensorMemory};
use pupila_loader::Batch;
use pupila_network::Role;
use pupila_trackers::{Counts, Histogram};
use rayon::prelude::*;

/// Values that one job counts.
const PIECE: usize = 1 << 18;

/// So many values of a tensor are counted, or a few more. Of larger ones every k-th run of [`RUN`] values is: the picture is the same, and
/// counting the 6 million values of a first layer in every epoch would take 1 % of the training.
pub(crate) const COUNTED: usize = 1 << 17;

/// Values next to each other that are counted together.
const RUN: usize = 64;

/// The histogram of each trained tensor's values, by its name.
pub(super) fn of_parameters(engine: &dyn Backend) -> Vec<(String, Histogram)> {
    let tensors = engine.tensors();
    tensors.into_iter().map(|tensor| (tensor.spec.name.clone(), histogram(&tensor, tensor.values))).collect()
}

/// The histogram of each trained tensor's gradient, by its name, after [`take_gradient`].
pub(super) fn of_gradient(engine: &dyn Backend) -> Vec<(String, Histogram)> {
    let tensors = engine.tensors();
    tensors
        .into_iter()
        .map(|tensor| (tensor.spec.name.clone(), histogram(&tensor, tensor.gradient)))
        .collect()
}

/// Computes the gradient of a batch and leaves everything else as it was: the moving statistics that a pass in training
/// mode changes are put back.
pub(super) fn take_gradient(engine: &mut dyn Backend, batch: &Batch, context: &StepContext) {
    let tracked = engine.network().parameters().iter().any(|spec| spec.role == Role::RunningMean);
    let mut before = pupila_backend::Snapshot::default();
    if tracked {
        engine.save_to(&mut before);
    }
    engine.gradients(&batch.images, crate::trainer::targets_of(batch), context);
    if tracked {
        engine.restore(&before);
    }
}

fn histogram(tensor: &TensorMemory<'_, f32>, memory: &[f32]) -> Histogram {
    if memory.len() > COUNTED && tensor.filling == 0 {
        // An odd number: rows of a power of two would be met at the same places again and again.
        let every = (memory.len() / COUNTED) | 1;
        let runs: Vec<f32> = memory.chunks(RUN).step_by(every).flatten().copied().collect();
        let mut counts = Counts::default();
        counts.add(&runs);
        counts.times(every as u64);
        let ranges: Vec<Counts> = memory
            .par_chunks(PIECE)
            .map(|piece| {
                let mut range = Counts::default();
                range.reach(piece);
                range
            })
            .collect();
        ranges.iter().for_each(|range| counts.merge(range));
        return counts.finish();
    }
    let count = |piece: &[f32]| {
        let mut counts = Counts::default();
        counts.add(piece);
        counts
    };
    let pieces: Vec<Counts> = memory.par_chunks(PIECE).map(count).collect();
    let mut all = Counts::default();
    pieces.iter().for_each(|counts| all.merge(counts));
    all.forget_zeros(tensor.filling as u64);
    all.finish()
}
