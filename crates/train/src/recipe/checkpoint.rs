//! The `[checkpoint]` section of a recipe.

use super::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When all that the run goes on with is written to disk, for `pupila resume`. No result depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointConfig {
    /// Minutes between two checkpoints; 0 for none by time. What is killed before the first one begins anew.
    pub minutes: f64,
    /// Steps (batches) between two checkpoints; 0 for none by steps.
    pub steps: u64,
    /// How many stay, the newest: where one is damaged, the one before it is used. 0 for no checkpoints, also where the run is stopped.
    pub keep: usize,
    /// Keep the state of the run's end too, with which `pupila resume RUN --epochs N` trains on. It takes several times as much room as the
    /// model.
    pub keep_final: bool,
}

impl Default for CheckpointConfig {
    fn default() -> Self {
        CheckpointConfig { minutes: 10.0, steps: 0, keep: 2, keep_final: false }
    }
}

/// More are of no use to anybody.
const MOST_KEPT: usize = 100;

impl CheckpointConfig {
    /// Every wrong value.
    pub(super) fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut refuse =
            |key: &str, message: String| faults.push(Fault::new(format!("checkpoint.{key}"), message));
        if !(self.minutes.is_finite() && self.minutes >= 0.0) {
            refuse("minutes", format!("must be at least 0 minutes, got {}", self.minutes));
        }
        if self.keep > MOST_KEPT {
            refuse("keep", format!("must be from 0 to {MOST_KEPT}, got {}", self.keep));
        }
        if self.keep == 0 && self.keep_final {
            refuse("keep_final", "needs checkpoint.keep of at least 1".into());
        }
        faults
    }
}
