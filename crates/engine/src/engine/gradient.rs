//! Updates that need the whole gradient first: of several batches together, or with its norm held down.

use super::{Engine, Sink, Slot};
use crate::arena::Arena;
use crate::float::Float;
use crate::optimizer::{Optimizer, Updates};
use crate::parallel::{Shared, for_each};
use pupila_backend::{LossSum, NodeLearning, RestoreError, StepContext, Targets, Waiting};
use pupila_network::Role;
use std::ops::Range;

/// Values that one job works on. Fixed, so that the norm doesn't depend on the number of threads.
const BLOCK: usize = 64 << 10;

/// Gradients that wait for their update.
#[derive(Debug)]
pub(super) struct Accumulated<T> {
    /// Of all batches, each times its weight.
    sum: Arena<T>,
    /// Sum of the weights; 0 where nothing waits.
    weight: f64,
    /// The squares of the sum, block by block.
    squares: Vec<f64>,
}

impl<T: Float> Accumulated<T> {
    fn new(len: usize) -> Self {
        Accumulated { sum: Arena::zeroed(len), weight: 0.0, squares: vec![0.0; len.div_ceil(BLOCK)] }
    }

    /// The Euclidean norm of the sum.
    fn norm(&mut self) -> f64 {
        let (sum, squares) = (&self.sum, Shared::new(&mut self.squares));
        for_each(sum.len().div_ceil(BLOCK), |job| {
            let block = &sum[job * BLOCK..sum.len().min((job + 1) * BLOCK)];
            // SAFETY: each job has its own element.
            #[allow(unsafe_code)]
            let square = unsafe { squares.part(job..job + 1) };
            // Side by side, since one sum would wait for itself at every term.
            let mut sums = [0.0; 16];
            for values in block.chunks(sums.len()) {
                sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x.to_f64() * x.to_f64());
            }
            square[0] = sums.iter().sum();
        });
        self.squares.iter().sum::<f64>().sqrt()
    }
}

/// Calls `job` with every element of `to` and the same one of `from`, on all threads.
pub(super) fn combine<T: Float>(to: &mut [T], from: &[T], job: impl Fn(&mut T, T) + Sync + Send) {
    let (len, shared) = (to.len().min(from.len()), Shared::new(to));
    for_each(len.div_ceil(BLOCK), |block| {
        let range = block * BLOCK..len.min((block + 1) * BLOCK);
        // SAFETY: each job has its own block.
        #[allow(unsafe_code)]
        let to = unsafe { shared.part(range.clone()) };
        to.iter_mut().zip(&from[range]).for_each(|(to, &from)| job(to, from));
    });
}

impl<T: Float> Engine<T> {
    /// Adds the gradient of a batch to those since the last [`Engine::apply`]. A loss that is not finite adds nothing.
    ///
    /// Each batch counts by the weights of its samples, so that k batches of n give the gradient of one batch of k n,
    /// except that BatchNorm normalises each by itself.
    pub fn accumulate<'a>(
        &mut self,
        images: &[T],
        targets: impl Into<Targets<'a>>,
        context: &StepContext,
    ) -> LossSum {
        let targets = targets.into();
        let batch = targets.classes.len();
        self.run(images, batch, Some(context));
        let loss = self.loss(targets, context);
        if !loss.loss.is_finite() {
            return loss;
        }
        self.clear_frozen();
        self.backward(images, batch, Sink::Keep);
        let len = self.gradients.len();
        let accumulated = self.accumulated.get_or_insert_with(|| Accumulated::new(len));
        let (share, first) = (T::of(loss.weight), accumulated.weight == 0.0);
        accumulated.weight += loss.weight;
        combine(&mut accumulated.sum, &self.gradients, |sum, g| {
            *sum = if first { share * g } else { *sum + share * g };
        });
        loss
    }

    /// Updates with the mean of the gradients since the last call, whose norm over all values is held down to `max_norm`,
    /// if given, as by `torch.nn.utils.clip_grad_norm_`. Gives the norm as it was; 0 without any gradient, and then
    /// nothing happens. With a norm that is not finite nothing is updated.
    pub fn apply(&mut self, optimizer: &mut Optimizer<T>, lr: f64, max_norm: Option<f64>) -> f64 {
        let Some(accumulated) = self.accumulated.as_mut().filter(|waiting| waiting.weight > 0.0) else {
            return 0.0;
        };
        let weight = std::mem::take(&mut accumulated.weight);
        let norm = accumulated.norm() / weight;
        if !norm.is_finite() {
            return norm;
        }
        let clip = max_norm.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0));
        let (scale, sum) = (T::of(clip / weight), &accumulated.sum);
        // The gradients of single batches are of no more use.
        combine(&mut self.gradients, sum, |to, g| *to = scale * g);
        let sum = &self.gradients;
        let mut updates = optimizer.begin(lr);
        for Slot { spec, range, .. } in self.slots.iter().filter(|slot| slot.spec.role.trained()) {
            let learning = self.learning.of(spec.node);
            if learning.rate == 0.0 {
                continue;
            }
            updates.follow(learning);
            let (values, gradient) = (&mut self.values[range.clone()], &sum[range.clone()]);
            updates.apply_all(range.start, values, gradient, spec.role == Role::Weight);
        }
        norm
    }

    /// The gradients since the last [`Engine::apply`]; none where no batch came since.
    pub fn waiting(&self) -> Option<Waiting<T>> {
        let accumulated = self.accumulated.as_ref().filter(|waiting| waiting.weight > 0.0)?;
        Some(Waiting { sum: accumulated.sum.to_vec(), weight: accumulated.weight })
    }

    /// Goes on as if these were the gradients since the last [`Engine::apply`].
    ///
    /// # Errors
    /// They are of another number of values, or their weight is not a number above 0. Nothing has changed then.
    pub fn set_waiting(&mut self, waiting: Option<&Waiting<T>>) -> Result<(), RestoreError> {
        let Some(waiting) = waiting else {
            self.drop_waiting();
            return Ok(());
        };
        self.check_waiting(waiting)?;
        let len = self.gradients.len();
        let accumulated = self.accumulated.get_or_insert_with(|| Accumulated::new(len));
        accumulated.sum.copy_from_slice(&waiting.sum);
        accumulated.weight = waiting.weight;
        Ok(())
    }

    /// Forgets the gradients since the last [`Engine::apply`].
    pub(crate) fn drop_waiting(&mut self) {
        if let Some(accumulated) = &mut self.accumulated {
            accumulated.weight = 0.0;
        }
    }

    pub(crate) fn check_waiting(&self, waiting: &Waiting<T>) -> Result<(), RestoreError> {
        let (expected, found) = (self.gradients.len(), waiting.sum.len());
        RestoreError::check_length("the gradients that wait", expected, found)?;
        if !(waiting.weight.is_finite() && waiting.weight > 0.0) {
            return Err(RestoreError::Weight(waiting.weight));
        }
        Ok(())
    }
}

impl<T: Float> Sink<'_, '_, T> {
    /// What is updated from here on learns so.
    pub(super) fn follow(&mut self, learning: NodeLearning) {
        if let Sink::Update(updates) = self {
            updates.follow(learning);
        }
    }

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
