//! Stochastic gradient descent with momentum, as `torch.optim.SGD`: dampening 0, weight decay added to the gradient, and on
//! request Nesterov's look-ahead (Sutskever et al. 2013).

use super::{OptimizerConfig, Rule};
use crate::isa::per_isa;

pub(super) fn sgd(config: &OptimizerConfig, lr: f64, _: u64) -> Rule {
    Rule::Sgd(Step { lr, l2: config.weight_decay, momentum: config.momentum, nesterov: config.nesterov })
}

/// The numbers of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    lr: f64,
    l2: f64,
    momentum: f64,
    nesterov: bool,
}

per_isa! {
    /// One pass over a run of values and their velocities; all slices have the same length.
    pub(crate) fn update<T: Float>(step: &Step, values: &mut [T], velocity: &mut [T], gradient: &[T]) {
        let (lr, l2, momentum) = (T::of(step.lr), T::of(step.l2), T::of(step.momentum));
        // Nesterov steps by g + momentum v, plain momentum by v.
        let (own, kept) = if step.nesterov { (T::ONE, momentum) } else { (T::ZERO, T::ONE) };
        for ((w, v), &g) in values.iter_mut().zip(velocity).zip(gradient) {
            let g = g + l2 * *w;
            *v = (momentum * *v + g).settled(T::LEAST);
            *w -= lr * (own * g + kept * *v);
        }
    }
}
