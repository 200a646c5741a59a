//! RMSprop (Tieleman and Hinton 2012), as `torch.optim.RMSprop`: not centered, eps added to the root, weight decay added to
//! the gradient.

use super::{Least, OptimizerConfig, Rule};
use crate::isa::per_isa;

pub(super) fn rmsprop(config: &OptimizerConfig, lr: f64, _: u64) -> Rule {
    Rule::RmsProp(Step {
        lr,
        l2: config.weight_decay,
        momentum: config.momentum,
        alpha: config.alpha,
        eps: config.eps,
    })
}

/// The numbers of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    lr: f64,
    l2: f64,
    momentum: f64,
    alpha: f64,
    eps: f64,
}

per_isa! {
    /// One pass over a run of values, their mean squares and their velocities; all slices have the same length.
    pub(crate) fn update<T: Float>(step: &Step, values: &mut [T], square: &mut [T], velocity: &mut [T], gradient: &[T]) {
        let (lr, l2, momentum, eps) = (T::of(step.lr), T::of(step.l2), T::of(step.momentum), T::of(step.eps));
        let (keep, take) = (T::of(step.alpha), T::of(1.0 - step.alpha));
        let least = Least::of(step.eps);
        for (((w, s), v), &g) in values.iter_mut().zip(square).zip(velocity).zip(gradient) {
            let g = (g + l2 * *w).settled(least.gradient);
            *s = (keep * *s + take * g * g).settled(least.square);
            // Without momentum the velocity is this step's alone, as in PyTorch.
            *v = (momentum * *v + g / (s.sqrt() + eps)).settled(T::LEAST);
            *w -= lr * *v;
        }
    }
}
