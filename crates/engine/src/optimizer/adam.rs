//! Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019), as `torch.optim` computes them: eps is added to the
//! corrected root, Adam's weight decay is L2 added to the gradient, AdamW's shrinks the weight by lr * weight_decay.

use super::{Least, OptimizerConfig, Rule};
use crate::isa::per_isa;

/// Weight decay is L2.
pub(super) fn adam(config: &OptimizerConfig, lr: f64, step: u64) -> Rule {
    Rule::Adam(Step::new(config, lr, step, false))
}

/// Weight decay shrinks the weight.
pub(super) fn adamw(config: &OptimizerConfig, lr: f64, step: u64) -> Rule {
    Rule::Adam(Step::new(config, lr, step, true))
}

/// The numbers of one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    beta1: f64,
    beta2: f64,
    eps: f64,
    l2: f64,
    shrink: f64,
    step_size: f64,
    root_correction: f64,
}

impl Step {
    fn new(config: &OptimizerConfig, lr: f64, step: u64, decoupled: bool) -> Self {
        let [beta1, beta2] = config.betas;
        let power = |beta: f64| 1.0 - beta.powi(i32::try_from(step).unwrap_or(i32::MAX));
        Step {
            beta1,
            beta2,
            eps: config.eps,
            l2: if decoupled { 0.0 } else { config.weight_decay },
            shrink: if decoupled { 1.0 - lr * config.weight_decay } else { 1.0 },
            step_size: lr / power(beta1),
            root_correction: 1.0 / power(beta2).sqrt(),
        }
    }
}

per_isa! {
    /// One pass over a run of values and their moments; all slices have the same length.
    pub(crate) fn update<T: Float>(step: &Step, values: &mut [T], m: &mut [T], v: &mut [T], gradient: &[T]) {
        let (keep1, take1) = (T::of(step.beta1), T::of(1.0 - step.beta1));
        let (keep2, take2) = (T::of(step.beta2), T::of(1.0 - step.beta2));
        let (l2, shrink, eps) = (T::of(step.l2), T::of(step.shrink), T::of(step.eps));
        let (step_size, root_correction) = (T::of(step.step_size), T::of(step.root_correction));
        let least = Least::of(step.eps);
        for (((w, m), v), &g) in values.iter_mut().zip(m).zip(v).zip(gradient) {
            let g = (g + l2 * *w).settled(least.gradient);
            *m = (keep1 * *m + take1 * g).settled(T::LEAST);
            *v = (keep2 * *v + take2 * g * g).settled(least.square);
            *w = shrink * *w - step_size * *m / (v.sqrt() * root_correction + eps);
        }
    }
}
