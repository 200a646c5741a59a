//! Gaussian blur. Reference: `albumentations.GaussianBlur`.

use crate::filter::{gaussian_kernel, symmetric};
use crate::{Frame, FromZero, Problems, Range, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Standard deviation in pixels.
    pub sigma: f64,
    /// Taps, or 0 for as many as sigma needs.
    pub size: usize,
}

/// Blurs by a Gaussian kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianBlur {
    /// Taps of the kernel; an even number counts as the next one, and 0 is 3.5 sigma on each side.
    pub blur_limit: WholeRange<FromZero>,
    /// Standard deviation in pixels.
    pub sigma_limit: Range<FromZero>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for GaussianBlur {
    fn default() -> Self {
        GaussianBlur { blur_limit: WholeRange::new(0, 0), sigma_limit: Range::new(0.5, 3.0), p: 0.5 }
    }
}

impl Transform for GaussianBlur {
    const NAME: &'static str = "gaussian_blur";
    const DESCRIPTION: &'static str = "blurs";

    type Drawn = Kernel;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.whole_range_within("blur_limit", &self.blur_limit, 0, 999);
        problems.range_within("sigma_limit", &self.sigma_limit, 0.0, 1000.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Kernel {
        Kernel { sigma: self.sigma_limit.draw(stream), size: self.blur_limit.draw(stream) as usize }
    }

    fn apply(&self, drawn: &Kernel, frame: &mut Frame) {
        let size = if drawn.size == 0 { (drawn.sigma * 3.5) as usize * 2 } else { drawn.size } | 1;
        if size == 1 || drawn.sigma <= 0.0 || frame.shape().values() == 0 {
            return;
        }
        let kernel = gaussian_kernel(size, drawn.sigma);
        let shape = frame.shape();
        frame.redraw_with(shape, |from, to, scratch| symmetric(from, shape, to, &kernel, scratch));
    }
}
