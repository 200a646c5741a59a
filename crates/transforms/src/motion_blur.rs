//! Blur along a line. Reference: `albumentations.MotionBlur`.

use crate::filter::square;
use crate::{Frame, FromThree, Pair, Problems, Range, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Motion {
    /// Side of the kernel in pixels, odd.
    pub size: usize,
    /// In degrees.
    pub angle: f64,
    /// From -1 to 1.
    pub direction: f64,
    /// Of the line, across and down, as a fraction of half its half length.
    pub shift: [f64; 2],
}

/// Blurs along a line, as a camera that moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MotionBlur {
    /// Side of the kernel in pixels, odd.
    pub blur_limit: WholeRange<FromThree>,
    /// Whether the line may be beside the middle of the kernel.
    pub allow_shifted: bool,
    /// Direction of the line, in degrees.
    pub angle_range: Range<Pair>,
    /// Whether the line goes backwards (-1), both ways (0) or forwards (1).
    pub direction_range: Range<Pair>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for MotionBlur {
    fn default() -> Self {
        MotionBlur {
            blur_limit: WholeRange::new(3, 7),
            allow_shifted: true,
            angle_range: Range::new(0.0, 360.0),
            direction_range: Range::new(-1.0, 1.0),
            p: 0.5,
        }
    }
}

impl Transform for MotionBlur {
    const NAME: &'static str = "motion_blur";
    const DESCRIPTION: &'static str = "blurs along a line";

    type Drawn = Motion;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.whole_range_within("blur_limit", &self.blur_limit, 3, 255);
        problems.range_within("angle_range", &self.angle_range, 0.0, 360.0);
        problems.range_within("direction_range", &self.direction_range, -1.0, 1.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Motion {
        let size = self.blur_limit.draw_odd(stream) as usize;
        let (angle, direction) = (self.angle_range.draw(stream), self.direction_range.draw(stream));
        let mut shift = || if self.allow_shifted { stream.uniform(-1.0, 1.0) } else { 0.0 };
        Motion { size, angle, direction, shift: [shift(), shift()] }
    }

    fn apply(&self, drawn: &Motion, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() > 0 {
            let kernel = drawn.kernel();
            frame.redraw_with(shape, |from, to, scratch| square(from, shape, to, &kernel, scratch));
        }
    }
}

impl Motion {
    /// Equal weights for the pixels on the line. `[size, size]`
    fn kernel(&self) -> Vec<f32> {
        let (size, half) = (self.size, (self.size / 2) as f64);
        let (dy, dx) = self.angle.to_radians().sin_cos();
        let (mut from, mut to) = (-half, half);
        if self.direction < 0.0 {
            to *= 1.0 + self.direction;
        } else {
            from *= 1.0 - self.direction;
        }
        let mut kernel = vec![0f32; size * size];
        for i in 0..size {
            let t = from + i as f64 * ((to - from) / (size.max(2) - 1) as f64);
            let place = |step: f64, shift: f64| {
                let at = half + step * t + shift * half / 2.0;
                at.round_ties_even().clamp(0.0, (size - 1) as f64) as usize
            };
            kernel[place(dy, self.shift[1]) * size + place(dx, self.shift[0])] = 1.0;
        }
        let sum: f32 = kernel.iter().sum();
        kernel.iter_mut().for_each(|weight| *weight /= sum);
        kernel
    }
}
