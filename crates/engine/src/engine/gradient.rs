//! Updates that need the whole gradient first: of several batches together, or with its norm held down.

use super::{Engine, Sink, Slot, StepContext};
use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::loss::LossSum;
use crate::optimizer::{Optimizer, Updates};
use crate::parallel::{Shared, for_each};
use pupila_network::Role;
use std::ops::Range;

/// Values whose squares are summed by one job. Fixed, so that the norm doesn't depend on the number of threads.
const BLOCK: usize = 64 << 10;

impl<T: Float> Engine<T> {
    /// Adds the gradient of a batch to those since the last [`Engine::apply`]. A loss that is not finite adds nothing.
    ///
    /// Each batch counts by the weights of its samples, so that k batches of n give the gradient of one batch of k n,
    /// except that BatchNorm normalises each by itself.
    pub fn accumulate(&mut self, images: &[T], targets: &[u32], context: &StepContext) -> LossSum {
        self.run(images, targets.len(), Some(context));
        let loss = self.loss(targets, context);
        if !loss.loss.is_finite() {
            return loss;
        }
        self.backward(images, targets.len(), Sink::Keep);
        let len = self.gradients.len();
        let (sum, weight) = self.accumulated.get_or_insert_with(|| (Arena::zeroed(len), 0.0));
        let (share, first) = (T::of(loss.weight), *weight == 0.0);
        *weight += loss.weight;
        let (shared, gradient) = (Shared::new(sum), &self.gradients);
        for_each(len.div_ceil(BLOCK), |job| {
            let range = job * BLOCK..len.min((job + 1) * BLOCK);
            // SAFETY: each job has its own block.
            #[allow(unsafe_code)]
            let sum = unsafe { shared.part(range.clone()) };
            for (sum, &g) in sum.iter_mut().zip(&gradient[range]) {
                *sum = if first { share * g } else { *sum + share * g };
            }
        });
        loss
    }

    /// Updates with the mean of the gradients since the last call, whose norm over all values is held down to `max_norm`,
    /// if given, as by `torch.nn.utils.clip_grad_norm_`. Gives the norm as it was; 0 without any gradient, and then
    /// nothing happens. With a norm that is not finite nothing is updated.
    pub fn apply(&mut self, optimizer: &mut Optimizer<T>, lr: f64, max_norm: Option<f64>) -> f64 {
        let Some((sum, weight)) = &mut self.accumulated else { return 0.0 };
        if *weight == 0.0 {
            return 0.0;
        }
        let norm = norm(sum) / *weight;
        let clip = max_norm.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0));
        let scale = T::of(clip / *weight);
        *weight = 0.0;
        if !norm.is_finite() {
            return norm;
        }
        sum.iter_mut().for_each(|g| *g *= scale);
        let mut updates = optimizer.begin(lr);
        for Slot { spec, range, .. } in self.slots.iter().filter(|slot| slot.spec.role.trained()) {
            let (values, gradient) = (&mut self.values[range.clone()], &sum[range.clone()]);
            updates.apply_all(range.start, values, gradient, spec.role == Role::Weight);
        }
        norm
    }
}

/// The Euclidean norm.
fn norm<T: Float>(values: &[T]) -> f64 {
    values
        .chunks(BLOCK)
        .map(|block| block.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>())
        .sum::<f64>()
        .sqrt()
}

impl<T: Float> Sink<'_, '_, T> {
    /// Updates some tensors with their gradients, if that is what becomes of them. The first is a weight, or not, as `weight`
    /// says; the second never is.
    pub(super) fn update(
        &mut self,
        values: &mut [T],
        gradients: &[T],
        ranges: [Range<usize>; 2],
        weight: bool,
    ) {
        if let Sink::Update(updates) = self {
            let updates: &mut Updates<'_, T> = updates;
            for (range, decays) in ranges.into_iter().zip([weight, false]) {
                updates.apply_all(range.start, &mut values[range.clone()], &gradients[range], decays);
            }
        }
    }
}
