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

/// The most pixels of a result: of a picture of 1 x 5,000, a shorter side of 1,024 would make 5 billion.
const MOST: f64 = (1u32 << 26) as f64;

impl Scale {
    /// The shape of the result, at least one pixel. One of more than 2^26 pixels, where no memory may be, is as much smaller.
    pub(crate) fn of(self, input: Shape) -> Shape {
        let pixels = input.height as f64 * input.width as f64 * self.scale * self.scale;
        let scale = if pixels > MOST && self.scale > 1.0 {
            (self.scale * (MOST / pixels).sqrt()).max(1.0)
        } else {
            self.scale
        };
        let side = |side: usize| ((side as f64 * scale).round_ties_even() as usize).max(1);
        Shape { height: side(input.height), width: side(input.width), ..input }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scale_makes_more_than_memory_holds() {
        let of = |height, width, scale| {
            let Shape { height, width, .. } = Scale { scale }.of(Shape { height, width, channels: 3 });
            (height, width)
        };
        assert_eq!(of(300, 400, 2.0), (600, 800));
        let (height, width) = of(1, 5000, 1024.0);
        assert!(height * width <= 1 << 27 && height > 100, "{height} x {width}");
        // What is larger already is only not enlarged.
        assert_eq!(of(9000, 9000, 1.5), (9000, 9000));
        assert_eq!(of(9000, 9000, 0.5), (4500, 4500));
    }
}
