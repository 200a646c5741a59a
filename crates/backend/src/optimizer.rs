//! Which optimizers there are and what a recipe says of them: names, keys and their checks. How a rule computes its step is
//! the backend's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}

/// Every optimizer, in the order of `pupila list optimizers`. A backend has a rule for each.
pub const REGISTRY: &[OptimizerEntry] = &[
    OptimizerEntry {
        name: "adam",
        description: "Adam; weight_decay is L2, added to the gradient",
        keys: &["betas", "eps"],
        moments: 2,
    },
    OptimizerEntry {
        name: "adamw",
        description: "Adam with decoupled weight decay",
        keys: &["betas", "eps"],
        moments: 2,
    },
    OptimizerEntry {
        name: "sgd",
        description: "gradient descent with momentum, Nesterov's on request; weight_decay is L2, added to the gradient",
        keys: &["momentum", "nesterov"],
        moments: 1,
    },
    OptimizerEntry {
        name: "rmsprop",
        description: "the gradient divided by its running root mean square; weight_decay is L2, added to the gradient",
        keys: &["momentum", "alpha", "eps"],
        moments: 2,
    },
];

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
                    let own = match (key, entry.keys.contains(&"betas")) {
                        ("momentum", true) => " (its momentum is the first of betas)",
                        _ => "",
                    };
                    let by = used_by(key);
                    let message =
                        format!("is not used by `{name}`, which uses {used}{own}; {by}, or leave it out");
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

/// Which rules use a key, and what to type for the first of them.
fn used_by(key: &str) -> String {
    let names: Vec<_> = REGISTRY.iter().filter(|e| e.keys.contains(&key)).map(|e| e.name).collect();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let all = names.join(", ");
    let all = all.rsplit_once(", ").map_or_else(|| all.clone(), |(some, last)| format!("{some} and {last}"));
    format!("{all} {verb} it: type --set optimizer.name={} too", names.first().unwrap_or(&""))
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
