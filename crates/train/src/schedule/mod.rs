//! Learning-rate schedules: one file each, and their registry. Those of `torch.optim.lr_scheduler`, as closed formulas of
//! the epoch and step, so that a run can be taken up anywhere; only `plateau` has a memory.

mod constant;
mod cosine;
mod exponential;
mod one_cycle;
mod plateau;
mod step;

use plateau::Plateau;
use pupila_metrics::Direction;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[schedule]` section of a recipe: how the learning rate changes over the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// The schedule: a name from `pupila list schedules`.
    pub name: String,
    /// Steps over which the learning rate grows linearly to what the schedule says; 0 for none.
    pub warmup_steps: u64,
    /// Share of the learning rate that the warm-up begins with.
    pub warmup_start: f64,
    /// Epochs between two drops, for `step`.
    pub step_epochs: u32,
    /// Factor of a drop, for `step`, `exponential` (each epoch) and `plateau`.
    pub gamma: f64,
    /// The learning rate that `cosine` ends at and `plateau` doesn't go below.
    pub min_lr: f64,
    /// Epochs without improvement of `train.monitor` that are waited out before a drop, for `plateau`.
    pub patience: u32,
    /// Relative change of `train.monitor` that counts as an improvement, for `plateau`.
    pub threshold: f64,
    /// Share of the run in which the learning rate rises, for `one_cycle`.
    pub rise_frac: f64,
    /// What `optimizer.lr`, the peak, is divided by at the start, for `one_cycle`.
    pub start_divisor: f64,
    /// What the start is divided by at the end, for `one_cycle`.
    pub end_divisor: f64,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig {
            name: "constant".into(),
            warmup_steps: 0,
            warmup_start: 0.1,
            step_epochs: 10,
            gamma: 0.1,
            min_lr: 0.0,
            patience: 10,
            threshold: 1e-4,
            rise_frac: 0.3,
            start_divisor: 25.0,
            end_divisor: 1e4,
        }
    }
}

/// Where in the run a step is.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// From 0.
    epoch: u32,
    epochs: u32,
    /// Updates of the run, from 0.
    step: u64,
    steps: u64,
}

/// A schedule in the registry.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleEntry {
    /// The name in a recipe.
    pub name: &'static str,
    /// One line for `pupila list schedules`.
    pub description: &'static str,
    /// The keys of `[schedule]` that it uses besides `name` and the warm-up's.
    pub keys: &'static [&'static str],
    lr: fn(&ScheduleConfig, lr: f64, at: Moment) -> f64,
}

/// Every schedule, in the order of `pupila list schedules`.
pub const SCHEDULES: &[ScheduleEntry] = &[
    constant::CONSTANT,
    step::STEP,
    exponential::EXPONENTIAL,
    cosine::COSINE,
    one_cycle::ONE_CYCLE,
    plateau::PLATEAU,
];

/// A value of the `[schedule]` section that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schedule.{key}: {message}")]
pub struct ScheduleError {
    /// The key in the section.
    pub key: &'static str,
    /// What is wrong with its value, and what would be right.
    pub message: String,
}

/// Which schedules use a key, and what to type for the first of them.
fn used_by(key: &str) -> String {
    let names: Vec<_> = SCHEDULES.iter().filter(|e| e.keys.contains(&key)).map(|e| e.name).collect();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let all = names.join(", ");
    let all = all.rsplit_once(", ").map_or_else(|| all.clone(), |(some, last)| format!("{some} and {last}"));
    format!("{all} {verb} it: type --set schedule.name={} too", names.first().unwrap_or(&""))
}

impl ScheduleEntry {
    /// The schedule of a name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn find(name: &str) -> Result<&'static ScheduleEntry, ScheduleError> {
        SCHEDULES.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let known = SCHEDULES.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ");
            let message = format!("there is no schedule `{name}`; there are: {known}");
            ScheduleError { key: "name", message }
        })
    }
}

impl ScheduleConfig {
    /// Every wrong value, and every value that the schedule does not use although it is not the default.
    pub fn check(&self) -> Vec<ScheduleError> {
        let mut errors = Vec::new();
        let entry = match ScheduleEntry::find(&self.name) {
            Ok(entry) => entry,
            Err(error) => return vec![error],
        };
        let default = ScheduleConfig::default();
        let ScheduleConfig { step_epochs, gamma, min_lr, patience, threshold, .. } = *self;
        let changed = [
            ("step_epochs", step_epochs != default.step_epochs),
            ("gamma", gamma != default.gamma),
            ("min_lr", min_lr != default.min_lr),
            ("patience", patience != default.patience),
            ("threshold", threshold != default.threshold),
            ("rise_frac", self.rise_frac != default.rise_frac),
            ("start_divisor", self.start_divisor != default.start_divisor),
            ("end_divisor", self.end_divisor != default.end_divisor),
        ];
        for (key, _) in changed.iter().filter(|(key, changed)| *changed && !entry.keys.contains(key)) {
            let used =
                if entry.keys.is_empty() { "none of these keys".into() } else { entry.keys.join(", ") };
            let by = used_by(key);
            let message = format!("is not used by `{}`, which uses {used}; {by}, or leave it out", self.name);
            errors.push(ScheduleError { key, message });
        }
        let mut require = |right: bool, key, wanted: &str, got: f64| {
            if !right {
                errors.push(ScheduleError { key, message: format!("must be {wanted}, got {got}") });
            }
        };
        let share = |x: f64| x > 0.0 && x <= 1.0;
        require(share(self.warmup_start), "warmup_start", "above 0 and at most 1", self.warmup_start);
        require(step_epochs > 0, "step_epochs", "at least 1", f64::from(step_epochs));
        require(share(gamma), "gamma", "above 0 and at most 1", gamma);
        require(min_lr.is_finite() && min_lr >= 0.0, "min_lr", "at least 0", min_lr);
        require((0.0..1.0).contains(&threshold), "threshold", "at least 0 and below 1", threshold);
        require((0.0..1.0).contains(&self.rise_frac), "rise_frac", "at least 0 and below 1", self.rise_frac);
        for (key, divisor) in [("start_divisor", self.start_divisor), ("end_divisor", self.end_divisor)] {
            require(divisor.is_finite() && divisor >= 1.0, key, "at least 1", divisor);
        }
        errors
    }
}

/// What a schedule remembers of the epochs that have ended. Only `plateau` remembers any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScheduleState {
    /// The best value of the monitored metric; none before the first.
    pub best: Option<f64>,
    /// Epochs since then, or since the last drop.
    pub without: u32,
    /// How often the learning rate has dropped.
    pub drops: u32,
}

/// The learning rate over one run.
#[derive(Debug)]
pub struct Schedule<'a> {
    config: &'a ScheduleConfig,
    entry: ScheduleEntry,
    lr: f64,
    epochs: u32,
    steps_per_epoch: u64,
    plateau: Plateau,
}

impl<'a> Schedule<'a> {
    /// For a run of so many epochs and updates an epoch; `lr` is `optimizer.lr`.
    ///
    /// # Errors
    /// The configuration's first fault.
    pub fn new(
        config: &'a ScheduleConfig,
        lr: f64,
        epochs: u32,
        steps_per_epoch: u64,
        direction: Direction,
    ) -> Result<Self, ScheduleError> {
        if let Some(error) = config.check().into_iter().next() {
            return Err(error);
        }
        let entry = *ScheduleEntry::find(&config.name)?;
        Ok(Schedule { config, entry, lr, epochs, steps_per_epoch, plateau: Plateau::new(direction) })
    }

    /// The learning rate of an update: `epoch` and `step` of the run, both from 0.
    pub fn lr(&self, epoch: u32, step: u64) -> f64 {
        let steps = u64::from(self.epochs) * self.steps_per_epoch;
        let lr = self.plateau.lr(self.config, self.lr);
        let lr = (self.entry.lr)(self.config, lr, Moment { epoch, epochs: self.epochs, step, steps });
        let &ScheduleConfig { warmup_steps, warmup_start, .. } = self.config;
        if step >= warmup_steps {
            return lr;
        }
        lr * (warmup_start + (1.0 - warmup_start) * step as f64 / warmup_steps as f64)
    }

    /// What it remembers.
    pub fn state(&self) -> ScheduleState {
        self.plateau.state.clone()
    }

    /// Goes on from a state as if it had been told of those epochs itself.
    pub fn restore(&mut self, state: &ScheduleState) {
        self.plateau.state = state.clone();
    }

    /// Tells the schedule what the monitored metric was at the end of an epoch.
    pub fn epoch_ended(&mut self, monitored: f64) {
        if self.entry.name == plateau::PLATEAU.name {
            self.plateau.observe(self.config, monitored);
        }
    }
}
