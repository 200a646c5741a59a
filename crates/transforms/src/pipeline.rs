//! The transforms of a recipe, one after the other.

use crate::{
    AnyTransform, ConfigErrors, CropBox, DrawKey, Frame, FrameMemory, Problem, Problems, SampleKey, Shape,
    ShapeError, TransformConfig,
};
use pupila_image::{Image, ImageError};

/// Why an image and its mask cannot be transformed together.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MaskError {
    /// The mask is not as high and as wide as the image.
    #[error("the mask: {0}")]
    Shape(#[from] ShapeError),
    /// A transform leaves no pixel.
    #[error(transparent)]
    Image(#[from] ImageError),
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
        self.transforms.iter().map(|t| TransformConfig::new(t.name(), t.parameters())).collect()
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

    /// Transforms that cannot do what they are asked on images of shape `input`, by their places, and why. None is looked for behind one whose
    /// results differ in shape.
    pub fn misfits(&self, input: Shape) -> Vec<(usize, String)> {
        let mut shape = Some(input);
        let mut found = Vec::new();
        for (place, transform) in self.transforms.iter().enumerate() {
            found.extend(shape.and_then(|shape| Some((place, transform.misfit(shape)?))));
            shape = transform.output_shape(shape);
        }
        found
    }

    /// The part of an image of shape `input` outside of which no pixel has an influence on what [`Self::apply`] makes of it by this key;
    /// `None` where all of it may have. It is that of the first transform, if that cuts one out.
    pub fn window(&self, input: Shape, key: SampleKey) -> Option<CropBox> {
        self.transforms.first()?.window(input, DrawKey::new(key, 0))
    }

    /// Transforms the image in the frame.
    ///
    /// The transform at place `i` draws from the stream `(seed, Augment(i), epoch, sample)`: first whether it
    /// applies, then its values. The children of a composition have streams of their own ([`DrawKey::child`]).
    pub fn apply(&self, frame: &mut Frame, key: SampleKey) {
        for (transform, place) in self.transforms.iter().zip(0u16..) {
            transform.run_by_chance(frame, None, DrawKey::new(key, place));
        }
    }

    /// Transforms an image and its mask by the same draws: geometry moves both, the mask's values without mixing them, and
    /// what changes colors leaves the mask as it is.
    ///
    /// # Errors
    /// Where the mask is not as high and as wide as the image; then nothing is changed.
    pub fn apply_with_mask(
        &self,
        frame: &mut Frame,
        mask: &mut Frame,
        key: SampleKey,
    ) -> Result<(), ShapeError> {
        let (image, of_mask) = (frame.shape(), mask.shape());
        if (image.height, image.width) != (of_mask.height, of_mask.width) {
            let expected = Shape { channels: of_mask.channels, ..image };
            return Err(ShapeError { shape: expected, got: of_mask.values() });
        }
        for (transform, place) in self.transforms.iter().zip(0u16..) {
            transform.run_by_chance(frame, Some(mask), DrawKey::new(key, place));
        }
        Ok(())
    }

    /// The transforms, in order.
    pub fn transforms(&self) -> &[Box<dyn AnyTransform>] {
        &self.transforms
    }

    /// Transforms one image, apart from any training.
    ///
    /// # Errors
    /// Where a transform leaves no pixel.
    pub fn apply_to_image(&self, image: &Image, key: SampleKey) -> Result<Image, ImageError> {
        in_frame(image, |frame| self.apply(frame, key))
    }

    /// Transforms one image and its mask by the same draws, apart from any training (see [`Self::apply_with_mask`]).
    ///
    /// # Errors
    /// Where the mask is not as high and as wide as the image, or a transform leaves no pixel.
    pub fn apply_to_image_and_mask(
        &self,
        image: &Image,
        mask: &Image,
        key: SampleKey,
    ) -> Result<(Image, Image), MaskError> {
        let mut fits = Ok(());
        let mut moved = Ok(mask.clone());
        let image = in_frame(image, |frame| {
            moved = in_frame(mask, |mask| fits = self.apply_with_mask(frame, mask, key));
        })?;
        fits?;
        Ok((image, moved?))
    }

    /// The transform at a place alone on one image, always applied whatever its `p`; the image as it is where there is none.
    ///
    /// # Errors
    /// Where it leaves no pixel.
    pub fn apply_one_to_image(&self, place: u16, image: &Image, key: SampleKey) -> Result<Image, ImageError> {
        in_frame(image, |frame| {
            if let Some(transform) = self.transforms.get(usize::from(place)) {
                let key = DrawKey::new(key, place);
                let mut stream = key.stream();
                // What is drawn afterwards is what would be drawn if it had applied by chance.
                stream.chance(transform.p());
                transform.run(frame, None, key, &mut stream);
            }
        })
    }
}

/// An image after what is done to it in a frame.
fn in_frame(image: &Image, change: impl FnOnce(&mut Frame)) -> Result<Image, ImageError> {
    let shape = Shape {
        height: image.height() as usize,
        width: image.width() as usize,
        channels: usize::from(image.channels()),
    };
    let mut memory = FrameMemory::default();
    // An image's data are as many as its shape says.
    let Ok(mut frame) = Frame::new(shape, image.data(), &mut memory) else { return Ok(image.clone()) };
    change(&mut frame);
    let Shape { height, width, channels } = frame.shape();
    Image::new(width as u32, height as u32, channels as u8, frame.pixels().to_vec())
}
