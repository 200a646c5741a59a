//! Elastic deformation (Simard 2003). Reference: `albumentations.ElasticTransform`.

use crate::smooth::Smooth;
use crate::warp::{Sampling, by_position};
use crate::{BorderMode, Fill, Frame, Interpolation, Noise, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the noise is like before it is blurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoiseDistribution {
    /// Normal, divided by the largest of all values.
    Gaussian,
    /// Uniform in -1..1.
    Uniform,
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Displacement {
    /// The noise, `[2, H, W]`, or `[1, H, W]` where both directions have the same.
    pub noise: Noise,
}

/// Moves every pixel by smooth noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ElasticTransform {
    /// Strength in pixels.
    pub alpha: f64,
    /// Smoothness: the standard deviation of the blur of the noise, in pixels.
    pub sigma: f64,
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// The same for a mask.
    pub mask_interpolation: Interpolation,
    /// What is beyond the border.
    pub border_mode: BorderMode,
    /// The value of the border mode `constant`. One number is for the first channel, the others are 0: so the reference.
    pub fill: Fill,
    /// The same for a mask.
    pub fill_mask: Fill,
    /// Whether the blur sees 17 pixels only.
    pub approximate: bool,
    /// Whether pixels move across as they move down.
    pub same_dxdy: bool,
    /// What the noise is like before it is blurred.
    pub noise_distribution: NoiseDistribution,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ElasticTransform {
    fn default() -> Self {
        ElasticTransform {
            alpha: 1.0,
            sigma: 50.0,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            approximate: false,
            same_dxdy: false,
            noise_distribution: NoiseDistribution::Gaussian,
            p: 0.5,
        }
    }
}

impl Transform for ElasticTransform {
    const NAME: &'static str = "elastic_transform";
    const DESCRIPTION: &'static str = "deforms elastically";

    type Drawn = Displacement;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.number_within("alpha", self.alpha, 0.0, f64::INFINITY);
        problems.number_within("sigma", self.sigma, 1.0, 1000.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Displacement {
        Displacement { noise: Noise::draw(stream) }
    }

    fn apply(&self, drawn: &Displacement, frame: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.interpolation,
            border: self.border_mode,
            fill: self.fill.scalar(),
        };
        self.deform(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &Displacement, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.scalar(),
        };
        self.deform(drawn, mask, sampling);
    }
}

impl ElasticTransform {
    fn deform(&self, drawn: &Displacement, frame: &mut Frame, sampling: Sampling) {
        let shape = frame.shape();
        let fields = if self.same_dxdy { 1 } else { 2 };
        frame.redraw_with(shape, |from, to, scratch| {
            let mut noise = std::mem::take(&mut scratch.floats);
            noise.resize(fields * shape.height * shape.width, 0.0);
            self.fill(&drawn.noise, &mut noise);
            // The reference blurs both fields as one image, the second below the first.
            let sigma = self.sigma;
            let size = if self.approximate { 17 } else { (sigma * 8.0 + 1.0).round_ties_even() as usize | 1 };
            let mut smooth = Smooth::new(&noise, shape.width, size, sigma, self.alpha as f32);
            let (mut across, mut down) = (vec![0f32; shape.width], vec![0f32; shape.width]);
            by_position(from, shape, to, shape.width, sampling, scratch, |y, xs, ys| {
                smooth.row(y, &mut across);
                smooth.row(y + (fields - 1) * shape.height, &mut down);
                for (x, (to_x, across)) in xs.iter_mut().zip(&across).enumerate() {
                    *to_x = x as f32 + across;
                }
                ys.iter_mut().zip(&down).for_each(|(to_y, down)| *to_y = y as f32 + down);
            });
            scratch.floats = noise;
        });
    }

    fn fill(&self, noise: &Noise, out: &mut [f32]) {
        if self.noise_distribution == NoiseDistribution::Uniform {
            noise.uniform(out);
            return;
        }
        noise.normal(out);
        let largest = out.iter().fold(0f32, |largest, x| if x.abs() > largest { x.abs() } else { largest });
        if largest > 1e-6 {
            let scale = 1.0 / largest;
            out.iter_mut().for_each(|x| *x *= scale);
        }
    }
}
