//! The transforms of a recipe, one after the other.

use crate::{AnyTransform, ConfigErrors, Frame, Problem, Problems, Shape, TransformConfig};
use pupila_image::{Image, ImageError};
use pupila_random::{Purpose, Stream};

/// What the random numbers of one image are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleKey {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
    /// The position of the sample in its source, not in the epoch's order.
    pub sample: u32,
}

/// Transforms in the order in which they apply.
#[derive(Debug, Default)]
pub struct Pipeline {
    transforms: Vec<Box<dyn AnyTransform>>,
}

impl Pipeline {
    /// The pipeline of a recipe's `transforms`.
    ///
    /// # Errors
    /// All of them: unknown names and parameters, wrong types, values out of range.
    pub fn from_config(configs: &[TransformConfig]) -> Result<Self, ConfigErrors> {
        let mut problems = Problems::new("transforms");
        if configs.len() > usize::from(u16::MAX) {
            problems.push(Problem::TooMany { got: configs.len() });
        }
        let transforms: Vec<_> = configs
            .iter()
            .enumerate()
            .filter_map(|(place, config)| problems.within(&format!("[{place}]"), |p| config.build(p)))
            .collect();
        problems.into_result(Pipeline { transforms })
    }

    /// The transforms with all their parameters: what the resolved recipe holds. It builds the same pipeline.
    pub fn resolved(&self) -> Vec<TransformConfig> {
        self.transforms
            .iter()
            .map(|t| TransformConfig { name: t.name().to_owned(), parameters: t.parameters() })
            .collect()
    }

    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.transforms.is_empty()
    }

    /// The shape that every image of shape `input` comes out with; `None` where the draw decides.
    pub fn output_shape(&self, input: Shape) -> Option<Shape> {
        let mut shape = Some(input);
        for transform in &self.transforms {
            // An unknown shape may become known again, by a resize or a crop.
            shape = transform.output_shape(shape);
        }
        shape
    }

    /// Transforms the image in the frame.
    ///
    /// The transform at place `i` draws from the stream `(seed, Augment(i), epoch, sample)`: first whether it
    /// applies, then its values.
    pub fn apply(&self, frame: &mut Frame, key: SampleKey) {
        for (transform, place) in self.transforms.iter().zip(0u16..) {
            let mut draw = Stream::new(key.seed, Purpose::Augment(place), key.epoch, key.sample);
            if draw.chance(transform.p()) {
                transform.apply(frame, &mut draw);
            }
        }
    }

    /// Transforms one image, apart from any training.
    ///
    /// # Errors
    /// Where a transform leaves no pixel.
    pub fn apply_to_image(&self, image: &Image, key: SampleKey) -> Result<Image, ImageError> {
        let shape = Shape {
            height: image.height() as usize,
            width: image.width() as usize,
            channels: usize::from(image.channels()),
        };
        let mut frame = Frame::new();
        // An image's data are as many as its shape says.
        let _ = frame.load(shape, image.data());
        self.apply(&mut frame, key);
        let Shape { height, width, channels } = frame.shape();
        Image::new(width as u32, height as u32, channels as u8, frame.pixels().to_vec())
    }
}
