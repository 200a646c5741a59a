//! One of several. Reference: `albumentations.OneOf`.

use crate::config::Given;
use crate::{Children, Composition, DrawKey, Frame, Problems, Shape};
use pupila_random::Stream;

/// Applies one of its transforms, each as likely as its own `p` says relative to the others, and that one for certain.
#[derive(Debug)]
pub struct OneOf {
    transforms: Children,
    p: f64,
}

impl Composition for OneOf {
    const NAME: &'static str = "one_of";
    const DESCRIPTION: &'static str = "applies one of some transforms, by their p";

    fn build(given: &mut Given, problems: &mut Problems) -> Self {
        OneOf { transforms: given.children(problems), p: given.p(0.5, problems) }
    }

    fn p(&self) -> f64 {
        self.p
    }

    fn children(&self) -> &Children {
        &self.transforms
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let mut shapes =
            self.transforms.all().iter().filter(|t| t.p() > 0.0).map(|t| t.output_shape_applied(input));
        let first = shapes.next().unwrap_or(input)?;
        shapes.all(|shape| shape == Some(first)).then_some(first)
    }

    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream) {
        let all = self.transforms.all();
        let mut at = stream.unit() * all.iter().map(|transform| transform.p()).sum::<f64>();
        for (i, transform) in (0u32..).zip(all) {
            at -= transform.p();
            if at < 0.0 {
                let key = key.child(i);
                transform.run(frame, mask, key, &mut key.stream());
                return;
            }
        }
    }
}
