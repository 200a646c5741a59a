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
    /// The keys of `[optimizer]` that it uses besides `name`, `lr`, `weight_decay` and `decay_norm_and_bias`.
    pub keys: &'static [&'static str],
    /// Moments kept for each parameter.
    pub moments: usize,
    rule: fn(&OptimizerConfig, lr: f64, step: u64) -> Rule,
}

/// Every optimizer, in the order of `pupila list optimizers`.
pub const REGISTRY: &[OptimizerEntry] = &[adam::ADAM, adam::ADAMW, sgd::SGD, rmsprop::RMSPROP];

/// A value of the `[optimizer]` section that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("optimizer.{key}: {message}")]
pub struct OptimizerError {
    /// The key in the section.
    pub key: &'static str,
    /// What is wrong with its value, and what would be right.
    pub message: String,
}

impl OptimizerConfig {
    /// Every wrong value, and every value that the rule does not use although it is not the default.
    pub fn check(&self) -> Vec<OptimizerError> {
        let mut errors: Vec<OptimizerError> = Vec::new();
        // All keys are named, so that a new one is not forgotten here.
        let OptimizerConfig {
            name,
            lr,
            weight_decay,
            decay_norm_and_bias: _,
            betas,
            eps,
            momentum,
            nesterov,
            alpha,
        } = self;
        let default = OptimizerConfig::default();
        match OptimizerEntry::find(name) {
            Err(error) => errors.push(error),
            // What is set and would be ignored misleads whoever compares two runs.
            Ok(entry) => {
                let changed = [
                    ("betas", *betas != default.betas),
                    ("eps", *eps != default.eps),
                    ("momentum", *momentum != default.momentum),
                    ("nesterov", *nesterov != default.nesterov),
                    ("alpha", *alpha != default.alpha),
                ];
                for (key, _) in
                    changed.into_iter().filter(|(key, changed)| *changed && !entry.keys.contains(key))
                {
                    let used = entry.keys.join(", ");
                    let message = format!("is not used by `{name}`, which uses {used}");
                    errors.push(OptimizerError { key, message });
                }
            }
        }
        let unused: Vec<_> = errors.iter().map(|error| error.key).collect();
        let mut require = |right: bool, key, wanted: &str| {
            if !right && !unused.contains(&key) {
                errors.push(OptimizerError { key, message: wanted.to_owned() });
            }
        };
        let number = |x: f64, bound: &str| format!("must be a number {bound}, got {x}");
        let share = |x: &f64| (0.0..1.0).contains(x);
        require(lr.is_finite() && *lr > 0.0, "lr", &number(*lr, "above 0"));
        for (key, x) in [("weight_decay", weight_decay), ("eps", eps)] {
            require(x.is_finite() && *x >= 0.0, key, &number(*x, "at least 0"));
        }
        for (key, x) in [("momentum", momentum), ("alpha", alpha)] {
            require(share(x), key, &format!("must be at least 0 and below 1, got {x}"));
        }
        let lonely = *nesterov && *momentum == 0.0;
        require(!lonely, "nesterov", "needs optimizer.momentum above 0, such as 0.9");
        if let Some(beta) = betas.iter().find(|beta| !share(beta)) {
            require(false, "betas", &format!("each must be at least 0 and below 1, got {beta}"));
        }
        errors
    }
}

impl OptimizerEntry {
    /// The rule of a name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn find(name: &str) -> Result<&'static OptimizerEntry, OptimizerError> {
        REGISTRY.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known = REGISTRY.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            let message = format!("there is no optimizer `{name}`; there are: {known}");
            OptimizerError { key: "name", message }
        })
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
    /// The configuration's first fault.
    pub fn new(config: &OptimizerConfig, len: usize) -> Result<Self, OptimizerError> {
        if let Some(error) = config.check().into_iter().next() {
            return Err(error);
        }
        let entry = *OptimizerEntry::find(&config.name)?;
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
