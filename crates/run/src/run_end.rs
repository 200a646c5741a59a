//! How a run ends.

use serde::{Deserialize, Serialize};

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// All epochs ran.
    #[default]
    Completed,
    /// The monitored metric no longer improved.
    StoppedEarly,
    /// The user stopped it.
    Interrupted,
    /// The loss was not finite.
    Diverged,
    /// Whoever observed the run ended it: a pruned trial, a budget that is spent.
    Ended,
}

impl RunEnd {
    /// Every way to end.
    pub const ALL: [RunEnd; 5] =
        [RunEnd::Completed, RunEnd::StoppedEarly, RunEnd::Interrupted, RunEnd::Diverged, RunEnd::Ended];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            RunEnd::Completed => "completed",
            RunEnd::StoppedEarly => "stopped_early",
            RunEnd::Interrupted => "interrupted",
            RunEnd::Diverged => "diverged",
            RunEnd::Ended => "ended",
        }
    }

    /// The way to end of a name.
    pub fn parse(name: &str) -> Option<RunEnd> {
        RunEnd::ALL.into_iter().find(|end| end.name() == name)
    }
}
