//! Sharper edges. Reference: `albumentations.Sharpen`.

use crate::filter::{gaussian_blur, square};
use crate::{Frame, Pair, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How it is sharpened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharpenMethod {
    /// By a kernel of 3x3 pixels.
    Kernel,
    /// By what a Gaussian blur takes away.
    Gaussian,
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sharpness {
    /// Share of the sharpened image.
    pub alpha: f64,
    /// Weight of the pixel itself beyond that of its neighbours.
    pub lightness: f64,
}

/// Mixes the image with a sharpened one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sharpen {
    /// Share of the sharpened image.
    pub alpha: Range<Pair>,
    /// Weight of the pixel itself beyond that of its neighbours; only for `kernel`.
    pub lightness: Range<Pair>,
    /// How it is sharpened.
    pub method: SharpenMethod,
    /// Side of the Gaussian kernel in pixels; an even number counts as the next one.
    pub kernel_size: u32,
    /// Standard deviation of the Gaussian kernel.
    pub sigma: f64,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Sharpen {
    fn default() -> Self {
        Sharpen {
            alpha: Range::new(0.2, 0.5),
            lightness: Range::new(0.5, 1.0),
            method: SharpenMethod::Kernel,
            kernel_size: 5,
            sigma: 1.0,
            p: 0.5,
        }
    }
}

impl Transform for Sharpen {
    const NAME: &'static str = "sharpen";
    const DESCRIPTION: &'static str = "sharpens";

    type Drawn = Sharpness;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("alpha", &self.alpha, 0.0, 1.0);
        problems.range_within("lightness", &self.lightness, 0.0, f64::INFINITY);
        problems.number_within("kernel_size", f64::from(self.kernel_size), 3.0, 255.0);
        problems.number_within("sigma", self.sigma, f64::MIN_POSITIVE, 1000.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Sharpness {
        Sharpness { alpha: self.alpha.draw(stream), lightness: self.lightness.draw(stream) }
    }

    fn apply(&self, drawn: &Sharpness, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() == 0 {
            return;
        }
        let alpha = drawn.alpha;
        if self.method == SharpenMethod::Kernel {
            let mut kernel = [-alpha as f32; 9];
            kernel[4] = ((1.0 - alpha) + alpha * (8.0 + drawn.lightness)) as f32;
            frame.redraw_with(shape, |from, to, scratch| square(from, shape, to, &kernel, scratch));
            return;
        }
        let (size, sigma) = (self.kernel_size as usize | 1, self.sigma);
        frame.redraw_with(shape, |from, to, scratch| {
            gaussian_blur(from, shape, to, size, sigma, scratch);
            for (to, &own) in to.iter_mut().zip(from) {
                // The reference subtracts bytes, which wrap around below 0.
                let difference = own.wrapping_sub(*to);
                *to = (f64::from(own) + alpha * f64::from(difference)).min(255.0) as u8;
            }
        });
    }
}
