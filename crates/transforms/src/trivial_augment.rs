//! TrivialAugment (Müller and Hutter 2021). Reference: `torchvision.transforms.TrivialAugmentWide`.

use crate::policy::{PolicyDraw, PolicyOp, Space};
use crate::{Frame, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Applies one of 14 operations, at a magnitude drawn for each image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrivialAugment {
    /// How many strengths there are.
    pub num_magnitude_bins: u32,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for TrivialAugment {
    fn default() -> Self {
        TrivialAugment { num_magnitude_bins: 31, p: 1.0 }
    }
}

impl Transform for TrivialAugment {
    const NAME: &'static str = "trivial_augment";
    const DESCRIPTION: &'static str = "applies one operation at any magnitude (TrivialAugment)";

    type Drawn = PolicyDraw;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.number_within("num_magnitude_bins", f64::from(self.num_magnitude_bins), 2.0, 1000.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> PolicyDraw {
        let space = Space { shear: 0.99, translate: [32.0; 2], rotate: 135.0, enhance: 0.99, posterize: 6.0 };
        let op = PolicyOp::ALL[stream.below(PolicyOp::ALL.len() as u32) as usize];
        let strength =
            f64::from(stream.below(self.num_magnitude_bins)) / f64::from(self.num_magnitude_bins - 1);
        PolicyDraw { steps: vec![op.at(strength, &space, stream)] }
    }

    fn apply(&self, drawn: &PolicyDraw, frame: &mut Frame) {
        drawn.apply(frame);
    }

    fn apply_to_mask(&self, drawn: &PolicyDraw, mask: &mut Frame) {
        drawn.apply_to_mask(mask);
    }
}
