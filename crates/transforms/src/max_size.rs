//! What [`SmallestMaxSize`](crate::SmallestMaxSize) and [`LongestMaxSize`](crate::LongestMaxSize) share: lengths to draw
//! from, and a factor for both sides.

use crate::{Problems, Shape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A length in pixels, or some to draw from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a length in pixels or a list of lengths")]
pub enum MaxSize {
    /// One length.
    One([u32; 1]),
    /// One length.
    Number(u32),
    /// Some, each as likely as the others.
    Some(Vec<u32>),
}

impl MaxSize {
    pub(crate) fn lengths(&self) -> &[u32] {
        match self {
            MaxSize::One(length) => length,
            MaxSize::Number(length) => std::slice::from_ref(length),
            MaxSize::Some(lengths) => lengths,
        }
    }

    pub(crate) fn check(&self, problems: &mut Problems) {
        let lengths = self.lengths();
        if lengths.is_empty() || lengths.contains(&0) {
            problems.refuse("max_size", "lengths of at least 1 pixel", &format!("{lengths:?}"));
        }
    }
}

/// What one draw decides.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// The factor of both sides.
    pub scale: f64,
}

impl Scale {
    /// The shape of the result, at least one pixel.
    pub(crate) fn of(self, input: Shape) -> Shape {
        let side = |side: usize| ((side as f64 * self.scale).round_ties_even() as usize).max(1);
        Shape { height: side(input.height), width: side(input.width), ..input }
    }
}
