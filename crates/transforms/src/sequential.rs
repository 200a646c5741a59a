//! One after the other. Reference: `albumentations.Sequential`.

use crate::config::Given;
use crate::{Children, Composition, DrawKey, Frame, Problems, Shape};
use pupila_random::Stream;

/// Gives each of its transforms its chance `p`, in order: a pipeline to put into another composition.
#[derive(Debug)]
pub struct Sequential {
    transforms: Children,
    p: f64,
}

impl Composition for Sequential {
    const NAME: &'static str = "sequential";
    const DESCRIPTION: &'static str = "applies some transforms in order";

    fn build(given: &mut Given, problems: &mut Problems) -> Self {
        Sequential { transforms: given.children(problems), p: given.p(0.5, problems) }
    }

    fn p(&self) -> f64 {
        self.p
    }

    fn children(&self) -> &Children {
        &self.transforms
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        self.transforms.all().iter().fold(input, |shape, transform| transform.output_shape(shape))
    }

    fn run(&self, frame: &mut Frame, mut mask: Option<&mut Frame>, key: DrawKey, _: &mut Stream) {
        for (i, transform) in (0u32..).zip(self.transforms.all()) {
            transform.run_by_chance(frame, mask.as_deref_mut(), key.child(i));
        }
    }
}
