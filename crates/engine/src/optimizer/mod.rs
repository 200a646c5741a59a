//! Optimizers: rules that turn a gradient into a step, one file each. Their names and keys are [`pupila_backend`]'s.
//!
//! A rule works on any run of values by itself, so the engine can hand it a piece of gradient the moment that piece is
//! computed. Its moments stand in arenas that are laid out like the parameters.

mod adam;
mod rmsprop;
mod sgd;

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::prefetch::Ask;
use crate::parallel::{Shared, copy_into, for_each};
use pupila_backend::{NodeLearning, OptimizerState, RestoreError};
use std::ops::Range;

pub use pupila_backend::optimizer::{OptimizerConfig, OptimizerEntry, OptimizerError, REGISTRY};

/// How a rule works out the numbers of one step.
type RuleOf = fn(&OptimizerConfig, lr: f64, step: u64) -> Rule;

/// The rule of every optimizer in the registry, in its order.
const RULES: [(&str, RuleOf); REGISTRY.len()] =
    [("adam", adam::adam), ("adamw", adam::adamw), ("sgd", sgd::sgd), ("rmsprop", rmsprop::rmsprop)];

/// A rule with the numbers of one step worked out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Adam(adam::Step),
    Sgd(sgd::Step),
    RmsProp(rmsprop::Step),
}

/// An optimizer over all parameters of a network: a configuration, its moments and the number of steps taken.
#[derive(Debug)]
pub struct Optimizer<T> {
    config: OptimizerConfig,
    /// The same for biases, scales and shifts.
    others: OptimizerConfig,
    rule: RuleOf,
    moments: Vec<Arena<T>>,
    steps: u64,
}

impl<T: Float> Optimizer<T> {
    /// An optimizer for `len` values that has taken no step.
    ///
    /// # Errors
    /// The configuration's first fault.
    pub fn new(config: &OptimizerConfig, len: usize) -> Result<Self, OptimizerError> {
        if let Some(error) = config.check().into_iter().next() {
            return Err(error);
        }
        let entry = OptimizerEntry::find(&config.name)?;
        let rule = RULES.iter().find(|(name, _)| *name == entry.name).ok_or_else(|| {
            let message = format!("the engine has no rule for `{}`", entry.name);
            OptimizerError { key: "name", message }
        })?;
        let moments = (0..entry.moments).map(|_| Arena::zeroed(len)).collect();
        let decay = if config.decay_norm_and_bias { config.weight_decay } else { 0.0 };
        let others = OptimizerConfig { weight_decay: decay, ..config.clone() };
        Ok(Optimizer { config: config.clone(), others, rule: rule.1, moments, steps: 0 })
    }

    /// Bytes of the moments.
    pub fn memory_bytes(&self) -> usize {
        self.moments.iter().map(|arena| arena.len() * size_of::<T>()).sum()
    }

    /// Steps taken so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What it remembers: the moments and the number of steps.
    pub fn state(&self) -> OptimizerState<T> {
        OptimizerState {
            name: self.config.name.clone(),
            steps: self.steps,
            moments: self.moments.iter().map(|moment| moment.to_vec()).collect(),
        }
    }

    /// The same, into a state whose memory is used again.
    pub(crate) fn state_into(&self, state: &mut OptimizerState<T>) {
        state.name.clone_from(&self.config.name);
        state.steps = self.steps;
        state.moments.resize_with(self.moments.len(), Vec::new);
        self.moments.iter().zip(&mut state.moments).for_each(|(moment, into)| copy_into(moment, into));
    }

    /// Goes on from a state as if it had taken those steps itself.
    ///
    /// # Errors
    /// The state is of another rule, or of another number of values. Nothing has changed then.
    pub fn restore(&mut self, state: &OptimizerState<T>) -> Result<(), RestoreError> {
        self.check(state)?;
        self.moments.iter_mut().zip(&state.moments).for_each(|(own, moment)| own.copy_from_slice(moment));
        self.steps = state.steps;
        Ok(())
    }

    pub(crate) fn check(&self, state: &OptimizerState<T>) -> Result<(), RestoreError> {
        if state.name != self.config.name {
            let (expected, found) = (Some(self.config.name.clone()), Some(state.name.clone()));
            return Err(RestoreError::Optimizer { expected, found });
        }
        RestoreError::check_length("the list of moments", self.moments.len(), state.moments.len())?;
        for (own, moment) in self.moments.iter().zip(&state.moments) {
            RestoreError::check_length("a moment", own.len(), moment.len())?;
        }
        Ok(())
    }

    /// The rule's name in the registry.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Begins the next step at a learning rate.
    pub(crate) fn begin(&mut self, lr: f64) -> Updates<'_, T> {
        self.steps += 1;
        let rule = (self.rule)(&self.config, lr, self.steps);
        let others = (self.rule)(&self.others, lr, self.steps);
        let kept = self.moments.len();
        let mut moments = self.moments.iter_mut();
        let mut next = || Shared::new(moments.next().map_or(&mut [][..], |arena| &mut **arena));
        let moments = [next(), next()];
        Updates {
            rule,
            others,
            moments,
            kept,
            configs: [&self.config, &self.others],
            of: self.rule,
            lr,
            step: self.steps,
        }
    }
}

/// One step of an optimizer, applied piece by piece.
pub(crate) struct Updates<'a, T> {
    rule: Rule,
    /// For biases, scales and shifts.
    others: Rule,
    moments: [Shared<'a, T>; 2],
    /// How many of them there are.
    kept: usize,
    /// What the rules are made of.
    configs: [&'a OptimizerConfig; 2],
    of: RuleOf,
    lr: f64,
    step: u64,
}

/// Below this a gradient counts as zero where its square is kept: the square would leave the normal numbers, on which some
/// processors take a hundred times as long. Against the `eps` that is added to the root it is nothing.
const LEAST_GRADIENT: f64 = 1.0 / (1u64 << 56) as f64;
/// With a smaller `eps` every gradient counts.
const LEAST_EPS: f64 = 1e-12;

/// What is settled to zero for a rule that adds `eps` to the root of a running square.
#[derive(Debug, Clone, Copy)]
struct Least<T> {
    gradient: T,
    square: T,
}

impl<T: Float> Least<T> {
    #[inline(always)]
    fn of(eps: f64) -> Self {
        if eps < LEAST_EPS {
            Least { gradient: T::ZERO, square: T::ZERO }
        } else {
            Least { gradient: T::of(LEAST_GRADIENT), square: T::LEAST }
        }
    }
}

/// Values that one job updates.
const BLOCK: usize = 16 << 10;

impl<T: Float> Updates<'_, T> {
    /// What is updated from here on learns at a factor of the learning rate, and has had so many updates less.
    pub(crate) fn follow(&mut self, learning: NodeLearning) {
        let (lr, step) = (self.lr * learning.rate, self.step.saturating_sub(learning.since).max(1));
        [self.rule, self.others] = self.configs.map(|config| (self.of)(config, lr, step));
    }

    /// Updates the values at `range` of the parameters with their gradient. `weight` tells weights from biases, scales and
    /// shifts.
    ///
    /// # Safety
    /// No two calls at the same time have ranges that overlap.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn apply(&self, range: Range<usize>, values: &mut [T], gradient: &[T], weight: bool) {
        // SAFETY: the moments' ranges are as disjoint as the caller's.
        let moment = |i: usize| unsafe { self.moments[i].part(range.clone()) };
        match if weight { &self.rule } else { &self.others } {
            Rule::Adam(step) => adam::update(step, values, moment(0), moment(1), gradient),
            Rule::Sgd(step) => sgd::update(step, values, moment(0), gradient),
            Rule::RmsProp(step) => rmsprop::update(step, values, moment(0), moment(1), gradient),
        }
    }

    /// What the update of the values at `range`, which begin at `values`, is going to read.
    pub(crate) fn ask(&self, values: *const T, range: Range<usize>) -> Ask {
        // Instead of a moment that is not kept, the values once more.
        let moments = |i: usize| {
            if i < self.kept { self.moments[i].pointer(range.clone()).cast_const() } else { values }
        };
        Ask::for_all([values, moments(0), moments(1)], range.len())
    }

    /// Updates a whole tensor, whose values begin at `first` of the parameters, on all threads.
    pub(crate) fn apply_all(&mut self, first: usize, values: &mut [T], gradient: &[T], weight: bool) {
        let (len, shared) = (values.len(), Shared::new(values));
        let this = &*self;
        for_each(len.div_ceil(BLOCK), |job| {
            let range = job * BLOCK..len.min((job + 1) * BLOCK);
            let moments = first + range.start..first + range.end;
            // SAFETY: each job has its own range, and `&mut self` keeps any other caller out.
            #[allow(unsafe_code)]
            unsafe {
                this.apply(moments, shared.part(range.clone()), &gradient[range], weight);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_optimizer_has_its_rule() {
        for (entry, (name, _)) in REGISTRY.iter().zip(RULES) {
            assert_eq!(entry.name, name);
        }
    }
}
