//! Another gamma. Reference: `albumentations.RandomGamma`.

use crate::{Frame, FromOne, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gamma {
    /// The exponent.
    pub gamma: f64,
}

/// Raises every value, as a fraction of white, to a power.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomGamma {
    /// The exponent in percent.
    pub gamma_limit: Range<FromOne>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for RandomGamma {
    fn default() -> Self {
        RandomGamma { gamma_limit: Range::new(80.0, 120.0), p: 0.5 }
    }
}

impl Transform for RandomGamma {
    const NAME: &'static str = "random_gamma";
    const DESCRIPTION: &'static str = "changes gamma";

    type Drawn = Gamma;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("gamma_limit", &self.gamma_limit, 1.0, f64::INFINITY);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Gamma {
        Gamma { gamma: self.gamma_limit.draw(stream) / 100.0 }
    }

    fn apply(&self, drawn: &Gamma, frame: &mut Frame) {
        frame.map(&std::array::from_fn(|value| {
            ((value as f64 * (1.0 / 255.0)).powf(drawn.gamma) * 255.0) as u8
        }));
    }
}
