//! A range for x and one for y.

use crate::{Fixed, Problems, Range};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ranges along x and y: a number, `[low, high]`, or `{ x = .., y = .. }` with a number or a range each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, [low, high], or { x = .., y = .. }")]
pub enum PerAxis {
    /// The same range for both, drawn for each.
    Both(Range<Fixed>),
    /// A range for each.
    Each(Axes),
}

/// A range for each axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Axes {
    /// Across.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<Range<Fixed>>,
    /// Down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<Range<Fixed>>,
}

impl PerAxis {
    /// From `low` to `high` along both.
    pub const fn both(low: f64, high: f64) -> Self {
        PerAxis::Both(Range::new(low, high))
    }

    /// The ranges of x and y; an axis that is left out has `default`.
    pub(crate) fn ranges(&self, default: f64) -> [Range<Fixed>; 2] {
        match self {
            PerAxis::Both(range) => [*range; 2],
            PerAxis::Each(Axes { x, y }) => [x, y].map(|range| range.unwrap_or(Range::new(default, default))),
        }
    }

    pub(crate) fn check(&self, parameter: &str, problems: &mut Problems) {
        match self {
            PerAxis::Both(range) => problems.range(parameter, range),
            PerAxis::Each(Axes { x: None, y: None }) => {
                problems.refuse(parameter, "x, y or both", &"neither")
            }
            PerAxis::Each(Axes { x, y }) => {
                for (axis, range) in [("x", x), ("y", y)] {
                    if let Some(range) = range {
                        problems.range(&format!("{parameter}.{axis}"), range);
                    }
                }
            }
        }
    }
}

impl std::fmt::Display for PerAxis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [x, y] = self.ranges(0.0);
        write!(f, "{{ x = {x}, y = {y} }}")
    }
}
