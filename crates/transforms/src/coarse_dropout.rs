//! Holes (Cutout, DeVries and Taylor 2017). Reference: `albumentations.CoarseDropout`.

use crate::{Fill, Frame, HoleFill, Holes, Noise, Pair, Problems, Range, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fills rectangles anywhere in the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CoarseDropout {
    /// How many.
    pub num_holes_range: WholeRange<Pair>,
    /// Height as a fraction of the image, or in pixels where the largest is 1 or more.
    pub hole_height_range: Range<Pair>,
    /// Width; in the unit of the height.
    pub hole_width_range: Range<Pair>,
    /// What holes are filled with: a number, one for each channel, `random` or `random_uniform`.
    pub fill: HoleFill,
    /// The value of holes in a mask; left out, a mask has none.
    pub fill_mask: Option<Fill>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for CoarseDropout {
    fn default() -> Self {
        CoarseDropout {
            num_holes_range: WholeRange::new(1, 2),
            hole_height_range: Range::new(0.1, 0.2),
            hole_width_range: Range::new(0.1, 0.2),
            fill: HoleFill::default(),
            fill_mask: None,
            p: 0.5,
        }
    }
}

impl Transform for CoarseDropout {
    const NAME: &'static str = "coarse_dropout";
    const DESCRIPTION: &'static str = "cuts out rectangles";

    type Drawn = Holes;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.whole_range_within("num_holes_range", &self.num_holes_range, 1, 10_000);
        problems.range_within("hole_height_range", &self.hole_height_range, 0.0, f64::INFINITY);
        problems.range_within("hole_width_range", &self.hole_width_range, 0.0, f64::INFINITY);
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Holes {
        let in_pixels = self.hole_height_range.high >= 1.0;
        let length = |range: Range<Pair>, side: usize, stream: &mut Stream| {
            if in_pixels {
                let high = range.high.min(side as f64) as i64;
                WholeRange::<Pair>::new((range.low as i64).min(high), high).draw(stream) as usize
            } else {
                ((side as f64 * range.draw(stream)) as usize).min(side)
            }
        };
        let holes = (0..self.num_holes_range.draw(stream)).map(|_| {
            let height = length(self.hole_height_range, input.height, stream);
            let width = length(self.hole_width_range, input.width, stream);
            let top = stream.below((input.height - height + 1) as u32) as usize;
            let left = stream.below((input.width - width + 1) as u32) as usize;
            [left, top, left + width, top + height]
        });
        let holes = holes.collect();
        Holes { holes, noise: Noise::draw(stream) }
    }

    fn apply(&self, drawn: &Holes, frame: &mut Frame) {
        drawn.fill(frame, &self.fill);
    }

    fn apply_to_mask(&self, drawn: &Holes, mask: &mut Frame) {
        if let Some(fill) = &self.fill_mask {
            drawn.fill(mask, &HoleFill::Value(fill.clone()));
        }
    }
}
