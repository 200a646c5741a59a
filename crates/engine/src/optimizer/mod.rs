//! Optimizers: rules that turn a gradient into a step, one file each, and their registry.
//!
//! A rule works on any run of values by itself, so the engine can hand it a piece of gradient the moment that piece is
//! computed. Its moments stand in arenas that are laid out like the parameters.

mod adam;
mod rmsprop;
mod sgd;

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::prefetch::Ask;
use crate::parallel::{Shared, for_each};
use crate::state::{OptimizerState, RestoreError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The `[optimizer]` section of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The rule: a name from `pupila list optimizers`.
    pub name: String,
    /// Learning rate.
    pub lr: f64,
    /// Strength of weight decay; for `adam` it is added to the gradient (L2), as in PyTorch.
    pub weight_decay: f64,
    /// Whether biases and the scales and shifts of norms decay too, as PyTorch has it unless told otherwise.
    pub decay_norm_and_bias: bool,
    /// Decay of the running mean and of the running square of the gradient, for `adam` and `adamw`.
    pub betas: [f64; 2],
    /// Added to the denominator, for all but `sgd`.
    pub eps: f64,
    /// Share of the last step's velocity that is kept, for `sgd` and `rmsprop`.
    pub momentum: f64,
    /// Nesterov's momentum, for `sgd`.
    pub nesterov: bool,
    /// Decay of the running square of the gradient, for `rmsprop`.
    pub alpha: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig {
            name: "adam".into(),
            lr: 1e-3,
            weight_decay: 0.0,
            decay_norm_and_bias: true,
            betas: [0.9, 0.999],
            eps: 1e-8,
            momentum: 0.0,
            nesterov: false,
            alpha: 0.99,
        }
    }
}

/// An optimizer in the registry.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerEntry {
    /// The name in a recipe.
    pub name: &'static str,
    /// One line for `pupila list optimizers`.
    pub description: &'static str,
    /// The keys of `[optimizer]` that it heeds besides `name`, `lr` and `weight_decay`.
    pub keys: &'static [&'static str],
    /// Moments kept for each parameter.
    pub moments: usize,
    rule: fn(&OptimizerConfig, lr: f64, step: u64) -> Rule,
}

/// Every optimizer, in the order of `pupila list optimizers`.
pub const REGISTRY: &[OptimizerEntry] = &[adam::ADAM, adam::ADAMW, sgd::SGD, rmsprop::RMSPROP];

impl OptimizerConfig {
    /// Every wrong value: the key in the `[optimizer]` section and what is wrong with it.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let mut errors = Vec::new();
        if !REGISTRY.iter().any(|entry| entry.name == self.name) {
            let known = REGISTRY.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            errors.push(("name", format!("there is no optimizer `{}`; there are: {known}", self.name)));
        }
        let mut positive = |key, value: f64, zero_too: bool| {
            if !(value.is_finite() && (value > 0.0 || zero_too && value == 0.0)) {
                let bound = if zero_too { "at least 0" } else { "above 0" };
                errors.push((key, format!("must be a number {bound}, got {value}")));
            }
        };
        positive("lr", self.lr, false);
        positive("weight_decay", self.weight_decay, true);
        positive("eps", self.eps, true);
        for (key, share) in [("momentum", self.momentum), ("alpha", self.alpha)] {
            if !(0.0..1.0).contains(&share) {
                errors.push((key, format!("must be at least 0 and below 1, got {share}")));
            }
        }
        if self.nesterov && self.momentum == 0.0 {
            errors.push(("nesterov", "needs optimizer.momentum above 0, such as 0.9".into()));
        }
        if let Some(beta) = self.betas.iter().find(|beta| !(0.0..1.0).contains(*beta)) {
            errors.push(("betas", format!("each must be at least 0 and below 1, got {beta}")));
        }
        errors
    }
}

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
    entry: OptimizerEntry,
    moments: Vec<Arena<T>>,
    steps: u64,
}

impl<T: Float> Optimizer<T> {
    /// An optimizer for `len` values that has taken no step.
    ///
    /// # Errors
    /// The configuration's first fault, in words.
    pub fn new(config: &OptimizerConfig, len: usize) -> Result<Self, String> {
        if let Some((key, message)) = config.check().into_iter().next() {
            return Err(format!("optimizer.{key}: {message}"));
        }
        let entry = REGISTRY.iter().find(|entry| entry.name == config.name);
        let entry = *entry.ok_or_else(|| format!("there is no optimizer `{}`", config.name))?;
        let moments = (0..entry.moments).map(|_| Arena::zeroed(len)).collect();
        let decay = if config.decay_norm_and_bias { config.weight_decay } else { 0.0 };
        let others = OptimizerConfig { weight_decay: decay, ..config.clone() };
        Ok(Optimizer { config: config.clone(), others, entry, moments, steps: 0 })
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

    /// Goes on from a state as if it had taken those steps itself.
    ///
    /// # Errors
    /// The state is of another rule, or of another number of values. Nothing has changed then.
    pub fn restore(&mut self, state: &OptimizerState<T>) -> Result<(), RestoreError> {
        if state.name != self.config.name {
            let (expected, found) = (self.config.name.clone(), state.name.clone());
            return Err(RestoreError::Optimizer { expected, found });
        }
        RestoreError::unless_as_long("the moments", self.moments.len(), state.moments.len())?;
        for (own, moment) in self.moments.iter().zip(&state.moments) {
            RestoreError::unless_as_long("the values of a moment", own.len(), moment.len())?;
        }
        self.moments.iter_mut().zip(&state.moments).for_each(|(own, moment)| own.copy_from_slice(moment));
        self.steps = state.steps;
        Ok(())
    }

    /// Begins the next step at a learning rate.
    pub(crate) fn begin(&mut self, lr: f64) -> Updates<'_, T> {
        self.steps += 1;
        let rule = (self.entry.rule)(&self.config, lr, self.steps);
        let others = (self.entry.rule)(&self.others, lr, self.steps);
        let mut moments = self.moments.iter_mut();
        let mut next = || Shared::new(moments.next().map_or(&mut [][..], |arena| &mut **arena));
        Updates { rule, others, moments: [next(), next()], kept: self.entry.moments }
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
