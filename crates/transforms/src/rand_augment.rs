//! RandAugment (Cubuk 2019). Reference: `torchvision.transforms.RandAugment`.

use crate::policy::{PolicyDraw, PolicyOp, Space};
use crate::{Frame, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Applies some of 14 operations, all at one magnitude.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandAugment {
    /// How many operations, one after the other; one can be drawn again.
    pub num_ops: u32,
    /// Their strength, as one of the bins.
    pub magnitude: u32,
    /// How many strengths there are.
    pub num_magnitude_bins: u32,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for RandAugment {
    fn default() -> Self {
        RandAugment { num_ops: 2, magnitude: 9, num_magnitude_bins: 31, p: 1.0 }
    }
}

impl Transform for RandAugment {
    const NAME: &'static str = "rand_augment";
    const DESCRIPTION: &'static str = "applies some operations at one magnitude (RandAugment)";

    type Drawn = PolicyDraw;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.number_within("num_ops", f64::from(self.num_ops), 1.0, 100.0);
        problems.number_within("num_magnitude_bins", f64::from(self.num_magnitude_bins), 2.0, 1000.0);
        let most = f64::from(self.num_magnitude_bins) - 1.0;
        problems.number_within("magnitude", f64::from(self.magnitude), 0.0, most);
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> PolicyDraw {
        let sides = [input.width, input.height].map(|side| 150.0 / 331.0 * side as f64);
        let space = Space { shear: 0.3, translate: sides, rotate: 30.0, enhance: 0.9, posterize: 4.0 };
        let strength = f64::from(self.magnitude) / f64::from(self.num_magnitude_bins - 1);
        let step = |_| {
            let op = PolicyOp::ALL[stream.below(PolicyOp::ALL.len() as u32) as usize];
            op.at(strength, &space, stream)
        };
        PolicyDraw { steps: (0..self.num_ops).map(step).collect() }
    }

    fn apply(&self, drawn: &PolicyDraw, frame: &mut Frame) {
        drawn.apply(frame);
    }

    fn apply_to_mask(&self, drawn: &PolicyDraw, mask: &mut Frame) {
        drawn.apply_to_mask(mask);
    }
}
